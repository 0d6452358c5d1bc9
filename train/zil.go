package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// ZIL is zero-divergence inference learning (Song, Lukasiewicz, Xu and Bogacz 2020): inference from the feedforward pass at
// rate 1, with the gradient of layer l of L taken after L-l steps. The error has then just come to that layer,
// and the activities that it reads have not moved, so the gradient is backprop's to rounding. It is for chains with hidden
// likelihoods of unit precision; the output's may be any.
//
// It is not fast: a batch takes L-1 energy gradients and L weight gradients, all layers in each.
type ZIL[T graph.Float] struct {
	Model *arch.Model[T] // in the coordinates of activities
	Seed  uint64         // of what layers draw at random for every batch, as in PC

	m      *arch.Model[T]
	noise  noise
	dz, dw []T
	blocks []int // of each weight
}

var _ Rule[float32] = (*ZIL[float32])(nil)

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
	pc, err := chainEnergy(r.Model.Plan().Energy)
	for _, lik := range append(likelihoods(pc.Blocks), pc.Hidden) {
		if g, gaussian := lik.(energy.Gaussian); lik != nil && (!gaussian || g.Precision != 0 && g.Precision != 1) {
			err = first(err, errors.Errorf("hidden likelihood %+v: want energy.Gaussian of unit precision, and no likelihoods of single blocks but that", lik))
		}
	}
	return errors.WithMessage(first(err, chain(r.Model.Network()), r.Model.TakesBatches(), dataInputs(r.Model.Network(), r.Model.Plan())), "ZIL")
}

// Gradient is backprop's, found by inference.
func (r *ZIL[T]) Gradient(grad, x, y []T, batch int) (Report, error) {
	checkGradient(grad, r.Model.Weights())
	m, err := r.Model.Resized(batch)
	if err != nil {
		return Report{}, err
	}
	if r.m != m {
		r.m, r.dz, r.dw = m, make([]T, len(m.State())), make([]T, len(grad))
		r.blocks = r.blocks[:0]
		for _, w := range m.Network().Weights() {
			r.blocks = append(r.blocks, blockOf(m.Network(), w.Name))
		}
	}
	if err := m.Clamp(x, y); err != nil {
		return Report{}, err
	}
	drawNoise(&r.noise, m, r.Seed)
	if err := m.Forward(); err != nil {
		return Report{}, err
	}
	var report Report
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
		if _, err := m.StateGrad(r.dz, m.State()); err != nil {
			return report, err
		}
		kernel.SGD(m.State(), r.dz, 1, 0)
		report.Inference.Status = infer.StepLimit
		report.Inference.Step++
		report.Inference.Evals++
	}
	return report, nil
}

// Terms names the terms of the energy.
func (r *ZIL[T]) Terms() []string { return r.Model.Terms() }

// TermEnergies writes the terms of the energy where the first layer's gradient was taken; zeros before.
func (r *ZIL[T]) TermEnergies(dst []float64) { termEnergies(r.m, dst) }

// Weights is the model's slab.
func (r *ZIL[T]) Weights() *graph.Vector[T] { return r.Model.Weights() }

// Sizes are the numbers of one sample's inputs and outputs.
func (r *ZIL[T]) Sizes() (in, out int) { return r.Model.Sizes() }

// Predict is the feedforward pass.
func (r *ZIL[T]) Predict(x []T) ([]T, error) { return r.Model.Predict(x) }

// Locate names what went wrong in the last gradient; nothing before the first.
func (r *ZIL[T]) Locate() string { return locate(r.m) }

// first is the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
