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

	batch BatchModel[T]
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
	CheckGradient(grad, r.Model.Weights())
	m, err := r.batch.Load(r.Model, x, y, batch, r.Seed)
	if err != nil {
		return Report{}, err
	}
	f, err := m.ParamGrad(grad)
	return Report{Loss: f, Energy: f}, err
}

// Subject is the model. The terms are those of the last loss.
func (r *Backprop[T]) Subject() Subject[T] { return r.batch.Subject(r.Model) }

// Memory is the number of batches.
func (r *Backprop[T]) Memory() Memory { return &r.batch }
