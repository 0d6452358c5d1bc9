package curvature

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/theory"
)

// A Verdict says what kind of point the weights are.
type Verdict int

// The verdicts.
const (
	NotCritical  Verdict = iota // the gradient does not vanish
	StrictSaddle                // it does, and the energy curves down in some direction
	Flat                        // it does, and no second derivative differs from 0: higher orders decide
	Minimum                     // it does, nothing curves down and something up: a minimum as far as second derivatives tell
)

func (v Verdict) String() string {
	return [...]string{"not critical", "strict saddle", "flat", "minimum"}[v]
}

// Meaning says what the verdict rests on.
func (v Verdict) Meaning() string {
	return [...]string{
		"the gradient does not vanish; the eigenvalues say how the landscape curves here",
		"the gradient vanishes and the lowest eigenvalue is negative: gradient descent escapes exponentially",
		"the gradient and all second derivatives vanish: gradient descent is slowed by the higher orders",
		"the gradient vanishes, no eigenvalue is negative and some is positive: a minimum, or a valley along the directions of eigenvalue 0",
	}[v]
}

// A Point is the landscape around the weights.
type Point struct {
	Verdict   Verdict
	Energy    float64
	GradNorm  float64 // |dF/dW|
	Low, High theory.Eigenvalue
	Zero      float64 // what counts as 0, see Judge
}

// Judge finds the ends of the spectrum and says what kind of point it is. The gradient vanishes if its length is at most tol times the
// scale of the landscape, the largest of the energy and of the eigenvalues' sizes; an eigenvalue is 0 if its size is at most that or its
// own Bound. tol 0 means 1e-6. The network may be as large as Lanczos has memory for: l.Steps vectors as long as the weights.
func (c *Curvature) Judge(l theory.Lanczos, tol float64) (Point, error) {
	if tol == 0 {
		tol = 1e-6
	}
	if !(tol > 0) || tol >= 1 {
		return Point{}, errors.Errorf("curvature: tolerance %g of the verdict: want a number from 0 to 1", tol)
	}
	p := Point{Energy: c.Energy, GradNorm: floats.Norm(c.Grad, 2)}
	var err error
	if p.Low, p.High, err = l.Extremes(c.Dim(), c.Mul); err != nil {
		return p, err
	}
	p.Zero = tol * max(math.Abs(c.Energy), math.Abs(p.Low.Value), math.Abs(p.High.Value))
	low, high := max(p.Zero, p.Low.Bound), max(p.Zero, p.High.Bound)
	switch {
	case p.GradNorm > p.Zero:
		p.Verdict = NotCritical
	case p.Low.Value < -low:
		p.Verdict = StrictSaddle
	case p.High.Value > high:
		p.Verdict = Minimum
	default:
		p.Verdict = Flat
	}
	return p, nil
}

// String writes what counts as 0 as 0.
func (p Point) String() string {
	shown := func(v float64) float64 {
		if math.Abs(v) <= p.Zero {
			return 0
		}
		return v
	}
	return fmt.Sprintf("%v: energy %.4g, gradient %.2g, eigenvalues from %.4g to %.4g", p.Verdict, p.Energy, shown(p.GradNorm), shown(p.Low.Value), shown(p.High.Value))
}

// Along returns the energy of a model at the weights W + t direction for each t: at equilibrium, or in the coordinates of Feedforward the
// loss. The direction is as long as the weights. The model keeps its data; its weights are put back, its activities are those of the last t.
func Along(ctx context.Context, m *arch.Model[float64], direction, ts []float64, o Options) (energies []float64, err error) {
	w := m.Weights()
	if len(direction) != len(w.Data()) {
		return nil, errors.Errorf("curvature: a direction of %d numbers for %d weights", len(direction), len(w.Data()))
	}
	kept := slices.Clone(w.Data())
	defer func() {
		copy(w.Data(), kept)
		w.Touch()
	}()
	for _, t := range ts {
		floats.AddScaledTo(w.Data(), kept, t, direction)
		w.Touch()
		if err := m.Forward(); err != nil {
			return nil, errors.WithMessagef(err, "curvature: %g along the direction", t)
		}
		if _, err := Equilibrate(ctx, m, o); err != nil {
			return nil, errors.WithMessagef(err, "curvature: %g along the direction", t)
		}
		f, err := m.Energy()
		if err != nil {
			return nil, errors.WithMessagef(err, "curvature: %g along the direction", t)
		}
		energies = append(energies, f)
	}
	return energies, nil
}
