package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Guess starts at the feedforward pass from the same guess of a free input for every sample, such as the mean label.
type Guess[T graph.Float] struct {
	Site   string // the input
	Values []T    // of one sample
}

var _ Start[float32] = Guess[float32]{}

// Validate reports values that are not finite.
func (s Guess[T]) Validate() error {
	if i := kernel.FirstNonFinite(s.Values); i >= 0 {
		return errors.Errorf("Guess: Values[%d] is %v: want finite numbers", i, s.Values[i])
	}
	return nil
}

// Begin sets the input and makes the feedforward pass.
func (s Guess[T]) Begin(m *arch.Model[T], _, _ []T) error {
	k := field(m, s.Site)
	if k < 0 {
		return errors.Errorf("Guess: no activity of %q is inferred: let arch.Plan.Hold leave it free", s.Site)
	}
	x := m.StateVector().Part(m.State(), k)
	if len(x) != len(s.Values)*m.Plan().Batch {
		return errors.Errorf("Guess: %d numbers for %q, which has %d units", len(s.Values), s.Site, len(x)/m.Plan().Batch)
	}
	for i := range x {
		x[i] = s.Values[i%len(s.Values)]
	}
	return m.Forward()
}
