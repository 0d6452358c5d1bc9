// Owndata is a data set of one's own, and a regression on it: the sum of two angles' sines.
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// Sines is N samples of x in the square, and y = sin x1 + sin x2.
type Sines struct {
	N    int
	Seed uint64
}

// Load holds a fifth of the samples out for the test.
func (s Sines) Load() (training, test *data.Set, err error) {
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	x, y := make([][]float32, s.N), make([][]float32, s.N)
	for i := range x {
		a, b := 6*rng.Float64()-3, 6*rng.Float64()-3
		x[i], y[i] = []float32{float32(a), float32(b)}, []float32{float32(math.Sin(a) + math.Sin(b))}
	}
	return data.Arrays[float32]{Name: "sines", Inputs: x, Targets: y}.Load()
}

func main() {
	set, test, err := Sines{N: 1000, Seed: 1}.Load()
	check(err)
	net, err := arch.MLP(nil, layers.Tanh, 2, 32, 32, 1)
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 32})
	check(err)
	rule := &train.PC[float32]{Model: model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .2}}, Stop: infer.Steps(10)}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 5e-3}, Train: set, Test: test, Batch: 32, Epochs: 40}
	history, err := trainer.Run(context.Background())
	check(err)
	fmt.Printf("test loss %.3f\n", history.Last().Loss)
	// Output: test loss 0\.0
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
