package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Linear is a linear map behind an activation, the order of predictive coding:
//
//	f(x) = post(act(x) W + c)    x [batch, ..., In], W [In, Out], c [Out]
//
// Of an input with more than two dimensions, tokens for instance, the last is the features; the map is the same for all
// that come before. The zero Act and Post are linear; without Bias there is no c.
type Linear struct {
	In, Out int
	Act     Act // applied to the input
	Post    Act // applied to the result
	Bias    bool
}

var _ Layer = Linear{}

// Params are W and, with Bias, b.
func (l Linear) Params() []Param {
	ps := []Param{{Name: "W", Shape: []int{l.In, l.Out}, FanIn: l.In, FanOut: l.Out}}
	if l.Bias {
		ps = append(ps, Param{Name: "b", Shape: []int{l.Out}, FanIn: l.In, FanOut: l.Out, Bias: true})
	}
	return ps
}

// Forward returns post(act(x) W + c), [batch, ..., In] -> [batch, ..., Out].
func (l Linear) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() != nil {
		return nil
	}
	if s := x.Shape(); len(s) < 2 || s[len(s)-1] != l.In {
		b.Fail(errors.Errorf("a linear layer of %d inputs is given shape %v ([batch, ..., features]): make In what the block before it gives, or flatten", l.In, []int(s)))
		return nil
	}
	var bias *graph.Node
	if l.Bias {
		bias = p[1]
	}
	return b.Act(l.Post, b.Linear(b.Act(l.Act, x), p[0], bias, 1))
}
