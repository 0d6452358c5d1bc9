package kernel

import "math"

// The kernels over plain slices in Go: the reference of the assembly, and the
// fallback. The conversions of products forbid the compiler to fuse them with
// a sum, so that results are the same on every architecture.

func goFill[T Float](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

func goScale[T Float](dst, x []T, c T) {
	for i, v := range x {
		dst[i] = c * v
	}
}

func goAdd[T Float](dst, x, y []T) {
	for i, v := range x {
		dst[i] = v + y[i]
	}
}

func goSub[T Float](dst, x, y []T) {
	for i, v := range x {
		dst[i] = v - y[i]
	}
}

func goMul[T Float](dst, x, y []T) {
	for i, v := range x {
		dst[i] = v * y[i]
	}
}

func goAxpby[T Float](dst []T, a T, x []T, b T, y []T) {
	for i, v := range x {
		dst[i] = T(a*v) + T(b*y[i])
	}
}

func goShift[T Float](dst, x []T, a, b T) {
	for i, v := range x {
		dst[i] = (v - a) - b
	}
}

func goDot[T Float](x, y []T) float64 {
	var sum float64
	for i, v := range x {
		sum += float64(float64(v) * float64(y[i]))
	}
	return sum
}

func goSum[T Float](x []T) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

func goMaxAbs[T Float](x []T) T {
	var top T
	for _, v := range x {
		top = max(top, v, -v)
	}
	return top
}

func goSubSquares[T Float](dst, x, y []T) (ss float64) {
	for i, v := range x {
		d := v - y[i]
		dst[i] = d
		ss += float64(float64(d) * float64(d))
	}
	return ss
}

func goMaximum[T Float](x []T) T {
	top := T(math.Inf(-1))
	for _, v := range x {
		top = max(top, v)
	}
	return top
}

func goNLL[T Float](y, x []T, top T) (mass, weight, dot float64) {
	for i, v := range x {
		d := float64(v) - float64(top)
		mass += math.Exp(d)
		weight += float64(y[i])
		dot += float64(float64(y[i]) * d)
	}
	return mass, weight, dot
}

func goSoftmax[T Float](dst, y, x []T, top T) (mass, weight float64) {
	for i, v := range x {
		e := T(math.Exp(float64(v - top)))
		dst[i] = e
		mass += float64(e)
		weight += float64(y[i])
	}
	return mass, weight
}

func goAdam[T Float](w, m, v, g []T, c AdamCoef[T]) {
	for i, x := range w {
		mi := T(c.Beta1*m[i]) + T(c.Rest1*g[i])
		vi := T(c.Beta2*v[i]) + T(c.Rest2*T(g[i]*g[i]))
		m[i], v[i] = mi, vi
		root := T(math.Sqrt(float64(vi * c.Correct2)))
		w[i] = x - T(c.Rate*(mi*c.Correct1/(root+c.Eps)+T(c.Decay*x)))
	}
}

func goMomentum[T Float](w, buf, g []T, rate, mu, decay T, nesterov bool) {
	for i, x := range w {
		d := g[i] + T(decay*x)
		u := T(mu*buf[i]) + d
		buf[i] = u
		if nesterov {
			u = d + T(mu*u)
		}
		w[i] = x - T(rate*u)
	}
}

func goSGD[T Float](w, g []T, rate, decay T) {
	for i, x := range w {
		w[i] = x - T(rate*(g[i]+T(decay*x)))
	}
}
