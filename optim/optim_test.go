package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// all returns a fresh optimiser of every kind.
func all[T Float](rate float64, spans []Span) map[string]Optimizer[T] {
	return map[string]Optimizer[T]{
		"SGD":      &SGD[T]{Rate: rate, Decay: 0.01, Spans: spans},
		"Momentum": &Momentum[T]{Rate: rate, Mu: 0.9, Decay: 0.01, Spans: spans},
		"Nesterov": &Momentum[T]{Rate: rate, Mu: 0.9, Nesterov: true, Spans: spans},
		"Adam":     &Adam[T]{Rate: rate, Spans: spans},
		"AdamW":    &AdamW[T]{Rate: rate, Decay: 0.1, Spans: spans},
		"Clip":     &Clip[T]{Max: 1, Opt: &Adam[T]{Rate: rate, Spans: spans}},
	}
}

func normals(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func TestStep_HandValues(t *testing.T) {
	tests := []struct {
		name   string
		opt    Optimizer[float64]
		grads  []float64 // one per step
		want   float64   // from w = 1
		reason string
	}{
		{"SGD", &SGD[float64]{Rate: 0.1}, []float64{2, -1}, 1 - 0.2 + 0.1, "w - rate g"},
		{"SGD decay", &SGD[float64]{Rate: 0.1, Decay: 0.5}, []float64{2}, 1 - 0.1*(2+0.5), "decay is added to g"},
		{"Momentum", &Momentum[float64]{Rate: 0.1, Mu: 0.5}, []float64{2, 2}, 1 - 0.1*2 - 0.1*3, "v = 2, then 3"},
		{"Nesterov", &Momentum[float64]{Rate: 0.1, Mu: 0.5, Nesterov: true}, []float64{2, 2},
			1 - 0.1*(2+1) - 0.1*(2+1.5), "g + mu v with v = 2, then 3"},
		{"Adam first", &Adam[float64]{Rate: 0.1, Eps: 1e-300}, []float64{1e-3}, 0.9, "m/sqrt(v) is the sign of g"},
		{"Adam eps outside", &Adam[float64]{Rate: 0.1, Eps: 1}, []float64{3}, 1 - 0.1*3./4, "3/(sqrt(9)+1)"},
		{"Adam two", &Adam[float64]{Rate: 1, Beta1: 0.5, Beta2: 0.5, Eps: 1e-300}, []float64{1, -1},
			1. / 3, "down 1, then up: m = -1/4 over 3/4, v = 3/4 over 3/4"},
		{"AdamW", &AdamW[float64]{Rate: 0.1, Decay: 0.5, Eps: 1e-300}, []float64{7}, 1 - 0.1*(1+0.5), "decay outside the moments"},
		{"Clip", &Clip[float64]{Max: 1, Opt: &SGD[float64]{Rate: 0.1}}, []float64{-5}, 1.1, "gradient scaled to norm 1"},
		{"Clip small", &Clip[float64]{Max: 1, Opt: &SGD[float64]{Rate: 0.1}}, []float64{0.5}, 0.95, "gradient below Max is kept"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := []float64{1}
			for _, g := range test.grads {
				test.opt.Step(w, []float64{g})
			}
			if math.Abs(w[0]-test.want) > 1e-14 { // a few roundings
				t.Errorf("w = %.17g, want %.17g: %s", w[0], test.want, test.reason)
			}
		})
	}
}

// Oracle: the moments as explicit weighted sums over all past gradients,
// instead of the recursion.
func TestAdamW_EqualsSumsOverThePast(t *testing.T) {
	const n, steps, rate, beta1, beta2, eps, decay = 7, 12, 0.03, 0.8, 0.95, 1e-6, 0.2
	opt := &AdamW[float64]{Rate: rate, Beta1: beta1, Beta2: beta2, Eps: eps, Decay: decay}
	got := normals(1, n)
	want := normals(1, n)
	var past [][]float64
	for step := 1; step <= steps; step++ {
		past = append(past, normals(uint64(step), n))
		opt.Step(got, past[step-1])
		for i := range want {
			var m, v, c1, c2 float64
			for k, g := range past {
				b1, b2 := math.Pow(beta1, float64(step-1-k)), math.Pow(beta2, float64(step-1-k))
				m, c1 = m+b1*g[i], c1+b1 // sums of powers: the bias corrections
				v, c2 = v+b2*g[i]*g[i], c2+b2
			}
			want[i] -= rate * (m/c1/(math.Sqrt(v/c2)+eps) + decay*want[i])
		}
		if d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 0)); d != "" {
			t.Fatalf("step %d (-want +got):\n%s", step, d)
		}
	}
}

func TestAdam_ZeroFieldsAreTheUsualDefaults(t *testing.T) {
	a, b := normals(1, 5), normals(1, 5)
	zero := &Adam[float64]{Rate: 0.1}
	full := &Adam[float64]{Rate: 0.1, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
	for step := range 5 {
		zero.Step(a, normals(uint64(step), 5))
		full.Step(b, normals(uint64(step), 5))
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}

func TestMomentum_LongRunStepIsRateOverOneMinusMu(t *testing.T) {
	for _, nesterov := range []bool{false, true} {
		opt := &Momentum[float64]{Rate: 0.1, Mu: 0.5, Nesterov: nesterov}
		w := []float64{0}
		for range 100 {
			opt.Step(w, []float64{3})
		}
		before := w[0]
		opt.Step(w, []float64{3})
		if got, want := before-w[0], 0.1*3/(1-0.5); math.Abs(got-want) > 1e-12 {
			t.Errorf("nesterov %v: step %g, want %g", nesterov, got, want)
		}
	}
}

// Tolerance: 50 steps of size up to 0.05 round off to a few 1e-6 in float32.
func TestStep_Float32AgreesWithFloat64(t *testing.T) {
	const n, steps = 33, 50
	single, double := all[float32](0.05, nil), all[float64](0.05, nil)
	for name := range double {
		t.Run(name, func(t *testing.T) {
			w64, w32, g32 := normals(9, n), make([]float32, n), make([]float32, n)
			for i := range w64 {
				w32[i] = float32(w64[i])
			}
			for step := range steps {
				g := normals(uint64(step), n)
				for i := range g {
					g32[i] = float32(g[i])
				}
				double[name].Step(w64, g)
				single[name].Step(w32, g32)
			}
			for i := range w64 {
				if math.Abs(float64(w32[i])-w64[i]) > 2e-5 {
					t.Fatalf("w[%d] = %g, in float64 %g", i, w32[i], w64[i])
				}
			}
		})
	}
}

// A span is the same as an optimiser of its own, with another rate, on its slice.
func TestSpans_EqualSeparateOptimisers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		var spans []Span
		for at := 0; at < n && rapid.Bool().Draw(t, "more"); {
			lo := rapid.IntRange(at, n).Draw(t, "lo")
			hi := rapid.IntRange(lo, n).Draw(t, "hi")
			spans = append(spans, Span{Lo: lo, Hi: hi, Factor: rapid.SampledFrom([]float64{0, 0.5, 1, 3}).Draw(t, "factor")})
			at = hi
		}
		factor := func(i int) float64 {
			for _, s := range spans {
				if s.Lo <= i && i < s.Hi {
					return s.Factor
				}
			}
			return 1
		}
		name := rapid.SampledFrom([]string{"SGD", "Momentum", "Nesterov", "Adam", "AdamW"}).Draw(t, "name")
		whole := all[float64](0.1, spans)[name]
		got, want := normals(3, n), normals(3, n)
		alone := make([]Optimizer[float64], n)
		for i := range alone {
			alone[i] = all[float64](0.1*factor(i), nil)[name]
		}
		for step := range 4 {
			g := normals(uint64(step), n)
			whole.Step(got, g)
			for i := range alone {
				alone[i].Step(want[i:i+1], g[i:i+1])
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s with spans %v (-want +got):\n%s", name, spans, d)
		}
	})
}

// Oracle: the formulas, weight by weight, with the numbers that each weight's span gives it. A few roundings per step.
func TestSpans_EpsAndDecayAreThoseOfTheFormula(t *testing.T) {
	const n, steps, rate, mu, beta1, beta2, eps, decay = 40, 5, .03, .8, .9, .999, 1e-3, .2
	spans := []Span{{Lo: 3, Hi: 10, Factor: .5, Eps: 20, Decay: 4}, {Lo: 10, Hi: 21, Factor: 2, NoDecay: true, Decay: 7}, {Lo: 30, Hi: 33, Factor: 1, Eps: .1}}
	of := func(i int) (r, e, d float64) {
		switch {
		case i >= 3 && i < 10:
			return .5 * rate, 20 * eps, 4 * decay
		case i >= 10 && i < 21:
			return 2 * rate, eps, 0
		case i >= 30 && i < 33:
			return rate, .1 * eps, decay
		}
		return rate, eps, decay
	}
	for name, opt := range map[string]Optimizer[float64]{
		"SGD":      &SGD[float64]{Rate: rate, Decay: decay, Spans: spans},
		"Momentum": &Momentum[float64]{Rate: rate, Mu: mu, Decay: decay, Spans: spans},
		"Nesterov": &Momentum[float64]{Rate: rate, Mu: mu, Decay: decay, Nesterov: true, Spans: spans},
		"Adam":     &Adam[float64]{Rate: rate, Eps: eps, Spans: spans},
		"AdamW":    &AdamW[float64]{Rate: rate, Eps: eps, Decay: decay, Spans: spans},
		"Clip":     &Clip[float64]{Max: 1e9, Opt: &AdamW[float64]{Rate: rate, Eps: eps, Decay: decay, Spans: spans}},
	} {
		got, want := normals(7, n), normals(7, n)
		m, v := make([]float64, n), make([]float64, n)
		for step := 1; step <= steps; step++ {
			g := normals(uint64(step), n)
			opt.Step(got, slices.Clone(g))
			for i := range want {
				r, e, d := of(i)
				if name == "Adam" {
					d = 0
				}
				switch name {
				case "SGD":
					want[i] -= r * (g[i] + d*want[i])
				case "Momentum", "Nesterov":
					h := g[i] + d*want[i]
					m[i] = mu*m[i] + h
					if name == "Momentum" {
						h = m[i]
					} else {
						h += mu * m[i]
					}
					want[i] -= r * h
				default:
					m[i], v[i] = beta1*m[i]+(1-beta1)*g[i], beta2*v[i]+(1-beta2)*g[i]*g[i]
					c1, c2 := 1-math.Pow(beta1, float64(step)), 1-math.Pow(beta2, float64(step))
					want[i] -= r * (m[i]/c1/(math.Sqrt(v[i]/c2)+e) + d*want[i])
				}
			}
		}
		if d := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// A step in pieces, in any order, has the bits of one in whole, whatever the pieces and the spans cut.
func TestPiece_PiecesMakeTheStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		cuts := rapid.SliceOfN(rapid.IntRange(0, n), 0, 5)
		ends := cuts.Draw(t, "spans")
		slices.Sort(ends)
		var spans []Span
		for i := 1; i < len(ends); i += 2 {
			spans = append(spans, Span{Lo: ends[i-1], Hi: ends[i], Factor: float64(i) / 2, Eps: float64(i), Decay: 3, NoDecay: i == 3})
		}
		bounds := append(cuts.Draw(t, "pieces"), 0, n)
		slices.Sort(bounds)
		whole, parts := all[float32](.1, spans), all[float32](.1, spans)
		for name, opt := range whole {
			w, v := make([]float32, n), make([]float32, n)
			for i := range w {
				w[i] = float32(i)
				v[i] = w[i]
			}
			for step := range 3 {
				g, h := make([]float32, n), make([]float32, n)
				for i, x := range normals(uint64(step), n) {
					g[i], h[i] = float32(x), float32(x)
				}
				opt.Step(w, g)
				p := parts[name].(Piecewise[float32])
				p.Begin(v, h)
				for k := len(bounds) - 1; k > 0; k-- {
					p.Piece(v, h, bounds[k-1], bounds[k])
				}
			}
			if !slices.Equal(w, v) {
				t.Errorf("%s with spans %v in pieces at %v: %v, want %v", name, spans, bounds, v, w)
			}
		}
	})
}

func TestReset_ForgetsThePastAndAllowsAnotherLength(t *testing.T) {
	for name, opt := range all[float64](0.1, nil) {
		t.Run(name, func(t *testing.T) {
			fresh := all[float64](0.1, nil)[name]
			for _, n := range []int{9, 4, 12} {
				used := normals(1, 9)
				opt.Reset()
				opt.Step(used, normals(2, 9))
				opt.Step(used, normals(3, 9))
				opt.Reset()
				fresh.Reset()
				got, want := normals(4, n), normals(4, n)
				for step := range 3 {
					opt.Step(got, normals(uint64(step), n))
					fresh.Step(want, normals(uint64(step), n))
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%d weights (-fresh +reset):\n%s", n, d)
				}
			}
		})
	}
}

// Saving and restoring in the middle of a run changes nothing.
func TestState_RestoresARun(t *testing.T) {
	const n = 6
	for name, opt := range all[float64](0.1, nil) {
		t.Run(name, func(t *testing.T) {
			want := normals(1, n)
			for step := range 3 {
				opt.Step(want, normals(uint64(step), n))
			}
			got := append([]float64(nil), want...)
			saved := opt.(Stateful[float64]).State(n)

			other := all[float64](0.1, nil)[name]
			state := other.(Stateful[float64]).State(n)
			if len(state.Slots) != len(saved.Slots) || *saved.Steps != 3 {
				t.Fatalf("%d slots after %d steps, want %d after 3", len(state.Slots), *saved.Steps, len(saved.Slots))
			}
			*state.Steps = *saved.Steps
			for i := range saved.Slots {
				copy(state.Slots[i], saved.Slots[i])
			}
			for step := 3; step < 6; step++ {
				opt.Step(want, normals(uint64(step), n))
				other.Step(got, normals(uint64(step), n))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-original +restored):\n%s", d)
			}
		})
	}
}

func TestLearningRate_IsTheRateOfTheNextStep(t *testing.T) {
	for name, opt := range all[float64](0.1, nil) {
		*opt.(Rater).LearningRate() = 0
		w := normals(1, 3)
		opt.Step(w, normals(2, 3))
		if d := cmp.Diff(normals(1, 3), w); d != "" {
			t.Errorf("%s moved at rate 0:\n%s", name, d)
		}
	}
}

func TestStep_AllocatesNothingAfterTheFirst(t *testing.T) {
	for name, opt := range all[float32](0.1, []Span{{Lo: 2, Hi: 5, Factor: 0.5, Eps: 2}, {Lo: 7, Hi: 9, Factor: 2, Decay: 3}}) {
		w, g := make([]float32, 64), make([]float32, 64)
		if n := testing.AllocsPerRun(20, func() { opt.Step(w, g) }); n != 0 {
			t.Errorf("%s: %g allocations per step", name, n)
		}
		if n := testing.AllocsPerRun(20, func() { opt.Reset(); opt.Step(w, g) }); n != 0 {
			t.Errorf("%s: %g allocations per step after Reset", name, n)
		}
	}
}

// A wrong call panics with both lengths, for every optimiser: SGD, which has no memory of weights, as well.
func TestStep_PanicsOnWrongCalls(t *testing.T) {
	zeros := func(n int) []float64 { return make([]float64, n) }
	tests := []struct {
		reason string
		want   []string
		call   func(Optimizer[float64])
	}{
		{"a gradient too short", []string{"3 weights", "2 numbers"}, func(o Optimizer[float64]) { o.Step(zeros(3), zeros(2)) }},
		{"a gradient too long", []string{"3 weights", "4 numbers"}, func(o Optimizer[float64]) { o.Step(zeros(3), zeros(4)) }},
		{"no gradient", []string{"3 weights", "0 numbers"}, func(o Optimizer[float64]) { o.Step(zeros(3), nil) }},
		{"other weights", []string{"stepped 3", "now 4", "Reset"}, func(o Optimizer[float64]) {
			o.Step(zeros(3), zeros(3))
			o.Step(zeros(4), zeros(4))
		}},
		{"a piece beyond the end", []string{"piece [1:4]", "3 weights"}, func(o Optimizer[float64]) {
			p := o.(Piecewise[float64])
			p.Begin(zeros(3), zeros(3))
			p.Piece(zeros(3), zeros(3), 1, 4)
		}},
		{"a piece the wrong way round", []string{"piece [2:1]"}, func(o Optimizer[float64]) {
			p := o.(Piecewise[float64])
			p.Begin(zeros(3), zeros(3))
			p.Piece(zeros(3), zeros(3), 2, 1)
		}},
		{"the state of other weights", []string{"stepped 3", "now 5"}, func(o Optimizer[float64]) {
			o.Step(zeros(3), zeros(3))
			if _, sgd := o.(*SGD[float64]); sgd {
				panic("stepped 3, now 5") // it has no state of weights
			}
			o.(Stateful[float64]).State(5)
		}},
	}
	for name, opt := range all[float64](0.1, nil) {
		for _, test := range tests {
			opt.Reset()
			got, _ := recovered(func() { test.call(opt) }).(string)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s, %s: panic %q, want %q in it", name, test.reason, got, want)
				}
			}
		}
	}
	for _, spans := range [][]Span{spansOf(0, 9), spansOf(2, 3, 0, 1), spansOf(0, 2, 1, 3), spansOf(2, 1), spansOf(-1, 1)} {
		o := &SGD[float64]{Spans: spans}
		if got, _ := recovered(func() { o.Step(make([]float64, 4), make([]float64, 4)) }).(string); !strings.Contains(got, "of 4 weights: spans must be") {
			t.Errorf("spans %v: panic %q", spans, got)
		}
	}
}

// Fits reports before the first step what a step would panic at.
func TestFits_ReportsWhatAStepWouldPanicAt(t *testing.T) {
	for name, opt := range all[float64](0.1, nil) {
		if err := Fits(opt, 4); err != nil {
			t.Errorf("%s, unused: %v", name, err)
		}
		opt.Step(make([]float64, 3), make([]float64, 3))
		if err := Fits(opt, 3); err != nil {
			t.Errorf("%s, of the weights it stepped: %v", name, err)
		}
		if err := Fits(opt, 4); err == nil || !strings.Contains(err.Error(), "stepped 3 numbers so far, and now 4") {
			t.Errorf("%s, of other weights: %v", name, err)
		}
		opt.Reset()
		if err := Fits(opt, 4); err != nil {
			t.Errorf("%s, after Reset: %v", name, err)
		}
	}
	for name, opt := range all[float64](0.1, spansOf(0, 2, 3, 9)) {
		if err := Fits(opt, 9); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Fits(opt, 8); err == nil || !strings.Contains(err.Error(), "ends at 9, and there are 8 weights") {
			t.Errorf("%s, spans of other weights: %v", name, err)
		}
	}
}

// A gradient and an Eps that are scaled by the same factor make the same steps: to the bit for powers of two, as nothing is
// rounded otherwise, and to a few roundings for others, down to 1e-10 in float32. An Eps that is not scaled does not.
func TestAdam_IsInvariantWhenGradientAndEpsAreScaledAlike(t *testing.T) {
	scaleInvariance[float64](t, 1e-14)
	scaleInvariance[float32](t, 3e-6)
}

func scaleInvariance[T Float](t *testing.T, tol float64) {
	const n, steps = 64, 50
	train := func(c, eps float64, of func(eps float64) Optimizer[T]) []T {
		w, g := make([]T, n), make([]T, n)
		opt := of(eps)
		for i := range w {
			w[i] = 1
		}
		for step := range steps {
			for i, v := range normals(uint64(step), n) {
				g[i] = T(c * float64(T(v*math.Pow(10, -6*float64(i)/n)))) // of 1e-6 to 1
			}
			opt.Step(w, g)
		}
		return w
	}
	for name, of := range map[string]func(eps float64) Optimizer[T]{
		"Adam":  func(eps float64) Optimizer[T] { return &Adam[T]{Rate: .01, Eps: eps} },
		"AdamW": func(eps float64) Optimizer[T] { return &AdamW[T]{Rate: .01, Eps: eps, Decay: .1} },
		"spans": func(eps float64) Optimizer[T] {
			return &AdamW[T]{Rate: .01, Eps: eps, Spans: []Span{{Hi: 40, Factor: 2, Eps: .5}}}
		},
	} {
		want := train(1, 1e-8, of)
		for _, c := range []float64{math.Ldexp(1, -33), math.Ldexp(1, 20), 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e3} {
			exact := c == math.Ldexp(1, math.Ilogb(c))
			got := train(c, c*1e-8, of)
			off := 0.
			for i := range got {
				off = max(off, math.Abs(float64(got[i]-want[i])))
			}
			if exact && off > 0 || off > tol {
				t.Errorf("%s in %T scaled by %g: weights off by %g", name, T(0), c, off)
			}
		}
		off := 0.
		for i, v := range train(1e-10, 1e-8, of) {
			off = max(off, math.Abs(float64(v-want[i])))
		}
		if off < .01 {
			t.Errorf("%s in %T: off by %g only with an Eps that is not scaled: the test says nothing", name, T(0), off)
		}
	}
}

// spansOf makes spans of factor 1 of their ends.
func spansOf(ends ...int) []Span {
	var spans []Span
	for i := 0; i < len(ends); i += 2 {
		spans = append(spans, Span{Lo: ends[i], Hi: ends[i+1], Factor: 1})
	}
	return spans
}

func recovered(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

func TestValidate(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	type validator interface{ Validate() error }
	tests := []struct {
		opt  validator
		want string // part of the error; empty means valid
	}{
		{&SGD[float32]{}, "SGD: Rate 0"},
		{&Momentum[float32]{Mu: .9}, "Momentum: Rate 0"},
		{&Adam[float32]{}, "Adam: Rate 0"},
		{&AdamW[float32]{}, "AdamW: Rate 0"},
		{&Clip[float32]{Max: 1, Opt: &Adam[float32]{}}, "Adam: Rate 0"},
		{&Momentum[float32]{Rate: -1}, "Momentum: Rate -1"},
		{&Momentum[float32]{Rate: nan}, "Momentum: Rate NaN"},
		{&Adam[float32]{Rate: -1}, "Adam: Rate -1"},
		{&Adam[float32]{Rate: nan}, "Adam: Rate NaN"},
		{&AdamW[float32]{Rate: -1}, "AdamW: Rate -1"},
		{&AdamW[float32]{Rate: inf}, "AdamW: Rate +Inf"},
		{(*SGD[float32])(nil), "SGD: give &optim.SGD"},
		{(*Momentum[float32])(nil), "nil pointer"},
		{(*Adam[float32])(nil), "nil pointer"},
		{(*AdamW[float32])(nil), "nil pointer"},
		{(*Clip[float32])(nil), "nil pointer"},
		{&Clip[float32]{Max: 1, Opt: (*Adam[float32])(nil)}, "nil pointer"},
		{&SGD[float32]{Rate: -1}, "SGD: Rate -1"},
		{&SGD[float32]{Rate: nan}, "SGD: Rate NaN"},
		{&SGD[float32]{Rate: inf}, "SGD: Rate +Inf"},
		{&SGD[float32]{Rate: 1, Decay: -1}, "SGD: Decay -1"},
		{&SGD[float32]{Rate: 1, Spans: spansOf(0, 3, 3, 3, 5, 6)}, ""},
		{&SGD[float32]{Rate: 1, Spans: spansOf(0, 3, 2, 4)}, "span 1 starts at 2"},
		{&SGD[float32]{Rate: 1, Spans: spansOf(-1, 3)}, "span 0 is [-1:3]"},
		{&SGD[float32]{Rate: 1, Spans: spansOf(3, 2)}, "span 0 is [3:2]"},
		{&SGD[float32]{Rate: 1, Spans: []Span{{Hi: 2, Factor: -1}}}, "factor of a span -1"},
		{&SGD[float32]{Rate: 1, Spans: []Span{{Hi: 2, Factor: nan}}}, "factor of a span NaN"},
		{&SGD[float32]{Rate: 1, Spans: []Span{{Hi: 2, Decay: -1}}}, "SGD: Decay of a span -1"},
		{&AdamW[float32]{Rate: 1, Spans: []Span{{Hi: 2, Eps: inf}}}, "AdamW: Eps of a span +Inf"},
		{&AdamW[float64]{Rate: 1, Eps: 1e-40, Spans: []Span{{Hi: 2, Eps: 1e-20}}}, ""},
		{&AdamW[float32]{Rate: 1, Eps: 1e-40, Spans: []Span{{Hi: 2, Eps: 1e-20}}}, "of span 0 is zero as a float32"},
		{&Adam[float32]{Rate: 1, Eps: 1e-60}, "Eps 1e-60 is zero as a float32"},
		{&Momentum[float32]{Rate: 0.1, Mu: 0.9}, ""},
		{&Momentum[float32]{Rate: 1, Mu: 1}, "Mu 1"},
		{&Momentum[float32]{Rate: inf}, "Momentum: Rate"},
		{&Adam[float32]{Rate: 1e-3}, ""},
		{&Adam[float32]{Rate: 1, Beta1: 1}, "Adam: Beta1 1"},
		{&Adam[float32]{Rate: 1, Beta2: -0.1}, "Adam: Beta2 -0.1"},
		{&Adam[float32]{Rate: 1, Eps: nan}, "Adam: Eps NaN"},
		{&Adam[float32]{Rate: 1, Spans: spansOf(0, 3, 2, 4)}, "Adam: span 1"},
		{&AdamW[float32]{Rate: 1e-3, Decay: 0.1}, ""},
		{&AdamW[float32]{Rate: 1, Decay: -0.1}, "AdamW: Decay -0.1"},
		{&Clip[float32]{Max: 1, Opt: &SGD[float32]{Rate: 1}}, ""},
		{&Clip[float32]{Opt: &SGD[float32]{Rate: 1}}, "Max 0"},
		{&Clip[float32]{Max: nan, Opt: &SGD[float32]{Rate: 1}}, "Max NaN"},
		{&Clip[float32]{Max: 1}, "Opt is missing"},
		{&Clip[float32]{Max: 1, Opt: &SGD[float32]{Rate: -2}}, "SGD: Rate -2"},
	}
	for _, test := range tests {
		err := test.opt.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want %q", test.opt, err, test.want)
		}
	}
}

func TestClip_NormNeverExceedsMax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SliceOf(rapid.Float64Range(-1e300, 1e300)).Draw(t, "g")
		limit := rapid.Float64Range(1e-3, 1e3).Draw(t, "max")
		before := append([]float64(nil), g...)
		(&Clip[float64]{Max: limit, Opt: &SGD[float64]{}}).Step(make([]float64, len(g)), g)
		if norm := Norm(g); norm > limit*(1+1e-12) {
			t.Fatalf("norm %g above %g", norm, limit)
		}
		if Norm(before) <= limit && !slices.Equal(before, g) {
			t.Fatalf("%g became %g", before, g)
		}
	})
}

func TestNorm(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		g    []float64
		want float64
	}{
		{nil, 0},
		{[]float64{3, -4}, 5},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1}, 3},
		{[]float64{3e200, 4e200}, 5e200}, // squares overflow
		{[]float64{1, -inf, 2, 3, 4}, inf},
		{[]float64{1, nan, 2, 3, inf}, nan},
	} {
		got := Norm(test.g)
		if !(math.Abs(got-test.want) <= 1e-15*test.want || got == test.want || math.IsNaN(got) && math.IsNaN(test.want)) {
			t.Errorf("Norm(%g) = %g, want %g", test.g, got, test.want)
		}
	}
}

// Each optimiser reaches the minimum of a badly scaled quadratic.
func TestStep_MinimisesAQuadratic(t *testing.T) {
	curvature := []float64{1, 0.3, 0.1, 2}
	for name, opt := range map[string]Optimizer[float64]{
		"SGD":      &SGD[float64]{Rate: 0.5},
		"Momentum": &Momentum[float64]{Rate: 0.2, Mu: 0.8},
		"Nesterov": &Momentum[float64]{Rate: 0.2, Mu: 0.8, Nesterov: true},
		"Adam":     &Adam[float64]{Rate: 0.02},
		"Clip":     &Clip[float64]{Max: 0.5, Opt: &SGD[float64]{Rate: 0.5}},
	} {
		w, g := []float64{1, -1, 2, 1}, make([]float64, 4)
		for range 2000 {
			for i := range w {
				g[i] = curvature[i] * w[i]
			}
			opt.Step(w, g)
		}
		if Norm(w) > 1e-6 {
			t.Errorf("%s: |w| = %g after 2000 steps", name, Norm(w))
		}
	}
}

func BenchmarkStep(b *testing.B) {
	const n = 1 << 16
	for _, name := range []string{"SGD", "Momentum", "Adam", "AdamW", "Clip"} {
		b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
			opt := all[float32](1e-3, nil)[name]
			w, g := make([]float32, n), make([]float32, n)
			for i := range g {
				g[i] = float32(i%7) - 3
			}
			b.SetBytes(4 * n)
			b.ReportAllocs()
			for b.Loop() {
				opt.Step(w, g)
			}
		})
	}
}

// The spans of a network of many tensors cost next to nothing.
func BenchmarkSpans(b *testing.B) {
	const n = 1 << 16
	for _, count := range []int{0, 32, 256} {
		b.Run(fmt.Sprintf("AdamW/n=%d/spans=%d", n, count), func(b *testing.B) {
			opt := &AdamW[float32]{Rate: 1e-3, Decay: .1}
			for i := range count {
				at := i * n / count
				opt.Spans = append(opt.Spans, Span{Lo: at + 1, Hi: at + n/count/2, Factor: .5, Eps: .1, NoDecay: true})
			}
			w, g := make([]float32, n), make([]float32, n)
			b.SetBytes(4 * n)
			b.ReportAllocs()
			for b.Loop() {
				opt.Step(w, g)
			}
		})
	}
}

func BenchmarkNorm(b *testing.B) {
	g := make([]float32, 1<<16)
	b.SetBytes(4 << 16)
	for b.Loop() {
		Norm(g)
	}
}

// Factor is min(1, Max/|g|), and the norm before clipping can be had from it.
func TestClip_FactorIsWhatTheGradientWasMultipliedBy(t *testing.T) {
	c := &Clip[float64]{Max: 1, Opt: &SGD[float64]{Rate: .1}}
	if c.Factor() != 0 {
		t.Errorf("factor %g before the first step", c.Factor())
	}
	for _, test := range []struct {
		grad []float64
		want float64
	}{
		{[]float64{3, 4}, .2},
		{[]float64{.3, .4}, 1},
		{[]float64{0, 0}, 1},
		{[]float64{0, math.Inf(1)}, 1},
		{[]float64{0, math.NaN()}, 1},
		{[]float64{-30, 40}, .02},
	} {
		c.Step(make([]float64, 2), test.grad)
		if got := c.Factor(); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%v: factor %g, want %g", test.grad, got, test.want)
		}
	}
	if c.Reset(); c.Factor() != 0 {
		t.Errorf("factor %g after Reset", c.Factor())
	}
}
