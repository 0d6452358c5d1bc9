package rules

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// Incremental is incremental predictive coding (iPC, Salvatori et al. 2024, arXiv 2212.00720): activities and weights move
// at the same time, each step of both taken from the same point,
//
//	z <- z - rate dF_i/dz_i(z, W)      W <- W - lr dF/dW(z, W)
//
// from the feedforward pass, for as many steps as Stop allows: a batch of n inference steps moves the weights n times. Take
// an infer.Descent: solvers that remember gradients (Flow, LBFGS) would mix those of different weights.
type Incremental[T graph.Float] struct {
	train.PC[T]

	until     until
	look      func(infer.Reading)      // observe, bound once
	add       func(train.Report) error // accumulate, bound once
	step      func(train.Report) error
	grad, sum []T
	last      train.Report // of the step before
	steps     int
}

var (
	_ train.Learner[float32] = (*Incremental[float32])(nil)
	_ infer.Stop             = (*until)(nil)
)

// until ends an inference whose observer failed, or by another rule, if there is one.
type until struct {
	failed error
	stop   infer.Stop
}

// Done reports the failure or asks the other rule. (TimeLimit: the result is not used.)
func (u *until) Done(r infer.Reading) (infer.Status, bool) {
	switch {
	case u.failed != nil:
		return infer.TimeLimit, true
	case u.stop == nil:
		return infer.Running, false
	}
	return u.stop.Done(r)
}

// Validate returns the errors of PC.Validate, and an error if the solver remembers gradients (those of other weights would be
// used) or the inference makes no step.
func (r *Incremental[T]) Validate() error {
	switch r.Solver.(type) {
	case *infer.Flow[T], *infer.LBFGS[T], *infer.Newton[T]:
		return errors.Errorf("Incremental: a solver of type %T takes gradients of different weights for those of one energy: use infer.Descent", r.Solver)
	}
	if err := r.PC.Validate(); err != nil {
		return errors.WithMessage(err, "Incremental")
	}
	if r.Stop != nil {
		unknown := math.Inf(1)
		if _, done := r.Stop.Done(infer.Reading{Energy: unknown, Residual: unknown, FirstEnergy: unknown, Initial: unknown}); done {
			return errors.Errorf("Incremental: Stop %T(%v): want one step or more: the weights move with the activities, and would never move", r.Stop, r.Stop)
		}
	}
	return nil
}

// Learn moves the weights by step along the inference. The inference has no residual to judge by: there is no equilibrium of
// weights that move.
func (r *Incremental[T]) Learn(grad, x, y []T, batch int, step func(train.Report) error) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	b, err := r.Begin(x, y, batch)
	if err != nil {
		return train.Report{}, err
	}
	if r.look == nil {
		r.look = r.observe
	}
	r.step, r.grad, r.last, r.steps = step, grad, train.Report{}, 0
	r.until = until{stop: r.Stop}
	result, err := b.Infer(r.Solver, &r.until, r.look)
	if r.until.failed != nil {
		err = r.until.failed
	}
	result.Initial = 0
	r.last.Inference = result
	return r.last, err
}

// observe moves the weights after an evaluation, before the activities move by it.
func (r *Incremental[T]) observe(now infer.Reading) {
	f, err := r.Batch().Model().ParamGrad(r.grad)
	if err == nil {
		r.last = train.Report{Loss: now.FirstEnergy, Energy: f}
		err = r.step(r.last)
	}
	r.until.failed, r.steps = err, r.steps+1
}

// Gradient is the mean of the gradients along the inference while the weights rest: what Learn comes to, per step, when
// the weights move little within a batch.
func (r *Incremental[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	if r.add == nil || len(r.sum) != len(grad) {
		r.sum = make([]T, len(grad))
		r.add = r.accumulate
	}
	clear(r.sum)
	report, err := r.Learn(grad, x, y, batch, r.add)
	if err == nil {
		kernel.Scale(grad, r.sum, 1/T(max(1, r.steps)))
	}
	return report, err
}

// accumulate adds a gradient to the sum.
func (r *Incremental[T]) accumulate(train.Report) error {
	kernel.Add(r.sum, r.sum, r.grad)
	return nil
}
