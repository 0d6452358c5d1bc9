package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Lookup takes rows of a table: ids [batch, ...] and table [v, n] give [batch, ..., n]. An id that is no whole number
// from 0 to v-1 is an error of the run. Only the table has a gradient.
func (b *Builder) Lookup(ids, table *Node) *Node { return b.add(lookup{}, ids, table) }

// lookup takes rows of a table: ids [...] and table [v, n] give [..., n]. An id that is not an integer from 0 to v-1 is
// an error of the run.
type lookup struct{}

func (lookup) String() string  { return "lookup" }
func (lookup) formula() string { return "rows a of b" }

func (lookup) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].Dims() < 1 || in[1].Dims() != 2 {
		return nil, errors.Errorf("look-up of ids %v in a table %v: want ids [batch, ...] and a matrix", in[0], in[1])
	}
	return append(in[0].Clone(), in[1][1]), nil
}

func (lookup) split(batched []bool) split { return rowSplit(batched) }

func (lookup) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return nil, noGradient(in[0]) },
		func() (*Node, error) { return linearly(scatter{rows: in[1].Shape()[0]}, in[0], g) })
}

func noGradient(ids *Node) error {
	return errors.Errorf("the ids %s are whole numbers, which have no gradient: clamp them", label(ids))
}

func (o lookup) f32(c *call[float32]) { runLookup(c) }
func (o lookup) f64(c *call[float64]) { runLookup(c) }

func runLookup[T Float](c *call[T]) {
	table, v, n := c.src[1], c.shapes[1][0], c.shapes[1][1]
	for i, id := range piece(c, 0) {
		k, ok := index(c, id, v)
		if !ok {
			clear(c.dst)
			return
		}
		copy(c.dst[i*n:(i+1)*n], table[k*n:])
	}
}

// index is an id as an index of v rows; if it is none, the call fails.
func index[T Float](c *call[T], id T, v int) (int, bool) {
	if id >= 0 && id < T(v) && id == T(int(id)) {
		return int(id), true
	}
	c.err = errors.Errorf("the id %v is none of the %d rows of the table: want a whole number from 0 to %d", id, v, v-1)
	return 0, false
}

// scatter adds rows where lookup takes them, in the order in which they come: the gradient of a table.
type scatter struct{ rows int }

func (o scatter) String() string { return fmt.Sprintf("scatter(rows=%d)", o.rows) }

func (o scatter) shape(in []tensor.Shape) (tensor.Shape, error) {
	ids, g := in[0], in[1]
	if g.Dims() != ids.Dims()+1 || !ids.Eq(g[:len(g)-1]) || o.rows < 1 {
		return nil, errors.Errorf("rows %v added at ids %v to a table of %d: want one row per id", g, ids, o.rows)
	}
	return tensor.Shape{o.rows, last(g)}, nil
}

func (o scatter) split([]bool) split { return joint }

func (o scatter) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return nil, noGradient(in[0]) },
		func() (*Node, error) { return apply("", lookup{}, in[0], g) })
}

func (o scatter) f32(c *call[float32]) { runScatter(o, c) }
func (o scatter) f64(c *call[float64]) { runScatter(o, c) }

func runScatter[T Float](o scatter, c *call[T]) {
	if c.srcZero[1] {
		c.markZero()
		return
	}
	n := last(c.shapes[1])
	clear(c.dst)
	for i, id := range c.src[0] {
		k, ok := index(c, id, o.rows)
		if !ok {
			return
		}
		row := c.dst[k*n : (k+1)*n]
		kernel.Add(row, row, c.src[1][i*n:(i+1)*n])
	}
}
