// Ownrule is a learning rule of one's own: predictive coding whose update keeps only the sign of every weight's gradient.
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

// Sign is predictive coding with the gradient sign(dF/dW). What it does not define is PC's.
type Sign struct{ train.PC[float32] }

func (r *Sign) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	report, err := r.PC.Gradient(grad, x, y, batch)
	for i, g := range grad {
		switch {
		case g > 0:
			grad[i] = 1
		case g < 0:
			grad[i] = -1
		}
	}
	return report, err
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
	rule := &Sign{train.PC[float32]{Model: model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}, Stop: infer.Steps(20)}}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &optim.SGD[float32]{Rate: 2e-3}, Train: set, Test: test, Batch: 32, Epochs: 20}
	history, err := trainer.Run(context.Background())
	check(err)
	fmt.Printf("accuracy %.2f\n", history.Last().Accuracy)
	// Output: accuracy (1\.00|0\.9)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
