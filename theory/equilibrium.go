package theory

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// An Equilibrium is where inference ends: the activities that minimise F for
// clamped x and y. F is a strictly convex quadratic in them, so there is
// exactly one.
type Equilibrium struct {
	Energy     float64       // F*
	Rescaling  *mat.SymDense // S, see [Linear.Rescaling]
	Activities []*mat.Dense  // z_1* ... z_{L-1}*, [B, n_l]
	// Errors are e_1 ... e_L with e_l = z_l* - z_{l-1}* M_l, [B, n_l]. The one
	// of the output is not weighted: its share of F is lambda/2 |e_L|^2.
	Errors []*mat.Dense

	net Linear
	x   *mat.Dense
}

// Rescaling returns the matrix by which the equilibrated energy differs from
// the loss,
//
//	S = I/lambda + sum_{l=2..L} P_l^T P_l        [n_L, n_L]
//
// It is symmetric, and at least I/lambda. Source: 2408.11979, theorem 1; the
// output precision is that of the JPC library.
func (n Linear) Rescaling() (*mat.SymDense, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	last := len(n.Weights) - 1
	_, out := n.Weights[last].Dims()
	s := mat.NewSymDense(out, nil)
	for k := range out {
		s.SetSym(k, k, 1/n.precision())
	}
	p := n.matrix(last)
	for i := last; i >= 1; i-- { // p = P_{i+1}
		if i < last {
			p = n.forwardLeft(i, p)
		}
		s.SymRankK(s, 1, p.T())
	}
	return s, nil
}

// forwardLeft returns M p for the map at index i.
func (n Linear) forwardLeft(i int, p *mat.Dense) *mat.Dense {
	var out mat.Dense
	out.Mul(n.Weights[i], p)
	out.Scale(n.factor(i), &out)
	if n.skip(i) {
		out.Add(&out, p)
	}
	return &out
}

// Equilibrium solves for the activities exactly, in O(L) matrix products:
//
//	G   = (y - x P_1) S^{-1}                     [B, n_L]
//	F*  = 1/(2B) sum_i r_i S^{-1} r_i^T
//	e_L = G/lambda,  e_l = G P_{l+1}^T
//	z_l = z_{l-1} M_l + e_l
//
// It reports shapes that do not fit, and weights so large or so far from
// finite that S cannot be factorised. Source: 2408.11979, theorem 1, for F*; the
// recursion is derived from stationarity, e_l = e_{l+1} M_{l+1}^T.
func (n Linear) Equilibrium(x, y *mat.Dense) (*Equilibrium, error) {
	pass, err := n.Feedforward(x, y)
	if err != nil {
		return nil, err
	}
	s, err := n.Rescaling()
	if err != nil {
		return nil, err
	}
	var chol mat.Cholesky
	if !chol.Factorize(s) {
		return nil, errors.Errorf("theory: rescaling S [%d,%d] is not positive definite: weights too large or not finite",
			s.SymmetricDim(), s.SymmetricDim())
	}
	var gt, g mat.Dense
	if err := chol.SolveTo(&gt, pass.Residual.T()); err != nil {
		return nil, errors.Wrap(err, "theory: solve with the rescaling S")
	}
	g.CloneFrom(gt.T())

	last := len(n.Weights) - 1
	eq := &Equilibrium{
		Energy:     dot(pass.Residual, &g) / float64(2*batch(x)),
		Rescaling:  s,
		Activities: make([]*mat.Dense, last),
		Errors:     make([]*mat.Dense, last+1),
		net:        n,
		x:          x,
	}
	back := &g
	for i := last - 1; i >= 0; i-- {
		back = n.back(i+1, back)
		eq.Errors[i] = back
	}
	eq.Errors[last] = new(mat.Dense)
	eq.Errors[last].Scale(1/n.precision(), &g)

	z := x
	for i := range last {
		z = n.forward(i, z)
		z.Add(z, eq.Errors[i])
		eq.Activities[i] = z
	}
	return eq, nil
}
