package icl

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/graph"
)

// An Update is what the context does to a block, at every position of every sequence: of sample s and position p
//
//	dW = v_x c^T / |v_x|^2     [Width, Hidden], added to the first matrix, as the layer multiplies with it (times its scaling's factor)
//	db                         [features], added to the last bias
//
// A gated feed-forward part has two first matrices: c is that of both, side by side.
type Update[T graph.Float] struct {
	Block                           string
	Batch, Positions, Width, Hidden int
	Matrices                        []int // hidden units of each first matrix; their sum is Hidden
	Left                            []T   // c [Batch, Positions, Hidden]
	Right                           []T   // v_x [Batch, Width]
	// Bias is db [Batch, Positions, features]; nil if the feed-forward part has no residual connection. If its last matrix has no
	// bias, the matrix changes instead, by h db^T / |h|^2, where h is what it is given:
	Bias      []T
	LastRight []T // h [Batch, Positions, ...]; nil if there is a bias
}

func (u *Update[T]) right(sample int) []T { return u.Right[sample*u.Width : (sample+1)*u.Width] }

func (u *Update[T]) left(sample, position int) []T {
	at := (sample*u.Positions + position) * u.Hidden
	return u.Left[at : at+u.Hidden]
}

// Dense makes dW of one sample and position for first matrix m (0, or 1 for the second of a gated part), [Width, Matrices[m]].
func (u *Update[T]) Dense(sample, position, m int) []T {
	from := 0
	for _, w := range u.Matrices[:m] {
		from += w
	}
	return RankOne(u.left(sample, position)[from:from+u.Matrices[m]], u.right(sample))
}

// DenseLast makes the change of the last matrix, [..., features], of one sample and position; nil if the bias changes instead.
func (u *Update[T]) DenseLast(sample, position int) []T {
	if u.LastRight == nil {
		return nil
	}
	rows := u.Batch * u.Positions
	inner, out, p := len(u.LastRight)/rows, len(u.Bias)/rows, sample*u.Positions+position
	return RankOne(u.Bias[p*out:(p+1)*out], u.LastRight[p*inner:(p+1)*inner])
}

// RankOne makes right left^T / |right|^2, [len(right), len(left)].
func RankOne[T graph.Float](left, right []T) []T {
	n, m := square(right), make([]T, 0, len(left)*len(right))
	for _, x := range right {
		for _, y := range left {
			m = append(m, T(float64(x)*float64(y)/n))
		}
	}
	return m
}

// Norm is the Frobenius norm of dW at a position, |c| / |v_x|, and since dW has rank one its spectral norm too.
func (u *Update[T]) Norm(sample, position int) float64 {
	return math.Sqrt(square(u.left(sample, position)) / square(u.right(sample)))
}

// Cosine is that of dW at two positions of a sample, taken as vectors of all their entries. All updates of a sample share v_x, so it is
// that of their c. It is NaN if one is zero.
func (u *Update[T]) Cosine(sample, p, q int) float64 {
	return cosine(u.left(sample, p), u.left(sample, q))
}

// Alignment is the cosine of dW at a position between two blocks, of first matrices of equal shapes: the product of that of their c
// and that of their v_x. It reports other shapes.
func (u *Update[T]) Alignment(other *Update[T], sample, position int) (float64, error) {
	if u.Width != other.Width || u.Hidden != other.Hidden || u.Positions != other.Positions || u.Batch != other.Batch {
		return 0, errors.Errorf("icl: blocks %q and %q have first matrices [%d %d] and [%d %d]: their updates cannot be compared", u.Block, other.Block, u.Width, u.Hidden, other.Width, other.Hidden)
	}
	return cosine(u.left(sample, position), other.left(sample, position)) * cosine(u.right(sample), other.right(sample)), nil
}

// Sum is c of the sum of dW over the positions of a sample: the sum is v_x c^T / |v_x|^2 again.
func (u *Update[T]) Sum(sample int) []float64 {
	c := make([]float64, u.Hidden)
	for p := range u.Positions {
		for j, x := range u.left(sample, p) {
			c[j] += float64(x)
		}
	}
	return c
}

// SumSpectrum returns the singular values of the sum of dW over the positions of a sample, largest first, added up entry by entry
// without use of the common v_x: one matrix [Width, Hidden] is made.
func (u *Update[T]) SumSpectrum(sample int) ([]float64, error) {
	sum, v := mat.NewDense(u.Width, u.Hidden, nil), u.right(sample)
	n := square(v)
	for p := range u.Positions {
		for i, a := range v {
			for j, c := range u.left(sample, p) {
				sum.Set(i, j, sum.At(i, j)+float64(a)*float64(c)/n)
			}
		}
	}
	var svd mat.SVD
	if !svd.Factorize(sum, mat.SVDNone) {
		return nil, errors.Errorf("icl: block %q, sample %d: the singular values of the summed update do not converge", u.Block, sample)
	}
	return svd.Values(nil), nil
}

// Rank is the number of singular values above tol times the largest.
func Rank(singular []float64, tol float64) int {
	n := 0
	for _, s := range singular {
		if s > 0 && s > tol*singular[0] {
			n++
		}
	}
	return n
}

func dot[T graph.Float](a, b []T) float64 {
	s := 0.0
	for i, x := range a {
		s += float64(x) * float64(b[i])
	}
	return s
}

func square[T graph.Float](a []T) float64 { return dot(a, a) }

func cosine[T graph.Float](a, b []T) float64 {
	return dot(a, b) / math.Sqrt(square(a)*square(b))
}

// Of is the update of first matrix m alone, for norms and cosines of the two of a gated feed-forward part one by one.
func (u *Update[T]) Of(m int) *Update[T] {
	from := 0
	for _, w := range u.Matrices[:m] {
		from += w
	}
	one := *u
	one.Hidden, one.Matrices, one.Left = u.Matrices[m], u.Matrices[m:m+1], nil
	for row := range u.Batch * u.Positions {
		one.Left = append(one.Left, u.Left[row*u.Hidden+from:row*u.Hidden+from+one.Hidden]...)
	}
	return &one
}
