package theory

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
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

	net  Linear
	x, y *mat.Dense
}

// Rescaling returns the matrix by which the equilibrated energy differs from
// the loss,
//
//	S = I/lambda + sum_{l=2..L} P_l^T P_l        [n_L, n_L]
//
// It is symmetric, and at least I/lambda. With activity decay it is what takes
// its place in F*,
//
//	S = I/lambda + M_L^T (A^-1)_{L-1,L-1} M_L
//
// for the activity Hessian A of the network without its output term. Source:
// 2408.11979, theorem 1; the output precision is that of the JPC library; the
// form with decay is derived for this project, by completing the square in y.
func (n Linear) Rescaling() (*mat.SymDense, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	body, err := n.body()
	if err != nil {
		return nil, err
	}
	return n.rescaling(body), nil
}

// body factorises the activity Hessian without the output term, if there is
// activity decay; otherwise it is a product of triangular matrices as it stands.
func (n Linear) body() (*BlockCholesky, error) {
	if n.ActivityDecay == 0 || len(n.Weights) == 1 {
		return nil, nil
	}
	return n.blocks(0).Cholesky()
}

func (n Linear) rescaling(body *BlockCholesky) *mat.SymDense {
	last := len(n.Weights) - 1
	_, out := n.Weights[last].Dims()
	s := mat.NewSymDense(out, nil)
	for k := range out {
		s.SetSym(k, k, 1/n.precision())
	}
	p := n.matrix(last)
	if body != nil {
		u := body.u[len(body.u)-1]
		blas64.Trsm(blas.Left, blas.Trans, 1, u.RawTriangular(), p.RawMatrix())
		s.SymRankK(s, 1, p.T())
		return s
	}
	for i := last; i >= 1; i-- { // p = P_{i+1}
		if i < last {
			p = n.forwardLeft(i, p)
		}
		s.SymRankK(s, 1, p.T())
	}
	return s
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

// A solver solves systems of the activity Hessian H = A + lambda m m^T, where m
// is the last map, by way of A and S:
//
//	H^-1 b = A^-1 (b + g m^T),   g = -(A^-1 b) m S^-1
type solver struct {
	net  Linear
	dim  int
	body *BlockCholesky // of A, nil without activity decay
	s    *mat.SymDense
	chol mat.Cholesky // of S
}

func (n Linear) solver() (*solver, error) {
	body, err := n.body()
	if err != nil {
		return nil, err
	}
	v := &solver{net: n, dim: n.hidden(), body: body, s: n.rescaling(body)}
	if !v.chol.Factorize(v.s) {
		return nil, errors.Errorf("theory: rescaling S [%d,%d] is not positive definite: weights too large or not finite",
			v.s.SymmetricDim(), v.s.SymmetricDim())
	}
	return v, nil
}

// free replaces every row b of [B, dim] by A^-1 b. Without activity decay
// A = N N^T for the block bidiagonal N of ones and -M.
func (v *solver) free(rows *mat.Dense) {
	if v.body != nil {
		v.body.solveRows(rows)
		return
	}
	z := v.net.layers(rows)
	for l := len(z) - 1; l > 0; l-- {
		v.net.addBack(l, 1, z[l], z[l-1])
	}
	v.pass(z)
}

// pass is N^-T, the feedforward pass from the first layer and what the others add.
func (v *solver) pass(z []*mat.Dense) {
	for l := 1; l < len(z); l++ {
		v.net.addForward(l, 1, z[l-1], z[l])
	}
}

// output is what the last map makes of rows [B, dim].
func (v *solver) output(rows *mat.Dense) *mat.Dense {
	z := v.net.layers(rows)
	return v.net.forward(len(z), z[len(z)-1])
}

// byS returns r S^-1.
func (v *solver) byS(r *mat.Dense) (*mat.Dense, error) {
	var gt mat.Dense
	if err := v.chol.SolveTo(&gt, r.T()); err != nil {
		return nil, errors.Wrap(err, "theory: solve with the rescaling S")
	}
	return mat.DenseCopyOf(gt.T()), nil
}

// push adds A^-1 (g m^T) to rows [B, dim].
func (v *solver) push(rows, g *mat.Dense) {
	b, dim := rows.Dims()
	pull := mat.NewDense(b, dim, nil)
	z := v.net.layers(pull)
	v.net.addBack(len(z), 1, g, z[len(z)-1])
	v.free(pull)
	rows.Add(rows, pull)
}

// solve replaces every row b of [B, dim] by H^-1 b.
func (v *solver) solve(rows *mat.Dense) error {
	v.free(rows)
	g, err := v.byS(v.output(rows))
	if err != nil {
		return err
	}
	g.Scale(-1, g)
	v.push(rows, g)
	return nil
}

// Equilibrium solves for the activities exactly, in O(L) matrix products:
//
//	G   = (y - x P_1) S^{-1}                     [B, n_L]
//	F*  = 1/(2B) sum_i r_i S^{-1} r_i^T
//	e_L = G/lambda,  e_l = G P_{l+1}^T
//	z_l = z_{l-1} M_l + e_l
//
// With activity decay the feedforward pass is replaced by the activities z0
// that the network takes without a target, F* gains their energy, and
//
//	z = z0 + A^-1 (G M_L^T),   e_l = e_{l+1} M_{l+1}^T - d z_l
//
// where A, see [Linear.Rescaling], is block tridiagonal: O(L) factorisations.
//
// It reports shapes that do not fit, and weights so large or so far from
// finite that S cannot be factorised. Source: 2408.11979, theorem 1, for F*; the
// recursion is derived from stationarity.
func (n Linear) Equilibrium(x, y *mat.Dense) (*Equilibrium, error) {
	if err := n.checkData(x, y); err != nil {
		return nil, err
	}
	v, err := n.solver()
	if err != nil {
		return nil, err
	}
	last := len(n.Weights) - 1
	eq := &Equilibrium{Rescaling: v.s, Errors: make([]*mat.Dense, last+1), net: n, x: x, y: y}
	var r mat.Dense // the residual without a target
	if last == 0 {
		r.Sub(y, n.forward(0, x))
		g, err := v.byS(&r)
		if err != nil {
			return nil, err
		}
		eq.Energy, eq.Errors[0] = dot(&r, g)/float64(2*batch(x)), &r
		return eq, nil
	}
	rows := mat.NewDense(batch(x), v.dim, nil)
	z := n.layers(rows)
	n.addForward(0, 1, x, z[0])
	if v.body != nil {
		v.free(rows)
	} else {
		v.pass(z)
	}
	r.Sub(y, v.output(rows))
	g, err := v.byS(&r)
	if err != nil {
		return nil, err
	}
	eq.Energy = dot(&r, g) / float64(2*batch(x))
	if n.ActivityDecay != 0 {
		f, err := n.untargeted(x, z)
		if err != nil {
			return nil, err
		}
		eq.Energy += f
	}
	v.push(rows, g)
	for _, z := range z {
		eq.Activities = append(eq.Activities, mat.DenseCopyOf(z))
	}
	e := g
	for i := last - 1; i >= 0; i-- {
		e = n.back(i+1, e)
		if d := n.ActivityDecay; d != 0 {
			var decay mat.Dense
			decay.Scale(d, eq.Activities[i])
			e.Sub(e, &decay)
		}
		eq.Errors[i] = e
	}
	eq.Errors[last] = new(mat.Dense)
	eq.Errors[last].Scale(1/n.precision(), g)
	return eq, nil
}

// DenseEquilibrium solves for the activities z_1 ... z_{L-1} as one system per
// sample, the slow way, O((sum n_l)^3), that nothing else here depends on:
//
//	H z = b,   b_1 = x M_1,  b_{L-1} += lambda y M_L^T
//
// with zeros elsewhere, and the dense [Linear.ActivityHessian]. It reports
// shapes that do not fit, a network without hidden layers, and a system that
// cannot be factorised.
func (n Linear) DenseEquilibrium(x, y *mat.Dense) ([]*mat.Dense, error) {
	if err := n.checkData(x, y); err != nil {
		return nil, err
	}
	h, err := n.ActivityHessian()
	if err != nil {
		return nil, err
	}
	b := mat.NewDense(batch(x), n.hidden(), nil)
	parts := n.layers(b)
	n.addForward(0, 1, x, parts[0])
	n.addBack(len(parts), n.precision(), y, parts[len(parts)-1])
	var chol mat.Cholesky
	if !chol.Factorize(h) {
		return nil, errors.Errorf("theory: activity Hessian [%d,%d] is not positive definite: weights too large or not finite", h.SymmetricDim(), h.SymmetricDim())
	}
	var zt mat.Dense
	if err := chol.SolveTo(&zt, b.T()); err != nil {
		return nil, errors.Wrap(err, "theory: solve with the activity Hessian")
	}
	b.Copy(zt.T())
	for i, z := range parts {
		parts[i] = mat.DenseCopyOf(z)
	}
	return parts, nil
}

// untargeted is the energy of activities without the output term: that with
// what they predict as target.
func (n Linear) untargeted(x *mat.Dense, z []*mat.Dense) (float64, error) {
	f, _, err := n.Energy(x, n.forward(len(z), z[len(z)-1]), z)
	return f, err
}
