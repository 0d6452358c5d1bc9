package notebooks

import (
	"context"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/jpc"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// Hybrid trains a generator, 10-300-300-784 from labels to pictures, and an amortiser, its mirror image, which guesses in one pass the
// activities that inference will come to, and learns from where it came to.
type Hybrid struct{}

// Budget is that of the notebook hybrid_pc, whose saved accuracies are those of the amortiser.
func (Hybrid) Budget() Budget {
	return Budget{Updates: 300, EvalEvery: 100, Rate: 1e-3, Inference: jpcSteps(50, .1), Saved: map[int]float64{100: 74.7, 200: 80.7, 300: 82.1}}
}

// HybridTime is the time to which the notebook integrates by Heun's method to infer labels. It is longer than LabelReading needs to
// come nearer to rest.
func HybridTime() float64 { return jpc.PerSample(500) }

// Amortised is what Hybrid came to.
type Amortised struct {
	Learned
	Starts []LabelStart
	Digits Digits
}

// A LabelStart is the inference of labels of test pictures from one start.
type LabelStart struct {
	Name     string
	Accuracy float64
	Saved    float64 // the notebook's accuracy in per cent, 0 if it has none
	Trace    Trace
}

// Run trains both networks and infers labels from several starts.
func (h Hybrid) Run(ctx context.Context, s *Setup) (r Amortised, err error) {
	if err := s.begin("hybrid", h.Budget()); err != nil {
		return r, err
	}
	chain := arch.Chain{Act: layers.ReLU, Widths: []int{s.Train.Out(), 300, 300, s.Train.In()}}
	net, err := chain.Network()
	if err != nil {
		return r, err
	}
	mirror, err := arch.Amortiser(chain)
	if err != nil {
		return r, err
	}
	_, parts, err := arch.NewWeightsTogether[float32](rand.New(rand.NewPCG(s.Seed, weightStream)),
		arch.Member{Name: "generator", Network: net}, arch.Member{Name: "amortiser", Network: mirror})
	if err != nil {
		return r, err
	}
	generator, err := arch.Compile(net, parts[0], arch.Plan{Batch: s.Batch})
	if err != nil {
		return r, err
	}
	amortiser, err := arch.Compile(mirror, parts[1], arch.Plan{Batch: s.Batch, Coordinates: arch.Feedforward, Energy: withoutHalf})
	if err != nil {
		return r, err
	}
	solver, stop := s.Inference.New()
	rule := &rules.Hybrid[float32]{Generator: generator, Amortiser: amortiser, Solver: solver, Stop: stop}
	if r.Learned, err = s.learn(ctx, s.trainer(rule, true, generator, amortiser), nil); err != nil || ctx.Err() != nil {
		return r, err
	}
	inverse, err := s.reader(net, parts[0], arch.Plan{FreeInput: true})
	if err != nil {
		return r, err
	}
	r.Starts = []LabelStart{{Name: "inference from the guess", Saved: 83}, {Name: "inference from random activities", Saved: 83.2}, {Name: "inference from the mean label"}}
	for i, start := range []train.Start[float32]{&rules.Amortised[float32]{Amortiser: amortiser}, &train.Gaussian[float32]{Std: .05, Seed: s.Seed}, s.meanLabel()} {
		if ctx.Err() != nil {
			r.Starts = r.Starts[:i]
			break
		}
		if err := r.Starts[i].measure(s, inverse, start); err != nil {
			return r, err
		}
	}
	r.Digits, err = s.digits(generator, amortiser.Predict)
	return r, err
}

// measure infers the labels of the test set, and traces one batch.
func (l *LabelStart) measure(s *Setup, inverse *arch.Model[float32], start train.Start[float32]) error {
	query := &train.Query[float32]{Model: inverse, Start: start, Site: arch.InputName}
	query.Solver, query.Stop = LabelReading.solver()
	score, err := train.Evaluate(query.Inputs, s.Test)
	if err != nil {
		return err
	}
	l.Accuracy = score.Accuracy
	x, _ := s.pictures(64)
	small, err := inverse.Resized(len(x) / s.Test.In())
	if err != nil {
		return err
	}
	plain := *s
	plain.Inference = Inference{Solver: SGD, Steps: 20, Rate: LabelReading.Rate}
	l.Trace, err = plain.trace(l.Name, small, start, nil, x, 8)
	return err
}
