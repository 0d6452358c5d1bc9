package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// The tasks repeat the notebooks of the JPC library (arXiv 2412.03676). Its rates and times belong to the energy of a
// batch mean, of 64 samples; ours belong to one sample: rates and times of JPC are divided by jpcBatch, here and nowhere
// else.
const jpcBatch = 64.

// jpcFlow is JPC's inference to a time: Heun's method with adaptive steps.
func jpcFlow(time float64) cli.SolverFlags {
	return cli.SolverFlags{Solver: "heun", Time: time / jpcBatch}
}

// jpcDescent is JPC's inference by steps of a rate.
func jpcDescent(steps int, rate float64) cli.SolverFlags {
	return cli.SolverFlags{Solver: "sgd", Steps: steps, Rate: rate / jpcBatch}
}

// jpcSteps is descent to JPC's time by steps of a length per sample: a tenth of the evaluations of Heun's method at
// tolerance 1e-3 (docs/JPC-notebooks.md).
func jpcSteps(time, step float64) cli.SolverFlags {
	return cli.SolverFlags{Solver: "sgd", Steps: int(math.Ceil(time / jpcBatch / step)), Rate: step}
}

// taskFlags are the flags of every task.
type taskFlags struct {
	cli.OutFlags
	cli.SolverFlags
	Data      string  `default:"mnist" help:"Pictures: mnist or fashion." json:"data"`
	Dir       string  `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")." json:"-"`
	Limit     int     `placeholder:"N" help:"Weight updates (default: the notebook's)." json:"limit"`
	Batch     int     `default:"64" help:"Samples per batch." json:"batch"`
	LR        float64 `name:"lr" placeholder:"R" help:"Learning rate of Adam (default: the notebook's)." json:"lr"`
	EvalEvery int     `placeholder:"N" help:"Evaluate every so many updates (default: the notebook's)." json:"eval_every"`
	Test      int     `default:"10000" help:"Test samples, the first of the set." json:"test"`
}

func (f taskFlags) validate() error {
	err := cli.First(cli.Known("data", f.Data, "mnist", "fashion"), f.SolverFlags.Check(), cli.Count("limit", f.Limit, 0), cli.Count("batch", f.Batch, 1),
		cli.Count("eval-every", f.EvalEvery, 0), cli.Count("test", f.Test, 1))
	if err == nil && f.LR != 0 {
		err = cli.Positive("lr", f.LR)
	}
	return err
}

// A notebook is what a notebook spent, and what it came to.
type notebook struct {
	limit, every int
	lr           float64
	infer        cli.SolverFlags
	saved        map[int]float64 // accuracy in per cent by updates
}

// or takes what is missing from a notebook.
func (f taskFlags) or(b notebook) taskFlags {
	if f.Limit == 0 {
		f.Limit = b.limit
	}
	if f.EvalEvery == 0 {
		f.EvalEvery = b.every
	}
	if f.LR == 0 {
		f.LR = b.lr
	}
	f.SolverFlags = f.SolverFlags.Or(b.infer)
	return f
}

// A study is a job that trains by predictive coding alone, to a notebook's budget.
type study struct {
	job
	console  *cli.Console
	opts     taskFlags
	notebook notebook
	name     string
	options  cli.RunOptions // of the command
}

// newStudy loads the data.
func newStudy(c *cli.Console, name string, opts taskFlags, b notebook, options cli.RunOptions) (*study, error) {
	opts = opts.or(b)
	source, err := cli.DataFlags{Data: opts.Data, Dir: opts.Dir}.Source(opts.Seed, nil)
	if err != nil {
		return nil, err
	}
	training, test, err := source.Load()
	if err != nil {
		return nil, err
	}
	test = test.Slice(0, min(opts.Test, test.Len()))
	t := &study{console: c, opts: opts, notebook: b, name: name, options: options}
	t.lesson = lesson{RunDir: new(cli.RunDir), flags: cli.NetFlags{Arch: "of a notebook"}, seed: opts.Seed, train: training, test: test, learn: cli.LearnFlags{
		Batch: opts.Batch, Epochs: 1 + opts.Limit*opts.Batch/training.Len(), Limit: opts.Limit, LR: opts.LR, EvalEvery: opts.EvalEvery}}
	return t, nil
}

// run does the work in a folder and reports.
func (t *study) run(work func() error) error {
	return t.console.Run(t.name, t.options, func(r *cli.RunDir) error {
		r.Page, t.RunDir = t.Page, r
		if err := r.Used(t.train, t.test); err != nil {
			return err
		}
		t.console.Printf("%s; inference: %v; seed %d; files go to %s\n\n", t.Page.Title, t.opts.SolverFlags, t.seed, t.Dir)
		return work()
	})
}

// learnBy trains a network by a rule and adds the curves and, if it is graded, the table of accuracies to the report.
func (t *study) learnBy(net *arch.Network, rule train.Rule[float32], graded string) (*pupil, error) {
	t.net = net
	start := time.Now()
	p := &pupil{name: "PC", rule: rule, precision: 1}
	err := t.teach(t.console, p)
	t.Manifest.Seconds["training"] = time.Since(start).Seconds()
	if err != nil {
		return nil, err
	}
	t.pupils = append(t.pupils, p)
	if len(p.history.Evals) > 0 {
		t.grade(p, graded)
	}
	if len(p.trace) > 0 {
		right := "right the " + graded
		if t.ungraded {
			right = "right the same where inference ends and the weights learn"
		}
		t.Page.Figures = append(t.Page.Figures, report.Figure{File: "curves.png", Title: "Learning",
			Caption: "Left the energy at the start of inference, before the weights of that step; " + right + ".",
			Draw:    t.curves(p)})
	}
	return p, t.rest(t.console)
}

// grade is the table of accuracies, beside those that the notebook saved.
func (t *study) grade(p *pupil, what string) {
	tab := report.Table{Title: what, Head: []string{"updates", "accuracy", "JPC's notebook"},
		Note: fmt.Sprintf("On %d test samples; seed %d. Training took %v without the evaluations.", t.test.Len(), t.seed, p.seconds())}
	for _, e := range p.history.Evals {
		row := []string{strconv.Itoa(e.Step), fmt.Sprintf("%.2f %%", 100*e.Accuracy), "-"}
		if v, ok := t.notebook.saved[e.Step]; ok {
			row[2] = fmt.Sprintf("%.1f %%", v)
		}
		tab.Rows = append(tab.Rows, row)
	}
	last := p.history.Last()
	t.Page.Tables = append(t.Page.Tables, tab)
	t.Page.Tiles = append(t.Page.Tiles, report.Tile{Value: fmt.Sprintf("%.2f %%", 100*last.Accuracy), Label: what, Class: "pc"})
	if v, ok := t.notebook.saved[last.Step]; ok {
		t.Page.Tiles = append(t.Page.Tiles, report.Tile{Value: fmt.Sprintf("%.1f %%", v), Label: "JPC's notebook"})
	}
	t.Manifest.Results["test"] = t.evalLine(p.name, last)
}

// curves are those of a graded task, or the energies before and after inference.
func (t *study) curves(p *pupil) report.Drawing {
	if !t.ungraded {
		return curves([]*pupil{p}, true)
	}
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for _, side := range []struct {
			title  string
			energy func(point) float64
		}{{"Energy at the start of inference", func(p point) float64 { return p.loss }}, {"Energy at its end", func(p point) float64 { return p.energy }}} {
			q := report.NewPlot(side.title+" (faint: every step)", "weight updates", "energy per sample")
			report.Grid(q)
			report.LogAxis(&q.Y)
			var curve plotter.XYs
			for _, pt := range p.trace {
				curve = append(curve, plotter.XY{X: float64(pt.step), Y: side.energy(pt)})
			}
			report.Smoothed(q, curve, report.Blue, nil)
			report.WholeDecades(&q.Y)
			plots = append(plots, q)
		}
		return report.Picture(5.2, 3.9, plots...), nil
	}
}

// interrupted tells whether the run is to end.
func (t *study) interrupted() bool { return t.console.Context.Err() != nil }

// batch fills the first n samples of the test set.
func (t *study) batch(n int) (x, y []float32) {
	n = min(n, t.test.Len())
	x, y = make([]float32, n*t.test.In()), make([]float32, n*t.test.Out())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(t.test, x, y, idx)
	}
	return x, y
}

// beyond is how much longer than in training the pictures follow inference: whether it was near its end is seen there.
const beyond = 32

// trace is inference on one batch, from a start, for the picture of energies by layer: by finer steps than in training and
// so many times longer.
func (t *study) trace(name string, m *arch.Model[float32], start train.Start[float32], x, y []float32, longer int) (inference, error) {
	if err := m.Clamp(x, y); err != nil {
		return inference{}, err
	}
	if err := start.Begin(m, x, y); err != nil {
		return inference{}, err
	}
	in := inference{name: name, terms: m.Terms(), timed: t.opts.Solver != "sgd", trained: t.opts.Time}
	solver, stop := t.opts.New()
	if f, ok := solver.(*infer.Flow[float32]); ok {
		f.Horizon *= float64(longer)
		if f.Method != ode.Euler {
			f.Method, f.Control = ode.Bosh3, ode.PID{RTol: 1e-4, ATol: 1e-5}
		}
	} else {
		in.trained = float64(t.opts.Steps)
		stop = infer.Steps(t.opts.Steps*longer + 1) // one more: the limit comes before the evaluation
	}
	var err error
	in.moments, _, err = analysis.Trace(m, solver, stop)
	return in, err
}
