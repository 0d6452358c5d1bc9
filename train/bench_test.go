package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// BenchmarkStep times whole training steps on random data, in float32: feedforward pass, T steps of inference, weight
// gradient, Adam; and the same under backprop.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		widths []int
		batch  int
	}{{[]int{784, 300, 300, 300, 10}, 64}, {[]int{784, 128, 128, 10}, 256}, {[]int{2, 32, 32, 2}, 1}, {[]int{784, 128, 10}, 1}, {slices.Repeat([]int{64}, 9), 1}} {
		rng := rand.New(rand.NewPCG(1, 2))
		net, err := arch.MLP(arch.SP{}, layers.ReLU, c.widths...)
		if err != nil {
			b.Fatal(err)
		}
		w, err := arch.NewWeights[float32](net, rng)
		if err != nil {
			b.Fatal(err)
		}
		in, out := c.widths[0], c.widths[len(c.widths)-1]
		x, y := make([]float32, c.batch*in), make([]float32, c.batch*out)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		for i := range c.batch {
			y[i*out+rng.IntN(out)] = 1
		}
		grad := make([]float32, len(w.Data()))
		step := func(name string, rule Rule[float32]) {
			update := Update[float32]{Optimizer: &optim.Adam[float32]{Rate: 1e-3}}
			b.Run(fmt.Sprintf("%v/batch%d/%s", c.widths, c.batch, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r, err := rule.Gradient(grad, x, y, c.batch)
					if err != nil || r.Inference.Status == infer.Diverged {
						b.Fatal(err, r.Inference)
					}
					update.Step(w, grad)
				}
			})
		}
		model := func(coordinates arch.Coordinates) *arch.Model[float32] {
			m, err := arch.Compile(net, w, arch.Plan{Batch: c.batch, Coordinates: coordinates})
			if err != nil {
				b.Fatal(err)
			}
			return m
		}
		step("BP", &Backprop[float32]{Model: model(arch.Feedforward)})
		for _, steps := range []int{1, 2, 5, 20} {
			step(fmt.Sprintf("PC-T%d", steps), &PC[float32]{
				Model:  model(arch.Activities),
				Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: 0.05}},
				Stop:   infer.Steps(steps),
			})
		}
	}
}
