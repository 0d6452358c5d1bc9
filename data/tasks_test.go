package data

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestCopy_IsTheWordTheDelimiterAndTheWordAgain(t *testing.T) {
	const length, alphabet = 3, 5
	train, test := mustLoad(t, Copy{Length: length, Tokens: alphabet, Train: 2000, Test: 10, Coding: Indices, Seed: 4})
	const delimiter, blank = alphabet, alphabet + 1
	counts := make([]float64, alphabet)
	x := make([]float64, train.In())
	for i := range train.Len() {
		Fill(train, x, nil, []int{i})
		var word, want, labels []int
		for _, v := range x[:length] {
			word = append(word, int(v))
			counts[int(v)]++
		}
		for k := range 2 * length {
			labels = append(labels, train.TokenLabel(i, k))
		}
		if want = append([]int{blank, blank, blank}, word...); !slices.Equal(labels, want) {
			t.Fatalf("sample %d: labels %v, want %v", i, labels, want)
		}
		if !slices.Equal(x[length:], []float64{delimiter, blank, blank}) {
			t.Fatalf("sample %d: input %v", i, x)
		}
	}
	// Uniform tokens: each count is 1200 with deviation sqrt(6000 * 0.2 * 0.8) = 31; allow 4 of them.
	for token, n := range counts {
		if math.Abs(n-1200) > 124 {
			t.Errorf("token %d: %v times, want about 1200", token, n)
		}
	}
	if from, to := train.Scored(); from != length || to != 2*length || test.Len() != 10 || train.Classes() != alphabet+2 {
		t.Errorf("scored %d..%d, %d classes", from, to, train.Classes())
	}
}

func TestCopy_OneHotIsTheIndicesLookedUp(t *testing.T) {
	ids, _ := mustLoad(t, Copy{Coding: Indices, Seed: 3})
	one, _ := mustLoad(t, Copy{Seed: 3})
	if !slices.Equal(one.InShape(), []int{16, 10}) || !slices.Equal(one.OutShape(), []int{16, 10}) || !slices.Equal(ids.InShape(), []int{16}) {
		t.Errorf("shapes %v, %v, %v", one.InShape(), one.OutShape(), ids.InShape())
	}
	x, want := make([]float64, one.In()), make([]float64, one.In())
	y, wantY := make([]float64, one.Out()), make([]float64, one.Out())
	Fill(one, x, y, []int{17})
	for k, id := range filled(ids, 17) {
		want[10*k+int(id)] = 1
		wantY[10*k+one.TokenLabel(17, k)] = 1
	}
	if !slices.Equal(x, want) || !slices.Equal(y, wantY) {
		t.Error("one-hot rows differ")
	}
}

// Oracle: least squares on the pairs finds w; the target is w applied to the query.
func TestInContext_PairsDetermineTheTarget(t *testing.T) {
	const pairs, dim, n = 9, 3, 400
	train, test := mustLoad(t, InContext{Pairs: pairs, Dim: dim, Train: n, Seed: 8})
	if !slices.Equal(train.InShape(), []int{pairs + 1, dim + 1}) || !slices.Equal(train.OutShape(), []int{1}) ||
		train.Classes() != 0 || test.Len() != 200 {
		t.Errorf("%v -> %v", train.InShape(), train.OutShape())
	}
	x, y := make([]float64, train.In()), make([]float64, 1)
	var ww, xx, loss float64
	for i := range n {
		Fill(train, x, y, []int{i})
		var w mat.VecDense
		a := mat.DenseCopyOf(mat.NewDense(pairs+1, dim+1, x).Slice(0, pairs, 0, dim))
		b := mat.NewVecDense(pairs, nil)
		for k := range pairs {
			b.SetVec(k, x[k*(dim+1)+dim])
		}
		if err := w.SolveVec(a, b); err != nil {
			t.Fatal(err)
		}
		query := mat.NewVecDense(dim, x[pairs*(dim+1):pairs*(dim+1)+dim])
		// Rounding is amplified by the condition of 9 Gaussian rows in 3 dimensions, below 1e3 here.
		if got := mat.Dot(&w, query); math.Abs(got-y[0]) > 1e-11 || x[len(x)-1] != 0 {
			t.Errorf("task %d: target %v, the pairs say %v; query ends with %v", i, y[0], got, x[len(x)-1])
		}
		ww += mat.Dot(&w, &w) / (n * dim)
		xx += mat.Dot(query, query) / (n * dim)
		loss += y[0] * y[0] / 2 / n
	}
	// Over 1200 numbers the deviation of a variance is sqrt(2/1200) = 4 %; allow 4 of them. The loss of predicting zero is dim/2
	// = 1.5; (w.x)^2 has the variance 3 dim (dim+2) - dim^2 = 36, so its half over 400 tasks the deviation 0.15; allow 4.
	if math.Abs(ww-1) > 0.16 || math.Abs(xx-1) > 0.16 || math.Abs(loss-1.5) > 0.6 {
		t.Errorf("variances of w %v and x %v, want 1; loss of zero %v, want 1.5", ww, xx, loss)
	}
}

func TestBarsAndStripes_AreConstantAlongTheirLines(t *testing.T) {
	const side = 5
	train, _ := mustLoad(t, BarsAndStripes{Side: side, Train: 6000, Seed: 2})
	if !slices.Equal(train.InShape(), []int{side, side, 1}) || train.Classes() != 2 {
		t.Errorf("%v, %d classes", train.InShape(), train.Classes())
	}
	counts := map[string]int{}
	for i := range train.Len() {
		p := train.Pixels(i)
		whites := 0
		for h := range side {
			for w := range side {
				like := p[w] // the top of the column
				if train.Label(i) == 1 {
					like = p[h*side] // the left of the row
				}
				if p[h*side+w] != like || like != 0 && like != 255 {
					t.Fatalf("sample %d of class %d: %v", i, train.Label(i), p)
				}
				whites += int(p[h*side+w]) / 255
			}
		}
		if whites == 0 || whites == side*side || train.Label(i) != i%2 {
			t.Fatalf("sample %d of class %d: %v", i, train.Label(i), p)
		}
		counts[string(p)]++
	}
	var chi float64
	for _, c := range counts {
		chi += float64((c-100)*(c-100)) / 100
	}
	// 60 patterns, 58 degrees of freedom (30 a class): chi-squared with probability 1e-4 at either end.
	low, high := (distuv.ChiSquared{K: 58}).Quantile(1e-4), (distuv.ChiSquared{K: 58}).Quantile(1-1e-4)
	if len(counts) != 60 || chi < low || chi > high {
		t.Errorf("%d patterns, chi-squared %v, want 60 and %v..%v", len(counts), chi, low, high)
	}
	x := filled(train, 0)
	if slices.Min(x) != 0 || slices.Max(x) != 1 {
		t.Errorf("white and black are %v and %v", slices.Max(x), slices.Min(x))
	}
}

func TestBarsAndStripes_FlipsHaveTheirProbability(t *testing.T) {
	const n, p = 3000, 0.1
	s := BarsAndStripes{Side: 6, Train: n, Flips: p, Seed: 2}
	train, _ := mustLoad(t, s)
	// The lines are drawn from the same stream as the flips: find the line by majority, exact but for 3 or more flips in 6.
	flips := 0
	for i := range n {
		for k := range 6 {
			whites := 0
			for j := range 6 {
				at := j*6 + k
				if train.Label(i) == 1 {
					at = k*6 + j
				}
				whites += int(train.Pixels(i)[at]) / 255
			}
			flips += min(whites, 6-whites)
		}
	}
	// E min(b, 6-b) for b ~ Binomial(6, 0.1), in closed form; its deviation over 18000 lines is below 0.006, allow 4 of them.
	var want float64
	for b := range 7 {
		want += float64(min(b, 6-b)) * distuv.Binomial{N: 6, P: p}.Prob(float64(b))
	}
	if got := float64(flips) / (6 * n); math.Abs(got-want) > 0.024 {
		t.Errorf("%v flips a line, want %v", got, want)
	}
}

func generated(train, test int, seed uint64) []Source {
	return []Source{
		Copy{Train: train, Test: test, Seed: seed}, InContext{Train: train, Test: test, Seed: seed},
		BarsAndStripes{Side: 6, Train: train, Test: test, Flips: 0.1, Seed: seed},
	}
}

func TestGenerated_DependOnTheSeedOnly(t *testing.T) {
	all := slices.Collect(naturals(30))
	longer, other := generated(300, 20, 7), generated(30, 20, 8)
	for k, source := range generated(30, 20, 7) {
		train, test := mustLoad(t, source)
		again, testAgain := mustLoad(t, longer[k])
		if !slices.Equal(filled(train, all...), filled(again, all...)) || !slices.Equal(filled(test, all[:20]...), filled(testAgain, all[:20]...)) {
			t.Errorf("%s: more training samples change the first ones or the test part", train.Name)
		}
		if different, _ := mustLoad(t, other[k]); slices.Equal(filled(train, all...), filled(different, all...)) {
			t.Errorf("%s: another seed gives the same data", train.Name)
		}
		if slices.Equal(filled(train, all[:20]...), filled(test, all[:20]...)) {
			t.Errorf("%s: training and test part are the same", train.Name)
		}
	}
}

func TestSequences_ShapesSlicesAndAllocations(t *testing.T) {
	for _, source := range append(generated(30, 20, 1), Corpus{}, Corpus{Coding: Indices, Stride: 7}, Moons{}) {
		s, _ := mustLoad(t, source)
		product := func(shape []int) int {
			p := 1
			for _, d := range shape {
				p *= d
			}
			return p
		}
		if product(s.InShape()) != s.In() || product(s.OutShape()) != s.Out() {
			t.Errorf("%s: shapes %v, %v of %d -> %d", s.Name, s.InShape(), s.OutShape(), s.In(), s.Out())
		}
		part := s.Slice(3, 20).Slice(2, 9)
		x, y := make([]float64, 2*s.In()), make([]float64, 2*s.Out())
		px, py := make([]float64, 2*s.In()), make([]float64, 2*s.Out())
		Fill(s, x, y, []int{11, 5})
		Fill(part, px, py, []int{6, 0})
		if part.Len() != 7 || !cmp.Equal(x, px) || !cmp.Equal(y, py) {
			t.Errorf("%s: slice and whole differ", s.Name)
		}
		if from, to := s.Scored(); to > from && part.TokenLabel(6, to-1) != s.TokenLabel(11, to-1) {
			t.Errorf("%s: labels of slice and whole differ", s.Name)
		}
		x32, y32, idx := make([]float32, 2*s.In()), make([]float32, 2*s.Out()), []int{1, 0}
		if n := testing.AllocsPerRun(20, func() { Fill(s, x32, y32, idx) }); n != 0 {
			t.Errorf("%s: %v allocations per Fill", s.Name, n)
		}
	}
}

func TestSequences_WrongCallsPanic(t *testing.T) {
	s, _ := mustLoad(t, Copy{Length: 2})
	classes, _ := mustLoad(t, Moons{})
	regression, _ := mustLoad(t, InContext{})
	if classes.TokenLabel(3, 0) != classes.Label(3) {
		t.Error("the one label of a sample is not that of step 0")
	}
	if from, to := regression.Scored(); from != 0 || to != 0 || regression.Vocabulary() != nil || s.Vocabulary() != nil {
		t.Error("a regression is scored, or has a vocabulary")
	}
	part := s.Slice(0, 2)
	for reason, call := range map[string]func(){
		"single label of a sequence":       func() { s.Label(0) },
		"sample behind the end":            func() { s.TokenLabel(s.Len(), 0) },
		"sample behind the slice":          func() { part.TokenLabel(2, 0) },
		"negative sample":                  func() { s.Slice(3, 9).TokenLabel(-1, 0) },
		"step behind the end":              func() { s.TokenLabel(0, 4) },
		"second step of a single label":    func() { classes.TokenLabel(0, 1) },
		"label of a regression":            func() { regression.TokenLabel(0, 0) },
		"pixels of what is not a picture":  func() { s.Pixels(0) },
		"fill of what is behind the slice": func() { Fill(part, make([]float64, part.In()), nil, []int{2}) },
	} {
		t.Run(reason, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func TestGenerated_RefuseWrongOptions(t *testing.T) {
	for _, test := range []struct {
		source Source
		want   string
	}{
		{Copy{Length: -1}, "Length is -1"}, {Copy{Length: 1 << 13}, "Length is 8192"}, {Copy{Tokens: 1}, "Tokens is 1: give 2..4096"},
		{Copy{Train: -1}, "Train is -1"}, {Copy{Test: math.MaxInt}, "Test is"}, {Copy{Coding: -1}, "Coding is -1"},
		{InContext{Pairs: -1}, "Pairs is -1"}, {InContext{Dim: 1 << 13}, "Dim is 8192"}, {InContext{Train: math.MaxInt}, "Train is"},
		{InContext{Test: -3}, "Test is -3"}, {InContext{Pairs: 1 << 12, Dim: 1 << 12, Train: 100}, "Train is 100"},
		{BarsAndStripes{Side: 1}, "Side is 1: give 2..4096"}, {BarsAndStripes{Side: -1}, "Side is -1"},
		{BarsAndStripes{Flips: 0.6}, "Flips is 0.6"}, {BarsAndStripes{Flips: math.NaN()}, "Flips is NaN"},
		{BarsAndStripes{Train: -1}, "Train is -1"}, {BarsAndStripes{Test: math.MaxInt}, "Test is"},
	} {
		train, held, err := test.source.Load()
		if err == nil || train != nil || held != nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "data: ") {
			t.Errorf("%+v: error %v, want %q in it", test.source, err, test.want)
		}
	}
}
