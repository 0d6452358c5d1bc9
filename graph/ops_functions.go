package graph

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Functions for likelihoods of one's own: docs/RECIPES.md uses them.

// Abs is |x|, element by element. Its derivative is sign(x), with sign(0) = 0, and its second derivative is 0 everywhere.
func (b *Builder) Abs(x *Node) *Node { return b.add(absolute{}, x) }

// Sqrt is the square root of x, element by element. The square root of a negative number is NaN, which is found like any other number
// that is not finite. The derivative at zero is infinite.
func (b *Builder) Sqrt(x *Node) *Node { return b.add(power{.5}, x) }

// Log is the natural logarithm of x, element by element: -Inf at zero and NaN below, which runs report as any other number that
// is not finite.
func (b *Builder) Log(x *Node) *Node { return b.add(elementLog{}, x) }

// Constant is the number v in the builder's element type: a scalar or, with a shape, an array whose elements are all v. Scalars are
// for Gorgonia's own operations in Do. Arrays without the batch are for AddRow and MulRow, which keep samples apart:
//
//	b.AddRow(x, b.Constant(1, x.Shape()[1:]...))    // x + 1
func (b *Builder) Constant(v float64, shape ...int) *Node {
	if b.err != nil {
		return nil
	}
	held := v
	if b.dt == tensor.Float32 {
		held = float64(float32(v))
	}
	if held-held != 0 {
		b.Fail(errors.Errorf("the constant %v in %v: want a finite number", v, b.dt))
		return nil
	}
	if n, fits := Elements(shape); !fits || n == 0 {
		b.Fail(errors.Errorf("a constant of shape %v: want dimensions of one or more, and at most %d elements", shape, int64(MaxElements)))
		return nil
	}
	var value gorgonia.Value = gorgonia.NewF64(v)
	if b.dt == tensor.Float32 {
		value = gorgonia.NewF32(float32(v))
	}
	indexAhead(b.g)
	n := b.g.Constant(value)
	if len(shape) == 0 {
		return n
	}
	return b.add(filled{coef: 1, to: tensor.Shape(shape).Clone()}, n)
}

// absolute is |x|.
type absolute struct{}

func (absolute) String() string                                { return "abs" }
func (absolute) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (absolute) split(batched []bool) split                    { return elementwise(batched) }

func (absolute) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", signed{}, in[0], g))
}

func (o absolute) f32(c *call[float32]) { runAbsolute(c) }
func (o absolute) f64(c *call[float64]) { runAbsolute(c) }

func runAbsolute[T Float](c *call[T]) {
	for i, x := range piece(c, 0) {
		c.dst[i] = T(math.Abs(float64(x)))
	}
}

// signed is sign(x) g, with sign(0) = 0: the gradient of absolute.
type signed struct{}

func (signed) String() string                                { return "absGrad" }
func (signed) shape(in []tensor.Shape) (tensor.Shape, error) { return sameShape("sign", in) }
func (signed) split(batched []bool) split                    { return elementwise(batched) }

func (signed) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return scaled(g, 0) }, // constant almost everywhere
		func() (*Node, error) { return apply("", signed{}, in[0], g) })
}

func (o signed) f32(c *call[float32]) { runSigned(c) }
func (o signed) f64(c *call[float64]) { runSigned(c) }

func runSigned[T Float](c *call[T]) {
	g := piece(c, 1)
	for i, x := range piece(c, 0) {
		switch {
		case x > 0:
			c.dst[i] = g[i]
		case x < 0:
			c.dst[i] = -g[i]
		case x == 0:
			c.dst[i] = 0
		default:
			c.dst[i] = x // NaN
		}
	}
}

// elementLog is log x.
type elementLog struct{}

func (elementLog) String() string                                { return "log" }
func (elementLog) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (elementLog) split(batched []bool) split                    { return elementwise(batched) }

// timesOp is s(x) g, element by element.
func timesOp(g *Node, s spec, x *Node) (*Node, error) {
	y, err := apply("", s, x)
	if err != nil {
		return nil, err
	}
	return apply("", hadamard{}, y, g)
}

func (elementLog) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(timesOp(g, power{-1}, in[0]))
}

func (o elementLog) f32(c *call[float32]) { runElementLog(c) }
func (o elementLog) f64(c *call[float64]) { runElementLog(c) }

func runElementLog[T Float](c *call[T]) {
	for i, x := range piece(c, 0) {
		c.dst[i] = T(math.Log(float64(x)))
	}
}

// power is x^p for a fixed p that is not 0: of square roots and logarithms with their derivatives.
type power struct{ p float64 }

func (o power) String() string                                { return fmt.Sprintf("power(%v)", o.p) }
func (o power) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (o power) split(batched []bool) split                    { return elementwise(batched) }

func (o power) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	d, err := timesOp(g, power{o.p - 1}, in[0])
	if err != nil {
		return nil, err
	}
	return only(scaled(d, o.p))
}

func (o power) f32(c *call[float32]) { runPower(o, c) }
func (o power) f64(c *call[float64]) { runPower(o, c) }

func runPower[T Float](o power, c *call[T]) {
	xs := piece(c, 0)
	switch o.p {
	case .5:
		for i, x := range xs {
			c.dst[i] = T(math.Sqrt(float64(x)))
		}
	case -.5:
		for i, x := range xs {
			c.dst[i] = T(1 / math.Sqrt(float64(x)))
		}
	case -1:
		for i, x := range xs {
			c.dst[i] = T(1 / float64(x))
		}
	default:
		for i, x := range xs {
			c.dst[i] = T(math.Pow(float64(x), o.p))
		}
	}
}
