package layers

import (
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/graph"
)

// Dropout takes out units at random (Srivastava et al. 2014), by a mask that is data:
//
//	f(x) = x + x m    x, m [batch, ...]
//
// The layer adds the random input "dropout", m, to the network, which training draws anew for every batch: -1 takes a unit
// out, Rate/(1-Rate) makes up for the others, so that m has mean zero. Left at zero, as in prediction, it is the identity.
// During inference the mask stays as it is: the energy that activities descend is a fixed function, and the gradient with
// respect to the weights is taken of the same one.
type Dropout struct{ Rate float64 }

var _ Layer = Dropout{}

// Params is empty.
func (Dropout) Params() []Param { return nil }

// Forward returns x + x m, of x's shape.
func (l Dropout) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() != nil {
		return nil
	}
	if err := l.Validate(); err != nil {
		b.Fail(err)
		return nil
	}
	return b.Add(x, b.Mul(x, b.Random("dropout", l.draw, x.Shape()...)))
}

// draw draws an element of a mask.
func (l Dropout) draw(rng *rand.Rand) float64 {
	if rng.Float64() < l.Rate {
		return -1
	}
	return l.Rate / (1 - l.Rate)
}
