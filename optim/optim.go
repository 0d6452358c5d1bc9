// Package optim holds first-order optimisers over flat slices of float32 or
// float64. They are used on activities (inference) and on weights (learning)
// alike: both are one slab of numbers and a gradient of the same length.
//
// An optimiser is a struct literal whose Rate must be given; its other fields have
// zero values that work. Its memory is allocated by the first Step
// and reused afterwards, so a Step allocates nothing:
//
//	opt := &optim.Adam[float32]{Rate: 1e-3}
//	opt.Step(weights, grad)
//
// Every optimiser here also implements [Stateful] (to be saved and restored),
// [Rater] (to follow a schedule) and has a Validate method.
//
// The package is not for: computing gradients, deciding when to stop (package
// infer), schedules or epochs (package train). It never clips weights, and scales them only where [Standardize] is asked for.
package optim

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Float is the element type of weights, activities and gradients.
type Float = kernel.Float

// An Optimizer moves w in place against its gradient.
type Optimizer[T Float] interface {
	// Step moves w by one step, given the gradient at w. It does not keep w or
	// grad. It panics, and names both lengths, when w and grad differ in length
	// from each other or from those of the last Step, and when a [Span] ends
	// after w.
	Step(w, grad []T)
	// Reset forgets the past: the next Step is a first one, of any length.
	Reset()
}

// A Piecewise optimiser can make a step in pieces, on several cores: Begin once,
// then Piece for disjoint pieces in any order, or all at once. The bits are those
// of Step.
type Piecewise[T Float] interface {
	Optimizer[T]
	// Begin starts a step; it may change grad. It panics as Step does.
	Begin(w, grad []T)
	// Piece moves w[lo:hi]. Different goroutines may move different pieces. It
	// panics when the piece does not lie within w.
	Piece(w, grad []T, lo, hi int)
}

// A Rater lends its learning rate, so that a schedule can read and change it:
//
//	*opt.LearningRate() *= 0.5
type Rater interface {
	LearningRate() *float64
}

// A Stateful optimiser can be saved and restored.
type Stateful[T Float] interface {
	// State returns the memory for n weights, which is allocated if there is
	// none yet. It panics, and names both lengths, when the optimiser has memory
	// of another length.
	State(n int) State[T]
}

// A Wrapper is an optimiser that hands gradients to another, such as [Clip]: what it remembers is what that remembers.
type Wrapper[T Float] interface {
	Optimizer[T]
	Wraps() Optimizer[T]
}

// State is the live memory of an optimiser: writing to it restores a saved one.
type State[T Float] struct {
	// Slots are what the optimiser remembers of each weight, in a fixed order:
	// none for SGD; the velocity for Momentum; the first and second moment for
	// Adam and AdamW. Each has the length of the weights.
	Slots [][]T
	// Steps counts the steps taken since the start or the last Reset.
	Steps *int
}

// Fits reports an optimiser that cannot step n weights: its spans end after them, or it has stepped another number of
// weights since the last Reset. Optimisers of other packages are taken to fit.
func Fits[T Float](o Optimizer[T], n int) error {
	if f, ok := o.(interface{ fits(n int) error }); ok {
		return f.fits(n)
	}
	return nil
}

// ChangesGradient reports whether a step of o may change the gradient that it is given, as [Clip] does. An optimiser says so
// by a method ChangesGradient() bool; one without it is taken to change its gradient.
func ChangesGradient[T Float](o Optimizer[T]) bool {
	c, ok := o.(interface{ ChangesGradient() bool })
	return !ok || c.ChangesGradient()
}

// sameLength panics unless a gradient is as long as the weights.
func sameLength(w, grad int) {
	if w != grad {
		panic(fmt.Sprintf("optim: a step of slices of different lengths: %d weights and a gradient of %d numbers", w, grad))
	}
}

// inWeights panics unless a piece is one of the n weights.
func inWeights(lo, hi, n int) {
	if lo < 0 || hi < lo || hi > n {
		panic(fmt.Sprintf("optim: a piece [%d:%d] of %d weights", lo, hi, n))
	}
}

// anotherLength is what is wrong with n weights after steps of others.
func anotherLength(n, before int) string {
	return fmt.Sprintf("optim: Reset an optimiser before it steps other weights, and give activities and weights one each: "+
		"this one stepped %d numbers so far, and now %d", before, n)
}

// slot is optimiser memory that takes its length from its first use.
type slot[T Float] []T

// size makes the slot n long, with zeros, if it is empty. It panics if it has another length.
func (s *slot[T]) size(n int) {
	switch {
	case len(*s) == n:
	case len(*s) != 0:
		panic(anotherLength(n, len(*s)))
	case cap(*s) < n:
		*s = make([]T, n)
	default:
		*s = (*s)[:n]
		clear(*s)
	}
}

// fits reports a slot that is neither empty nor n long.
func (s slot[T]) fits(n int) error {
	if len(s) != 0 && len(s) != n {
		return errors.New(anotherLength(n, len(s)))
	}
	return nil
}

// reset empties the slot and keeps its capacity.
func (s *slot[T]) reset() { *s = (*s)[:0] }
