package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// AddRow is x + p with p, which has the last dimensions of x, repeated over the others: a position [t, n] on [batch, t, n].
func (b *Builder) AddRow(x, p *Node) *Node { return b.add(rowAdd{}, x, p) }

// MulRow is x * p, element by element, with p repeated as in AddRow: a gain [n] on [batch, ..., n].
func (b *Builder) MulRow(x, p *Node) *Node { return b.add(rowMul{}, x, p) }

// rowAdd and rowMul are x + p and x * p, element by element, where p has the last dimensions of x and is repeated over
// the others: a gain [n] or a position [t, n] on tokens [batch, t, n].
type (
	rowAdd struct{}
	rowMul struct{}
)

// rowShape is the shape rule of both.
func rowShape(what string, in []tensor.Shape) (tensor.Shape, error) {
	x, p := in[0], in[1]
	if p.Dims() == 0 || p.Dims() >= x.Dims() || !p.Eq(x[len(x)-len(p):]) {
		return nil, errors.Errorf("%s %v and %v, repeated: the second must have the last dimensions of the first, and fewer of them", what, x, p)
	}
	return x.Clone(), nil
}

// rowSplit is by rows unless the repeated operand comes from the batch.
func rowSplit(batched []bool) split {
	if batched[0] && !batched[1] {
		return rowwise
	}
	return joint
}

func (rowAdd) String() string                                { return "rowAdd" }
func (rowAdd) formula() string                               { return "a + rows of b" }
func (rowAdd) shape(in []tensor.Shape) (tensor.Shape, error) { return rowShape("sum of", in) }
func (rowAdd) split(batched []bool) split                    { return rowSplit(batched) }

func (rowAdd) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return g, nil },
		func() (*Node, error) { return leadSums(g, 1, in[1].Dims()) })
}

func (o rowAdd) f32(c *call[float32]) { runRowAdd(c) }
func (o rowAdd) f64(c *call[float64]) { runRowAdd(c) }

func runRowAdd[T Float](c *call[T]) {
	x, p := piece(c, 0), c.src[1]
	for i := 0; i < len(c.dst); i += len(p) {
		kernel.Add(c.dst[i:i+len(p)], x[i:i+len(p)], p)
	}
}

func (rowMul) String() string                                { return "rowMul" }
func (rowMul) formula() string                               { return "a * rows of b" }
func (rowMul) shape(in []tensor.Shape) (tensor.Shape, error) { return rowShape("product of", in) }
func (rowMul) split(batched []bool) split                    { return rowSplit(batched) }

func (rowMul) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) {
			base, c := unscale(g)
			return scaledOp(c, rowMul{}, base, in[1])
		},
		func() (*Node, error) { return productSums(in[0], g, in[1].Dims()) })
}

// productSums is the sum of x g, element by element, over all but the last keep dimensions.
func productSums(x, g *Node, keep int) (*Node, error) {
	base, c := unscale(g)
	xg, err := apply("", hadamard{}, x, base)
	if err != nil {
		return nil, err
	}
	return leadSums(xg, c, keep)
}

func (o rowMul) f32(c *call[float32]) { runRowMul(c) }
func (o rowMul) f64(c *call[float64]) { runRowMul(c) }

func runRowMul[T Float](c *call[T]) {
	if c.srcZero[0] {
		c.markZero()
		return
	}
	x, p := piece(c, 0), c.src[1]
	for i := 0; i < len(c.dst); i += len(p) {
		kernel.Mul(c.dst[i:i+len(p)], x[i:i+len(p)], p)
	}
}
