package graph

import (
	"fmt"
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Join puts arrays side by side along their last axis.
func (b *Builder) Join(xs ...*Node) *Node {
	if b.err == nil && len(xs) == 0 {
		b.Fail(errors.New("a join of nothing: want one operand or more"))
	}
	return b.add(joined{}, xs...)
}

// Columns are those with the indices [lo, hi) of the last axis.
func (b *Builder) Columns(x *Node, lo, hi int) *Node { return b.add(columns{lo: lo, hi: hi}, x) }

// LogSoftmax is log softmax(x) over the last axis.
func (b *Builder) LogSoftmax(x *Node) *Node { return b.add(logSoftmax{}, x) }

// TimesColumn is x_ik a_i of x [..., n] and a [..., 1].
func (b *Builder) TimesColumn(x, a *Node) *Node { return b.add(timesColumn{}, x, a) }

// OffDiagonal is a square matrix with zeros on its diagonal.
func (b *Builder) OffDiagonal(w *Node) *Node { return b.add(offDiagonal{}, w) }

// last is the length of the last axis.
func last(s tensor.Shape) int { return s[len(s)-1] }

// joined is its operands side by side along the last axis.
type joined struct{}

func (joined) String() string { return "join" }

func (joined) shape(in []tensor.Shape) (tensor.Shape, error) {
	out, n := in[0].Clone(), 0
	for _, s := range in {
		if s.Dims() < 2 || !slices.Equal(s[:len(s)-1], in[0][:len(in[0])-1]) {
			return nil, errors.Errorf("join of shapes %v: want [batch, ..., n], equal up to the last axis", in)
		}
		n += last(s)
	}
	out[len(out)-1] = n
	return out, nil
}

func (joined) split(batched []bool) split { return elementwise(batched) }

func (joined) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds, lo := make([]*Node, len(in)), 0
	for i, x := range in {
		hi := lo + last(x.Shape())
		if want[i] {
			var err error
			if ds[i], err = apply("", columns{lo: lo, hi: hi}, g); err != nil {
				return nil, err
			}
		}
		lo = hi
	}
	return ds, nil
}

func (o joined) f32(c *call[float32]) { runJoined(c) }
func (o joined) f64(c *call[float64]) { runJoined(c) }

func runJoined[T Float](c *call[T]) {
	n, at := 0, 0
	for _, s := range c.shapes {
		n += last(s)
	}
	for i, s := range c.shapes {
		x, w := piece(c, i), last(s)
		for r := 0; r*w < len(x); r++ {
			copy(c.dst[r*n+at:][:w], x[r*w:])
		}
		at += w
	}
}

// columns are those with the indices [lo, hi) of the last axis.
type columns struct{ lo, hi int }

func (o columns) String() string { return fmt.Sprintf("columns(%d:%d)", o.lo, o.hi) }

func (o columns) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() < 2 || o.lo < 0 || o.hi <= o.lo || o.hi > last(in[0]) {
		return nil, errors.Errorf("columns %d to %d of shape %v: want some of the last axis of [batch, ..., n]", o.lo, o.hi, in[0])
	}
	out := in[0].Clone()
	out[len(out)-1] = o.hi - o.lo
	return out, nil
}

func (o columns) split(batched []bool) split { return elementwise(batched) }

func (o columns) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", padded{lo: o.lo, n: last(in[0].Shape())}, g))
}

func (o columns) f32(c *call[float32]) { runColumns(o, c) }
func (o columns) f64(c *call[float64]) { runColumns(o, c) }

func runColumns[T Float](o columns, c *call[T]) {
	x, n, w := piece(c, 0), last(c.shapes[0]), o.hi-o.lo
	for r := 0; r*n < len(x); r++ {
		copy(c.dst[r*w:(r+1)*w], x[r*n+o.lo:])
	}
}

// padded has n columns: its operand from column lo on, zeros elsewhere.
type padded struct{ lo, n int }

func (o padded) String() string { return fmt.Sprintf("pad(%d:%d)", o.lo, o.n) }

func (o padded) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() < 2 || o.lo < 0 || o.lo+last(in[0]) > o.n {
		return nil, errors.Errorf("shape %v put into %d columns from %d on: too wide", in[0], o.n, o.lo)
	}
	out := in[0].Clone()
	out[len(out)-1] = o.n
	return out, nil
}

func (o padded) split(batched []bool) split { return elementwise(batched) }

func (o padded) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", columns{lo: o.lo, hi: o.lo + last(in[0].Shape())}, g))
}

func (o padded) f32(c *call[float32]) { runPadded(o, c) }
func (o padded) f64(c *call[float64]) { runPadded(o, c) }

func runPadded[T Float](o padded, c *call[T]) {
	clear(c.dst)
	x, w := piece(c, 0), last(c.shapes[0])
	for r := 0; r*w < len(x); r++ {
		copy(c.dst[r*o.n+o.lo:][:w], x[r*w:])
	}
}

// columnShape checks operands x [..., n] and a [..., 1].
func columnShape(x, a tensor.Shape) error {
	if x.Dims() < 2 || len(a) != len(x) || last(a) != 1 || !slices.Equal(x[:len(x)-1], a[:len(a)-1]) {
		return errors.Errorf("product of shape %v with a column of shape %v: want [batch, ..., n] and [batch, ..., 1]", x, a)
	}
	return nil
}

// timesColumn is x_ik a_i.
type timesColumn struct{}

func (timesColumn) String() string  { return "timesColumn" }
func (timesColumn) formula() string { return "a * b" }
func (timesColumn) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), columnShape(in[0], in[1])
}
func (timesColumn) split(batched []bool) split { return elementwise(batched) }

func (timesColumn) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return apply("", timesColumn{}, g, in[1]) },
		func() (*Node, error) { return apply("", rowDots{}, in[0], g) })
}

func (o timesColumn) f32(c *call[float32]) { runTimesColumn(c) }
func (o timesColumn) f64(c *call[float64]) { runTimesColumn(c) }

func runTimesColumn[T Float](c *call[T]) {
	x, a, n := piece(c, 0), piece(c, 1), last(c.shapes[0])
	for i, v := range a {
		kernel.Scale(c.dst[i*n:(i+1)*n], x[i*n:(i+1)*n], v)
	}
}

// rowDots is sum_k x_ik y_ik: [..., n] and [..., n] -> [..., 1].
type rowDots struct{}

func (rowDots) String() string { return "rowDots" }

func (rowDots) shape(in []tensor.Shape) (tensor.Shape, error) {
	out, err := sameShape("inner products of rows", in)
	if err != nil {
		return nil, err
	}
	out[len(out)-1] = 1
	return out, columnShape(in[0], out)
}

func (rowDots) split(batched []bool) split { return elementwise(batched) }

func (rowDots) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return apply("", timesColumn{}, in[1], g) },
		func() (*Node, error) { return apply("", timesColumn{}, in[0], g) })
}

func (o rowDots) f32(c *call[float32]) { runRowDots(c) }
func (o rowDots) f64(c *call[float64]) { runRowDots(c) }

func runRowDots[T Float](c *call[T]) {
	x, y, n := piece(c, 0), piece(c, 1), last(c.shapes[0])
	for i := range c.dst {
		c.dst[i] = T(kernel.Dot(x[i*n:(i+1)*n], y[i*n:(i+1)*n]))
	}
}

// offDiagonal is a square matrix with zeros on its diagonal.
type offDiagonal struct{}

func (offDiagonal) String() string { return "offDiagonal" }

func (offDiagonal) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() != 2 || in[0][0] != in[0][1] {
		return nil, errors.Errorf("diagonal of shape %v: want a square matrix", in[0])
	}
	return in[0].Clone(), nil
}

func (offDiagonal) split([]bool) split { return joint }

func (offDiagonal) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(apply("", offDiagonal{}, g))
}

func (o offDiagonal) f32(c *call[float32]) { runOffDiagonal(c) }
func (o offDiagonal) f64(c *call[float64]) { runOffDiagonal(c) }

func runOffDiagonal[T Float](c *call[T]) {
	n := last(c.shapes[0])
	copy(c.dst, c.src[0][c.lo*n:c.hi*n])
	for i := range c.rows() {
		c.dst[i*n+c.lo+i] = 0
	}
}
