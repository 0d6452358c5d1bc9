package ode

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// A Method is an explicit Runge-Kutta method, given by its Butcher tableau:
//
//	k_i = f(z + h sum_{j<i} a_ij k_j),  z <- z + h sum_i b_i k_i
//
// Everything else about it is derived. Coefficients are constant expressions of
// the published fractions, or of decimals with more digits than float64 has. A
// Method is a description: it is not changed once it is in use.
type Method struct {
	Name string
	A    [][]float64 // the rows of stages 2, 3, ..: A[i] has i+1 entries
	B    []float64   // weights of the step, one for each stage

	// Embedded are the weights of the solution that the step is compared with;
	// nil: the method gives no error estimate and needs a constant step.
	Embedded []float64

	// Dense are the polynomials of the method's own interpolant,
	//
	//	z(t + theta h) = z(t) + h sum_i b_i(theta) k_i,  b_i(theta) = sum_p Dense[i][p] theta^(p+1)
	//
	// nil: the cubic through both ends and their slopes is taken (Hermite).
	Dense [][]float64
}

// Stages is the number of slopes of one step.
func (m *Method) Stages() int { return len(m.B) }

// FSAL reports whether the last stage is at the new point, so that its slope is
// the first of the next step ("first same as last").
func (m *Method) FSAL() bool {
	s := m.Stages()
	return s > 1 && m.B[s-1] == 0 && slices.Equal(m.A[s-2], m.B[:s-1])
}

// Adaptive reports whether the method gives an error estimate.
func (m *Method) Adaptive() bool { return m.Embedded != nil }

// errorWeights are B - Embedded.
func (m *Method) errorWeights() []float64 {
	if m.Embedded == nil {
		return nil
	}
	e := make([]float64, len(m.B))
	for i := range e {
		e[i] = m.B[i] - m.Embedded[i]
	}
	return e
}

// Validate reports a tableau that is not one of an explicit method of order 1
// at least.
func (m *Method) Validate() error {
	if m == nil {
		return errors.New("ode: Method is missing: take one of this package, such as ode.Heun")
	}
	s := m.Stages()
	switch {
	case s == 0:
		return errors.Errorf("ode: method %q: B is empty: a step needs weights", m.Name)
	case len(m.A) != s-1:
		return errors.Errorf("ode: method %q: A has %d rows, want %d: one for each of the %d stages but the first", m.Name, len(m.A), s-1, s)
	case m.Embedded != nil && len(m.Embedded) != s:
		return errors.Errorf("ode: method %q: Embedded has %d weights, want %d", m.Name, len(m.Embedded), s)
	case m.Dense != nil && len(m.Dense) != s:
		return errors.Errorf("ode: method %q: Dense has %d polynomials, want %d", m.Name, len(m.Dense), s)
	}
	for i, row := range m.A {
		if len(row) != i+1 {
			return errors.Errorf("ode: method %q: row %d of A has %d entries, want %d: each stage is explicit", m.Name, i, len(row), i+1)
		}
		if v, ok := sum(row); !ok {
			return errors.Errorf("ode: method %q: row %d of A sums to %g", m.Name, i, v)
		}
	}
	if v, _ := sum(m.B); !(math.Abs(v-1) <= orderTol) {
		return errors.Errorf("ode: method %q: B sums to %g, want 1", m.Name, v)
	}
	if m.Embedded != nil {
		if v, _ := sum(m.Embedded); !(math.Abs(v-1) <= orderTol) {
			return errors.Errorf("ode: method %q: Embedded sums to %g, want 1", m.Name, v)
		}
		if slices.Equal(m.B, m.Embedded) {
			return errors.Errorf("ode: method %q: Embedded equals B: the error estimate would be 0", m.Name)
		}
	}
	for i, poly := range m.Dense {
		if v, _ := sum(poly); !(math.Abs(v-m.B[i]) <= denseTol) {
			return errors.Errorf("ode: method %q: polynomial %d of Dense is %g at the end, want b = %g", m.Name, i, v, m.B[i])
		}
	}
	return nil
}

// sum also reports whether the result is finite.
func sum(x []float64) (s float64, finite bool) {
	for _, v := range x {
		s += v
	}
	return s, s-s == 0
}
