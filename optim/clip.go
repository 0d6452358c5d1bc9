package optim

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Clip limits the Euclidean norm of the whole gradient before Opt sees it,
//
//	g <- g min(1, Max/|g|)
//
// (Pascanu et al. 2013). It scales grad in place. A gradient that is not
// finite has no direction to keep and is passed on as it is.
type Clip[T Float] struct {
	Max float64 // largest norm, above 0
	Opt Optimizer[T]

	factor float64 // of the last gradient
}

var (
	_ Piecewise[float32] = (*Clip[float32])(nil)
	_ Stateful[float32]  = (*Clip[float32])(nil)
	_ Rater              = (*Clip[float32])(nil)
)

// Step scales grad in place and moves w in place.
func (c *Clip[T]) Step(w, grad []T) {
	sameLength(len(w), len(grad))
	c.clip(grad)
	c.Opt.Step(w, grad)
}

// Begin scales grad in place. If Opt is not [Piecewise] it makes the whole step,
// and nothing is left for Piece.
func (c *Clip[T]) Begin(w, grad []T) {
	sameLength(len(w), len(grad))
	c.clip(grad)
	if o, ok := c.Opt.(Piecewise[T]); ok {
		o.Begin(w, grad)
	} else {
		c.Opt.Step(w, grad)
	}
}

// Piece moves w[lo:hi].
func (c *Clip[T]) Piece(w, grad []T, lo, hi int) {
	if o, ok := c.Opt.(Piecewise[T]); ok {
		o.Piece(w, grad, lo, hi)
	}
}

func (c *Clip[T]) clip(grad []T) {
	c.factor = 1
	if norm := Norm(grad); norm > c.Max && !math.IsInf(norm, 1) {
		c.factor = c.Max / norm
		kernel.Scale(grad, grad, T(c.factor))
	}
}

// Factor returns what the last gradient was multiplied by, min(1, Max/|g|): 1 where it was passed on as it is, 0 before
// the first step. |g| before clipping is Max/Factor where Factor is below 1; train.Step.GradNorm always is that norm.
func (c *Clip[T]) Factor() float64 { return c.factor }

// fits is [Fits] of Opt.
func (c *Clip[T]) fits(n int) error { return Fits(c.Opt, n) }

// Reset resets Opt.
func (c *Clip[T]) Reset() { c.factor = 0; c.Opt.Reset() }

// Wraps is Opt.
func (c *Clip[T]) Wraps() Optimizer[T] { return c.Opt }

// LearningRate lends the rate of Opt; nil if Opt is no [Rater].
func (c *Clip[T]) LearningRate() *float64 {
	if r, ok := c.Opt.(Rater); ok {
		return r.LearningRate()
	}
	return nil
}

// ChangesGradient returns true: the gradient is scaled in place.
func (c *Clip[T]) ChangesGradient() bool { return true }

// State returns the state of Opt; an empty one if Opt is not [Stateful].
func (c *Clip[T]) State(n int) State[T] {
	if s, ok := c.Opt.(Stateful[T]); ok {
		return s.State(n)
	}
	return State[T]{Steps: new(int)}
}

// Validate reports a Max that is not above 0, a missing Opt, and what Opt reports.
func (c *Clip[T]) Validate() error {
	if c == nil {
		return nilPointer("Clip")
	}
	if !(c.Max > 0) {
		return errors.Errorf("optim: Clip: Max %g: want a number above 0", c.Max)
	}
	if c.Opt == nil {
		return errors.New("optim: Clip: Opt is missing")
	}
	if v, ok := c.Opt.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// Norm returns the Euclidean norm of g. It accumulates in float64 and in a
// fixed order. It is finite if and only if every element is (and the norm is
// representable).
func Norm[T Float](g []T) float64 {
	sum := kernel.SumSquares(g)
	if !math.IsInf(sum, 1) {
		return math.Sqrt(sum)
	}
	// An infinite element, or finite ones whose squares overflow.
	var top, scaled float64
	for _, v := range g {
		top = max(top, math.Abs(float64(v)))
	}
	if math.IsInf(top, 1) {
		return top
	}
	for _, v := range g {
		p := math.Abs(float64(v)) / top
		scaled += p * p
	}
	return top * math.Sqrt(scaled)
}
