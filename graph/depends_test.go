package graph_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/graph"
)

// TestDepends: through operations and gradients, and not through what a gradient leaves behind: that of a linear map depends
// on its weight alone, that of a tanh on its operand too.
func TestDepends(t *testing.T) {
	b := graph.NewBuilder[float64]()
	x, w, v := b.State("x", 2, 3), b.Param("w", 3, 4), b.Data("v", 2, 4)
	linear := b.Inner(v, b.Linear(x, w, nil, 1))
	bent := b.Inner(v, b.Linear(b.Act(graph.Tanh, x), w, nil, 1))
	of := func(cost *graph.Node) *graph.Node {
		ds, err := graph.Grad(cost, x)
		if err != nil {
			t.Fatal(err)
		}
		return ds[0]
	}
	for _, test := range []struct {
		reason string
		n      *graph.Node
		on     []*graph.Node
		want   bool
	}{
		{"its operand", linear, []*graph.Node{x}, true},
		{"itself", x, []*graph.Node{x}, true},
		{"one of several", linear, []*graph.Node{b.State("other", 1), v}, true},
		{"nothing of the sort", linear, []*graph.Node{b.State("else", 1)}, false},
		{"nothing at all", linear, nil, false},
		{"the slope of a linear map", of(linear), []*graph.Node{x}, false},
		{"its weight", of(linear), []*graph.Node{w}, true},
		{"the slope of a tanh", of(bent), []*graph.Node{x}, true},
	} {
		if got := graph.Depends(test.n, test.on...); got != test.want {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
}
