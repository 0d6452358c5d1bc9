package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Position adds a learned vector for each place in the sequence:
//
//	f(x) = x + P    x [batch, Tokens, Width], P [Tokens, Width]
type Position struct{ Tokens, Width int }

var _ Layer = Position{}

// Params is P.
func (l Position) Params() []Param {
	return []Param{{Name: "P", Shape: []int{l.Tokens, l.Width}, FanIn: 1, FanOut: 1}}
}

// Forward returns x + P, of x's shape.
func (l Position) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !tokens(b, "a position", x, l.Width) {
		return nil
	}
	if s := x.Shape(); s[1] != l.Tokens {
		b.Fail(errors.Errorf("a position for %d tokens is given %d: make Tokens the length of the sequences", l.Tokens, s[1]))
		return nil
	}
	return b.AddRow(x, p[0])
}
