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

// A Memory is what a rule, or a part of it, remembers from batch to batch beside the weights.
type Memory interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Memories are the memories of the parts of a rule, by name. An empty one is that of a rule that remembers nothing.
type Memories map[string]Memory

// MarshalBinary puts the parts together.
func (ms Memories) MarshalBinary() ([]byte, error) {
	if len(ms) == 0 {
		return nil, nil
	}
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
func (ms Memories) UnmarshalBinary(text []byte) error {
	if len(ms) == 0 {
		if len(text) > 0 {
			return errors.Errorf("%d bytes for what remembers nothing", len(text))
		}
		return nil
	}
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

// SolverMemory is what a solver remembers over Reset. A solver has no memory, by its contract, unless it has the methods.
func SolverMemory[T graph.Float](s infer.Solver[T]) Memory {
	if m, is := s.(Memory); is {
		return m
	}
	return Memories(nil)
}

// StartMemory is what a start remembers. One of another package that is no Memory cannot be kept.
func StartMemory[T graph.Float](s Start[T]) Memory {
	switch m := s.(type) {
	case nil, Feedforward[T], Guess[T]:
		return Memories(nil)
	case Memory:
		return m
	}
	return notResumable{s}
}

// RuleMemory is what a rule remembers. One that is not Resumable cannot be kept in a Checkpoint.
func RuleMemory[T graph.Float](r Rule[T]) Memory {
	if k, is := r.(Resumable); is {
		return k.Memory()
	}
	return notResumable{r}
}

// A notResumable is the Memory of a part whose state cannot be kept in a Checkpoint.
type notResumable struct{ what any }

func (u notResumable) MarshalBinary() ([]byte, error) {
	return nil, errors.Errorf("what a %T remembers from batch to batch cannot be kept: it has no Memory method, or, a start, no MarshalBinary and UnmarshalBinary; train without Checkpoint, or give it them", u.what)
}
func (u notResumable) UnmarshalBinary([]byte) error { _, err := u.MarshalBinary(); return err }

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

// A Random is a generator of random numbers that is seeded at its first use. It is a Memory: a training that goes on from a
// Checkpoint draws what it would have drawn.
type Random struct {
	pcg rand.PCG
	rng *rand.Rand
}

// From returns the generator, at its first use seeded by the two numbers.
func (s *Random) From(seed, stream uint64) *rand.Rand {
	if s.rng == nil {
		s.pcg.Seed(seed, stream)
		s.rng = rand.New(&s.pcg)
	}
	return s.rng
}

// MarshalBinary is the state; empty before the first use.
func (s *Random) MarshalBinary() ([]byte, error) {
	if s.rng == nil {
		return nil, nil
	}
	return s.pcg.MarshalBinary()
}

// UnmarshalBinary restores it.
func (s *Random) UnmarshalBinary(state []byte) error {
	if len(state) == 0 {
		s.rng = nil
		return nil
	}
	s.rng = rand.New(&s.pcg)
	return s.pcg.UnmarshalBinary(state)
}
