package data

import (
	"iter"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Batches cuts N samples into shuffled batches of Size. It is a value without state: the order of an epoch depends on
// (Seed, epoch, N) only, so a run is resumed by asking for the epoch and step it stopped at.
//
//	for step, indices := range b.Epoch(epoch, from) { ... }
//
// Epoch e goes through rand.New(rand.NewPCG(Seed, e)).Perm(N), math/rand/v2.
type Batches struct {
	N        int    // samples, Set.Len
	Size     int    // samples per batch
	Seed     uint64 // of the shuffles
	DropLast bool   // leave out a last batch smaller than Size; the default yields it
}

// Validate returns an error when b yields no batch at all, saying which field to change. Epoch and Steps panic on a negative N
// and on a Size below 1, which Validate reports too.
func (b Batches) Validate() error {
	switch {
	case b.Size < 1:
		return errors.Errorf("data: Batches: Size is %d: give at least 1", b.Size)
	case b.N < 1:
		return errors.Errorf("data: Batches: N is %d: give the length of a set that is not empty", b.N)
	case b.Steps() == 0:
		return errors.Errorf("data: Batches: DropLast leaves no batch: Size %d exceeds N %d", b.Size, b.N)
	}
	return nil
}

// Steps returns the number of batches in an epoch.
func (b Batches) Steps() int {
	b.check()
	if b.DropLast || b.N%b.Size == 0 {
		return b.N / b.Size
	}
	return b.N/b.Size + 1
}

// Epoch yields (step, indices) for steps from..Steps-1 of an epoch; from = Steps is an empty rest. The indices are valid
// until the iteration ends and must not be changed. The permutation is allocated once per iteration, nothing per batch.
// It panics when the epoch is negative or from is not in 0..Steps.
func (b Batches) Epoch(epoch, from int) iter.Seq2[int, []int] {
	steps := b.Steps()
	if epoch < 0 {
		panic("data: Batches.Epoch: negative epoch")
	}
	if from < 0 || from > steps {
		panic("data: Batches.Epoch: from is not in 0..Steps")
	}
	return func(yield func(int, []int) bool) {
		if from == steps {
			return
		}
		order := rand.New(rand.NewPCG(b.Seed, uint64(epoch))).Perm(b.N)
		for step := from; step < steps; step++ {
			lo := step * b.Size
			hi := lo + min(b.Size, b.N-lo)
			if !yield(step, order[lo:hi:hi]) {
				return
			}
		}
	}
}

func (b Batches) check() {
	if b.N < 0 {
		panic("data: Batches: negative N")
	}
	if b.Size < 1 {
		panic("data: Batches: Size below 1")
	}
}

// InOrder yields (step, indices) for 0..n-1 in natural order, size at a time and nothing left out: for evaluation. The
// indices are valid until the next batch. It panics when n is negative or size below 1.
func InOrder(n, size int) iter.Seq2[int, []int] {
	steps := Batches{N: n, Size: size}.Steps()
	return func(yield func(int, []int) bool) {
		indices := make([]int, min(size, n))
		for step := range steps {
			lo := step * size
			batch := indices[:min(size, n-lo)]
			for k := range batch {
				batch[k] = lo + k
			}
			if !yield(step, batch) {
				return
			}
		}
	}
}
