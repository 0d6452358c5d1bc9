package theory

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// A dual is a matrix with its derivative along a direction of the weights. A
// nil matrix stands for zeros.
type dual struct{ v, d *mat.Dense }

// A tangent is a network with a direction of its weights: its methods compute
// with values and their derivatives along it together (forward-mode
// differentiation).
type tangent struct {
	net Linear
	dir []*mat.Dense // as the weights; nil for values alone
}

// forward is z M and its derivative dz M + a z V for the map at index i.
func (t tangent) forward(i int, z dual) dual { return t.through(i, z, blas.NoTrans) }

// back is e M^T and its derivative de M^T + a e V^T for the map at index i.
func (t tangent) back(i int, e dual) dual { return t.through(i, e, blas.Trans) }

func (t tangent) through(i int, z dual, side blas.Transpose) dual {
	in, out := t.net.Weights[i].Dims()
	if side == blas.Trans {
		in, out = out, in
	}
	var r dual
	if z.v != nil {
		r.v = mat.NewDense(batch(z.v), out, nil)
		t.net.add(i, side, 1, z.v, r.v)
	}
	if t.dir == nil || z.v == nil && z.d == nil {
		return r
	}
	if z.d != nil {
		r.d = mat.NewDense(batch(z.d), out, nil)
		t.net.add(i, side, 1, z.d, r.d)
	}
	if z.v != nil {
		if r.d == nil {
			r.d = mat.NewDense(batch(z.v), out, nil)
		}
		blas64.Gemm(blas.NoTrans, side, t.net.factor(i), z.v.RawMatrix(), t.dir[i].RawMatrix(), 1, r.d.RawMatrix())
	}
	return r
}

// plus is a + c b.
func (a dual) plus(c float64, b dual) dual {
	return dual{added(a.v, c, b.v), added(a.d, c, b.d)}
}

func added(a *mat.Dense, c float64, b *mat.Dense) *mat.Dense {
	if b == nil || c == 0 {
		return a
	}
	s := new(mat.Dense)
	s.Scale(c, b)
	if a != nil {
		s.Add(a, s)
	}
	return s
}

// times is c a.
func (a dual) times(c float64) dual { return dual{}.plus(c, a) }

// errors are e_l = z_l - z_{l-1} M_l for l = 1 ... L, the last one times the
// output precision, of activities z_1 ... z_{L-1} between x, of which first is
// x M_1, and y. Zeros for first and y leave the part that is linear in z.
func (t tangent) errors(first, y dual, z []dual) []dual {
	es := make([]dual, len(t.net.Weights))
	for i := range es {
		mu, after := first, y
		if i > 0 {
			mu = t.forward(i, z[i-1])
		}
		if i < len(z) {
			after = z[i]
		}
		es[i] = after.plus(-1, mu)
	}
	last := len(es) - 1
	es[last] = es[last].times(t.net.precision())
	return es
}

// gradients are those of each sample's own energy with respect to z_1 ... z_{L-1},
// of the errors e at z: e_l + d z_l - e_{l+1} M_{l+1}^T.
func (t tangent) gradients(e, z []dual) []dual {
	gs := make([]dual, len(z))
	for i := range gs {
		gs[i] = e[i].plus(t.net.ActivityDecay, z[i]).plus(-1, t.back(i+1, e[i+1]))
	}
	return gs
}

// A slopes accumulates the gradient with respect to every weight, and its
// derivative.
type slopes struct {
	tangent
	grads []dual
}

func (t tangent) slopes() *slopes {
	s := &slopes{tangent: t}
	for _, w := range t.net.Weights {
		r, c := w.Dims()
		s.grads = append(s.grads, dual{mat.NewDense(r, c, nil), mat.NewDense(r, c, nil)})
	}
	return s
}

// outer adds c a_i z^T e to the gradient at index i.
func (s *slopes) outer(i int, c float64, z, e dual) {
	c *= s.net.factor(i)
	for _, p := range []struct{ dst, z, e *mat.Dense }{{s.grads[i].v, z.v, e.v}, {s.grads[i].d, z.d, e.v}, {s.grads[i].d, z.v, e.d}} {
		if p.z != nil && p.e != nil {
			blas64.Gemm(blas.Trans, blas.NoTrans, c, p.z.RawMatrix(), p.e.RawMatrix(), 1, p.dst.RawMatrix())
		}
	}
}

// local adds c z_{l-1}^T e_l for every layer, with x for z_0.
func (s *slopes) local(c float64, x dual, z, e []dual) {
	before := x
	for i := range e {
		s.outer(i, c, before, e[i])
		if i < len(z) {
			before = z[i]
		}
	}
}
