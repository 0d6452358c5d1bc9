// Package ode integrates autonomous systems of ordinary differential equations
//
//	dz/dt = f(z),  z a slice of float32 or float64
//
// by explicit Runge-Kutta methods. Three things are separate values and combine
// freely:
//
//   - a [Method]: its tableau, from which order, stages and "first same as last"
//     are derived: [Euler], [Heun], [Midpoint], [Ralston], [Bosh3], [RK4],
//     [Tsit5], [Dopri5], [Dopri8];
//   - a [Control]: how long the steps are, [Constant] or [PID];
//   - a [Stepper]: the memory, allocated once, and one accepted step a call.
//
// [Integrate] puts them together:
//
//	err := ode.Integrate(f, z, 20, ode.Tsit5, ode.PID{RTol: 1e-3, ATol: 1e-6}, nil)
//
// The package is not for stiff systems (docs/INFERENCE.md measures when that
// would pay), for fields that depend on time, or for events: the caller sees
// every accepted step and may stop after it.
package ode

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Float is the element type of the state.
type Float = kernel.Float

// A Field writes f(z) over all of dst. It must not change z or keep either
// slice.
type Field[T Float] func(dst, z []T) error

// ErrUnderflow is the cause of an error of [Stepper.Step] when the control asks
// for a step that is lost in the rounding of the time: the tolerances are below
// what the element type resolves, or the field is not finite nearby.
var ErrUnderflow = errors.New("step underflow")

// Panics of wrong calls.
const (
	notStarted   = "ode: Stepper used before Start"
	wrongLength  = "ode: state has another length than at Start"
	outsideStep  = "ode: Dense asked outside the last step, or before the slope at its end is known"
	noPathKept   = "ode: Dense needs Stepper.KeepPath before Start"
	wrongSamples = "ode: Dense into a slice of another length than the state"
)

// Integrate moves z in place from time 0 to time span, which may be negative.
// observe, if not nil, sees the start and every accepted step.
func Integrate[T Float](f Field[T], z []T, span float64, m *Method, c Control, observe func(t float64, z []T)) error {
	s, err := NewStepper[T](m)
	if err != nil {
		return err
	}
	if err := s.Start(c, len(z), span); err != nil {
		return err
	}
	if observe != nil {
		observe(0, z)
	}
	for !s.Done() {
		if err := s.Step(f, z); err != nil {
			return errors.Wrapf(err, "ode: %s from time %g", m.Name, s.Time())
		}
		if observe != nil {
			observe(s.Time(), z)
		}
	}
	return nil
}
