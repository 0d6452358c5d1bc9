package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
)

// Backprop is the gradient of the loss of the feedforward pass: the energy of a model in feedforward coordinates.
type Backprop[T graph.Float] struct {
	Model *arch.Model[T] // in arch.Feedforward coordinates
	Seed  uint64         // of what layers draw at random for every batch, layers.Dropout

	m     *arch.Model[T]
	noise noise
}

var _ Rule[float32] = (*Backprop[float32])(nil)

// Validate reports a missing model and one in other coordinates.
func (r *Backprop[T]) Validate() error {
	if r.Model == nil {
		return errors.New("Backprop: Model is missing")
	}
	if c := r.Model.Plan().Coordinates; c != arch.Feedforward {
		return errors.Errorf("Backprop: a model in the coordinates of %v has free activities: compile it in arch.Feedforward", c)
	}
	return errors.WithMessage(r.Model.TakesBatches(), "Backprop")
}

// Gradient is dL/dW.
func (r *Backprop[T]) Gradient(grad, x, y []T, batch int) (Report, error) {
	checkGradient(grad, r.Model.Weights())
	m, err := r.Model.Resized(batch)
	if err != nil {
		return Report{}, err
	}
	r.m = m
	if err := m.Clamp(x, y); err != nil {
		return Report{}, err
	}
	drawNoise(&r.noise, m, r.Seed)
	f, err := m.ParamGrad(grad)
	return Report{Loss: f, Energy: f}, err
}

// Terms names the terms of the loss.
func (r *Backprop[T]) Terms() []string { return r.Model.Terms() }

// TermEnergies writes the terms of the last loss; zeros before the first gradient.
func (r *Backprop[T]) TermEnergies(dst []float64) { termEnergies(r.m, dst) }

// Weights is the model's slab.
func (r *Backprop[T]) Weights() *graph.Vector[T] { return r.Model.Weights() }

// Sizes are the numbers of one sample's inputs and outputs.
func (r *Backprop[T]) Sizes() (in, out int) { return r.Model.Sizes() }

// Predict is the feedforward pass.
func (r *Backprop[T]) Predict(x []T) ([]T, error) { return r.Model.Predict(x) }

// Locate names what went wrong in the last gradient; nothing before the first.
func (r *Backprop[T]) Locate() string { return locate(r.m) }
