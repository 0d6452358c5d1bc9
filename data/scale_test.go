package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

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

// v is x, so that what is computed with it is computed at run time.
func v(x float64) float64 { return x }
