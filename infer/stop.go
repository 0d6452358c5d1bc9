package infer

import (
	"math"
	"slices"
	"time"

	"github.com/pkg/errors"
)

// A Stop decides when a run ends. A rule is a value without memory: all it may
// use is in the reading. It tests the gradient or a budget, never the state:
// activities that are large, small or constant say nothing about equilibrium.
type Stop interface {
	// Done is asked before and after each evaluation; see [Run].
	Done(r Reading) (Status, bool)
}

var (
	_ Stop = Stationary{}
	_ Stop = Steps(0)
	_ Stop = Within(0)
	_ Stop = Any{}
)

// Stationary stops with Converged when the gradient has become small:
//
//	Residual <= Tol + Rel Initial
//
// where Residual is the rms of the gradient over all scalars and Initial the
// one at the start of the run. Tol is in the units of dF_i/dz_i, the gradient
// of one sample, and thus means the same for every batch size.
type Stationary struct {
	Tol float64 // absolute tolerance; 0 means only Rel counts
	Rel float64 // tolerance relative to the start, in [0, 1)
}

// Done reports whether the gradient has been evaluated and is small.
func (s Stationary) Done(r Reading) (Status, bool) {
	return Converged, !math.IsInf(r.Residual, 1) && r.Residual <= s.Tol+s.Rel*r.Initial
}

// Validate reports tolerances that no gradient or every gradient satisfies.
func (s Stationary) Validate() error {
	switch {
	case !(s.Tol >= 0) || math.IsInf(s.Tol, 1):
		return errors.Errorf("infer: Stationary: Tol %g: want a finite number, at least 0", s.Tol)
	case !(s.Rel >= 0 && s.Rel < 1):
		return errors.Errorf("infer: Stationary: Rel %g: want a number in [0, 1): at 1 the start satisfies it", s.Rel)
	case s.Tol == 0 && s.Rel == 0:
		return errors.New("infer: Stationary: Tol and Rel are 0: rounding errors never let the gradient vanish: set one")
	}
	return nil
}

// Steps stops with StepLimit after that many moves. Steps(0) moves nothing.
type Steps int

// Done reports whether the moves have been made.
func (s Steps) Done(r Reading) (Status, bool) { return StepLimit, r.Step >= int(s) }

// Validate reports a negative number.
func (s Steps) Validate() error {
	if s < 0 {
		return errors.Errorf("infer: Steps(%d): want at least 0", int(s))
	}
	return nil
}

// Within stops with TimeLimit when that much time has passed on the clock. The
// number of steps then depends on the machine.
type Within time.Duration

// Done reports whether the time has passed.
func (w Within) Done(r Reading) (Status, bool) { return TimeLimit, r.Elapsed >= time.Duration(w) }

// Validate reports a time that is not above 0.
func (w Within) Validate() error {
	if w <= 0 {
		return errors.Errorf("infer: Within(%v): want a time above 0", time.Duration(w))
	}
	return nil
}

// Bounded says whether a rule ends every run sooner or later: one that waits for
// a small gradient alone may wait forever. Rules of other packages are taken to.
func Bounded(s Stop) bool {
	switch s := s.(type) {
	case Stationary:
		return false
	case Any:
		return slices.ContainsFunc(s, Bounded)
	}
	return true
}

// Any stops as soon as one of its rules does, with the status of the first.
type Any []Stop

// Done asks the rules in order.
func (a Any) Done(r Reading) (Status, bool) {
	for _, s := range a {
		if status, done := s.Done(r); done {
			return status, true
		}
	}
	return Running, false
}

// Validate reports an empty list, which would never stop, missing rules, and
// what the rules report.
func (a Any) Validate() error {
	if len(a) == 0 {
		return errors.New("infer: Any: no rule, it would never stop")
	}
	for i, s := range a {
		if s == nil {
			return errors.Errorf("infer: Any: rule %d is missing", i)
		}
		if v, ok := s.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return errors.WithMessagef(err, "rule %d of Any", i)
			}
		}
	}
	return nil
}
