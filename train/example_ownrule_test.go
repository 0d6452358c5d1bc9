package train_test

import (
	"context"
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// signs is a rule of one's own: predictive coding that keeps only the sign of every weight's gradient. Validate, Subject and
// Memory are those of the PC that it embeds.
type signs struct{ *train.PC[float32] }

func (r signs) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	report, err := r.PC.Gradient(grad, x, y, batch)
	for i, g := range grad {
		if g != 0 {
			grad[i] = g / max(g, -g)
		}
	}
	return report, err
}

// A rule of one's own takes all that the package has: a Trainer trains by it, and its gradient is compared with backprop's.
func ExampleRule() {
	trainer, err := moons()
	if err != nil {
		panic(err)
	}
	pc := trainer.Rule.(*train.PC[float32])
	rule := signs{pc}
	trainer.Rule, trainer.Optimizer = rule, &optim.SGD[float32]{Rate: .002}
	backprop, err := arch.Compile(pc.Model.Network(), pc.Model.Weights(), arch.Plan{Batch: 2, Coordinates: arch.Feedforward})
	if err != nil {
		panic(err)
	}
	x, y := []float32{0, 1, 1, 0}, []float32{1, 0, 0, 1}
	gradients := make([][]float32, 2)
	for i, r := range []train.Rule[float32]{rule, &train.Backprop[float32]{Model: backprop}} {
		gradients[i] = make([]float32, len(pc.Model.Weights().Data()))
		if _, err := r.Gradient(gradients[i], x, y, 2); err != nil {
			panic(err)
		}
	}
	fmt.Printf("the cosine with backprop's gradient is %.1f\n", analysis.Agree(gradients[0], gradients[1]).Cosine)

	history, err := trainer.Run(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Printf("accuracy above .95: %v\n", history.Last().Accuracy > .95)
	// Output:
	// the cosine with backprop's gradient is 0.7
	// accuracy above .95: true
}
