package theory

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// BlockTridiagonal is a symmetric matrix of blocks: those on the diagonal,
// A_{k,k} [n_k, n_k], and those above it, A_{k,k+1} [n_k, n_{k+1}]. The activity
// Hessian of a chain is one, of a nonlinear chain too.
type BlockTridiagonal struct {
	Diagonal []*mat.SymDense
	Upper    []*mat.Dense // one fewer
}

// Validate reports blocks that are missing or do not fit.
func (a BlockTridiagonal) Validate() error {
	if len(a.Diagonal) == 0 || len(a.Upper) != len(a.Diagonal)-1 {
		return errors.Errorf("theory: block tridiagonal matrix of %d blocks on the diagonal and %d above it: want one fewer above", len(a.Diagonal), len(a.Upper))
	}
	for k, d := range a.Diagonal {
		if d == nil || d.IsEmpty() {
			return errors.Errorf("theory: block %d of the diagonal is missing or empty", k+1)
		}
	}
	for k, u := range a.Upper {
		if u == nil || u.IsEmpty() {
			return errors.Errorf("theory: block %d above the diagonal is missing or empty", k+1)
		}
		rows, cols := u.Dims()
		if n, m := a.Diagonal[k].SymmetricDim(), a.Diagonal[k+1].SymmetricDim(); rows != n || cols != m {
			return errors.Errorf("theory: block %d above the diagonal is [%d,%d], its neighbours want [%d,%d]", k+1, rows, cols, n, m)
		}
	}
	return nil
}

// Dim is the number of rows.
func (a BlockTridiagonal) Dim() int {
	n := 0
	for _, d := range a.Diagonal {
		n += d.SymmetricDim()
	}
	return n
}

// Dense writes the whole matrix out, zeros included.
func (a BlockTridiagonal) Dense() *mat.SymDense {
	h := mat.NewSymDense(a.Dim(), nil)
	at := 0
	for k, d := range a.Diagonal {
		n := d.SymmetricDim()
		for r := range n {
			for c := r; c < n; c++ {
				h.SetSym(at+r, at+c, d.At(r, c))
			}
		}
		if k < len(a.Upper) {
			rows, cols := a.Upper[k].Dims()
			for r := range rows {
				for c := range cols {
					h.SetSym(at+r, at+n+c, a.Upper[k].At(r, c))
				}
			}
		}
		at += n
	}
	return h
}

// Mul writes A v to dst; both are as long as the matrix has rows. The error is
// always nil: it makes Mul a [Product].
func (a BlockTridiagonal) Mul(dst, v []float64) error {
	parts, outs := a.split(v), a.split(dst)
	for k, d := range a.Diagonal {
		blas64.Symv(1, d.RawSymmetric(), parts[k], 0, outs[k])
	}
	for k, u := range a.Upper {
		blas64.Gemv(blas.NoTrans, 1, u.RawMatrix(), parts[k+1], 1, outs[k])
		blas64.Gemv(blas.Trans, 1, u.RawMatrix(), parts[k], 1, outs[k+1])
	}
	return nil
}

// split cuts a vector into its blocks.
func (a BlockTridiagonal) split(v []float64) []blas64.Vector {
	if len(v) != a.Dim() {
		panic("theory: a vector whose length is not that of the matrix")
	}
	parts := make([]blas64.Vector, len(a.Diagonal))
	for k, d := range a.Diagonal {
		n := d.SymmetricDim()
		parts[k] = blas64.Vector{N: n, Data: v[:n], Inc: 1}
		v = v[n:]
	}
	return parts
}

// A BlockCholesky is the factor of a positive definite block tridiagonal
// matrix: upper triangular U_k and R_k = U_k^-T A_{k,k+1} with
//
//	U_k^T U_k = A_{k,k} - R_{k-1}^T R_{k-1}
//
// It costs O(sum n_k^3), where a dense factor costs (sum n_k)^3.
type BlockCholesky struct {
	u    []*mat.TriDense
	r    []*mat.Dense
	last mat.Cholesky // of the last U
}

// Cholesky factorises the matrix. It reports blocks that do not fit, and a
// matrix that is not numerically positive definite. Source: Golub and Van Loan,
// Matrix Computations, section 4.5.
func (a BlockTridiagonal) Cholesky() (*BlockCholesky, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	f := &BlockCholesky{}
	for k, d := range a.Diagonal {
		schur := mat.NewSymDense(d.SymmetricDim(), nil)
		schur.CopySym(d)
		if k > 0 {
			schur.SymRankK(schur, -1, f.r[k-1].T())
		}
		var chol mat.Cholesky
		if !chol.Factorize(schur) {
			return nil, errors.Errorf("theory: block tridiagonal matrix is not positive definite, or not finite, at block %d of %d", k+1, len(a.Diagonal))
		}
		u := new(mat.TriDense)
		chol.UTo(u)
		f.u = append(f.u, u)
		if k < len(a.Upper) {
			r := mat.DenseCopyOf(a.Upper[k])
			blas64.Trsm(blas.Left, blas.Trans, 1, u.RawTriangular(), r.RawMatrix())
			f.r = append(f.r, r)
		} else {
			f.last = chol
		}
	}
	return f, nil
}

// Solve writes A^-1 b to dst; both are as long as the matrix has rows, and may
// be the same. The error is always nil: it makes Solve a [Product].
func (f *BlockCholesky) Solve(dst, b []float64) error {
	rows := mat.NewDense(1, len(b), append([]float64(nil), b...))
	f.solveRows(rows)
	if len(dst) != len(b) {
		panic("theory: a solution and a right-hand side of different lengths")
	}
	copy(dst, rows.RawRowView(0))
	return nil
}

// solveRows replaces every row b of [B, dim] by A^-1 b.
func (f *BlockCholesky) solveRows(b *mat.Dense) {
	parts := make([]*mat.Dense, len(f.u))
	rows, cols := b.Dims()
	at := 0
	for k, u := range f.u {
		n, _ := u.Dims()
		if at+n > cols || k == len(f.u)-1 && at+n != cols {
			panic("theory: a vector whose length is not that of the matrix")
		}
		parts[k] = b.Slice(0, rows, at, at+n).(*mat.Dense)
		at += n
	}
	var shift mat.Dense
	for k, u := range f.u { // y_k = (b_k - y_{k-1} R_{k-1}) U_k^-1
		if k > 0 {
			shift.Reset()
			shift.Mul(parts[k-1], f.r[k-1])
			parts[k].Sub(parts[k], &shift)
		}
		blas64.Trsm(blas.Right, blas.NoTrans, 1, u.RawTriangular(), parts[k].RawMatrix())
	}
	for k := len(f.u) - 1; k >= 0; k-- { // z_k = (y_k - z_{k+1} R_k^T) U_k^-T
		if k < len(f.r) {
			shift.Reset()
			shift.Mul(parts[k+1], f.r[k].T())
			parts[k].Sub(parts[k], &shift)
		}
		blas64.Trsm(blas.Right, blas.Trans, 1, f.u[k].RawTriangular(), parts[k].RawMatrix())
	}
}
