package notebooks

import (
	"context"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Generate is the supervised generative task: a network 10-300-300-784 from labels to pictures, then labels of pictures by inference
// with the label free.
type Generate struct {
	Std float64 // of the activities at which the inversion starts, .05 in the notebook; 0: the mean label and its feedforward pass
}

// Budget is that of the notebook supervised_generative_pc.
func (Generate) Budget() Budget {
	return Budget{Updates: 200, EvalEvery: 50, Rate: 1e-3, Inference: jpcSteps(100, .1), Saved: map[int]float64{50: 79.7, 100: 83.8, 150: 84.8, 200: 84.8}}
}

// Generated is the result of Generate.
type Generated struct {
	Learned
	Digits    Digits
	Inversion Trace           // the inference of labels of test pictures
	Longer    []LongerReading // labels by inference of the training's length, and of multiples
	Few       int             // how many test samples Longer is measured on
}

// A LongerReading is the accuracy of the labels that an inference of some length gives.
type LongerReading struct {
	Inference Inference
	Accuracy  float64
	Evals     int // of the energy gradient, per batch
}

// few is how many test samples are used where inference is long.
const few = 1000

// Run trains the network and inverts it.
func (g Generate) Run(ctx context.Context, s *Setup) (r Generated, err error) {
	if err := s.begin("generate", g.Budget()); err != nil {
		return r, err
	}
	m, err := s.chain(arch.Plan{}, s.Train.Out(), 300, 300, s.Train.In())
	if err != nil {
		return r, err
	}
	inverse, err := s.reader(m.Network(), m.Weights(), arch.Plan{FreeInput: true})
	if err != nil {
		return r, err
	}
	var start train.Start[float32] = &train.Gaussian[float32]{Std: g.Std, Seed: s.Seed}
	if g.Std == 0 {
		start = s.meanLabel()
	}
	query := &train.Query[float32]{Model: inverse, Start: start, Site: arch.InputName}
	query.Solver, query.Stop = s.Inference.New()
	rule := &rules.Generator[float32]{Rule: s.pc(m), Invert: query.Inputs}
	if r.Learned, err = s.learn(ctx, s.trainer(rule, true, m), nil); err != nil || ctx.Err() != nil {
		return r, err
	}
	if r.Digits, err = s.digits(m, query.Inputs); err != nil {
		return r, err
	}
	x, _ := s.pictures(64)
	small, err := inverse.Resized(len(x) / s.Test.In())
	if err != nil {
		return r, err
	}
	if r.Inversion, err = s.trace("Inversion of the trained generator", small, start, nil, x, beyond); err != nil {
		return r, err
	}
	test := s.Test.Slice(0, min(few, s.Test.Len()))
	r.Few = test.Len()
	for _, factor := range []int{1, 4, 16} {
		l := LongerReading{Inference: s.Inference}
		l.Inference.Time *= float64(factor)
		l.Inference.Steps *= factor
		query.Solver, query.Stop = l.Inference.New()
		score, err := train.Evaluate(query.Inputs, test)
		if err != nil {
			return r, err
		}
		l.Accuracy, l.Evals = score.Accuracy, query.Last.Evals
		r.Longer = append(r.Longer, l)
	}
	return r, nil
}

// meanLabel starts inference at the label that has 1/classes of each class, and its feedforward pass.
func (s *Setup) meanLabel() train.Start[float32] {
	classes := s.Train.Out()
	return train.Guess[float32]{Site: arch.InputName, Values: train.Repeat([]float32{1 / float32(classes)}, classes)}
}
