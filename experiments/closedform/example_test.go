package closedform_test

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/experiments/closedform"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// Two weights of one unit learn y = -x by predictive coding.
func ExampleRule() {
	net := theory.Linear{Weights: []*mat.Dense{mat.NewDense(1, 1, []float64{.5}), mat.NewDense(1, 1, []float64{-.5})}}
	rule, err := closedform.New(net, closedform.PC)
	if err != nil {
		panic(err)
	}
	trainer := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: .2}, MaxSteps: 30,
		Feed: func(int) (x, y []float64) { return []float64{1}, []float64{-1} }}
	for step, err := range trainer.Steps(context.Background()) {
		if err != nil {
			panic(err)
		}
		if step.Step%10 == 1 {
			fmt.Printf("loss %.4f, energy %.4f\n", step.Loss, step.Energy)
		}
	}
	// Output:
	// loss 0.2812, energy 0.2250
	// loss 0.0086, energy 0.0044
	// loss 0.0001, energy 0.0001
}
