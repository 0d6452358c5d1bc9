package kernel

import (
	"math"
	"testing"
)

// ulps is |got - want| in units of the last place of want in T.
func ulps[T Float](got T, want float64) float64 {
	if math.IsNaN(want) || math.IsInf(want, 0) || float64(got) == want {
		if float64(got) == want || math.IsNaN(float64(got)) && math.IsNaN(want) {
			return 0
		}
		return math.Inf(1)
	}
	_, exp := math.Frexp(want)
	digits, least := 24, -149
	if sizeOf[T]() == 8 {
		digits, least = 53, -1074
	}
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(exp-digits, least))
}

// samples covers both signs densely where the functions bend, and all
// magnitudes from denormal to huge.
func samples[T Float]() []T {
	var x []T
	for v := -30.0; v <= 30; v += 1.0 / 512 {
		x = append(x, T(v+1e-5*math.Sin(1e3*v)))
	}
	for v := 1e-44; v < 1e38; v *= 1.07 {
		x = append(x, T(v), T(-v))
	}
	for v := 30.0; v < 800; v += 0.37 {
		x = append(x, T(v), T(-v))
	}
	return append(x, 0, T(math.Copysign(0, -1)), T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()))
}

// Beside rounding, what a sigmoid of a far negative argument w suffers from is
// the rounding of w itself, which in gelu has four roundings: 4|w| ulp; and once the sigmoid is denormal, the
// place of its last bit.
func TestActivate_ErrorInUlp(t *testing.T) {
	underEach(t, func(t *testing.T) {
		testUlp[float32](t, 87)
		testUlp[float64](t, 708)
	})
}

func testUlp[T Float](t *testing.T, normal float64) {
	x := samples[T]()
	y := make([]T, len(x))
	for k := Linear; k < activations; k++ {
		Activate(k, y, x)
		for i, v := range x {
			limit := 4.0
			switch k {
			case GELU:
				_, w, _, _ := geluArgument(float64(v))
				limit += max(0, -4*w)
				if w < -normal {
					limit = math.Inf(1) // below 1e-306, or 1e-36
				}
			case SiLU:
				if float64(v) < -normal {
					limit = math.Inf(1)
				}
			}
			if e := ulps(y[i], value(k, float64(v))); e > limit {
				t.Fatalf("%T %v(%v) = %v, %.2f ulp from %v", v, k, v, y[i], e, value(k, float64(v)))
			}
		}
	}
}

// The derivatives are small differences in places, so their error is measured
// absolutely: none exceeds 2 in size.
func TestActivateGrad_AbsoluteError(t *testing.T) {
	underEach(t, func(t *testing.T) {
		testSlopes[float32](t, 1.2e-7)
		testSlopes[float64](t, 2.3e-16)
	})
}

func testSlopes[T Float](t *testing.T, eps float64) {
	x := samples[T]()
	y, one := make([]T, len(x)), make([]T, len(x))
	Fill(one, 1)
	check := func(k Activation, what string, f func(Activation, float64) float64) {
		t.Helper()
		for i, v := range x {
			want := f(k, float64(v))
			if want != want && y[i] != y[i] {
				continue
			}
			if !(math.Abs(float64(y[i])-want) <= 20*eps) {
				t.Fatalf("%T %v: %s at %v is %v, want %v", v, k, what, v, y[i], want)
			}
		}
	}
	for k := Linear; k < activations; k++ {
		ActivateGrad(k, y, x, one)
		check(k, "slope", slope)
		ActivateGrad2(k, y, x, one, one)
		check(k, "curvature", curvature)
	}
}
