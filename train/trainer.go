package train

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/optim"
)

// A Trainer runs a rule over a data set and an optimiser over the rule's gradients. It does not know which rule it has.
// The order of the samples depends on Seed alone.
type Trainer[T graph.Float] struct {
	Rule      Rule[T]
	Optimizer optim.Optimizer[T]
	Train     *data.Set
	Test      *data.Set // nil: never evaluated
	Batch     int
	DropLast  bool // leaves out the last batch of an epoch if it is smaller than the others
	Epochs    int  // passes over Train; 0: as many as MaxSteps takes
	MaxSteps  int  // stops after that many steps in all; 0: no such limit
	Seed      uint64
	EvalEvery int // evaluates on Test every that many steps, and at the end; 0: at the end only

	// Schedule changes the rate of the optimiser from step to step; nil leaves it as it is, and as OnStep sets it. At every step,
	// of a Learner at all updates of a batch, the rate is what it was before the training times the schedule's factor. After the
	// training it is what it was before.
	Schedule Schedule

	// Feed, if it is set, gives the batch of a step, counted from 1, instead of Train: x [n, in...] and y [n, out...] for any n
	// from 1 on, which are used until the next call. For data that arrive, and for batches of the caller's choice. MaxSteps
	// says how many; Train, Batch, DropLast and Epochs are left out, and every step is of epoch 0. A training that is to go on
	// from a Checkpoint needs a Feed that gives the same batch for the same step.
	Feed func(step int) (x, y []T)

	Divergence Divergence // what becomes of a batch on which numbers are not finite
	Checkpoint Checkpoint // the file in which the training is saved, and from which it goes on if it exists; the zero value: none

	// OnGradient is called with every gradient before the weights move by it: finite or not, and several times in a step if
	// the rule is a Learner. An error ends the training. It may be nil.
	OnGradient func(Step[T]) error
	OnStep     func(Step[T])             // called by Run after every step; may be nil
	OnEval     func(Eval)                // called after every evaluation; may be nil
	OnSkip     func(step int, why error) // called after every batch that is left out, with a *DivergenceError; may be nil

	running atomic.Bool
	history *History
}

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

	// Diverged says at which step and place the training ended under RecordAndStop; nil if it did not diverge.
	Diverged *DivergenceError
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
	case Missing(t.Rule):
		return errors.New("train: Trainer.Rule is missing")
	case Missing(t.Optimizer):
		return errors.New("train: Trainer.Optimizer is missing")
	case t.Feed != nil && (t.Train != nil || t.Batch != 0 || t.Epochs != 0 || t.DropLast || t.MaxSteps <= 0):
		return errors.New("train: Trainer.Feed gives MaxSteps batches: set MaxSteps, and leave out Train, Batch, DropLast and Epochs")
	case t.Feed == nil && (t.Train == nil || t.Train.Len() == 0):
		return errors.New("train: Trainer.Train is missing or empty")
	case t.Test != nil && t.Test.Len() == 0:
		return errors.New("train: Trainer.Test is empty: leave it nil for no evaluation")
	case t.MaxSteps < 0 || t.EvalEvery < 0:
		return errors.Errorf("train: MaxSteps %d, EvalEvery %d: want zero or more", t.MaxSteps, t.EvalEvery)
	case t.Feed == nil && t.Batch <= 0:
		return errors.Errorf("train: batch of %d samples: want one or more", t.Batch)
	case t.Epochs < 0 || t.Epochs == 0 && t.MaxSteps == 0:
		return errors.Errorf("train: %d epochs: want one or more, or MaxSteps", t.Epochs)
	case t.Divergence < StopTraining || t.Divergence > RecordAndStop:
		return errors.Errorf("train: unknown Divergence %d: want StopTraining, SkipBatch or RecordAndStop", int(t.Divergence))
	}
	if err := cmp.Or(t.Checkpoint.validate(), errors.WithMessage(validateSchedule(t.Schedule), "train")); err != nil {
		return err
	}
	for _, part := range []any{t.Rule, t.Optimizer} {
		if v, ok := part.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return errors.WithMessage(err, "train")
			}
		}
	}
	if t.Schedule != nil && rateOf(t.Optimizer) == nil {
		return errors.Errorf("train: Schedule: the rate of a %T cannot be set: it is no optim.Rater; leave Schedule nil, or give it a LearningRate", t.Optimizer)
	}
	subject := t.Rule.Subject()
	if subject.Weights == nil {
		return errors.Errorf("train: the rule, a %T, has no weights: give it a model that Compile returned without an error", t.Rule)
	}
	if err := cmp.Or(notShared(t.Optimizer, subject.Solver), optim.Fits(t.Optimizer, len(subject.Weights.Data()))); err != nil {
		return errors.WithMessage(err, "train")
	}
	for _, set := range []*data.Set{t.Train, t.Test} {
		if set == nil {
			continue
		}
		if in, out := subject.In, subject.Out; in != set.In() || out != set.Out() {
			return errors.Errorf("train: the network has %d inputs and %d outputs, %q has %d inputs and %d outputs: fit the first and last width to the data",
				in, out, set.Name, set.In(), set.Out())
		}
	}
	return nil
}

// Run trains until the end, or until ctx is cancelled: then it finishes the step it is in, evaluates no more and returns
// what it has with Interrupted set and no error. Numbers that are not finite are a DivergenceError that names step and place,
// unless Divergence says otherwise; the weights are then those before the step, unless it was the last step itself that
// made them so. (A Learner has made steps within the batch: then those before the one that went wrong.)
//
// With a Checkpoint it goes on where the file says, and History and weights are those of the whole training. The file is
// locked meanwhile. A Run of a Trainer that runs already is an error.
//
// Run is a loop over Steps that calls OnStep; range over them yourself for whatever else a step is to do.
func (t *Trainer[T]) Run(ctx context.Context) (*History, error) {
	var h *History
	for step, err := range t.steps(ctx, &h) {
		if err != nil {
			if h != nil && h.Interrupted && errors.Is(err, ctx.Err()) {
				err = nil
			}
			return h, err
		}
		if t.OnStep != nil {
			t.OnStep(step)
		}
	}
	return h, nil
}

// predicts reports a rule that cannot predict what Test is to be evaluated on: better now than after the training. It tries
// with one sample, unless the rule is a Prober.
func (t *Trainer[T]) predicts() error {
	if t.Test == nil {
		return nil
	}
	var err error
	if p, is := t.Rule.(Prober); is {
		err = p.Probe()
	} else {
		x := make([]T, t.Test.In())
		data.Fill(t.Test, x, make([]T, t.Test.Out()), []int{0})
		_, err = t.Rule.Subject().Predict(x)
	}
	return errors.WithMessage(err, "train: the rule cannot predict, and Test is to be evaluated: leave Test nil, or train by one that can")
}
