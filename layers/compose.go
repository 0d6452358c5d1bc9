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
			continue // Forward tells
		}
		for _, p := range part.Params() {
			p.Name = strconv.Itoa(i+1) + "/" + p.Name
			ps = append(ps, p)
		}
	}
	return ps
}

// Forward applies the parts.
func (l Compose) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	for i, part := range l {
		if part == nil {
			b.Fail(errors.Errorf("part %d of a composed layer is missing", i+1))
			return nil
		}
		n := len(part.Params())
		b.Within(strconv.Itoa(i+1), func() { x = part.Forward(b, p[:n], x) })
		p = p[n:]
	}
	return x
}
