package theory

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// ActivityHessian returns the second derivative of one sample's energy with
// respect to its hidden activities z_1 ... z_{L-1}, concatenated in that order.
// It is block tridiagonal and positive definite:
//
//	H_{l,l}   = I + lambda_{l+1} M_{l+1} M_{l+1}^T     [n_l, n_l]
//	H_{l,l+1} = -M_{l+1}                               [n_l, n_{l+1}]
//
// where lambda_L is the output precision and the others are 1. It is the same
// for every sample and every target. Source: arXiv 2505.13124, section 3.
func (n Linear) ActivityHessian() (*mat.SymDense, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	last := len(n.Weights) - 1
	if last == 0 {
		return nil, errors.New("theory: activity Hessian of a network without hidden layers")
	}
	size := 0
	for _, w := range n.Weights[:last] {
		_, cols := w.Dims()
		size += cols
	}
	h := mat.NewSymDense(size, nil)
	at := 0 // first row of block l = i
	for i := 1; i <= last; i++ {
		m, weight := n.matrix(i), 1.0
		if i == last {
			weight = n.precision()
		}
		rows, cols := m.Dims()
		var block mat.SymDense
		block.SymOuterK(weight, m)
		for r := range rows {
			for c := r; c < rows; c++ {
				h.SetSym(at+r, at+c, block.At(r, c))
			}
			h.SetSym(at+r, at+r, 1+block.At(r, r))
			for c := 0; c < cols && i < last; c++ {
				h.SetSym(at+r, at+rows+c, -m.At(r, c))
			}
		}
		at += rows
	}
	return h, nil
}

// Eigenvalues returns the eigenvalues of a symmetric matrix in ascending order.
// It reports a matrix whose eigenvalues do not converge, such as one that is
// not finite.
func Eigenvalues(h mat.Symmetric) ([]float64, error) {
	for i := range h.SymmetricDim() {
		for j := 0; j <= i; j++ {
			if v := h.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, errors.Errorf("theory: eigenvalues: entry [%d,%d] is %g", i, j, v)
			}
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(h, false) {
		return nil, errors.Errorf("theory: eigenvalues of a [%d,%d] matrix do not converge", h.SymmetricDim(), h.SymmetricDim())
	}
	return eig.Values(nil), nil
}

// Condition returns the condition number of a positive definite matrix, its
// largest eigenvalue over its smallest. For the activity Hessian it bounds the
// rate of inference by descent: at the best step size the error shrinks by
// (kappa-1)/(kappa+1) per step. It reports a matrix that is not numerically
// positive definite.
func Condition(h mat.Symmetric) (float64, error) {
	values, err := Eigenvalues(h)
	if err != nil {
		return 0, err
	}
	low, high := values[0], values[len(values)-1]
	if !(low > 0) {
		return 0, errors.Errorf("theory: condition number: lowest eigenvalue %g is not above 0", low)
	}
	return high / low, nil
}

// OrthogonalExtremes returns the extreme eigenvalues of the activity Hessian of
// a network with H hidden layers of equal width, orthogonal weights, no skips,
// fewer outputs than hidden units, and unit factors and precision:
//
//	low  = 2 - 2 cos(pi/(2H+1))
//	high = 2 + 2 cos(pi/(H+1))
//
// The activities then split into paths through the layers. Those that reach
// the output have the path Laplacian with diagonal 2 everywhere, and give high;
// those that do not have a 1 at their last entry, and give low. It panics for H
// below 1. Source: derived for this project.
func OrthogonalExtremes(hidden int) (low, high float64) {
	if hidden < 1 {
		panic("theory: number of hidden layers below 1")
	}
	h := float64(hidden)
	return 2 - 2*math.Cos(math.Pi/(2*h+1)), 2 + 2*math.Cos(math.Pi/(h+1))
}

// OrthogonalCondition returns high/low of [OrthogonalExtremes]. It grows as
// (16/pi^2) H^2: even networks that are perfect isometries are conditioned worse
// with depth.
func OrthogonalCondition(hidden int) float64 {
	low, high := OrthogonalExtremes(hidden)
	return high / low
}
