package infer

import (
	"math"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// slack is how much an energy may rise by rounding, relative to its size.
func slack[T Float]() float64 {
	var one T = 1
	if one+1e-9 == one { // float32
		return 1e-6
	}
	return 1e-14
}

// line is the memory of a search along a step.
type line[T Float] struct {
	trial, grad []T // a point and its gradient
	energy      float64
	known       bool // trial is where z is now, and has been evaluated
	stuck       bool // no part of the last step led downhill
}

// halvings of a step before it is given up.
const halvings = 12

// evaluate evaluates p at z, or takes what the search found there.
func (l *line[T]) evaluate(grad *[]T, p Problem[T], z []T) (Evaluation[T], error) {
	l.trial, l.grad, *grad = sized(l.trial, len(z)), sized(l.grad, len(z)), sized(*grad, len(z))
	if l.known {
		l.known = false
		*grad, l.grad = l.grad, *grad
		e := measured(l.energy, *grad)
		e.Evals = 0
		return e, nil
	}
	e, err := Evaluate(p, *grad, z)
	l.energy = e.Energy
	return e, err
}

// search moves z to z - c step with the largest c of 1, 1/2, 1/4, ... at which the energy is not higher than at z, where it
// is l.energy, or leaves it.
func (l *line[T]) search(p Problem[T], z, step []T) (m Motion, err error) {
	top := l.energy + slack[T]()*math.Abs(l.energy)
	for c := T(1); m.Rejected <= halvings; c /= 2 {
		kernel.Axpby(l.trial, 1, z, -c, step)
		energy, err := p.Energy(l.grad, l.trial)
		m.Evals++
		if err != nil {
			return m, err
		}
		if energy <= top {
			copy(z, l.trial)
			l.energy, l.known = energy, true
			return m, nil
		}
		m.Rejected++
	}
	l.stuck = true
	return m, nil
}

func (l *line[T]) reset() { l.known, l.stuck = false, false }
