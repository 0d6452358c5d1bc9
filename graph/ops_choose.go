package graph

import "gorgonia.org/tensor"

// Choose is data where mask is not zero and x where it is, element by element: units that are clamped and units that are
// free. It selects and does not multiply, so that the gradient with respect to x is exactly zero where data is taken.
func (b *Builder) Choose(mask, data, x *Node) *Node { return b.add(chosen{}, mask, data, x) }

// Only is x where mask is not zero and 0 where it is.
func (b *Builder) Only(mask, x *Node) *Node { return b.add(masked{clamped: true}, mask, x) }

// chosen takes its second operand where the first, the mask, is not zero, and its third where it is.
type chosen struct{}

func (chosen) String() string                                { return "choose" }
func (chosen) formula() string                               { return "b where a, else c" }
func (chosen) shape(in []tensor.Shape) (tensor.Shape, error) { return sameShape("choice", in) }
func (chosen) split(batched []bool) split                    { return elementwise(batched) }

// diff: the mask is constant almost everywhere.
func (chosen) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		nil,
		func() (*Node, error) { return apply("", masked{clamped: true}, in[0], g) },
		func() (*Node, error) { return apply("", masked{}, in[0], g) })
}

func (o chosen) f32(c *call[float32]) { runChosen(c) }
func (o chosen) f64(c *call[float64]) { runChosen(c) }

func runChosen[T Float](c *call[T]) {
	mask, data, x := piece(c, 0), piece(c, 1), piece(c, 2)
	for i, m := range mask {
		if m != 0 {
			c.dst[i] = data[i]
		} else {
			c.dst[i] = x[i]
		}
	}
}

// masked is its second operand where the mask, its first, is not zero (clamped) or where it is zero, and 0 elsewhere.
type masked struct{ clamped bool }

func (o masked) String() string {
	if o.clamped {
		return "whereClamped"
	}
	return "whereFree"
}
func (o masked) formula() string {
	if o.clamped {
		return "b where a, else 0"
	}
	return "0 where a, else b"
}
func (masked) shape(in []tensor.Shape) (tensor.Shape, error) { return sameShape("masking", in) }
func (masked) split(batched []bool) split                    { return elementwise(batched) }

func (o masked) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		nil,
		func() (*Node, error) { return apply("", o, in[0], g) })
}

func (o masked) f32(c *call[float32]) { runMasked(o, c) }
func (o masked) f64(c *call[float64]) { runMasked(o, c) }

func runMasked[T Float](o masked, c *call[T]) {
	mask, x := piece(c, 0), piece(c, 1)
	for i, m := range mask {
		if (m != 0) == o.clamped {
			c.dst[i] = x[i]
		} else {
			c.dst[i] = 0
		}
	}
}
