// Transformer learns by predictive coding to repeat a word that is in its context.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

func main() {
	const length, tokens = 4, 4 // "a b c d | _ _ _" becomes "_ _ _ _ a b c d"
	training, test, err := data.Copy{Length: length, Tokens: tokens, Train: 4000, Seed: 1}.Load()
	check(err)
	net, err := arch.Transformer{Vocab: tokens + 2, Tokens: 2 * length, Width: 32, Heads: 2, Norm: true}.Network()
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{
		Batch: 32, Coordinates: arch.Errors,
		Energy: energy.PC{Output: energy.Categorical{Precision: .1}},
	})
	check(err)
	rule := &train.PC[float32]{Model: model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .3}}, Stop: infer.Steps(4)}
	trainer := train.Trainer[float32]{
		Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: training, Test: test, Batch: 32, Epochs: 3, EvalEvery: 100,
		OnEval: func(e train.Eval) { fmt.Printf("step %d: %.2f of the word is right\n", e.Step, e.Accuracy) },
	}
	_, err = trainer.Run(context.Background())
	check(err)
	// Output: step 375: (1\.00|0\.9)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
