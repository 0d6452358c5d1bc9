package graph

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Operations of the energy of a learned precision. They are closed under differentiation, so that the energy can be differentiated
// any number of times.

// Exp is e^x, element by element.
func (b *Builder) Exp(x *Node) *Node { return b.add(elementExp{}, x) }

// WeightedSquare is the scalar coef/2 sum_ik w_k x_ik^2 / batch of x [batch, ...] and weights w [...].
func (b *Builder) WeightedSquare(x, w *Node, coef float64, batch int) *Node {
	return b.add(weightedSquare{coef: coef, batch: batch}, x, w)
}

// Sum is the scalar coef sum x.
func (b *Builder) Sum(x *Node, coef float64) *Node { return b.add(sumAll{coef: coef}, x) }

// Spread is an array of a shape all of whose elements are the scalar s.
func (b *Builder) Spread(s *Node, shape ...int) *Node {
	return b.add(filled{coef: 1, to: tensor.Shape(shape).Clone()}, s)
}

// elementExp is e^x.
type elementExp struct{}

func (elementExp) String() string                                { return "exp" }
func (elementExp) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (elementExp) split(batched []bool) split                    { return elementwise(batched) }

func (elementExp) diff(_ []*Node, out, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", hadamard{}, out, g))
}

func (o elementExp) f32(c *call[float32]) { runElementExp(c) }
func (o elementExp) f64(c *call[float64]) { runElementExp(c) }

func runElementExp[T Float](c *call[T]) {
	for i, x := range piece(c, 0) {
		c.dst[i] = T(math.Exp(float64(x)))
	}
}

// weightedSquare is coef/2 sum_ik w_k x_ik^2 / batch.
type weightedSquare struct {
	coef  float64
	batch int
}

func (o weightedSquare) String() string {
	return fmt.Sprintf("weightedSquare(coef=%v batch=%d)", o.coef, o.batch)
}
func (o weightedSquare) formula() string {
	return fmt.Sprintf("%v/2 sum b a²%s", short(o.coef), over(o.batch))
}

func (o weightedSquare) shape(in []tensor.Shape) (tensor.Shape, error) {
	if x, w := in[0], in[1]; x.Dims() < 2 || !x[1:].Eq(w) {
		return nil, errors.Errorf("weighted square of shapes %v and %v: want [batch, ...] and [...]", x, w)
	}
	return tensor.ScalarShape(), averagedOver("weighted square", o.batch)
}

func (o weightedSquare) split(batched []bool) split {
	if rowSplit(batched) == rowwise {
		return reduce
	}
	return joint
}

func (o weightedSquare) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return weightedOp(g, o.coef, o.batch, rowMul{}, in...) },
		func() (*Node, error) {
			d, err := productSums(in[0], in[0], in[1].Dims())
			if err != nil {
				return nil, err
			}
			return weighted(g, d, o.coef/2, o.batch)
		})
}

func (o weightedSquare) f32(c *call[float32]) { runWeightedSquare(o, c) }
func (o weightedSquare) f64(c *call[float64]) { runWeightedSquare(o, c) }

func runWeightedSquare[T Float](o weightedSquare, c *call[T]) {
	if c.srcZero[0] {
		clear(c.partial)
		clear(c.dst)
		return
	}
	x, w, f := c.src[0], c.src[1], o.coef/2/float64(o.batch)
	eachRow(c, func(lo, hi int) float64 {
		sum := 0.0
		for ; lo < hi; lo += len(w) {
			for k, v := range x[lo : lo+len(w)] {
				sum += float64(w[k]) * float64(v) * float64(v)
			}
		}
		return f * sum
	})
}

// sumAll is coef sum x.
type sumAll struct{ coef float64 }

func (o sumAll) String() string                             { return fmt.Sprintf("sum(coef=%v)", o.coef) }
func (o sumAll) formula() string                            { return factor(o.coef) + "sum" }
func (o sumAll) shape([]tensor.Shape) (tensor.Shape, error) { return tensor.ScalarShape(), nil }
func (o sumAll) split(batched []bool) split                 { return sumSplit(batched) }

func (o sumAll) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", filledLike(o), in[0], g))
}

func (o sumAll) f32(c *call[float32]) { runSumAll(o, c) }
func (o sumAll) f64(c *call[float64]) { runSumAll(o, c) }

func runSumAll[T Float](o sumAll, c *call[T]) {
	x := c.src[0]
	eachRow(c, func(lo, hi int) float64 { return o.coef * kernel.Sum(x[lo:hi]) })
}

// filled is an array whose elements are all coef times a scalar.
type filled struct {
	coef float64
	to   tensor.Shape
}

func (o filled) String() string  { return fmt.Sprintf("fill(coef=%v %v)", o.coef, []int(o.to)) }
func (o filled) formula() string { return fmt.Sprintf("%sspread to %v", factor(o.coef), []int(o.to)) }

func (o filled) shape(in []tensor.Shape) (tensor.Shape, error) {
	if !in[0].IsScalar() || o.to.IsScalar() {
		return nil, errors.Errorf("%v filled from shape %v: want a scalar and a shape of one dimension or more", []int(o.to), in[0])
	}
	return o.to.Clone(), nil
}

func (o filled) split([]bool) split { return joint }

func (o filled) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", sumAll{coef: o.coef}, g))
}

func (o filled) f32(c *call[float32]) { kernel.Fill(c.dst, float32(o.coef)*c.src[0][0]) }
func (o filled) f64(c *call[float64]) { kernel.Fill(c.dst, o.coef*c.src[0][0]) }

// filledLike is an array of the shape of x whose elements are all coef times a scalar: the gradient of sumAll. It reads nothing of
// x but takes it as an operand, so that it is computed sample by sample where x is.
type filledLike struct{ coef float64 }

func (o filledLike) String() string { return fmt.Sprintf("fillLike(coef=%v)", o.coef) }

func (o filledLike) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].IsScalar() || !in[1].IsScalar() {
		return nil, errors.Errorf("an array like shape %v filled from shape %v: want one dimension or more, and a scalar", in[0], in[1])
	}
	return in[0].Clone(), nil
}

func (o filledLike) split(batched []bool) split { return rowSplit(batched) }

func (o filledLike) diff(_ []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		nil,
		func() (*Node, error) { return apply("", sumAll(o), g) })
}

func (o filledLike) f32(c *call[float32]) { kernel.Fill(c.dst, float32(o.coef)*c.src[1][0]) }
func (o filledLike) f64(c *call[float64]) { kernel.Fill(c.dst, o.coef*c.src[1][0]) }
