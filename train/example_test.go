package train_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// moons is predictive coding of a small network on two classes of points.
func moons() (*train.Trainer[float32], error) {
	training, test, err := data.Moons{Train: 128, Test: 128, Noise: .1, Seed: 1}.Load()
	if err != nil {
		return nil, err
	}
	net, err := arch.MLP(arch.SP{}, layers.Tanh, 2, 16, 16, 2)
	if err != nil {
		return nil, err
	}
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return nil, err
	}
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 32})
	if err != nil {
		return nil, err
	}
	return &train.Trainer[float32]{
		Rule: &train.PC[float32]{
			Model:  model,
			Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .2}},
			Stop:   infer.Steps(8),
		},
		Optimizer: &optim.Adam[float32]{Rate: .01},
		Train:     training, Test: test, Batch: 32, Epochs: 150, Seed: 1,
	}, nil
}

// Train a network by predictive coding and evaluate it.
func ExampleTrainer_Run() {
	trainer, err := moons()
	if err != nil {
		panic(err)
	}
	history, err := trainer.Run(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d steps, accuracy above .95: %v\n", history.Steps, history.Last().Accuracy > .95)
	// Output: 600 steps, accuracy above .95: true
}

// Train step by step, and leave when the loss is low enough.
func ExampleTrainer_Steps() {
	trainer, err := moons()
	if err != nil {
		panic(err)
	}
	mean := 1.
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			panic(err)
		}
		if mean += (step.Loss - mean) / 8; mean < .1 {
			break
		}
	}
	fmt.Printf("left before the end: %v\n", trainer.History().Steps < 600)
	// Output: left before the end: true
}
