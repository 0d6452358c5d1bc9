package rules_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Incremental predictive coding moves the weights at every step of inference. A train.Trainer does the same by itself when
// its Rule is an Incremental; here the steps are made by hand.
func ExampleIncremental() {
	net, err := arch.MLP(arch.SP{}, layers.Tanh, 2, 8, 1)
	if err != nil {
		panic(err)
	}
	weights, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 2})
	if err != nil {
		panic(err)
	}
	rule := &rules.Incremental[float64]{PC: train.PC[float64]{
		Model:  model,
		Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}},
		Stop:   infer.Steps(16),
	}}
	update := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}
	grad, x, y := make([]float64, len(weights.Data())), []float64{0, 1, 1, 0}, []float64{1, -1}
	steps := 0
	for range 50 {
		if _, err := rule.Learn(grad, x, y, 2, func(train.Report) error {
			update.Step(weights, grad)
			steps++
			return nil
		}); err != nil {
			panic(err)
		}
	}
	out, err := rule.Subject().Predict(x)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d weight steps, outputs %.2f\n", steps, out)
	// Output: 800 weight steps, outputs [1.00 -1.00]
}

// Where PC-ALM converges its gradient is backprop's; predictive coding's equilibrium, Ascent 0, has another one.
func ExamplePCALM() {
	net, err := arch.ResMLP(arch.MuPC{}, layers.Tanh, 2, 6, 6, 6, 1)
	if err != nil {
		panic(err)
	}
	weights, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	compiled := func(c arch.Coordinates) *arch.Model[float64] {
		m, err := arch.Compile(net, weights, arch.Plan{Batch: 2, Coordinates: c})
		if err != nil {
			panic(err)
		}
		return m
	}
	x, y := []float64{0, 1, 1, 0}, []float64{1, -1}
	gradient := func(r train.Rule[float64]) []float64 {
		g := make([]float64, len(weights.Data()))
		if _, err := r.Gradient(g, x, y, 2); err != nil {
			panic(err)
		}
		return g
	}
	bp := gradient(&train.Backprop[float64]{Model: compiled(arch.Feedforward)})
	far := func(g []float64) float64 {
		d, norm := 0., 0.
		for i, b := range bp {
			d, norm = math.Hypot(d, g[i]-b), math.Hypot(norm, b)
		}
		return d / norm
	}
	alm := gradient(&rules.PCALM[float64]{Model: compiled(arch.Activities), Steps: 3000, Ascent: 1})
	pc := gradient(&rules.PCALM[float64]{Model: compiled(arch.Activities), Steps: 3000})
	fmt.Println(far(alm) < 1e-6, far(pc) > .1)
	// Output: true true
}
