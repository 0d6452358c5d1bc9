package train

import (
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
)

// Gaussian starts at draws from N(0, Std^2) for every free activity, free ends too: where inputs are unknown (JPC's
// init_activities_from_normal, whose Std is .05). Each start draws anew, in one stream from Seed. Without Std all begin at zero.
type Gaussian[T graph.Float] struct {
	Std  float64
	Seed uint64

	rng *rand.Rand
}

// Guess starts at the feedforward pass from the same guess of a free input for every sample, such as the mean label.
type Guess[T graph.Float] struct {
	Site   string // the input
	Values []T    // of one sample
}

// Previous starts at the activities as they are, those of the batch before: for streams, whose batches follow each other.
type Previous[T graph.Float] struct{}

var (
	_ Start[float32] = (*Gaussian[float32])(nil)
	_ Start[float32] = Guess[float32]{}
	_ Start[float32] = Previous[float32]{}
)

// Begin draws.
func (s *Gaussian[T]) Begin(m *arch.Model[T], _, _ []T) error {
	if s.rng == nil {
		s.rng = rand.New(rand.NewPCG(s.Seed, 0))
	}
	z := m.State()
	for i := range z {
		z[i] = T(s.Std * s.rng.NormFloat64())
	}
	m.Show()
	return nil
}

// Validate reports a standard deviation that is negative or not finite.
func (s *Gaussian[T]) Validate() error {
	if s.Std >= 0 && s.Std-s.Std == 0 {
		return nil
	}
	return errors.Errorf("Gaussian: standard deviation %v: want zero or more", s.Std)
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

// Begin leaves the activities alone.
func (Previous[T]) Begin(*arch.Model[T], []T, []T) error { return nil }
