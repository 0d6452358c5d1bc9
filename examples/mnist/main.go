// Mnist trains a network of two hidden layers on handwritten digits by predictive coding.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

func main() {
	training, test, err := data.MNIST{}.Load()
	check(err)
	net, err := arch.MLP(arch.SP{}, layers.ReLU, 784, 128, 128, 10)
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 64, Coordinates: arch.Errors})
	check(err)
	trainer := train.Trainer[float32]{
		Rule: &train.PC[float32]{
			Model:  model,
			Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .4}},
			Stop:   infer.Steps(8),
		},
		Optimizer: &optim.Adam[float32]{Rate: 1e-3},
		Train:     training, Test: test, Batch: 64, MaxSteps: 300,
	}
	history, err := trainer.Run(context.Background())
	check(err)
	fmt.Printf("%d updates, test accuracy %.3f\n", history.Steps, history.Last().Accuracy)
	// Output: 300 updates, test accuracy 0\.9
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
