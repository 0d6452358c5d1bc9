package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
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
		{"one ulp", pick(.3, v(.1)+v(.2), math.Nextafter(.3, 1)), epsOf64, true},
		{"sums of decimals", pick(.7, v(.1)*7, v(.1)+v(.2)+v(.4), v(1.4)-v(.7)), epsOf64, true},
		{"a unit to and fro", pick(2.54*third/2.54, third, third*1e3/1e3), epsOf64, true},
		{"degrees to and fro", pick(.3, (v(.3)*1.8+32-32)/1.8), epsOf64, true},
		{"logarithms", pick(math.Log(10), math.Log10(10)*math.Log(10), 2*math.Log(math.Sqrt(10))), epsOf64, true},
		{"large", pick(1e15/3, math.Nextafter(1e15/3, 1)), epsOf64, true},
		{"negative", pick(-.3, math.Nextafter(-.3, 0)), epsOf64, true},
		{"single precision by type", pick(f32(.3), f32(.1, .2), f32(.1, .1, .1)), epsOf32, true},
		{"single precision that was widened", pick(f32(.7), f32(.1, .2, .4), f32(.1, .1, .1, .1, .1, .1, .1)), epsOf64, true},
		{"single precision as text", pick(.7, .70000005, .6999999), epsOf64, true},
		{"half precision", pick(.3, .30029296875), epsOf16, true},
		{"zero", pick(0), epsOf64, true},

		{"a small signal on a large offset", func() float64 { return 1e6 + 1e-3*r.NormFloat64() }, epsOf64, false},
		{"one that is smaller", func() float64 { return 1e9 + 1e-3*r.NormFloat64() }, epsOf64, false},
		{"the same of seven digits", func() float64 { return math.Round((1000+1e-3*r.NormFloat64())*1e6) / 1e6 }, epsOf64, false},
		{"a signal at the end of float32", func() float64 { return single(1000 + 1e-3*r.NormFloat64()) }, epsOf32, false},
		{"the same, widened", func() float64 { return single(1000 + 1e-3*r.NormFloat64()) }, epsOf64, false},
		{"small numbers", func() float64 { return 1e-20 * r.NormFloat64() }, epsOf64, false},
		{"around zero", func() float64 { return 1e-17 * (r.Float64() - .5) }, epsOf64, false},
		{"seconds since 1970", func() float64 { return 1.7e9 + r.Float64()/1000 }, epsOf64, false},
		{"numbers that count, of float64", pick(16777216, 16777218), epsOf64, false},
		{"numbers that count, by type", pick(1<<40, 1<<40+1), 0, false},
		{"one of many", func() float64 {
			if r.IntN(200) == 0 {
				return .31
			}
			return .3
		}, epsOf64, false},
	} {
		for _, n := range []int{2, 50, 20000} {
			if !c.constant && n == 2 {
				continue // two may be equal by chance
			}
			values := make([]float64, 2*n)
			for i := range n {
				values[2*i], values[2*i+1] = r.NormFloat64(), c.draw()
			}
			scales, constant := scalesOf(values, 2, c.eps)
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

// A column that is constant up to rounding has no say: what a test part has there stays what it is. So for inputs, channels of pictures
// and targets of a regression; and it is told.
func TestLoad_ConstantColumnsAreNotScaled(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 0))
	x, y := make([][]float64, 60), make([][]float64, 60)
	for i := range x {
		c := []float64{.3, v(.1) + v(.2)}[i%2]
		if i >= 50 {
			c = .31
		}
		x[i] = []float64{r.NormFloat64(), c}
		y[i] = []float64{r.NormFloat64(), c}
	}
	train, test, err := Arrays[float64]{Inputs: x[:50], Targets: y[:50], TestInputs: x[50:], TestTargets: y[50:]}.Load()
	if err != nil {
		t.Fatal(err)
	}
	in, out := make([]float64, 2), make([]float64, 2)
	for _, c := range []struct {
		set  *Set
		want float64
	}{{train, 0}, {test, .01}} {
		for i := range c.set.Len() {
			if Fill(c.set, in, out, []int{i}); math.Abs(in[1]-c.want) > 1e-15 || math.Abs(out[1]-c.want) > 1e-15 {
				t.Fatalf("%s: %v -> %v, want %v", c.set.Name, in, out, c.want)
			}
		}
	}
	for _, piece := range []string{"constant columns: 1 input of 2 constant up to rounding", "Inputs[...][1]", "!constant columns: 1 target of 2", "Targets[...][1]"} {
		if !strings.Contains(toldBy(train), piece) {
			t.Errorf("no %q in\n%s", piece, toldBy(train))
		}
	}
	// Pictures of 2 x 1 pixels, 2 channels, the second of which is one number up to rounding.
	flat := make([]float64, 0, 240)
	labels := make([]float64, 60)
	for i := range 60 {
		flat = append(flat, r.NormFloat64(), []float64{.3, v(.1) + v(.2)}[i%2], r.NormFloat64(), .3)
		labels[i] = float64(i % 2)
	}
	path := npz(t, map[string][]byte{"x": float64s([]int{60, 2, 1, 2}, flat...), "y": float64s([]int{60}, labels...)})
	train, _, err = NumPy{File: path, Prepare: Preparation{Task: Classification}}.Load()
	if err != nil || train.Scales()[1].Deviation != 1 || math.Abs(train.Scales()[1].Mean-.3) > 1e-15 || !strings.Contains(toldBy(train), "1 channel of 2 constant up to rounding in the training part and not scaled: channel 1") {
		t.Errorf("%v: %v\n%s", err, train.Scales(), toldBy(train))
	}
}

// Numbers that are bytes have the scales of the same numbers as float64.
func TestScales_OfBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 0))
	bytes, values := make([]uint8, 3*2000), make([]float64, 3*2000)
	for k := range bytes {
		if k%3 == 1 {
			bytes[k] = 77
		} else {
			bytes[k] = uint8(r.IntN(256))
		}
		values[k] = float64(bytes[k])
	}
	got, constant := byteScales(bytes, 3)
	want, also := scalesOf(values, 3, 0)
	for k := range got {
		if math.Abs(got[k].Mean-want[k].Mean) > 1e-12 || math.Abs(got[k].Deviation-want[k].Deviation) > 1e-12 {
			t.Errorf("column %d: %v, want %v", k, got[k], want[k])
		}
	}
	if fmt.Sprint(constant, also) != "[1] [1]" {
		t.Errorf("constant %v and %v, want [1]", constant, also)
	}
}

// Targets of a table that are constant up to rounding are not scaled either: .31 of the test part stays .01 from the mean.
func TestCSV_ConstantTargetsAreNotScaled(t *testing.T) {
	training := "a,b,t\n" + lines(60, func(i int) string { return fmt.Sprintf("%d.5,%d.25,%v", i, i*7%11, []float64{.3, v(.1) + v(.2)}[i%2]) })
	_, test, err := CSV{File: tableIn(t, training), TestFile: tableIn(t, "a,b,t\n1.5,2,.31\n2.5,3,.31\n"), Prepare: Preparation{Task: Regression}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	in, out := make([]float64, 2), make([]float64, 1)
	if Fill(test, in, out, []int{0}); math.Abs(out[0]-.01) > 1e-15 {
		t.Errorf("target %v, want .01", out[0])
	}
	if told := toldBy(test); !strings.Contains(told, "!constant columns: 1 target of 1 constant up to rounding") {
		t.Error(told)
	}
}

// What cancels to rounding around zero cannot be told from a small signal; that new samples lie far from it is told, by the part that
// Load holds or reads and by LoadEncoded.
func TestScales_SamplesFarFromTrainingAreTold(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 0))
	for _, c := range []struct {
		reason   string
		draw     func(i int) float64 // of training
		test     float64
		told     bool
		distance float64 // in deviations; 0: not checked
	}{
		{"(i + .3) - i - .3", func(i int) float64 { return v(float64(i)+.3) - float64(i) - .3 }, .01, true, 0},
		{"shares that sum to 1", func(i int) float64 { a, b := r.Float64(), r.Float64(); return a/(a+b+1) + b/(a+b+1) + 1/(a+b+1) - 1 }, .01, true, 0},
		{"sines of whole turns", func(i int) float64 { return math.Sin(math.Pi * float64(i)) }, 1, true, 0},
		{"two values", func(i int) float64 { return float64(i%2*2-1) * 1e-9 }, 1e-3, true, 1e6},
		{"a small signal", func(i int) float64 { return 1e-9 * r.NormFloat64() }, 3e-9, false, 0},
		{"an outlier", func(i int) float64 { return r.NormFloat64() }, 5000, false, 0},
	} {
		n := 200
		x, y := make([][]float64, n), make([][]float64, n)
		for i := range x {
			d := c.draw(i)
			x[i], y[i] = []float64{r.NormFloat64(), d}, []float64{d}
		}
		a := Arrays[float64]{Inputs: x, Targets: y, TestInputs: [][]float64{{0, c.test}}, TestTargets: [][]float64{{c.test}}, Prepare: Preparation{Task: Regression}}
		train, test, err := a.Load()
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		fresh, err := Arrays[float64]{Inputs: a.TestInputs, Targets: a.TestTargets}.LoadEncoded(train.Encoding(), true)
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		unknown, err := Arrays[float64]{Inputs: a.TestInputs}.LoadEncoded(train.Encoding(), false)
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		for k, set := range []*Set{test, fresh, unknown} {
			told := toldBy(set)
			const far = "!scaling: samples that were not trained on lie more than 10000 deviations"
			for _, column := range []string{"Inputs[...][1], up to ", "Targets[...][0], up to "} {
				if c.distance > 0 {
					column += fmt.Sprintf("%.3g deviations of 1e-09", c.distance)
				}
				wanted := c.told && !(k == 2 && column[0] == 'T') // targets that are not read are not far
				if is := strings.Contains(told, far) && strings.Contains(told, strings.TrimPrefix(column, "Test")); is != wanted {
					t.Errorf("%s, set %d: told %v of %q, want %v:\n%s", c.reason, k, is, column, wanted, told)
				}
			}
			if strings.Contains(told, "[...][0], up to") && strings.Contains(told, "Inputs[...][0], up to") {
				t.Errorf("%s: a usual column is told of:\n%s", c.reason, told)
			}
		}
	}
	// Numbers that are bytes, of 1200 samples and more.
	rows := func(n, last int) string {
		return "a,b,y\n" + lines(n, func(i int) string {
			b := 0
			if i == n-1 {
				b = last
			}
			return fmt.Sprintf("%d,%d,%d", i%7, b, i%2)
		})
	}
	for last, told := range map[int]bool{1: false, 200: true} {
		train, _, err := CSV{File: tableIn(t, rows(40000, 1)), TestFile: tableIn(t, rows(2000, last))}.Load()
		if err != nil || strings.Contains(toldBy(train), "column 2 (b), up to 4e+04 deviations of 0.005") != told {
			t.Errorf("%v, want told %v:\n%s", err, told, toldBy(train))
		}
	}
}
