package graph

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
)

// TestNodeIndex_IsWrittenBeforeTheNodes: every node is found without a scan as soon as it is there.
func TestNodeIndex_IsWrittenBeforeTheNodes(t *testing.T) {
	if !nodeIndexKnown {
		t.Fatal("this version of Gorgonia keeps no map of nodes where it was: building deep networks takes a time that grows with the square of their depth")
	}
	b := NewBuilder[float64]()
	x := b.State("x", 2, 3)
	for range 1000 {
		x = b.Act(Tanh, x)
	}
	must(Grad(b.HalfSquare(x, 1, 2), b.Inputs()[0].Node))(t)
	byID := indexOf(b.Graph())
	for i, n := range b.Graph().AllNodes() {
		if at, has := byID[n.ID()]; !has || at != i {
			t.Fatalf("node %d, %v, is under %d (%v) in the map", i, n, at, has)
		}
	}
}

// TestNodeIndex_SurvivesRemoval: after a node is removed from the graph, Gorgonia's map gives other nodes' operands. Values and
// gradients of nodes that are added then are right all the same.
func TestNodeIndex_SurvivesRemoval(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.State("x", 2, 2)
	y := b.Do("removal", func() (*Node, error) {
		unused, err := gorgonia.Exp(x)
		if err != nil {
			return nil, err
		}
		y, err := gorgonia.Sqrt(x)
		b.Graph().RemoveNode(unused)
		return y, err
	})
	y = b.Do("square root", func() (*Node, error) { return gorgonia.Sqrt(y) })
	y = b.Do("tanh", func() (*Node, error) { return gorgonia.Tanh(y) })
	cost := b.Inner(y, y)
	ok(t, b.Err())
	if all := b.Graph().AllNodes(); all[len(all)-1].ID() == int64(len(all)-1) {
		t.Fatal("no node was removed: the test looks at nothing")
	}
	dx := must(Grad(cost, x))(t)[0]
	in := []float64{.5, 1, 2, .1}
	out := evaluate[float64](t, b, [][]float64{in}, cost, dx)
	sum, want := 0., make([]float64, len(in))
	for i, v := range in {
		th := math.Tanh(math.Pow(v, .25))
		sum += th * th
		want[i] = 2 * th * (1 - th*th) * math.Pow(v, -.75) / 4
	}
	near(t, "value and gradient", out, [][]float64{{sum}, want}, 1e-13)
}
