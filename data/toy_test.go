package data

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func mustLoad(t rapid.TB, s Source) (train, test *Set) {
	t.Helper()
	train, test, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return train, test
}

func TestToys_ZeroValueWorks(t *testing.T) {
	for _, test := range []struct {
		source           Source
		in, out, classes int
	}{
		{XOR{}, 2, 2, 2}, {Moons{}, 2, 2, 2}, {Spirals{}, 2, 3, 3}, {Linear{}, 8, 4, 0}, {Sine{}, 1, 1, 0},
	} {
		train, held := mustLoad(t, test.source)
		if train.Len() != 1000 || held.Len() != 200 {
			t.Errorf("%s: %d + %d samples, want 1000 + 200", train.Name, train.Len(), held.Len())
		}
		for _, s := range []*Set{train, held} {
			if s.In() != test.in || s.Out() != test.out || s.Classes() != test.classes || s.Shape() != (Shape{}) {
				t.Errorf("%s: In %d, Out %d, Classes %d, %+v", s.Name, s.In(), s.Out(), s.Classes(), s.Shape())
			}
		}
	}
}

// toys are the tasks with everything set, as a function of what tests vary.
func toys(train, test int, noise float64, seed uint64) []Source {
	return []Source{
		XOR{Train: train, Test: test, Noise: noise, Seed: seed},
		Moons{Train: train, Test: test, Noise: noise, Seed: seed},
		Spirals{Train: train, Test: test, Noise: noise, Seed: seed, Arms: 4, Turns: -2},
		Linear{Train: train, Test: test, Noise: noise, Seed: seed, In: 5, Out: 3},
		Sine{Train: train, Test: test, Noise: noise, Seed: seed},
	}
}

var sets = cmp.AllowUnexported(Set{})

func TestToys_DependOnTheSeedOnly(t *testing.T) {
	again, other := toys(30, 20, 0.1, 7), toys(30, 20, 0.1, 8)
	longer := toys(300, 20, 0.1, 7)
	for k, source := range toys(30, 20, 0.1, 7) {
		train, test := mustLoad(t, source)
		train2, test2 := mustLoad(t, again[k])
		if !cmp.Equal(train, train2, sets) || !cmp.Equal(test, test2, sets) {
			t.Errorf("%s: the same description gives other data", train.Name)
		}
		if train3, _ := mustLoad(t, other[k]); cmp.Equal(train.values, train3.values) {
			t.Errorf("%s: another seed gives the same data", train.Name)
		}
		train4, test4 := mustLoad(t, longer[k])
		if !cmp.Equal(test, test4, sets) || !cmp.Equal(train.values, train4.values[:len(train.values)]) {
			t.Errorf("%s: more training samples change the test part or the first samples", train.Name)
		}
		if cmp.Equal(train.values[:10], test.values[:10]) {
			t.Errorf("%s: training and test part are the same", train.Name)
		}
	}
}

func TestToys_ValuesAreFinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		noise := rapid.Float64Range(0, maxToyNoise).Draw(t, "noise")
		for _, source := range toys(20, 5, noise, rapid.Uint64().Draw(t, "seed")) {
			train, _ := mustLoad(t, source)
			for _, v := range append(train.values, train.targets...) {
				if f := float64(float32(v)); math.IsNaN(f) || math.IsInf(f, 0) {
					t.Fatalf("%s: %v", train.Name, v)
				}
			}
		}
	})
}

func TestToys_RefuseWrongOptions(t *testing.T) {
	for reason, make := range map[string]func() []Source{
		"Noise is NaN":  func() []Source { return toys(10, 10, math.NaN(), 1) },
		"Noise is +Inf": func() []Source { return toys(10, 10, math.Inf(1), 1) },
		"Noise is -0.1": func() []Source { return toys(10, 10, -0.1, 1) },
		"Noise is 1e+1": func() []Source { return toys(10, 10, 1e10, 1) },
		"Train is -1":   func() []Source { return toys(-1, 10, 0, 1) },
		"Test is -1":    func() []Source { return toys(10, -1, 0, 1) },
		"Train is 9223": func() []Source { return toys(math.MaxInt, 10, 0, 1) },
		"Test is 92233": func() []Source { return toys(10, math.MaxInt, 0, 1) },
		"Arms is":       func() []Source { return []Source{Spirals{Arms: 1}, Spirals{Arms: -3}, Spirals{Arms: 257}} },
		"Turns is":      func() []Source { return []Source{Spirals{Turns: math.NaN()}, Spirals{Turns: math.Inf(-1)}} },
		"In is":         func() []Source { return []Source{Linear{In: -1}, Linear{In: 5000}} },
		"Out is":        func() []Source { return []Source{Linear{Out: -1}, Linear{Out: math.MaxInt}} },
	} {
		for _, source := range make() {
			train, test, err := source.Load()
			if err == nil || train != nil || test != nil || !strings.Contains(err.Error(), reason) ||
				!strings.HasPrefix(err.Error(), "data: ") {
				t.Errorf("%+v: error %v, want one that says %q", source, err, reason)
			}
		}
	}
}

func TestXOR_IsTheExclusiveOr(t *testing.T) {
	train, _ := mustLoad(t, XOR{Train: 400, Noise: 0.1, Seed: 3}) // corners are 10 deviations from the axes
	counts := map[string]int{}
	for i := range train.Len() {
		a, b := train.values[2*i] > 0, train.values[2*i+1] > 0
		counts[fmt.Sprint(a, b)]++
		if want := a != b; want != (train.Label(i) == 1) {
			t.Errorf("sample %d: %v xor %v labelled %d", i, a, b, train.Label(i))
		}
	}
	for corner, n := range counts {
		if n != 100 {
			t.Errorf("corner %s has %d samples, want 100", corner, n)
		}
	}
}

func TestXOR_NoiseHasItsDeviation(t *testing.T) {
	const n, sigma = 20000, 0.25
	train, _ := mustLoad(t, XOR{Train: n, Noise: sigma, Seed: 4})
	bare, _ := mustLoad(t, XOR{Train: n, Seed: 4})
	var sum float64
	for k, v := range train.values {
		d := v - bare.values[k]
		sum += d * d
	}
	// The relative deviation of a variance over 2n samples is sqrt(2/2n) = 0.7 %; allow 4 of them.
	if variance := sum / (2 * n); math.Abs(variance/(sigma*sigma)-1) > 0.03 {
		t.Errorf("noise variance %v, want %v", variance, sigma*sigma)
	}
}

// Without noise each sample solves the equation of its class.
func TestMoons_LieOnTheirArcs(t *testing.T) {
	train, _ := mustLoad(t, Moons{Seed: 5})
	for i := range train.Len() {
		x, y := train.values[2*i], train.values[2*i+1]
		if train.Label(i) == 1 {
			x, y = 1-x, 0.5-y
		}
		if math.Abs(math.Hypot(x, y)-1) > 1e-12 || y < -1e-12 {
			t.Errorf("sample %d of class %d: (%v, %v) is off the upper unit half circle", i, train.Label(i), x, y)
		}
	}
}

func TestSpirals_LieOnTheirArms(t *testing.T) {
	const arms, turns = 5, 1.5
	train, _ := mustLoad(t, Spirals{Train: 500, Arms: arms, Turns: turns, Seed: 6})
	counts := make([]int, arms)
	for i := range train.Len() {
		x, y := train.values[2*i], train.values[2*i+1]
		counts[train.Label(i)]++
		u := (math.Hypot(x, y) - 0.1) / 0.9
		angle := 2 * math.Pi * (float64(train.Label(i))/arms + turns*u)
		off := math.Remainder(math.Atan2(y, x)-angle, 2*math.Pi)
		if u < -1e-12 || u > 1+1e-12 || math.Abs(off) > 1e-9 {
			t.Errorf("sample %d of arm %d: u %v, %v rad off", i, train.Label(i), u, off)
		}
	}
	if diff := cmp.Diff([]int{100, 100, 100, 100, 100}, counts); diff != "" {
		t.Errorf("samples per arm (-want +got):\n%s", diff)
	}
}

// Oracle: gonum's least squares finds the A that Truth returns.
func TestLinear_LeastSquaresFindsTheTruth(t *testing.T) {
	for _, test := range []struct{ noise, tol float64 }{
		{0, 1e-12},
		// The deviation of one entry is noise/sqrt(n) = 0.0022; allow 5 of them over the 30 entries.
		{0.1, 0.011},
	} {
		task := Linear{In: 6, Out: 5, Train: 2000, Noise: test.noise, Seed: 9}
		truth, err := task.Truth()
		if err != nil {
			t.Fatal(err)
		}
		train, _ := mustLoad(t, task)
		var a mat.Dense
		x, y := mat.NewDense(2000, 6, train.values), mat.NewDense(2000, 5, train.targets)
		if err := a.Solve(x, y); err != nil {
			t.Fatal(err)
		}
		for j := range 6 {
			for k := range 5 {
				if got, want := a.At(j, k), truth[j*5+k]; math.Abs(got-want) > test.tol {
					t.Errorf("noise %v: A[%d,%d] = %v, want %v", test.noise, j, k, got, want)
				}
			}
		}
	}
}

func TestLinear_TruthIsOfOrderOneOverWidth(t *testing.T) {
	const in, out = 100, 200
	a, err := Linear{In: in, Out: out, Seed: 1}.Truth()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Linear{In: in, Out: out, Seed: 2}.Truth()
	if err != nil {
		t.Fatal(err)
	}
	var aa, ab float64
	for i := range a {
		aa += a[i] * a[i] / out // the mean column norm, squared: 1
		ab += a[i] * b[i] / out // independent: 0
	}
	// Over 20000 entries the deviations are sqrt(2/20000) = 1 % and sqrt(1/20000) = 0.7 %; allow 4 of them.
	if math.Abs(aa-1) > 0.04 || math.Abs(ab) > 0.028 {
		t.Errorf("mean squared column norm %v, want 1; overlap of two seeds %v, want 0", aa, ab)
	}
}

func TestSine_IsASine(t *testing.T) {
	train, _ := mustLoad(t, Sine{Seed: 10})
	var low, high float64
	for i, x := range train.values {
		if train.targets[i] != math.Sin(x) {
			t.Errorf("sample %d: y(%v) = %v", i, x, train.targets[i])
		}
		low, high = min(low, x), max(high, x)
	}
	// 1000 uniform samples miss an end of the interval by more than 1 % with probability 2 * 0.99^1000 = 9e-5; the seed is fixed.
	if low < -math.Pi || high >= math.Pi || low > -0.98*math.Pi || high < 0.98*math.Pi {
		t.Errorf("x covers [%v, %v], want [-pi, pi)", low, high)
	}
}
