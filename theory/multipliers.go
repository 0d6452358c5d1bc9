package theory

import "math"

// MultiplierMode returns the eigenvalues of one mode of the method of multipliers, PC-ALM (arXiv 2605.31022): along a singular vector
// of the constraints' operator, of singular value s, and without the output's term,
//
//	z <- z - rate (penalty s^2 z + s lambda)
//	lambda <- lambda + ascent s z                  with the z of the step before it
//
// The mode decays if both are inside the unit circle, which for 0 < rate penalty s^2 < 2 is
//
//	rate s^2 (2 penalty + ascent) < 4
//
// and is a damped wave, |mu|^2 = 1 - rate penalty s^2, where they are complex. They are in the order of their real, then their imaginary
// parts.
func MultiplierMode(rate, s, ascent, penalty float64) [2]complex128 {
	// trace and determinant of [[1-h, -rate s], [ascent s (1-h), 1 - ascent rate s^2]] with h = rate penalty s^2
	h, a := rate*penalty*s*s, ascent*rate*s*s
	half, det := (2-h-a)/2, 1-h
	d := half*half - det
	root := math.Sqrt(math.Abs(d))
	if d < 0 {
		return [2]complex128{complex(half, -root), complex(half, root)}
	}
	return [2]complex128{complex(half-root, 0), complex(half+root, 0)}
}
