package icl

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// TestUpdate_LongContexts: 128 tasks with contexts of 1000 pairs are read, their updates applied at every position, in less than 1 GB, and the
// identity holds in float32.
func TestUpdate_LongContexts(t *testing.T) {
	const tasks, tokens, width = 128, 1001, 3
	n := &arch.Network{Input: []int{tokens, width}, Blocks: []arch.Block{{Name: "a", Layer: layers.Compose{
		layers.Residual{Inner: layers.Attention{Width: width, Heads: 3, Causal: true}}, layers.Residual{Inner: layers.FeedForward{Width: width, Act: layers.GELU, Bias: true}}}}}}
	w, err := arch.NewWeights[float32](n, rand.New(rand.NewPCG(3, 4)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(n, w, tasks)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, tasks*tokens*width)
	for i, v := range normals(1, len(x)) {
		x[i] = float32(v)
	}
	if err := r.Forward(x); err != nil {
		t.Fatal(err)
	}
	u, err := r.Update(0)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Apply(0, u, r.Query(0))
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(t, out, r.Output(0)); d > 1e-5 {
		t.Errorf("off by %g", d)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.Sys > 1<<30 {
		t.Errorf("%d MB taken from the system", m.Sys>>20)
	}
	t.Logf("%d MB taken from the system", m.Sys>>20)
}
