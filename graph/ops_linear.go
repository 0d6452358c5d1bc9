package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Linear is factor (x W + c): x [batch, ..., in], W [in, out], c [out] or nil; the result is [batch, ..., out]. A factor
// that W already has is folded into it, if c has the same.
func (b *Builder) Linear(x, w, bias *Node, factor float64) *Node {
	if b.err != nil {
		return nil
	}
	if w != nil {
		unscaled, f := unscale(w)
		if bias == nil {
			w, factor = unscaled, factor*f
		} else if c, fc := unscale(bias); fc == f {
			w, bias, factor = unscaled, c, factor*f
		}
	}
	if bias == nil {
		return b.add(matmul{alpha: factor}, x, w)
	}
	return b.add(matmul{alpha: factor, bias: true}, x, w, bias)
}

// MatMul is the product op(x) op(y) of matrices, where op transposes or not. All dimensions of x but the last are its
// rows; y is a matrix too, unless x is transposed: then the product sums over the leading dimensions of both.
func (b *Builder) MatMul(x, y *Node, transX, transY bool) *Node {
	if b.err != nil {
		return nil
	}
	if x == nil || y == nil {
		b.Fail(errors.New("product with a missing operand"))
		return nil
	}
	return b.record(product(x, y, transX, transY, 1))
}

// SubIdentity is x - I for a square matrix.
func (b *Builder) SubIdentity(x *Node) *Node { return b.add(subIdentity{}, x) }

// matmul is alpha (op(A) op(B) + 1 c), where op transposes or not and the row vector c is optional.
//
// Operands of more than two dimensions are taken for matrices by folding their leading dimensions into rows: of tokens
// [batch, t, in] by W [in, out] comes [batch, t, out], and the gradient A^T g sums over samples and tokens alike.
type matmul struct {
	transA, transB bool
	alpha          float64
	bias           bool
}

func (o matmul) String() string {
	return fmt.Sprintf("matmul(transA=%t transB=%t alpha=%v bias=%t)", o.transA, o.transB, o.alpha, o.bias)
}

func (o matmul) formula() string {
	a, b := "a", "b"
	if o.transA {
		a = "a'"
	}
	if o.transB {
		b = "b'"
	}
	f := biased(a+" "+b, o.bias)
	if o.bias && o.alpha != 1 {
		f = "(" + f + ")"
	}
	return factor(o.alpha) + f
}

// fold is a shape as a matrix: all dimensions but the last are rows.
func fold(s tensor.Shape) (rows, cols int) {
	cols = s[len(s)-1]
	return s.TotalSize() / cols, cols
}

// dims are the dimensions of the product of matrices.
func (o matmul) dims(in []tensor.Shape) (m, k, k2, n int) {
	m, k = fold(in[0])
	if o.transA {
		m, k = k, m
	}
	k2, n = fold(in[1])
	if o.transB {
		k2, n = n, k2
	}
	return m, k, k2, n
}

func (o matmul) shape(in []tensor.Shape) (tensor.Shape, error) {
	a, b := in[0], in[1]
	if a.Dims() < 2 || b.Dims() < 2 {
		return nil, errors.Errorf("product of %v by %v: both must be matrices", a, b)
	}
	lead := a[:len(a)-1] // what the result keeps, or what a product by a transpose sums over
	switch {
	case o.transB && (b.Dims() > 2 || o.transA && a.Dims() > 2):
		return nil, errors.Errorf("product of %v by the transpose of %v: only a matrix is transposed on the right side", a, b)
	case o.transA && (a.Dims() > 2 || b.Dims() > 2) && !lead.Eq(b[:len(b)-1]):
		return nil, errors.Errorf("product of the transpose of %v by %v: their leading dimensions, which are summed over, must be equal", a, b)
	case !o.transA && b.Dims() > 2:
		return nil, errors.Errorf("product of %v by %v: the right side must be a matrix", a, b)
	}
	m, k, k2, n := o.dims(in)
	if k != k2 {
		return nil, errors.Errorf("product of %v by %v: the left side gives %d features, the right side expects %d", a, b, k, k2)
	}
	if o.bias && (in[2].Dims() != 1 || in[2][0] != n) {
		return nil, errors.Errorf("bias of shape %v on a result of %d features: want shape [%d]", in[2], n, n)
	}
	if o.transA {
		return tensor.Shape{m, n}, nil
	}
	return append(lead.Clone(), n), nil
}

func (o matmul) split(batched []bool) split {
	if batched[0] && !o.transA && !batched[1] && !(o.bias && batched[2]) {
		return rowwise
	}
	return joint
}

// diff follows from C = alpha A B, for which dA = alpha g B^T and dB = alpha A^T g.
func (o matmul) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	if o.transA && o.transB {
		return nil, errors.New("graph: a product of two transposes is not differentiated: transpose the product instead")
	}
	a, b := in[0], in[1]
	return gradients(want,
		func() (*Node, error) {
			if o.transA {
				return product(b, g, o.transB, true, o.alpha)
			}
			return product(g, b, false, !o.transB, o.alpha)
		},
		func() (*Node, error) {
			if o.transB {
				return product(g, a, true, o.transA, o.alpha)
			}
			return product(a, g, !o.transA, false, o.alpha)
		},
		func() (*Node, error) { return columnSums(g, o.alpha) })
}

// product is alpha op(A) op(B); factors of the operands are folded into alpha.
func product(a, b *Node, transA, transB bool, alpha float64) (*Node, error) {
	a, ca := unscale(a)
	b, cb := unscale(b)
	return apply("", matmul{transA: transA, transB: transB, alpha: alpha * ca * cb}, a, b)
}

func (o matmul) f32(c *call[float32]) { runMatmul(o, c) }
func (o matmul) f64(c *call[float64]) { runMatmul(o, c) }

func runMatmul[T Float](o matmul, c *call[T]) {
	if c.srcZero[0] && !o.bias || c.srcZero[1] && !o.bias {
		c.markZero()
		return
	}
	_, k, _, n := o.dims(c.shapes)
	m := len(c.dst) / n
	a, lda, ldb := c.src[0], last(c.shapes[0]), last(c.shapes[1])
	switch {
	case o.transA:
		a = a[c.lo:] // rows of the result are columns of A
	case !c.rowsOnly:
		a = a[c.lo*(m/c.rows())*lda:]
	}
	var beta T
	if o.bias {
		for i := range m {
			copy(c.dst[i*n:(i+1)*n], c.src[2])
		}
		beta = T(o.alpha)
	}
	kernel.Gemm(o.transA, o.transB, m, n, k, T(o.alpha), a, lda, c.src[1], ldb, beta, c.dst, n)
}

func (o matmul) compile32(c *compiler[float32], ins *instr[float32], n *Node) {
	compileMatmul(o, c, ins, n)
}
func (o matmul) compile64(c *compiler[float64], ins *instr[float64], n *Node) {
	compileMatmul(o, c, ins, n)
}

// compileMatmul gives a matrix product its work and rows and, where a weight is multiplied shard by shard, its packed form.
func compileMatmul[T Float](m matmul, c *compiler[T], ins *instr[T], n *Node) {
	out, a, b := n.Shape(), &c.values[ins.in[0]], &c.values[ins.in[1]]
	_, k, _, cols := m.dims([]tensor.Shape{a.shape, b.shape})
	ins.work = 2 * float64(out.TotalSize()) * float64(k)
	if ins.kind == joint {
		ins.rows = out[0]
	}
	if ins.kind != rowwise {
		return
	}
	ins.each = out.TotalSize() / cols / c.rows
	if !b.static {
		return
	}
	alpha := T(m.alpha)
	if !m.transB && kernel.InPlace[T](cols) {
		ins.run = func(c *call[T]) {
			bias, zero := addend(m.bias, c)
			if zero {
				c.markZero()
				return
			}
			kernel.GemmBias(len(c.dst)/cols, cols, k, alpha, c.src[0], k, c.src[1], cols, bias, 0, c.dst, cols)
		}
		return
	}
	type key struct {
		weight int
		trans  bool
	}
	ldb, trans := b.shape[1], m.transB
	ins.packed = c.pack(key{ins.in[1], trans}, ins.in[1],
		func(m *cell[T]) { m.matrix = kernel.NewPacked[T](k, cols) },
		func(c *call[T]) { c.packed.matrix.Pack(c.src[0], ldb, trans) })
	ins.in = append([]int{ins.in[0], ins.packed}, ins.in[2:]...)
	ins.run = func(c *call[T]) {
		bias, zero := addend(m.bias, c)
		if zero {
			c.markZero()
			return
		}
		kernel.GemmPacked(len(c.dst)/cols, alpha, c.src[0], k, c.packed.matrix, bias, 0, c.dst, cols)
	}
}

// addend is the bias of a linear map, its third operand if it has one; without it, zero reports whether the result is known to be.
func addend[T Float](has bool, c *call[T]) (bias []T, zero bool) {
	if has {
		return c.src[2], false
	}
	return nil, c.srcZero[0]
}

// colSums is alpha times the sum over the leading dimensions: [..., n] -> [n], or what else is kept.
type colSums struct {
	alpha float64
	keep  int // trailing dimensions that are kept; 0 means 1
}

func columnSums(x *Node, alpha float64) (*Node, error) { return leadSums(x, alpha, 1) }

// leadSums keeps the last keep dimensions.
func leadSums(x *Node, alpha float64, keep int) (*Node, error) {
	x, c := unscale(x)
	return apply("", colSums{alpha: alpha * c, keep: keep}, x)
}

func (o colSums) String() string {
	return fmt.Sprintf("columnSums(alpha=%v keep=%d)", o.alpha, max(1, o.keep))
}
func (o colSums) formula() string { return factor(o.alpha) + "sum of rows" }

// cut divides a shape into what is summed over and what is kept.
func (o colSums) cut(s tensor.Shape) (lead, kept tensor.Shape) {
	at := max(0, len(s)-max(1, o.keep))
	return s[:at], s[at:]
}

func (o colSums) shape(in []tensor.Shape) (tensor.Shape, error) {
	lead, kept := o.cut(in[0])
	if len(lead) == 0 {
		return nil, errors.Errorf("column sums of shape %v: want a matrix, or more dimensions", in[0])
	}
	return kept.Clone(), nil
}

func (o colSums) split([]bool) split { return joint }

func (o colSums) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	lead, _ := o.cut(in[0].Shape())
	return only(scaledOp(o.alpha, repeat{lead: lead}, g))
}

func (o colSums) f32(c *call[float32]) { runColSums(o, c) }
func (o colSums) f64(c *call[float64]) { runColSums(o, c) }

func runColSums[T Float](o colSums, c *call[T]) {
	if c.srcZero[0] {
		c.markZero()
		return
	}
	n := len(c.dst) // a joint result is never split
	kernel.ColSums(c.dst, c.src[0], len(c.src[0])/n, n, T(o.alpha), 0)
}

// repeat stacks what it is given: [n] -> [lead..., n], or more dimensions after lead.
type repeat struct{ lead tensor.Shape }

func (o repeat) String() string  { return fmt.Sprintf("repeat(%v)", []int(o.lead)) }
func (o repeat) formula() string { return fmt.Sprintf("repeat %d x", o.lead.TotalSize()) }

func (o repeat) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() == 0 {
		return nil, errors.Errorf("repeat of a scalar: want a vector, or more dimensions")
	}
	return append(o.lead.Clone(), in[0]...), nil
}

func (o repeat) split([]bool) split { return joint }

func (repeat) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(leadSums(g, 1, in[0].Dims()))
}

func (o repeat) f32(c *call[float32]) { runRepeat(c) }
func (o repeat) f64(c *call[float64]) { runRepeat(c) }

func runRepeat[T Float](c *call[T]) {
	n := len(c.src[0])
	for i := 0; i < len(c.dst); i += n {
		copy(c.dst[i:i+n], c.src[0])
	}
}

// subIdentity is X - I for a square matrix.
type subIdentity struct{}

func (subIdentity) String() string  { return "subIdentity" }
func (subIdentity) formula() string { return "a - I" }

func (subIdentity) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() != 2 || in[0][0] != in[0][1] {
		return nil, errors.Errorf("identity taken from shape %v: want a square matrix", in[0])
	}
	return in[0].Clone(), nil
}

func (subIdentity) split([]bool) split { return joint }

func (subIdentity) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) { return []*Node{g}, nil }

func (o subIdentity) f32(c *call[float32]) { runSubIdentity(c) }
func (o subIdentity) f64(c *call[float64]) { runSubIdentity(c) }

func runSubIdentity[T Float](c *call[T]) {
	n := c.shapes[0][1]
	copy(c.dst, c.src[0][c.lo*n:c.hi*n])
	for i := range c.rows() {
		c.dst[i*n+c.lo+i]--
	}
}
