package rules_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// BenchmarkPCALM is one weight gradient of PC-ALM beside one of PC: the same number of steps at the same rate, on a residual ReLU
// network of 32 layers, batch 64. There are many steps: until the error has come to all layers a step computes only where it has been, and that is
// further with multipliers.
func BenchmarkPCALM(b *testing.B) {
	for _, width := range []int{32, 128} {
		widths := append(append([]int{784}, slices.Repeat([]int{width}, 31)...), 10)
		n, err := arch.ResMLP(arch.MuPC{}, layers.ReLU, widths...)
		if err != nil {
			b.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		w, err := arch.NewWeights[float32](n, rng)
		if err != nil {
			b.Fatal(err)
		}
		const batch, steps = 64, 512
		m, err := arch.Compile(n, w, arch.Plan{Batch: batch})
		if err != nil {
			b.Fatal(err)
		}
		x, y, g := make([]float32, 784*batch), make([]float32, 10*batch), make([]float32, len(w.Data()))
		for _, v := range [][]float32{x, y} {
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
		}
		for name, rule := range map[string]train.Rule[float32]{
			"PC":     &train.PC[float32]{Model: m, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .2}}, Stop: infer.Steps(steps)},
			"PC-ALM": &rules.PCALM[float32]{Model: m, Rate: .2, Steps: steps, Ascent: 1},
		} {
			b.Run(name+"/"+strconv.Itoa(width), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := rule.Gradient(g, x, y, batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
