package bss

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// NSM is nonnegative similarity matching (Pehlevan, Mohan, Chklovskii 2017): for nonnegative uncorrelated sources. Of the whitened
// sample h = P x each output is settled one coordinate at a time, at random, y_i <- max(0, (W1 h)_i - (W2 y)_i); then, elementwise in y,
//
//	D <- min(3000, .94 D + y^2),   W1 <- W1 + 1/D (y h^T - y^2 W1),   W2 <- W2 + 1/D (y y^T - y^2 W2) with zero diagonal
//
// A unit that was silent Silence times in a row among the first RescueUntil samples has its row of W1 negated.
type NSM struct {
	Updates     int // coordinates that are updated for a sample
	Silence     int
	RescueUntil int
}

// PaperNSM has the published settings.
func PaperNSM() NSM { return NSM{Updates: 250, Silence: 50, RescueUntil: 1500} }

// Start makes a network behind the whitening P [sources, mixtures], of Whiten. rng draws where y begins and which coordinates move.
func (o NSM) Start(p *mat.Dense, rng *rand.Rand) (*NSMNetwork, error) {
	if o.Updates < 1 || o.Silence < 1 || o.RescueUntil < 0 {
		return nil, errors.Errorf("bss: NSM: Updates %d, Silence %d, RescueUntil %d: want at least 1, 1 and 0", o.Updates, o.Silence, o.RescueUntil)
	}
	n, m := p.Dims()
	net := &NSMNetwork{options: o, whitening: mat.DenseCopyOf(p), rng: rng, sources: n, mixtures: m, w1: identity(n), w2: make([]float64, n*n),
		d: make([]float64, n), h: make([]float64, n), y: make([]float64, n), feed: make([]float64, n), silent: make([]int, n), order: make([]int, o.Updates)}
	for i := range net.d {
		net.d[i] = .1
	}
	return net, nil
}

// identity is the n x n unit matrix.
func identity(n int) []float64 { return diagonal(n, n, 1, 0, nil) }

// An NSMNetwork is NSM at work: a Separator.
type NSMNetwork struct {
	options           NSM
	whitening         *mat.Dense
	rng               *rand.Rand
	sources, mixtures int
	sample, flips     int

	w1, w2, d  []float64
	h, y, feed []float64
	silent     []int
	order      []int
}

var _ Separator = (*NSMNetwork)(nil)

// Observe is described at Separator.
func (s *NSMNetwork) Observe(x []float64) ([]float64, error) {
	if err := checkSample("NSM", x, s.mixtures); err != nil {
		return nil, err
	}
	for i := range s.y {
		s.y[i] = s.rng.Float64()
	}
	for i := range s.order {
		s.order[i] = s.rng.IntN(s.sources)
	}
	return s.learn(x, s.order)
}

// learn settles from y, one coordinate of order after the other, and learns.
func (s *NSMNetwork) learn(x []float64, order []int) ([]float64, error) {
	n := s.sources
	product(s.h, s.whitening.RawMatrix().Data, x)
	product(s.feed, s.w1, s.h)
	if !finite(s.feed) {
		return nil, &DivergenceError{Method: "NSM", Sample: s.sample + 1}
	}
	for _, i := range order {
		v := s.feed[i]
		for j, w := range s.w2[i*n : (i+1)*n] {
			v -= w * s.y[j]
		}
		s.y[i] = max(0, v)
	}
	for i, y := range s.y {
		s.d[i] = min(3000, .94*s.d[i]+y*y)
		r := 1 / s.d[i]
		for j := range n {
			s.w1[i*n+j] += r * (y*s.h[j] - y*y*s.w1[i*n+j])
			if j != i {
				s.w2[i*n+j] += r * (y*s.y[j] - y*y*s.w2[i*n+j])
			}
		}
		if y != 0 {
			s.silent[i] = 0
		} else if s.silent[i]++; s.silent[i] > s.options.Silence && s.sample < s.options.RescueUntil {
			for j := range n {
				s.w1[i*n+j] *= -1
			}
			s.silent[i] = 0
			s.flips++
		}
	}
	s.sample++
	return s.y, nil
}

// Unmixing is (I + W2)^-1 W1 P.
func (s *NSMNetwork) Unmixing() *mat.Dense {
	n := s.sources
	a := append([]float64(nil), s.w2...)
	for i := range n {
		a[i*n+i]++
	}
	return solved(mat.NewDense(n, n, a), mat.NewDense(n, n, append([]float64(nil), s.w1...)), s.whitening)
}

// solved is A^-1 B P; NaN where A is singular.
func solved(a, b, p *mat.Dense) *mat.Dense {
	var inverse, out mat.Dense
	if err := inverse.Solve(a, b); err != nil {
		if _, conditioned := err.(mat.Condition); !conditioned || math.IsInf(float64(err.(mat.Condition)), 1) {
			r, _ := b.Dims()
			_, c := p.Dims()
			nan := mat.NewDense(r, c, nil)
			nan.Apply(func(int, int, float64) float64 { return math.NaN() }, nan)
			return nan
		}
	}
	out.Mul(&inverse, p)
	return &out
}

// BSM is bounded similarity matching (Erdogan and Pehlevan 2020): for antisparse uncorrelated sources. Of the whitened sample h = P x
//
//	u <- u + s_k (W h - u - offdiag(M) (d y)),   y_i = clip(u_i/(M_ii d_i), -1, 1)
//	W <- g W + (1-g) y h^T,  M <- g M + (1-g) y y^T,  g = Memory^2,  d_i <- (1-Decay) d_i + Rate (|W_i|^2 - sum_j M_ij^2 d_j)
//
// from u = .99 (M diag d)^-1 W h.
type BSM struct {
	Memory    float64
	Rate      float64 // of the gains d
	Decay     float64 // of the gains d
	Inference Inference
	Released  bool // the sign of the relaxation as the release has it: u - s_k (...)
}

// PaperBSM has the published settings, with the relaxation's sign corrected.
func PaperBSM() BSM {
	return BSM{Memory: .9997, Rate: 1e-3, Decay: 1e-6,
		Inference: Inference{Step: Schedule{Law: Harmonic, Rate: .005, Floor: 1e-7}, Iterations: 10, Tol: 1e-7}}
}

// Start makes a network behind the whitening P [sources, mixtures], of Whiten.
func (o BSM) Start(p *mat.Dense) (*BSMNetwork, error) {
	if err := memory("BSM", "Memory", o.Memory); err != nil {
		return nil, err
	}
	if err := positive("BSM", option{"Rate", o.Rate}); err != nil {
		return nil, err
	}
	if !(o.Decay >= 0 && o.Decay < 1) {
		return nil, errors.Errorf("bss: BSM: Decay is %v: want 0 or more, below 1", o.Decay)
	}
	n, m := p.Dims()
	if err := o.Inference.validate("BSM", Antisparse, n); err != nil {
		return nil, err
	}
	net := &BSMNetwork{options: o, whitening: mat.DenseCopyOf(p), sources: n, mixtures: m, w: identity(n), m: identity(n), d: make([]float64, n),
		steps: o.Inference.Step.table(o.Inference.Iterations), h: make([]float64, n), wh: make([]float64, n), u: make([]float64, n), y: make([]float64, n),
		before: make([]float64, n), lu: make([]float64, n*n)}
	for i := range net.d {
		net.d[i] = 1
	}
	return net, nil
}

// A BSMNetwork is BSM at work: a Separator.
type BSMNetwork struct {
	options           BSM
	whitening         *mat.Dense
	sources, mixtures int
	sample, made      int

	w, m, d             []float64
	steps               []float64
	h, wh, u, y, before []float64
	lu                  []float64
}

var _ Separator = (*BSMNetwork)(nil)

// Observe is described at Separator.
func (s *BSMNetwork) Observe(x []float64) ([]float64, error) {
	if err := checkSample("BSM", x, s.mixtures); err != nil {
		return nil, err
	}
	n := s.sources
	product(s.h, s.whitening.RawMatrix().Data, x)
	product(s.wh, s.w, s.h)
	for i := range n {
		for j := range n {
			s.lu[i*n+j] = s.m[i*n+j] * s.d[j]
		}
	}
	copy(s.u, s.wh)
	if !solve(s.lu, s.u) || !finite(s.u) {
		return nil, &DivergenceError{Method: "BSM", Sample: s.sample + 1}
	}
	for i := range s.u {
		s.u[i] *= .99
	}
	s.clip()
	s.made = s.settle()
	g := s.options.Memory * s.options.Memory
	for i, y := range s.y {
		for j := range n {
			s.w[i*n+j] = g*s.w[i*n+j] + (1-g)*y*s.h[j]
			s.m[i*n+j] = g*s.m[i*n+j] + (1-g)*y*s.y[j]
		}
	}
	copy(s.before, s.d)
	for i := range s.d {
		size, lateral := 0., 0.
		for j := range n {
			size += s.w[i*n+j] * s.w[i*n+j]
			lateral += s.m[i*n+j] * s.m[i*n+j] * s.before[j]
		}
		s.d[i] = (1-s.options.Decay)*s.d[i] + s.options.Rate*(size-lateral)
	}
	s.sample++
	return s.y, nil
}

// clip is y = clip(u/(M_ii d_i)).
func (s *BSMNetwork) clip() {
	for i, u := range s.u {
		s.y[i] = min(max(u/(s.m[i*s.sources+i]*s.d[i]), -1), 1)
	}
}

// settle relaxes u.
func (s *BSMNetwork) settle() int {
	n, tol2 := s.sources, s.options.Inference.Tol*s.options.Inference.Tol
	for k, step := range s.steps {
		if s.options.Released {
			step = -step
		}
		copy(s.before, s.y)
		for i := range n {
			v := s.wh[i]
			for j := range n {
				if j != i {
					v -= s.m[i*n+j] * s.d[j] * s.before[j]
				}
			}
			s.u[i] += step * (v - s.u[i])
		}
		s.clip()
		moved, size := 0., 0.
		for i, y := range s.y {
			moved += (y - s.before[i]) * (y - s.before[i])
			size += y * y
		}
		if moved < tol2*size {
			return k + 1
		}
	}
	return len(s.steps)
}

// Unmixing is (M diag d)^-1 W P.
func (s *BSMNetwork) Unmixing() *mat.Dense {
	n := s.sources
	a := mat.NewDense(n, n, nil)
	a.Apply(func(i, j int, _ float64) float64 { return s.m[i*n+j] * s.d[j] }, a)
	return solved(a, mat.NewDense(n, n, append([]float64(nil), s.w...)), s.whitening)
}

// solve replaces b by A^-1 b and A by its factors, by elimination with partial pivoting; false if A is singular.
func solve(a, b []float64) bool {
	n := len(b)
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if math.Abs(a[i*n+k]) > math.Abs(a[p*n+k]) {
				p = i
			}
		}
		if a[p*n+k] == 0 {
			return false
		}
		if p != k {
			for j := range n {
				a[p*n+j], a[k*n+j] = a[k*n+j], a[p*n+j]
			}
			b[p], b[k] = b[k], b[p]
		}
		for i := k + 1; i < n; i++ {
			f := a[i*n+k] / a[k*n+k]
			for j := k; j < n; j++ {
				a[i*n+j] -= f * a[k*n+j]
			}
			b[i] -= f * b[k]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			b[i] -= a[i*n+j] * b[j]
		}
		b[i] /= a[i*n+i]
	}
	return true
}
