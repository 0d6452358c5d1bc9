package theory

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A WeightHessian is the second derivative with respect to all weights of a
// scalar that a linear network has for a batch: of the loss ([Pass.WeightHessian]),
// of the equilibrated energy ([Equilibrium.WeightHessian]) or of the energy after
// some steps of inference ([Unrolled.WeightHessian]). A point of weight space
// lists W_1, ..., W_L one after the other, each row by row ([in, out]). Its Mul
// is a [Product]: exact, and a few times the price of a gradient.
type WeightHessian struct {
	net   Linear
	dim   int
	slope func(t tangent) ([]dual, error) // the gradient and its derivative along t
}

func (n Linear) weightHessian(slope func(t tangent) ([]dual, error)) *WeightHessian {
	h := &WeightHessian{net: n, slope: slope}
	for _, w := range n.Weights {
		r, c := w.Dims()
		h.dim += r * c
	}
	return h
}

// Dim is the number of weights.
func (h *WeightHessian) Dim() int { return h.dim }

// Mul writes the Hessian times v to dst, both as long as all weights.
func (h *WeightHessian) Mul(dst, v []float64) error {
	if len(dst) != h.dim || len(v) != h.dim {
		panic("theory: product of vectors whose lengths are not that of the weights")
	}
	t := tangent{net: h.net}
	at := 0
	for _, w := range h.net.Weights {
		r, c := w.Dims()
		t.dir = append(t.dir, mat.NewDense(r, c, v[at:at+r*c]))
		at += r * c
	}
	grads, err := h.slope(t)
	if err != nil {
		return err
	}
	at = 0
	for _, g := range grads {
		at += copy(dst[at:], g.d.RawMatrix().Data)
	}
	return nil
}

// Dense writes the matrix out, from one product per weight, for small networks.
func (h *WeightHessian) Dense() (*mat.SymDense, error) { return Assemble(h.dim, h.Mul) }

// WeightHessian is that of the loss, d^2L/dW^2: what backpropagation descends
// on. The output precision does not enter it.
func (p *Pass) WeightHessian() *WeightHessian {
	n, x, scale := p.net, dual{v: p.x}, -1/float64(batch(p.x))
	return n.weightHessian(func(t tangent) ([]dual, error) {
		mus := []dual{x}
		for i := range n.Weights {
			mus = append(mus, t.forward(i, mus[i]))
		}
		last := len(n.Weights)
		delta := dual{v: p.Residual}.plus(-1, dual{d: mus[last].d})
		s := t.slopes()
		for i := last - 1; i >= 0; i-- {
			s.outer(i, scale, mus[i], delta)
			if i > 0 {
				delta = t.back(i, delta)
			}
		}
		return s.grads, nil
	})
}

// WeightHessian is that of the equilibrated energy,
//
//	d^2F*/dW^2 = F_WW - F_Wz F_zz^-1 F_zW
//
// with all derivatives at the equilibrium: the activities move along with the
// weights, dz = -F_zz^-1 F_zW V, for which the exact solve in O(L) products is
// made. It reports weights too large to be factorised. Source: implicit
// differentiation of stationarity; the closed form of F* is that of 2408.11979,
// theorem 1.
func (e *Equilibrium) WeightHessian() (*WeightHessian, error) {
	n, x, y := e.net, dual{v: e.x}, dual{v: e.y}
	var solve *solver
	if len(e.Activities) > 0 {
		var err error
		if solve, err = n.solver(); err != nil {
			return nil, err
		}
	}
	return n.weightHessian(func(t tangent) ([]dual, error) {
		z := make([]dual, len(e.Activities))
		for i, v := range e.Activities {
			z[i].v = v
		}
		first := t.forward(0, x)
		if solve != nil {
			rows := mat.NewDense(batch(e.x), solve.dim, nil)
			parts := n.layers(rows)
			for i, g := range t.gradients(t.errors(first, y, z), z) {
				parts[i].Scale(-1, g.d)
			}
			if err := solve.solve(rows); err != nil {
				return nil, err
			}
			for i := range z {
				z[i].d = mat.DenseCopyOf(parts[i])
			}
		}
		s := t.slopes()
		s.local(-1/float64(batch(e.x)), x, z, t.errors(first, y, z))
		return s.grads, nil
	}), nil
}

// An Unrolled is the energy after a fixed number of plain steps of inference
// from the feedforward pass,
//
//	z <- z - Rate dF_i/dz
//
// as a function of the weights: what a program differentiates that goes through
// its own inference. As Steps grow it becomes the equilibrated energy. Source:
// the released code of 2408.11979, 50 steps at rate .1.
type Unrolled struct {
	Energy float64

	net   Linear
	x, y  *mat.Dense
	steps int
	rate  float64
}

// Unrolled makes the steps. It reports shapes that do not fit, a network without
// hidden layers, and bad settings.
func (n Linear) Unrolled(x, y *mat.Dense, steps int, rate float64) (*Unrolled, error) {
	if err := n.checkData(x, y); err != nil {
		return nil, err
	}
	if err := n.checkHidden(); err != nil {
		return nil, err
	}
	if steps < 0 || !(rate > 0) {
		return nil, errors.Errorf("theory: %d steps of inference at rate %g: want 0 or more, at a rate above 0", steps, rate)
	}
	u := &Unrolled{net: n, x: x, y: y, steps: steps, rate: rate}
	path, _ := u.path(tangent{net: n})
	z := make([]*mat.Dense, len(n.Weights)-1)
	for i, d := range path[steps] {
		z[i] = d.v
	}
	var err error
	u.Energy, _, err = n.Energy(x, y, z)
	return u, err
}

// path are the activities before every step and after the last, and the errors there.
func (u *Unrolled) path(t tangent) (zs, es [][]dual) {
	first, y := t.forward(0, dual{v: u.x}), dual{v: u.y}
	z := []dual{first}
	for i := range len(u.net.Weights) - 2 {
		z = append(z, t.forward(i+1, z[i]))
	}
	for step := 0; ; step++ {
		e := t.errors(first, y, z)
		zs, es = append(zs, z), append(es, e)
		if step == u.steps {
			return zs, es
		}
		next := make([]dual, len(z))
		for i, g := range t.gradients(e, z) {
			next[i] = z[i].plus(-u.rate, g)
		}
		z = next
	}
}

// slope is the gradient by reverse-mode differentiation through the steps. The
// adjoint lam of z goes backwards by lam <- lam - Rate H lam.
func (u *Unrolled) slope(t tangent) []dual {
	zs, es := u.path(t)
	z, e := zs[u.steps], es[u.steps]
	s, scale := t.slopes(), -1/float64(batch(u.x))
	s.local(scale, dual{v: u.x}, z, e)
	lam := t.gradients(e, z)
	var sum dual // of the errors behind x, over all steps
	for step := u.steps - 1; step >= 0; step-- {
		eps := t.errors(dual{}, dual{}, lam)
		sum = sum.plus(1, eps[0])
		s.local(-u.rate*scale, dual{}, zs[step], eps)
		s.local(-u.rate*scale, dual{}, lam, es[step])
		next := make([]dual, len(lam))
		for i, g := range t.gradients(eps, lam) {
			next[i] = lam[i].plus(-u.rate, g)
		}
		lam = next
	}
	s.outer(0, -u.rate*scale, dual{v: u.x}, sum)
	var delta dual
	for i := len(lam) - 1; i >= 0; i-- {
		delta = lam[i].plus(1, delta)
		before := dual{v: u.x}
		if i > 0 {
			before = zs[0][i-1]
		}
		s.outer(i, -scale, before, delta)
		delta = t.back(i, delta)
	}
	return s.grads
}

// Gradient is that of Energy with respect to the weights, [n_{l-1}, n_l] each,
// through the steps of inference.
func (u *Unrolled) Gradient() []*mat.Dense {
	var list []*mat.Dense
	for _, g := range u.slope(tangent{net: u.net}) {
		list = append(list, g.v)
	}
	return list
}

// WeightHessian is the derivative of Gradient.
func (u *Unrolled) WeightHessian() *WeightHessian {
	return u.net.weightHessian(func(t tangent) ([]dual, error) { return u.slope(t), nil })
}
