package infer

import (
	"context"
	"math"

	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
)

// powerIterations are those of LargestCurvature.
const powerIterations = 30

// LargestCurvature estimates the largest absolute eigenvalue of the energy's Hessian around z: gradient descent on the energy is stable
// at rates below 2 / curvature. It makes 30 power iterations on differences of the gradient over a distance of 0.01 per component,
// which is long enough not to take a kink of the energy for a curvature, and comes within some per cent. The result is at least
// 0.001, and 1 for an empty z. z is left as it is.
func LargestCurvature[T Float](p Problem[T], z []T) (float64, error) {
	if len(z) == 0 {
		return 1, nil
	}
	c, err := powerIteration(p, z, func(v, hv []T) float64 {
		copy(v, hv)
		return optim.Norm(v)
	})
	if err != nil {
		return 0, err
	}
	return math.Max(c, 1e-3), nil
}

// powerIteration calls next with a unit vector v and H v, the Hessian's product at z by a difference of gradients, so that next can write
// the vector to go on with to v, which is normalised. It returns next's last result, an estimate of an eigenvalue; 0 if there is none.
func powerIteration[T Float](p Problem[T], z []T, next func(v, hv []T) float64) (last float64, err error) {
	g, h, at, v := make([]T, len(z)), make([]T, len(z)), make([]T, len(z)), make([]T, len(z))
	if _, err := p.Energy(g, z); err != nil {
		return 0, err
	}
	for i := range v {
		v[i] = T(math.Sin(float64(1 + 7*i))) // a start that is along no axis
	}
	small := .01 * math.Sqrt(float64(len(z)))
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
		for i := range h {
			h[i] = (h[i] - g[i]) / T(small)
		}
		last = next(v, h)
	}
	return last, nil
}

// Rounds of Subgradient, and steps in each.
const (
	subgradientRounds = 14
	subgradientSteps  = 6
)

// Subgradient descends on an energy whose gradient jumps, such as that of a network with relu: from half the largest stable rate,
// 1 / curvature, in 14 rounds of 6 steps, each round with half the rate of the one before (Goffin 1977). Near a minimum on a kink
// descent at a constant rate goes to and fro, and quasi-Newton methods stop. z is moved in place. It stops early when ctx is done, and calls
// step after each step. It returns the number of steps.
func Subgradient[T Float](ctx context.Context, p Problem[T], z []T, curvature float64, step func()) (steps int, err error) {
	g := make([]T, len(z))
	rate := T(1 / curvature)
	for range subgradientRounds {
		for range subgradientSteps {
			if _, err := p.Energy(g, z); err != nil || ctx.Err() != nil {
				return steps, err
			}
			kernel.Axpby(z, 1, z, -rate, g)
			steps++
			step()
		}
		rate /= 2
	}
	return steps, nil
}

// Level stops where the energy has fallen over the last Window steps by at most the fraction Rel of its whole fall so far. A Level is
// for one run at a time: it remembers the energies.
type Level struct {
	Window int
	Rel    float64

	energies []float64 // by step
	reached  bool
}

var _ Stop = (*Level)(nil)

// Done compares the energy with the one Window steps before.
func (l *Level) Done(r Reading) (Status, bool) {
	if math.IsInf(r.Residual, 1) { // not evaluated
		return Running, false
	}
	if r.Step == 0 {
		l.energies, l.reached = l.energies[:0], false
	}
	if r.Step == len(l.energies) {
		l.energies = append(l.energies, r.Energy)
	}
	if before := len(l.energies) - 1 - l.Window; before >= 0 {
		l.reached = l.energies[before]-r.Energy <= l.Rel*(r.FirstEnergy-r.Energy)
	}
	return Converged, l.reached
}

// Cancelled stops when its context is done. The status is TimeLimit.
type Cancelled struct{ Context context.Context }

var _ Stop = Cancelled{}

// Done asks the context.
func (c Cancelled) Done(Reading) (Status, bool) { return TimeLimit, c.Context.Err() != nil }
