package bss

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Inference are the options of the inner iterations: from y = 0 and theta = 0 for every sample,
//
//	y <- nonlinearity(y - s_k g(y); theta),   k = 0, 1, ...
//
// until |y - y_before|_2 < Tol |y|_2 or Iterations are made.
type Inference struct {
	Step       Schedule // s_k
	Iterations int      // at most so many
	Tol        float64  // relative change that ends them
	Threshold  float64  // beta, the rate of the thresholds theta; unused by domains without
}

func (in Inference) validate(method string, d Domain, sources int) error {
	if err := in.Step.validate(method, "Inference.Step"); err != nil {
		return err
	}
	if in.Iterations < 1 {
		return errors.Errorf("bss: %s: %d inner iterations: want one or more", method, in.Iterations)
	}
	if !(in.Tol >= 0) {
		return errors.Errorf("bss: %s: Inference.Tol is %v: want a relative change, 0 or more", method, in.Tol)
	}
	if d == nil {
		return errors.Errorf("bss: %s: Domain is missing", method)
	}
	if v, ok := d.(interface{ Validate(sources int) error }); ok {
		if err := v.Validate(sources); err != nil {
			return err
		}
	}
	if d.Thresholds(sources) > 0 {
		return positive(method, option{"Inference.Threshold", in.Threshold})
	}
	return nil
}

// settling are the inner iterations of PEM and CorInfoMax, whose gradient is linear in y while a sample is looked at:
//
//	g(y) = M y - b
type settling struct {
	domain Domain
	beta   float64
	tol2   float64
	steps  []float64 // s_k
	m      []float64 // M [sources, sources]
	b      []float64
	y, g   []float64
	theta  []float64
	lo, hi float64             // of a box
	fast   func(*settling) int // iterate, unrolled for the domain and the number of sources; nil if it is not generated
}

func newSettling(d Domain, in Inference, n int) settling {
	s := settling{domain: d, beta: in.Threshold, tol2: in.Tol * in.Tol, steps: in.Step.table(in.Iterations),
		m: make([]float64, n*n), b: make([]float64, n), y: make([]float64, n), g: make([]float64, n), theta: make([]float64, d.Thresholds(n))}
	if n <= mostUnrolled {
		switch d := d.(type) {
		case box:
			s.lo, s.hi, s.fast = d.lo, d.hi, boxBy[n]
		case sparse:
			s.fast = sparseBy[n]
		case nonnegSparse:
			s.fast = nonnegSparseBy[n]
		case simplex:
			s.fast = simplexBy[n]
		}
	}
	return s
}

// run iterates from 0 and returns how many iterations it made.
func (s *settling) run() int {
	clear(s.y)
	clear(s.theta)
	if s.fast != nil {
		return s.fast(s)
	}
	return s.iterate()
}

// iterate is run for every domain and number of sources, from where y and theta are.
func (s *settling) iterate() int {
	y, g := s.y, s.g
	for k, step := range s.steps {
		s.gradient()
		for i, v := range y {
			y[i], g[i] = v-step*g[i], v // g holds y as it was
		}
		s.domain.Activate(y, s.theta, s.beta)
		moved, size := 0., 0.
		for i, v := range y {
			d := v - g[i]
			moved += d * d
			size += v * v
		}
		if moved < s.tol2*size {
			return k + 1
		}
	}
	return len(s.steps)
}

// gradient writes g = M y - b.
func (s *settling) gradient() {
	y, n := s.y, len(s.y)
	if n <= mostUnrolled {
		gradientBy[n](s)
		return
	}
	copy(s.g, s.b)
	blas64.Gemv(blas.NoTrans, 1, blas64.General{Rows: n, Cols: n, Stride: n, Data: s.m}, blas64.Vector{N: n, Inc: 1, Data: y}, -1, blas64.Vector{N: n, Inc: 1, Data: s.g})
}

//go:generate go run ./internal/gen
