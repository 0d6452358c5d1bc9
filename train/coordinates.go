package train

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// A CoordinateChoice says in which coordinates inference is better conditioned, and why.
type CoordinateChoice struct {
	Chosen             arch.Coordinates // Activities or Errors
	Activities, Errors infer.Spectrum   // zero where it was not measured
	Why                string           // a sentence
}

// clearly is the part of another condition number below which one is clearly lower.
const clearly = .8

// ChooseCoordinates measures the spectrum of the energy's Hessian at the feedforward pass of a batch x [batch, in...], y [batch, out...], of a
// network compiled in activities and in prediction errors, and chooses errors where their condition is clearly the lower one: steps of accelerated
// descent grow with its root. It falls back on activities, whose steps use neighbours only: where both are about alike, where the energy is not convex in errors
// around the feedforward pass, where a network cannot be compiled in them, and where numbers are not finite. The condition
// tells more than it should where a few eigenvalues stand alone, as in deep linear networks with skips: it chooses activities there, which is
// the longer way. The plan's own Coordinates are not looked at. The weights are not moved.
func ChooseCoordinates[T graph.Float](n *arch.Network, w *graph.Vector[T], plan arch.Plan, x, y []T) (c CoordinateChoice, err error) {
	measure := func(in arch.Coordinates) (s infer.Spectrum, err error) {
		plan := plan
		plan.Coordinates = in
		m, err := arch.Compile(n, w, plan)
		if err != nil {
			return s, err
		}
		if err := m.Clamp(x, y); err != nil {
			return s, err
		}
		if err := m.Forward(); err != nil {
			return s, err
		}
		return infer.MeasureSpectrum(ProblemOf(m), m.State())
	}
	c.Chosen = arch.Activities
	if c.Activities, err = measure(arch.Activities); err != nil {
		return c, errors.WithMessage(err, "train: ChooseCoordinates: activities")
	}
	if c.Errors, err = measure(arch.Errors); err != nil {
		c.Why = fmt.Sprintf("activities, as prediction errors are not to be had: %v", err)
		return c, nil
	}
	a, e := c.Activities.Condition(), c.Errors.Condition()
	switch {
	case e < clearly*a:
		c.Chosen = arch.Errors
		c.Why = fmt.Sprintf("prediction errors: the Hessian's condition number is about %.2g in them and at least %.2g in activities", e, a)
	case e >= clearly*a:
		c.Why = fmt.Sprintf("activities: the Hessian's condition number is about %.2g in them and %.2g in prediction errors", a, e)
	default:
		c.Why = "activities: the conditions are not finite numbers"
	}
	return c, nil
}
