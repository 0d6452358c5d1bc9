// Package notebooks repeats the notebooks of the JPC library (arXiv 2412.03676) on pictures of digits: Classify, Generate, Latent,
// Hybrid, Bidirectional and Linear. Complete and Stream are two tasks of the same kind that have no notebook.
//
// A task is a value with the options of its network. Its Budget is what the notebook spends; Run trains and returns what was
// measured:
//
//	task := notebooks.Classify{Net: "flow"}
//	setup := &notebooks.Setup{Train: training, Test: test, Seed: 1, Batch: 64, Budget: task.Budget()}
//	result, err := task.Run(ctx, setup)
//
// Rates and times of JPC belong to the mean energy of a batch; jpc.PerSample converts them, in the budgets and nowhere else.
package notebooks

import (
	"cmp"
	"context"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// A Budget is how much a task trains and infers. Fields of a Setup's budget that are zero are replaced by those of the task's own.
type Budget struct {
	Updates   int     // of the weights
	EvalEvery int     // updates between evaluations on the test set
	Rate      float64 // of Adam on the weights
	Inference Inference
	Saved     map[int]float64 // test accuracies that the notebook saved, in per cent, by updates; nil if it has none
}

// Or returns b with its zero fields replaced by those of d. Saved is always that of d.
func (b Budget) Or(d Budget) Budget {
	return Budget{Updates: cmp.Or(b.Updates, d.Updates), EvalEvery: cmp.Or(b.EvalEvery, d.EvalEvery), Rate: cmp.Or(b.Rate, d.Rate),
		Inference: b.Inference.Or(d.Inference), Saved: d.Saved}
}

// A Setup is what a task runs on.
type Setup struct {
	Train, Test *data.Set // pictures with labels
	Seed        uint64    // of the weights, the order of the samples, and all other random numbers
	Batch       int
	Budget

	// Callbacks; nil disables them. An error ends the run.
	OnStep func(terms []string, s train.Step[float32]) error // after every update; terms are the names of Step.Terms
	OnEval func(train.Eval) error                            // after every evaluation on the test set
	OnEnd  func(l Learned) error                             // when the training is over or interrupted, before the network is looked at
}

// Learned is a network that was trained, part of every result. A run whose context is cancelled returns what it has: the training
// so far, and zero for what is measured after it.
type Learned struct {
	Rule    train.Rule[float32] // nil for Stream
	Graded  bool                // the test set was evaluated: History.Evals has accuracies
	History *train.History
}

// begin takes what the setup leaves zero from the task's budget, and reports what cannot be run.
func (s *Setup) begin(task string, b Budget) error {
	s.Budget = s.Budget.Or(b)
	if s.Train == nil || s.Test == nil || s.Train.Len() == 0 || s.Test.Len() == 0 {
		return errors.Errorf("notebooks: %s: Setup.Train or Test is missing or empty", task)
	}
	if s.Batch < 1 || s.Updates < 1 {
		return errors.Errorf("notebooks: %s: Batch %d, Updates %d: want one or more", task, s.Batch, s.Updates)
	}
	return errors.WithMessagef(s.Inference.Validate(), "notebooks: %s", task)
}

// weightStream is the second half of the seed of initial weights.
const weightStream = 1

// model draws weights from the seed and compiles the network, for training batches.
func (s *Setup) model(net *arch.Network, plan arch.Plan) (*arch.Model[float32], error) {
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(s.Seed, weightStream)))
	if err != nil {
		return nil, err
	}
	plan.Batch = s.Batch
	return arch.Compile(net, w, plan)
}

// chain is model of a network of relu layers with biases.
func (s *Setup) chain(plan arch.Plan, widths ...int) (*arch.Model[float32], error) {
	net, err := arch.MLP(nil, layers.ReLU, widths...)
	if err != nil {
		return nil, err
	}
	return s.model(net, plan)
}

// testBatch is how many samples are inferred at a time where nothing is learned.
const testBatch = 500

// reader compiles a network again over the same weights, for batches of test samples.
func (s *Setup) reader(net *arch.Network, w *graph.Vector[float32], plan arch.Plan) (*arch.Model[float32], error) {
	plan.Batch = min(testBatch, s.Test.Len())
	return arch.Compile(net, w, plan)
}

// pc is the rule of predictive coding by the setup's inference.
func (s *Setup) pc(m *arch.Model[float32]) *train.PC[float32] {
	solver, stop := s.Inference.New()
	return &train.PC[float32]{Model: m, Solver: solver, Stop: stop}
}

// trainer trains models by a rule with Adam, and evaluates if graded.
func (s *Setup) trainer(rule train.Rule[float32], graded bool, models ...*arch.Model[float32]) *train.Trainer[float32] {
	var spans []optim.Span
	for _, m := range models {
		spans = append(spans, train.InWhole(m.Weights(), train.AdamSpans(m.Network(), m.Weights()))...)
	}
	t := &train.Trainer[float32]{Rule: rule, Optimizer: &optim.AdamW[float32]{Rate: s.Rate, Spans: spans}, Train: s.Train,
		Batch: s.Batch, Epochs: 1 + s.Updates*s.Batch/s.Train.Len(), MaxSteps: s.Updates, Seed: s.Seed, EvalEvery: s.EvalEvery}
	if graded {
		t.Test = s.Test
	}
	return t
}

// learn runs a trainer with the setup's callbacks. watch, if not nil, is called after every update.
func (s *Setup) learn(ctx context.Context, t *train.Trainer[float32], watch func(step int) error) (l Learned, err error) {
	var failed error // of OnEval
	t.OnEval = func(e train.Eval) {
		if s.OnEval != nil {
			failed = cmp.Or(failed, s.OnEval(e))
		}
	}
	for step, stopped := range t.Steps(ctx) {
		err = cmp.Or(stopped, failed)
		if err == nil && s.OnStep != nil {
			err = s.OnStep(t.Rule.Subject().Terms, step)
		}
		if err == nil && watch != nil {
			err = watch(step.Step)
		}
		if err != nil {
			break
		}
	}
	l = Learned{Rule: t.Rule, Graded: t.Test != nil, History: t.History()}
	if err = cmp.Or(err, failed); err != nil && !(l.History != nil && l.History.Interrupted) {
		return l, err
	}
	return l, s.end(l)
}

// end calls OnEnd.
func (s *Setup) end(l Learned) error {
	if s.OnEnd == nil {
		return nil
	}
	return s.OnEnd(l)
}

// pictures are the first n test pictures [n, in] and their labels [n, classes].
func (s *Setup) pictures(n int) (x, y []float32) { return firstOf(s.Test, n) }

// firstOf are the first n samples of a set.
func firstOf(set *data.Set, n int) (x, y []float32) {
	n = min(n, set.Len())
	x, y = make([]float32, n*set.In()), make([]float32, n*set.Out())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(set, x, y, idx)
	}
	return x, y
}

// meanPicture is the mean of a set's first pictures.
func meanPicture(set *data.Set) []float32 {
	n := min(5000, set.Len())
	x, _ := firstOf(set, n)
	mean := make([]float32, set.In())
	for i, v := range x {
		mean[i%len(mean)] += v / float32(n)
	}
	return mean
}

// meanSquare is the mean squared difference of two slabs; b may be one sample, which a is compared with sample by sample.
func meanSquare(a, b []float32) float64 {
	sum := 0.
	for i, v := range a {
		d := float64(v - b[i%len(b)])
		sum += d * d
	}
	return sum / float64(len(a))
}

// A Trace is one inference on test samples, point by point.
type Trace struct {
	Name    string
	Terms   []string // names of the energies of Moments
	Moments []analysis.Moment
	Timed   bool    // by time; otherwise by steps
	Trained float64 // the time, or the step, at which training ends inference
}

// At is a moment's time or step.
func (t Trace) At(m analysis.Moment) float64 {
	if t.Timed {
		return m.Time
	}
	return float64(m.Step)
}

// End is the moment at which training ends inference.
func (t Trace) End() (m analysis.Moment, ok bool) {
	for _, m = range t.Moments {
		if t.At(m) >= t.Trained {
			return m, true
		}
	}
	return m, false
}

// trace infers one batch, beginning at a start, by the setup's inference: for so many times longer, and where steps are adaptive by
// finer ones.
func (s *Setup) trace(name string, m *arch.Model[float32], start train.Start[float32], x, y []float32, longer int) (Trace, error) {
	if err := m.Clamp(x, y); err != nil {
		return Trace{}, err
	}
	if err := start.Begin(m, x, y); err != nil {
		return Trace{}, err
	}
	t := Trace{Name: name, Terms: m.Terms(), Timed: s.Inference.Solver != SGD, Trained: s.Inference.Time}
	solver, stop := s.Inference.New()
	if f, ok := solver.(*infer.Flow[float32]); ok {
		f.Horizon *= float64(longer)
		if f.Method != ode.Euler {
			f.Method, f.Control = ode.Bosh3, ode.PID{RTol: 1e-4, ATol: 1e-5}
		}
	} else {
		t.Trained = float64(s.Inference.Steps)
		stop = infer.Steps(s.Inference.Steps*longer + 1) // one more: the limit comes before the evaluation
	}
	var err error
	t.Moments, _, err = analysis.Trace(m, solver, stop)
	return t, err
}

// Digits are pictures that a generator makes of labels, and labels that were found for pictures.
type Digits struct {
	OfLabels []float32 // what the generator makes of each label [classes, pixels]
	Pictures []float32 // the first test pictures [n, pixels]
	Found    []int     // the labels found for them [n]
	OfFound  []float32 // what the generator makes of the labels as they were found, numbers for every class [n, pixels]
}

// digits asks a generator for pictures and labels for the first test pictures.
func (s *Setup) digits(generator *arch.Model[float32], labels func(x []float32) ([]float32, error)) (d Digits, err error) {
	classes := s.Train.Out()
	all := make([]float32, classes*classes)
	for k := range classes {
		all[k*classes+k] = 1
	}
	if d.OfLabels, err = generator.Predict(all); err != nil {
		return d, err
	}
	d.Pictures, _ = s.pictures(classes)
	found, err := labels(d.Pictures)
	if err != nil {
		return d, err
	}
	for i := 0; i < len(found); i += classes {
		d.Found = append(d.Found, train.Largest(found[i:i+classes]))
	}
	d.OfFound, err = generator.Predict(found)
	return d, err
}
