package theory

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// A Product writes A v to dst for a symmetric matrix A, all that is known of it.
// The slices are as long as A has rows and do not overlap.
type Product func(dst, v []float64) error

// An Eigenvalue is one found from products.
type Eigenvalue struct {
	Value float64 // u^T A u for u = Vector
	// Bound is |A u - Value u|. An eigenvalue of A lies within Bound of Value;
	// Value itself is good to about Bound^2 over the distance to the next one.
	Bound  float64
	Vector []float64 // of length 1
}

// Lanczos finds the ends of the spectrum of a symmetric matrix too large to
// hold, from products with vectors, with full reorthogonalisation. Source:
// Golub and Van Loan, Matrix Computations, chapter 10.
//
// The start is random, so it has a part along the extreme eigenvectors with
// certainty in exact arithmetic; how often an eigenvalue occurs is not seen.
type Lanczos struct {
	// Tol is the Bound wanted of an end, relative to its value; 0 means 1e-8. An
	// end near zero is not wanted closer than rounding, 1e-14 of the other.
	Tol float64
	// Steps is the most products for one search; 0 means 300. It keeps that many
	// vectors. When they run out, Bound says how far the search got.
	Steps int
	Seed  uint64 // of the start
}

func (o Lanczos) validate(dim int) (Lanczos, error) {
	if dim < 1 {
		return o, errors.Errorf("theory: Lanczos on a matrix of %d rows", dim)
	}
	if !(o.Tol >= 0) || o.Tol >= 1 || o.Steps < 0 {
		return o, errors.Errorf("theory: Lanczos with tolerance %g and %d steps: want a tolerance from 0 to 1, and steps of 0 or more", o.Tol, o.Steps)
	}
	if o.Tol == 0 {
		o.Tol = 1e-8
	}
	if o.Steps == 0 {
		o.Steps = 300
	}
	o.Steps = min(o.Steps, dim)
	return o, nil
}

// Extremes returns the lowest and the highest eigenvalue. The lowest of an ill
// conditioned matrix takes many steps: see [Lanczos.Smallest]. It reports what
// the product reports, numbers that are not finite, and a matrix that is not
// symmetric.
func (o Lanczos) Extremes(dim int, a Product) (low, high Eigenvalue, err error) {
	return o.search(dim, a, true)
}

// Largest returns the highest eigenvalue.
func (o Lanczos) Largest(dim int, a Product) (Eigenvalue, error) {
	_, high, err := o.search(dim, a, false)
	return high, err
}

// Smallest returns the lowest eigenvalue of a positive definite matrix from
// products with its inverse, where few steps do. Bound is that of A itself, so
// an inexact inverse, such as that of [CG], costs nothing but tightness.
func (o Lanczos) Smallest(dim int, a, inverse Product) (Eigenvalue, error) {
	o, err := o.validate(dim)
	if err != nil {
		return Eigenvalue{}, err
	}
	inner := o
	inner.Tol = 1e-14 // the Bound by A magnifies what is left by the condition number
	top, err := inner.Largest(dim, inverse)
	if err != nil {
		return Eigenvalue{}, errors.WithMessage(err, "theory: inverse")
	}
	return rayleigh(top.Vector, a)
}

// Condition returns the condition number of a positive definite matrix, from
// products with it and with its inverse. If inverse is nil, products with A
// must do. It reports a spectrum that is not positive, and ends that the steps
// did not suffice for, to a hundredth.
func (o Lanczos) Condition(dim int, a, inverse Product) (float64, error) {
	var low, high Eigenvalue
	var err error
	if inverse == nil {
		low, high, err = o.Extremes(dim, a)
	} else if high, err = o.Largest(dim, a); err == nil {
		low, err = o.Smallest(dim, a, inverse)
	}
	if err != nil {
		return 0, err
	}
	if !(low.Value > 0) {
		return 0, errors.Errorf("theory: condition number: lowest eigenvalue %g is not above 0", low.Value)
	}
	if !(low.Bound <= 1e-2*low.Value && high.Bound <= 1e-2*high.Value) {
		return 0, errors.Errorf("theory: condition number: ends of the spectrum known as %.3g +- %.1g and %.3g +- %.1g only: allow more steps, or give an inverse",
			low.Value, low.Bound, high.Value, high.Bound)
	}
	return high.Value / low.Value, nil
}

// search builds an orthonormal basis q_1 ... q_m of Krylov vectors with
// Q^T A Q tridiagonal, until the Ritz pairs at the high end, and at the low one
// if that is asked for, are as good as wanted.
func (o Lanczos) search(dim int, a Product, ends bool) (low, high Eigenvalue, err error) {
	if o, err = o.validate(dim); err != nil {
		return low, high, err
	}
	k := newKrylov(dim, o.Steps, rand.New(rand.NewPCG(o.Seed, 0)))
	for check := 1; ; {
		exhausted, err := k.extend(a)
		if err != nil {
			return low, high, err
		}
		m := len(k.alpha)
		if exhausted = exhausted || m == o.Steps; m >= check || exhausted {
			lo, hi, vectors, err := ritz(k.alpha, k.beta)
			if err != nil {
				return low, high, err
			}
			floor := 1e-14 * max(math.Abs(lo.Value), math.Abs(hi.Value))
			good := func(e Eigenvalue) bool { return e.Bound <= max(o.Tol*math.Abs(e.Value), floor) }
			if exhausted || good(hi) && (!ends || good(lo)) {
				if high, err = rayleigh(combination(k.basis, dim, vectors[1]), a); err == nil && ends {
					low, err = rayleigh(combination(k.basis, dim, vectors[0]), a)
				}
				return low, high, err
			}
			check = m + 1 + m/4
		}
		k.next()
	}
}

// A krylov is an orthonormal basis of what products with a matrix reach from a
// random start, one vector after the other, and the tridiagonal matrix that A is
// in it.
type krylov struct {
	dim         int
	basis       []float64 // vectors one after the other
	alpha, beta []float64 // diagonal, and what couples each vector to the next
	w           []float64 // the next vector, of length beta
	scale       float64   // largest entry of the tridiagonal matrix
}

func newKrylov(dim, steps int, rng *rand.Rand) *krylov {
	q := make([]float64, dim)
	for i := range q {
		q[i] = rng.NormFloat64()
	}
	floats.Scale(1/floats.Norm(q, 2), q)
	return &krylov{dim: dim, basis: append(make([]float64, 0, min(steps, 32)*dim), q...), w: make([]float64, dim)}
}

// extend multiplies the last vector. It reports whether the basis spans all that
// products reach.
func (k *krylov) extend(a Product) (exhausted bool, err error) {
	m := len(k.alpha)
	if err := a(k.w, k.basis[m*k.dim:]); err != nil {
		return false, err
	}
	along := blas64.General{Rows: m + 1, Cols: k.dim, Stride: k.dim, Data: k.basis}
	h := project(along, k.w)
	k.alpha = append(k.alpha, h[m])
	if k.scale = max(k.scale, math.Abs(h[m])); math.IsNaN(k.scale) || math.IsInf(k.scale, 0) {
		return false, errors.Errorf("theory: Lanczos: product %d is not finite", m+1)
	}
	if m > 0 && math.Abs(h[m-1]-k.beta[m-1]) > 1e-6*max(k.scale, k.beta[m-1]) {
		return false, errors.Errorf("theory: Lanczos: the product is not that of a symmetric matrix: u^T A v = %g, v^T A u = %g", h[m-1], k.beta[m-1])
	}
	again := project(along, k.w) // twice is enough
	k.alpha[m] += again[m]
	b := floats.Norm(k.w, 2)
	k.beta = append(k.beta, b)
	return b <= 1e-14*k.scale, nil
}

// next adds a vector to the basis.
func (k *krylov) next() {
	b := k.beta[len(k.beta)-1]
	k.scale = max(k.scale, b)
	floats.Scale(1/b, k.w)
	k.basis = append(k.basis, k.w...)
}

// project takes the part of w along the orthonormal rows of q out of w, and
// returns its coefficients.
func project(q blas64.General, w []float64) []float64 {
	h, v := make([]float64, q.Rows), blas64.Vector{N: len(w), Data: w, Inc: 1}
	hv := blas64.Vector{N: len(h), Data: h, Inc: 1}
	blas64.Gemv(blas.NoTrans, 1, q, v, 0, hv)
	blas64.Gemv(blas.Trans, -1, q, hv, 1, v)
	return h
}

// ritz returns the ends of the spectrum of the tridiagonal matrix, with the
// residuals that they have as eigenvalues of A, and their vectors in the basis.
func ritz(alpha, beta []float64) (low, high Eigenvalue, vectors [2][]float64, err error) {
	m := len(alpha)
	eig, err := tridiagonal(alpha, beta)
	if err != nil {
		return low, high, vectors, err
	}
	var v mat.Dense
	eig.VectorsTo(&v)
	values := eig.Values(nil)
	for i, j := range []int{0, m - 1} {
		vectors[i] = mat.Col(nil, j, &v)
	}
	low = Eigenvalue{Value: values[0], Bound: beta[m-1] * math.Abs(vectors[0][m-1])}
	high = Eigenvalue{Value: values[m-1], Bound: beta[m-1] * math.Abs(vectors[1][m-1])}
	return low, high, vectors, nil
}

// tridiagonal is the spectrum, with vectors, of the symmetric matrix with the
// diagonal alpha and beta, but for its last, beside it.
func tridiagonal(alpha, beta []float64) (*mat.EigenSym, error) {
	m := len(alpha)
	t := mat.NewSymDense(m, nil)
	for i, v := range alpha {
		t.SetSym(i, i, v)
		if i+1 < m {
			t.SetSym(i, i+1, beta[i])
		}
	}
	eig := new(mat.EigenSym)
	if !eig.Factorize(t, true) {
		return nil, errors.Errorf("theory: Lanczos: eigenvalues of the [%d,%d] tridiagonal matrix do not converge", m, m)
	}
	return eig, nil
}

// combination is sum_j c_j q_j, of length 1.
func combination(basis []float64, dim int, c []float64) []float64 {
	u := make([]float64, dim)
	for j, v := range c {
		floats.AddScaled(u, v, basis[j*dim:(j+1)*dim])
	}
	floats.Scale(1/floats.Norm(u, 2), u)
	return u
}

// rayleigh measures what a vector of length 1 is worth as an eigenvector.
func rayleigh(u []float64, a Product) (Eigenvalue, error) {
	r := make([]float64, len(u))
	if err := a(r, u); err != nil {
		return Eigenvalue{}, err
	}
	e := Eigenvalue{Value: floats.Dot(u, r), Vector: u}
	floats.AddScaled(r, -e.Value, u)
	e.Bound = floats.Norm(r, 2)
	return e, nil
}
