// Stepping trains the two moons twice: by a loop of its own, and by ranging over the trainer's steps.
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
	set, test, err := data.Moons{Seed: 1}.Load()
	check(err)
	net, err := arch.MLP(arch.SP{}, layers.Tanh, 2, 32, 32, 2)
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 32})
	check(err)
	solver := &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}
	update := train.Update[float32]{Optimizer: &optim.Adam[float32]{Rate: 1e-2}}
	grad, x, y := make([]float32, len(weights.Data())), make([]float32, 32*2), make([]float32, 32*2)
	for epoch := range 10 {
		for _, indices := range (data.Batches{N: set.Len(), Size: 32, Seed: 1, DropLast: true}).Epoch(epoch, 0) {
			data.Fill(set, x, y, indices)
			check(model.Clamp(x, y))
			check(model.Forward())
			_, err := infer.Run(solver, train.ProblemOf(model), model.State(), infer.Steps(20), nil)
			check(err)
			_, err = model.ParamGrad(grad)
			check(err)
			update.Step(weights, grad)
		}
	}
	score, err := train.Evaluate(model.Predict, test)
	check(err)
	fmt.Printf("by hand: accuracy %.2f\n", score.Accuracy)
	rule := &train.PC[float32]{Model: model, Solver: solver, Stop: infer.Steps(20)}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: set, Test: test, Batch: 32, Epochs: 10}
	for step, err := range trainer.Steps(context.Background()) {
		check(err)
		if step.Step%100 == 0 {
			fmt.Printf("step %d of %d: energy %.3f\n", step.Step, step.Total, step.Energy)
		}
	}
	// Output: by hand: accuracy (1\.00|0\.9)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
