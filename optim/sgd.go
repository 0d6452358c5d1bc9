package optim

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// SGD is plain gradient descent,
//
//	w <- w - Rate Factor (g + Decay w)
//
// which on activities is the explicit Euler method for dz/dt = -dF/dz.
type SGD[T Float] struct {
	Rate  float64 // step size, above 0
	Decay float64 // coefficient of the penalty Decay/2 |w|^2; 0 means none
	Spans []Span  // factors of rate and Decay; nil means 1 everywhere

	steps int
	n     int // weights of the steps since the last Reset; 0 before the first
}

var (
	_ Piecewise[float32] = (*SGD[float32])(nil)
	_ Stateful[float32]  = (*SGD[float32])(nil)
	_ Rater              = (*SGD[float32])(nil)
)

// Step moves w in place.
func (o *SGD[T]) Step(w, grad []T) {
	o.Begin(w, grad)
	o.Piece(w, grad, 0, len(w))
}

// Begin counts the step.
func (o *SGD[T]) Begin(w, grad []T) {
	sameLength(len(w), len(grad))
	if o.n != 0 && o.n != len(w) {
		panic(anotherLength(len(w), o.n))
	}
	o.n = len(w)
	o.steps++
}

// fits is [Fits].
func (o *SGD[T]) fits(n int) error {
	if o.n != 0 && o.n != n {
		return errors.New(anotherLength(n, o.n))
	}
	return spansFit("SGD", o.Spans, n)
}

// Piece moves w[lo:hi].
func (o *SGD[T]) Piece(w, grad []T, lo, hi int) {
	inWeights(lo, hi, len(w))
	for s := over(o.Spans, lo, hi, len(w)); s.next(); {
		kernel.SGD(w[s.Lo:s.Hi], grad[s.Lo:s.Hi], T(o.Rate*s.Factor), T(o.Decay*s.decay()))
	}
}

// Plain reports whether a step is w <- w - Rate g and nothing else: no decay, no spans.
func (o *SGD[T]) Plain() bool { return o.Decay == 0 && len(o.Spans) == 0 }

// Skip counts n steps that a caller made in place of Step.
func (o *SGD[T]) Skip(n int) { o.steps += n }

// Reset sets the step counter, which with the number of weights is all that SGD remembers, to zero.
func (o *SGD[T]) Reset() { o.steps, o.n = 0, 0 }

// LearningRate lends Rate.
func (o *SGD[T]) LearningRate() *float64 { return &o.Rate }

// ChangesGradient returns false.
func (o *SGD[T]) ChangesGradient() bool { return false }

// State returns the step counter; SGD has no slots.
func (o *SGD[T]) State(int) State[T] { return State[T]{Steps: &o.steps} }

// Validate reports a rate that is not finite and above 0, a negative or not finite decay, and bad spans.
func (o *SGD[T]) Validate() error {
	if o == nil {
		return nilPointer("SGD")
	}
	return first(
		positive("SGD", "Rate", o.Rate),
		nonNegative("SGD", "Decay", o.Decay),
		validSpans("SGD", o.Spans))
}

// Momentum is gradient descent with a heavy ball,
//
//	v <- Mu v + (g + Decay w)
//	w <- w - Rate Factor v                       or, with Nesterov,
//	w <- w - Rate Factor (g + Decay w + Mu v)
//
// The velocity is not damped by 1-Mu: the long-run step is Rate/(1-Mu) g, as in
// optax.trace and in PyTorch (Sutskever et al. 2013, in its usual rewriting).
type Momentum[T Float] struct {
	Rate     float64 // step size, above 0
	Mu       float64 // momentum in [0, 1)
	Decay    float64 // coefficient of the penalty Decay/2 |w|^2; 0 means none
	Nesterov bool    // look ahead by the momentum
	Spans    []Span  // factors of rate and Decay; nil means 1 everywhere

	v     slot[T]
	steps int
}

var (
	_ Piecewise[float32] = (*Momentum[float32])(nil)
	_ Stateful[float32]  = (*Momentum[float32])(nil)
	_ Rater              = (*Momentum[float32])(nil)
)

// Step moves w in place.
func (o *Momentum[T]) Step(w, grad []T) {
	o.Begin(w, grad)
	o.Piece(w, grad, 0, len(w))
}

// Begin makes room for the velocity and counts the step.
func (o *Momentum[T]) Begin(w, grad []T) {
	sameLength(len(w), len(grad))
	o.v.size(len(w))
	o.steps++
}

// fits is [Fits].
func (o *Momentum[T]) fits(n int) error {
	return first(o.v.fits(n), spansFit("Momentum", o.Spans, n))
}

// Piece moves w[lo:hi].
func (o *Momentum[T]) Piece(w, grad []T, lo, hi int) {
	inWeights(lo, hi, len(w))
	for s := over(o.Spans, lo, hi, len(w)); s.next(); {
		kernel.Momentum(w[s.Lo:s.Hi], o.v[s.Lo:s.Hi], grad[s.Lo:s.Hi], T(o.Rate*s.Factor), T(o.Mu), T(o.Decay*s.decay()), o.Nesterov)
	}
}

// Reset forgets the velocity.
func (o *Momentum[T]) Reset() { o.v.reset(); o.steps = 0 }

// LearningRate lends Rate.
func (o *Momentum[T]) LearningRate() *float64 { return &o.Rate }

// ChangesGradient returns false.
func (o *Momentum[T]) ChangesGradient() bool { return false }

// State returns the velocity and the step counter.
func (o *Momentum[T]) State(n int) State[T] {
	o.v.size(n)
	return State[T]{Slots: [][]T{o.v}, Steps: &o.steps}
}

// Validate reports a rate that is not finite and above 0, a negative or not finite decay, a momentum outside
// [0, 1), and bad spans.
func (o *Momentum[T]) Validate() error {
	if o == nil {
		return nilPointer("Momentum")
	}
	return first(
		positive("Momentum", "Rate", o.Rate),
		fraction("Momentum", "Mu", o.Mu),
		nonNegative("Momentum", "Decay", o.Decay),
		validSpans("Momentum", o.Spans))
}
