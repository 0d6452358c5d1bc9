package icl_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/icl"
	"github.com/pcgraph/pcgraph/layers"
)

// What a context of three tokens does to a transformer block: at each position the block gives what it would give for the last token
// alone, had its first matrix been changed by one of rank one.
func ExampleReader() {
	n := &arch.Network{Input: []int{4, 2}, Blocks: []arch.Block{{Name: "block1", Layer: layers.Compose{
		layers.Residual{Inner: layers.Attention{Width: 2, Heads: 1, Causal: true}},
		layers.Residual{Inner: layers.FeedForward{Width: 2, Act: layers.GELU, Bias: true}},
	}}}}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		log.Fatal(err)
	}
	r, err := icl.New(n, w, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Forward([]float64{1, 2, -1, 0, .5, 1, 2, 0}); err != nil {
		log.Fatal(err)
	}
	u, err := r.Update(0)
	if err != nil {
		log.Fatal(err)
	}
	updated, err := r.Apply(0, u, r.Query(0))
	if err != nil {
		log.Fatal(err)
	}
	for p := range u.Positions {
		fmt.Printf("position %d: |dW| %.3f, block %.4f, updated block on the query alone %.4f\n", p, u.Norm(0, p), r.Output(0)[2*p:2*p+2], updated[2*p:2*p+2])
	}
	// Output:
	// position 0: |dW| 2.191, block [0.1861 2.0809], updated block on the query alone [0.1861 2.0809]
	// position 1: |dW| 2.211, block [-1.1711 0.3208], updated block on the query alone [-1.1711 0.3208]
	// position 2: |dW| 1.672, block [0.0061 1.2405], updated block on the query alone [0.0061 1.2405]
	// position 3: |dW| 0.325, block [1.3046 0.2412], updated block on the query alone [1.3046 0.2412]
}
