package layers_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/layers/layertest"
)

// The layer of docs/RECIPES.md.

// GLU is a gated linear unit (Dauphin et al. 2017, arXiv 1612.08083): f(x) = (x W) * sigmoid(x V), [batch, ..., In] -> [batch, ..., Out].
type GLU struct{ In, Out int }

func (l GLU) Params() []layers.Param {
	w := layers.Param{Name: "W", Shape: []int{l.In, l.Out}, FanIn: l.In, FanOut: l.Out}
	v := w
	v.Name = "V"
	return []layers.Param{w, v}
}

func (l GLU) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	return b.Mul(b.Linear(x, p[0], nil, 1), b.Act(graph.Sigmoid, b.Linear(x, p[1], nil, 1)))
}

func TestGLU_Conforms(t *testing.T) {
	layertest.Run(t, GLU{In: 4, Out: 3}, 4)
	layertest.Run(t, GLU{In: 4, Out: 3}, 2, 4)
}

// A layer of one's own is two methods: the weights that it has, and the graph that it adds. It is then a block's Layer.
func ExampleLayer() {
	l := GLU{In: 2, Out: 1}
	b := graph.NewBuilder[float64]()
	x := b.Data("x", 1, 2)
	var weights []*graph.Node
	for _, p := range l.Params() {
		weights = append(weights, b.Param(p.Name, p.Shape...))
	}
	y := l.Forward(b, weights, x)
	if err := b.Err(); err != nil {
		panic(err)
	}
	p, err := graph.Compile[float64](y)
	if err != nil {
		panic(err)
	}
	copy(p.Value(x), []float64{1, 2})
	copy(p.Value(weights[0]), []float64{3, 4})
	copy(p.Value(weights[1]), []float64{0, 1})
	if err := p.Run(0); err != nil {
		panic(err)
	}
	fmt.Printf("%.6f %.6f\n", p.Value(y)[0], 11/(1+math.Exp(-2)))
	// Output: 9.688768 9.688768
}
