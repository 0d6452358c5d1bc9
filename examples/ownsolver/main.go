// Ownsolver is a solver of inference of one's own, in one training.
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

// Descent is plain gradient descent, z <- z - 0.1 dF/dz.
type Descent struct{ last infer.Evaluation[float32] }

func (s *Descent) Reset() {}

func (s *Descent) Eval(p infer.Problem[float32], z []float32) (e infer.Evaluation[float32], err error) {
	if len(s.last.Grad) != len(z) {
		s.last.Grad = make([]float32, len(z))
	}
	s.last, err = infer.Evaluate(p, s.last.Grad, z)
	return s.last, err
}

func (s *Descent) Move(_ infer.Problem[float32], z []float32) (infer.Motion, error) {
	for i, g := range s.last.Grad {
		z[i] -= .1 * g
	}
	return infer.Motion{}, nil
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
	rule := &train.PC[float32]{Model: model, Solver: &Descent{}, Stop: infer.Steps(20)}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: set, Test: test, Batch: 32, Epochs: 20}
	history, err := trainer.Run(context.Background())
	check(err)
	fmt.Printf("accuracy %.2f, inferences %v\n", history.Last().Accuracy, history.Statuses)
	// Output: accuracy (1\.00|0\.9)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
