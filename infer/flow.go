package infer

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/infer/ode"
)

// Flow integrates the gradient flow
//
//	dz/dt = -dF_i/dz
//
// to time Horizon with a Runge-Kutta method, and then ends the run by itself as
// TimeLimit, measured at the end point. A rule given to [Run], such as
// [Stationary], may end it earlier:
//
//	solver := &infer.Flow[float32]{
//		Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 20,
//	}
//	result, err := infer.Run(solver, problem, z, infer.Stationary{Tol: 1e-4}, nil)
//
// Time is per sample: papers and libraries that integrate the batch mean quote
// times that are larger by the batch size. A Step of the run is an accepted
// step; those rejected are counted apart. One error norm over the whole slab
// decides for all samples, so it does not matter in how many pieces the energy
// is evaluated.
//
// An adaptive step near equilibrium is bounded by stability, not by accuracy:
// the residual then hovers at a level that the tolerances set. A stop rule
// below that level does not fire; docs/INFERENCE.md has numbers.
type Flow[T Float] struct {
	Method  *ode.Method
	Control ode.Control
	Horizon float64 // above 0

	// MaxTrials bounds the trial steps, accepted and rejected: the run then ends
	// as StepLimit. 0 means 4096.
	MaxTrials int

	// Sample, if not nil, is called at each of the times At that the path
	// passes, interpolated within the step, with a state that is valid during
	// the call. At ascends within [0, Horizon]. It is called by the evaluation
	// after the step, so not for a last step that a limit left unevaluated. To
	// see every accepted step instead, give Run an observer and read z.
	At     []float64
	Sample func(t float64, z []T)

	stepper *ode.Stepper[T]
	started bool
	problem Problem[T]
	field   ode.Field[T]
	energy  float64 // of the last evaluation
	evals   int     // since the call began
	sampled int     // times of At that are done
	between []T     // an interpolated state
}

var (
	_ Solver[float32] = (*Flow[float32])(nil)
	_ Stop            = (*Flow[float32])(nil)
)

const defaultMaxTrials = 4096

// Reset starts again at time 0, with the fields as they are now.
func (f *Flow[T]) Reset() { f.started = false }

// Eval evaluates p at z, or takes the last stage of the step before if that was
// at z.
func (f *Flow[T]) Eval(p Problem[T], z []T) (Evaluation[T], error) {
	if !f.started {
		if err := f.start(len(z)); err != nil {
			return Evaluation[T]{}, err
		}
	}
	f.problem, f.evals = p, 0
	grad, err := f.stepper.Slope(f.field, z)
	if err != nil {
		return Evaluation[T]{Evals: f.evals}, err
	}
	if f.Sample != nil {
		f.sample(z)
	}
	e := measured(f.energy, grad)
	e.Evals = f.evals
	return e, nil
}

// Move makes one accepted step.
func (f *Flow[T]) Move(p Problem[T], z []T) (Motion, error) {
	f.problem, f.evals = p, 0
	from, rejected := f.stepper.Time(), f.stepper.Rejected
	err := f.stepper.Step(f.field, z)
	return Motion{
		Evals:    f.evals,
		Time:     from - f.stepper.Time(), // it runs backward
		Rejected: f.stepper.Rejected - rejected,
	}, err
}

// Done ends the run at the horizon, once the point there has been evaluated, or
// after MaxTrials.
func (f *Flow[T]) Done(r Reading) (Status, bool) {
	limit := f.MaxTrials
	if limit == 0 {
		limit = defaultMaxTrials
	}
	switch {
	case !f.started || math.IsInf(r.Residual, 1):
		return Running, false
	case f.stepper.Done():
		return TimeLimit, true
	}
	return StepLimit, f.stepper.Accepted+f.stepper.Rejected >= limit
}

// start prepares the memory. The flow against the gradient is the flow along it
// backward in time, so the slopes are gradients.
func (f *Flow[T]) start(n int) error {
	if err := f.Validate(); err != nil {
		return err
	}
	if f.stepper == nil || f.stepper.Method() != f.Method {
		s, err := ode.NewStepper[T](f.Method)
		if err != nil {
			return err
		}
		f.stepper = s
		f.field = func(dst, z []T) (err error) {
			f.evals++
			f.energy, err = f.problem.Energy(dst, z)
			return err
		}
	}
	f.stepper.KeepPath = f.Sample != nil
	if f.Sample != nil && cap(f.between) < n {
		f.between = make([]T, n)
	}
	if err := f.stepper.Start(f.Control, n, -f.Horizon); err != nil {
		return err
	}
	f.sampled = 0
	f.started = true
	return nil
}

// sample calls Sample for the times up to now.
func (f *Flow[T]) sample(z []T) {
	now := -f.stepper.Time()
	for ; f.sampled < len(f.At) && f.At[f.sampled] <= now; f.sampled++ {
		t := f.At[f.sampled]
		at := z
		if t < now {
			at = f.between[:len(z)]
			f.stepper.Dense(at, z, -t)
		}
		f.Sample(t, at)
	}
}

// Validate reports a missing method or control, what they report, and a horizon
// or times that make no sense.
func (f *Flow[T]) Validate() error {
	if err := f.Method.Validate(); err != nil {
		return errors.WithMessage(err, "infer: Flow")
	}
	if f.Control == nil {
		return errors.New("infer: Flow: Control is missing: take ode.Constant{Step: ..} or ode.PID{RTol: .., ATol: ..}")
	}
	if err := f.Control.Validate(f.Method); err != nil {
		return errors.WithMessage(err, "infer: Flow")
	}
	switch {
	case !(f.Horizon > 0) || math.IsInf(f.Horizon, 1):
		return errors.Errorf("infer: Flow: Horizon %g: want a finite time above 0, the start", f.Horizon)
	case f.MaxTrials < 0:
		return errors.Errorf("infer: Flow: MaxTrials %d: want at least 1, or 0 for %d", f.MaxTrials, defaultMaxTrials)
	case (len(f.At) > 0) != (f.Sample != nil):
		return errors.New("infer: Flow: At and Sample go together: times, and what is called at them")
	}
	for i, t := range f.At {
		if !(t >= 0 && t <= f.Horizon) || i > 0 && !(t > f.At[i-1]) {
			return errors.Errorf("infer: Flow: At[%d] = %g: want ascending times from 0 to Horizon %g", i, t, f.Horizon)
		}
	}
	return nil
}
