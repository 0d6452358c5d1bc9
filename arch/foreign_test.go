package arch_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// cubed is a layer as a user writes it with an operation of Gorgonia's own: x^3.
type cubed struct{}

func (cubed) Params() []layers.Param { return nil }

func (cubed) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.Do("cube", func() (*graph.Node, error) { return gorgonia.Cube(x) })
}

// TestModel_TakesGorgoniasOperations: such a layer works in all coordinates. Oracles: the cube written with our own
// product, and finite differences.
func TestModel_TakesGorgoniasOperations(t *testing.T) {
	network := func(l layers.Layer) *arch.Network {
		return &arch.Network{Input: []int{3}, Blocks: []arch.Block{
			{Name: "a", Layer: layers.Linear{In: 3, Out: 4, Bias: true}},
			{Name: "b", Layer: l},
			{Name: "c", Layer: layers.Linear{In: 4, Out: 2, Act: layers.Tanh}},
		}}
	}
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		p := arch.Plan{Batch: 40, Coordinates: c}
		n, own := network(cubed{}), network(ourCube{})
		w := weightsOf[float64](t, n, 3)
		m, want := must(arch.Compile(n, w, p))(t), must(arch.Compile(own, w, p))(t)
		x, y := samples[float64](3, 2, p.Batch)
		for _, m := range []*arch.Model[float64]{m, want} {
			ok(t, m.Clamp(x, y))
			ok(t, m.Forward())
			for i := range m.State() {
				m.State()[i] += .1 * math.Sin(float64(i))
			}
		}
		got, ref := evaluate(t, m), evaluate(t, want)
		if math.Abs(got.f[0]-ref.f[0]) > 1e-13*ref.f[0] {
			t.Errorf("%v: energy %v, want %v", c, got.f[0], ref.f[0])
		}
		for name, pair := range map[string][2][]float64{"activities": {got.dz, ref.dz}, "weights": {got.dw, ref.dw}} {
			for i, v := range pair[0] {
				if math.Abs(v-pair[1][i]) > 1e-13*(1+math.Abs(v)) {
					t.Fatalf("%v: gradient of %s %d is %v, want %v", c, name, i, v, pair[1][i])
				}
			}
		}
		one := must(m.Predict(x))(t)
		two := must(want.Predict(x))(t)
		for i := range one {
			if math.Abs(one[i]-two[i]) > 1e-13 {
				t.Fatalf("%v: prediction %d is %v, want %v", c, i, one[i], two[i])
			}
		}
	}
}

// ourCube is x^3 by two products.
type ourCube struct{}

func (ourCube) Params() []layers.Param { return nil }

func (ourCube) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.Mul(x, b.Mul(x, x))
}
