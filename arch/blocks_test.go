package arch_test

import (
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// TestBlocks_PassIsPredict: in a graph of one's own the blocks, skips and scalings are those of the models.
func TestBlocks_PassIsPredict(t *testing.T) {
	n := must(arch.ResMLP(arch.MuPC{}, layers.Tanh, 3, 5, 5, 5, 2))(t)
	w := weightsOf[float64](t, n, 1)
	b := graph.NewBuilder[float64]()
	blocks := must(arch.NewBlocks(b, n, w))(t)
	at := map[string]*graph.Node{"x": b.Data("x", 4, 3)}
	order := must(blocks.Pass(at))(t)
	if len(order) != 4 || order[0] != 0 || order[3] != 3 {
		t.Errorf("blocks in the order %v", order)
	}
	p := must(graph.Compile[float64](at["block4"]))(t)
	x := normal[float64](rng(2), 12)
	copy(p.Value(at["x"]), x)
	ok(t, p.RunAll())
	m := must(arch.Compile(n, w, arch.Plan{Batch: 4}))(t)
	near(t, "prediction", p.Value(at["block4"]), must(m.Predict(x))(t), 1e-15) // products of all rows at once
	nodes, fields := blocks.Params(1)
	if len(nodes) != 1 || len(fields) != 1 || w.Fields()[fields[0]].Name != "block2/W" {
		t.Errorf("block 2 has the weights %v", fields)
	}
}

func TestBlocks_RefuseWhatHasNoPass(t *testing.T) {
	n := must(arch.MLP(nil, layers.Tanh, 3, 4, 2))(t)
	other := must(arch.MLP(nil, layers.Tanh, 3, 5, 2))(t)
	_, err := arch.NewBlocks(graph.NewBuilder[float64](), n, weightsOf[float64](t, other, 1))
	if err == nil || !strings.Contains(err.Error(), "NewWeights") {
		t.Errorf("another network's weights: error %v", err)
	}
	loop := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 4, Out: 2}, From: []string{"x", "b"}, Merge: layers.Concat{}},
		{Name: "b", Layer: layers.Linear{In: 2, Out: 2}}}}
	b := graph.NewBuilder[float64]()
	blocks := must(arch.NewBlocks(b, loop, weightsOf[float64](t, loop, 1)))(t)
	if _, err := blocks.Pass(map[string]*graph.Node{"x": b.Data("x", 1, 2)}); err == nil || !strings.Contains(err.Error(), "loop") {
		t.Errorf("a loop: error %v", err)
	}
}
