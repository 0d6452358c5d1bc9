package layers

import "github.com/pcgraph/pcgraph/graph"

// GatedFeedForward is a feed-forward part with a gate, without biases, the same for all tokens (Shazeer 2020, arXiv 2002.05202;
// with SiLU it is SwiGLU):
//
//	f(x) = (act(x Wg) * (x Wu)) Wd    x [batch, ..., Width], Wg and Wu [Width, Hidden], Wd [Hidden, Width]
//
// Hidden 0 means 4 Width. The zero Act is linear: the product of two linear maps.
type GatedFeedForward struct {
	Width, Hidden int
	Act           Act
}

var _ Layer = GatedFeedForward{}

// Params are Wg, Wu and Wd.
func (l GatedFeedForward) Params() []Param {
	hidden := l.Hidden
	if hidden == 0 {
		hidden = 4 * l.Width
	}
	in := Param{Shape: []int{l.Width, hidden}, FanIn: l.Width, FanOut: hidden}
	gate, up := in, in
	gate.Name, up.Name = "Wg", "Wu"
	return []Param{gate, up, {Name: "Wd", Shape: []int{hidden, l.Width}, FanIn: hidden, FanOut: l.Width}}
}

// Forward returns (act(x Wg) * (x Wu)) Wd, of x's shape.
func (l GatedFeedForward) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !features(b, "a gated feed-forward layer", x, l.Width) {
		return nil
	}
	return b.Linear(l.Hide(b, b.Linear(x, p[0], nil, 1), b.Linear(x, p[1], nil, 1)), p[2], nil, 1)
}

// Hide returns act(gate) * up, what Wd multiplies, for gate = x Wg and up = x Wu.
func (l GatedFeedForward) Hide(b *graph.Builder, gate, up *graph.Node) *graph.Node {
	return b.Mul(b.Act(l.Act, gate), up)
}

// Validate reports an unknown Act.
func (l GatedFeedForward) Validate() error { return validActs("a gated feed-forward layer", l.Act) }
