package notebooks

import (
	"context"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// Bidirectional is one network, 784-256-10 both ways, that classifies and generates: the hidden layer is predicted from the picture and
// from the label, and predicts both.
type Bidirectional struct {
	Back float64 // weight of the energy of the direction from labels to pictures; the notebook has 1 and .001
}

// Budget is that of the notebook bidirectional_pc.
func (c Bidirectional) Budget() Budget {
	b := Budget{Updates: 300, EvalEvery: 50, Rate: 1e-3, Inference: jpcDescent(1, .5)}
	switch c.Back {
	case 1:
		b.Saved = map[int]float64{50: 69.8, 100: 80.9, 150: 83.2, 200: 84.4, 250: 85.2, 300: 85.4}
	case .001:
		b.Saved = map[int]float64{50: 90.2, 100: 91.8, 150: 93.8, 200: 94, 250: 93.8, 300: 94}
	}
	return b
}

// BothWays is what Bidirectional came to.
type BothWays struct {
	Learned
	Few     int     // the accuracies are of the first Few test samples
	Forward float64 // accuracy of the forward pass
	Free    float64 // accuracy of inference with the label free, which has both directions' evidence
	Digits  Digits
}

// Run trains both directions in one energy.
func (c Bidirectional) Run(ctx context.Context, s *Setup) (r BothWays, err error) {
	if err := s.begin("bidirectional", c.Budget()); err != nil {
		return r, err
	}
	both := arch.Bidirectional{Chain: arch.Chain{Act: layers.ReLU, Widths: []int{s.Train.In(), 256, s.Train.Out()}}, Backward: c.Back}
	net, err := both.Network()
	if err != nil {
		return r, err
	}
	m, err := s.model(net, arch.Plan{Energy: both.Energy()})
	if err != nil {
		return r, err
	}
	if r.Learned, err = s.learn(ctx, s.trainer(s.pc(m), true, m), nil); err != nil || ctx.Err() != nil {
		return r, err
	}
	free, err := s.reader(net, m.Weights(), arch.Plan{Energy: both.Energy(), FreeOutput: true})
	if err != nil {
		return r, err
	}
	query := &train.Query[float32]{Model: free, Site: "block2"}
	query.Solver, query.Stop = CauseReading.solver()
	test := s.Test.Slice(0, min(few, s.Test.Len()))
	inferred, err := train.Evaluate(func(x []float32) ([]float32, error) {
		y, _, err := query.Ask(x, nil, len(x)/s.Test.In())
		return y, err
	}, test)
	if err != nil {
		return r, err
	}
	passed, err := train.Evaluate(m.Predict, test)
	if err != nil {
		return r, err
	}
	r.Few, r.Forward, r.Free = test.Len(), passed.Accuracy, inferred.Accuracy
	back, part, err := arch.Backwards(both, m.Weights())
	if err != nil {
		return r, err
	}
	generator, err := arch.Compile(back, part, arch.Plan{Batch: s.Train.Out(), Coordinates: arch.Feedforward})
	if err != nil {
		return r, err
	}
	r.Digits, err = s.digits(generator, r.Rule.Subject().Predict)
	return r, err
}
