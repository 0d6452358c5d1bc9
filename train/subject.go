package train

import (
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// A Subject is what a rule trains. SubjectOf makes that of a model; a rule changes the fields that are different.
type Subject[T graph.Float] struct {
	Weights *graph.Vector[T] // the slab that gradients are with respect to; nil if the rule has no model yet
	In, Out int              // how many numbers one sample's inputs and targets are
	Terms   []string         // names of the terms of the energy

	// TermEnergies writes the terms of the last gradient's energy to dst, in the order of Terms; zeros before the first. It
	// panics when dst is not as long as Terms.
	TermEnergies func(dst []float64)
	// Predict returns the targets [n, Out] that the feedforward pass gives for inputs x [n, In], for any n.
	Predict func(x []T) ([]T, error)
	// Locate names the first number of the last gradient's computation that is not finite; "" if there is none.
	Locate func() string
	// Solver is that of the inference, nil if there is none. The weights need an optimiser that is not in it.
	Solver infer.Solver[T]
}

// Sizes returns In and Out.
func (s Subject[T]) Sizes() (in, out int) { return s.In, s.Out }

// SubjectOf is the subject of a rule that trains a model. Last returns the model, of the size of the last batch, whose energy
// was computed last, and nil before the first.
func SubjectOf[T graph.Float](m *arch.Model[T], last func() *arch.Model[T]) Subject[T] {
	s := Subject[T]{
		TermEnergies: func(dst []float64) {
			if l := last(); l != nil {
				l.TermEnergies(dst)
			} else {
				clear(dst)
			}
		},
		Locate: func() string {
			if l := last(); l != nil {
				return l.Locate()
			}
			return ""
		},
	}
	if m != nil {
		s.Weights, s.Terms, s.Predict = m.Weights(), m.Terms(), m.Predict
		s.In, s.Out = m.Sizes()
	}
	return s
}

// A BatchModel is a model in the size of the last batch: what most rules begin with. The zero value is ready for use.
//
//	m, err := r.batch.Load(r.Model, x, y, batch, r.Seed)   // resized, clamped, dropout drawn
//	err = m.Forward()                                      // where inference begins
//	report, err := r.batch.Relax(grad, solver, stop)       // inference, then dF/dW
//
// Its Memory is the number of batches that it has seen, which random numbers of layers depend on.
type BatchModel[T graph.Float] struct {
	m       *arch.Model[T]
	problem infer.Problem[T]
	noise   noise
}

// Model is that of the last batch; nil before the first.
func (b *BatchModel[T]) Model() *arch.Model[T] { return b.m }

// Subject is that of a rule that trains model by way of b.
func (b *BatchModel[T]) Subject(model *arch.Model[T]) Subject[T] { return SubjectOf(model, b.Model) }

// Load returns model in the size of a batch, clamps x [batch, in...] and y [batch, out...] to its ends, and draws what its layers
// add at random. The draws are a function of seed and of the number of batches loaded: rules of one seed draw the same.
func (b *BatchModel[T]) Load(model *arch.Model[T], x, y []T, batch int, seed uint64) (*arch.Model[T], error) {
	m, err := model.Resized(batch)
	if err != nil {
		return nil, err
	}
	if b.m != m {
		b.m, b.problem = m, ProblemOf(m)
	}
	if err := m.Clamp(x, y); err != nil {
		return nil, err
	}
	b.noise.draw(seed, m.DrawLayerInputs)
	return m, nil
}

// Infer relaxes the activities from where they are; observe, which may be nil, is called as by infer.Run.
func (b *BatchModel[T]) Infer(solver infer.Solver[T], stop infer.Stop, observe func(infer.Reading)) (infer.Result, error) {
	return infer.Run(solver, b.problem, b.m.State(), stop, observe)
}

// Relax relaxes the activities from where they are and writes dF/dW at the activities that they came to into grad. An inference
// that diverges is reported and no error.
func (b *BatchModel[T]) Relax(grad []T, solver infer.Solver[T], stop infer.Stop) (Report, error) {
	result, err := b.Infer(solver, stop, nil)
	if err != nil {
		return Report{}, err
	}
	f, err := b.m.ParamGrad(grad)
	loss := result.FirstEnergy
	if result.Evals == 0 {
		loss = f
	}
	return Report{Loss: loss, Energy: f, Inference: result}, err
}

// RepeatNoise makes the random layer inputs (dropout masks) of the next batch equal to those of the last batch of other.
func (b *BatchModel[T]) RepeatNoise(other *BatchModel[T]) { b.noise.step = other.noise.step - 1 }

// MarshalBinary is the number of batches loaded.
func (b *BatchModel[T]) MarshalBinary() ([]byte, error) { return b.noise.MarshalBinary() }

// UnmarshalBinary restores it.
func (b *BatchModel[T]) UnmarshalBinary(state []byte) error { return b.noise.UnmarshalBinary(state) }

// noise draws what layers add at random: other numbers for every batch, the same for the same seed and batch.
type noise struct {
	step uint64 // counts the batches
	pcg  rand.PCG
	rng  *rand.Rand
}

func (n *noise) draw(seed uint64, into func(*rand.Rand)) {
	n.step++
	n.pcg.Seed(seed, n.step)
	if n.rng == nil {
		n.rng = rand.New(&n.pcg)
	}
	into(n.rng)
}
