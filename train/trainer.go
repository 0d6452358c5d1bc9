package train

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
)

// A Trainer runs a rule over a data set and an optimiser over the rule's gradients. It does not know which rule it has.
// The order of the samples depends on Seed alone; the last, smaller batch of an epoch is used like any other.
type Trainer[T graph.Float] struct {
	Rule      Rule[T]
	Optimizer optim.Optimizer[T]
	Train     *data.Set
	Test      *data.Set // nil: never evaluated
	Batch     int
	Epochs    int // passes over Train
	Steps     int // stops after that many steps in all; 0: no such limit
	Seed      uint64
	EvalEvery int // evaluates on Test every that many steps, and at the end; 0: at the end only

	Divergence Divergence // what becomes of a batch whose numbers go wrong
	Checkpoint Checkpoint // where the training is kept, and gone on with if it is there; the zero value: nowhere

	OnStep func(Step[T])             // called after every step; may be nil
	OnEval func(Eval)                // called after every evaluation; may be nil
	OnSkip func(step int, why error) // called after every batch that is left out, with a *DivergenceError; may be nil

	running atomic.Bool
}

// A Step is what one training step was like. Slices are the trainer's memory, valid during the call.
type Step[T graph.Float] struct {
	Report
	Step, Total int       // counted from 1, of so many
	Epoch       int       // from 0
	Samples     int       // in this batch
	Terms       []float64 // energies by term, in the order of Rule.Terms
	Elapsed     time.Duration

	grad, weights []T
	norm          float64 // of the gradient, where the optimiser may have changed grad; NaN: grad is as it was
}

// GradNorm is the l2 norm of the gradient as the rule computed it, before an optim.Clip or another optimiser that changes
// gradients (optim.Clip.Factor says by how much). Of a rule that makes several steps in a batch it is that of the last one.
// Where the energy is multiplied by a precision, so is its gradient: see Report.
func (s Step[T]) GradNorm() float64 {
	if s.norm == s.norm {
		return s.norm
	}
	return optim.Norm(s.grad)
}

// WeightNorm is the l2 norm of the weights after the step, computed when asked for.
func (s Step[T]) WeightNorm() float64 { return optim.Norm(s.weights) }

// An Eval is an evaluation on the test set.
type Eval struct {
	Step int
	Score
	Elapsed time.Duration // of training so far, evaluations not counted
}

// History is what a run came to.
type History struct {
	Steps       int // batches seen, those left out included
	Skipped     int // batches left out: see Divergence
	Evals       []Eval
	Rest                      // how near to equilibrium the weights learned
	Elapsed     time.Duration // of training, evaluations not counted
	Interrupted bool          // the context was cancelled before the end
}

// Last is the last evaluation.
func (h *History) Last() Eval {
	if len(h.Evals) == 0 {
		return Eval{}
	}
	return h.Evals[len(h.Evals)-1]
}

// Validate reports options that cannot be run: missing parts, numbers out of range, what rule and optimiser report, an optimiser
// that does not fit the weights or is that of the inference too, and sets that do not fit the network.
func (t *Trainer[T]) Validate() error {
	switch {
	case t == nil:
		return errors.New("train: Run or Validate of a nil *Trainer: make one, &train.Trainer[float32]{...}")
	case missing(t.Rule):
		return errors.New("train: Trainer.Rule is missing")
	case missing(t.Optimizer):
		return errors.New("train: Trainer.Optimizer is missing")
	case t.Train == nil || t.Train.Len() == 0:
		return errors.New("train: Trainer.Train is missing or empty")
	case t.Test != nil && t.Test.Len() == 0:
		return errors.New("train: Trainer.Test is empty: leave it nil for no evaluation")
	case t.Batch <= 0:
		return errors.Errorf("train: batch of %d samples: want one or more", t.Batch)
	case t.Epochs <= 0:
		return errors.Errorf("train: %d epochs: want one or more", t.Epochs)
	case t.Steps < 0 || t.EvalEvery < 0:
		return errors.Errorf("train: Steps %d, EvalEvery %d: want zero or more", t.Steps, t.EvalEvery)
	case t.Divergence != StopTraining && t.Divergence != SkipBatch:
		return errors.Errorf("train: unknown Divergence %d: want StopTraining or SkipBatch", int(t.Divergence))
	}
	if err := t.Checkpoint.validate(); err != nil {
		return err
	}
	for _, part := range []any{t.Rule, t.Optimizer} {
		if v, ok := part.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return errors.WithMessage(err, "train")
			}
		}
	}
	if err := t.validateOptimizer(); err != nil {
		return errors.WithMessage(err, "train")
	}
	for _, set := range []*data.Set{t.Train, t.Test} {
		if set == nil {
			continue
		}
		if in, out := t.Rule.Sizes(); in != set.In() || out != set.Out() {
			return errors.Errorf("train: the network has %d inputs and %d outputs, %q has %d inputs and %d outputs: fit the first and last width to the data",
				in, out, set.Name, set.In(), set.Out())
		}
	}
	return nil
}

// validateOptimizer reports an optimiser that does not fit the weights, or moves activities as well.
func (t *Trainer[T]) validateOptimizer() error {
	if err := ownOptimizer(t.Optimizer, t.Rule); err != nil {
		return err
	}
	w := t.Rule.Weights()
	if w == nil {
		return errors.Errorf("the rule, a %T, has no weights: give it a model that Compile returned without an error", t.Rule)
	}
	return optim.Fits(t.Optimizer, len(w.Data()))
}

// Run trains until the end, or until ctx is cancelled: then it finishes the step it is in, evaluates no more and returns
// what it has with Interrupted set and no error. Numbers that go wrong are a DivergenceError that names step and place, unless
// Divergence says to skip the batch; the weights are then those before the step, unless it was the last step itself that
// spoilt them. (A Learner has made steps within the batch: then those before the one that went wrong.)
//
// With a Checkpoint it goes on where the file says, and History and weights are those of the whole training. The file is
// locked meanwhile. A Run of a Trainer that runs already is an error.
func (t *Trainer[T]) Run(ctx context.Context) (_ *History, err error) {
	if ctx == nil {
		return nil, errors.New("train: Run without a context: give context.Background()")
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if !t.running.CompareAndSwap(false, true) {
		return nil, errors.New("train: give each goroutine a Trainer, rule, models and optimiser of its own: this Trainer is running")
	}
	defer t.running.Store(false)
	batches := t.batches()
	if err := batches.Validate(); err != nil {
		return nil, err
	}
	if err := t.predicts(); err != nil {
		return nil, err
	}
	total := t.Epochs * batches.Steps()
	if t.Steps > 0 {
		total = min(total, t.Steps)
	}
	lock, err := t.lock()
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	keep, h, err := t.open(&History{Rest: Rest{Statuses: make(map[infer.Status]int)}})
	if err != nil {
		return nil, err
	}
	if h.Steps > total {
		return nil, errors.Errorf("train: checkpoint %s: the training has made %d steps, and %d are asked for: remove the file to begin anew, or give more Epochs or Steps", t.Checkpoint.File, h.Steps, total)
	}
	steps, evals := h.Steps, len(h.Evals)
	if err := t.run(ctx, h, batches, total, keep); err != nil {
		return h, err
	}
	if h.Steps == steps && len(h.Evals) == evals { // the file has it
		return h, nil
	}
	return h, keep.save(h)
}

// batches are those of Run.
func (t *Trainer[T]) batches() data.Batches {
	return data.Batches{N: t.Train.Len(), Size: min(t.Batch, t.Train.Len()), Seed: t.Seed}
}

// skips reports whether the batch of an error is to be left out.
func (t *Trainer[T]) skips(err error) bool {
	var wrong *DivergenceError
	return t.Divergence == SkipBatch && errors.As(err, &wrong) && !wrong.Weights
}

// run makes the steps that are left.
func (t *Trainer[T]) run(ctx context.Context, h *History, batches data.Batches, total int, keep *keeper[T]) error {
	w := t.Rule.Weights()
	grad := make([]T, len(w.Data()))
	update := &Update[T]{Optimizer: t.Optimizer}
	x, y := make([]T, batches.Size*t.Train.In()), make([]T, batches.Size*t.Train.Out())
	terms := make([]float64, len(t.Rule.Terms()))
	norm, changed := math.NaN(), t.OnStep != nil && changesGradient(t.Optimizer)
	step := func(r Report) error {
		if err := t.finite(update, r, grad); err != nil {
			return err
		}
		if changed {
			norm = optim.Norm(grad)
		}
		update.Step(w, grad)
		return nil
	}
	if err := t.evaluate(ctx, h, total); err != nil || h.Interrupted { // if it was interrupted just before
		return err
	}
	for h.Steps < total {
		epoch := h.Steps / batches.Steps()
		set := t.Train.AtEpoch(epoch)
		for _, idx := range batches.Epoch(epoch, h.Steps%batches.Steps()) {
			if ctx.Err() != nil {
				h.Interrupted = true
				return nil
			}
			if h.Steps == total {
				break
			}
			start := time.Now()
			xs, ys := x[:len(idx)*t.Train.In()], y[:len(idx)*t.Train.Out()]
			data.Fill(set, xs, ys, idx)
			r, err := t.learn(grad, xs, ys, len(idx), step)
			skip := err != nil && t.skips(atStep(err, h.Steps+1, epoch))
			if err != nil && !skip {
				return errors.WithMessagef(err, "train: step %d (epoch %d)", h.Steps+1, epoch)
			}
			h.Elapsed += time.Since(start)
			h.Steps++
			h.Rest.add(r.Inference)
			switch {
			case skip:
				h.Skipped++
				if h.Skipped == total {
					return errors.WithMessagef(err, "train: all %d batches were left out, the last one for", total)
				}
				if t.OnSkip != nil {
					t.OnSkip(h.Steps, err)
				}
			case t.OnStep != nil:
				t.Rule.TermEnergies(terms)
				t.OnStep(Step[T]{Report: r, Step: h.Steps, Total: total, Epoch: epoch, Samples: len(idx), Terms: terms,
					Elapsed: h.Elapsed, grad: grad, weights: w.Data(), norm: norm})
			}
			if i := kernel.FirstNonFinite(w.Data()); h.Steps == total && i >= 0 { // the next step would have found it
				return errors.WithMessagef(&DivergenceError{Step: h.Steps, Epoch: epoch, Where: weightIs(w, i), Weights: true}, "train: after step %d (epoch %d)", h.Steps, epoch)
			}
			if err := t.evaluate(ctx, h, total); err != nil || h.Interrupted {
				return err
			}
			if every := t.Checkpoint.Every; every > 0 && h.Steps%every == 0 && h.Steps < total {
				if err := keep.save(h); err != nil {
					return atStep(err, h.Steps, epoch)
				}
			}
		}
	}
	return nil
}

// evaluate evaluates if it is time, and that has not been done.
func (t *Trainer[T]) evaluate(ctx context.Context, h *History, total int) error {
	due := h.Steps == total || t.EvalEvery > 0 && h.Steps > 0 && h.Steps%t.EvalEvery == 0
	if t.Test == nil || !due || len(h.Evals) > 0 && h.Last().Step == h.Steps {
		return nil
	}
	if ctx.Err() != nil {
		h.Interrupted = true
		return nil
	}
	score, err := Evaluate(t.Rule.Predict, t.Test)
	if err != nil {
		return atStep(err, h.Steps, max(0, h.Steps-1)/t.batches().Steps())
	}
	h.Evals = append(h.Evals, Eval{Step: h.Steps, Score: score, Elapsed: h.Elapsed})
	if t.OnEval != nil {
		t.OnEval(h.Last())
	}
	return nil
}

// predicts reports a rule that cannot predict what Test is to be evaluated on: better now than after the training. It tries
// with one sample, but for a Generator, whose inversion may cost and draw.
func (t *Trainer[T]) predicts() error {
	if t.Test == nil {
		return nil
	}
	if g, is := t.Rule.(*Generator[T]); is && g.Invert != nil {
		return nil
	}
	x := make([]T, t.Test.In())
	data.Fill(t.Test, x, make([]T, t.Test.Out()), []int{0})
	_, err := t.Rule.Predict(x)
	return errors.WithMessage(err, "train: the rule cannot predict, and Test is to be evaluated: leave Test nil, or train by one that can")
}

const remedy = "look at the data, or lower the rates"

// learn turns a batch into one step, or into several if the rule is a Learner.
func (t *Trainer[T]) learn(grad, x, y []T, batch int, step func(Report) error) (r Report, err error) {
	if l, ok := t.Rule.(Learner[T]); ok {
		r, err = l.Learn(grad, x, y, batch, step)
		if err == nil && r.Inference.Status == infer.Diverged {
			err = t.finite(nil, r, grad)
		}
	} else if r, err = t.Rule.Gradient(grad, x, y, batch); err == nil {
		err = step(r)
	}
	if errors.Is(err, ode.ErrUnderflow) {
		err = &DivergenceError{Where: err.Error()}
	}
	return r, err
}

// changesGradient reports whether an optimiser may change the gradient that it is given. Those of package optim but Clip do not.
func changesGradient[T graph.Float](o optim.Optimizer[T]) bool {
	switch o.(type) {
	case *optim.SGD[T], *optim.Momentum[T], *optim.Adam[T], *optim.AdamW[T]:
		return false
	}
	return true
}

// weightIs says what weight i is.
func weightIs[T graph.Float](w *graph.Vector[T], i int) string {
	return fmt.Sprintf("weight %s is %v", w.Where(i), w.Data()[i])
}

// finite turns numbers gone wrong into a DivergenceError.
func (t *Trainer[T]) finite(u *Update[T], r Report, grad []T) error {
	diverged := r.Inference.Status == infer.Diverged
	if !diverged && r.Energy-r.Energy == 0 && u.Finite(grad) {
		return nil
	}
	w := t.Rule.Weights()
	if i := kernel.FirstNonFinite(w.Data()); i >= 0 {
		return &DivergenceError{Where: weightIs(w, i), Weights: true}
	}
	if diverged {
		return inferenceDiverged(r.Inference)
	}
	if r.Energy-r.Energy != 0 {
		return &DivergenceError{Where: fmt.Sprintf("energy is %v, first seen in %s", r.Energy, t.Rule.Locate())}
	}
	i := kernel.FirstNonFinite(grad)
	return &DivergenceError{Where: fmt.Sprintf("energy is %v, but the gradient of weight %s is %v", r.Energy, w.Where(i), grad[i])}
}
