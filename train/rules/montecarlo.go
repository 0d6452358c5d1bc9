package rules

import (
	"cmp"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// MonteCarlo is Monte Carlo predictive coding (Oliviers, Bogacz and Meulemans 2024): the weight gradient is the mean over
// samples of the activities,
//
//	E dF/dW,  z drawn from exp(-F_i/temperature)
//
// which at temperature 1 is the gradient of the data's negative log-likelihood, where PC takes it at the mode of z alone.
// The Solver is an infer.Langevin and Stop so many steps; samples are the activities at the steps BurnIn, BurnIn + Every,
// and so on below that. Report.Energy is the mean over the samples.
type MonteCarlo[T graph.Float] struct {
	train.PC[T]
	BurnIn int // steps before the first sample
	Every  int // steps from sample to sample; 0 means 1

	look      func(infer.Reading) // observe, bound once
	grad, sum []T
	energy    float64
	samples   int
	failed    error
}

var _ train.Rule[float32] = (*MonteCarlo[float32])(nil)

// Validate reports what PC reports, a rule that leaves no sample, and negative numbers.
func (r *MonteCarlo[T]) Validate() error {
	if err := r.PC.Validate(); err != nil {
		return errors.WithMessage(err, "MonteCarlo")
	}
	steps, counted := r.Stop.(infer.Steps)
	switch {
	case r.BurnIn < 0 || r.Every < 0:
		return errors.Errorf("MonteCarlo: BurnIn %d, Every %d: want zero or more", r.BurnIn, r.Every)
	case !counted:
		return errors.Errorf("MonteCarlo: Stop %T: want infer.Steps: noise never comes to rest", r.Stop)
	case int(steps) <= r.BurnIn:
		return errors.Errorf("MonteCarlo: %d steps, all of them burn-in (%d): no sample is left", int(steps), r.BurnIn)
	}
	return nil
}

// Gradient is the mean over the samples. Its inference has no residual to judge by.
func (r *MonteCarlo[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	b, err := r.Begin(x, y, batch)
	if err != nil {
		return train.Report{}, err
	}
	if r.look == nil || len(r.sum) != len(grad) {
		r.sum = make([]T, len(grad))
		r.look = r.observe
	}
	clear(r.sum)
	r.grad, r.energy, r.samples, r.failed = grad, 0, 0, nil
	result, err := b.Infer(r.Solver, r.Stop, r.look)
	if r.samples > 0 {
		kernel.Scale(grad, r.sum, 1/T(r.samples))
	}
	report := train.Report{Loss: result.FirstEnergy, Energy: r.energy / float64(max(1, r.samples)), Inference: result}
	report.Inference.Initial = 0
	return report, cmp.Or(err, r.failed)
}

// observe takes a sample if it is time.
func (r *MonteCarlo[T]) observe(now infer.Reading) {
	if now.Step < r.BurnIn || (now.Step-r.BurnIn)%max(1, r.Every) != 0 || r.failed != nil {
		return
	}
	f, err := r.Batch().Model().ParamGrad(r.grad)
	if err != nil {
		r.failed = err
		return
	}
	r.energy, r.samples = r.energy+f, r.samples+1
	kernel.Add(r.sum, r.sum, r.grad)
}
