package theory

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"
)

// CG solves A x = b by conjugate gradients, for a positive definite matrix known
// by its products alone (Hestenes and Stiefel 1952).
type CG struct {
	Tol   float64 // wanted of |A x - b| / |b|; 0 means 1e-10
	Steps int     // at most; 0 means ten times the dimension
}

// Solve writes A^-1 b to dst, which must not overlap b, and returns the number
// of products. It reports a matrix that is not positive definite, and steps
// that do not suffice.
func (o CG) Solve(dst, b []float64, a Product) (steps int, err error) {
	if len(dst) != len(b) || len(b) == 0 {
		return 0, errors.Errorf("theory: conjugate gradients: %d unknowns for %d equations", len(dst), len(b))
	}
	if !(o.Tol >= 0) || o.Tol >= 1 || o.Steps < 0 {
		return 0, errors.Errorf("theory: conjugate gradients with tolerance %g and %d steps: want a tolerance from 0 to 1, and steps of 0 or more", o.Tol, o.Steps)
	}
	if o.Tol == 0 {
		o.Tol = 1e-10
	}
	if o.Steps == 0 {
		o.Steps = 10 * len(b)
	}
	clear(dst)
	r, p, ap := append([]float64(nil), b...), append([]float64(nil), b...), make([]float64, len(b))
	rr := floats.Dot(r, r)
	goal := o.Tol * o.Tol * rr
	for ; rr > goal; steps++ {
		if steps == o.Steps {
			return steps, errors.Errorf("theory: conjugate gradients: residual %.1e of the right-hand side after %d steps, want %.1e: allow more steps", math.Sqrt(rr/floats.Dot(b, b)), steps, o.Tol)
		}
		if err := a(ap, p); err != nil {
			return steps, err
		}
		curvature := floats.Dot(p, ap)
		if !(curvature > 0) || math.IsInf(curvature, 1) {
			return steps, errors.Errorf("theory: conjugate gradients: p^T A p = %g at step %d: the matrix is not positive definite, or not finite", curvature, steps+1)
		}
		floats.AddScaled(dst, rr/curvature, p)
		floats.AddScaled(r, -rr/curvature, ap)
		next := floats.Dot(r, r)
		floats.AddScaledTo(p, r, next/rr, p)
		rr = next
	}
	if math.IsNaN(rr) {
		return steps, errors.New("theory: conjugate gradients: the right-hand side is not finite")
	}
	return steps, nil
}

// Inverse is the product with A^-1, one solution per call.
func (o CG) Inverse(a Product) Product {
	return func(dst, v []float64) error {
		_, err := o.Solve(dst, v, a)
		return err
	}
}
