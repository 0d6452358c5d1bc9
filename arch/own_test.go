package arch_test

import (
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// own is a layer and a merge as a user writes one.
type own struct {
	params []layers.Param
	make   func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node
}

func (l own) Params() []layers.Param { return l.params }
func (l own) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	return l.make(b, p, x)
}
func (l own) Merge(b *graph.Builder, p []*graph.Node, xs []*graph.Node) *graph.Node {
	return l.make(b, p, xs[0])
}

// ownTerms is an energy as a user writes one.
type ownTerms func(b *graph.Builder, l energy.Latents) []energy.Term

func (f ownTerms) Terms(b *graph.Builder, l energy.Latents) []energy.Term { return f(b, l) }

// ownScaling is SP with weights that begin somewhere else.
type ownScaling struct {
	arch.SP
	mean float64
}

func (s ownScaling) Factors(at arch.Position) arch.Factors {
	f := s.SP.Factors(at)
	f.Init.Mean = s.mean
	return f
}

// TestCompile_NamesWhatIsWrongWithOwnParts: what users write themselves and get wrong is an error that names its place, in all
// coordinates.
func TestCompile_NamesWhatIsWrongWithOwnParts(t *testing.T) {
	nothing := own{make: func(*graph.Builder, []*graph.Node, *graph.Node) *graph.Node { return nil }}
	scalar := own{make: func(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node { return b.Inner(x, x) }}
	weight := own{
		params: []layers.Param{{Name: "V", Shape: []int{5, 3}, FanIn: 1}},
		make:   func(_ *graph.Builder, p []*graph.Node, _ *graph.Node) *graph.Node { return p[0] },
	}
	shapeless := own{params: []layers.Param{{Name: "v", FanIn: 1}}, make: nothing.make}
	terms := func(f func(b *graph.Builder, l energy.Latents) *graph.Node) energy.Functional {
		return energy.Sum{energy.PC{}, ownTerms(func(b *graph.Builder, l energy.Latents) []energy.Term {
			return []energy.Term{{Name: "mine", Node: f(b, l)}}
		})}
	}
	tests := []struct {
		reason string
		change func(n *arch.Network, p *arch.Plan)
		want   []string
	}{
		{"a layer that gives nothing", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = nothing }, []string{"b: a arch_test.own gave no node", "Fail"}},
		{"a part that gives nothing", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].Layer = layers.Compose{nothing, layers.Linear{In: 3, Out: 3}}
		}, []string{"b/1: a arch_test.own gave no node"}},
		{"a branch that gives nothing", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = layers.Residual{Inner: nothing} }, []string{"b: a arch_test.own gave no node"}},
		{"a skip that gives nothing", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Skips = []arch.Skip{{Layer: nothing}} }, []string{"b/skip1: a arch_test.own gave no node"}},
		{"a merge that gives nothing", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Merge = nothing }, []string{"b/merge: a arch_test.own gave no node"}},
		{"a layer that loses the batch", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = scalar }, []string{"b: a arch_test.own made shape [] of [2 3]", "samples"}},
		{"a layer of another batch", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = weight }, []string{"b: a arch_test.own made shape [5 3] of [2 3]", "samples"}},
		{"a weight without a shape", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = shapeless }, []string{"b/v", "no shape"}},
		{"a Shape that is not the site's", func(n *arch.Network, _ *arch.Plan) { n.Blocks[0].Shape = []int{4} }, []string{"a: Shape says [4]", "predicts [3]"}},
		{"a branch times no number", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].Layer = layers.Residual{Inner: layers.Linear{In: 3, Out: 3}, Factor: math.NaN()}
		}, []string{"b: ", "Factor is NaN"}},
		{"a branch times infinity", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].Layer = layers.Residual{Inner: layers.Linear{In: 3, Out: 3}, Factor: math.Inf(1)}
		}, []string{"b: ", "Factor is +Inf"}},
		{"weights that begin at no number", func(n *arch.Network, _ *arch.Plan) { n.Scaling = ownScaling{mean: math.NaN()} }, []string{"a/W", "mean NaN"}},
		{"a term that is nothing", func(_ *arch.Network, p *arch.Plan) {
			p.Energy = terms(func(*graph.Builder, energy.Latents) *graph.Node { return nil })
		}, []string{"energy", `"mine" has no node`}},
		{"a term that is no scalar", func(_ *arch.Network, p *arch.Plan) {
			p.Energy = terms(func(_ *graph.Builder, l energy.Latents) *graph.Node { return l.Predictions[0].Mean })
		}, []string{"energy", `"mine" has shape [2 3]`, "scalar"}},
	}
	for _, test := range tests {
		for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
			n := &arch.Network{Input: []int{3}, Blocks: []arch.Block{{Name: "a", Layer: layers.Linear{In: 3, Out: 3}}, {Name: "b", Layer: layers.Linear{In: 3, Out: 3}}}}
			p := arch.Plan{Batch: 2, Coordinates: c}
			test.change(n, &p)
			w, err := arch.NewWeights[float64](n, rng(1))
			if err == nil {
				_, err = arch.Compile(n, w, p)
			}
			if err == nil {
				t.Errorf("%s: no error", test.reason)
				continue
			}
			for _, part := range append(test.want, "arch: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: error %q does not say %q", test.reason, err, part)
				}
			}
		}
	}
	n := mlp(t, nil, layers.Tanh, 2, 3)
	for want, call := range map[string]func() error{
		"network is missing": func() error { _, err := arch.NewWeights[float64](nil, rng(1)); return err },
		"weights are missing": func() error {
			_, err := arch.Compile[float64](n, nil, arch.Plan{Batch: 1})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// TestForward_OfAPredictionByWeightsAlone: a block may predict by its weights alone, a learned mean: the feedforward pass is that
// mean, and dF/dv = -1/B sum_i sum_k (z_ik - v) is its gradient, to rounding. The batch is more than one shard.
func TestForward_OfAPredictionByWeightsAlone(t *testing.T) {
	const batch = 37
	mean := own{
		params: []layers.Param{{Name: "v", Shape: []int{1}, FanIn: 1}},
		make: func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
			return b.Spread(b.Sum(p[0], 1), x.Shape()[0], 3)
		},
	}
	n := &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "z", Layer: mean}, {Name: "y", Layer: layers.Linear{In: 3, Out: 2, Act: layers.Tanh}}}}
	w := weightsOf[float64](t, n, 1)
	m := compile(t, n, w, arch.Plan{Batch: batch})
	ok(t, m.Forward())
	v := w.Field("z/v")[0]
	for i, z := range m.State() {
		if z != v {
			t.Fatalf("%s is %v after the feedforward pass, want %v", m.StateVector().Where(i), z, v)
		}
	}
	copy(m.State(), normal[float64](rng(3), len(m.State())))
	want := 0.0
	for _, z := range m.State() {
		want -= (z - v) / batch
	}
	dw := make([]float64, len(w.Data()))
	_, err := m.ParamGrad(dw)
	ok(t, err)
	near(t, "gradient with respect to the mean", dw[:1], []float64{want}, 1e-12)
}

// TestSetAs_IsTheSamePaddingAndMask: the energy is then that of the other model, and models that are not alike are refused.
func TestSetAs_IsTheSamePaddingAndMask(t *testing.T) {
	n := &arch.Network{Input: []int{3, 2}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Attention{Width: 2, Heads: 1, Padding: true}}, {Name: "b", Layer: layers.Linear{In: 2, Out: 2, Act: layers.Tanh}},
	}}
	w := weightsOf[float64](t, n, 1)
	p := arch.Plan{Batch: 2, Hold: map[string]arch.Hold{"b": arch.Masked}}
	x, y := normal[float64](rng(5), 18), normal[float64](rng(6), 18)
	model := func(p arch.Plan) *arch.Model[float64] {
		m := must(arch.Compile(n, w, p))(t)
		ok(t, m.Clamp(x[:6*p.Batch], y[:6*p.Batch]))
		return m
	}
	m, other := model(p), model(p)
	ok(t, m.SetLayerInput("a/padding", []float64{0, 0, 1, 0, 1, 1}))
	ok(t, m.Mask("b", []float64{1, 0, 0, 1, 1, 1}))
	z := normal[float64](rng(4), len(m.State()))
	energy := func(m *arch.Model[float64]) float64 {
		copy(m.State(), z)
		f, err := m.Energy()
		ok(t, err)
		return f
	}
	if energy(m) == energy(other) {
		t.Fatal("padding and mask change nothing: the test is blind")
	}
	ok(t, other.SetAs(m))
	if got, want := energy(other), energy(m); got != want {
		t.Errorf("energy %v, want %v", got, want)
	}
	single := func(m *arch.Model[float64]) float64 {
		r := must(m.Resized(1))(t)
		ok(t, r.Clamp(x[:6], y[:6]))
		return energy(r)
	}
	if got, want := single(other), single(m); got != want {
		t.Errorf("of one sample: energy %v, want %v: what is the same for all samples goes along to other batch sizes", got, want)
	}
	for reason, q := range map[string]arch.Plan{
		"another batch":  {Batch: 3, Hold: p.Hold},
		"nothing masked": {Batch: 2},
	} {
		if err := model(q).SetAs(m); err == nil || !strings.Contains(err.Error(), "batch size or Hold") {
			t.Errorf("%s: error %v", reason, err)
		}
	}
}

// unweighted is a likelihood that takes no notice of a learned precision.
type unweighted struct{}

func (unweighted) NegLog(b *graph.Builder, s energy.Prediction, batch int) *graph.Node {
	return b.HalfSquare(b.Sub(s.Activity, s.Mean), 1, batch)
}

// TestCompile_NamesWeightsWithoutEffect: a precision that the likelihood ignores, and a weight that its layer ignores.
func TestCompile_NamesWeightsWithoutEffect(t *testing.T) {
	for _, dendrites := range []*arch.Dendrites{nil, {}} {
		for _, p := range []arch.Precision{arch.ScalarPrecision, arch.DiagonalPrecision} {
			n := mlp(t, nil, layers.Tanh, 3, 4, 2)
			n.Blocks[0].Precision = p
			_, err := arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2, Dendrites: dendrites, Energy: energy.PC{Hidden: unweighted{}}})
			if err == nil || !strings.Contains(err.Error(), `block "block1" learns its precision`) || !strings.Contains(err.Error(), "Prediction.LogPrecision") {
				t.Errorf("a likelihood without the precision: error %v", err)
			}
		}
		n := mlp(t, nil, layers.Tanh, 3, 4, 2)
		n.Blocks[0].Layer = own{params: []layers.Param{{Name: "W", Shape: []int{3, 4}, FanIn: 3, FanOut: 4}, {Name: "V", Shape: []int{2}, FanIn: 1, FanOut: 1}},
			make: func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node { return b.Linear(x, p[0], nil, 1) }}
		_, err := arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2, Dendrites: dendrites})
		if err == nil || !strings.Contains(err.Error(), "does not depend on the weight block1/V") {
			t.Errorf("a layer without its weight: error %v", err)
		}
	}
}
