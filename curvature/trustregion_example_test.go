package curvature_test

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/curvature"
	"github.com/pcgraph/pcgraph/layers"
)

// On a linear network inference is one trust-region step: from the feedforward pass, measured by the Fisher information.
func ExampleNewTrustRegion() {
	net, err := arch.MLP(arch.SP{}, layers.LinearAct, 2, 3, 3, 1)
	if err != nil {
		panic(err)
	}
	weights, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 1})
	if err != nil {
		panic(err)
	}
	region, err := curvature.NewTrustRegion(model, []float64{1, 2}, []float64{3})
	if err != nil {
		panic(err)
	}
	step, err := region.Step(curvature.Fisher)
	if err != nil {
		panic(err)
	}
	for i := range step {
		model.State()[i] += step[i]
	}
	grad := make([]float64, len(step))
	energy, err := model.StateGrad(grad, model.State())
	if err != nil {
		panic(err)
	}
	fmt.Printf("loss %.4f, energy after the step %.4f, largest gradient below 1e-14: %t\n", region.Loss, energy, -floats.Min(grad) < 1e-14 && floats.Max(grad) < 1e-14)
	// Output: loss 6.8121, energy after the step 3.7180, largest gradient below 1e-14: true
}
