package layers

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A Merge makes one input of several. Implementations are immutable values.
type Merge interface {
	// Params lists the weights in a fixed order.
	Params() []Param
	// Merge adds the map of xs, each [batch, ...], with the weights p, in the order of Params, to the graph.
	Merge(b *graph.Builder, p []*graph.Node, xs []*graph.Node) *graph.Node
}

// Add is the sum of inputs of one shape.
type Add struct{}

var _ Merge = Add{}

// Params is empty.
func (Add) Params() []Param { return nil }

// Merge returns x_1 + x_2 + ..., of the inputs' shape.
func (Add) Merge(b *graph.Builder, _ []*graph.Node, xs []*graph.Node) *graph.Node {
	if !alike(b, "a sum", xs) {
		return nil
	}
	ones := make([]float64, len(xs))
	for i := range ones {
		ones[i] = 1
	}
	return b.Combine(ones, xs...)
}

// Concat puts its inputs side by side along the last axis.
type Concat struct{}

var _ Merge = Concat{}

// Params is empty.
func (Concat) Params() []Param { return nil }

// Merge returns [x_1 x_2 ...], [batch, ..., n_1], [batch, ..., n_2], ... -> [batch, ..., n_1 + n_2 + ...].
func (Concat) Merge(b *graph.Builder, _ []*graph.Node, xs []*graph.Node) *graph.Node {
	return b.Join(xs...)
}

// Attend is attention over inputs of one shape [batch, Width], with one learned query v:
//
//	sum_j a_j x_j    a = softmax over j of x_j v / sqrt(Width)
//
// sample by sample: which of its inputs a block listens to depends on what they say.
type Attend struct{ Width int }

var _ Merge = Attend{}

// Params is v [Width, 1].
func (m Attend) Params() []Param {
	return []Param{{Name: "v", Shape: []int{m.Width, 1}, FanIn: m.Width, FanOut: 1, Role: HiddenRole}}
}

// Merge returns the weighted sum, [batch, Width].
func (m Attend) Merge(b *graph.Builder, p []*graph.Node, xs []*graph.Node) *graph.Node {
	if !alike(b, "attention", xs) {
		return nil
	}
	if s := xs[0].Shape(); len(s) != 2 || s[1] != m.Width {
		b.Fail(errors.Errorf("attention of width %d over inputs of shape %v ([batch, features]): make Width what they give, or flatten", m.Width, []int(s)))
		return nil
	}
	scores, ones := make([]*graph.Node, len(xs)), make([]float64, len(xs))
	for j, x := range xs {
		scores[j], ones[j] = b.Linear(x, p[0], nil, 1/math.Sqrt(float64(m.Width))), 1
	}
	a := b.Exp(b.LogSoftmax(b.Join(scores...)))
	parts := make([]*graph.Node, len(xs))
	for j, x := range xs {
		parts[j] = b.TimesColumn(x, b.Columns(a, j, j+1))
	}
	return b.Combine(ones, parts...)
}

// alike checks that there are inputs and that they have one shape.
func alike(b *graph.Builder, what string, xs []*graph.Node) bool {
	if b.Err() != nil {
		return false
	}
	if len(xs) == 0 {
		b.Fail(errors.Errorf("%s over no inputs: want one or more", what))
		return false
	}
	for _, x := range xs[1:] {
		if !x.Shape().Eq(xs[0].Shape()) {
			b.Fail(errors.Errorf("%s over inputs of shapes %v and %v: make them equal, or use layers.Concat", what, []int(xs[0].Shape()), []int(x.Shape())))
			return false
		}
	}
	return true
}
