package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Act is f(x), element by element.
func (b *Builder) Act(f Activation, x *Node) *Node {
	if b.err != nil {
		return nil
	}
	if f == kernel.Linear {
		return x
	}
	return b.add(activate{f: f}, x)
}

// activate is f(x), element by element.
type activate struct{ f kernel.Activation }

func (o activate) String() string { return o.f.String() }
func (o activate) shape(in []tensor.Shape) (tensor.Shape, error) {
	if _, err := kernel.ParseActivation(o.f.String()); err != nil {
		return nil, errors.Errorf("there is no activation %s", o.f)
	}
	return in[0].Clone(), nil
}
func (o activate) split(batched []bool) split { return elementwise(batched) }

func (o activate) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(linearly(activateGrad(o), in[0], g))
}

func (o activate) f32(c *call[float32]) { runActivate(o, c) }
func (o activate) f64(c *call[float64]) { runActivate(o, c) }

func runActivate[T Float](o activate, c *call[T]) { kernel.Activate(o.f, c.dst, piece(c, 0)) }

// activateGrad is g f'(x): the gradient of activate.
type activateGrad struct{ f kernel.Activation }

func (o activateGrad) String() string  { return o.f.String() + "Grad" }
func (o activateGrad) formula() string { return o.f.String() + "'(a) b" }
func (o activateGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape(o.String(), in)
}
func (o activateGrad) split(batched []bool) split { return elementwise(batched) }

func (o activateGrad) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return apply("", activateGrad2(o), in[0], in[1], g) },
		func() (*Node, error) { return apply("", o, in[0], g) })
}

func (o activateGrad) f32(c *call[float32]) { runActivateGrad(o, c) }
func (o activateGrad) f64(c *call[float64]) { runActivateGrad(o, c) }

func runActivateGrad[T Float](o activateGrad, c *call[T]) {
	if c.srcZero[1] {
		c.markZero()
		return
	}
	kernel.ActivateGrad(o.f, c.dst, piece(c, 0), piece(c, 1))
}

// activateGrad2 is g v f”(x): what a Hessian-vector product needs of an activation.
type activateGrad2 struct{ f kernel.Activation }

func (o activateGrad2) String() string  { return o.f.String() + "Grad2" }
func (o activateGrad2) formula() string { return o.f.String() + "''(a) b c" }
func (o activateGrad2) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape(o.String(), in)
}
func (o activateGrad2) split(batched []bool) split { return elementwise(batched) }

func (o activateGrad2) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) {
			return nil, errors.Errorf("graph: third derivatives of %s are not provided", o.f)
		},
		func() (*Node, error) { return apply("", o, in[0], g, in[2]) },
		func() (*Node, error) { return apply("", o, in[0], in[1], g) })
}

func (o activateGrad2) f32(c *call[float32]) { runActivateGrad2(o, c) }
func (o activateGrad2) f64(c *call[float64]) { runActivateGrad2(o, c) }

func runActivateGrad2[T Float](o activateGrad2, c *call[T]) {
	kernel.ActivateGrad2(o.f, c.dst, piece(c, 0), piece(c, 1), piece(c, 2))
}
