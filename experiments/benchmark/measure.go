package benchmark

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// Experiment is the experiment of a table's cells, whose results are kept under the table's name.
func Experiment(name string, cells []Cell) claim.Experiment {
	return claim.Grid("benchmark/"+name, version, func(claim.Scale) []Cell { return cells },
		func(ctx context.Context, c Cell, at *claim.Cell) (Outcome, error) { return c.Measure(ctx, at) })
}

// version is raised when Measure changes what it returns.
const version = 1

const (
	// saveEvery is the time between two writings of a training's checkpoint.
	saveEvery = 30 * time.Second
	// timings is how often in a training a step of backprop is timed beside it.
	timings = 60
)

// validate reports numbers out of range and unknown names.
func (l Learn) validate() error {
	switch l.Optimizer {
	case "", "adam", "adamw", "sgd":
	default:
		return Unknown("optimizer", l.Optimizer, []string{"adam", "adamw", "sgd"})
	}
	switch {
	case l.Schedule != "" && l.Schedule != "constant" && l.Schedule != "warmup-cosine":
		return Unknown("schedule", l.Schedule, []string{"constant", "warmup-cosine"})
	case !(l.LR > 0) || math.IsInf(l.LR, 1):
		return errors.Errorf("learn: lr is %g: want a number above 0", l.LR)
	case l.Decay != 0 && l.Optimizer != "adamw":
		return errors.New("learn: decay is for the optimizer adamw: leave it out, or choose that")
	case !(l.Decay >= 0) || math.IsInf(l.Decay, 1):
		return errors.Errorf("learn: decay is %g: want a number of 0 or more", l.Decay)
	case l.Batch < 1 || l.Epochs < 1 || l.Limit < 0:
		return errors.Errorf("learn: batch %d, epochs %d, limit %d: want 1, 1 and 0 or more", l.Batch, l.Epochs, l.Limit)
	}
	return nil
}

// adamEps is the epsilon of Adam and AdamW at an output precision of 1.
const adamEps = 1e-8

// optimizer is that of the weights, for gradients that have the factor precision, 0 for 1.
func (l Learn) optimizer(net *arch.Network, w *graph.Vector[float32], precision float64) optim.Optimizer[float32] {
	eps := adamEps
	if precision != 0 {
		eps *= precision
	}
	switch l.Optimizer {
	case "adamw":
		return &optim.AdamW[float32]{Rate: l.LR, Decay: l.Decay, Eps: eps, Spans: train.AdamSpans(net, w)}
	case "sgd":
		return &optim.SGD[float32]{Rate: l.LR, Spans: train.SGDSpans(net, w)}
	}
	return &optim.Adam[float32]{Rate: l.LR, Eps: eps, Spans: train.AdamSpans(net, w)}
}

// schedule is that of the rate.
func (l Learn) schedule() train.Schedule {
	if l.Schedule == "warmup-cosine" { // arXiv 2407.01163's, by its repository
		return train.WarmUp{Part: .1, From: 1, Then: train.CosineDecay{From: 1.1, To: .1}}
	}
	return nil
}

// Measure trains the cell and evaluates it after every epoch. With a folder of the cell's own it goes on where it was interrupted.
func (c Cell) Measure(ctx context.Context, at *claim.Cell) (Outcome, error) {
	if err := c.settings(); err != nil {
		return Outcome{}, errors.WithMessagef(err, "row %s", c.Row)
	}
	training, test, err := c.Data.load(c.Seed)
	if err != nil {
		return Outcome{}, errors.WithMessagef(err, "row %s", c.Row)
	}
	if err := c.fits(training); err != nil {
		return Outcome{}, errors.WithMessagef(err, "row %s", c.Row)
	}
	batch := min(c.Learn.Batch, training.Len())
	if n := test.Len() / batch * batch; c.Learn.DropLast && n > 0 {
		test = test.Slice(0, n)
	}
	t, err := c.training(training, batch)
	if err != nil {
		return Outcome{}, errors.WithMessagef(err, "row %s", c.Row)
	}
	defer t.stop()
	folder, err := at.Folder()
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Weights: len(t.w.Data())}
	if out.CosineStart, err = t.cosine(); err != nil {
		return Outcome{}, err
	}
	trainer := &train.Trainer[float32]{
		Rule: t.rule, Optimizer: t.optimizer, Train: training, Test: test, Batch: batch, DropLast: c.Learn.DropLast, Epochs: c.Learn.Epochs,
		MaxSteps: c.Learn.Limit, Schedule: c.Learn.schedule(), Seed: c.Seed, EvalEvery: t.perEpoch, Divergence: train.RecordAndStop,
		OnStep: func(s train.Step[float32]) {
			t.time(s)
			at.Progress(s.Step, s.Total)
		},
	}
	if folder != "" {
		trainer.Checkpoint = train.Checkpoint{File: filepath.Join(folder, "training.safetensors"), Interval: saveEvery}
	}
	h, err := trainer.Run(ctx)
	if err == nil && h.Interrupted {
		err = ctx.Err()
	}
	if err == nil {
		err = t.failed
	}
	if err != nil {
		return Outcome{}, err
	}
	out.read(h, test)
	if h.Diverged != nil {
		out.Diverged = h.Diverged.Error()
		out.CosineEnd = claim.Nullable(math.NaN())
	} else if out.CosineEnd, err = t.cosine(); err != nil {
		return Outcome{}, err
	}
	if out.Step = h.Elapsed.Seconds() / float64(max(1, h.Steps)); t.timed > 0 {
		out.BPStep = t.bpSeconds / float64(t.timed)
	}
	return out, nil
}

// read takes over the history.
func (o *Outcome) read(h *train.History, test *data.Set) {
	for _, e := range h.Evals {
		o.Steps, o.Seconds = append(o.Steps, e.Step), append(o.Seconds, e.Elapsed.Seconds())
		o.Loss = append(o.Loss, nullable(e.Loss))
		if test.Classes() > 0 {
			o.Accuracy = append(o.Accuracy, nullable(e.Accuracy))
		}
		if len(test.OutShape()) > 1 {
			o.Entropy = append(o.Entropy, nullable(e.CrossEntropy))
		}
	}
	o.Batches, o.Evaluations, o.Measured, o.Far = h.Steps, h.Evaluations, h.Measured, h.Far
	o.Residual, o.Left = nullable(h.Residual), nullable(h.Left)
	if h.Measured == 0 {
		o.Residual, o.Left = claim.Nullable(math.NaN()), claim.Nullable(math.NaN())
	}
}

// A training is the parts of one under way, with backprop of the same network beside it.
type training struct {
	w         *graph.Vector[float32]
	rule      train.Rule[float32]
	bp        *train.Backprop[float32] // over the same weights
	optimizer optim.Optimizer[float32]
	perEpoch  int
	total     int
	set       *data.Set
	batch     int
	g, want   []float32

	twin      func() (train.Step[float32], error, bool) // a step of backprop from the same start, on weights of its own
	stop      func()
	timed     int
	bpSeconds float64
	failed    error
}

// training compiles the network for the rule and for backprop.
func (c Cell) training(set *data.Set, batch int) (*training, error) {
	net, err := c.Net.network(set)
	if err != nil {
		return nil, err
	}
	batches := data.Batches{N: set.Len(), Size: batch, DropLast: c.Learn.DropLast}
	t := &training{perEpoch: max(1, batches.Steps()), set: set, batch: batch}
	t.total = t.perEpoch * c.Learn.Epochs
	if c.Learn.Limit > 0 {
		t.total = min(t.total, c.Learn.Limit)
	}
	if t.w, t.bp, err = c.backprop(net, batch); err != nil {
		return nil, err
	}
	m, err := c.compile(net, t.w, batch)
	if err != nil {
		return nil, err
	}
	if t.rule, err = c.rule(m, t.perEpoch); err != nil {
		return nil, err
	}
	w, bp, err := c.backprop(net, batch)
	if err != nil {
		return nil, err
	}
	t.optimizer = c.Learn.optimizer(net, t.w, c.Rule.Precision)
	twin := &train.Trainer[float32]{Rule: bp, Optimizer: c.Learn.optimizer(net, w, 0), Train: set, Batch: batch, DropLast: c.Learn.DropLast, MaxSteps: 2 * (timings + 2),
		Seed: c.Seed, Divergence: train.RecordAndStop}
	t.twin, t.stop = iter.Pull2(twin.Steps(context.Background()))
	t.g, t.want = make([]float32, len(t.w.Data())), make([]float32, len(t.w.Data()))
	return t, nil
}

// backprop draws the weights at which every rule starts, and compiles backprop over them.
func (c Cell) backprop(net *arch.Network, batch int) (*graph.Vector[float32], *train.Backprop[float32], error) {
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(c.Seed, weightStream)))
	if err != nil {
		return nil, nil, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: batch, Energy: c.Rule.energy(0), Coordinates: arch.Feedforward})
	return w, &train.Backprop[float32]{Model: m, Seed: c.Seed}, err
}

// cosine is that of the angle between the rule's weight gradient on the first training batch and backprop's. The rule remembers nothing of it.
func (t *training) cosine() (claim.Nullable, error) {
	x, y := make([]float32, t.batch*t.set.In()), make([]float32, t.batch*t.set.Out())
	for _, idx := range data.InOrder(t.batch, t.batch) {
		data.Fill(t.set, x, y, idx)
	}
	memory := train.RuleMemory(t.rule)
	before, err := memory.MarshalBinary()
	if err != nil {
		return 0, err
	}
	report, err := t.rule.Gradient(t.g, x, y, t.batch)
	if err == nil {
		_, err = t.bp.Gradient(t.want, x, y, t.batch)
	}
	if err != nil {
		return 0, err
	}
	cosine := analysis.Agree(t.g, t.want).Cosine
	if report.Inference.Status == infer.Diverged {
		cosine = math.NaN()
	}
	return nullable(cosine), memory.UnmarshalBinary(before)
}

// time times a step of backprop beside the training, under the load that the machine has at that time. The first of two warms the cache.
func (t *training) time(s train.Step[float32]) {
	if t.failed != nil || s.Step%max(1, t.total/timings) != 0 {
		return
	}
	var passed [2]time.Duration
	for i := range passed {
		step, err, more := t.twin()
		if !more { // it diverged, or has made all its steps
			return
		}
		if err != nil {
			t.failed = err
			return
		}
		passed[i] = step.Elapsed
	}
	t.bpSeconds += (passed[1] - passed[0]).Seconds()
	t.timed++
}

// marshal and unmarshal are the memory of small values.
func marshal(v any) ([]byte, error) { return json.Marshal(v) }

func unmarshal(text []byte, v any) error { return errors.Wrap(json.Unmarshal(text, v), "benchmark") }
