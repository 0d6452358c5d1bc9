package infer

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/optim"
)

// Descent steps with a first-order optimiser: one evaluation, one step. With
// [optim.SGD] it is the usual inference of predictive coding,
//
//	z <- z - Rate dF_i/dz
//
// a fixed number of which is made in one call where the problem has
// [Problem.FusedSteps].
//
// Rates are per sample: papers and libraries that step on the batch mean quote
// rates that are larger by the batch size.
type Descent[T Float] struct {
	Optimizer optim.Optimizer[T]

	grad []T
}

var (
	_ Solver[float32] = (*Descent[float32])(nil)
	_ Negotiator      = (*Descent[float32])(nil)
	_ Fuser[float32]  = (*Descent[float32])(nil)
)

// Reset resets the optimiser.
func (d *Descent[T]) Reset() { d.Optimizer.Reset() }

// Eval evaluates p once.
func (d *Descent[T]) Eval(p Problem[T], z []T) (Evaluation[T], error) {
	d.grad = sized(d.grad, len(z))
	return Evaluate(p, d.grad, z)
}

// Move makes one step of the optimiser, and one of the multipliers.
func (d *Descent[T]) Move(p Problem[T], z []T) (Motion, error) {
	if p.Ascend != nil {
		p.Ascend()
	}
	d.Optimizer.Step(z, d.grad)
	return Motion{}, nil
}

// Uses takes fused steps if the optimiser is an [optim.SGD] without decay or factors.
func (d *Descent[T]) Uses(has Available) (Available, error) {
	sgd, is := d.Optimizer.(*optim.SGD[T])
	return Available{FusedSteps: has.FusedSteps && is && sgd.Plain(), Ascent: has.Ascent}, nil
}

// MoveFused makes n steps with p.FusedSteps.
func (d *Descent[T]) MoveFused(p Problem[T], z []T, n int) (Evaluation[T], bool, error) {
	if p.FusedSteps == nil {
		return Evaluation[T]{}, false, nil
	}
	sgd := d.Optimizer.(*optim.SGD[T])
	energy, ok, err := p.FusedSteps(d.grad, z, sgd.Rate, n)
	if !ok || err != nil {
		return Evaluation[T]{}, false, err
	}
	sgd.Skip(n)
	e := measured(energy, d.grad)
	e.Evals = n - 1 // Eval made the first
	return e, true, nil
}

// Validate reports a missing optimiser and what the optimiser reports.
func (d *Descent[T]) Validate() error {
	if d.Optimizer == nil {
		return errors.New("infer: Descent: Optimizer is missing")
	}
	if v, ok := d.Optimizer.(interface{ Validate() error }); ok {
		return errors.WithMessage(v.Validate(), "optimiser of Descent")
	}
	return nil
}
