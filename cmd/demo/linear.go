package main

import (
	"fmt"
	"io"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// linearCmd is the deep linear network whose equilibrium is known.
type linearCmd struct{ taskFlags }

// Validate is called by kong.
func (cmd linearCmd) Validate() error { return cmd.validate() }

// linearBudget is that of the notebook linear_net_theoretical_energy.
var linearBudget = notebook{limit: 100, every: 10, lr: 1e-3, infer: jpcFlow(300),
	saved: map[int]float64{10: 72.8, 20: 75.8, 30: 79.2, 40: 82, 50: 81.1, 60: 80.4, 70: 80.9, 80: 82.1, 90: 82.3, 100: 80.3}}

// equilibriumEnergy is F* of a batch.
func equilibriumEnergy(m *arch.Model[float32], x, y []float32) (float64, error) {
	flags := cli.NetFlags{Precision: 1}
	flags.Act.Act = layers.LinearAct
	l, targets, ok, err := linearTwin(m, x, y, flags)
	if err == nil && !ok {
		err = errors.New("the network is no linear chain: it has no closed form")
	}
	if err != nil {
		return 0, err
	}
	e, err := l.Equilibrium(denseOf(x, targets.RawMatrix().Rows), targets)
	if err != nil {
		return 0, err
	}
	return e.Energy, nil
}

// A predicted rule is a rule that is told beforehand where its energy will come to.
type predicted struct {
	*train.PC[float32]
	updates []prediction
}

// A prediction is one update's energies.
type prediction struct{ loss, energy, theory float64 }

// Gradient computes F* first.
func (r *predicted) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	m, err := r.Model.Resized(batch)
	if err != nil {
		return train.Report{}, err
	}
	f, err := equilibriumEnergy(m, x, y)
	if err != nil {
		return train.Report{}, err
	}
	report, err := r.PC.Gradient(grad, x, y, batch)
	r.updates = append(r.updates, prediction{report.Loss, report.Energy, f})
	return report, err
}

// Run trains and holds every energy against its closed form.
func (cmd linearCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "linear", cmd.taskFlags, linearBudget, &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = "A deep linear network, whose energy at equilibrium is known beforehand"
	t.Page.Lead = fmt.Sprintf("784-300-300-300-300-10, linear, without biases: %d weight updates of Adam at rate %g on batches of %d; inference: %v. Before every update the closed form says where the energy of that batch will come to: F* = 1/2B sum r S^-1 r (arXiv 2408.11979, theorem 1), with r the error of the feedforward pass.",
		t.opts.Limit, t.opts.LR, t.opts.Batch, t.opts.SolverFlags)
	return t.run(func() error {
		net, err := arch.Chain{Act: layers.LinearAct, Widths: []int{t.train.In(), 300, 300, 300, 300, t.train.Out()}}.Network()
		if err != nil {
			return err
		}
		w, err := cli.NewWeights[float32](net, t.seed)
		if err != nil {
			return err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: t.opts.Batch})
		if err != nil {
			return err
		}
		solver, stop := t.opts.New()
		rule := &predicted{PC: &train.PC[float32]{Model: m, Solver: solver, Stop: stop}}
		x, y := t.batch(64)
		small, err := m.Resized(len(x) / t.test.In())
		if err != nil {
			return err
		}
		var ins []inference
		var ends []float64 // F* of each
		t.watch = func(step int) error {
			if step != 1 && step != 10 && step != t.opts.Limit {
				return nil
			}
			in, err := t.trace(fmt.Sprintf("after update %d", step), small, train.Feedforward[float32]{}, x, y, 8)
			if err != nil {
				return err
			}
			f, err := equilibriumEnergy(small, x, y)
			ins, ends = append(ins, in), append(ends, f)
			return err
		}
		if _, err := t.learnBy(net, rule, "test accuracy"); err != nil {
			return err
		}
		if len(rule.updates) == 0 {
			return nil
		}
		worst := 0.
		for _, u := range rule.updates {
			worst = math.Max(worst, math.Abs(u.energy/u.theory-1))
		}
		last := rule.updates[len(rule.updates)-1]
		t.Page.Tiles = append(t.Page.Tiles, report.Tile{Value: fmt.Sprintf("%.2g", worst), Label: "largest relative distance from F* over training", Class: "pc"})
		t.Manifest.Results["F/F*-1, largest"] = worst
		t.Manifest.Results["last update"] = map[string]float64{"loss": last.loss, "energy": last.energy, "theory": last.theory}
		t.Page.Figures = append([]report.Figure{
			{File: "theory.png", Title: "Energy along training: measured and predicted",
				Caption: "The measured energy where inference ends lies on the closed form; the loss, from which inference starts, is what backprop would see of the same weights.",
				Draw:    energyAndTheory(rule.updates)},
			{File: "approach.png", Title: "How inference comes to the closed form",
				Caption: "On test pictures, in float32, followed eight times longer than in training. Where the lines are rough, adaptive steps hover at the level that their tolerance (here 1e-4) sets.",
				Draw:    approach(ins, ends)},
		}, t.Page.Figures...)
		return nil
	})
}

// energyAndTheory are the energies along training.
func energyAndTheory(updates []prediction) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("", "weight updates", "energy per sample")
		report.Grid(p)
		var loss, energy, closed plotter.XYs
		for i, u := range updates {
			loss = append(loss, plotter.XY{X: float64(i + 1), Y: u.loss})
			energy = append(energy, plotter.XY{X: float64(i + 1), Y: u.energy})
			closed = append(closed, plotter.XY{X: float64(i + 1), Y: u.theory})
		}
		a, b, d := report.Line(loss, report.Soft, 1.2, report.Dash(2)), report.Line(energy, report.Sky, 5, nil), report.Line(closed, report.Ink, 1.4, report.Dash(1))
		p.Add(a, b, d)
		p.Legend.Add("loss", a)
		p.Legend.Add("energy where inference ends", b)
		p.Legend.Add("closed form F*", d)
		p.Legend.Top = true
		p.Y.Min = 0
		return report.Picture(10.4, 4.2, p), nil
	}
}

// approach is how far the energy is from its closed form along inference.
func approach(ins []inference, ends []float64) report.Drawing {
	return func() (io.WriterTo, error) {
		p := report.NewPlot("", ins[0].axis(), "F/F* - 1")
		report.Grid(p)
		report.LogAxis(&p.X)
		report.LogAxis(&p.Y)
		for i, in := range ins {
			var xys plotter.XYs
			for _, m := range in.moments {
				if d := m.Energy/ends[i] - 1; d > 1e-9 && in.at(m) >= in.from() {
					xys = append(xys, plotter.XY{X: in.at(m), Y: d})
				}
			}
			if len(xys) > 0 {
				l := report.Line(xys, report.Colour(i), 2, report.Dash(i))
				p.Add(l)
				p.Legend.Add(in.name, l)
			}
		}
		report.WholeDecades(&p.Y)
		ins[0].until(p)
		p.Legend.Top = true
		return report.Picture(10.4, 4, p), nil
	}
}
