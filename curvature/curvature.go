// Package curvature looks at the landscapes that predictive coding and backprop descend in: the Hessians with respect to the weights of
// the energy at equilibrium and of the feedforward loss, for any compiled network.
//
//	backprop's loss        L_WW
//	energy at equilibrium  F_WW - F_Wz F_zz^-1 F_zW
//
// [Equilibrate] takes the activities of a model to their equilibrium, [At] makes the operator there, whose Mul is a theory.Product: its
// extreme eigenvalues are found by theory.Lanczos, the whole matrix of a small network by theory.Assemble. [Curvature.Judge] says
// what kind of point the weights are, and [Along] draws the landscape in a direction.
//
// Everything is in float64: in single precision the rounding of a gradient looks like curvature. Closed forms for linear networks are in
// package theory. Sources: "Only Strict Saddles in the Energy Landscape of Predictive Coding Networks?" (arXiv 2408.11979); the formula
// is implicit differentiation of dF/dz = 0.
//
// The package stands apart from train/analysis because it needs package theory (Lanczos, conjugate gradients, the exact solve), which
// no package of training imports.
package curvature

import (
	"context"
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// Options say how exactly. The zero value is for use.
type Options struct {
	// Tol is the largest rms of dF_i/dz_i that counts as equilibrium; 0 means 1e-8.
	Tol float64
	// Anyway has At answer at a point that is not in equilibrium: Curvature.Marked then says so.
	Anyway bool
	// Solve are the conjugate gradients of the inner solve; the zero value is 1e-10 of the right-hand side. A chain of linear layers in the
	// coordinates of activities is solved exactly instead.
	Solve theory.CG
}

func (o Options) tol() float64 {
	if o.Tol == 0 {
		return 1e-8
	}
	return o.Tol
}

func (o Options) validate() error {
	if !(o.Tol >= 0) || math.IsInf(o.Tol, 1) {
		return errors.Errorf("curvature: tolerance %g of the equilibrium: want a number above 0, or 0 for 1e-8", o.Tol)
	}
	return nil
}

// A Curvature is the second derivative with respect to the weights, in the order of the model's slab, of what the model's weights
// descend on: the energy at equilibrium, or in the coordinates of Feedforward the loss. It is of one point and one batch: At makes
// another. It is for use by one goroutine at a time.
type Curvature struct {
	Energy   float64   // F at equilibrium, or the loss
	Grad     []float64 // dF/dW there
	Residual float64   // rms of dF_i/dz_i; 0 where nothing is free
	Marked   string    // why the answers are not those of an equilibrium; empty if they are
	Exact    bool      // the inner solve is exact, by the theory of linear networks

	Products   int     // made so far
	SolveSteps int     // of conjugate gradients, over all products
	WorstSolve float64 // largest |F_zz u - b| / |b| of all inner solves

	ctx     context.Context
	weights *arch.WeightHessian[float64]
	inner   *inner // nil where nothing is free
	b, u    []float64
}

// At makes the operator at the model's present weights, data and activities. It refuses activities that are not in equilibrium, unless
// o.Anyway, a network with free ends or loops, and what has no second derivative. A done ctx ends products with its error.
func At(ctx context.Context, m *arch.Model[float64], o Options) (*Curvature, error) {
	if m == nil {
		return nil, errors.New("curvature: a nil model: look at the error that Compile returned with it")
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := &Curvature{ctx: ctx, Grad: make([]float64, len(m.Weights().Data())), b: make([]float64, len(m.State())), u: make([]float64, len(m.State()))}
	var err error
	if c.weights, err = m.WeightHessian(); err != nil {
		return nil, errors.WithMessage(err, "curvature")
	}
	if c.Energy, err = m.ParamGrad(c.Grad); err != nil {
		return nil, errors.WithMessage(err, "curvature")
	}
	if len(m.State()) > 0 {
		if _, err := m.StateGrad(c.b, m.State()); err != nil {
			return nil, errors.WithMessage(err, "curvature")
		}
		c.Residual = infer.RMS(c.b)
		if !(c.Residual <= o.tol()) {
			c.Marked = errors.Errorf("the activities are not in equilibrium: the rms of dF/dz is %.2g, %.2g allowed", c.Residual, o.tol()).Error()
			if !o.Anyway {
				return nil, errors.Errorf("curvature: %s, largest at %s: call Equilibrate first, or set Options.Anyway or a larger Options.Tol", c.Marked, m.StateVector().Where(largest(c.b)))
			}
		}
		if c.inner, err = newInner(m, o); err != nil {
			return nil, errors.WithMessage(err, "curvature")
		}
		if err := c.inner.at(m.State()); err != nil {
			return nil, errors.WithMessage(err, "curvature")
		}
		c.Exact = c.inner.exact != nil
	}
	return c, errors.WithMessage(c.weights.At(m.State()), "curvature")
}

func largest(v []float64) int {
	at := 0
	for i := range v {
		if math.Abs(v[i]) > math.Abs(v[at]) || math.IsNaN(v[i]) {
			at = i
		}
	}
	return at
}

// Dim is the number of weights.
func (c *Curvature) Dim() int { return c.weights.Dim() }

// Mul writes the Hessian times v to dst, both as long as the weights: with u = F_zz^-1 F_zW v it is F_WW v - F_Wz u. It reports an inner
// solve that fails, which is that of activities at no minimum of the energy.
func (c *Curvature) Mul(dst, v []float64) error {
	if err := c.ctx.Err(); err != nil {
		return errors.Wrap(err, "curvature: product")
	}
	c.Products++
	if c.inner != nil {
		if err := c.weights.Cross(c.b, v); err != nil {
			return errors.WithMessage(err, "curvature: F_zW v")
		}
		steps, off, err := c.inner.solve(c.u, c.b)
		if err != nil {
			return errors.WithMessage(err, "curvature: inner solve with F_zz (the activities are at no strict minimum of the energy, or inference has not arrived)")
		}
		c.SolveSteps, c.WorstSolve = c.SolveSteps+steps, math.Max(c.WorstSolve, off)
		floats.Scale(-1, c.u)
	}
	return errors.WithMessage(c.weights.Mul(dst, v, c.u), "curvature")
}

// Equilibrate takes the model's activities from where they are to their equilibrium: L-BFGS, then Newton steps by conjugate gradients
// with the exact Hessian, until the rms of dF_i/dz_i is at most a hundredth of o.Tol or rounding allows no more. A chain of linear layers
// takes one exact step. The model needs its data and a start, as a rule Forward. It reports activities that did not come to o.Tol.
func Equilibrate(ctx context.Context, m *arch.Model[float64], o Options) (infer.Result, error) {
	if err := o.validate(); err != nil {
		return infer.Result{}, err
	}
	if len(m.State()) == 0 {
		return infer.Result{Status: infer.Converged}, nil
	}
	in, err := newInner(m, o)
	if err != nil {
		return infer.Result{}, errors.WithMessage(err, "curvature")
	}
	problem := train.ProblemOf(m)
	problem.NoNewton, problem.Newton = nil, func(step, grad, z []float64) (int, error) {
		if err := in.at(z); err != nil {
			return 0, err
		}
		steps, _, err := in.solve(step, grad)
		return 2 * steps, err
	}
	stop := infer.Any{infer.Stationary{Tol: o.tol() / 100}, infer.Cancelled{Context: ctx}}
	evals := 0
	if in.exact == nil {
		r, err := infer.Run(&infer.LBFGS[float64]{}, problem, m.State(), infer.Any{infer.Stationary{Tol: math.Max(o.tol(), 1e-6)}, infer.Cancelled{Context: ctx}}, nil)
		if err != nil {
			return r, errors.WithMessage(err, "curvature: equilibrium")
		}
		evals = r.Evals
	}
	r, err := infer.Run(&infer.Newton[float64]{}, problem, m.State(), stop, nil)
	r.Evals += evals
	switch {
	case ctx.Err() != nil:
		return r, errors.Wrap(ctx.Err(), "curvature: equilibrium")
	case err != nil && !(r.Residual <= o.tol()): // at rounding the curvature may be refused
		return r, errors.WithMessage(err, "curvature: equilibrium")
	case !(r.Residual <= o.tol()):
		return r, errors.Errorf("curvature: equilibrium not reached: %v; want a residual of %.2g: allow a larger Options.Tol, or begin nearer (at a kink of relu or max pooling the gradient jumps and may not vanish)", r, o.tol())
	}
	return r, nil
}
