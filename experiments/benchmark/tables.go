package benchmark

import (
	"math"
	"slices"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// A Table is a list of cells with a name.
type Table struct {
	Name  string
	Title string
	About string // what is measured, how, and whence the settings are
	Seeds int    // of every row
	cells func() []Cell
}

// Cells are the cells of the table, all seeds of a row after each other.
func (t Table) Cells() []Cell {
	var list []Cell
	for _, c := range t.cells() {
		for _, c.Seed = range claim.Seeds(t.Seeds) {
			list = append(list, c)
		}
	}
	return list
}

// Experiment is the table's.
func (t Table) Experiment() claim.Experiment { return Experiment(t.Name, t.Cells()) }

// Tables are the named tables.
var Tables = []Table{tour, pcxMLP}

// TableNamed is a table by name.
func TableNamed(name string) (Table, error) {
	i := slices.IndexFunc(Tables, func(t Table) bool { return t.Name == name })
	if i >= 0 {
		return Tables[i], nil
	}
	var names []string
	for _, t := range Tables {
		names = append(names, t.Name)
	}
	return Table{}, Unknown("table", name, names)
}

var tour = Table{
	Name: "tour", Seeds: 2,
	Title: "Two moons",
	About: "A network of two hidden layers of 32 on 800 points, 10 epochs, in seconds: what the larger tables look like.",
	cells: func() []Cell {
		var cells []Cell
		for _, r := range []struct {
			row  string
			rule Rule
		}{
			{"BP", Rule{Name: "bp"}},
			{"PC", Rule{Name: "pc"}},
			{"ePC", Rule{Name: "pc", Errors: true, Steps: 5, Rate: .4}},
			{"iPC", Rule{Name: "incremental", Steps: 5, Rate: .2}},
			{"PC-ALM", Rule{Name: "pcalm"}},
			{"nudged", Rule{Name: "nudged"}},
		} {
			net := Net{Kind: "mlp", Hidden: []int{32, 32}, Act: "tanh"}
			cells = append(cells, Cell{Row: r.row, Data: Data{Name: "moons"}, Net: net, Rule: r.rule.Settled(net),
				Learn: Learn{LR: 5e-3, Batch: 32, Epochs: 10}})
		}
		return cells
	},
}

// A tuned row is a method of the pcx benchmark with its settings.
type tuned struct {
	data, row, act string
	rule           Rule
	lr, decay      float64
}

// pcxTuned are the settings of arXiv 2407.01163's repository (commits c722834 and 845a512), each tuned there. BP-SE of Fashion-MNIST is not
// among them: it has those of MNIST.
var pcxTuned = []tuned{
	{"mnist", "BP-SE", "gelu", Rule{Name: "bp"}, 2.749e-4, 5.121e-3},
	{"mnist", "BP-CE", "hard_tanh", Rule{Name: "bp", Loss: "ce"}, 2.810e-4, 1.478e-3},
	{"mnist", "PC-SE", "gelu", Rule{Name: "pc", Solver: descent, Steps: 8, Rate: .010535, Momentum: .65}, 2.969e-4, 3.550e-4},
	{"mnist", "PC-CE", "gelu", Rule{Name: "pc", Loss: "ce", Solver: descent, Steps: 5, Rate: .018282, Momentum: .35}, 2.996e-4, 3.314e-3},
	{"mnist", "positive nudging", "gelu", Rule{Name: "nudged", Nudge: "target", Beta: .55, Solver: descent, Steps: 5, Rate: .058047, Momentum: .7}, 2.988e-4, 1.417e-4},
	{"mnist", "negative nudging", "gelu", Rule{Name: "nudged", Nudge: "target", Sign: "negative", Beta: .2, Growth: .02, Solver: descent, Steps: 4, Rate: .068607, Momentum: .5}, 2.691e-4, 4.610e-3},
	{"mnist", "iPC", "leaky_relu", Rule{Name: "incremental", Solver: descent, Steps: 8, Rate: .849532, Momentum: .35}, 2.526e-4, 3.253e-2},
	{"fashion", "BP-SE", "gelu", Rule{Name: "bp"}, 2.749e-4, 5.121e-3},
	{"fashion", "BP-CE", "hard_tanh", Rule{Name: "bp", Loss: "ce"}, 2.716e-4, 8.732e-5},
	{"fashion", "PC-SE", "gelu", Rule{Name: "pc", Solver: descent, Steps: 5, Rate: .026071, Momentum: .1}, 2.972e-4, 1.838e-3},
	{"fashion", "PC-CE", "gelu", Rule{Name: "pc", Loss: "ce", Solver: descent, Steps: 5, Rate: .013125, Momentum: .4}, 2.771e-4, 8.403e-4},
	{"fashion", "positive nudging", "gelu", Rule{Name: "nudged", Nudge: "target", Beta: .75, Growth: .02, Solver: descent, Steps: 8, Rate: .012152, Momentum: .55}, 2.837e-4, 4.780e-4},
	{"fashion", "negative nudging", "leaky_relu", Rule{Name: "nudged", Nudge: "target", Sign: "negative", Beta: .9, Growth: .02, Solver: descent, Steps: 6, Rate: .028080, Momentum: .15}, 2.849e-4, 2.520e-4},
	{"fashion", "iPC", "leaky_relu", Rule{Name: "incremental", Solver: descent, Steps: 8, Rate: .799694, Momentum: .25}, 2.691e-4, 1.162e-2},
}

var pcxMLP = Table{
	Name: "mlp", Seeds: 5,
	Title: "The MLPs of the pcx benchmark",
	About: "Networks 784-128-128-128-10 with biases, the activation behind the product, a linear last layer; pixels in [-1, 1], batch 128, the last one left out in training and " +
		"test, 25 epochs, AdamW whose rate rises to 1.1 lr in 10 % of the batches and falls by a cosine to .1 lr. The rows of pcx have the settings that its repository tuned for each " +
		"(arXiv 2407.01163), biases not decayed; BP-SE of Fashion-MNIST has those of MNIST. The other rows are rules of this library on the same network, with the rate and decay of PC-SE and nothing tuned.",
	cells: func() []Cell {
		var cells []Cell
		add := func(s tuned) {
			cells = append(cells, Cell{Row: s.data + "/" + s.row, Data: Data{Name: s.data, Pixels: .5}, Net: Net{Kind: "mlp", Hidden: []int{128, 128, 128}, Act: s.act},
				Rule:  s.rule,
				Learn: Learn{Optimizer: "adamw", LR: s.lr, Decay: s.decay, Schedule: "warmup-cosine", Batch: 128, DropLast: true, Epochs: 25}})
		}
		for _, set := range []string{"mnist", "fashion"} {
			var pc tuned
			for _, s := range pcxTuned {
				if s.data == set {
					add(s)
					if s.row == "PC-SE" {
						pc = s
					}
				}
			}
			for _, ours := range []struct {
				row  string
				rule Rule
			}{
				{"PC at rest", Rule{Name: "pc", Solver: auto, Steps: 64, Rest: .05}},
				{"ePC at rest", Rule{Name: "pc", Errors: true, Solver: auto, Steps: 64, Rest: .05}},
				{"ePC, 5 steps", Rule{Name: "pc", Errors: true, Solver: descent, Steps: 5, Rate: .2}},
				{"PC-ALM", Rule{Name: "pcalm", Steps: 8}},
			} {
				pc.row, pc.rule = ours.row, ours.rule
				add(pc)
			}
		}
		return cells
	},
}

// muPCRate is the rate of Adam for a residual network of muPC (arXiv 2605.31022): 1e-3 sqrt(N/L).
func muPCRate(width, depth int) float64 { return 1e-3 * math.Sqrt(float64(width)/float64(depth)) }
