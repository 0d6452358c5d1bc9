package train

import (
	"fmt"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/optim"
)

// A Schedule is the learning rate of a training over its steps, as a factor of the optimiser's own rate: a ConstantRate, StepDecay,
// CosineDecay or WarmUp. A schedule is a value and remembers nothing.
//
// It may have a method Validate() error, which is called before the first step.
type Schedule interface {
	// Factor is what the rate is multiplied by at a step, counted from 1, of total. It is finite and at least 0.
	Factor(step, total int) float64
}

var (
	_ Schedule = ConstantRate{}
	_ Schedule = StepDecay{}
	_ Schedule = CosineDecay{}
	_ Schedule = WarmUp{}
)

// ConstantRate is the optimiser's own rate at every step.
type ConstantRate struct{}

// Factor is 1.
func (ConstantRate) Factor(step, total int) float64 { return 1 }

// StepDecay multiplies the rate by By after every Every steps,
//
//	factor = By^floor((step-1)/Every)
type StepDecay struct {
	Every int     // steps, 1 or more
	By    float64 // above 0
}

// Factor is the formula.
func (s StepDecay) Factor(step, total int) float64 {
	return math.Pow(s.By, float64((step-1)/max(s.Every, 1)))
}

// Validate reports numbers out of range.
func (s StepDecay) Validate() error {
	if s.Every < 1 || !(s.By > 0) || math.IsInf(s.By, 1) {
		return errors.Errorf("StepDecay: Every %d, By %v: want one step or more, and a finite number above 0", s.Every, s.By)
	}
	return nil
}

// CosineDecay lets the rate fall by half a cosine (Loshchilov and Hutter 2017, without restarts),
//
//	factor = To + (From - To) (1 + cos(pi t))/2,   t = (step-1)/total
//
// so that the first step has From, and the step after the last would have To.
type CosineDecay struct {
	From float64 // 0 means 1
	To   float64 // 0: the rate falls to nothing
}

// Factor is the formula.
func (s CosineDecay) Factor(step, total int) float64 {
	from := s.From
	if from == 0 {
		from = 1
	}
	return s.To + (from-s.To)*(1+math.Cos(math.Pi*float64(step-1)/float64(total)))/2
}

// Validate reports numbers out of range.
func (s CosineDecay) Validate() error {
	if !(s.From >= 0 && s.To >= 0) || math.IsInf(s.From, 1) || math.IsInf(s.To, 1) {
		return errors.Errorf("CosineDecay: From %v, To %v: want finite numbers, at least 0", s.From, s.To)
	}
	return nil
}

// WarmUp lets the rate rise linearly over the first steps, W = round(Part total) of them, and goes on with another schedule over the
// others,
//
//	factor = From + (Then(1) - From) (step-1)/W    for step <= W
//	factor = Then(step - W)                        after it, of total - W steps
//
// The schedule of pcx, "linearly from the rate to 1.1 times the rate over a tenth of the steps, then by a cosine to a tenth of the rate", is
//
//	WarmUp{Part: .1, From: 1, Then: CosineDecay{From: 1.1, To: .1}}
//
// as in optax.warmup_cosine_decay_schedule.
type WarmUp struct {
	Part float64  // of all steps, in [0, 1)
	From float64  // at the first step; 0 makes that step in vain
	Then Schedule // nil means ConstantRate
}

// steps is W.
func (s WarmUp) steps(total int) int { return int(math.Round(s.Part * float64(total))) }

// Factor is the formula.
func (s WarmUp) Factor(step, total int) float64 {
	then := s.Then
	if then == nil {
		then = ConstantRate{}
	}
	w := s.steps(total)
	if step > w {
		return then.Factor(step-w, total-w)
	}
	return s.From + (then.Factor(1, max(total-w, 1))-s.From)*float64(step-1)/float64(w)
}

// Validate reports numbers out of range, and what Then reports.
func (s WarmUp) Validate() error {
	if !(s.Part >= 0 && s.Part < 1) || !(s.From >= 0) || math.IsInf(s.From, 1) {
		return errors.Errorf("WarmUp: Part %v, From %v: want a part of all steps in [0, 1), and a finite number, at least 0", s.Part, s.From)
	}
	return errors.WithMessage(validateSchedule(s.Then), "WarmUp: Then")
}

// validateSchedule reports a nil pointer, and what the schedule reports itself.
func validateSchedule(s Schedule) error {
	if err := isNil("Schedule", s); err != nil {
		return err
	}
	if v, is := s.(interface{ Validate() error }); is {
		return v.Validate()
	}
	return nil
}

// describeSchedule says what a schedule is, for the settings of a checkpoint.
func describeSchedule(s Schedule, total int) string {
	return fmt.Sprintf("%s over %d steps", typed(s), total)
}

// A scheduler sets the rate of an optimiser at every step of a training.
type scheduler struct {
	Schedule
	rate *float64 // of the optimiser
	base float64  // as the caller gave it
}

// schedule lends the optimiser's rate to the trainer's Schedule. restore gives it back as it was.
func (t *Trainer[T]) schedule() (s *scheduler, restore func()) {
	if t.Schedule == nil {
		return nil, func() {}
	}
	rate := rateOf(t.Optimizer)
	s = &scheduler{Schedule: t.Schedule, rate: rate, base: *rate}
	return s, func() { *rate = s.base }
}

// set sets the rate of a step.
func (s *scheduler) set(step, total int) error {
	if s == nil {
		return nil
	}
	f := s.Factor(step, total)
	if !(f >= 0) || math.IsInf(f*s.base, 1) {
		return errors.Errorf("train: Schedule: a %T gives a factor of %v at step %d of %d: want a finite number, at least 0", s.Schedule, f, step, total)
	}
	*s.rate = s.base * f
	return nil
}

// rateOf is the rate of an optimiser; nil if it lends none.
func rateOf[T graph.Float](o optim.Optimizer[T]) *float64 {
	if r, is := o.(optim.Rater); is {
		return r.LearningRate()
	}
	return nil
}
