package study

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// solverFlags are notebooks.Inference as flags; what is zero is the task's.
type solverFlags struct {
	Solver string  `placeholder:"NAME" help:"Inference: ${solvers}: the first three integrate with adaptive steps, euler with steps of -rate, sgd descends (default: what suits the task)." json:"solver"`
	Time   float64 `placeholder:"T" help:"Time to integrate to, per sample: JPC's max_t1 divided by the batch." json:"time,omitempty"`
	Steps  int     `placeholder:"N" help:"Inference steps of sgd." json:"steps,omitempty"`
	Rate   float64 `placeholder:"R" help:"Rate of sgd's steps, and length of euler's, per sample." json:"rate,omitempty"`
	Tol    float64 `placeholder:"E" help:"Relative and absolute tolerance of adaptive steps (default: 0.001)." json:"tol,omitempty"`
}

// taskFlags are the flags of every task on pictures.
type taskFlags struct {
	cli.OutFlags
	solverFlags
	Data      string  `default:"mnist" help:"Pictures: mnist or fashion." json:"data"`
	Dir       string  `placeholder:"DIR" help:"Folder of the data set's files (default: searched, see \"demo data\")." json:"-"`
	Limit     int     `placeholder:"N" help:"Weight updates (default: the notebook's)." json:"limit"`
	Batch     int     `default:"64" help:"Samples per batch." json:"batch"`
	LR        float64 `name:"lr" placeholder:"R" help:"Learning rate of Adam (default: the notebook's)." json:"lr"`
	EvalEvery int     `placeholder:"N" help:"Evaluate every so many updates (default: the notebook's)." json:"eval_every"`
	Test      int     `default:"10000" help:"Test samples, the first of the set." json:"test"`
}

// Validate is called by kong.
func (f taskFlags) Validate() error {
	err := cli.First(cli.Known("data", f.Data, "mnist", "fashion"), cli.Count("steps", f.Steps, 0), cli.Count("limit", f.Limit, 0), cli.Count("batch", f.Batch, 1),
		cli.Count("eval-every", f.EvalEvery, 0), cli.Count("test", f.Test, 1))
	if f.Solver != "" {
		err = cli.First(err, cli.Known("solver", f.Solver, notebooks.Solvers...))
	}
	for _, n := range []struct {
		flag string
		v    float64
	}{{"time", f.Time}, {"rate", f.Rate}, {"tol", f.Tol}, {"lr", f.LR}} {
		if n.v != 0 {
			err = cli.First(err, cli.Positive(n.flag, n.v))
		}
	}
	return err
}

func (f taskFlags) Choice() cli.Choice {
	return cli.Choice{Data: f.Data, Solver: notebooks.Inference(f.solverFlags).Or(notebooks.Inference{Solver: notebooks.SGD}).Solver}
}

// A notebook is a command of one of the notebooks' tasks.
type notebook struct {
	name   string           // of the run's folder
	budget notebooks.Budget // the notebook's
	title  string
	// What was done. {budget} becomes the weight updates, the rate of Adam and the batch, {updates}, {batch} and {inference} what was
	// chosen.
	lead   string
	graded string // what the accuracies are of
	// run trains, and adds to the page what was measured.
	run func(ctx context.Context, s *study) error
}

// A study is a task that runs.
type study struct {
	notebook
	*cli.RunDir
	notebooks.Setup
	learner *learner
}

// do runs a task in a folder of its own; options are those of the command.
func (f taskFlags) do(c *cli.Console, options cli.RunOptions, t notebook) error {
	source, err := cli.DataFlags{Data: f.Data, Dir: f.Dir}.Source(f.Seed, nil)
	if err != nil {
		return err
	}
	training, test, err := source.Load()
	if err != nil {
		return err
	}
	s := &study{notebook: t, Setup: notebooks.Setup{Train: training, Test: test.Slice(0, min(f.Test, test.Len())), Seed: f.Seed, Batch: f.Batch,
		Budget: notebooks.Budget{Updates: f.Limit, EvalEvery: f.EvalEvery, Rate: f.LR, Inference: notebooks.Inference(f.solverFlags)}.Or(t.budget)}}
	return c.Run(t.name, options, func(r *cli.RunDir) error {
		if err := r.Used(training, s.Test); err != nil {
			return err
		}
		s.RunDir, r.Page.Title = r, t.title
		r.Page.Lead = strings.NewReplacer("{updates}", strconv.Itoa(s.Updates), "{batch}", strconv.Itoa(s.Batch), "{inference}", s.Inference.String(),
			"{budget}", fmt.Sprintf("%d weight updates of Adam at rate %g on batches of %d", s.Updates, s.Rate, s.Batch)).Replace(t.lead)
		c.Printf("%s; inference: %v; seed %d; files go to %s\n\n", t.title, s.Inference, s.Seed, s.Dir)
		start := time.Now()
		s.learner = &learner{name: "PC", precision: 1}
		o := &observer{learner: s.learner, console: c, add: s.Line, classes: s.Test.Classes() > 0}
		s.OnStep = o.step
		s.OnEval = func(e train.Eval) error { return o.eval(e, e.Loss) }
		s.OnEnd = func(l notebooks.Learned) error {
			o.end()
			s.Manifest.Seconds["training"] = time.Since(start).Seconds()
			return s.learned(c, l)
		}
		c.Doing("PC learns")
		return t.run(c.Context, s)
	})
}

// learned adds the curves, the inferences of training and, if it is graded, the accuracies.
func (s *study) learned(c *cli.Console, l notebooks.Learned) error {
	p := s.learner
	p.rule, p.history = l.Rule, l.History
	right := "right the " + s.graded
	if s.graded == "" {
		right = "right the same where inference ends and the weights learn"
	}
	if len(l.History.Evals) > 0 {
		s.grade(l.History)
	}
	if len(p.trace) > 0 {
		s.figure("curves.png", "Learning", "Left the energy at the start of inference, before the weights of that step; "+right+".", s.curves())
	}
	return inferenceTable(c, s.RunDir, []*learner{p}, closeness{})
}

// grade is the table of accuracies, beside those that the notebook saved.
func (s *study) grade(h *train.History) {
	accuracy := func(e train.Eval) string { return fmt.Sprintf("%.2f %%", 100*e.Accuracy) }
	saved := func(e train.Eval) string {
		if v, ok := s.Saved[e.Step]; ok {
			return fmt.Sprintf("%.1f %%", v)
		}
		return "-"
	}
	t := s.table(s.graded, fmt.Sprintf("On %d test samples; seed %d. Training took %v without the evaluations.", s.Test.Len(), s.Seed, s.learner.seconds()),
		[]string{"updates", "accuracy", "JPC's notebook"})
	for _, e := range h.Evals {
		t.Rows = append(t.Rows, []string{strconv.Itoa(e.Step), accuracy(e), saved(e)})
	}
	s.tile(accuracy(h.Last()), s.graded)
	if v := saved(h.Last()); v != "-" {
		s.Page.Tiles = append(s.Page.Tiles, report.Tile{Value: v, Label: "JPC's notebook"})
	}
	s.Manifest.Results["test"] = evalLineOf("PC", h.Last(), h.Last().Loss)
}

func (s *study) figure(file, title, caption string, draw report.Drawing) {
	s.Page.Figures = append(s.Page.Figures, report.Figure{File: file, Title: title, Caption: caption, Draw: draw})
}

// table adds a table and returns it, for rows to be added.
func (s *study) table(title, note string, head []string, rows ...[]string) *report.Table {
	s.Page.Tables = append(s.Page.Tables, report.Table{Title: title, Note: note, Head: head, Rows: rows})
	return &s.Page.Tables[len(s.Page.Tables)-1]
}

func (s *study) tile(value, label string) {
	s.Page.Tiles = append(s.Page.Tiles, report.Tile{Value: value, Label: label, Class: "pc"})
}

// curves are loss and accuracy of a graded task, or the energies before and after inference.
func (s *study) curves() report.Drawing {
	if s.graded != "" {
		return curves([]*learner{s.learner}, true)
	}
	return func() (io.WriterTo, error) {
		var plots []*plot.Plot
		for i, title := range []string{"Energy at the start of inference", "Energy at its end"} {
			p := report.NewPlot(title+" (faint: every step)", "weight updates", "energy per sample")
			report.Grid(p)
			report.LogAxis(&p.Y)
			var curve plotter.XYs
			for _, pt := range s.learner.trace {
				curve = append(curve, plotter.XY{X: float64(pt.step), Y: []float64{pt.loss, pt.energy}[i]})
			}
			report.Smoothed(p, curve, report.Blue, nil)
			report.WholeDecades(&p.Y)
			plots = append(plots, p)
		}
		return report.Picture(5.2, 3.9, plots...), nil
	}
}

// digits adds what a generator makes of labels, and the labels that were found for pictures.
func (s *study) digits(d notebooks.Digits) {
	wrong := make([]bool, len(d.Found))
	for i, label := range d.Found {
		wrong[i] = label != s.Test.Label(i)
	}
	names := func(n int, label func(i int) int) (names []string) {
		for i := range n {
			names = append(names, strconv.Itoa(label(i)))
		}
		return names
	}
	n := len(d.Found)
	s.figure("generated.png", "Digits from labels, and labels from digits",
		"Top: what the network makes of each label, at best the mean of its pictures. Below, test pictures with their labels, and what the network makes of the labels that it found for them, of which the largest is written below; framed where it is wrong.",
		strips([]strip{
			{name: "made of the labels", pictures: s.shown(d.OfLabels, s.Test.Out()), captions: names(s.Test.Out(), func(i int) int { return i })},
			{name: "test pictures", pictures: s.shown(d.Pictures, n), captions: names(n, s.Test.Label)},
			{name: "their labels found", pictures: s.shown(d.OfFound, n), captions: names(n, func(i int) int { return d.Found[i] }), wrong: wrong},
		}))
}
