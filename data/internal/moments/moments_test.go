package moments

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// v is a number that is not a constant to the compiler, which computes those exactly.
func v(x float64) float64 { return x }

// Columns that differ by rounding alone are constant, those that differ by a signal are not, however small. The noise is that of a few
// operations on numbers that are equal in exact arithmetic.
func TestScales_ConstantUpToRounding(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	third := 1 / v(3)
	single := func(v float64) float64 { return float64(float32(v)) }
	var f32 = func(parts ...float32) float64 { // a sum in single precision
		s := float32(0)
		for _, p := range parts {
			s += p
		}
		return float64(s)
	}
	pick := func(values ...float64) func() float64 {
		return func() float64 { return values[r.IntN(len(values))] }
	}
	for _, c := range []struct {
		reason   string
		draw     func() float64
		eps      float64
		constant bool
	}{
		{"one ulp", pick(.3, v(.1)+v(.2), math.Nextafter(.3, 1)), Eps64, true},
		{"sums of decimals", pick(.7, v(.1)*7, v(.1)+v(.2)+v(.4), v(1.4)-v(.7)), Eps64, true},
		{"a unit to and fro", pick(2.54*third/2.54, third, third*1e3/1e3), Eps64, true},
		{"degrees to and fro", pick(.3, (v(.3)*1.8+32-32)/1.8), Eps64, true},
		{"logarithms", pick(math.Log(10), math.Log10(10)*math.Log(10), 2*math.Log(math.Sqrt(10))), Eps64, true},
		{"large", pick(1e15/3, math.Nextafter(1e15/3, 1)), Eps64, true},
		{"negative", pick(-.3, math.Nextafter(-.3, 0)), Eps64, true},
		{"single precision by type", pick(f32(.3), f32(.1, .2), f32(.1, .1, .1)), Eps32, true},
		{"single precision that was widened", pick(f32(.7), f32(.1, .2, .4), f32(.1, .1, .1, .1, .1, .1, .1)), Eps64, true},
		{"single precision as text", pick(.7, .70000005, .6999999), Eps64, true},
		{"half precision", pick(.3, .30029296875), Eps16, true},
		{"zero", pick(0), Eps64, true},

		{"a small signal on a large offset", func() float64 { return 1e6 + 1e-3*r.NormFloat64() }, Eps64, false},
		{"one that is smaller", func() float64 { return 1e9 + 1e-3*r.NormFloat64() }, Eps64, false},
		{"the same of seven digits", func() float64 { return math.Round((1000+1e-3*r.NormFloat64())*1e6) / 1e6 }, Eps64, false},
		{"a signal at the end of float32", func() float64 { return single(1000 + 1e-3*r.NormFloat64()) }, Eps32, false},
		{"the same, widened", func() float64 { return single(1000 + 1e-3*r.NormFloat64()) }, Eps64, false},
		{"small numbers", func() float64 { return 1e-20 * r.NormFloat64() }, Eps64, false},
		{"around zero", func() float64 { return 1e-17 * (r.Float64() - .5) }, Eps64, false},
		{"seconds since 1970", func() float64 { return 1.7e9 + r.Float64()/1000 }, Eps64, false},
		{"numbers that count, of float64", pick(16777216, 16777218), Eps64, false},
		{"numbers that count, by type", pick(1<<40, 1<<40+1), 0, false},
		{"one of many", func() float64 {
			if r.IntN(200) == 0 {
				return .31
			}
			return .3
		}, Eps64, false},
	} {
		for _, n := range []int{2, 50, 20000} {
			if !c.constant && n == 2 {
				continue // two may be equal by chance
			}
			values := make([]float64, 2*n)
			for i := range n {
				values[2*i], values[2*i+1] = r.NormFloat64(), c.draw()
			}
			scales, constant := Columns(values, 2, c.eps)
			if is := len(constant) == 1 && constant[0] == 1; is != c.constant || len(constant) > 1 {
				t.Errorf("%s, n = %d: constant %v, %v", c.reason, n, constant, scales[1])
				continue
			}
			if c.constant && scales[1].Deviation != 1 {
				t.Errorf("%s: %v", c.reason, scales[1])
			}
			// Oracle: the definition, by sums in two passes around the exact mean of the draw.
			mean, square := 0., 0.
			for i := range n {
				mean += (values[2*i+1] - values[1]) / float64(n)
			}
			for i := range n {
				d := values[2*i+1] - values[1] - mean
				square += d * d / float64(n)
			}
			if want := math.Sqrt(square); !c.constant && math.Abs(scales[1].Deviation-want) > 1e-12*want {
				t.Errorf("%s: deviation %v, want %v", c.reason, scales[1].Deviation, want)
			}
		}
	}
}

// Numbers that are bytes have the scales of the same numbers as float64.
func TestScales_OfBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	pixels, values := make([]uint8, 3*2000), make([]float64, 3*2000)
	for k := range pixels {
		if k%3 == 1 {
			pixels[k] = 77
		} else {
			pixels[k] = uint8(r.IntN(256))
		}
		values[k] = float64(pixels[k])
	}
	got, constant := Bytes(pixels, 3)
	want, also := Columns(values, 3, 0)
	for k := range got {
		if math.Abs(got[k].Mean-want[k].Mean) > 1e-12 || math.Abs(got[k].Deviation-want[k].Deviation) > 1e-12 {
			t.Errorf("column %d: %v, want %v", k, got[k], want[k])
		}
	}
	if fmt.Sprint(constant, also) != "[1] [1]" {
		t.Errorf("constant %v and %v, want [1]", constant, also)
	}
}
