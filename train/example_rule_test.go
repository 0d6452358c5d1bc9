package train_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// One batch, without a trainer: infer, take the gradient with respect to the weights, move the weights.
func ExamplePC() {
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
	rule := &train.PC[float64]{
		Model:  model,
		Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}},
		Stop:   infer.Any{infer.Stationary{Tol: 1e-6}, infer.Steps(1000)},
	}
	update := train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: .5}}
	grad, x, y := make([]float64, len(weights.Data())), []float64{0, 1, 1, 0}, []float64{1, -1}
	for range 100 {
		report, err := rule.Gradient(grad, x, y, 2)
		if err != nil {
			panic(err)
		}
		if report.Inference.Status != infer.Converged {
			fmt.Println(report.Inference.Status)
		}
		update.Step(weights, grad)
	}
	out, err := rule.Subject().Predict(x)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f\n", out)
	// Output: [1.00 -1.00]
}
