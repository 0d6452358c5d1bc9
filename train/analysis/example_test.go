package analysis_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// With a small precision of the output, the weight gradient of predictive coding tends to backprop's during inference.
func ExampleCompare() {
	net, err := arch.MLP(arch.SP{}, layers.Tanh, 2, 8, 8, 1)
	if err != nil {
		panic(err)
	}
	weights, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	backprop, err := arch.Compile(net, weights, arch.Plan{Batch: 2, Coordinates: arch.Feedforward})
	if err != nil {
		panic(err)
	}
	const precision = 1e-4
	weak := energy.PC{Output: energy.Gaussian{Precision: precision}}
	pc, err := arch.Compile(net, weights, arch.Plan{Batch: 2, Energy: weak})
	if err != nil {
		panic(err)
	}
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .3}}
	rows, _, err := analysis.Compare(pc, backprop, solver, infer.Steps(61), []float64{0, 1, 1, 0}, []float64{1, -1}, 1/precision,
		func(step int) bool { return step == 0 || step == 60 })
	if err != nil {
		panic(err)
	}
	for _, row := range rows {
		fmt.Printf("step %d: cosine %.3f\n", row.Step, row.Whole.Cosine)
	}
	// Output:
	// step 0: cosine 0.694
	// step 60: cosine 1.000
}

// Under muP the change of a hidden activity in a training step does not depend on the width; in the standard
// parametrisation it grows.
func ExampleCoordCheck() {
	for _, scaling := range []arch.Scaling{arch.SP{}, arch.MuP{}} {
		check := &analysis.CoordCheck[float64]{
			Network: func(width int) (*arch.Network, error) {
				return arch.MLP(scaling, layers.Tanh, 2, width, width, 1)
			},
			Sizes: []int{16, 32, 64}, Seeds: []uint64{1, 2, 3}, Steps: 1,
			Plan: arch.Plan{Batch: 2, Coordinates: arch.Feedforward},
			X:    []float64{0, 1, 1, 0}, Y: []float64{1, -1},
			Optimizer: func(n *arch.Network, w *graph.Vector[float64]) optim.Optimizer[float64] {
				return &optim.Adam[float64]{Rate: .001, Spans: train.AdamSpans(n, w)}
			},
		}
		coords, err := check.Run(context.Background())
		if err != nil {
			panic(err)
		}
		for _, slope := range analysis.Slopes(coords, 1) {
			if slope.Place == analysis.LastHidden {
				fmt.Printf("%v: %s\n", scaling, slope.Change.Verdict(.25))
			}
		}
	}
	// Output:
	// sp: grows
	// mup: flat
}
