package infer

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/optim"
)

// Langevin samples activities instead of finding their minimum: plain descent with noise on every activity,
//
//	z <- z - Rate dF_i/dz_i + sqrt(2 Rate Temperature) N(0, 1)
//
// the unadjusted Langevin algorithm. At a small rate it comes to draw from exp(-F_i/Temperature), at temperature 1 from
// the posterior of the network read as a model of Gaussian noise: Monte Carlo predictive coding (Oliviers, Bogacz and
// Meulemans 2024). On a quadratic energy of Hessian H its covariance is, at any rate below 2 / largest curvature,
//
//	Temperature (H (I - Rate/2 H))^-1
//
// Temperature 0 is descent. The noise goes on from run to run: Reset does not touch Rand, or every batch would see the
// same. A training can be interrupted and resumed (train.Checkpoint) if the noise is from Source, whose state can be kept.
type Langevin[T Float] struct {
	Rate        float64 // above 0
	Temperature float64 // at least 0, in units of the energy of a sample
	Rand        *rand.Rand
	Source      *rand.PCG // instead of Rand

	rand *rand.Rand // from Source
	of   *rand.PCG  // what rand is from
	grad []T
}

var _ Solver[float32] = (*Langevin[float32])(nil)

// Reset does nothing: a step depends on nothing before.
func (l *Langevin[T]) Reset() {}

// Eval evaluates p once.
func (l *Langevin[T]) Eval(p Problem[T], z []T) (Evaluation[T], error) {
	l.grad = sized(l.grad, len(z))
	return Evaluate(p, l.grad, z)
}

// Move makes one step.
func (l *Langevin[T]) Move(_ Problem[T], z []T) (Motion, error) {
	rate, noise := T(l.Rate), T(math.Sqrt(2*l.Rate*l.Temperature))
	for i, g := range l.grad {
		z[i] -= rate * g
	}
	if noise > 0 {
		rng := l.rng()
		for i := range z {
			z[i] += noise * T(rng.NormFloat64())
		}
	}
	return Motion{}, nil
}

// rng is where the noise is from.
func (l *Langevin[T]) rng() *rand.Rand {
	if l.Source == nil {
		return l.Rand
	}
	if l.of != l.Source {
		l.of, l.rand = l.Source, rand.New(l.Source)
	}
	return l.rand
}

// MarshalBinary is the state of the noise. Without Source it is an error: nothing can be learned of that of a Rand.
func (l *Langevin[T]) MarshalBinary() ([]byte, error) {
	switch {
	case l.Temperature == 0:
		return nil, nil
	case l.Source == nil:
		return nil, errors.New("infer: Langevin: the state of Rand cannot be kept: give Source, rand.NewPCG(seed, 0), instead")
	}
	return l.Source.MarshalBinary()
}

// UnmarshalBinary makes the noise go on where MarshalBinary was called.
func (l *Langevin[T]) UnmarshalBinary(state []byte) error {
	switch {
	case l.Temperature == 0 && len(state) == 0:
		return nil
	case l.Source == nil:
		return errors.New("infer: Langevin: Source is missing, whose state is to be restored")
	}
	return errors.Wrap(l.Source.UnmarshalBinary(state), "infer: Langevin")
}

// Validate reports a rate that is not above 0, a negative temperature, and noise without a source or with two.
func (l *Langevin[T]) Validate() error {
	switch {
	case !(l.Rate > 0) || math.IsInf(l.Rate, 1):
		return errors.Errorf("infer: Langevin: Rate %g: want a finite number above 0", l.Rate)
	case !(l.Temperature >= 0) || math.IsInf(l.Temperature, 1):
		return errors.Errorf("infer: Langevin: Temperature %g: want a finite number, at least 0", l.Temperature)
	case l.Temperature > 0 && l.Rand == nil && l.Source == nil:
		return errors.New("infer: Langevin: Source or Rand is missing: take Source: rand.NewPCG(seed, 0)")
	case l.Rand != nil && l.Source != nil:
		return errors.New("infer: Langevin: Source and Rand are both given: leave one out")
	}
	return nil
}

// sized is s with length n, in new memory if it is too short.
func sized[T optim.Float](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
