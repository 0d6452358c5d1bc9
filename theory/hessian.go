package theory

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// HessianBlocks returns the second derivative of one sample's energy with
// respect to its hidden activities z_1 ... z_{L-1}, positive definite, by blocks:
//
//	H_{l,l}   = (1 + d) I + lambda_{l+1} M_{l+1} M_{l+1}^T     [n_l, n_l]
//	H_{l,l+1} = -M_{l+1}                                       [n_l, n_{l+1}]
//
// where lambda_L is the output precision, the others are 1, and d is the
// activity decay. It is the same for every sample and every target. Source:
// arXiv 2505.13124, section 3.
func (n Linear) HessianBlocks() (BlockTridiagonal, error) {
	if err := n.checkHidden(); err != nil {
		return BlockTridiagonal{}, err
	}
	return n.blocks(n.precision()), nil
}

// ActivityHessian is [Linear.HessianBlocks] as one matrix.
func (n Linear) ActivityHessian() (*mat.SymDense, error) {
	blocks, err := n.HessianBlocks()
	if err != nil {
		return nil, err
	}
	return blocks.Dense(), nil
}

func (n Linear) checkHidden() error {
	if err := n.Validate(); err != nil {
		return err
	}
	if len(n.Weights) == 1 {
		return errors.New("theory: activity Hessian of a network without hidden layers")
	}
	return nil
}

// blocks are those of the activity Hessian for an output precision, also 0.
func (n Linear) blocks(precision float64) BlockTridiagonal {
	var h BlockTridiagonal
	last := len(n.Weights) - 1
	for i := 1; i <= last; i++ {
		m, weight := n.matrix(i), 1.0
		if i == last {
			weight = precision
		}
		rows, _ := m.Dims()
		d := mat.NewSymDense(rows, nil)
		if weight != 0 {
			d.SymOuterK(weight, m)
		}
		for r := range rows {
			d.SetSym(r, r, d.At(r, r)+1+n.ActivityDecay)
		}
		h.Diagonal = append(h.Diagonal, d)
		if i < last {
			m.Scale(-1, m)
			h.Upper = append(h.Upper, m)
		}
	}
	return h
}

// A Hessian is the activity Hessian of a linear network as an operator. Mul and
// Solve are a [Product] each. It needs no memory beside the weights, except that
// Solve with activity decay keeps a [BlockCholesky]. It is for use by one
// goroutine at a time.
type Hessian struct {
	net    Linear
	dim    int
	errs   *mat.Dense // prediction errors of v, [1, dim]
	out    *mat.Dense // [1, n_L]
	solver *solver    // made by the first Solve
}

// Hessian returns the operator. It reports a network without hidden layers.
func (n Linear) Hessian() (*Hessian, error) {
	if err := n.checkHidden(); err != nil {
		return nil, err
	}
	_, out := n.Weights[len(n.Weights)-1].Dims()
	dim := n.hidden()
	return &Hessian{net: n, dim: dim, errs: mat.NewDense(1, dim, nil), out: mat.NewDense(1, out, nil)}, nil
}

// hidden is the number of hidden activities.
func (n Linear) hidden() int {
	size := 0
	for _, w := range n.Weights[1:] {
		in, _ := w.Dims()
		size += in
	}
	return size
}

// layers are the columns of rows [B, hidden] that belong to z_1 ... z_{L-1}.
func (n Linear) layers(rows *mat.Dense) []*mat.Dense {
	var ls []*mat.Dense
	at := 0
	for _, w := range n.Weights[1:] {
		in, _ := w.Dims()
		ls = append(ls, rows.Slice(0, batch(rows), at, at+in).(*mat.Dense))
		at += in
	}
	return ls
}

// Dim is the number of hidden activities of one sample.
func (h *Hessian) Dim() int { return h.dim }

// Mul writes H v to dst, two products with every hidden weight:
//
//	(H v)_l = e_l + d v_l - e_{l+1} M_{l+1}^T,   e_l = v_l - v_{l-1} M_l
//
// with v_0 = 0, v_L = 0 and lambda e_L in place of e_L. The error is always nil.
func (h *Hessian) Mul(dst, v []float64) error {
	if len(dst) != h.dim || len(v) != h.dim {
		panic("theory: product of vectors whose lengths are not that of the Hessian")
	}
	n, last := h.net, len(h.net.Weights)-1
	copy(h.errs.RawRowView(0), v)
	z, e, grad := n.layers(mat.NewDense(1, h.dim, v)), n.layers(h.errs), n.layers(mat.NewDense(1, h.dim, dst))
	for i := 1; i < last; i++ {
		n.addForward(i, -1, z[i-1], e[i])
	}
	h.out.Zero()
	n.addForward(last, n.precision(), z[last-1], h.out) // -lambda e_L
	copy(dst, h.errs.RawRowView(0))
	floats.AddScaled(dst, n.ActivityDecay, v)
	n.addBack(last, 1, h.out, grad[last-1])
	for i := last - 1; i > 0; i-- {
		n.addBack(i, -1, e[i], grad[i-1])
	}
	return nil
}

// Solve writes H^-1 b to dst: four products with every hidden weight, or two
// with triangular factors where there is activity decay. It reports weights too
// large to be factorised.
func (h *Hessian) Solve(dst, b []float64) error {
	if len(dst) != h.dim || len(b) != h.dim {
		panic("theory: solution of vectors whose lengths are not that of the Hessian")
	}
	copy(dst, b)
	return h.SolveRows(mat.NewDense(1, h.dim, dst))
}

// SolveRows replaces every row b of [B, Dim] by H^-1 b, as Solve does for one.
func (h *Hessian) SolveRows(rows *mat.Dense) error {
	if _, columns := rows.Dims(); columns != h.dim {
		panic("theory: solution of vectors whose lengths are not that of the Hessian")
	}
	if h.solver == nil {
		s, err := h.net.solver()
		if err != nil {
			return err
		}
		h.solver = s
	}
	return h.solver.solve(rows)
}

// Condition returns the condition number of the activity Hessian, by [Lanczos]
// with the exact inverse, for networks of any size.
func (n Linear) Condition() (float64, error) {
	h, err := n.Hessian()
	if err != nil {
		return 0, err
	}
	return Lanczos{}.Condition(h.dim, h.Mul, h.Solve)
}

// Assemble writes out a matrix known by its products, from one per column, for
// its whole spectrum. It reports what the product reports, and a matrix that is
// not symmetric to a millionth of its largest entry.
func Assemble(dim int, a Product) (*mat.SymDense, error) {
	columns, unit := mat.NewDense(dim, dim, nil), make([]float64, dim)
	largest := 0.0
	for j := range dim {
		unit[j] = 1
		if err := a(columns.RawRowView(j), unit); err != nil {
			return nil, errors.WithMessagef(err, "theory: column %d", j)
		}
		unit[j] = 0
		largest = max(largest, floats.Norm(columns.RawRowView(j), math.Inf(1)))
	}
	h := mat.NewSymDense(dim, nil)
	for i := range dim {
		for j := i; j < dim; j++ {
			u, v := columns.At(i, j), columns.At(j, i)
			if math.Abs(u-v) > 1e-6*largest {
				return nil, errors.Errorf("theory: the product is not that of a symmetric matrix: entries [%d,%d] are %g and %g", i, j, v, u)
			}
			h.SetSym(i, j, (u+v)/2)
		}
	}
	return h, nil
}

// Eigenvalues returns the eigenvalues of a symmetric matrix in ascending order.
// It reports a matrix whose eigenvalues do not converge, such as one that is
// not finite.
func Eigenvalues(h mat.Symmetric) ([]float64, error) {
	for i := range h.SymmetricDim() {
		for j := 0; j <= i; j++ {
			if v := h.At(i, j); math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, errors.Errorf("theory: eigenvalues: entry [%d,%d] is %g", i, j, v)
			}
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(h, false) {
		return nil, errors.Errorf("theory: eigenvalues of a [%d,%d] matrix do not converge", h.SymmetricDim(), h.SymmetricDim())
	}
	return eig.Values(nil), nil
}

// Condition returns the condition number of a positive definite matrix, its
// largest eigenvalue over its smallest. For the activity Hessian it bounds the
// rate of inference by descent: at the best step size the error shrinks by
// (kappa-1)/(kappa+1) per step. It reports a matrix that is not numerically
// positive definite.
func Condition(h mat.Symmetric) (float64, error) {
	values, err := Eigenvalues(h)
	if err != nil {
		return 0, err
	}
	low, high := values[0], values[len(values)-1]
	if !(low > 0) {
		return 0, errors.Errorf("theory: condition number: lowest eigenvalue %g is not above 0", low)
	}
	return high / low, nil
}

// OrthogonalExtremes returns the extreme eigenvalues of the activity Hessian of
// a network with H hidden layers of equal width, orthogonal weights, no skips,
// fewer outputs than hidden units, and unit factors and precision:
//
//	low  = 2 - 2 cos(pi/(2H+1))
//	high = 2 + 2 cos(pi/(H+1))
//
// The activities then split into paths through the layers. Those that reach
// the output have the path Laplacian with diagonal 2 everywhere, and give high;
// those that do not have a 1 at their last entry, and give low. It panics for H
// below 1. Source: derived for this project.
func OrthogonalExtremes(hidden int) (low, high float64) {
	if hidden < 1 {
		panic("theory: number of hidden layers below 1")
	}
	h := float64(hidden)
	return 2 - 2*math.Cos(math.Pi/(2*h+1)), 2 + 2*math.Cos(math.Pi/(h+1))
}

// OrthogonalCondition returns high/low of [OrthogonalExtremes]. It grows as
// (16/pi^2) H^2: even networks that are perfect isometries are conditioned worse
// with depth.
func OrthogonalCondition(hidden int) float64 {
	low, high := OrthogonalExtremes(hidden)
	return high / low
}
