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

// The schedule of pcx and optax: linearly from the rate to 1.1 times the rate over a tenth of the steps, then by a cosine to a tenth of it.
func ExampleWarmUp() {
	schedule := train.WarmUp{Part: .1, From: 1, Then: train.CosineDecay{From: 1.1, To: .1}}
	for _, step := range []int{1, 51, 101, 551, 1000} {
		fmt.Printf("%.2f ", schedule.Factor(step, 1000))
	}
	// Output: 1.00 1.05 1.10 0.60 0.10
}

// Train at a rate that falls, with clipped gradients and smoothed labels, until evaluations no longer improve.
func ExampleTrainer_Run_schedule() {
	trainer, err := moons()
	if err != nil {
		panic(err)
	}
	trainer.Optimizer = &optim.Clip[float32]{Max: 1, Opt: trainer.Optimizer}
	trainer.Schedule = train.WarmUp{Part: .1, Then: train.CosineDecay{}}
	trainer.LabelSmoothing, trainer.WeightAverage = .1, .9
	trainer.EvalEvery, trainer.EarlyStop = 20, train.EarlyStop{Patience: 5}
	history, err := trainer.Run(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Printf("stopped early: %v, at the weights of the best evaluation: %v\n", history.Stopped, history.Best < history.Steps)
	// Output: stopped early: true, at the weights of the best evaluation: true
}
