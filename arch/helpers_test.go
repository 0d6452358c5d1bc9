package arch_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// underRace is set by the race detector's build. Tests of statistics, where nothing is concurrent that others do not run
// as well, then skip what would take minutes.
var underRace bool

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }

// normal draws numbers that float32 represents.
func normal[T graph.Float](r *rand.Rand, n int) []T {
	xs := make([]T, n)
	for i := range xs {
		xs[i] = T(float32(r.NormFloat64()))
	}
	return xs
}

// must stops a test at an error.
func must[V any](v V, err error) func(t *testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// weightsOf draws weights; biases, which scalings may start at zero, are drawn too, so that they matter.
func weightsOf[T graph.Float](t *testing.T, n *arch.Network, seed uint64) *graph.Vector[T] {
	t.Helper()
	w := must(arch.NewWeights[T](n, rng(seed)))(t)
	r := rng(seed + 1)
	for i, p := range n.Weights() {
		if p.Param.Bias {
			copy(w.Part(w.Data(), i), normal[T](r, p.Param.Shape[0]))
		}
	}
	w.Touch()
	return w
}

// samples draws inputs and targets, each sample from its own stream; targets are distributions.
func samples[T graph.Float](in, out, n int) (x, y []T) {
	for i := range n {
		r := rng(uint64(1000 + i))
		x = append(x, normal[T](r, in)...)
		one, sum := normal[T](r, out), T(0)
		for k := range one {
			one[k] *= one[k]
			sum += one[k]
		}
		for k := range one {
			y = append(y, one[k]/sum)
		}
	}
	return x, y
}

// tangled is a network in which everything that a description can say occurs: biases, skips from two blocks back and
// from the input, with weights and without, a block that takes its input from further back, and one layer twice in a
// block, whose two weights have one and the same gradient.
func tangled(act layers.Act) *arch.Network {
	lin := func(in, out int, bias bool) layers.Linear {
		return layers.Linear{In: in, Out: out, Act: act, Bias: bias}
	}
	return &arch.Network{Input: []int{5}, Scaling: arch.NTP{}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 5, Out: 4, Bias: true}},
		{Name: "b", Layer: lin(4, 4, true), Skips: []arch.Skip{{Layer: layers.Identity{}}, {From: "x", Layer: lin(5, 4, false)}}},
		{Name: "c", Layer: lin(4, 4, false), Skips: []arch.Skip{{From: "a", Layer: layers.Identity{}}}},
		{Name: "d", Layer: lin(4, 6, true), From: []string{"b"}, Skips: []arch.Skip{{From: "c", Layer: lin(4, 6, true)}, {From: "c", Layer: lin(4, 6, true)}}},
		{Name: "e", Layer: lin(6, 3, true), Skips: []arch.Skip{{From: "a", Layer: lin(4, 3, false)}}},
	}}
}

// sizes of x and y of one sample.
func ends(n *arch.Network) (in, out int) {
	last := n.Blocks[len(n.Blocks)-1].Layer.(layers.Linear)
	return n.Input[0], last.Out
}

// clamp clamps samples to the ends of a model that are not free.
func clamp[T graph.Float](t *testing.T, m *arch.Model[T]) {
	t.Helper()
	in, out := ends(m.Network())
	x, y := samples[T](in, out, m.Plan().Batch)
	if m.Plan().FreeInput {
		x = nil
	}
	if m.Plan().FreeOutput {
		y = nil
	}
	ok(t, m.Clamp(x, y))
}

func compile[T graph.Float](t *testing.T, n *arch.Network, w *graph.Vector[T], p arch.Plan) *arch.Model[T] {
	t.Helper()
	m := must(arch.Compile(n, w, p))(t)
	clamp(t, m)
	return m
}

// everything is an energy with every term there is.
var everything = energy.Sum{
	energy.PC{Hidden: energy.Gaussian{Precision: 1.5}, Output: energy.Categorical{Precision: .7}},
	energy.WeightDecay{Rate: .1}, energy.Spectral{Rate: .05}, energy.ActivityDecay{Rate: .2},
}

func mlp(t *testing.T, s arch.Scaling, act layers.Act, widths ...int) *arch.Network {
	t.Helper()
	return must(arch.MLP(s, act, widths...))(t)
}

func resMLP(t *testing.T, s arch.Scaling, act layers.Act, widths ...int) *arch.Network {
	t.Helper()
	return must(arch.ResMLP(s, act, widths...))(t)
}

// near compares with a tolerance relative to the largest number.
func near[T graph.Float](t *testing.T, what string, got []T, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	scale := 1e-3
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*scale) {
			t.Errorf("%s[%d] = %.12g, want %.12g: off by %.1e of the largest", what, i, float64(got[i]), w, d/scale)
			return
		}
	}
}

// sameBits compares to the last bit, the sign of zero excepted.
func sameBits[T graph.Float](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		t.Fatalf("%s: differs from element %d of %d on", what, i, len(want))
	}
}

// evaluation is all that a model computes at one point.
type evaluation[T graph.Float] struct {
	dz, dw []T
	f      [3]float64 // as StateGrad, ParamGrad and Energy give it
	terms  []float64
}

// evaluate calls everything.
func evaluate[T graph.Float](t *testing.T, m *arch.Model[T]) evaluation[T] {
	t.Helper()
	e := evaluation[T]{dz: make([]T, len(m.State())), dw: make([]T, len(m.Weights().Data())), terms: make([]float64, len(m.Terms()))}
	e.f[0] = must(m.StateGrad(e.dz, m.State()))(t)
	e.f[1] = must(m.ParamGrad(e.dw))(t)
	e.f[2] = must(m.Energy())(t)
	m.TermEnergies(e.terms)
	return e
}

func (e evaluation[T]) same(t *testing.T, what string, want evaluation[T]) {
	t.Helper()
	sameBits(t, what+": dF/dz", e.dz, want.dz)
	sameBits(t, what+": dF/dW", e.dw, want.dw)
	if e.f != want.f {
		t.Fatalf("%s: F = %v, want %v", what, e.f, want.f)
	}
	if !slices.Equal(e.terms, want.terms) {
		t.Fatalf("%s: terms %v, want %v", what, e.terms, want.terms)
	}
}

// forBoth runs a test in both element types.
func forBoth(t *testing.T, single func(t *testing.T), double func(t *testing.T)) {
	t.Run("float32", single)
	t.Run("float64", double)
}

func numbered(prefix string, n int) string { return prefix + strconv.Itoa(n) }

func planName(p arch.Plan) string {
	return fmt.Sprintf("%v freeInput=%v freeOutput=%v", p.Coordinates, p.FreeInput, p.FreeOutput)
}
