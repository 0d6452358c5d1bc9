package inspect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// CoordCmd is the coordinate check of scalings over width and depth.
type CoordCmd struct {
	cli.OutFlags
	Arch         string            `default:"mlp" help:"Architecture: mlp (residual, without biases), resnet, transformer, or cnn, over widths only." json:"arch"`
	Scalings     []cli.ScalingFlag `default:"sp,mupc,mupc-adam,completep" help:"Scalings to compare: ${scalings}." json:"scalings"`
	Widths       []int             `placeholder:"N,..." help:"Widths; 0: none (default: mlp 64..1024, channels 8..64, transformer 16..128)." json:"widths"`
	Depths       []int             `placeholder:"N,..." help:"Depths; 0: none (default: mlp 4..64 hidden layers, otherwise 1..8 blocks, as -depth of train)." json:"depths"`
	Width        int               `default:"0" help:"Width of the networks of several depths; 0: mlp 256, channels 16, transformer 32." json:"width"`
	Depth        int               `default:"0" help:"Depth of the networks of several widths; 0: mlp 4, resnet 1, cnn and transformer 2." json:"depth"`
	Act          cli.ActFlag       `default:"tanh" help:"Activation, not of transformer." json:"act"`
	Loss         cli.LossFlag      `default:"mse" help:"Likelihood of the output: mse or ce." json:"loss"`
	Optim        string            `default:"adam" help:"Optimiser of the weights: adam or sgd." json:"optim"`
	LR           float64           `name:"lr" default:"0" help:"Its learning rate; 0: 0.003 for adam and transformer, 0.3 for sgd." json:"lr"`
	Updates      int               `default:"4" help:"Weight updates." json:"updates"`
	Seeds        int               `default:"3" help:"Networks of every size." json:"seeds"`
	Batch        int               `default:"16" help:"Samples in the batch." json:"batch"`
	Steps        int               `default:"20" help:"Inference steps, in the coordinates of errors, where equilibrium is near at any depth." json:"steps"`
	Rate         float64           `default:"0.3" help:"Rate of an inference step, per sample." json:"rate"`
	BP           bool              `name:"bp" help:"Learn by backprop instead." json:"bp"`
	Band         float64           `default:"0.2" help:"Exponents of this size still count as flat." json:"band"`
	Data         string            `placeholder:"NAME|FILE" help:"Data of the batch, by name or your own, as for train (default: what suits the architecture, made from the seed)." json:"data,omitempty"`
	cli.OwnFlags `embed:"" group:"Your own data, -data FILE:"`
}

// Validate is called by kong.
func (cmd CoordCmd) Validate() error {
	if len(cmd.Scalings) == 0 {
		return errors.New("-scalings: none are given")
	}
	for flag, sizes := range map[string][]int{"widths": cmd.Widths, "depths": cmd.Depths} {
		if len(sizes) == 1 && sizes[0] != 0 {
			return errors.Errorf("-%s %d: one size has no slope: give two or more, or 0 for none", flag, sizes[0])
		}
		for i, size := range sizes {
			if slices.Contains(sizes[:i], size) {
				return errors.Errorf("-%s: size %d is given twice: a slope needs different sizes", flag, size)
			}
			if size < 0 || size == 0 && len(sizes) > 1 || size > 1<<12 {
				return errors.Errorf("-%s: size %d: want 1..%d, or 0 alone", flag, size, 1<<12)
			}
		}
	}
	none := func(sizes []int) bool { return len(sizes) == 1 && sizes[0] == 0 }
	switch {
	case none(cmd.Widths) && (none(cmd.Depths) || cmd.Arch == "cnn" && len(cmd.Depths) == 0):
		return errors.New("-widths 0 and -depths 0 leave nothing to measure: give sizes of one of them")
	case cmd.Arch == "cnn" && len(cmd.Depths) > 0 && !none(cmd.Depths):
		return errors.New("-depths: stages of a cnn halve its pictures, so that it has no depths to compare: leave it out")
	}
	if cmd.LR != 0 {
		if err := cli.Positive("lr", cmd.LR); err != nil {
			return err
		}
	}
	if err := cmd.dataFlags().Check(); err != nil {
		return err
	}
	return cli.First(cli.Known("architecture", cmd.Arch, "mlp", "cnn", "resnet", "transformer"), cli.Known("optimiser", cmd.Optim, "adam", "sgd"),
		cli.Count("width", cmd.Width, 0), cli.Count("depth", cmd.Depth, 0), cli.Count("updates", cmd.Updates, 1), cli.Count("seeds", cmd.Seeds, 1),
		cli.Count("batch", cmd.Batch, 1), cli.Count("steps", cmd.Steps, 1), cli.Positive("rate", cmd.Rate), cli.Positive("band", cmd.Band))
}

// fill gives what is left out what suits the architecture.
func (cmd *CoordCmd) fill() {
	widths, depths, width, depth := []int{64, 128, 256, 512, 1024}, []int{4, 8, 16, 32, 64}, 256, 4
	switch cmd.Arch {
	case "cnn":
		widths, depths, width, depth = []int{8, 16, 32, 64}, nil, 16, 2
	case "resnet":
		widths, depths, width, depth = []int{8, 16, 32, 64}, []int{1, 2, 4, 8}, 16, 1
	case "transformer":
		widths, depths, width, depth = []int{16, 32, 64, 128}, []int{1, 2, 4, 8}, 32, 2
	}
	or := func(sizes *[]int, otherwise []int) {
		if len(*sizes) == 0 {
			*sizes = otherwise
		} else if (*sizes)[0] == 0 {
			*sizes = nil
		}
	}
	or(&cmd.Widths, widths)
	or(&cmd.Depths, depths)
	if cmd.Width == 0 {
		cmd.Width = width
	}
	if cmd.Depth == 0 {
		cmd.Depth = depth
	}
	switch {
	case cmd.LR != 0:
	case cmd.Optim == "adam":
		cmd.LR = .003
	case cmd.Arch == "transformer": // its energy is the sum over all tokens
		cmd.LR = .003
	default:
		cmd.LR = .3
	}
}

// label is a size with its unit.
func (cmd CoordCmd) label(over string) string {
	switch {
	case over == "depth" && cmd.Arch == "mlp":
		return "depth (hidden layers)"
	case over == "depth":
		return "depth (blocks)"
	case cmd.Arch == "cnn" || cmd.Arch == "resnet":
		return "width (channels)"
	}
	return "width (units)"
}

// dataFlags choose what the networks learn from.
func (cmd CoordCmd) dataFlags() cli.DataFlags {
	f := cli.DataFlags{Data: cmd.Data, Window: 32, OwnFlags: cmd.OwnFlags}
	if f.Data == "" {
		f.Data = map[string]string{"cnn": "bars", "resnet": "bars", "transformer": "copy"}[cmd.Arch]
	}
	if f.Data == "" {
		f.Data = "random"
	}
	return f
}

// load loads what the networks learn from.
func (cmd CoordCmd) load(c *cli.Console) (*data.Set, error) {
	if cmd.Data == "" && cmd.Arch == "transformer" {
		set, _, err := data.Copy{Seed: cmd.Seed}.Load()
		return set, err
	}
	set, _, err := cmd.dataFlags().Load(c, cmd.Seed, []int{32, 10})
	if err == nil && cmd.Loss.CE && set.Classes() == 0 {
		err = errors.Errorf("-loss ce is for classes, and %s is a regression: use mse", set.Name)
	}
	return set, err
}

// A ScalingCheck is one scaling over widths or depths.
type ScalingCheck struct {
	Scaling string
	Over    string // "width" or "depth"
	label   string // the same with its unit
	sizes   []int
	coords  []analysis.Coord
	Slopes  []analysis.Slope
}

// network describes one network of a sweep.
func (cmd CoordCmd) network(set *data.Set, s cli.ScalingFlag, width, depth int) (*arch.Network, error) {
	f := cli.NetFlags{Arch: cmd.Arch, Width: width, Depth: depth, Heads: 4, Act: cmd.Act, Scaling: s, Gamma: 1, NoBias: true}
	if cmd.Arch == "mlp" {
		f.Skips = true
		f.Widths = []int{set.In()}
		for range depth {
			f.Widths = append(f.Widths, width)
		}
		f.Widths = append(f.Widths, set.Out())
	}
	return f.Build(set.Name, set.InShape(), set.OutShape())
}

// check is the check of one sweep.
func (cmd CoordCmd) check(set *data.Set, s cli.ScalingFlag, w *ScalingCheck) *analysis.CoordCheck[float32] {
	batch := min(cmd.Batch, set.Len())
	c := &analysis.CoordCheck[float32]{
		Sizes: w.sizes, Steps: cmd.Updates,
		Network: func(size int) (*arch.Network, error) {
			if w.Over == "width" {
				return cmd.network(set, s, size, cmd.Depth)
			}
			return cmd.network(set, s, cmd.Width, size)
		},
		Plan: arch.Plan{Batch: batch, Energy: cli.NetFlags{Loss: cmd.Loss}.Energy(1), Coordinates: arch.Errors},
		X:    make([]float32, batch*set.In()),
		Y:    make([]float32, batch*set.Out()),
		Solver: func() infer.Solver[float32] {
			return cli.Descent[float32](cmd.Rate)
		},
		Stop: infer.Steps(cmd.Steps),
		Optimizer: func(n *arch.Network, v *graph.Vector[float32]) optim.Optimizer[float32] {
			if cmd.Optim == "sgd" {
				return &optim.SGD[float32]{Rate: cmd.LR, Spans: train.SGDSpans(n, v)}
			}
			return &optim.Adam[float32]{Rate: cmd.LR, Eps: 1e-12, Spans: train.AdamSpans(n, v)}
		},
	}
	if cmd.BP {
		c.Plan.Coordinates, c.Solver = arch.Feedforward, nil
	}
	for k := range cmd.Seeds {
		c.Seeds = append(c.Seeds, cmd.Seed+uint64(k))
	}
	for _, idx := range data.InOrder(batch, batch) {
		data.Fill(set, c.X, c.Y, idx)
	}
	return c
}

// A CoordLine is a measurement in metrics.jsonl: without sizes where the network diverged.
type CoordLine struct {
	Kind     string  `json:"kind"` // "coord"
	Scaling  string  `json:"scaling"`
	Over     string  `json:"over"`
	Size     int     `json:"size"`
	Seed     uint64  `json:"seed"`
	Step     int     `json:"step"`
	Place    string  `json:"place"`
	Relaxed  bool    `json:"relaxed"`
	Activity float64 `json:"activity"`
	Change   float64 `json:"change"`
}

// Run sweeps, then reports.
func (cmd CoordCmd) Run(c *cli.Console) error {
	return c.Run("coordcheck-"+cmd.Arch, cmd, func(r *cli.RunDir) error { return cmd.measure(c, r) })
}

// measure does the work of Run in a folder.
func (cmd CoordCmd) measure(c *cli.Console, out *cli.RunDir) error {
	cmd.fill()
	set, err := cmd.load(c)
	if err != nil {
		return err
	}
	if _, err := cmd.network(set, cmd.Scalings[0], cmd.Width, cmd.Depth); err != nil {
		return err
	}
	m := out.Manifest
	m.Options = cmd // with what the data decide
	if err := out.Used(set); err != nil {
		return err
	}
	var sweeps []*ScalingCheck
	show := newCoordMeter(c, cmd)
	for _, over := range []string{"width", "depth"} {
		sizes := cmd.Widths
		if over == "depth" {
			sizes = cmd.Depths
		}
		for _, s := range cmd.Scalings {
			if len(sizes) == 0 || c.Context.Err() != nil {
				continue
			}
			w := &ScalingCheck{Scaling: s.Name, Over: over, label: cmd.label(over), sizes: sizes}
			check := cmd.check(set, s, w)
			show.begin(w)
			check.OnStep = show.step
			w.coords, err = check.Run(c.Context)
			if err != nil {
				show.counter.End()
				return errors.WithMessage(err, s.Name)
			}
			show.done += show.cost(w, len(sizes))
			if len(w.coords) > 0 { // not interrupted before the first network was through
				w.Slopes = analysis.Slopes(w.coords, cmd.Updates)
				sweeps = append(sweeps, w)
			}
			if err := logCoords(out.Folder, w); err != nil {
				return err
			}
		}
	}
	show.counter.End()
	out.Page = cmd.report(sweeps, set)
	for _, w := range sweeps {
		m.Results[w.Scaling+" over "+w.Over] = w.verdict(cmd.Band)
	}
	return nil
}

// A coordMeter shows how far all sweeps are, with the time that is left of all of them.
type coordMeter struct {
	cmd     CoordCmd
	counter *report.Progress
	names   bool // lines may have names of their own
	sweep   *ScalingCheck
	done    float64 // cost of the sweeps that are through
	all     float64
}

func newCoordMeter(c *cli.Console, cmd CoordCmd) *coordMeter {
	m := &coordMeter{cmd: cmd, counter: c.Progress("coordinate check, %", ""), names: !c.Terminal}
	for range cmd.Scalings {
		for over, sizes := range map[string][]int{"width": cmd.Widths, "depth": cmd.Depths} {
			m.all += m.cost(&ScalingCheck{Over: over, sizes: sizes}, len(sizes))
		}
	}
	return m
}

// cost is about what the first networks of a sweep take, in units that are the same for all sweeps: products grow with the square
// of the width, and something is the same for all layers.
func (m *coordMeter) cost(w *ScalingCheck, sizes int) (c float64) {
	for _, size := range w.sizes[:sizes] {
		width, depth := float64(m.cmd.Width), float64(m.cmd.Depth)
		if w.Over == "width" {
			width = float64(size)
		} else {
			depth = float64(size)
		}
		c += (depth + 1) * (width*width + 64*width)
	}
	return c
}

// begin goes on with a sweep.
func (m *coordMeter) begin(w *ScalingCheck) {
	m.sweep = w
	if m.names {
		m.counter.Name = fmt.Sprintf("%s over %s, %%", w.Scaling, w.Over)
	}
}

// step is told of training steps by a sweep.
func (m *coordMeter) step(done, total int) {
	sizes := float64(done) / float64(total) * float64(len(m.sweep.sizes))
	whole := min(int(sizes), len(m.sweep.sizes)-1)
	before := m.cost(m.sweep, whole)
	now := m.done + before + (sizes-float64(whole))*(m.cost(m.sweep, whole+1)-before)
	if percent := int(100 * now / m.all); percent > 0 {
		m.counter.Step(min(percent, 100), 100, nil)
	}
}

// logCoords adds a sweep's measurements to metrics.jsonl, at the places that all networks have.
func logCoords(f *cli.Folder, w *ScalingCheck) error {
	for _, p := range analysis.Places() {
		for _, m := range w.coords {
			if !m.At(p) {
				continue
			}
			l := CoordLine{Kind: "coord", Scaling: w.Scaling, Over: w.Over, Size: m.Size, Seed: m.Seed, Step: m.Step, Place: p.String(), Relaxed: m.Relaxed,
				Activity: m.Activity, Change: m.Change}
			if err := f.Line(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// steepest is the slope that is furthest from flat, and what it is of: of changes, and of the activities of hidden sites.
func (w *ScalingCheck) steepest() (worst analysis.Exponent, what string) {
	worst.Mean = math.NaN()
	for _, s := range w.Slopes {
		for i, e := range []analysis.Exponent{s.Change, s.Activity} {
			if shrinks := i == 1 && s.Place == analysis.AtOutput; !shrinks && !math.IsNaN(e.Mean) && !(math.Abs(e.Mean) <= math.Abs(worst.Mean)) {
				worst, what = e, []string{"change", "activity"}[i]
				if s.Relaxed {
					what += ", relaxed"
				}
			}
		}
	}
	return worst, what
}

// verdict is that of the steepest slope.
func (w *ScalingCheck) verdict(band float64) analysis.Verdict {
	e, _ := w.steepest()
	return e.Verdict(band)
}

// report is the page.
func (cmd CoordCmd) report(sweeps []*ScalingCheck, set *data.Set) report.Page {
	rule := fmt.Sprintf("predictive coding (%d inference steps of rate %g in the coordinates of errors)", cmd.Steps, cmd.Rate)
	if cmd.BP {
		rule = "backprop"
	}
	r := report.Page{Title: "Coordinate check: do widths and depths learn alike?",
		Lead: fmt.Sprintf("Networks (%s) of several widths (depth %d) and depths (width %d) made %d updates by %s with %s at rate %g, on one batch of %d from %s. In a good scaling neither the sizes of activities nor of their changes depend on width or depth: then learning rates need not be tuned anew. Sizes are root mean squares over samples and units, exponents are those of size^p, mean of %d seeds; what is within %g of zero counts as flat.",
			cmd.Arch, cmd.Depth, cmd.Width, cmd.Updates, rule, strings.ToUpper(cmd.Optim), cmd.LR, min(cmd.Batch, set.Len()), set.Name, cmd.Seeds, cmd.Band)}
	for _, over := range []string{"width", "depth"} {
		var some []*ScalingCheck
		for _, w := range sweeps {
			if w.Over == over {
				some = append(some, w)
				e, what := w.steepest()
				r.Tiles = append(r.Tiles, report.Tile{Value: string(w.verdict(cmd.Band)), Label: fmt.Sprintf("%s over %s, steepest exponent %s (%s)", w.Scaling, over, exponentText(e), what), Class: tileClass(w.verdict(cmd.Band))})
			}
		}
		if len(some) == 0 {
			continue
		}
		r.Tables = append(r.Tables, cmd.Table(some))
		r.Figures = append(r.Figures, report.Figure{File: over + ".png", Title: "Over " + over,
			Caption: "Root mean squares after the last update, by size of the network: how large the activities are, and how far they have come from the start, first in the feedforward pass, then where inference ends. Bars span the seeds; of lines that lie on one another the lower ones are wider. What is flat carries over from small networks to large ones. Where a network is not much wider than it is deep, activities after inference may rise: there the equilibrium of inference is no longer near the feedforward pass. The size of the output's activity shrinks as the width grows in the scalings of the muP family, by design, and is not counted in the verdict; its change is.",
			Draw:    coordPanels(some, cmd.Updates, cmd.Band)})
	}
	return r
}

func tileClass(v analysis.Verdict) string {
	if v == analysis.Flat {
		return "pc"
	}
	return "bp"
}

// Table is the exponents of some sweeps.
func (cmd CoordCmd) Table(sweeps []*ScalingCheck) report.Table {
	t := report.Table{Title: "Exponents over " + sweeps[0].Over + ", after the last update: p where the root mean square is proportional to " + sweeps[0].Over + "^p",
		Note: fmt.Sprintf("Mean over the seeds (least..largest). Relaxed: where inference ends. The verdict is of the largest exponent of its row, which it names: flat within %g, else grows or shrinks. What is in [] is not counted: the output's activity may shrink with width by design, only its change counts.", cmd.Band),
		Head: []string{"scaling", "site", "activity", "change", "activity, relaxed", "change, relaxed", "verdict"}}
	for _, w := range sweeps {
		for _, p := range analysis.Places() {
			row := []string{w.Scaling, p.String(), "-", "-", "-", "-", ""}
			var here ScalingCheck
			for _, s := range w.Slopes {
				if s.Place != p {
					continue
				}
				here.Slopes = append(here.Slopes, s)
				at := 2
				if s.Relaxed {
					at = 4
				}
				row[at], row[at+1] = exponentText(s.Activity), exponentText(s.Change)
				if p == analysis.AtOutput {
					row[at] = "[" + row[at] + "]"
				}
			}
			if len(here.Slopes) > 0 {
				verdict := here.verdict(cmd.Band)
				row[6] = string(verdict)
				if _, what := here.steepest(); verdict != analysis.Flat && what != "" {
					row[6] += ": " + what
				}
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// exponentText writes an exponent with its range over the seeds.
func exponentText(e analysis.Exponent) string {
	switch {
	case math.IsInf(e.Mean, 1):
		return "diverges"
	case math.IsNaN(e.Mean):
		return "-"
	case e.Low == e.High:
		return signed(e.Mean)
	}
	return fmt.Sprintf("%s (%s..%s)", signed(e.Mean), signed(e.Low), signed(e.High))
}

func signed(v float64) string {
	if math.Abs(v) < .005 {
		return "0.00"
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Choice is what the use of some flags depends on.
func (cmd CoordCmd) Choice() cli.Choice {
	return cli.Choice{Arch: cmd.Arch, Data: cmd.Data, BP: cmd.BP}
}
