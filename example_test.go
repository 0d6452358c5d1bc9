package pcgraph_test

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

// The program of the README: the two moons, learned by predictive coding.
func Example() {
	set, test, _ := data.Moons{Seed: 1}.Load()
	net, _ := arch.MLP(arch.SP{}, layers.Tanh, 2, 32, 32, 2)
	weights, _ := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	model, _ := arch.Compile(net, weights, arch.Plan{Batch: 32})
	rule := &train.PC[float32]{
		Model:  model,
		Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: 0.1}},
		Stop:   infer.Any{infer.Stationary{Tol: 1e-4}, infer.Steps(20)},
	}
	t := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: set, Test: test, Batch: 32, Epochs: 20}
	history, err := t.Run(context.Background())
	fmt.Printf("test accuracy %.3f, inferences %v, error %v\n", history.Last().Accuracy, history.Statuses, err)
	// Output:
	// test accuracy 1.000, inferences map[step limit:640], error <nil>
}
