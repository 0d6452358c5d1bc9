package infer_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// Energies by layer as inference goes on: the observer reads the terms of the evaluation that has just been made. "block1" is
// the layer next to the input. The error starts at the output and spreads downwards.
func ExampleRun_energiesByLayer() {
	n, err := arch.MLP(nil, layers.Tanh, 2, 3, 3, 1)
	if err != nil {
		panic(err)
	}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	m, err := arch.Compile(n, w, arch.Plan{Batch: 1})
	if err != nil {
		panic(err)
	}
	if err := m.Clamp([]float64{1, -1}, []float64{2}); err != nil {
		panic(err)
	}
	if err := m.Forward(); err != nil {
		panic(err)
	}
	fmt.Println("step", m.Terms())
	terms := make([]float64, len(m.Terms()))
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}
	problem := train.ProblemOf(m)
	_, err = infer.Run(solver, problem, m.State(), infer.Steps(31), func(r infer.Reading) {
		if m.TermEnergies(terms); r.Step%10 == 0 {
			fmt.Printf("%4d %.4f\n", r.Step, terms)
		}
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// step [block1 block2 block3]
	//    0 [0.0000 0.0000 3.4507]
	//   10 [0.0406 0.5783 1.4777]
	//   20 [0.0525 0.5871 1.4556]
	//   30 [0.0534 0.5873 1.4545]
}
