package layers

import "github.com/pcgraph/pcgraph/graph"

// Activate is an activation by itself:
//
//	f(x) = act(x)
//
// Layers with weights have activations of their own; this is for one in front of a layer without, such as a pool.
type Activate struct{ Act Act }

var _ Layer = Activate{}

// Params is empty.
func (Activate) Params() []Param { return nil }

// Forward returns act(x), of x's shape.
func (l Activate) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.Act(l.Act, x)
}

// Validate reports an unknown Act.
func (l Activate) Validate() error { return validActs("an activation", l.Act) }
