package graph

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// LayerNorm is (x - mean) / sqrt(var + eps), with mean and variance over the last axis.
func (b *Builder) LayerNorm(x *Node, eps float64) *Node {
	return b.add(standardise{standard{centre: true, eps: eps}}, x)
}

// RMSNorm is x / sqrt(mean(x^2) + eps), with the mean over the last axis.
func (b *Builder) RMSNorm(x *Node, eps float64) *Node {
	return b.add(standardise{standard{eps: eps}}, x)
}

// standard is how rows, taken along the last axis, are standardised: with centre to mean 0 and variance 1 (layer
// normalisation), without to mean square 1. Eps is added to the variance or mean square.
type standard struct {
	centre bool
	eps    float64
}

func (o standard) name() string {
	if o.centre {
		return "layerNorm"
	}
	return "rmsNorm"
}

func (o standard) rule(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() < 2 {
		return nil, errors.Errorf("%s of shape %v: want [batch, ..., features]", o.name(), in[0])
	}
	if !(o.eps > 0) || math.IsInf(o.eps, 1) {
		return nil, errors.Errorf("%s with eps %v: want a positive number, such as 1e-5, or a constant row divides by zero", o.name(), o.eps)
	}
	return sameShape(o.name(), in)
}

// standardise, standardiseGrad and standardiseHess are y(x), J(x) g with the symmetric Jacobian J of y, and the
// gradient of v^T J(x) g with respect to x: see kernel.
type (
	standardise     struct{ standard }
	standardiseGrad struct{ standard }
	standardiseHess struct{ standard }
)

func (o standardise) String() string                                { return fmt.Sprintf("%s(eps=%v)", o.name(), o.eps) }
func (o standardise) shape(in []tensor.Shape) (tensor.Shape, error) { return o.rule(in) }
func (o standardise) split(batched []bool) split                    { return elementwise(batched) }

func (o standardise) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(linearly(standardiseGrad(o), in[0], g))
}

func (o standardise) f32(c *call[float32]) { runStandardise(o, c) }
func (o standardise) f64(c *call[float64]) { runStandardise(o, c) }

func runStandardise[T Float](o standardise, c *call[T]) {
	kernel.StandardiseRows(c.dst, piece(c, 0), last(c.shapes[0]), o.centre, o.eps)
}

func (o standardiseGrad) String() string                                { return fmt.Sprintf("%sGrad(eps=%v)", o.name(), o.eps) }
func (o standardiseGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return o.rule(in) }
func (o standardiseGrad) split(batched []bool) split                    { return elementwise(batched) }

func (o standardiseGrad) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return apply("", standardiseHess(o), in[0], in[1], g) },
		func() (*Node, error) { return apply("", o, in[0], g) })
}

func (o standardiseGrad) f32(c *call[float32]) { runStandardiseGrad(o, c) }
func (o standardiseGrad) f64(c *call[float64]) { runStandardiseGrad(o, c) }

func runStandardiseGrad[T Float](o standardiseGrad, c *call[T]) {
	if c.srcZero[1] {
		c.markZero()
		return
	}
	kernel.StandardiseGradRows(c.dst, piece(c, 0), piece(c, 1), last(c.shapes[0]), o.centre, o.eps)
}

func (o standardiseHess) String() string                                { return fmt.Sprintf("%sHess(eps=%v)", o.name(), o.eps) }
func (o standardiseHess) shape(in []tensor.Shape) (tensor.Shape, error) { return o.rule(in) }
func (o standardiseHess) split(batched []bool) split                    { return elementwise(batched) }

func (o standardiseHess) diff([]*Node, *Node, *Node, []bool) ([]*Node, error) {
	return nil, errors.Errorf("graph: third derivatives of %s are not provided", o.name())
}

func (o standardiseHess) f32(c *call[float32]) { runStandardiseHess(o, c) }
func (o standardiseHess) f64(c *call[float64]) { runStandardiseHess(o, c) }

func runStandardiseHess[T Float](o standardiseHess, c *call[T]) {
	x, g, v, n := piece(c, 0), piece(c, 1), piece(c, 2), last(c.shapes[0])
	for i := 0; i < len(c.dst); i += n {
		kernel.StandardiseHess(c.dst[i:i+n], x[i:i+n], g[i:i+n], v[i:i+n], o.centre, o.eps)
	}
}
