package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Residual adds what a layer computes to its input:
//
//	f(x) = x + Factor Inner(x)
//
// Factor 0 means 1; deep networks take 1/depth or 1/sqrt(depth). It is for branches inside a block: a pre-norm
// transformer block is
//
//	layers.Compose{
//		layers.Residual{Inner: layers.Compose{layers.LayerNorm{Width: n}, layers.Attention{Width: n, Heads: h}}},
//		layers.Residual{Inner: layers.Compose{layers.LayerNorm{Width: n}, layers.FeedForward{Width: n, Act: layers.GELU}}},
//	}
//
// as one site, or its two parts as two. A skip between sites, which a scaling leaves alone, is arch.Skip.
type Residual struct {
	Inner  Layer
	Factor float64
}

var _ Layer = Residual{}

// Params are those of Inner.
func (l Residual) Params() []Param {
	if l.Inner == nil {
		return nil
	}
	return l.Inner.Params()
}

// Forward returns x + Factor Inner(x), of x's shape.
func (l Residual) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if l.Inner == nil {
		b.Fail(errors.New("a residual layer has no inner layer: set Inner"))
		return nil
	}
	y := given(b, l.Inner, l.Inner.Forward(b, p, x))
	if b.Err() != nil {
		return nil
	}
	if !y.Shape().Eq(x.Shape()) {
		b.Fail(errors.Errorf("a residual layer's inner layer makes shape %v of %v: it must keep the shape", []int(y.Shape()), []int(x.Shape())))
		return nil
	}
	factor := l.Factor
	if factor == 0 {
		factor = 1
	}
	return b.Combine([]float64{1, factor}, x, y)
}
