package pcgraph_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
)

// sequenceLayers check the layers on tokens.
var sequenceLayers = map[string]func(*testing.T, *refCase){
	"layernorm": checkLayerNorm,
	"attention": checkAttention,
}

func checkLayerNorm(t *testing.T, c *refCase) {
	x := c.Arrays["x"].Shape
	l := layers.LayerNorm{Width: x[len(x)-1], Eps: c.Eps, Gain: true, Bias: true}
	out, ds := pullBack(t, l, x, c.array(t, "x"), [][]float64{c.array(t, "scale"), c.array(t, "shift")}, c.array(t, "cotangent"))
	reference.Near(t, "out", out, c.array(t, "out"), referenceTol)
	for i, name := range []string{"d_x", "d_scale", "d_shift"} {
		reference.Near(t, name, ds[i], c.array(t, name), referenceTol)
	}
}

// checkAttention: the case has a matrix [out, in] for each of queries, keys and values, the layer one [in, 3 out].
func checkAttention(t *testing.T, c *refCase) {
	x := c.Arrays["x"].Shape
	n := x[2]
	wqkv, wo := make([]float64, 3*n*n), make([]float64, n*n)
	for i := range n {
		for o := range n {
			for k, name := range []string{"wq", "wk", "wv"} {
				wqkv[i*3*n+k*n+o] = c.array(t, name)[o*n+i]
			}
			wo[i*n+o] = c.array(t, "wo")[o*n+i]
		}
	}
	l := layers.Attention{Width: n, Heads: c.Heads, Causal: c.Causal, Scale: c.Scale}
	out, ds := pullBack(t, l, x, c.array(t, "x"), [][]float64{wqkv, wo}, c.array(t, "cotangent"))
	reference.Near(t, "out", out, c.array(t, "out"), referenceTol)
	reference.Near(t, "d_x", ds[0], c.array(t, "d_x"), referenceTol)
	for k, name := range []string{"d_wq", "d_wk", "d_wv", "d_wo"} {
		got := make([]float64, n*n)
		for i := range n {
			for o := range n {
				if got[o*n+i] = ds[2][i*n+o]; k < 3 {
					got[o*n+i] = ds[1][i*3*n+k*n+o]
				}
			}
		}
		reference.Near(t, name, got, c.array(t, name), referenceTol)
	}
}

// pullBack is a layer's map of x and the gradients of its inner product with the cotangent, by x and by the weights.
func pullBack(t *testing.T, l layers.Layer, shape []int, x []float64, weights [][]float64, cotangent []float64) (out []float64, ds [][]float64) {
	t.Helper()
	b := graph.NewBuilder[float64]()
	in := b.Data("x", shape...)
	var ws []*graph.Node
	for _, w := range l.Params() {
		ws = append(ws, b.Param(w.Name, w.Shape...))
	}
	y := l.Forward(b, ws, in)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	ct := b.Data("cotangent", y.Shape()...)
	gs, err := graph.Grad(b.Inner(y, ct), append([]*graph.Node{in}, ws...)...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.CompilePlan[float64](graph.Plan{Targets: [][]*graph.Node{append(gs, y)}, Batched: []*graph.Node{in, ct}})
	if err != nil {
		t.Fatal(err)
	}
	copy(p.Value(in), x)
	copy(p.Value(ct), cotangent)
	for i, w := range ws {
		copy(p.Value(w), weights[i])
	}
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
	for _, g := range gs {
		ds = append(ds, p.Value(g))
	}
	return p.Value(y), ds
}
