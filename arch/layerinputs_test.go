package arch_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// masked has layers with inputs of their own wherever a description can put them.
func masked(tokens int) *arch.Network {
	return &arch.Network{Input: []int{tokens, 4}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Compose{layers.Dropout{Rate: .5}, layers.Linear{In: 4, Out: 4}, layers.Dropout{Rate: .25}}},
		{Name: "b", Layer: layers.Residual{Inner: layers.Attention{Width: 4, Heads: 2, Padding: true}},
			Skips: []arch.Skip{{Layer: layers.Dropout{Rate: .5}}, {From: "x", Layer: layers.Dropout{Rate: .5}}}},
		{Name: "c", Layer: layers.Linear{In: 4, Out: 3, Act: layers.Tanh}},
	}}
}

func TestLayerInputs_AreNamedByTheirPlace(t *testing.T) {
	n := masked(5)
	want := []graph.Field{{Name: "a/1/dropout", Shape: []int{2, 5, 4}}, {Name: "a/3/dropout", Shape: []int{2, 5, 4}}, {Name: "b/padding", Shape: []int{2, 5}},
		{Name: "b/skip1/dropout", Shape: []int{2, 5, 4}}, {Name: "b/skip2/dropout", Shape: []int{2, 5, 4}}}
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2, Coordinates: c}))(t)
		if d := cmp.Diff(want, m.LayerInputs()); d != "" {
			t.Errorf("%v (-want +got):\n%s", c, d)
		}
	}
	plain := mlp(t, nil, layers.Tanh, 4, 3, 2)
	if fs := compile(t, plain, weightsOf[float64](t, plain, 1), arch.Plan{Batch: 2}).LayerInputs(); fs != nil {
		t.Errorf("a network of linear layers has %v", fs)
	}
}

// TestPadding_IsAShorterSequence. Oracle: the network of three tokens. What hidden tokens hold does not matter to the
// others, in the feedforward pass, in prediction, and in the activities' gradient. Sums over fewer tokens round otherwise.
func TestPadding_IsAShorterSequence(t *testing.T) {
	const long, short, batch, tol = 5, 3, 37, 1e-13
	n, s := masked(long), masked(short)
	w := weightsOf[float64](t, n, 1)
	x, y := normal[float64](rng(1), batch*long*4), normal[float64](rng(2), batch*long*3)
	front := func(v []float64, width int) []float64 {
		var f []float64
		for i := range batch {
			f = append(f, v[i*long*width:(i*long+short)*width]...)
		}
		return f
	}
	m, few := must(arch.Compile(n, w, arch.Plan{Batch: batch}))(t), must(arch.Compile(s, w, arch.Plan{Batch: batch}))(t)
	padding := []float64{0, 0, 0, 1, 1}
	ok(t, m.SetLayerInput("b/padding", padding))
	ok(t, m.Clamp(x, y))
	ok(t, few.Clamp(front(x, 4), front(y, 3)))
	ok(t, m.Forward())
	ok(t, few.Forward())
	dz, want := make([]float64, len(m.State())), make([]float64, len(few.State()))
	must(m.StateGrad(dz, m.State()))(t)
	must(few.StateGrad(want, few.State()))(t)
	for i, f := range few.StateVector().Fields() {
		near(t, f.Name, front(m.StateVector().Part(m.State(), i), 4), few.StateVector().Part(few.State(), i), tol)
		near(t, "gradient with respect to "+f.Name, front(m.StateVector().Part(dz, i), 4), few.StateVector().Part(want, i), tol)
	}
	each := make([]float64, 0, batch*long)
	for range batch {
		each = append(each, padding...)
	}
	p := must(m.PredictWith(x, map[string][]float64{"b/padding": each}))(t)
	near(t, "prediction", front(p, 3), must(few.Predict(front(x, 4)))(t), tol)
	without := must(m.Predict(x))(t)
	if slices.Equal(without, p) {
		t.Error("Predict hides what PredictWith was told to")
	}
	near(t, "prediction after one with padding", without, must(must(arch.Compile(n, w, arch.Plan{Batch: batch}))(t).Predict(x))(t), 0)
}

// TestPredictWith_TakesEachSamplesOwn: over whole batches and what is left, sample i has the inputs of sample i.
func TestPredictWith_TakesEachSamplesOwn(t *testing.T) {
	const samples, tokens = 11, 5
	n := masked(tokens)
	w := weightsOf[float64](t, n, 1)
	x, padding := normal[float64](rng(1), samples*tokens*4), make([]float64, samples*tokens)
	for i := range padding {
		padding[i] = float64(rng(uint64(i)).IntN(2))
	}
	got := must(must(arch.Compile(n, w, arch.Plan{Batch: 4}))(t).PredictWith(x, map[string][]float64{"b/padding": padding}))(t)
	one := must(arch.Compile(n, w, arch.Plan{Batch: 1}))(t)
	for i := range samples {
		want := must(one.PredictWith(x[i*tokens*4:(i+1)*tokens*4], map[string][]float64{"b/padding": padding[i*tokens : (i+1)*tokens]}))(t)
		near(t, "sample", got[i*tokens*3:(i+1)*tokens*3], want, 0)
	}
}

// TestDropout_ScalesRowsOfTheNextWeight. Oracle: for a batch of one, x (1 + m) W is x times W with its rows scaled; the
// network without dropout. In every coordinates, for the feedforward pass, the energy and both gradients.
func TestDropout_ScalesRowsOfTheNextWeight(t *testing.T) {
	lin := func(in, out int) layers.Linear { return layers.Linear{In: in, Out: out} }
	with := &arch.Network{Input: []int{4}, Blocks: []arch.Block{
		{Name: "a", Layer: lin(4, 6)}, {Name: "b", Layer: layers.Compose{layers.Dropout{Rate: .4}, layers.Linear{In: 6, Out: 3}}}}}
	without := &arch.Network{Input: []int{4}, Blocks: []arch.Block{{Name: "a", Layer: lin(4, 6)}, {Name: "b", Layer: lin(6, 3)}}}
	w := weightsOf[float64](t, with, 1)
	x, y := samples[float64](4, 3, 1)
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		m := must(arch.Compile(with, w, arch.Plan{Batch: 1, Coordinates: c}))(t)
		m.DrawLayerInputs(rng(5))
		mask := m.LayerInput("b/1/dropout")
		if !slices.Contains(mask, -1) || math.Abs(slices.Max(mask)-.4/.6) > 1e-15 {
			t.Fatalf("mask %v: want both kinds", mask)
		}
		v := weightsOf[float64](t, without, 1)
		copy(v.Field("a/W"), w.Field("a/W"))
		for i, b := range w.Field("b/2/W") {
			v.Field("b/W")[i] = b * (1 + mask[i/3])
		}
		plain := compile(t, without, v, arch.Plan{Batch: 1, Coordinates: c})
		for _, m := range []*arch.Model[float64]{m, plain} {
			ok(t, m.Clamp(x, y))
			ok(t, m.Forward())
		}
		near(t, "activities", m.State(), plain.State(), 1e-15)
		if len(m.State()) > 0 {
			for i := range m.State() {
				m.State()[i] += .1 * float64(i)
				plain.State()[i] += .1 * float64(i)
			}
			dz, want := make([]float64, len(m.State())), make([]float64, len(m.State()))
			must(m.StateGrad(dz, m.State()))(t)
			must(plain.StateGrad(want, plain.State()))(t)
			near(t, "gradient with respect to activities", dz, want, 1e-14)
		}
		g, want := make([]float64, len(w.Data())), make([]float64, len(v.Data()))
		e, f := must(m.ParamGrad(g))(t), must(plain.ParamGrad(want))(t)
		if math.Abs(e-f) > 1e-14*f {
			t.Errorf("%v: energy %v, want %v", c, e, f)
		}
		for i := range mask { // dF/dW = (1 + m) dF/d((1 + m) W)
			for k := range 3 {
				want[24+3*i+k] *= 1 + mask[i]
			}
		}
		near(t, "gradient with respect to weights", g, want, 1e-14)
	}
}

// TestDrawLayerInputs: the same rng draws the same for models of one network in any coordinates, and other numbers the next
// time; nothing is allocated; what is not random stays.
func TestDrawLayerInputs_AreTheSameInAllCoordinates(t *testing.T) {
	n := masked(5)
	w := weightsOf[float32](t, n, 1)
	var ms []*arch.Model[float32]
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		m := must(arch.Compile(n, w, arch.Plan{Batch: 3, Coordinates: c}))(t)
		ok(t, m.SetLayerInput("b/padding", []float32{0, 0, 1, 1, 1}))
		m.DrawLayerInputs(rng(7))
		ms = append(ms, m)
	}
	for _, f := range ms[0].LayerInputs() {
		if f.Name != "b/padding" && len(slices.Compact(slices.Sorted(slices.Values(ms[0].LayerInput(f.Name))))) != 2 {
			t.Errorf("%s is %v: want two different numbers", f.Name, ms[0].LayerInput(f.Name))
		}
		for _, m := range ms[1:] {
			if !slices.Equal(m.LayerInput(f.Name), ms[0].LayerInput(f.Name)) {
				t.Errorf("%s differs between coordinates", f.Name)
			}
		}
	}
	if p := ms[0].LayerInput("b/padding"); !slices.Equal(p, []float32{0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1}) {
		t.Errorf("padding became %v", p)
	}
	before, r := slices.Clone(ms[0].LayerInput("a/1/dropout")), rand.New(rand.NewPCG(3, 3))
	if a := testing.AllocsPerRun(5, func() { ms[0].DrawLayerInputs(r) }); a != 0 {
		t.Errorf("%g allocations", a)
	}
	if slices.Equal(before, ms[0].LayerInput("a/1/dropout")) {
		t.Error("the second draw is the first")
	}
}

// TestSetLayerInput_OfOneSampleHoldsAtEveryBatchSize, compiled before or after.
func TestSetLayerInput_OfOneSampleHoldsAtEveryBatchSize(t *testing.T) {
	n := masked(5)
	m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 3}))(t)
	before := must(m.Resized(2))(t)
	ok(t, m.SetLayerInput("b/padding", []float64{1, 0, 0, 0, 1}))
	for _, r := range []*arch.Model[float64]{before, must(m.Resized(4))(t)} {
		if p := r.LayerInput("b/padding"); !slices.Equal(p[5:10], []float64{1, 0, 0, 0, 1}) {
			t.Errorf("batch of %d: padding %v", r.Plan().Batch, p)
		}
	}
	ok(t, m.SetLayerInput("b/padding", make([]float64, 15)))
	if p := must(m.Resized(5))(t).LayerInput("b/padding"); !slices.Equal(p, make([]float64, 25)) {
		t.Errorf("values of single samples were taken for those of all: %v", p)
	}
}

func TestSetLayerInput_RefusesWrongOnes(t *testing.T) {
	n := masked(5)
	m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2}))(t)
	plain := mlp(t, nil, layers.Tanh, 4, 3, 2)
	predict := func(name string, v []float64) error {
		_, err := m.PredictWith(make([]float64, 3*5*4), map[string][]float64{name: v})
		return err
	}
	for _, test := range []struct {
		reason string
		err    error
		want   []string
	}{
		{"unknown name", m.SetLayerInput("b/pading", make([]float64, 10)), []string{`"b/pading"`, "a/1/dropout", "b/padding"}},
		{"none at all", compile(t, plain, weightsOf[float64](t, plain, 1), arch.Plan{Batch: 2}).SetLayerInput("q", nil), []string{`"q"`, "there are none"}},
		{"wrong shape", m.SetLayerInput("b/padding", make([]float64, 9)), []string{"9 numbers", `"b/padding"`, "want 10", "[5]", "2 samples"}},
		{"nothing", m.SetLayerInput("a/3/dropout", nil), []string{"0 numbers", `"a/3/dropout"`, "want 40", "[5 4]"}},
		{"no number", m.SetLayerInput("b/padding", []float64{0, 0, 0, math.NaN(), 0}), []string{"element 3", `"b/padding"`, "NaN"}},
		{"unknown name in prediction", predict("padding", make([]float64, 15)), []string{`"padding"`, "b/padding"}},
		{"wrong shape in prediction", predict("b/padding", make([]float64, 5)), []string{"5 numbers", `"b/padding"`, "want 15", "3 samples"}},
	} {
		for _, part := range append(test.want, "arch: ") {
			if test.err == nil || !strings.Contains(test.err.Error(), part) {
				t.Errorf("%s: error %v, want %q in it", test.reason, test.err, part)
			}
		}
	}
	if v := m.LayerInput("q"); v != nil {
		t.Errorf("an unknown input is %v", v)
	}
}

// TestStateHessian_SeesInputsOfLayers. Oracle: central differences of StateGrad, whose error is of order h^2, with the same
// dropout and padding masks.
func TestStateHessian_SeesInputsOfLayers(t *testing.T) {
	const h = 1e-5
	n := masked(5)
	m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2}))(t)
	ok(t, m.Clamp(normal[float64](rng(1), 2*5*4), normal[float64](rng(2), 2*5*3)))
	m.DrawLayerInputs(rng(3))
	padding := []float64{1, 1, 1, 1, 0, 1, 1, 0, 0, 0}
	ok(t, m.SetLayerInput("b/padding", padding))
	ok(t, m.Forward())
	hessian := must(m.StateHessian())(t)
	z, v := m.State(), normal[float64](rng(4), len(m.State()))
	ok(t, hessian.At(z))
	got, up, down, moved := make([]float64, len(v)), make([]float64, len(v)), make([]float64, len(v)), make([]float64, len(v))
	ok(t, hessian.Mul(got, v))
	for sign, g := range map[float64][]float64{1: up, -1: down} {
		for i := range moved {
			moved[i] = z[i] + sign*h*v[i]
		}
		must(m.StateGrad(g, moved))(t)
	}
	for i := range up {
		up[i] = (up[i] - down[i]) / (2 * h)
	}
	near(t, "H v", got, up, 1e-7)
}
