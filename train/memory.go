package train

import (
	"encoding"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// A memory is what a part of a training remembers from batch to batch, as bytes.
type memory interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// memories are the parts of a rule that remember something, by name.
type memories map[string]memory

// MarshalBinary puts the parts together.
func (ms memories) MarshalBinary() ([]byte, error) {
	parts := make(map[string][]byte, len(ms))
	for name, m := range ms {
		part, err := m.MarshalBinary()
		if err != nil {
			return nil, err
		}
		parts[name] = part
	}
	return json.Marshal(parts)
}

// UnmarshalBinary gives every part its own.
func (ms memories) UnmarshalBinary(text []byte) error {
	var parts map[string][]byte
	if err := json.Unmarshal(text, &parts); err != nil {
		return errors.Wrap(err, "memory of the rule")
	}
	if len(parts) != len(ms) {
		return errors.Errorf("memory of the rule: %d parts, want %d", len(parts), len(ms))
	}
	for name, m := range ms {
		part, is := parts[name]
		if !is {
			return errors.Errorf("memory of the rule: that of its %s is missing", name)
		}
		if err := m.UnmarshalBinary(part); err != nil {
			return errors.WithMessage(err, "memory of the rule's "+name)
		}
	}
	return nil
}

// nothing is the memory of what remembers nothing.
type nothing struct{}

// MarshalBinary is empty.
func (nothing) MarshalBinary() ([]byte, error) { return nil, nil }

// UnmarshalBinary restores nothing.
func (nothing) UnmarshalBinary(state []byte) error {
	if len(state) > 0 {
		return errors.Errorf("%d bytes for what remembers nothing", len(state))
	}
	return nil
}

// ofSolver is a solver's memory over Reset. A solver has none, by its contract, unless it says otherwise.
func ofSolver[T graph.Float](s infer.Solver[T]) memory {
	if m, is := s.(memory); is {
		return m
	}
	return nothing{}
}

// ofStart is a start's memory. One that is not from here and says nothing of it cannot be kept.
func ofStart[T graph.Float](s Start[T]) memory {
	switch m := s.(type) {
	case nil, Feedforward[T], *Amortised[T], Guess[T]:
		return nothing{}
	case memory:
		return m
	}
	return unkept{s}
}

// An unkept is what cannot be kept.
type unkept struct{ what any }

func (u unkept) MarshalBinary() ([]byte, error) {
	return nil, errors.Errorf("what a %T remembers from batch to batch cannot be kept: it has no MarshalBinary and UnmarshalBinary; train without Checkpoint, or give it them", u.what)
}
func (u unkept) UnmarshalBinary([]byte) error { _, err := u.MarshalBinary(); return err }

// MarshalBinary counts the batches.
func (n *noise) MarshalBinary() ([]byte, error) {
	return binary.LittleEndian.AppendUint64(nil, n.step), nil
}

// UnmarshalBinary restores the count.
func (n *noise) UnmarshalBinary(state []byte) error {
	if len(state) != 8 {
		return errors.Errorf("a count of batches of %d bytes", len(state))
	}
	n.step = binary.LittleEndian.Uint64(state)
	return nil
}

// A source is seeded at its first use, and its state can be kept.
type source struct {
	pcg rand.PCG
	rng *rand.Rand
}

// from draws on, or for the first time from a seed.
func (s *source) from(seed, stream uint64) *rand.Rand {
	if s.rng == nil {
		s.pcg.Seed(seed, stream)
		s.rng = rand.New(&s.pcg)
	}
	return s.rng
}

// MarshalBinary is the state; empty before the first use.
func (s *source) MarshalBinary() ([]byte, error) {
	if s.rng == nil {
		return nil, nil
	}
	return s.pcg.MarshalBinary()
}

// UnmarshalBinary restores it.
func (s *source) UnmarshalBinary(state []byte) error {
	if len(state) == 0 {
		s.rng = nil
		return nil
	}
	s.rng = rand.New(&s.pcg)
	return s.pcg.UnmarshalBinary(state)
}

// The memory of each rule. Incremental, MonteCarlo and FixedPrediction have that of the PC in them.

func (r *PC[T]) memory() memories {
	return memories{"noise": &r.noise, "solver": ofSolver(r.Solver), "start": ofStart(r.Start)}
}

// MarshalBinary is what is remembered from batch to batch: the count of the batches, and what solver and start remember.
// A Previous is an error: it goes on from activities, which a Checkpoint does not keep.
func (r *PC[T]) MarshalBinary() ([]byte, error) { return r.memory().MarshalBinary() }

// UnmarshalBinary restores it.
func (r *PC[T]) UnmarshalBinary(state []byte) error { return r.memory().UnmarshalBinary(state) }

func (r *Nudged[T]) memory() memories {
	ms := r.PC.memory()
	ms["signs"] = &r.signs
	return ms
}

// MarshalBinary is that of PC, and where the random signs are.
func (r *Nudged[T]) MarshalBinary() ([]byte, error) { return r.memory().MarshalBinary() }

// UnmarshalBinary restores it.
func (r *Nudged[T]) UnmarshalBinary(state []byte) error { return r.memory().UnmarshalBinary(state) }

func (r *Unsupervised[T]) memory() memories {
	return memories{"noise": &r.noise, "solver": ofSolver(r.Solver), "start": ofStart(r.Start)}
}

// MarshalBinary is that of PC.
func (r *Unsupervised[T]) MarshalBinary() ([]byte, error) { return r.memory().MarshalBinary() }

// UnmarshalBinary restores it.
func (r *Unsupervised[T]) UnmarshalBinary(state []byte) error {
	return r.memory().UnmarshalBinary(state)
}

func (r *Hybrid[T]) memory() memories {
	return memories{"noise": &r.noise, "solver": ofSolver(r.Solver)}
}

// MarshalBinary is the count of the batches, and what the solver remembers.
func (r *Hybrid[T]) MarshalBinary() ([]byte, error) { return r.memory().MarshalBinary() }

// UnmarshalBinary restores it.
func (r *Hybrid[T]) UnmarshalBinary(state []byte) error { return r.memory().UnmarshalBinary(state) }

// MarshalBinary is the count of the batches.
func (r *Backprop[T]) MarshalBinary() ([]byte, error) { return r.noise.MarshalBinary() }

// UnmarshalBinary restores it.
func (r *Backprop[T]) UnmarshalBinary(state []byte) error { return r.noise.UnmarshalBinary(state) }

// MarshalBinary is the count of the batches.
func (r *ZIL[T]) MarshalBinary() ([]byte, error) { return r.noise.MarshalBinary() }

// UnmarshalBinary restores it.
func (r *ZIL[T]) UnmarshalBinary(state []byte) error { return r.noise.UnmarshalBinary(state) }

// MarshalBinary is where the noise is.
func (r *TargetProp[T]) MarshalBinary() ([]byte, error) { return r.draws.MarshalBinary() }

// UnmarshalBinary restores it.
func (r *TargetProp[T]) UnmarshalBinary(state []byte) error { return r.draws.UnmarshalBinary(state) }

// MarshalBinary is empty: the weights on the way back come from the seed.
func (r *FeedbackAlignment[T]) MarshalBinary() ([]byte, error) { return nothing{}.MarshalBinary() }

// UnmarshalBinary restores nothing.
func (r *FeedbackAlignment[T]) UnmarshalBinary(state []byte) error {
	return nothing{}.UnmarshalBinary(state)
}

// MarshalBinary is empty: the matrices come from the seed.
func (r *DirectFeedback[T]) MarshalBinary() ([]byte, error) { return nothing{}.MarshalBinary() }

// UnmarshalBinary restores nothing.
func (r *DirectFeedback[T]) UnmarshalBinary(state []byte) error {
	return nothing{}.UnmarshalBinary(state)
}

// ofRule is a rule's memory.
func ofRule[T graph.Float](r Rule[T]) memory {
	if m, is := r.(memory); is {
		return m
	}
	return unkept{r}
}

// MarshalBinary is that of Rule.
func (r *Generator[T]) MarshalBinary() ([]byte, error) { return ofRule(r.Rule).MarshalBinary() }

// UnmarshalBinary restores it.
func (r *Generator[T]) UnmarshalBinary(state []byte) error {
	return ofRule(r.Rule).UnmarshalBinary(state)
}
