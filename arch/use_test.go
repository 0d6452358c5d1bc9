package arch

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pcgraph/pcgraph/layers"
)

// small is a compiled and clamped chain 4-3-2 with a batch of 2, and data for it.
func small(tb testing.TB, c Coordinates) (m *Model[float64], x []float64) {
	tb.Helper()
	n, err := MLP(nil, layers.Tanh, 4, 3, 2)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := NewWeights[float64](n, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		tb.Fatal(err)
	}
	if m, err = Compile(n, w, Plan{Batch: 2, Coordinates: c}); err != nil {
		tb.Fatal(err)
	}
	x = []float64{1, 2, 3, 4, 5, 6, 7, 8}
	if err := m.Clamp(x, x[:4]); err != nil {
		tb.Fatal(err)
	}
	return m, x
}

// calls are all methods of a Model that run or change something.
func calls(m, other *Model[float64], h *StateHessian[float64]) map[string]func() {
	x, z, dst, dw := make([]float64, 8), make([]float64, 6), make([]float64, 6), make([]float64, 23)
	return map[string]func(){
		"Resized":         func() { _, _ = m.Resized(3) },
		"Forward":         func() { _ = m.Forward() },
		"Show":            func() { m.Show() },
		"StateGrad":       func() { _, _ = m.StateGrad(dst, z) },
		"FusedSteps":      func() { _, _, _ = m.FusedSteps(dst, z, .1, 1) },
		"ParamGrad":       func() { _, _ = m.ParamGrad(dw) },
		"Energy":          func() { _, _ = m.Energy() },
		"TermEnergies":    func() { m.TermEnergies(make([]float64, 2)) },
		"Locate":          func() { m.Locate() },
		"Clamp":           func() { _ = m.Clamp(x, x[:4]) },
		"ClampSite":       func() { _ = m.ClampSite("x", x) },
		"Mask":            func() { _ = m.Mask("x", x) },
		"SetLayerInput":   func() { _ = m.SetLayerInput("", nil) },
		"DrawLayerInputs": func() { m.DrawLayerInputs(nil) },
		"SetAs":           func() { _ = m.SetAs(other) },
		"Predict":         func() { _, _ = m.Predict(x) },
		"Activities":      func() { _, _ = m.Activities() },
		"Newton":          func() { _, _ = m.Newton(dst, z, z) },
		"StateHessian.At": func() { _ = h.At(z) },
	}
}

// panics is what f panics with; "" if it does not.
func panics(f func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message, _ = r.(string)
		}
	}()
	f()
	return ""
}

// TestModel_InUse: while one call is under way every other one panics with a sentence; when it has returned, or has itself
// panicked, all work again.
func TestModel_InUse(t *testing.T) {
	m, _ := small(t, Errors)
	other, _ := small(t, Errors)
	h, err := m.StateHessian()
	if err != nil {
		t.Fatal(err)
	}
	all := calls(m, other, h)
	m.enter("Energy")
	for name, call := range all {
		if s := panics(call); !strings.HasPrefix(s, "arch: Model."+name+": another call of the same Model has not returned") {
			t.Errorf("%s in the middle of another call: panic %q", name, s)
		}
	}
	m.leave()
	for name, call := range all {
		if s := panics(call); s != "" {
			t.Errorf("%s: panic %q", name, s)
		}
	}
	if s := panics(func() { _, _ = m.StateGrad(nil, nil) }); !strings.Contains(s, "want 6") {
		t.Errorf("a wrong length: panic %q", s)
	}
	if s := panics(all["Energy"]); s != "" {
		t.Errorf("after a panic: panic %q", s)
	}
}

// TestModel_TwoGoroutines: two that share one model get right numbers or a panic that says so, never wrong numbers.
func TestModel_TwoGoroutines(t *testing.T) {
	m, _ := small(t, Activities)
	xs := [][]float64{{1, 2, 3, 4}, {-4, .3, 2, -1}}
	var want [2][]float64
	for i, x := range xs {
		y, err := m.Predict(x)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = y
	}
	var group sync.WaitGroup
	for i, x := range xs {
		group.Go(func() {
			for range 500 {
				var y []float64
				var err error
				s := panics(func() { y, err = m.Predict(x) })
				switch {
				case s != "":
					if !strings.Contains(s, "used by one goroutine at a time") {
						t.Errorf("panic %q", s)
					}
				case err != nil:
					t.Error(err)
				case !slices.Equal(y, want[i]):
					t.Errorf("predicted %v, want %v", y, want[i])
				}
			}
		})
	}
	group.Wait()
}

// TestModel_CallsDoNotAllocate: neither the mark of use nor the checks of lengths and overlap do.
func TestModel_CallsDoNotAllocate(t *testing.T) {
	m, _ := small(t, Activities)
	dst, dw, terms := make([]float64, 6), make([]float64, 23), make([]float64, 2)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = m.StateGrad(dst, m.State())
		_, _ = m.ParamGrad(dw)
		m.TermEnergies(terms)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestModel_Nil: what Compile returns with an error, used all the same, panics with a sentence.
func TestModel_Nil(t *testing.T) {
	m, err := Compile[float64](nil, nil, Plan{})
	if err == nil || m != nil {
		t.Fatal("no network was compiled to a model")
	}
	all := calls(m, m, nil)
	delete(all, "StateHessian.At")
	delete(all, "SetAs") // itself
	for name, call := range map[string]func(){
		"Network": func() { m.Network() }, "Plan": func() { m.Plan() }, "Weights": func() { m.Weights() }, "State": func() { m.State() },
		"StateVector": func() { m.StateVector() }, "Free": func() { m.Free() }, "Terms": func() { m.Terms() }, "Bytes": func() { m.Bytes() },
		"TakesBatches": func() { _ = m.TakesBatches() }, "LayerInputs": func() { m.LayerInputs() }, "LayerInput": func() { m.LayerInput("") },
		"Sizes": func() { m.Sizes() }, "Describe": func() { m.Describe() }, "Dot": func() { _ = m.Dot(io.Discard, EnergyView) },
		"StateHessian": func() { _, _ = m.StateHessian() },
	} {
		all[name] = call
	}
	for name, call := range all {
		if s := panics(call); s != "arch: Model."+name+" of a nil Model: look at the error that Compile returned with it" {
			t.Errorf("%s: panic %q", name, s)
		}
	}
}

// TestPredict_RefusesNumbersThatAreNotFinite, and names the first of them.
func TestPredict_RefusesNumbersThatAreNotFinite(t *testing.T) {
	m, _ := small(t, Activities)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		x := make([]float64, 5*4)
		x[3*4+2], x[4*4] = bad, bad
		if y, err := m.Predict(x); err == nil || !strings.Contains(err.Error(), "sample 3, element 2 is") || y != nil {
			t.Errorf("of %v: %v, error %v", bad, y, err)
		}
	}
	if y, err := m.Predict(nil); err != nil || len(y) != 0 {
		t.Errorf("of no samples: %v, error %v", y, err)
	}
}

// TestConstructors_RefuseNonsense: what no network can be made of is an error of what describes it, which says what to do.
func TestConstructors_RefuseNonsense(t *testing.T) {
	nan, huge := math.NaN(), math.MaxInt/4+1
	network := func(n *Network, err error) error { return err }
	of := func(l layers.Layer) error {
		return (&Network{Input: []int{4}, Blocks: []Block{{Name: "a", Layer: l}}}).Validate()
	}
	for _, test := range []struct {
		reason string
		err    error
		want   string
	}{
		{"an unknown activation", network(MLP(nil, layers.Act(200), 4, 3, 2)), "no activation 200: take one of [linear tanh"},
		{"an unknown activation of a residual network", network(ResMLP(nil, layers.Act(9), 4, 3, 3, 2)), "no activation 9"},
		{"of a convolutional network", network(CNN{Act: layers.Act(77), Image: [3]int{8, 8, 1}, Channels: []int{2, 2}, Classes: 2}.Network()), "no activation 77"},
		{"of a ResNet", network(ResNet{Act: layers.Act(77), Image: [3]int{8, 8, 1}, Width: 2, Classes: 2}.Network()), "no activation 77"},
		{"of a transformer", network(Transformer{Act: layers.Act(77), Vocab: 3, Tokens: 4, Width: 2}.Network()), "no activation 77"},
		{"of a bidirectional network", network(Bidirectional{Chain: Chain{Act: layers.Act(77), Widths: []int{2, 2, 2}}}.Network()), "no activation 77"},
		{"behind a layer", of(layers.Linear{In: 4, Out: 4, Post: layers.Act(77)}), "no activation 77"},
		{"inside a layer", of(layers.Compose{layers.Residual{Inner: layers.FeedForward{Width: 4, Act: layers.Act(77)}}}), "no activation 77"},
		{"widths whose product is no int", network(MLP(nil, layers.Tanh, huge, huge)), "more than"},
		{"widths whose product wraps to zero", network(MLP(nil, layers.Tanh, 4, 1<<(intBits/2), 1<<(intBits/2), 2)), "look at the widths"},
		{"one width that no machine holds", network(MLP(nil, layers.Tanh, huge, 1)), "look at"},
		{"weights that are too many together", network(MLP(nil, layers.Tanh, slices.Repeat([]int{1 << 15}, 100)...)), "look at the widths"},
		{"a negative width", network(MLP(nil, layers.Tanh, 4, -3, 2)), "not positive"},
		{"no hidden width", network(MLP(nil, layers.Tanh, 4, 0, 2)), "not positive"},
		{"a gamma that is no number", network(MLP(MuPC{Gamma: nan}, layers.Tanh, 4, 3, 2)), "look at its fields"},
		{"a negative gamma", network(MLP(MuPC{Gamma: -1}, layers.Tanh, 4, 3, 2)), "look at its fields"},
		{"an infinite gamma", network(MLP(Scaled{Gamma: math.Inf(1)}, layers.Tanh, 4, 3, 2)), "look at its fields"},
		{"a negative gamma of any scaling", network(MLP(Scaled{Of: NTP{}, Gamma: -1}, layers.Tanh, 4, 3, 2)), "look at its fields"},
		{"a rate of dropout that is no number", of(layers.Dropout{Rate: nan}), "want a number from 0 to below 1"},
		{"a negative eps", of(layers.LayerNorm{Width: 4, Eps: -1}), "Eps is -1"},
		{"an eps that is no number", of(layers.RMSNorm{Width: 4, Eps: nan}), "Eps is NaN"},
		{"a scale that is no number", of(layers.Attention{Width: 4, Heads: 2, Scale: nan}), "Scale is NaN"},
		{"a factor that is no number", of(layers.Residual{Inner: layers.Identity{}, Factor: nan}), "Factor is NaN"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that says %q", test.reason, test.err, test.want)
		}
	}
	if _, err := MLP(nil, layers.Tanh, 4, 3, 2); err != nil { // documented: SP
		t.Error(err)
	}
	n, _ := MLP(nil, layers.Tanh, 4, 3, 2)
	if _, err := NewWeights[float64](n, nil); err == nil || !strings.Contains(err.Error(), "rand.New") {
		t.Errorf("weights without random numbers: error %v", err)
	}
	if _, _, err := NewWeightsTogether[float64](nil, Member{"a", n}); err == nil || !strings.Contains(err.Error(), "rand.New") {
		t.Errorf("weights together without random numbers: error %v", err)
	}
	w, err := NewWeights[float64](n, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(n, w, Plan{Batch: huge}); err == nil || !strings.Contains(err.Error(), "elements") {
		t.Errorf("a batch of %d: error %v", huge, err)
	}
}

const intBits = 32 << (^uint(0) >> 63)

// BenchmarkSmallStateGrad is the evaluation in which the price of a call counts most.
func BenchmarkSmallStateGrad(b *testing.B) {
	m, _ := small(b, Activities)
	dst := make([]float64, 6)
	z := [2][]float64{make([]float64, 6), {1, 2, 3, 4, 5, 6}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := m.StateGrad(dst, z[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}
