package layers

import "github.com/pcgraph/pcgraph/graph"

// Identity is f(x) = x: the map of a plain skip connection.
type Identity struct{}

var _ Layer = Identity{}

// Params is empty.
func (Identity) Params() []Param { return nil }

// Forward returns x.
func (Identity) Forward(_ *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node { return x }
