package layertest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// broken is a layer with one promise broken.
type broken struct {
	layers.Linear
	params  func() []layers.Param
	forward func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node
}

func (l broken) Params() []layers.Param {
	if l.params != nil {
		return l.params()
	}
	return l.Linear.Params()
}

func (l broken) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if l.forward != nil {
		return l.forward(b, p, x)
	}
	return l.Linear.Forward(b, p, x)
}

// TestChecks_Fail shows that the checks can fail: each broken layer is found by the check that is for it.
func TestChecks_Fail(t *testing.T) {
	good := layers.Linear{In: 4, Out: 4, Act: layers.Tanh}
	tests := []struct {
		reason string
		check  func(l layers.Layer, input []int) error
		layer  broken
		want   string
	}{
		{"weights change from call to call", shapes, broken{params: func() []layers.Param {
			return []layers.Param{{Name: "W", Shape: []int{4, 4}, FanIn: 1 + rand.IntN(1<<30), FanOut: 4}}
		}}, "another list"},
		{"no fan-in: a scaling would divide by zero", shapes, broken{params: func() []layers.Param {
			return []layers.Param{{Name: "W", Shape: []int{4, 4}}}
		}}, "fan-in 0"},
		{"output without a batch", shapes, broken{forward: func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
			return p[0]
		}}, "does not depend on x"},
		{"another function each time", deterministic, broken{forward: func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
			return b.Linear(x, p[0], nil, rand.Float64())
		}}, "differs between runs"},
		{"samples see each other", perSample, broken{forward: func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
			return b.MatMul(b.MatMul(x, x, false, true), b.Linear(x, p[0], nil, 1), false, false)
		}}, "output of sample"},
		{"a small difference of large numbers", precision, broken{forward: func(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
			y := b.Linear(x, p[0], nil, 1)
			return b.Combine([]float64{1e5, -1e5}, b.Act(graph.Sigmoid, b.Scale(y, 1e-4)), b.Act(graph.Sigmoid, b.Scale(y, 0)))
		}}, "off by"},
	}
	for _, test := range tests {
		test.layer.Linear = good
		if err := test.check(good, []int{4}); err != nil {
			t.Errorf("%s: the good layer fails: %v", test.reason, err)
		}
		if err := test.check(test.layer, []int{4}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.reason, err, test.want)
		}
	}
}

// TestNear_Fails shows that a comparison notices one wrong number and a NaN.
func TestNear_Fails(t *testing.T) {
	nan := 0.0
	nan /= nan
	if near([]float64{1, 2}, []float64{1, 2.1}, 1e-3) == nil || near([]float64{1, nan}, []float64{1, 2}, 1e-3) == nil {
		t.Error("a wrong number passes")
	}
}
