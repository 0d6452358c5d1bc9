// Ownoptimiser is an optimiser of one's own, which trains the weights by the gradient of predictive coding.
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

// Decayed is descent on the weights whose rate falls: at step n it is Rate/sqrt(n).
type Decayed struct{ Rate, n float64 }

func (o *Decayed) Reset() { o.n = 0 }

func (o *Decayed) Step(w, grad []float32) {
	o.n++
	for i, g := range grad {
		w[i] -= float32(o.Rate/math.Sqrt(o.n)) * g
	}
}

func main() {
	set, test, err := data.Moons{Seed: 1}.Load()
	check(err)
	net, err := arch.MLP(nil, layers.Tanh, 2, 32, 32, 2)
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 32})
	check(err)
	rule := &train.PC[float32]{Model: model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}, Stop: infer.Steps(20)}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &Decayed{Rate: .3}, Train: set, Test: test, Batch: 32, Epochs: 20}
	history, err := trainer.Run(context.Background())
	check(err)
	fmt.Printf("accuracy %.2f\n", history.Last().Accuracy)
	// Output: accuracy (1\.00|0\.[89])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
