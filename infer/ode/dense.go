package ode

import "github.com/pcgraph/pcgraph/internal/kernel"

// Interval is the last accepted step, from and to: the times that Dense takes.
func (s *Stepper[T]) Interval() (from, to float64) {
	return s.sign * s.lastT, s.sign * s.t
}

// Dense writes the state at time t within the last step over dst, by the
// method's own interpolant or the cubic through both ends and their slopes. z is
// the present state, and Slope has been called at it.
func (s *Stepper[T]) Dense(dst, z []T, t float64) {
	s.check(z)
	t *= s.sign
	switch {
	case !s.KeepPath || len(s.prev) != s.n:
		panic(noPathKept)
	case len(dst) != s.n:
		panic(wrongSamples)
	case !s.known || s.lastH == 0 || t < s.lastT || t > s.t:
		panic(outsideStep)
	case t == s.t:
		copy(dst, z)
		return
	}
	theta, h := (t-s.lastT)/s.lastH, s.sign*s.lastH
	last := len(s.k) - 1
	if s.method.Dense == nil {
		// z0 + theta^2 (3 - 2 theta) (z1 - z0) + theta (1-theta) h ((1-theta) k0 - theta k1)
		k0 := s.spare
		if s.fsal {
			k0 = s.k[last]
		}
		w := theta * theta * (3 - 2*theta)
		kernel.Axpby(dst, T(1-w), s.prev, T(w), z)
		kernel.Axpby(dst, 1, dst, T(h*theta*(1-theta)*(1-theta)), k0)
		kernel.Axpby(dst, 1, dst, T(-h*theta*theta*(1-theta)), s.k[0])
		return
	}
	copy(dst, s.prev)
	for i, poly := range s.method.Dense {
		var b float64
		for p := len(poly) - 1; p >= 0; p-- {
			b = (b + poly[p]) * theta
		}
		if b == 0 {
			continue
		}
		k := s.k[i]
		if s.fsal { // the first and the last have changed places
			switch i {
			case 0:
				k = s.k[last]
			case last:
				k = s.k[0]
			}
		}
		kernel.Axpby(dst, 1, dst, T(h*b), k)
	}
}
