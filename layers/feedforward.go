package layers

import "github.com/pcgraph/pcgraph/graph"

// FeedForward is two linear maps with an activation between, the same for all tokens:
//
//	f(x) = act(x W1 + b1) W2 + b2    x [batch, ..., Width], W1 [Width, Hidden], W2 [Hidden, Width]
//
// Hidden 0 means 4 Width. Without Bias there are no b1 and b2. (Vaswani et al. 2017, section 3.3.)
type FeedForward struct {
	Width, Hidden int
	Act           Act
	Bias          bool
}

var _ Layer = FeedForward{}

func (l FeedForward) parts() (first, second Linear) {
	hidden := l.Hidden
	if hidden == 0 {
		hidden = 4 * l.Width
	}
	return Linear{In: l.Width, Out: hidden, Bias: l.Bias}, Linear{In: hidden, Out: l.Width, Act: l.Act, Bias: l.Bias}
}

// Params are W1, b1, W2 and b2, the biases only where they are wanted.
func (l FeedForward) Params() []Param {
	first, second := l.parts()
	ps := first.Params()
	for i := range ps {
		ps[i].Name += "1"
	}
	for _, p := range second.Params() {
		p.Name += "2"
		ps = append(ps, p)
	}
	return ps
}

// Forward returns act(x W1 + b1) W2 + b2, of x's shape.
func (l FeedForward) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	first, second := l.parts()
	n := len(first.Params())
	return second.Forward(b, p[n:], first.Forward(b, p[:n], x))
}
