package optim

import (
	"math"

	"github.com/pkg/errors"
)

// A Deviation is the standard deviation that the weights w[Lo:Hi] are to have.
type Deviation struct {
	Lo, Hi int
	Std    float64
}

// Standardize gives parts of the weights a standard deviation after every step of Opt,
//
//	w[Lo:Hi] <- w[Lo:Hi] Std / std(w[Lo:Hi])
//
// with the mean left where it is and not taken out. Parts that are constant stay as they are. train.MetaPCNDeviations has those of
// Meta-PCN for a network.
type Standardize[T Float] struct {
	Opt    Optimizer[T]
	Parts  []Deviation
	Sample bool // the standard deviation of a sample, with n-1 in the place of n
}

var (
	_ Optimizer[float32] = (*Standardize[float32])(nil)
	_ Stateful[float32]  = (*Standardize[float32])(nil)
	_ Rater              = (*Standardize[float32])(nil)
)

// Step moves w by Opt and scales the parts.
func (s *Standardize[T]) Step(w, grad []T) {
	s.Opt.Step(w, grad)
	for _, p := range s.Parts {
		s.scale(w[p.Lo:p.Hi], p.Std)
	}
}

// scale gives w a standard deviation.
func (s *Standardize[T]) scale(w []T, std float64) {
	n := float64(len(w))
	mean, square, sum := 0., 0., 0.
	for _, v := range w {
		mean += float64(v) / n
		sum += float64(v) * float64(v)
	}
	for _, v := range w {
		d := float64(v) - mean
		square += d * d
	}
	if s.Sample {
		n--
	}
	if !(square > 1e-24*sum) || n <= 0 { // rounding alone
		return
	}
	factor := std / math.Sqrt(square/n)
	for i, v := range w {
		w[i] = T(factor * float64(v))
	}
}

// Reset resets Opt.
func (s *Standardize[T]) Reset() { s.Opt.Reset() }

// Wraps is Opt.
func (s *Standardize[T]) Wraps() Optimizer[T] { return s.Opt }

// LearningRate lends the rate of Opt; nil if Opt is no [Rater].
func (s *Standardize[T]) LearningRate() *float64 {
	if r, ok := s.Opt.(Rater); ok {
		return r.LearningRate()
	}
	return nil
}

// ChangesGradient reports whether Opt does.
func (s *Standardize[T]) ChangesGradient() bool { return ChangesGradient(s.Opt) }

// State returns the state of Opt; an empty one if Opt is not [Stateful].
func (s *Standardize[T]) State(n int) State[T] {
	if o, ok := s.Opt.(Stateful[T]); ok {
		return o.State(n)
	}
	return State[T]{Steps: new(int)}
}

// fits is [Fits] of Opt, and reports a part that ends after the weights.
func (s *Standardize[T]) fits(n int) error {
	for _, p := range s.Parts {
		if p.Hi > n {
			return errors.Errorf("optim: Standardize: the part [%d:%d] of %d weights: take the parts of the network that is trained", p.Lo, p.Hi, n)
		}
	}
	return Fits(s.Opt, n)
}

// Validate reports a missing Opt, parts that are none, and what Opt reports.
func (s *Standardize[T]) Validate() error {
	if s == nil {
		return nilPointer("Standardize")
	}
	if s.Opt == nil {
		return errors.New("optim: Standardize: Opt is missing")
	}
	for _, p := range s.Parts {
		if p.Lo < 0 || p.Hi <= p.Lo || !(p.Std > 0) || math.IsInf(p.Std, 1) {
			return errors.Errorf("optim: Standardize: the part %+v: want some weights, and a finite Std above 0", p)
		}
	}
	if v, ok := s.Opt.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}
