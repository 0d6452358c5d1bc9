package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// plainStandard is the standardisation written out in float64.
func plainStandard(x []float64, centre bool, eps float64) []float64 {
	n, m, s := float64(len(x)), 0.0, 0.0
	for _, v := range x {
		m += v / n
	}
	if !centre {
		m = 0
	}
	for _, v := range x {
		s += (v - m) * (v - m) / n
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - m) / math.Sqrt(s+eps)
	}
	return y
}

// The gradient is held against a difference quotient of the plain loop, and the Hessian against one of the gradient.
func TestStandardise_IsItsFormulaAndDerivatives(t *testing.T) {
	underEach(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 7))
		for _, n := range []int{1, 2, 3, 8, 33} {
			for _, centre := range []bool{true, false} {
				const eps, h = .1, 1e-5
				x, g, v := random[float64](n), random[float64](n), random[float64](n)
				for i := range x {
					x[i] = 2*rng.NormFloat64() + 1
				}
				check := func(what string, got, want []float64, tol float64) {
					t.Helper()
					for i := range want {
						if !(math.Abs(got[i]-want[i]) <= tol) {
							t.Fatalf("%s, n=%d, centre=%t: [%d] = %v, want %v", what, n, centre, i, got[i], want[i])
						}
					}
				}
				y := make([]float64, n)
				r := Standardise(y, x, centre, eps)
				check("value", y, plainStandard(x, centre, eps), 1e-14)
				if n == 1 && centre && math.Abs(r-1/math.Sqrt(eps)) > 1e-14 {
					t.Errorf("r of one element is %v", r)
				}
				slope := func(f func() float64) []float64 {
					d := make([]float64, n)
					for i, at := range x {
						x[i] = at + h
						up := f()
						x[i] = at - h
						d[i] = (up - f()) / (2 * h)
						x[i] = at
					}
					return d
				}
				StandardiseGrad(y, x, g, centre, eps)
				check("gradient", y, slope(func() float64 { return Dot(g, plainStandard(x, centre, eps)) }), 1e-8)
				StandardiseHess(y, x, g, v, centre, eps)
				jg := make([]float64, n)
				check("Hessian", y, slope(func() float64 { StandardiseGrad(jg, x, g, centre, eps); return Dot(v, jg) }), 1e-8)
			}
		}
	})
}

// In float32 a row far from zero loses the digits of its mean and no more.
func TestStandardise_FarFromZero(t *testing.T) {
	underEach(t, func(t *testing.T) {
		x, y := make([]float32, 64), make([]float32, 64)
		for i := range x {
			x[i] = 1e4 + float32(i%8)
		}
		Standardise(y, x, true, 1e-5)
		for i, want := range plainStandard([]float64{0, 1, 2, 3, 4, 5, 6, 7}, true, 1e-5) {
			if math.Abs(float64(y[i])-want) > 1e-3 {
				t.Errorf("[%d] = %v, want %v", i, y[i], want)
			}
		}
	})
}

func TestSoftmax_OfLargeLogitsAndItsGradient(t *testing.T) {
	underEach(t, func(t *testing.T) {
		p, logits := make([]float32, 3), []float32{1000, -1000, 999}
		Softmax(p, logits)
		q := 1 / (1 + math.Exp(-1))
		for i, want := range []float64{q, 0, 1 - q} {
			if math.Abs(float64(p[i])-want) > 1e-6 {
				t.Errorf("softmax[%d] = %v, want %v", i, p[i], want)
			}
		}
		d := make([]float32, 3)
		SoftmaxBack(d, p, []float32{1, 5, 3})
		mean := q + 3*(1-q)
		for i, want := range []float64{q * (1 - mean), 0, (1 - q) * (3 - mean)} {
			if math.Abs(float64(d[i])-want) > 1e-6 {
				t.Errorf("gradient[%d] = %v, want %v", i, d[i], want)
			}
		}
	})
}
