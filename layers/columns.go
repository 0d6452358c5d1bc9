package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Columns keeps the features From, ..., To-1 of every sample or token:
//
//	f(x) = x[..., From:To]    x [batch, ..., features]
//
// Behind Flatten it reads single numbers of a sequence: the last feature of the last of n tokens of width d is
//
//	layers.Compose{layers.Flatten{}, layers.Columns{From: n*d - 1, To: n * d}}
type Columns struct{ From, To int }

var _ Layer = Columns{}

// Params is empty.
func (Columns) Params() []Param { return nil }

// Forward returns x's columns, [batch, ..., features] -> [batch, ..., To-From].
func (l Columns) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() != nil {
		return nil
	}
	if s := x.Shape(); len(s) < 2 || l.To > s[len(s)-1] {
		b.Fail(errors.Errorf("columns %d to %d are asked of shape %v ([batch, ..., features]): make To at most the number of features", l.From, l.To-1, []int(s)))
		return nil
	}
	return b.Columns(x, l.From, l.To)
}

// Validate reports columns that are none.
func (l Columns) Validate() error {
	if l.From < 0 || l.To <= l.From {
		return errors.Errorf("columns from %d to below %d: want 0 <= From < To", l.From, l.To)
	}
	return nil
}
