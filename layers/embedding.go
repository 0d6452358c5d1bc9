package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Embedding gives each token its row of a table:
//
//	f(x)_bt = W_{x_bt}    x [batch, tokens], W [Vocab, Width]
//
// x holds ids: whole numbers from 0 to Vocab-1. Others are refused when they are looked up. As numbers without a gradient
// they must be clamped; for a free input take distributions over the vocabulary, [batch, tokens, Vocab], and a Linear,
// which is the same map of one-hot vectors.
type Embedding struct{ Vocab, Width int }

var _ Layer = Embedding{}

// Params is W. One of its rows makes an output, so its fan-in is 1.
func (l Embedding) Params() []Param {
	return []Param{{Name: "W", Shape: []int{l.Vocab, l.Width}, FanIn: 1, FanOut: l.Width}}
}

// Forward returns the rows, [batch, tokens] -> [batch, tokens, Width].
func (l Embedding) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() != nil {
		return nil
	}
	if s := x.Shape(); len(s) != 2 {
		b.Fail(errors.Errorf("an embedding is given shape %v: want ids [batch, tokens]; for one-hot vectors [batch, tokens, %d] use a Linear", []int(s), l.Vocab))
		return nil
	}
	return b.Lookup(x, p[0])
}
