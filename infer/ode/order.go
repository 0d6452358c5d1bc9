package ode

import "math"

// orderTol is what an order condition may be off by: coefficients of order 10
// rounded to float64, a dozen products deep.
const orderTol = 1e-13

// denseTol is what an interpolant may miss the end of its step by: published
// interpolants have fewer digits.
const denseTol = 1e-11

// maxOrder bounds the search: no method here has order 9.
const maxOrder = 9

// Order is the order of the method: the local error of a step is O(h^(Order+1)).
// It is derived from the order conditions, one for each rooted tree (Butcher
// 1963; Hairer, Norsett, Wanner, Solving ODEs I, II.2).
func (m *Method) Order() int { return m.order(m.B) }

// EmbeddedOrder is the order of the solution that steps are compared with, 0 if
// there is none.
func (m *Method) EmbeddedOrder() int {
	if m.Embedded == nil {
		return 0
	}
	return m.order(m.Embedded)
}

// A tree is a rooted tree of n vertices with what its condition needs: for the
// weights b of a method, sum_i b_i phi_i = 1/gamma. As a branch of a larger tree
// it contributes A phi.
type tree struct {
	n      int
	gamma  float64
	phi    []float64 // phi_i = prod over branches t of (A phi(t))_i
	branch []float64 // A phi
}

// order is the largest p such that weights satisfy the conditions of all trees
// of p vertices at most.
func (m *Method) order(weights []float64) int {
	s := m.Stages()
	one := make([]float64, s)
	for i := range one {
		one[i] = 1
	}
	trees := []tree{}
	for n := 1; n <= maxOrder; n++ {
		before := len(trees)
		// A tree of n vertices is a root and branches of n-1 in all, taken in
		// the order of their index so that each multiset comes once.
		var grow func(left, from int, gamma float64, phi []float64)
		grow = func(left, from int, gamma float64, phi []float64) {
			if left == 0 {
				t := tree{n: n, gamma: gamma * float64(n), phi: phi}
				t.branch = m.apply(phi)
				trees = append(trees, t)
				return
			}
			for i := from; i < before && trees[i].n <= left; i++ {
				b := trees[i]
				next := make([]float64, s)
				for j := range next {
					next[j] = phi[j] * b.branch[j]
				}
				grow(left-b.n, i, gamma*b.gamma, next)
			}
		}
		grow(n-1, 0, 1, one)
		for _, t := range trees[before:] {
			var got float64
			for i, w := range weights {
				got += w * t.phi[i]
			}
			if math.Abs(got-1/t.gamma) > orderTol {
				return n - 1
			}
		}
	}
	return maxOrder
}

// apply is A x.
func (m *Method) apply(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, row := range m.A {
		for j, a := range row {
			y[i+1] += a * x[j]
		}
	}
	return y
}
