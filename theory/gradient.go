package theory

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Gradient of all weights, kept as the factors of its outer products: that of
// W_l is In[l-1]^T Out[l-1]. For wide networks this is far smaller than the
// gradient itself, and enough to compare gradients.
type Gradient struct {
	In  []*mat.Dense // [B, n_{l-1}]
	Out []*mat.Dense // [B, n_l]
}

// Gradient returns backpropagation's gradient of the loss,
//
//	dL/dW_l = -a_l/B mu_{l-1}^T (r P_{l+1}^T)
//
// The output precision does not enter it.
func (p *Pass) Gradient() Gradient {
	n := p.net
	deltas := make([]*mat.Dense, len(n.Weights))
	delta := p.Residual
	for i := len(deltas) - 1; i >= 0; i-- {
		deltas[i] = delta
		if i > 0 {
			delta = n.back(i, delta)
		}
	}
	return n.gradient(p.x, p.Predictions[:len(deltas)-1], deltas)
}

// Gradient returns predictive coding's gradient, the local one,
//
//	dF*/dW_l = -a_l/B z*_{l-1}^T e_l             (lambda e_L for the output)
//
// which by the envelope theorem is also the total derivative of F*. It is
// backpropagation's with r replaced by r S^{-1} and mu by z*.
func (e *Equilibrium) Gradient() Gradient {
	n, last := e.net, len(e.Errors)-1
	deltas := append([]*mat.Dense(nil), e.Errors...)
	deltas[last] = new(mat.Dense)
	deltas[last].Scale(n.precision(), e.Errors[last])
	return n.gradient(e.x, e.Activities, deltas)
}

// gradient pairs the inputs x, z_1 ... with -a_l/B delta_l.
func (n Linear) gradient(x *mat.Dense, z, deltas []*mat.Dense) Gradient {
	g := Gradient{In: append([]*mat.Dense{x}, z...)}
	for i, d := range deltas {
		out := new(mat.Dense)
		out.Scale(-n.factor(i)/float64(batch(x)), d)
		g.Out = append(g.Out, out)
	}
	return g
}

// Dense multiplies the factors out: one [n_{l-1}, n_l] matrix per weight.
func (g Gradient) Dense() []*mat.Dense {
	var dense []*mat.Dense
	for i := range g.In {
		d := new(mat.Dense)
		d.Mul(g.In[i].T(), g.Out[i])
		dense = append(dense, d)
	}
	return dense
}

// Dot returns the inner product of two gradients over all weights, from the
// [B, B] products of their factors:
//
//	<u^T e, v^T f> = sum_{bc} (u_b . v_c) (e_b . f_c)
//
// It reports gradients of different networks.
func (g Gradient) Dot(h Gradient) (float64, error) {
	if err := g.sameAs(h); err != nil {
		return 0, err
	}
	var sum float64
	var in, out mat.Dense
	for i := range g.In {
		in.Reset()
		out.Reset()
		in.Mul(g.In[i], h.In[i].T())
		out.Mul(g.Out[i], h.Out[i].T())
		sum += dot(&in, &out)
	}
	return sum, nil
}

func (g Gradient) sameAs(h Gradient) error {
	if len(g.In) != len(h.In) {
		return errors.Errorf("theory: gradients of %d and of %d weights", len(g.In), len(h.In))
	}
	for i := range g.In {
		_, gi := g.In[i].Dims()
		_, gj := g.Out[i].Dims()
		_, hi := h.In[i].Dims()
		_, hj := h.Out[i].Dims()
		if gi != hi || gj != hj {
			return errors.Errorf("theory: gradient of weight %d is [%d,%d] and [%d,%d]", i+1, gi, gj, hi, hj)
		}
	}
	return nil
}

// Cosine returns the cosine of the angle between two gradients, taken as flat
// vectors over all weights. It is undefined, and an error, when one is zero.
func (g Gradient) Cosine(h Gradient) (float64, error) {
	gh, err := g.Dot(h)
	if err != nil {
		return 0, err
	}
	gg, _ := g.Dot(g)
	hh, _ := h.Dot(h)
	return cosine(gh, gg, hh)
}

// Cosine returns the cosine of the angle between two lists of matrices of the
// same shapes, taken as flat vectors. It is undefined, and an error, when one
// is zero.
func Cosine(a, b []*mat.Dense) (float64, error) {
	if len(a) != len(b) {
		return 0, errors.Errorf("theory: cosine of lists of %d and %d matrices", len(a), len(b))
	}
	var ab, aa, bb float64
	for i := range a {
		ar, ac := a[i].Dims()
		if br, bc := b[i].Dims(); ar != br || ac != bc {
			return 0, errors.Errorf("theory: cosine: matrix %d is [%d,%d] and [%d,%d]", i+1, ar, ac, br, bc)
		}
		ab += dot(a[i], b[i])
		aa += dot(a[i], a[i])
		bb += dot(b[i], b[i])
	}
	return cosine(ab, aa, bb)
}

func cosine(ab, aa, bb float64) (float64, error) {
	norms := math.Sqrt(aa) * math.Sqrt(bb)
	if norms == 0 {
		return 0, errors.New("theory: cosine with a zero gradient is undefined")
	}
	return ab / norms, nil
}
