// Memory is an associative memory: a generative network learns pictures of stripes, and inference completes one whose lower half is missing.
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
	"github.com/pcgraph/pcgraph/train/rules"
)

func main() {
	training, _, err := data.BarsAndStripes{Train: 1000, Seed: 1}.Load()
	check(err)
	net := &arch.Network{Input: []int{1}, Blocks: []arch.Block{ // prior -> causes -> hidden -> 4 x 4 pixels
		{Name: "causes", Layer: layers.Linear{In: 1, Out: 8, Bias: true}},
		{Name: "hidden", Layer: layers.Linear{In: 8, Out: 64, Bias: true}},
		{Name: "picture", Layer: layers.Linear{In: 64, Out: 16, Bias: true, Act: layers.Tanh}},
	}}
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 20})
	check(err)
	solver := &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: .05, Mu: .8}}
	rule := &rules.Unsupervised[float32]{Model: model, Input: []float32{1}, Solver: solver, Stop: infer.Steps(50),
		Start: &train.Gaussian[float32]{Std: .05, Seed: 1}, Targets: training.Out()}
	trainer := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 5e-3}, Train: training, Batch: 20, Epochs: 20}
	_, err = trainer.Run(context.Background())
	check(err)

	half, err := arch.Compile(net, weights, arch.Plan{Batch: 1, Hold: map[string]arch.Hold{"picture": arch.Masked}})
	check(err)
	check(half.Mask("picture", []float32{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}))
	query := train.Query[float32]{Model: half, Solver: solver, Stop: infer.Steps(500), Site: "picture"}
	pixels, _, err := query.Ask([]float32{1}, []float32{1, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 1)
	check(err)
	fmt.Printf("second row %.1f\nlast row %.1f\n", pixels[4:8], pixels[12:])
	// Output: second row \[1\.0 0\.0 1\.0 1\.0\]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
