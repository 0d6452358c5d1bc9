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

	// LabelSmoothing is the part of every one-hot target of Train that is spread over all K classes, y <- (1-s) y + s/K; 0: none. With a
	// cross-entropy it keeps logits finite: the loss is least at log((1-s+s/K)/(s/K)) between the right logit and the others. With a squared
	// error it is the same regression with targets that are shrunk towards 1/K, so that outputs are too: the squared error of
	// evaluations, whose targets stay as they are, grows, and which output is the largest hardly changes.
	LabelSmoothing float64

	// WeightAverage is the decay d of an exponential moving average of the weights, w' <- d w' + (1-d) w after every step, and the mean of
	// all of them while there are fewer than 1/(1-d) (Polyak and Juditsky 1992); 0: none. Training does not depend on it. It is
	// evaluated beside the weights, see Eval.Averaged; UseAverage and AveragedWeights have it.
	WeightAverage float64

	EarlyStop EarlyStop // ends the training when evaluations no longer improve; the zero value: never

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
	average []T // of the weights
	best    []T // the weights of the best evaluation
}

// An Eval is an evaluation on the test set.
type Eval struct {
	Step int
	Score
	Averaged *Score        `json:",omitempty"` // of the averaged weights; nil without WeightAverage
	Stop     *Score        `json:",omitempty"` // on EarlyStop.On; nil without
	Elapsed  time.Duration // of training so far, evaluations not counted
}

// History is what a run came to.
type History struct {
	Steps       int // batches seen, those left out included
	Skipped     int // batches left out: see Divergence
	Evals       []Eval
	Rest                      // how near to equilibrium the weights learned
	Elapsed     time.Duration // of training, evaluations not counted
	Interrupted bool          // the context was cancelled before the end

	// Best is the step of the best evaluation, as an EarlyStop has it: the weights are those after that step once the training has
	// ended. 0 without EarlyStop. Stopped reports whether it ended the training.
	Best    int
	Stopped bool

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
	if !(t.WeightAverage >= 0 && t.WeightAverage < 1) {
		return errors.Errorf("train: WeightAverage is %v: want a decay in [0, 1)", t.WeightAverage)
	}
	if err := cmp.Or(t.Checkpoint.validate(), t.validateStop(), t.validateSmoothing(), errors.WithMessage(validateSchedule(t.Schedule), "train")); err != nil {
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
	for _, set := range []*data.Set{t.Train, t.Test, t.EarlyStop.On} {
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
	set := t.stopSet()
	if set == nil {
		return nil
	}
	var err error
	if p, is := t.Rule.(Prober); is {
		err = p.Probe()
	} else {
		x := make([]T, set.In())
		data.Fill(set, x, make([]T, set.Out()), []int{0})
		_, err = t.Rule.Subject().Predict(x)
	}
	return errors.WithMessage(err, "train: the rule cannot predict, and Test is to be evaluated: leave Test nil, or train by one that can")
}
