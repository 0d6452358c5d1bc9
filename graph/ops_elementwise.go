package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Combine is sum_i coefs[i] xs[i] for operands of one shape.
func (b *Builder) Combine(coefs []float64, xs ...*Node) *Node {
	if b.err != nil {
		return nil
	}
	if len(coefs) != len(xs) || len(xs) == 0 {
		b.Fail(errors.Errorf("linear combination of %d operands with %d coefficients", len(xs), len(coefs)))
		return nil
	}
	for i, x := range xs {
		if x == nil {
			b.Fail(errors.New("linear combination with a missing operand"))
			return nil
		}
		if coefs[i]-coefs[i] != 0 {
			b.Fail(errors.Errorf("linear combination with the coefficient %v: want a finite number", coefs[i]))
			return nil
		}
	}
	return b.record(combined(b.scope, coefs, xs))
}

// Add is x + y.
func (b *Builder) Add(x, y *Node) *Node { return b.Combine([]float64{1, 1}, x, y) }

// Sub is x - y.
func (b *Builder) Sub(x, y *Node) *Node { return b.Combine([]float64{1, -1}, x, y) }

// Scale is c x.
func (b *Builder) Scale(x *Node, c float64) *Node { return b.Combine([]float64{c}, x) }

// Copy is x as a node of its own, which is not merged with the sums that use it: what GradHolding may hold constant.
func (b *Builder) Copy(x *Node) *Node { return b.add(copied{}, x) }

// Mul is x * y, element by element.
func (b *Builder) Mul(x, y *Node) *Node { return b.add(hadamard{}, x, y) }

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

func (o combine) formula() string {
	var f strings.Builder
	for i, c := range o.coefs {
		switch {
		case i == 0:
		case c < 0:
			f.WriteString(" - ")
			c = -c
		default:
			f.WriteString(" + ")
		}
		f.WriteString(factor(c) + string(rune('a'+i%26)))
	}
	return f.String()
}

func (o combine) symmetric() bool {
	return !slices.ContainsFunc(o.coefs, func(c float64) bool { return c != o.coefs[0] })
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

// combined adds sum_i coefs[i] xs[i] to the graph, with the factors of scaled operands folded in.
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
	// AllZero stops at the first number that is not zero, so it costs nothing unless the result is zero: an error that inference has
	// not reached yet.
	*c.dstZero = kernel.AllZero(c.dst)
}

func (o combine) compile32(c *compiler[float32], ins *instr[float32], n *Node) {
	compileCombine(o, c, ins, n)
}
func (o combine) compile64(c *compiler[float64], ins *instr[float64], n *Node) {
	compileCombine(o, c, ins, n)
}

// compileCombine fuses the last factor of an activity's gradient, f'(x) g, with the sum that it ends in (operator fusion): one pass
// over memory for two.
func compileCombine[T Float](sum combine, c *compiler[T], ins *instr[T], node *Node) {
	kids := node.Op().(*op).kids
	if len(kids) < 2 {
		return
	}
	at := slices.IndexFunc(kids, func(k *Node) bool {
		o, fused := k.Op().(*op)
		if !fused || c.uses[k] != 1 {
			return false
		}
		_, grad := o.spec.(activateGrad)
		return grad
	})
	if at < 0 {
		return
	}
	o := kids[at].Op().(*op)
	f := o.spec.(activateGrad).f
	rest := combine{coefs: slices.Delete(slices.Clone(sum.coefs), at, at+1)}
	factor := T(sum.coefs[at])
	// operands: the other terms, then x and g of the activation
	ins.in = append(slices.Delete(slices.Clone(ins.in), at, at+1), c.index[o.kids[0]], c.index[o.kids[1]])
	n := len(rest.coefs)
	ins.name = fmt.Sprintf("%s with %s", ins.name, o.spec)
	ins.run = func(c *call[T]) {
		x, g, gZero := c.src[n], c.src[n+1], c.srcZero[n+1]
		src, zeros := c.src, c.srcZero
		c.src, c.srcZero = src[:n], zeros[:n]
		base := c.dst
		if n == 1 && rest.coefs[0] == 1 && !gZero {
			base = c.src[0]
		} else {
			runCombine(rest, c)
		}
		c.src, c.srcZero = src, zeros
		if gZero {
			return
		}
		*c.dstZero = false
		kernel.ActivateGradSum(f, c.dst, base, factor, x, g)
	}
}

// hadamard is x * y, element by element.
type hadamard struct{}

func (hadamard) String() string  { return "mul" }
func (hadamard) formula() string { return "a * b" }
func (hadamard) symmetric() bool { return true }
func (hadamard) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape("product by element", in)
}
func (hadamard) split(batched []bool) split { return elementwise(batched) }

func (hadamard) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return apply("", hadamard{}, in[1], g) },
		func() (*Node, error) { return apply("", hadamard{}, in[0], g) })
}

func (o hadamard) f32(c *call[float32]) { runHadamard(c) }
func (o hadamard) f64(c *call[float64]) { runHadamard(c) }

func runHadamard[T Float](c *call[T]) { kernel.Mul(c.dst, piece(c, 0), piece(c, 1)) }

// scaleBy is s x for a scalar node s.
type scaleBy struct{}

func (scaleBy) String() string  { return "scaleBy" }
func (scaleBy) formula() string { return "a b" }

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
	return gradients(want,
		func() (*Node, error) { return apply("", inner{coef: 1}, g, in[1]) },
		func() (*Node, error) { return scaledBy(in[0], g) })
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

// copied is x itself. The copy number n makes several copies of one node distinct.
type copied struct{ n int }

func (o copied) String() string                                        { return fmt.Sprintf("copy%d", o.n) }
func (copied) formula() string                                         { return "a" }
func (o copied) shape(in []tensor.Shape) (tensor.Shape, error)         { return in[0].Clone(), nil }
func (o copied) split(batched []bool) split                            { return elementwise(batched) }
func (o copied) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) { return []*Node{g}, nil }
func (o copied) f32(c *call[float32])                                  { copy(c.dst, piece(c, 0)) }
func (o copied) f64(c *call[float64])                                  { copy(c.dst, piece(c, 0)) }
