package infer

import (
	"math"
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
	return powerIteration(p, z, func(v, hv []T) float64 {
		along := 0. // the Rayleigh quotient, which has a sign
		for i, old := range v {
			v[i] = T(c)*old - hv[i]
			along += float64(old) * float64(v[i])
		}
		return along
	})
}
