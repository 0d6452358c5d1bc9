package optim

import (
	"math"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Adam is the method of Kingma and Ba (2015, algorithm 1), with the semantics
// of optax.adam:
//
//	m <- Beta1 m + (1-Beta1) g
//	v <- Beta2 v + (1-Beta2) g^2
//	w <- w - Rate Factor m/(1-Beta1^t) / (sqrt(v/(1-Beta2^t)) + Eps)
//
// with t = 1 for the first step. Eps is outside the square root; a [Span] has
// factors of it and of Rate.
//
// A gradient of c g with an Eps of c Eps makes the same step as g with Eps, for
// any c above 0 and up to rounding, because m scales with c and v with c^2. So a
// loss that is multiplied by a constant, such as the precision of a Gaussian
// output, trains alike if Eps is multiplied by the same constant: the default of
// 1e-8 is in the units of the gradient of the unscaled loss, and next to smaller
// gradients it turns the method into a slow descent. The scale has an end where
// (1-Beta2) (c g)^2 leaves the range of T: in float32 c may be 1e-10 for
// gradients of 1e-6 and more.
type Adam[T Float] struct {
	Rate  float64 // step size, above 0
	Beta1 float64 // in [0, 1); 0 means 0.9
	Beta2 float64 // in [0, 1); 0 means 0.999
	Eps   float64 // in units of the gradient; 0 means 1e-8
	Spans []Span  // factors of rate and Eps; nil means 1 everywhere

	mem moments[T]
}

var (
	_ Piecewise[float32] = (*Adam[float32])(nil)
	_ Stateful[float32]  = (*Adam[float32])(nil)
	_ Rater              = (*Adam[float32])(nil)
)

// Step moves w in place.
func (o *Adam[T]) Step(w, grad []T) {
	o.Begin(w, grad)
	o.Piece(w, grad, 0, len(w))
}

// Begin makes room for the moments and counts the step.
func (o *Adam[T]) Begin(w, grad []T) {
	o.mem.begin(w, grad, hyper{o.Rate, o.Beta1, o.Beta2, o.Eps, 0})
}

// fits is [Fits].
func (o *Adam[T]) fits(n int) error { return first(o.mem.m.fits(n), spansFit("Adam", o.Spans, n)) }

// Piece moves w[lo:hi].
func (o *Adam[T]) Piece(w, grad []T, lo, hi int) { o.mem.piece(w, grad, lo, hi, o.Spans) }

// Reset forgets both moments.
func (o *Adam[T]) Reset() { o.mem.reset() }

// LearningRate lends Rate.
func (o *Adam[T]) LearningRate() *float64 { return &o.Rate }

// ChangesGradient returns false.
func (o *Adam[T]) ChangesGradient() bool { return false }

// State returns the first and the second moment and the step counter.
func (o *Adam[T]) State(n int) State[T] { return o.mem.state(n) }

// Validate reports a rate that is not finite and above 0, a negative or not finite Eps, a beta outside [0, 1),
// and bad spans.
func (o *Adam[T]) Validate() error {
	if o == nil {
		return nilPointer("Adam")
	}
	return first(
		hyper{o.Rate, o.Beta1, o.Beta2, o.Eps, 0}.validate("Adam"),
		validSpans("Adam", o.Spans),
		validEps[T]("Adam", o.Eps, o.Spans))
}

// AdamW is [Adam] with decoupled weight decay (Loshchilov and Hutter 2019):
// Rate Factor Decay w is subtracted as well, untouched by the moments, where Decay
// has the factor of its [Span] too. It does not change when the gradient and Eps
// are scaled alike.
type AdamW[T Float] struct {
	Rate  float64 // step size, above 0
	Beta1 float64 // in [0, 1); 0 means 0.9
	Beta2 float64 // in [0, 1); 0 means 0.999
	Eps   float64 // in units of the gradient; 0 means 1e-8
	Decay float64 // weight decay; 0 means none
	Spans []Span  // factors of rate, Eps and Decay; nil means 1 everywhere

	mem moments[T]
}

var (
	_ Piecewise[float32] = (*AdamW[float32])(nil)
	_ Stateful[float32]  = (*AdamW[float32])(nil)
	_ Rater              = (*AdamW[float32])(nil)
)

// Step moves w in place.
func (o *AdamW[T]) Step(w, grad []T) {
	o.Begin(w, grad)
	o.Piece(w, grad, 0, len(w))
}

// Begin makes room for the moments and counts the step.
func (o *AdamW[T]) Begin(w, grad []T) {
	o.mem.begin(w, grad, hyper{o.Rate, o.Beta1, o.Beta2, o.Eps, o.Decay})
}

// fits is [Fits].
func (o *AdamW[T]) fits(n int) error { return first(o.mem.m.fits(n), spansFit("AdamW", o.Spans, n)) }

// Piece moves w[lo:hi].
func (o *AdamW[T]) Piece(w, grad []T, lo, hi int) { o.mem.piece(w, grad, lo, hi, o.Spans) }

// Reset forgets both moments.
func (o *AdamW[T]) Reset() { o.mem.reset() }

// LearningRate lends Rate.
func (o *AdamW[T]) LearningRate() *float64 { return &o.Rate }

// ChangesGradient returns false.
func (o *AdamW[T]) ChangesGradient() bool { return false }

// State returns the first and the second moment and the step counter.
func (o *AdamW[T]) State(n int) State[T] { return o.mem.state(n) }

// Validate reports a rate that is not finite and above 0, a negative or not finite Eps or decay, a beta outside
// [0, 1), and bad spans.
func (o *AdamW[T]) Validate() error {
	if o == nil {
		return nilPointer("AdamW")
	}
	return first(
		hyper{o.Rate, o.Beta1, o.Beta2, o.Eps, o.Decay}.validate("AdamW"),
		validSpans("AdamW", o.Spans),
		validEps[T]("AdamW", o.Eps, o.Spans))
}

// defaultEps is the Eps of Adam and AdamW where it is left out.
const defaultEps = 1e-8

// hyper are the numbers of Adam and AdamW as the user gave them.
type hyper struct{ rate, beta1, beta2, eps, decay float64 }

func (h hyper) validate(of string) error {
	return first(
		positive(of, "Rate", h.rate),
		fraction(of, "Beta1", h.beta1),
		fraction(of, "Beta2", h.beta2),
		nonNegative(of, "Eps", h.eps),
		nonNegative(of, "Decay", h.decay))
}

// moments is the memory shared by Adam and AdamW.
type moments[T Float] struct {
	m, v  slot[T]
	steps int
	coef  kernel.AdamCoef[T] // of this step, without what spans have factors of
	hyper hyper
}

func (a *moments[T]) begin(w, grad []T, h hyper) {
	sameLength(len(w), len(grad))
	a.m.size(len(w))
	a.v.size(len(w))
	a.steps++

	beta1, beta2 := orElse(h.beta1, 0.9), orElse(h.beta2, 0.999)
	t := float64(a.steps)
	// The complements and the bias corrections are formed in float64 before they are rounded to T.
	a.hyper = h
	a.coef = kernel.AdamCoef[T]{
		Beta1: T(beta1), Rest1: T(1 - beta1), Correct1: T(1 / (1 - math.Pow(beta1, t))),
		Beta2: T(beta2), Rest2: T(1 - beta2), Correct2: T(1 / (1 - math.Pow(beta2, t))),
	}
}

func (a *moments[T]) piece(w, grad []T, lo, hi int, spans []Span) {
	inWeights(lo, hi, len(w))
	k, eps := a.coef, orElse(a.hyper.eps, defaultEps)
	for s := over(spans, lo, hi, len(w)); s.next(); {
		k.Rate, k.Eps, k.Decay = T(a.hyper.rate*s.Factor), T(eps*orElse(s.Eps, 1)), T(a.hyper.decay*s.decay())
		kernel.Adam(w[s.Lo:s.Hi], a.m[s.Lo:s.Hi], a.v[s.Lo:s.Hi], grad[s.Lo:s.Hi], k)
	}
}

func (a *moments[T]) reset() {
	a.m.reset()
	a.v.reset()
	a.steps = 0
}

func (a *moments[T]) state(n int) State[T] {
	a.m.size(n)
	a.v.size(n)
	return State[T]{Slots: [][]T{a.m, a.v}, Steps: &a.steps}
}

func orElse(v, zero float64) float64 {
	if v == 0 {
		return zero
	}
	return v
}
