package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Reshape gives each sample another shape of as many elements, [batch, ...] -> [batch, shape...], in the order in
// which they lie in memory. It copies.
func (b *Builder) Reshape(x *Node, shape ...int) *Node {
	if b.err != nil {
		return nil
	}
	if x == nil || x.IsScalar() {
		b.Fail(errors.New("reshape of what has no batch in front"))
		return nil
	}
	for _, d := range shape {
		if d < 1 {
			b.Fail(errors.Errorf("reshape of %v to a shape of %v per sample: every dimension must be positive", x.Shape(), shape))
			return nil
		}
	}
	return b.add(reshape{to: append(tensor.Shape{x.Shape()[0]}, shape...)}, x)
}

// reshape is x in another shape of the same leading dimension. It copies: a value never shares another's memory.
type reshape struct{ to tensor.Shape }

func (o reshape) String() string  { return fmt.Sprintf("reshape(%v)", o.to) }
func (o reshape) formula() string { return fmt.Sprintf("reshape %v", o.to) }

func (o reshape) shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if x.IsScalar() || len(o.to) == 0 || x[0] != o.to[0] || x.TotalSize() != o.to.TotalSize() {
		return nil, errors.Errorf("reshape of %v to %v: the batch must stay in front, and the number of elements the same", x, o.to)
	}
	return o.to.Clone(), nil
}

func (o reshape) split(batched []bool) split { return elementwise(batched) }

func (o reshape) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(linearly(reshape{to: in[0].Shape().Clone()}, g))
}

func (o reshape) f32(c *call[float32]) { runReshape(c) }
func (o reshape) f64(c *call[float64]) { runReshape(c) }

func runReshape[T Float](c *call[T]) {
	copy(c.dst, piece(c, 0))
	*c.dstZero = c.srcZero[0]
}
