package theory

import (
	"math"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Level is an eigenvalue with how often it occurs.
type Level struct {
	Value        float64
	Multiplicity int
}

// Levels are a spectrum, ascending.
type Levels []Level

// Values lists every eigenvalue as often as it occurs, ascending.
func (l Levels) Values() []float64 {
	var vs []float64
	for _, at := range l {
		for range at.Multiplicity {
			vs = append(vs, at.Value)
		}
	}
	return vs
}

// levels sorts a spectrum and leaves out what occurs 0 times.
func levels(list Levels) Levels {
	list = slices.DeleteFunc(list, func(l Level) bool { return l.Multiplicity == 0 })
	slices.SortFunc(list, func(a, b Level) int {
		switch {
		case a.Value < b.Value:
			return -1
		case a.Value > b.Value:
			return 1
		}
		return 0
	})
	return list
}

// moment is a^T b / B of samples a [B, n] and b [B, m].
func moment(a, b *mat.Dense) *mat.Dense {
	m := new(mat.Dense)
	m.Mul(a.T(), b)
	m.Scale(1/float64(batch(a)), m)
	return m
}

func symmetric(m *mat.Dense) *mat.SymDense {
	n, _ := m.Dims()
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, (m.At(i, j)+m.At(j, i))/2)
		}
	}
	return s
}

// An Origin is what the loss and the equilibrated energy look like where all
// weights are zero, in closed form. The gradient of both is 0 there. With
// S_xy = x^T y/B and S_yy = y^T y/B the second derivatives are
//
//	L = 2:   loss    d^2/dW1_kq dW2_pi = -a_1 a_2 delta_qp (S_xy)_ki, all others 0
//	         energy  the same times lambda, and d^2/dW2_pi dW2_rj = -(lambda a_2)^2 delta_pr (S_yy)_ij
//	L >= 3:  loss    0: its first derivative that is not 0 has order L
//	         energy  d^2/dWL_pi dWL_rj = -(lambda a_L)^2 delta_pr (S_yy)_ij, all others 0
//
// so that the saddle of the energy is strict at every depth, with lowest
// eigenvalue -(lambda a_L)^2 max eig(S_yy) for L >= 3 and at most that for L = 2,
// and that of the loss for L = 2 alone. Source: 2408.11979, theorem 2.
type Origin struct {
	EnergyLevels, LossLevels Levels

	net      Linear
	sxy, syy *mat.Dense
}

// Origin describes the origin of the network's weight space for the batch x, y;
// the values of its weights have no effect, their shapes and the factors have.
// It reports shapes that do not fit, a single layer, whose loss is convex, and
// skips and activity decay, which make another point of the origin.
func (n Linear) Origin(x, y *mat.Dense) (*Origin, error) {
	if err := n.checkData(x, y); err != nil {
		return nil, err
	}
	depth := len(n.Weights)
	switch {
	case depth == 1:
		return nil, errors.New("theory: origin: with one layer the loss is convex and the origin no saddle: add a hidden layer")
	case slices.Contains(n.Skips, true):
		return nil, errors.New("theory: origin: with skips the network is not zero at the origin: leave them out, or use Equilibrium.WeightHessian")
	case n.ActivityDecay != 0:
		return nil, errors.New("theory: origin: the closed form is without activity decay: use Equilibrium.WeightHessian")
	}
	o := &Origin{net: n, sxy: moment(x, y), syy: moment(y, y)}
	in, _ := n.Weights[0].Dims()
	width, out := n.Weights[depth-1].Dims()
	total := 0
	for _, w := range n.Weights {
		r, c := w.Dims()
		total += r * c
	}
	if depth > 2 {
		o.LossLevels = Levels{{0, total}}
		vs, err := Eigenvalues(o.block())
		if err != nil {
			return nil, err
		}
		o.EnergyLevels = Levels{{0, total - width*out}}
		for _, v := range vs {
			o.EnergyLevels = append(o.EnergyLevels, Level{v, width})
		}
		o.EnergyLevels = levels(o.EnergyLevels)
		return o, nil
	}
	for _, to := range []struct {
		levels *Levels
		cross  float64
		block  *mat.SymDense
	}{{&o.LossLevels, o.cross(1), nil}, {&o.EnergyLevels, o.cross(n.precision()), o.block()}} {
		small := mat.NewSymDense(in+out, nil) // one hidden unit's
		for k := range in {
			for i := range out {
				small.SetSym(k, in+i, to.cross*o.sxy.At(k, i))
			}
		}
		if to.block != nil {
			for i := range out {
				for j := i; j < out; j++ {
					small.SetSym(in+i, in+j, to.block.At(i, j))
				}
			}
		}
		vs, err := Eigenvalues(small)
		if err != nil {
			return nil, err
		}
		for _, v := range vs {
			*to.levels = append(*to.levels, Level{v, width})
		}
	}
	return o, nil
}

// cross is the factor of S_xy for L = 2.
func (o *Origin) cross(precision float64) float64 {
	return -precision * o.net.factor(0) * o.net.factor(1)
}

// block is the energy's second derivative with respect to the last weights of
// one hidden unit.
func (o *Origin) block() *mat.SymDense {
	c := o.net.precision() * o.net.factor(len(o.net.Weights)-1)
	s := symmetric(o.syy)
	s.ScaleSym(-c*c, s)
	return s
}

// Energy is the Hessian of the equilibrated energy, dense, in the order of
// [WeightHessian].
func (o *Origin) Energy() *mat.SymDense {
	h := o.dense(o.cross(o.net.precision()))
	block := o.block()
	width, out := o.net.Weights[len(o.net.Weights)-1].Dims()
	first := h.SymmetricDim() - width*out
	for p := range width {
		for i := range out {
			for j := i; j < out; j++ {
				h.SetSym(first+p*out+i, first+p*out+j, block.At(i, j))
			}
		}
	}
	return h
}

// Loss is the Hessian of the loss, dense, in the order of [WeightHessian].
func (o *Origin) Loss() *mat.SymDense { return o.dense(o.cross(1)) }

func (o *Origin) dense(cross float64) *mat.SymDense {
	total := 0
	for _, w := range o.net.Weights {
		r, c := w.Dims()
		total += r * c
	}
	h := mat.NewSymDense(total, nil)
	if len(o.net.Weights) > 2 {
		return h
	}
	in, width := o.net.Weights[0].Dims()
	_, out := o.net.Weights[1].Dims()
	for k := range in {
		for p := range width {
			for i := range out {
				h.SetSym(k*width+p, in*width+p*out+i, cross*o.sxy.At(k, i))
			}
		}
	}
	return h
}

// A ZeroRank is a critical point where the last weight and the product of all
// before it are zero. The energy's second derivative with respect to the last
// weight is there
//
//	-(lambda a_L)^2 A (x) S_yy,   A = I + sum_{l=2..L-1} (M_l ... M_{L-1})^T (M_l ... M_{L-1})
//
// which is negative definite for targets of full rank: the saddle is strict, its
// lowest eigenvalue at most that of this block. If three or more maps are zero,
// the block is the whole Hessian and that of the loss is zero. With activity decay A is the rescaling of the network without its
// last layer. Source: 2408.11979, theorem 3; A is derived for this project.
type ZeroRank struct {
	A     *mat.SymDense // [n_{L-1}, n_{L-1}]
	Syy   *mat.SymDense // y^T y/B, [n_L, n_L]
	Block *mat.SymDense // in the order of W_L, row by row
	// Levels are the eigenvalues of Block.
	Levels Levels
}

// ZeroRank describes the saddle at which the network is. It reports shapes that
// do not fit, a single layer, and weights that are at no such point: a last map
// or a product of the maps before it that is not zero (to rounding).
func (n Linear) ZeroRank(x, y *mat.Dense) (*ZeroRank, error) {
	if err := n.checkData(x, y); err != nil {
		return nil, err
	}
	last := len(n.Weights) - 1
	if last == 0 {
		return nil, errors.New("theory: zero-rank saddle: a network of one layer has none: add a hidden layer")
	}
	if v := mat.Norm(n.matrix(last), math.Inf(1)); v != 0 {
		return nil, errors.Errorf("theory: zero-rank saddle: the last map is not zero (norm %.2g): set W_%d to zero", v, last+1)
	}
	product, size := n.matrix(0), mat.Norm(n.matrix(0), math.Inf(1))
	for i := 1; i < last; i++ {
		m := n.matrix(i)
		next := new(mat.Dense)
		next.Mul(product, m)
		product, size = next, size*mat.Norm(m, math.Inf(1))
	}
	if v := mat.Norm(product, math.Inf(1)); v > 1e-12*size {
		return nil, errors.Errorf("theory: zero-rank saddle: the product of the maps before the last is not zero (norm %.2g): set one of them to zero", v)
	}
	z := &ZeroRank{Syy: symmetric(moment(y, y))}
	body := Linear{Weights: n.Weights[:last], ActivityDecay: n.ActivityDecay}
	if n.Factors != nil {
		body.Factors = n.Factors[:last]
	}
	if n.Skips != nil {
		body.Skips = n.Skips[:last]
	}
	var err error
	if z.A, err = body.Rescaling(); err != nil {
		return nil, err
	}
	c := n.precision() * n.factor(last)
	var block mat.Dense
	block.Kronecker(z.A, z.Syy)
	block.Scale(-c*c, &block)
	z.Block = symmetric(&block)
	as, err := Eigenvalues(z.A)
	if err != nil {
		return nil, err
	}
	ys, err := Eigenvalues(z.Syy)
	if err != nil {
		return nil, err
	}
	for _, a := range as {
		for _, s := range ys {
			z.Levels = append(z.Levels, Level{-c * c * a * s, 1})
		}
	}
	z.Levels = levels(z.Levels)
	return z, nil
}

// MinimumRatio bounds how much flatter the equilibrated energy is than the loss
// at weights that fit all samples exactly. There
//
//	d^2L/dW^2 = 1/B sum_i J_i^T J_i,   d^2F*/dW^2 = 1/B sum_i J_i^T S^-1 J_i
//
// with J_i the Jacobian of the output of sample i, so that the ratio of the two
// along any direction lies between the extreme eigenvalues of S^-1: low and
// high. With one output both are 1/S, and the spectra are proportional: with one
// hidden unit 1/(1 + w_2^2). Source: 2305.18188, theorem A.4; for many outputs
// derived for this project.
func (n Linear) MinimumRatio() (low, high float64, err error) {
	s, err := n.Rescaling()
	if err != nil {
		return 0, 0, err
	}
	vs, err := Eigenvalues(s)
	if err != nil {
		return 0, 0, err
	}
	return 1 / vs[len(vs)-1], 1 / vs[0], nil
}
