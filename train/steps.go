package train

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
)

// A Step is one training step. Its slices are the trainer's memory and change with the next step.
type Step[T graph.Float] struct {
	Report
	Step, Total int       // number of the step, counted from 1, and how many there will be
	Epoch       int       // counted from 0
	Samples     int       // in the batch
	Terms       []float64 // energies by term, in the order of Subject.Terms
	Rate        float64   // of the optimiser, as the weights moved by it; 0 if it is no optim.Rater
	Elapsed     time.Duration

	X, Y    []T // the batch, [Samples, in] and [Samples, out]
	Grad    []T // gradient with respect to the weights; after the step an optimiser such as optim.Clip may have changed it
	Weights []T // of the rule: in OnGradient those before the step, otherwise those after it

	norm float64 // of the gradient before the optimiser changed it; NaN if Grad is as it was
}

// GradNorm is the l2 norm of the gradient as the rule computed it, before an optim.Clip or another optimiser that changes
// gradients (optim.Clip.Factor says by how much). Of a rule that makes several steps in a batch it is that of the last one.
// Where the energy is multiplied by a precision, so is its gradient: see Report.
func (s Step[T]) GradNorm() float64 {
	if s.norm == s.norm {
		return s.norm
	}
	return optim.Norm(s.Grad)
}

// WeightNorm is the l2 norm of the weights, computed when asked for.
func (s Step[T]) WeightNorm() float64 { return optim.Norm(s.Weights) }

// Steps trains like Run, and yields every step when it has been made, before the evaluation and the checkpoint that are due
// after it:
//
//	for step, err := range trainer.Steps(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(step.Step, step.Loss)
//	}
//
// An error is yielded once, as the last value. It is one of Run, or that of ctx if ctx ends before the training does: then the
// checkpoint has been written. A batch that Divergence leaves out is not yielded, and neither is a divergence that RecordAndStop
// records: History has both. Leaving the loop early is like the end of the process after that step: nothing more is evaluated
// and the checkpoint is that of the last time that it was written. OnStep is for Run; the other callbacks are called.
//
// Every range over the sequence is a training of its own, from the weights as they are or from the checkpoint.
func (t *Trainer[T]) Steps(ctx context.Context) iter.Seq2[Step[T], error] {
	return t.steps(ctx, new(*History))
}

// steps is Steps, and sets h to the history once there is one.
func (t *Trainer[T]) steps(ctx context.Context, h **History) iter.Seq2[Step[T], error] {
	return func(yield func(Step[T], error) bool) {
		err := t.train(ctx, h, yield)
		if err != nil && !errors.Is(err, errLeft) {
			yield(Step[T]{}, err)
		}
	}
}

// errLeft ends a training whose steps are no longer ranged over.
var errLeft = errors.New("train: the loop over Steps has been left")

// History returns the record of the current training, or of the last one; nil before the first. It must not be called while
// another goroutine trains.
func (t *Trainer[T]) History() *History { return t.history }

// train checks the settings, opens the checkpoint and makes all steps.
func (t *Trainer[T]) train(ctx context.Context, history **History, yield func(Step[T], error) bool) error {
	if ctx == nil {
		return errors.New("train: Run without a context: give context.Background()")
	}
	if err := t.Validate(); err != nil {
		return err
	}
	if !t.running.CompareAndSwap(false, true) {
		return errors.New("train: give each goroutine a Trainer, rule, models and optimiser of its own: this Trainer is running")
	}
	defer t.running.Store(false)
	t.history, t.average, t.best = nil, nil, nil
	total, err := t.total()
	if err != nil {
		return err
	}
	if err := t.predicts(); err != nil {
		return err
	}
	lock, err := t.lock()
	if err != nil {
		return err
	}
	defer lock.Release()
	if w := t.Rule.Subject().Weights.Data(); t.WeightAverage > 0 {
		t.average = slices.Clone(w)
	}
	if w := t.Rule.Subject().Weights.Data(); t.EarlyStop.Patience > 0 {
		t.best = slices.Clone(w)
	}
	schedule, restore := t.schedule()
	defer restore()
	saver, h, err := t.open(total, &History{Rest: Rest{Statuses: make(map[infer.Status]int)}})
	if err != nil {
		return err
	}
	if h.Steps > total {
		return errors.Errorf("train: checkpoint %s: the training has made %d steps, and %d are asked for: remove the file to begin anew, or give more Epochs or MaxSteps", t.Checkpoint.File, h.Steps, total)
	}
	t.history, *history = h, h
	r := newRun(t, h, total, saver, yield)
	r.schedule = schedule
	err = r.steps(ctx)
	var diverged *DivergenceError
	if t.Divergence == RecordAndStop && errors.As(err, &diverged) {
		h.Diverged, err = diverged, nil
	}
	switch {
	case err == nil && h.Interrupted:
		err = ctx.Err()
	case err == nil && h.Best > 0 && h.Diverged == nil:
		w := t.Rule.Subject().Weights
		copy(w.Data(), t.best)
		w.Touch()
	}
	return err
}

// total is how many steps there are in all.
func (t *Trainer[T]) total() (int, error) {
	if t.Feed != nil {
		return t.MaxSteps, nil
	}
	batches := t.batches()
	if err := batches.Validate(); err != nil {
		return 0, err
	}
	if total := t.Epochs * batches.Steps(); t.MaxSteps == 0 || t.Epochs > 0 && total < t.MaxSteps {
		return total, nil
	}
	return t.MaxSteps, nil
}

// batches are those of Train.
func (t *Trainer[T]) batches() data.Batches {
	return data.Batches{N: t.Train.Len(), Size: min(t.Batch, t.Train.Len()), Seed: t.Seed, DropLast: t.DropLast}
}

// order yields the epoch and the samples of every batch, beginning after so many, without end. Of a Feed it knows no samples.
func (t *Trainer[T]) order(done int) iter.Seq2[int, []int] {
	return func(yield func(int, []int) bool) {
		for t.Feed != nil {
			if !yield(0, nil) {
				return
			}
		}
		batches := t.batches()
		from := done % batches.Steps()
		for epoch := done / batches.Steps(); ; epoch++ {
			for _, idx := range batches.Epoch(epoch, from) {
				if !yield(epoch, idx) {
					return
				}
			}
			from = 0
		}
	}
}

// A run is one training under way.
type run[T graph.Float] struct {
	*Trainer[T]
	h     *History
	total int
	saver *checkpointer[T]
	yield func(Step[T], error) bool
	stepper[T]
	schedule *scheduler // nil: the rate stays
	rate     *float64   // of the optimiser; nil: not known

	now        Step[T]   // the step under way
	set        *data.Set // Train as it is in this epoch
	xMem, yMem []T
}

func newRun[T graph.Float](t *Trainer[T], h *History, total int, saver *checkpointer[T], yield func(Step[T], error) bool) *run[T] {
	r := &run[T]{Trainer: t, h: h, total: total, saver: saver, yield: yield, stepper: newStepper(t.Rule, t.Optimizer), rate: rateOf(t.Optimizer)}
	r.now = Step[T]{Total: total, Terms: make([]float64, len(r.subject.Terms)), Grad: r.grad, Weights: r.subject.Weights.Data(), norm: math.NaN()}
	if t.OnGradient != nil {
		r.look = r.beforeStep
	}
	if t.Feed == nil {
		n := t.batches().Size
		r.xMem, r.yMem = make([]T, n*t.Train.In()), make([]T, n*t.Train.Out())
		r.set, r.now.Epoch = t.Train, -1
	}
	return r
}

// beforeStep calls OnGradient.
func (r *run[T]) beforeStep(seen Report) error {
	s := r.now
	s.Report, s.Elapsed = seen, r.h.Elapsed
	r.subject.TermEnergies(s.Terms)
	return r.OnGradient(s)
}

// steps makes the steps that are left, evaluates and writes checkpoints.
func (r *run[T]) steps(ctx context.Context) error {
	h, steps, evals := r.h, r.h.Steps, len(r.h.Evals)
	if err := r.evaluate(ctx); err != nil { // if the training ended just before
		return err
	}
	if h.Steps < r.total && !h.Interrupted && !h.Stopped {
		for epoch, idx := range r.order(h.Steps) {
			if ctx.Err() != nil {
				h.Interrupted = true
				break
			}
			if err := r.one(epoch, idx); err != nil {
				return err
			}
			if err := r.evaluate(ctx); err != nil {
				return err
			}
			if h.Interrupted || h.Stopped || h.Steps == r.total {
				break
			}
			if r.saver.due(h.Steps) {
				if err := r.saver.save(h); err != nil {
					return atStep(err, h.Steps, epoch)
				}
			}
		}
	}
	if h.Steps == steps && len(h.Evals) == evals { // the file has it
		return nil
	}
	return atStep(r.saver.save(h), h.Steps, r.now.Epoch)
}

// one makes one step.
func (r *run[T]) one(epoch int, idx []int) error {
	h, start := r.h, time.Now()
	if err := r.load(epoch, idx); err != nil {
		return err
	}
	if err := r.schedule.set(r.now.Step, r.total); err != nil {
		return err
	}
	if r.rate != nil {
		r.now.Rate = *r.rate
	}
	report, err := r.learn(r.now.X, r.now.Y, r.now.Samples)
	var diverged *DivergenceError
	skip := errors.As(atStep(err, r.now.Step, epoch), &diverged) && r.Divergence == SkipBatch && !diverged.Weights
	if err != nil && !skip {
		return errors.WithMessagef(err, "train: step %d (epoch %d)", r.now.Step, epoch)
	}
	h.Elapsed += time.Since(start)
	h.Steps++
	h.Rest.add(report.Inference)
	if skip {
		h.Skipped++
		if h.Skipped == r.total {
			return errors.WithMessagef(err, "train: all %d batches were left out, the last one for", r.total)
		}
		if r.OnSkip != nil {
			r.OnSkip(h.Steps, err)
		}
	} else {
		if r.average != nil {
			averageWeights(r.average, r.subject.Weights.Data(), r.WeightAverage, h.Steps-h.Skipped)
		}
		s := r.now
		s.Report, s.Elapsed, s.norm = report, h.Elapsed, r.norm
		r.subject.TermEnergies(s.Terms)
		if !r.yield(s, nil) {
			return errLeft
		}
	}
	w := r.subject.Weights
	if i := kernel.FirstNonFinite(w.Data()); h.Steps == r.total && i >= 0 { // the next step would have found it
		return errors.WithMessagef(&DivergenceError{Step: h.Steps, Epoch: epoch, Where: weightIs(w, i), Weights: true}, "train: after step %d (epoch %d)", h.Steps, epoch)
	}
	return nil
}

// load sets X and Y to the next batch.
func (r *run[T]) load(epoch int, idx []int) error {
	s := &r.now
	s.Step = r.h.Steps + 1
	if r.Feed != nil {
		in, out := r.subject.In, r.subject.Out
		s.X, s.Y = r.Feed(s.Step)
		if s.Samples = len(s.X) / max(in, 1); in == 0 {
			s.Samples = len(s.Y) / max(out, 1)
		}
		if s.Samples == 0 || len(s.X) != s.Samples*in || len(s.Y) != s.Samples*out {
			return errors.Errorf("train: step %d: Feed gave %d inputs and %d targets: want those of one sample or more, of %d and %d numbers", s.Step, len(s.X), len(s.Y), in, out)
		}
		return nil
	}
	if s.Epoch != epoch {
		s.Epoch, r.set = epoch, r.Train.AtEpoch(epoch)
	}
	s.Samples = len(idx)
	s.X, s.Y = r.xMem[:len(idx)*r.Train.In()], r.yMem[:len(idx)*r.Train.Out()]
	data.Fill(r.set, s.X, s.Y, idx)
	if r.LabelSmoothing > 0 {
		smooth(s.Y, r.Train.Classes(), r.LabelSmoothing)
	}
	return nil
}

// evaluate scores the rule on Test, and on what an EarlyStop looks at, if that is due after the steps made and has not been done.
func (r *run[T]) evaluate(ctx context.Context) error {
	h := r.h
	due := h.Steps == r.total || r.EvalEvery > 0 && h.Steps > 0 && h.Steps%r.EvalEvery == 0
	if r.stopSet() == nil || !due || len(h.Evals) > 0 && h.Last().Step == h.Steps {
		return nil
	}
	if ctx.Err() != nil {
		h.Interrupted = true
		return nil
	}
	e, err := r.scores()
	if err != nil {
		epoch := 0
		if r.Feed == nil {
			epoch = max(0, h.Steps-1) / r.batches().Steps()
		}
		return atStep(err, h.Steps, epoch)
	}
	h.Evals = append(h.Evals, e)
	if r.judge(h) {
		copy(r.best, r.subject.Weights.Data())
	}
	if r.OnEval != nil {
		r.OnEval(h.Last())
	}
	return nil
}

// scores evaluates all that is to be evaluated. Without a Test the Score is that of the EarlyStop.
func (r *run[T]) scores() (e Eval, err error) {
	e = Eval{Step: r.h.Steps, Elapsed: r.h.Elapsed}
	score := func(set *data.Set) (s Score) {
		if err == nil {
			s, err = Evaluate(r.subject.Predict, set)
		}
		return s
	}
	if on := r.stopSet(); on != r.Test {
		s := score(on)
		e.Stop, e.Score = &s, s
	}
	if r.Test == nil {
		return e, err
	}
	e.Score = score(r.Test)
	if r.average != nil && err == nil {
		err = r.UseAverage(func() error {
			s := score(r.Test)
			e.Averaged = &s
			return errors.WithMessage(err, "the averaged weights")
		})
	}
	return e, err
}

// A stepper turns batches into steps: nothing else moves the weights of a rule by an optimiser.
type stepper[T graph.Float] struct {
	rule    Rule[T]
	subject Subject[T]
	update  Update[T]
	grad    []T
	changes bool               // the optimiser may change grad
	norm    float64            // of the last gradient; NaN if grad is as it was
	look    func(Report) error // called with every gradient before the step; may be nil
}

func newStepper[T graph.Float](rule Rule[T], o optim.Optimizer[T]) stepper[T] {
	subject := rule.Subject()
	return stepper[T]{rule: rule, subject: subject, update: Update[T]{Optimizer: o}, grad: make([]T, len(subject.Weights.Data())), changes: optim.ChangesGradient(o), norm: math.NaN()}
}

// learn turns a batch into one step, or into several if the rule is a Learner.
func (s *stepper[T]) learn(x, y []T, batch int) (r Report, err error) {
	if l, ok := s.rule.(Learner[T]); ok {
		r, err = l.Learn(s.grad, x, y, batch, s.step)
		if err == nil && r.Inference.Status == infer.Diverged {
			err = s.finite(r)
		}
	} else if r, err = s.rule.Gradient(s.grad, x, y, batch); err == nil {
		err = s.step(r)
	}
	if errors.Is(err, ode.ErrUnderflow) {
		err = &DivergenceError{Where: err.Error()}
	}
	return r, err
}

// step moves the weights by the gradient, if all is finite.
func (s *stepper[T]) step(r Report) error {
	if s.look != nil {
		if err := s.look(r); err != nil {
			return err
		}
	}
	if err := s.finite(r); err != nil {
		return err
	}
	if s.changes {
		s.norm = optim.Norm(s.grad)
	}
	s.update.Step(s.subject.Weights, s.grad)
	return nil
}

// finite turns numbers that are not finite into a DivergenceError.
func (s *stepper[T]) finite(r Report) error {
	diverged := r.Inference.Status == infer.Diverged
	if !diverged && r.Energy-r.Energy == 0 && s.update.Finite(s.grad) {
		return nil
	}
	w := s.subject.Weights
	if i := kernel.FirstNonFinite(w.Data()); i >= 0 {
		return &DivergenceError{Where: weightIs(w, i), Weights: true}
	}
	if diverged {
		return InferenceDiverged(r.Inference)
	}
	if r.Energy-r.Energy != 0 {
		return &DivergenceError{Where: fmt.Sprintf("energy is %v, first seen in %s", r.Energy, s.subject.Locate())}
	}
	i := kernel.FirstNonFinite(s.grad)
	return &DivergenceError{Where: fmt.Sprintf("energy is %v, but the gradient of weight %s is %v", r.Energy, w.Where(i), s.grad[i])}
}

// weightIs says what weight i is.
func weightIs[T graph.Float](w *graph.Vector[T], i int) string {
	return fmt.Sprintf("weight %s is %v", w.Where(i), w.Data()[i])
}
