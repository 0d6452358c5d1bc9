package rules

import (
	"cmp"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// ZIL is zero-divergence inference learning (Song, Lukasiewicz, Xu and Bogacz 2020): inference from the feedforward pass at
// rate 1, with the gradient of layer l of L taken after L-l steps. The error has then just come to that layer,
// and the activities that it reads have not moved, so the gradient is backprop's to rounding. It is for chains with hidden
// likelihoods of unit precision; the output's may be any.
//
// A step moves the activity that the error has just come to. Those behind it would move too, which changes no gradient, and at rate 1
// they grow without limit in deep networks. The Report's Energy is F with every hidden activity moved once.
//
// It is not fast: a batch takes L-1 gradients by one activity each, and L weight gradients, all layers in each.
type ZIL[T graph.Float] struct {
	Model *arch.Model[T] // in the coordinates of activities
	Seed  uint64         // of what layers draw at random for every batch, as in PC

	batch  train.BatchModel[T]
	dw     []T
	site   [1]int                      // to be moved
	move   func(site int, z, grad []T) // a step of rate 1, bound once
	blocks []int                       // of each weight
}

var _ train.Rule[float32] = (*ZIL[float32])(nil)

// Validate reports a missing model, other coordinates, networks that are no chains, masked inputs, and energies that are not unit
// Gaussian at hidden sites.
func (r *ZIL[T]) Validate() error {
	if r.Model == nil {
		return errors.New("ZIL: Model is missing")
	}
	if c := r.Model.Plan().Coordinates; c != arch.Activities {
		return errors.Errorf("ZIL: a model in the coordinates of %v: compile it in arch.Activities", c)
	}
	if r.Model.Plan().Dendrites != nil {
		return errors.New("ZIL: a model with dendrites does not step along the gradient of the energy: compile it without")
	}
	n := r.Model.Network()
	_, notChain := chainOf(n)
	return errors.WithMessage(cmp.Or(unitHidden(r.Model.Plan().Energy), feedforwardNet(n), noStart(n), notChain, r.Model.TakesBatches(), dataInputs(n, r.Model.Plan())), "ZIL")
}

// Gradient is backprop's, found by inference.
func (r *ZIL[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	last := r.batch.Model()
	m, err := r.batch.Load(r.Model, x, y, batch, r.Seed)
	if err != nil {
		return train.Report{}, err
	}
	if m != last {
		r.dw = make([]T, len(grad))
		r.move = func(_ int, z, grad []T) { kernel.SGD(z, grad, 1, 0) }
		r.blocks = r.blocks[:0]
		for _, w := range m.Network().Weights() {
			r.blocks = append(r.blocks, blockOf(m.Network(), w.Name))
		}
	}
	if err := m.Forward(); err != nil {
		return train.Report{}, err
	}
	var report train.Report
	for l := len(m.Network().Blocks) - 1; l >= 0; l-- {
		f, err := m.ParamGrad(r.dw)
		if err != nil {
			return report, err
		}
		for i, block := range r.blocks {
			if block == l {
				w := m.Weights()
				copy(w.Part(grad, i), w.Part(r.dw, i))
			}
		}
		if report.Energy = f; report.Inference.Step == 0 {
			report.Loss = f
		}
		if l == 0 {
			break
		}
		r.site[0] = l - 1 // a chain's activities are those of its blocks but the last
		if err := m.Sweep(r.site[:], r.move); err != nil {
			return report, err
		}
		report.Inference.Status = infer.StepLimit
		report.Inference.Step++
		report.Inference.Evals++
	}
	return report, nil
}

// Subject is the model. The terms are those of the energy where the first layer's gradient was taken.
func (r *ZIL[T]) Subject() train.Subject[T] { return r.batch.Subject(r.Model) }

// Memory is the number of batches.
func (r *ZIL[T]) Memory() train.Memory { return &r.batch }
