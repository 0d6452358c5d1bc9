package infer

import (
	"math"

	"github.com/pcgraph/pcgraph/optim"
)

// A Spectrum is what power iterations tell of the energy's Hessian around some activities.
type Spectrum struct {
	Largest  float64 // absolute eigenvalue, see LargestCurvature
	Smallest float64 // eigenvalue; below zero where the energy is not convex
}

// Condition is Largest / Smallest: descent with momentum needs steps in proportion to its root. It is infinite where Smallest is not
// above zero.
func (s Spectrum) Condition() float64 {
	if !(s.Smallest > 0) {
		return math.Inf(1)
	}
	return s.Largest / s.Smallest
}

// MeasureSpectrum estimates both ends of the spectrum of the energy's Hessian around z: the largest absolute eigenvalue C by
// LargestCurvature, then by as many power iterations on C - H the smallest one, C minus the largest eigenvalue of that. Power iterations come to an end of a
// spectrum from inside, so that Smallest is too large where there are many small eigenvalues, and Condition is at least the one measured. It
// takes 62 evaluations, and z is left as it is.
func MeasureSpectrum[T Float](p Problem[T], z []T) (Spectrum, error) {
	largest, err := LargestCurvature(p, z)
	if err != nil || len(z) == 0 {
		return Spectrum{Largest: largest, Smallest: largest}, err
	}
	below, err := shiftedCurvature(p, z, largest)
	return Spectrum{Largest: largest, Smallest: largest - below}, err
}

// shiftedCurvature is the largest eigenvalue of c - H around z, for an H with no eigenvalue above c.
func shiftedCurvature[T Float](p Problem[T], z []T, c float64) (float64, error) {
	g, h, at, v := make([]T, len(z)), make([]T, len(z)), make([]T, len(z)), make([]T, len(z))
	if _, err := p.Energy(g, z); err != nil {
		return 0, err
	}
	for i := range v {
		v[i] = T(math.Sin(float64(1 + 7*i)))
	}
	along, small := 0., .01*math.Sqrt(float64(len(z)))
	for range powerIterations {
		norm := optim.Norm(v)
		if norm == 0 {
			break
		}
		for i := range at {
			v[i] /= T(norm)
			at[i] = z[i] + T(small)*v[i]
		}
		if _, err := p.Energy(h, at); err != nil {
			return 0, err
		}
		along = 0
		for i, old := range v { // the Rayleigh quotient, which has a sign
			v[i] = T(c)*old - (h[i]-g[i])/T(small)
			along += float64(old) * float64(v[i])
		}
	}
	return along, nil
}
