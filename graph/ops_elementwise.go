package graph

import (
	"fmt"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// sameShape is the shape rule of operations that work element by element.
func sameShape(what string, in []tensor.Shape) (tensor.Shape, error) {
	for _, s := range in[1:] {
		if !s.Eq(in[0]) {
			return nil, errors.Errorf("%s of shapes %v and %v: they must be equal (nothing is broadcast)", what, in[0], s)
		}
	}
	return in[0].Clone(), nil
}

// elementwise is the split of operations that work element by element: by rows when every operand carries the batch.
func elementwise(batched []bool) split {
	for _, b := range batched {
		if !b {
			return joint
		}
	}
	return rowwise
}

// piece cuts operand i of an element-by-element call to the rows of the result.
func piece[T Float](c *call[T], i int) []T {
	if c.rowsOnly || c.shapes[i].IsScalar() {
		return c.src[i]
	}
	w := len(c.src[i]) / c.shapes[i][0]
	return c.src[i][c.lo*w : c.hi*w]
}

// combine is the linear combination sum_i coefs[i] x_i of operands of one shape; of one operand, a scaling.
type combine struct{ coefs []float64 }

func (o combine) String() string {
	var b strings.Builder
	b.WriteString("combine(")
	for i, c := range o.coefs {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%v", c)
	}
	return b.String() + ")"
}

func (o combine) shape(in []tensor.Shape) (tensor.Shape, error) { return sameShape("sum", in) }
func (o combine) split(batched []bool) split                    { return elementwise(batched) }

func (o combine) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds := make([]*Node, len(in))
	for i := range in {
		if !want[i] {
			continue
		}
		var err error
		if ds[i], err = scaled(g, o.coefs[i]); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// combined adds sum_i coefs[i] xs[i] to the graph, with the factors of scaled operands drawn in.
func combined(scope string, coefs []float64, xs []*Node) (*Node, error) {
	cs, ns := make([]float64, len(xs)), make([]*Node, len(xs))
	for i, x := range xs {
		n, c := unscale(x)
		cs[i], ns[i] = coefs[i]*c, n
	}
	if len(ns) == 1 {
		if cs[0] == 1 {
			return ns[0], nil
		}
		if v, ok := constant(ns[0]); ok {
			return constantLike(ns[0], v*cs[0])
		}
	}
	return apply(scope, combine{coefs: cs}, ns...)
}

// scaled is c x.
func scaled(x *Node, c float64) (*Node, error) { return combined("", []float64{c}, []*Node{x}) }

// unscale looks through a scaling: x = factor * base.
func unscale(x *Node) (base *Node, factor float64) {
	if o, fused := x.Op().(*op); fused {
		if s, ok := o.spec.(combine); ok && len(s.coefs) == 1 {
			return o.kids[0], s.coefs[0]
		}
	}
	return x, 1
}

func (o combine) f32(c *call[float32]) { runCombine(o, c) }
func (o combine) f64(c *call[float64]) { runCombine(o, c) }

func runCombine[T Float](o combine, c *call[T]) {
	zero := true
	for _, z := range c.srcZero {
		zero = zero && z
	}
	switch {
	case zero:
		c.markZero()
	case len(o.coefs) == 1:
		kernel.Scale(c.dst, piece(c, 0), T(o.coefs[0]))
	case len(o.coefs) == 2 && o.coefs[0] == 1 && o.coefs[1] == -1:
		kernel.Sub(c.dst, piece(c, 0), piece(c, 1))
	default:
		kernel.Axpby(c.dst, T(o.coefs[0]), piece(c, 0), T(o.coefs[1]), piece(c, 1))
		for i := 2; i < len(o.coefs); i++ {
			kernel.Axpby(c.dst, 1, c.dst, T(o.coefs[i]), piece(c, i))
		}
	}
	// The first number tells unless the result is zero: an error that inference has not reached yet.
	*c.dstZero = kernel.AllZero(c.dst)
}

// hadamard is x * y, element by element.
type hadamard struct{}

func (hadamard) String() string { return "mul" }
func (hadamard) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape("product by element", in)
}
func (hadamard) split(batched []bool) split { return elementwise(batched) }

func (hadamard) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds := make([]*Node, 2)
	for i := range ds {
		if want[i] {
			var err error
			if ds[i], err = apply("", hadamard{}, in[1-i], g); err != nil {
				return nil, err
			}
		}
	}
	return ds, nil
}

func (o hadamard) f32(c *call[float32]) { runHadamard(c) }
func (o hadamard) f64(c *call[float64]) { runHadamard(c) }

func runHadamard[T Float](c *call[T]) { kernel.Mul(c.dst, piece(c, 0), piece(c, 1)) }

// scaleBy is s x for a scalar node s.
type scaleBy struct{}

func (scaleBy) String() string { return "scaleBy" }

func (scaleBy) shape(in []tensor.Shape) (tensor.Shape, error) {
	if !in[0].IsScalar() {
		return nil, errors.Errorf("scaling by shape %v: want a scalar", in[0])
	}
	return in[1].Clone(), nil
}

func (scaleBy) split(batched []bool) split {
	if batched[1] {
		return rowwise
	}
	return joint
}

func (scaleBy) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds := make([]*Node, 2)
	var err error
	if want[0] {
		if ds[0], err = apply("", inner{coef: 1}, g, in[1]); err != nil {
			return nil, err
		}
	}
	if want[1] {
		ds[1], err = scaledBy(in[0], g)
	}
	return ds, err
}

// scaledBy is s x, a plain scaling when s is a constant.
func scaledBy(s, x *Node) (*Node, error) {
	if v, ok := constant(s); ok {
		return scaled(x, v)
	}
	return apply("", scaleBy{}, s, x)
}

func (o scaleBy) f32(c *call[float32]) { runScaleBy(c) }
func (o scaleBy) f64(c *call[float64]) { runScaleBy(c) }

func runScaleBy[T Float](c *call[T]) { kernel.Scale(c.dst, piece(c, 1), c.src[0][0]) }

// copied is x itself: copy number n tells it apart from other copies.
type copied struct{ n int }

func (o copied) String() string                                        { return fmt.Sprintf("copy%d", o.n) }
func (o copied) shape(in []tensor.Shape) (tensor.Shape, error)         { return in[0].Clone(), nil }
func (o copied) split(batched []bool) split                            { return elementwise(batched) }
func (o copied) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) { return []*Node{g}, nil }
func (o copied) f32(c *call[float32])                                  { copy(c.dst, piece(c, 0)) }
func (o copied) f64(c *call[float64])                                  { copy(c.dst, piece(c, 0)) }
