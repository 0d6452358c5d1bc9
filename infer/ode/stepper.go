package ode

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Stepper integrates: it owns the slopes of the stages and makes one accepted
// step a call. It allocates at the first Start and when the state grows.
//
// A caller that wants the slope at the present point, such as a gradient for a
// stop rule, asks for it with Slope before Step. Nothing is evaluated twice:
// Step uses that slope, and after a method whose last stage is the new point
// Slope has it already.
type Stepper[T Float] struct {
	Accepted, Rejected int // trial steps since Start

	// KeepPath, set before Start, keeps what Dense needs: the last step's start
	// and its slope.
	KeepPath bool

	method  *Method
	order   int
	fsal    bool
	errorOf []float64 // weights of the error
	control Control
	rel     float64
	abs     float64

	n     int
	k     [][]T // slopes of the stages; k[0] is that at z once known
	spare []T   // with KeepPath and not FSAL: slope at the start of the last step
	trial []T   // stage points and the new point
	prev  []T   // with KeepPath: the start of the last step
	diff  []T   // errors of a chunk

	sign    float64    // of time
	t, end  float64    // |time|, |span|
	h       float64    // length of the next trial; 0 before the first
	past    [2]float64 // scaled errors of the last accepted steps
	known   bool       // k[0] is the slope at z
	started bool
	lastT   float64 // start of the last step
	lastH   float64 // its length; 0 before the first
}

// chunk is the piece of the state on which all stages are combined before the
// next piece: small enough for the first-level cache.
const chunk = 1024

// The next step is not shorter than this part of the span: what remains within
// it at the end is joined to the step before.
const (
	endTol  = 1e-10
	minStep = 1e-14
)

// NewStepper prepares the method; the first Start allocates.
func NewStepper[T Float](m *Method) (*Stepper[T], error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return &Stepper[T]{
		method:  m,
		order:   m.Order(),
		fsal:    m.FSAL(),
		errorOf: m.errorWeights(),
		diff:    make([]T, chunk),
		k:       make([][]T, m.Stages()),
	}, nil
}

// Method is that of NewStepper.
func (s *Stepper[T]) Method() *Method { return s.method }

// Start sets out from time 0 to time span, not 0, with a state of n elements. A
// negative span integrates backward: along -f, forward in -t.
func (s *Stepper[T]) Start(c Control, n int, span float64) error {
	if c == nil {
		return errors.New("ode: Control is missing: take Constant{Step: ..} or PID{RTol: .., ATol: ..}")
	}
	if err := c.Validate(s.method); err != nil {
		return err
	}
	if span == 0 || span-span != 0 {
		return errors.Errorf("ode: span %g: want a finite number, not 0", span)
	}
	rel, abs := c.Tolerances()
	switch adaptive := rel > 0 || abs > 0; {
	case adaptive && !s.method.Adaptive():
		return errors.Errorf("ode: %T measures errors and %s gives no estimate", c, s.method.Name)
	case !adaptive && !(c.FirstStep() > 0):
		return errors.Errorf("ode: %T gives neither a first step nor tolerances to find one by", c)
	}
	s.control, s.rel, s.abs = c, rel, abs
	s.sign, s.end = math.Copysign(1, span), math.Abs(span)
	s.t, s.h, s.lastT, s.lastH = 0, 0, 0, 0
	s.past = [2]float64{1, 1}
	s.Accepted, s.Rejected = 0, 0
	s.known, s.started = false, true
	s.n = n
	for i := range s.k {
		s.k[i] = resized(s.k[i], n)
	}
	s.trial = resized(s.trial, n)
	if s.KeepPath {
		s.prev = resized(s.prev, n)
		if !s.fsal {
			s.spare = resized(s.spare, n)
		}
	}
	return nil
}

func resized[T Float](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

// Time is the present time.
func (s *Stepper[T]) Time() float64 { return s.sign * s.t }

// Done reports whether the end is reached.
func (s *Stepper[T]) Done() bool { return s.t >= s.end }

// Slope is f(z), evaluated unless known. It is the Stepper's memory, valid
// until its next call.
func (s *Stepper[T]) Slope(f Field[T], z []T) ([]T, error) {
	s.check(z)
	if !s.known {
		if s.KeepPath && !s.fsal {
			s.k[0], s.spare = s.spare, s.k[0]
		}
		if err := f(s.k[0], z); err != nil {
			return nil, err
		}
		s.known = true
	}
	return s.k[0], nil
}

// Step moves z in place by one accepted step, after as many rejected ones as it
// takes. At the end it does nothing. An error other than that of f has the
// cause [ErrUnderflow]; z is then the last accepted point.
func (s *Stepper[T]) Step(f Field[T], z []T) error {
	s.check(z)
	if s.Done() {
		return nil
	}
	if _, err := s.Slope(f, z); err != nil {
		return err
	}
	if s.h == 0 {
		h, err := s.first(f, z)
		if err != nil {
			return err
		}
		s.h = min(h, s.end)
	}
	for {
		h := s.h
		if !(h > minStep*s.end) {
			return errors.Wrapf(ErrUnderflow, "step %.3g after %d rejected ones: the field is not finite or jumps nearby, or the tolerances are below what %T resolves", h, s.Rejected, T(0))
		}
		if err := s.stages(f, z, h); err != nil {
			return err
		}
		e := s.scaledError(z, h)
		accept, factor := s.control.Judge(e, s.past[0], s.past[1], s.order)
		if !accept {
			s.Rejected++
			if !(factor < 1) {
				return errors.Errorf("ode: the control rejects a step and wants the next one %g times as long: want a factor below 1", factor)
			}
			s.h = factor * h
			if s.t+s.h > s.end*(1-endTol) {
				s.h = (s.end - s.t) / 2
			}
			continue
		}
		s.accept(z, h)
		s.past[1] = s.past[0]
		s.past[0] = e
		if e == 0 || math.IsInf(e, 1) {
			s.past[0] = 1
		}
		s.h = factor * h
		if s.t+s.h > s.end*(1-endTol) {
			s.h = s.end - s.t
		}
		return nil
	}
}

// first is the length of the first trial: that of the control, or Hairer's,
// which compares a small Euler step with the slope (Hairer, Norsett, Wanner,
// Solving ODEs I, II.4).
func (s *Stepper[T]) first(f Field[T], z []T) (float64, error) {
	if h := s.control.FirstStep(); h > 0 {
		return h, nil
	}
	d0 := s.scaledNorm(z, z, nil)
	d1 := s.scaledNorm(z, s.k[0], nil)
	h0 := 1e-6
	if d0 >= 1e-5 && d1 >= 1e-5 {
		h0 = 0.01 * d0 / d1
	}
	kernel.Axpby(s.trial, 1, z, T(s.sign*h0), s.k[0])
	if err := f(s.k[1], s.trial); err != nil {
		return 0, err
	}
	d2 := s.scaledNorm(z, s.k[1], s.k[0]) / h0
	m := max(d1, d2)
	h1 := max(1e-6, 1e-3*h0)
	if m > 1e-15 {
		h1 = math.Pow(0.01/m, 1/float64(s.order))
	}
	if h := min(100*h0, h1); h > 0 {
		return h, nil
	}
	return h0, nil // a field that is not finite there: the first trial will tell
}

// scaledNorm is the rms of (x - y) / (abs + rel |z|); a nil y is 0.
func (s *Stepper[T]) scaledNorm(z, x, y []T) float64 {
	var sum float64
	for i := range z {
		d := float64(x[i])
		if y != nil {
			d -= float64(y[i])
		}
		d /= s.abs + s.rel*math.Abs(float64(z[i]))
		sum += d * d
	}
	return math.Sqrt(sum / float64(max(1, len(z))))
}

// stages fills k[1:] and leaves the new point in trial.
func (s *Stepper[T]) stages(f Field[T], z []T, h float64) error {
	for i, row := range s.method.A {
		s.combine(s.trial, z, h, row)
		if err := f(s.k[i+1], s.trial); err != nil {
			return err
		}
	}
	if !s.fsal { // else the last stage was there
		s.combine(s.trial, z, h, s.method.B)
	}
	return nil
}

// combine computes dst = z + h sum_j c_j k_j.
func (s *Stepper[T]) combine(dst, z []T, h float64, c []float64) {
	for lo := 0; lo < s.n; lo += chunk {
		hi := min(lo+chunk, s.n)
		from := z[lo:hi]
		for j, a := range c {
			if a == 0 {
				continue
			}
			kernel.Axpby(dst[lo:hi], 1, from, T(s.sign*h*a), s.k[j][lo:hi])
			from = dst[lo:hi]
		}
		copy(dst[lo:hi], from) // if all are 0
	}
}

// scaledError is the rms of the error estimate over the tolerances, in float64
// and a fixed order; infinite if anything is not finite, 0 without tolerances.
func (s *Stepper[T]) scaledError(z []T, h float64) float64 {
	if s.rel == 0 && s.abs == 0 {
		return 0
	}
	var sum float64
	for lo := 0; lo < s.n; lo += chunk {
		hi := min(lo+chunk, s.n)
		d := s.diff[:hi-lo]
		first := true
		for j, w := range s.errorOf {
			switch c := T(h * w); {
			case w == 0:
			case first:
				kernel.Scale(d, s.k[j][lo:hi], c)
				first = false
			default:
				kernel.Axpby(d, 1, d, c, s.k[j][lo:hi])
			}
		}
		was, is := z[lo:hi], s.trial[lo:hi]
		for i, v := range d {
			// The larger, NaN if either is: without their sign, numbers are in the order of their bits.
			size := math.Float64frombits(max(math.Float64bits(float64(was[i]))&^sign, math.Float64bits(float64(is[i]))&^sign))
			q := float64(v) / (s.abs + s.rel*size)
			sum += q * q
			if size > math.MaxFloat64 { // the quotient is 0, and hides it
				return math.Inf(1)
			}
		}
	}
	if e := math.Sqrt(sum / float64(max(1, s.n))); e >= 0 {
		return e
	}
	return math.Inf(1)
}

// sign is the bit of it in a float64.
const sign = 1 << 63

// accept moves z to trial.
func (s *Stepper[T]) accept(z []T, h float64) {
	if s.KeepPath {
		copy(s.prev, z)
	}
	copy(z, s.trial)
	s.Accepted++
	s.lastT, s.lastH = s.t, h
	if s.t+h >= s.end*(1-endTol) {
		s.t = s.end
	} else {
		s.t += h
	}
	s.known = s.fsal
	if s.fsal {
		last := len(s.k) - 1
		s.k[0], s.k[last] = s.k[last], s.k[0]
	}
}

func (s *Stepper[T]) check(z []T) {
	if !s.started {
		panic(notStarted)
	}
	if len(z) != s.n {
		panic(wrongLength)
	}
}
