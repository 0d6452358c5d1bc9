package graph

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
)

// collide finds names of two inputs for which nodes like sample, of one operand, have one 32-bit hash: the loop is
// gorgonia.Node.WriteHash for both.
func collide(t *testing.T, sample *Node) (a, b string) {
	t.Helper()
	in := children(sample)[0]
	inPrefix, outPrefix := fmt.Sprintf("%v%v", in.Type(), in.Shape()), fmt.Sprintf("%v%v", sample.Type(), sample.Shape())
	seen := make(map[uint32]string)
	for i := range 1000000 {
		name := fmt.Sprint("x", i)
		h := fnv.New32a()
		h.Write([]byte(inPrefix + name + "\x00"))
		child := h.Sum32()
		h = fnv.New32a()
		h.Write([]byte(outPrefix))
		sample.Op().WriteHash(h)
		h.Write(binary.LittleEndian.AppendUint32([]byte{1}, child))
		if other, hit := seen[h.Sum32()]; hit {
			return other, name
		}
		seen[h.Sum32()] = name
	}
	t.Fatal("no two of a million hashes are equal")
	return "", ""
}

func TestGorgonia_AddNodeMergesByHash32(t *testing.T) {
	sample := must(G.Square(operand(G.NewGraph(), "x", make([]float64, 4), 2, 2)))(t)
	first, second := collide(t, sample)
	g := G.NewGraph()
	x, y := operand(g, first, make([]float64, 4), 2, 2), operand(g, second, make([]float64, 4), 2, 2)
	if x == y {
		t.Fatal("the inputs are one node already")
	}
	if must(G.Square(x))(t) != must(G.Square(y))(t) {
		t.Errorf("the squares of %s and %s are two nodes", first, second)
	}
}

// Fused operations survive what merges Gorgonia's own.
func TestApply_SurvivesAHashCollision(t *testing.T) {
	b := NewBuilder[float64]()
	first, second := collide(t, b.Act(Tanh, b.Data("x", 2, 2)))
	b = NewBuilder[float64]()
	x, y := b.Data(first, 2, 2), b.Data(second, 2, 2)
	fx, fy := b.Act(Tanh, x), b.Act(Tanh, y)
	if fx == fy || fx.Hashcode() == fy.Hashcode() {
		t.Fatal("one node, or one hash: the collision was not forced or not noticed")
	}
	vs := [][]float64{{1, 2, 3, 4}, {5, 6, 7, 8}}
	near(t, "tanh", evaluate[float64](t, b, vs, fx, fy), [][]float64{each(func(x []float64) float64 { return math.Tanh(x[0]) })(vs[:1]), each(func(x []float64) float64 { return math.Tanh(x[0]) })(vs[1:])}, 1e-15)
	if b.Act(Tanh, x) != fx || b.Act(Tanh, y) != fy {
		t.Error("the same operation on the same operand is another node")
	}
}
