package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Lateral predicts every unit from the others of its own site:
//
//	f(x) = act(x) (W - diag W) + c    x [batch, Width], W [Width, Width], c [Width]
//
// The diagonal of W has no effect and no gradient, because the identity would predict every unit perfectly from itself. Use it
// in an arch.Block whose Predicts names the site that the block reads; the example of arch.Block completes samples in this way.
type Lateral struct {
	Width int
	Act   Act
	Bias  bool
}

var _ Layer = Lateral{}

// Params are W and, with Bias, b.
func (l Lateral) Params() []Param {
	return Linear{In: l.Width, Out: l.Width, Bias: l.Bias}.Params()
}

// Forward returns act(x) (W - diag W) + c, [batch, Width] -> [batch, Width].
func (l Lateral) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() != nil {
		return nil
	}
	if s := x.Shape(); len(s) != 2 || s[1] != l.Width {
		b.Fail(errors.Errorf("a lateral layer of width %d is given shape %v ([batch, features]): make Width what its site has", l.Width, []int(s)))
		return nil
	}
	var bias *graph.Node
	if l.Bias {
		bias = p[1]
	}
	return b.Linear(b.Act(l.Act, x), b.OffDiagonal(p[0]), bias, 1)
}
