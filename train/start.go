package train

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
)

// A Start sets the activities that an inference begins with: Feedforward, Gaussian, Amortised or Previous.
type Start[T graph.Float] interface {
	// Begin sets the activities of m, to which x and y have been clamped.
	Begin(m *arch.Model[T], x, y []T) error
}

// Feedforward starts at the feedforward pass, Model.Forward.
type Feedforward[T graph.Float] struct{}

var _ Start[float32] = Feedforward[float32]{}

// Begin is Model.Forward.
func (Feedforward[T]) Begin(m *arch.Model[T], _, _ []T) error { return m.Forward() }

// begin sets the activities that an inference begins with; a nil start is Feedforward.
func begin[T graph.Float](s Start[T], m *arch.Model[T], x, y []T) error {
	if s == nil {
		return m.Forward()
	}
	return s.Begin(m, x, y)
}
