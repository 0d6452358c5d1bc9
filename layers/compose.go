package layers

import (
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Compose is layers one after the other, as one layer: only what the last gives is a site of the network.
//
//	f(x) = f_n(... f_2(f_1(x)))
//
// Weights and inputs of the parts are named by their place: "2/W". Without parts it is the identity.
type Compose []Layer

var _ Layer = Compose{}

// Params are those of the parts in order.
func (l Compose) Params() []Param {
	var ps []Param
	for i, part := range l {
		if part == nil {
			continue // Forward reports it
		}
		for _, p := range part.Params() {
			p.Name = strconv.Itoa(i+1) + "/" + p.Name
			ps = append(ps, p)
		}
	}
	return ps
}

// given is what a layer gave; it is recorded as an error if that is nothing.
func given(b *graph.Builder, by Layer, y *graph.Node) *graph.Node {
	if y == nil {
		b.Fail(errors.Errorf("a %T gave no node and no error: return what the graph's builder gives, or say why there is none with its Fail", by))
	}
	return y
}

// Forward applies the parts.
func (l Compose) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	for i, part := range l {
		if part == nil {
			b.Fail(errors.Errorf("part %d of a composed layer is missing", i+1))
			return nil
		}
		n := len(part.Params())
		b.Within(strconv.Itoa(i+1), func() { x = given(b, part, part.Forward(b, p[:n], x)) })
		if x == nil {
			return nil
		}
		p = p[n:]
	}
	return x
}
