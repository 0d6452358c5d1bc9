package ode

import (
	"math"

	"github.com/pkg/errors"
)

// A Control decides how long steps are and which ones count. It is a value
// without memory: what it may use is handed to it.
type Control interface {
	// FirstStep is the length of the first trial step; 0 leaves it to the rule
	// of Hairer, which needs tolerances.
	FirstStep() float64
	// Tolerances scale the error of a trial step,
	//
	//	E = rms over i of error_i / (abs + rel max(|z_i|, |new z_i|))
	//
	// over the whole state. Both 0 means that no error is measured.
	Tolerances() (rel, abs float64)
	// Judge is given E of the trial step, that of the last accepted step and
	// that of the one before (1 where there is none, or it was 0 or infinite),
	// and the order of the method. It returns whether the step counts and by
	// what factor the next one is longer; below 1 if it does not count. A
	// control without tolerances is given E = 0.
	Judge(e, last, before float64, order int) (accept bool, factor float64)
	// Validate reports what is wrong with the control, or with using it for m.
	Validate(m *Method) error
}

var (
	_ Control = Constant{}
	_ Control = PID{}
)

// Constant makes every step as long as the first, but the last, which ends at
// the end.
type Constant struct {
	Step float64
}

// FirstStep is the step.
func (c Constant) FirstStep() float64 { return c.Step }

// Tolerances are none.
func (c Constant) Tolerances() (rel, abs float64) { return 0, 0 }

// Judge accepts.
func (c Constant) Judge(_, _, _ float64, _ int) (accept bool, factor float64) { return true, 1 }

// Validate reports a step that is not above 0.
func (c Constant) Validate(*Method) error {
	if !positive(c.Step) {
		return errors.Errorf("ode: Constant: Step %g: want a finite number above 0", c.Step)
	}
	return nil
}

// PID accepts a step of scaled error E < 1 and makes the next one longer by
//
//	Safety E^(-(P+I+D)/p) E_1^((P+2D)/p) E_2^(-D/p)
//
// within bounds, where p is the order of the method and E_1, E_2 belong to the
// last two accepted steps. With the coefficients left at 0 it is the integral
// controller of Hairer, Norsett and Wanner (Solving ODEs I, II.4), factor
// 0.9 E^(-1/p); P = 0.3, I = 0.3 or 0.4 is calmer where the error estimate
// jumps. The semantics are those of diffrax, and thus of JPC: an accepted step
// never makes the next one shorter, and a NaN in the error counts as infinite.
type PID struct {
	RTol, ATol float64 // both above 0: there is no default that fits every problem
	Step       float64 // the first trial step; 0: Hairer's choice

	P, I, D   float64 // coefficients; all 0 means 0, 1, 0
	Safety    float64 // 0 means 0.9
	MinFactor float64 // of the next step when this one is rejected; 0 means 0.2
	MaxFactor float64 // of the next step when this one is accepted; 0 means 10
}

// FirstStep is Step.
func (c PID) FirstStep() float64 { return c.Step }

// Tolerances are RTol and ATol.
func (c PID) Tolerances() (rel, abs float64) { return c.RTol, c.ATol }

// Judge applies the rule.
func (c PID) Judge(e, last, before float64, order int) (accept bool, factor float64) {
	c = c.filled()
	p := float64(order)
	factor = c.Safety * math.Pow(1/e, (c.P+c.I+c.D)/p)
	if c.P != 0 || c.D != 0 {
		factor *= math.Pow(last, (c.P+2*c.D)/p) * math.Pow(1/before, c.D/p)
	}
	if e < 1 {
		return true, min(max(factor, 1), c.MaxFactor)
	}
	return false, min(max(factor, c.MinFactor), c.Safety)
}

// filled has numbers in place of zeros.
func (c PID) filled() PID {
	if c.P == 0 && c.I == 0 && c.D == 0 {
		c.I = 1
	}
	for _, f := range []struct {
		v    *float64
		zero float64
	}{{&c.Safety, 0.9}, {&c.MinFactor, 0.2}, {&c.MaxFactor, 10}} {
		if *f.v == 0 {
			*f.v = f.zero
		}
	}
	return c
}

// Validate reports tolerances that are not above 0, coefficients and bounds
// under which steps would not adapt, and a method without error estimate.
func (c PID) Validate(m *Method) error {
	f := c.filled()
	switch {
	case !positive(c.RTol):
		return errors.Errorf("ode: PID: RTol %g: want a finite number above 0, such as 1e-3", c.RTol)
	case !positive(c.ATol):
		return errors.Errorf("ode: PID: ATol %g: want a finite number above 0, such as 1e-3", c.ATol)
	case c.Step != 0 && !positive(c.Step):
		return errors.Errorf("ode: PID: Step %g: want a finite number above 0, or 0 for Hairer's choice", c.Step)
	case !(c.P >= 0) || !(c.I >= 0) || !(c.D >= 0) || !positive(f.P+f.I+f.D):
		return errors.Errorf("ode: PID: coefficients P %g, I %g, D %g: want finite numbers, at least 0", c.P, c.I, c.D)
	case !(f.Safety > 0 && f.Safety < 1):
		return errors.Errorf("ode: PID: Safety %g: want a number in (0, 1)", c.Safety)
	case !(f.MinFactor > 0 && f.MinFactor <= f.Safety):
		return errors.Errorf("ode: PID: MinFactor %g: want a number above 0, at most Safety %g", c.MinFactor, f.Safety)
	case !positive(f.MaxFactor - 1):
		return errors.Errorf("ode: PID: MaxFactor %g: want a finite number above 1", c.MaxFactor)
	case !m.Adaptive():
		return errors.Errorf("ode: PID: %s gives no error estimate: use Constant, or a method with one, such as Heun or Tsit5", m.Name)
	}
	return nil
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
