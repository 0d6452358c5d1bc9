package train

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Start sets the activities that an inference begins with: Feedforward, Gaussian, Amortised, Guess, Previous, Average or Recall.
type Start[T graph.Float] interface {
	// Begin sets the activities of m, to which x and y have been clamped.
	Begin(m *arch.Model[T], x, y []T) error
}

// Feedforward starts at the feedforward pass, Model.Forward.
type Feedforward[T graph.Float] struct{}

var _ Start[float32] = Feedforward[float32]{}

// Begin is Model.Forward.
func (Feedforward[T]) Begin(m *arch.Model[T], _, _ []T) error { return m.Forward() }

// Gaussian starts every free activity, in the coordinates of errors every error, at a draw of its own, of the normal
// distribution of standard deviation Std around zero: other draws at every batch, the same for the same Seed. JPC's
// init_activities_from_normal has .05. (An arch.Start is of a single site, and the same at every batch.)
type Gaussian[T graph.Float] struct {
	Std  float64 // 0 starts at zero
	Seed uint64

	random Random
}

var _ Start[float32] = (*Gaussian[float32])(nil)

// Begin draws.
func (g *Gaussian[T]) Begin(m *arch.Model[T], _, _ []T) error {
	rng, z := g.random.From(g.Seed, 0), m.State()
	for i := range z {
		z[i] = T(g.Std * rng.NormFloat64())
	}
	m.Show()
	return nil
}

// Validate reports a standard deviation that is none.
func (g *Gaussian[T]) Validate() error {
	if !(g.Std >= 0) || math.IsInf(float64(T(g.Std)), 0) {
		return errors.Errorf("Gaussian: Std %v: want a finite number of zero or more", g.Std)
	}
	return nil
}

// MarshalBinary is where the draws are, for a Checkpoint.
func (g *Gaussian[T]) MarshalBinary() ([]byte, error) { return g.random.MarshalBinary() }

// UnmarshalBinary restores the state of the random numbers that MarshalBinary saved.
func (g *Gaussian[T]) UnmarshalBinary(state []byte) error { return g.random.UnmarshalBinary(state) }

// Previous starts where the inference before ended, for streams: sample i of a batch goes on from sample i of the batch
// before. In a batch of more samples than that had, those that are new start at the feedforward pass; in one of fewer, the
// first ones go on. All start at the feedforward pass after numbers that are not finite. Fresh tells how many did.
type Previous[T graph.Float] struct {
	last  *arch.Model[T] // whose state is where it ended
	fresh int
}

var _ Start[float32] = (*Previous[float32])(nil)

// Fresh is how many samples of the last batch started at the feedforward pass.
func (p *Previous[T]) Fresh() int { return p.fresh }

// Reset makes the next batch begin new streams.
func (p *Previous[T]) Reset() { p.last = nil }

// Begin goes on. A Previous that is used for two networks is an error.
func (p *Previous[T]) Begin(m *arch.Model[T], _, _ []T) error {
	if p.last != nil && p.last.Network() != m.Network() {
		return errors.New("Previous: the batch before was another network's: give each rule a Previous of its own, or Reset it")
	}
	rows, before := m.Plan().Batch, 0
	if p.last != nil && kernel.AllFinite(p.last.State()) {
		before = p.last.Plan().Batch
	}
	p.fresh = max(0, rows-before)
	if p.fresh > 0 {
		if err := m.Forward(); err != nil {
			return errors.WithMessage(err, "Previous: samples that go on from none")
		}
	}
	if both := min(rows, before); both > 0 && p.last != m {
		to, from := m.StateVector(), p.last.StateVector()
		for i := range to.Fields() {
			src := from.Part(from.Data(), i)
			copy(to.Part(to.Data(), i), src[:len(src)/before*both])
		}
	}
	m.Show()
	p.last = m
	return nil
}

// Begin sets the activities with which inference begins. A nil start means Feedforward.
func Begin[T graph.Float](s Start[T], m *arch.Model[T], x, y []T) error {
	if s == nil {
		return m.Forward()
	}
	return s.Begin(m, x, y)
}

// ValidateStart reports a start that is a nil pointer, what it reports itself, and, if it has ValidateFor(m *arch.Model[T]) error in
// place of Validate, why it cannot begin the inference of m.
func ValidateStart[T graph.Float](s Start[T], m *arch.Model[T]) error {
	if err := isNil("Start", s); err != nil {
		return err
	}
	switch v := s.(type) {
	case interface{ ValidateFor(*arch.Model[T]) error }:
		return v.ValidateFor(m)
	case interface{ Validate() error }:
		return v.Validate()
	}
	return nil
}
