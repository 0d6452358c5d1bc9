package benchmark

import (
	"math"
	"slices"
	"strconv"

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
var Tables = []Table{tour, pcxMLP, depth, vgg5, text}

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
		for _, r := range []named{
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
			for _, ours := range []named{
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

// A named rule is a row of a table.
type named struct {
	row  string
	rule Rule
}

// depthWidth is that of the table depth.
const depthWidth = 128

var depth = Table{
	Name: "depth", Seeds: 3,
	Title: "Residual MLPs of 8 to 128 layers",
	About: "Bias-free residual MLPs of L = 8, 16, 32, 64 and 128 layers of width 128, ReLU before the product, scaled by muPC, one epoch of MNIST, pixels in [-1, 1], batch 64, the last one " +
		"left out, Adam at 1e-3 sqrt(128/L) (the networks and rates of PC-ALM's paper, arXiv 2605.31022) for every rule. Inference is as short as the signal allows: PC and the forward update make L steps, PC-ALM " +
		"2L, red-black nudging L/2 + 1 sweeps to each side, ePC 5 steps on the errors at every depth. Nothing is tuned by depth.",
	cells: func() []Cell {
		var cells []Cell
		for _, l := range []int{8, 16, 32, 64, 128} {
			for _, r := range []named{
				{"BP", Rule{Name: "bp"}},
				{"PC", Rule{Name: "pc", Solver: auto, Steps: l, Rest: .01}},
				{"ePC", Rule{Name: "pc", Errors: true, Solver: descent, Steps: 5, Rate: .2}},
				{"PC-ALM", Rule{Name: "pcalm", Steps: 2 * l}},
				{"red-black", Rule{Name: "redblack", Sign: "centred", Beta: .1, Steps: l/2 + 1}},
				{"Z-IL", Rule{Name: "zil"}},
				{"forward update", Rule{Name: "forward", Solver: descent, Steps: l, Rate: .25}},
			} {
				cells = append(cells, Cell{Row: "L" + strconv.Itoa(l) + "/" + r.row, Data: Data{Name: "mnist", Pixels: .5},
					Net:   Net{Kind: "resmlp", Width: depthWidth, Depth: l, Act: "relu", Scaling: "mupc"},
					Rule:  r.rule,
					Learn: Learn{LR: muPCRate(depthWidth, l), Batch: 64, DropLast: true, Epochs: 1}})
			}
		}
		return cells
	},
}

var vgg5 = Table{
	Name: "vgg5", Seeds: 3,
	Title: "A small VGG-5 on Fashion-MNIST",
	About: "Convolutions 3 x 3 of 32, 64, 128 and 128 channels, GELU and maxima of 2 x 2 behind each, every stage one site, and a linear readout: pcx's VGG-5 with a quarter of its channels. It trains " +
		"on the first 20,000 pictures, a third of the set, for 5 epochs: what two cores can do; accuracies are below those of the whole set. Pixels in [-1, 1], batch 128, AdamW with warm-up and cosine, " +
		"with the rate and decay that pcx tuned for negative nudging on CIFAR-10, for every row.",
	cells: func() []Cell {
		var cells []Cell
		for _, r := range []named{
			{"BP", Rule{Name: "bp"}},
			{"PC", Rule{Name: "pc", Solver: auto, Steps: 8, Rest: .1}},
			{"ePC", Rule{Name: "pc", Errors: true, Solver: descent, Steps: 5, Rate: .2}},
			{"centred nudging", Rule{Name: "nudged", Nudge: "target", Sign: "centred", Beta: .179, Solver: descent, Steps: 7, Rate: .028, Momentum: .5}},
		} {
			cells = append(cells, Cell{Row: r.row, Data: Data{Name: "fashion", Pixels: .5, Train: 20000},
				Net:   Net{Kind: "vgg", Channels: []int{32, 64, 128, 128}, Act: "gelu"},
				Rule:  r.rule,
				Learn: Learn{Optimizer: "adamw", LR: 2.6e-4, Decay: 9e-4, Schedule: "warmup-cosine", Batch: 128, DropLast: true, Epochs: 5}})
		}
		return cells
	},
}

var text = Table{
	Name: "text", Seeds: 3,
	Title: "A character transformer",
	About: "Two blocks of width 32 with 4 heads and layer normalisation, scaled by muPC with Adam's rates, on windows of 32 characters of the built-in text of 3,400 characters, cross-entropy, 6 epochs, batch 64, " +
		"Adam at .03. The score is the perplexity by character on the last tenth of the text. With so small a text it says how rules compare, not how well a transformer can do.",
	cells: func() []Cell {
		var cells []Cell
		for _, r := range []named{
			{"BP", Rule{Name: "bp"}},
			{"PC", Rule{Name: "pc", Solver: auto, Steps: 16, Rest: .1}},
			{"ePC", Rule{Name: "pc", Errors: true, Precision: .1, Solver: descent, Steps: 5, Rate: .2}},
			{"PC-ALM", Rule{Name: "pcalm", Steps: 8}},
		} {
			r.rule.Loss = "ce"
			cells = append(cells, Cell{Row: r.row, Data: Data{Name: "text"}, Net: Net{Kind: "transformer", Width: 32, Depth: 2, Heads: 4, Norm: true, Scaling: "mupc-adam"},
				Rule: r.rule, Learn: Learn{LR: 3e-2, Batch: 64, Epochs: 6}})
		}
		return cells
	},
}
