package inspect

import (
	"fmt"
	"io"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// LandscapeCmd draws energies that are small enough to be seen whole.
type LandscapeCmd struct {
	cli.FolderFlags
	X    float64 `name:"x" default:"1" help:"Input." json:"x"`
	Y    float64 `name:"y" default:"-1" help:"Target." json:"y"`
	W1   float64 `name:"w1" default:"0.1" help:"First weight at the start of training." json:"w1"`
	W2   float64 `name:"w2" default:"0.2" help:"Second weight at the start of training." json:"w2"`
	LR   float64 `name:"lr" default:"0.1" help:"Rate of gradient descent on the weights." json:"lr"`
	Time int     `name:"updates" default:"80" help:"Weight updates." json:"updates"`
}

// Validate is called by kong.
func (cmd LandscapeCmd) Validate() error {
	for _, n := range []struct {
		flag string
		v    float64
	}{{"x", cmd.X}, {"y", cmd.Y}, {"w1", cmd.W1}, {"w2", cmd.W2}} {
		if !(math.Abs(n.v) <= 10) {
			return errors.Errorf("-%s is %v: want a number between -10 and 10", n.flag, n.v)
		}
	}
	if cmd.LR > .5 {
		return errors.Errorf("-lr is %v: want a rate above 0 and at most 0.5", cmd.LR)
	}
	return cli.First(cli.Positive("lr", cmd.LR), cli.Count("updates", cmd.Time, 1))
}

// settle is inference to the end, on chains of a few units whose curvature is below 5.
func settle() (infer.Solver[float64], infer.Stop) {
	return &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .3}}, infer.Any{infer.Stationary{Tol: 1e-10}, infer.Steps(20000)}
}

// unitChain is a chain of single linear units with all weights given.
func unitChain(weights ...float64) (*arch.Network, *graph.Vector[float64], error) {
	widths := make([]int, len(weights)+1)
	for i := range widths {
		widths[i] = 1
	}
	net, err := arch.Chain{Act: layers.LinearAct, Widths: widths}.Network()
	if err != nil {
		return nil, nil, err
	}
	w, err := cli.NewWeights[float64](net, 0)
	if err != nil {
		return nil, nil, err
	}
	copy(w.Data(), weights)
	w.Touch()
	return net, w, nil
}

// A path is the weights along training.
type path struct {
	name string
	at   plotter.XYs
	loss []float64
}

// Run draws.
func (cmd LandscapeCmd) Run(c *cli.Console) error {
	return c.Run("landscape", cmd, func(r *cli.RunDir) error { return cmd.draw(c, r) })
}

func (cmd LandscapeCmd) draw(c *cli.Console, out *cli.RunDir) error {
	m := out.Manifest
	out.Page = report.Page{Title: "The smallest networks, and what inference does to their energy",
		Lead: fmt.Sprintf("A chain of one hidden unit, x = %g, y = %g, energy F = 1/2 (z - w1 x)^2 + 1/2 (y - w2 z)^2. Before inference z = w1 x and F is the loss; after it F* = 1/2 (y - w2 w1 x)^2 / (1 + w2^2).", cmd.X, cmd.Y)}
	r := &out.Page
	var paths []path
	for _, name := range []string{"BP", "PC"} {
		p, err := cmd.descend(c, name)
		if err != nil {
			return err
		}
		paths = append(paths, p)
	}
	end := paths[1].at[len(paths[1].at)-1]
	before, err := cmd.slice("Before training", cmd.W1, cmd.W2)
	if err != nil {
		return err
	}
	after, err := cmd.slice("After training", end.X, end.Y)
	if err != nil {
		return err
	}
	r.Figures = []report.Figure{
		{File: "weights.png", Title: "Energy by the two weights, before and after inference",
			Caption: "Each band of grey is half as high as the one before; dark is low. The lines are gradient descent from the same start near the saddle at the origin, on the loss (BP) and on the energy at equilibrium (PC). Inference makes the valley around the minima wide and the saddle's neighbourhood steep: PC leaves it sooner (arXiv 2408.11979).",
			Draw:    cmd.weights(paths)},
		{File: "escape.png", Title: "Loss along training", Caption: "The same two descents: how long each stays near the saddle.", Draw: escape(paths)},
		{File: "activity.png", Title: "Energy by the activity of the hidden unit",
			Caption: "A parabola; inference goes from the feedforward activity (ring) to its lowest point (dot). Before training there is nothing to gain by moving z alone, after it the two points are the same.",
			Draw:    func() (io.WriterTo, error) { return report.Picture(5.2, 3.9, before, after), nil }},
	}
	n := len(paths[0].loss) - 1
	r.Tiles = []report.Tile{{Value: fmt.Sprintf("%.3g", paths[1].loss[n]), Label: "loss of PC after training", Class: "pc"},
		{Value: fmt.Sprintf("%.3g", paths[0].loss[n]), Label: "loss of BP after training", Class: "bp"}}
	m.Results["loss"] = map[string]float64{"PC": paths[1].loss[n], "BP": paths[0].loss[n]}
	if c.Context.Err() != nil {
		return nil
	}
	deep, tab, err := chains()
	if err != nil {
		return err
	}
	r.Figures = append(r.Figures, deep...)
	r.Tables = append(r.Tables, tab)
	return nil
}

// descend trains the two weights by a rule of the library.
func (cmd LandscapeCmd) descend(c *cli.Console, name string) (path, error) {
	net, w, err := unitChain(cmd.W1, cmd.W2)
	if err != nil {
		return path{}, err
	}
	plan := arch.Plan{Batch: 1}
	if name == "BP" {
		plan.Coordinates = arch.Feedforward
	}
	model, err := arch.Compile(net, w, plan)
	if err != nil {
		return path{}, err
	}
	var rule train.Rule[float64] = &train.Backprop[float64]{Model: model}
	if name == "PC" {
		solver, stop := settle()
		rule = &train.PC[float64]{Model: model, Solver: solver, Stop: stop}
	}
	one := func(v float64) [][]float64 { return [][]float64{{v}} }
	set, _, err := data.Arrays[float64]{Inputs: one(cmd.X), Targets: one(cmd.Y), TestInputs: one(cmd.X), TestTargets: one(cmd.Y),
		Prepare: data.Preparation{Task: data.Regression, Raw: true}}.Load()
	if err != nil {
		return path{}, err
	}
	p := path{name: name}
	add := func() {
		w1, w2 := w.Data()[0], w.Data()[1]
		r := cmd.Y - w2*w1*cmd.X
		p.at, p.loss = append(p.at, plotter.XY{X: w1, Y: w2}), append(p.loss, r*r/2)
	}
	add()
	t := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: cmd.LR}, Train: set, Batch: 1, Epochs: cmd.Time}
	for _, err := range t.Steps(c.Context) {
		if c.Context.Err() != nil {
			break
		}
		if err != nil {
			return p, err
		}
		add()
	}
	return p, nil
}

// weights are the contours of loss and F* with the paths.
func (cmd LandscapeCmd) weights(paths []path) report.Drawing {
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for k, title := range []string{"Before inference: the loss, and the way of BP", "After inference: F*, and the way of PC"} {
			p := report.NewPlot(title, "first weight w1", "second weight w2")
			p.Add(report.Bands(func(w1, w2 float64) float64 {
				r := cmd.Y - w2*w1*cmd.X
				if k == 0 {
					return r * r / 2
				}
				return r * r / 2 / (1 + w2*w2)
			}, 2))
			l := report.Line(paths[k].at, report.RuleColour(paths[k].name), 2.4, report.RuleDash(paths[k].name))
			start, end := report.Dots(paths[k].at[:1], report.Ink, 3), report.Dots(paths[k].at[len(paths[k].at)-1:], report.RuleColour(paths[k].name), 4)
			p.Add(l, start, end)
			p.Legend.Add(paths[k].name, l)
			p.Legend.Add("start", start)
			p.Legend.Add(fmt.Sprintf("after %d updates", len(paths[k].at)-1), end)
			p.Legend.Top, p.Legend.XOffs, p.Legend.YOffs = true, -8, -8
			p.X.Padding, p.Y.Padding = 0, 0
			plots = append(plots, p)
		}
		return report.WithBar(5.2, 5, report.BandBar("Energy (loss on the left, F* on the right)"), plots...), nil
	}
}

// escape is the loss along both trainings.
func escape(paths []path) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("", "weight updates", "loss 1/2 (y - w2 w1 x)^2")
		p.X.Tick.Marker = report.CountTicks{}
		report.Grid(p)
		for _, way := range paths {
			var xys plotter.XYs
			for k, v := range way.loss {
				xys = append(xys, plotter.XY{X: float64(k), Y: v})
			}
			l := report.Line(xys, report.RuleColour(way.name), 2, report.RuleDash(way.name))
			p.Add(l)
			p.Legend.Add(way.name, l)
		}
		p.Legend.Top, p.Y.Min = true, 0
		return report.Picture(10.4, 3.4, p), nil
	}
}

// slice is the energy by the hidden activity, with the feedforward point and the one that inference finds.
func (cmd LandscapeCmd) slice(title string, w1, w2 float64) (*plot.Plot, error) {
	net, w, err := unitChain(w1, w2)
	if err != nil {
		return nil, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: 1})
	if err != nil {
		return nil, err
	}
	if err := m.Clamp([]float64{cmd.X}, []float64{cmd.Y}); err != nil {
		return nil, err
	}
	if err := m.Forward(); err != nil {
		return nil, err
	}
	z := m.State()[0]
	at := make([]float64, 161)
	for i := range at {
		at[i] = -2 + 4*float64(i)/float64(len(at)-1) - z
	}
	energies, err := analysis.Slice(m, []float64{1}, at)
	if err != nil {
		return nil, err
	}
	first, err := m.Energy()
	if err != nil {
		return nil, err
	}
	solver, stop := settle()
	moments, _, err := analysis.Trace(m, solver, stop)
	if err != nil {
		return nil, err
	}
	p := report.NewPlot(fmt.Sprintf("%s: w1 = %.3g, w2 = %.3g", title, w1, w2), "activity z", "energy F")
	report.Grid(p)
	var xys plotter.XYs
	for i, f := range energies {
		xys = append(xys, plotter.XY{X: z + at[i], Y: f})
	}
	curve := report.Line(xys, report.Blue, 2, nil)
	ring := report.Dots(plotter.XYs{{X: z, Y: first}}, report.Vermillion, 5)
	ring.Shape = draw.RingGlyph{}
	end := report.Dots(plotter.XYs{{X: m.State()[0], Y: moments[len(moments)-1].Energy}}, report.Ink, 3)
	p.Add(curve, ring, end)
	p.Legend.Add("F(z)", curve)
	p.Legend.Add("feedforward", ring)
	p.Legend.Add("after inference", end)
	p.Legend.Top = true
	p.Y.Min, p.Y.Max = 0, 1.4*p.Y.Max // the legend's place
	return p, nil
}

// chainDepths are the hidden units of the chains compared.
var chainDepths = []int{1, 4, 16, 64}

// chains is what depth does to inference, on chains of unit weights: the energy along its stiffest and its softest
// direction at equilibrium, and the activities before and after.
func chains() ([]report.Figure, report.Table, error) {
	tab := report.Table{Title: "Chains of unit weights", Head: []string{"hidden units", "softest curvature", "closed form", "stiffest", "condition", "steps to rest"},
		Note: "Curvatures are eigenvalues of the activity Hessian; the closed form of the softest is 2 - 2 cos(pi/(H+1)). Steps of rate .3 until the rms of the gradient is 1e-10 of what it was, or 20000."}
	stiff, slack := report.NewPlot("Along the stiffest direction", "distance from equilibrium", "F - F*"), report.NewPlot("Along the softest direction", "distance from equilibrium", "F - F*")
	report.Grid(stiff)
	report.Grid(slack)
	for k, hidden := range chainDepths {
		weights := make([]float64, hidden+1)
		lin := theory.Linear{}
		for i := range weights {
			weights[i] = 1
			lin.Weights = append(lin.Weights, mat.NewDense(1, 1, []float64{1}))
		}
		net, w, err := unitChain(weights...)
		if err != nil {
			return nil, tab, err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: 1})
		if err != nil {
			return nil, tab, err
		}
		if err := m.Clamp([]float64{1}, []float64{-1}); err != nil {
			return nil, tab, err
		}
		if err := m.Forward(); err != nil {
			return nil, tab, err
		}
		solver, _ := settle()
		moments, result, err := analysis.Trace(m, solver, infer.Any{infer.Stationary{Rel: 1e-10}, infer.Steps(20000)})
		if err != nil {
			return nil, tab, err
		}
		h, err := lin.ActivityHessian()
		if err != nil {
			return nil, tab, err
		}
		var e mat.EigenSym
		if !e.Factorize(h, true) {
			return nil, tab, errors.New("the eigenvalues of an activity Hessian do not converge")
		}
		var v mat.Dense
		e.VectorsTo(&v)
		values := e.Values(nil)
		name := fmt.Sprintf("%d hidden", hidden)
		for j, p := range map[int]*plot.Plot{0: slack, hidden - 1: stiff} {
			if err := addSlice(p, m, mat.Col(nil, j, &v), moments[len(moments)-1].Energy, name, k); err != nil {
				return nil, tab, err
			}
		}
		if hidden == 1 {
			if err := addSlice(slack, m, []float64{1}, moments[len(moments)-1].Energy, name, k); err != nil {
				return nil, tab, err
			}
		}
		tab.Rows = append(tab.Rows, []string{fmt.Sprint(hidden), fmt.Sprintf("%.4g", values[0]), fmt.Sprintf("%.4g", 2-2*math.Cos(math.Pi/float64(hidden+1))),
			fmt.Sprintf("%.4g", values[hidden-1]), fmt.Sprintf("%.4g", values[hidden-1]/values[0]), fmt.Sprint(result.Step)})
	}
	along, err := front()
	if err != nil {
		return nil, tab, err
	}
	stiff.Legend.Top, slack.Legend.Top = true, true
	slack.Y.Min, slack.Y.Max, stiff.Y.Min, stiff.Y.Max = 0, 3, 0, 3
	return []report.Figure{
		{File: "chains.png", Title: "Deep chains are stiff one way and soft another",
			Caption: "The energy through its equilibrium, along the two extreme eigenvectors of the activity Hessian. The stiffest direction hardly changes with depth and bounds the step of inference; the softest becomes flat, and inference, which may only make steps that suit the stiffest, takes ever longer along it.",
			Draw:    func() (io.WriterTo, error) { return report.Picture(5.2, 4, stiff, slack), nil }},
		{File: "along.png", Title: "Where inference puts the error",
			Caption: "A chain of 32 units, whose weights of 1 carry the input 1 unchanged to the output, which should be -1. The error spreads backwards as heat does, and in the end is divided into equal steps, one per layer.",
			Draw:    func() (io.WriterTo, error) { return report.Picture(10.4, 3.6, along), nil }},
	}, tab, nil
}

// front is how the activities of a chain move along inference.
func front() (*plot.Plot, error) {
	weights := train.Repeat([]float64{1}, 33)
	net, w, err := unitChain(weights...)
	if err != nil {
		return nil, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: 1})
	if err != nil {
		return nil, err
	}
	if err := m.Clamp([]float64{1}, []float64{-1}); err != nil {
		return nil, err
	}
	if err := m.Forward(); err != nil {
		return nil, err
	}
	p := report.NewPlot("", "layer, from the input 0 to the target 33", "activity")
	p.X.Tick.Marker = report.CountTicks{}
	report.Grid(p)
	solver, _ := settle()
	done := 0
	for k, steps := range []int{0, 10, 100, 1000, 10000} {
		if _, err := infer.Run(solver, train.ProblemOf(m), m.State(), infer.Steps(steps-done), nil); err != nil {
			return nil, err
		}
		done = steps
		xys := plotter.XYs{{X: 0, Y: 1}}
		for i, z := range m.State() {
			xys = append(xys, plotter.XY{X: float64(i + 1), Y: z})
		}
		xys = append(xys, plotter.XY{X: float64(len(weights)), Y: -1})
		l, d := report.Line(xys, report.Colour(k), 1.6, nil), report.Dots(xys, report.Colour(k), 2)
		p.Add(l, d)
		p.Legend.Add(fmt.Sprintf("after %d steps", steps), l, d)
	}
	p.Legend.Left = true
	p.Legend.XOffs, p.Legend.YOffs = 8, 8
	return p, nil
}

// addSlice draws the energy along a direction through equilibrium.
func addSlice(p *plot.Plot, m *arch.Model[float64], direction []float64, least float64, name string, k int) error {
	at := make([]float64, 81)
	for i := range at {
		at[i] = -1 + 2*float64(i)/float64(len(at)-1)
	}
	energies, err := analysis.Slice(m, direction, at)
	if err != nil {
		return err
	}
	var xys plotter.XYs
	for i, f := range energies {
		xys = append(xys, plotter.XY{X: at[i], Y: f - least})
	}
	l := report.Line(xys, report.Colour(k), 2, report.Dash(k))
	p.Add(l)
	p.Legend.Add(name, l)
	return nil
}
