package kernel

import "math"

// A row x of n elements is standardised to
//
//	y = r (x - m),  1/r^2 = 1/n |x - m|^2 + eps
//
// where m is its mean with centre, else 0: layer normalisation (Ba et al. 2016)
// and root-mean-square normalisation (Zhang and Sennrich 2019), both without
// gain. The Jacobian is symmetric.

// Standardise computes dst = y and returns r. dst may be x.
func Standardise[T Float](dst, x []T, centre bool, eps float64) (r float64) {
	r = deviation(dst, x, centre, eps)
	Scale(dst, dst, T(r))
	return r
}

// deviation computes dst = x - m and returns r.
func deviation[T Float](dst, x []T, centre bool, eps float64) (r float64) {
	same(len(dst), len(x))
	n := float64(len(x))
	m := 0.0
	if centre {
		m = Sum(x) / n
	}
	shift(dst, x, T(m), 0)
	return 1 / math.Sqrt(SumSquares(dst)/n+eps)
}

// StandardiseGrad computes dst = J g with the Jacobian J of the standardisation
// at x,
//
//	dst = r (g - mean(g) - y mean(y g))
//
// the first mean only with centre. dst may be x, but not g.
func StandardiseGrad[T Float](dst, x, g []T, centre bool, eps float64) {
	same(len(dst), len(g))
	r := deviation(dst, x, centre, eps)
	n, mean := float64(len(x)), 0.0
	if centre {
		mean = Sum(g) / n
	}
	Axpby(dst, T(r), g, T(-r*r*r*Dot(dst, g)/n), dst)
	shift(dst, dst, T(r*mean), 0)
}

// StandardiseHess computes the gradient with respect to x of v^T J(x) g, which is symmetric
// in v and g:
//
//	dst = -r^2 (y (c - 3 a b) + a (v - mean(v)) + b (g - mean(g)))
//	a = mean(y g),  b = mean(y v),  c = mean(v g) - mean(v) mean(g)
//
// the means of v and g only with centre. dst may be x, but not g or v.
func StandardiseHess[T Float](dst, x, g, v []T, centre bool, eps float64) {
	same(len(dst), len(g), len(v))
	r := Standardise(dst, x, centre, eps)
	n, mg, mv := float64(len(x)), 0.0, 0.0
	if centre {
		mg, mv = Sum(g)/n, Sum(v)/n
	}
	a, b := Dot(dst, g)/n, Dot(dst, v)/n
	c := Dot(v, g)/n - mv*mg
	rr := r * r
	Axpby(dst, T(-rr*(c-3*a*b)), dst, T(-rr*a), v)
	Axpby(dst, 1, dst, T(-rr*b), g)
	shift(dst, dst, T(-rr*(a*mv+b*mg)), 0)
}
