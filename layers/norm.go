package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// normEps is the Eps of normalisations that give none.
const normEps = 1e-5

// LayerNorm standardises the features of every sample or token (Ba et al. 2016, arXiv 1607.06450):
//
//	f(x) = (x - mean) / sqrt(var + Eps) * g + c    x [batch, ..., Width], g [Width], c [Width]
//
// with mean and variance over the last axis. Eps 0 means 1e-5. Without Gain there is no g, without Bias no c.
type LayerNorm struct {
	Width      int
	Eps        float64
	Gain, Bias bool
}

var _ Layer = LayerNorm{}

// Params are g and c, where they are wanted.
func (l LayerNorm) Params() []Param {
	var ps []Param
	if l.Gain {
		ps = append(ps, gain(l.Width))
	}
	if l.Bias {
		ps = append(ps, Param{Name: "c", Shape: []int{l.Width}, FanIn: 1, FanOut: 1, Bias: true})
	}
	return ps
}

func gain(width int) Param {
	return Param{Name: "g", Shape: []int{width}, FanIn: 1, FanOut: 1, Bias: true, Role: GainRole}
}

// Forward returns the standardised x g + c, of x's shape.
func (l LayerNorm) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !features(b, "a layer normalisation", x, l.Width) {
		return nil
	}
	y := b.LayerNorm(x, epsOf(l.Eps))
	if l.Gain {
		y, p = b.MulRow(y, p[0]), p[1:]
	}
	if l.Bias {
		y = b.AddRow(y, p[0])
	}
	return y
}

// RMSNorm divides the features of every sample or token by their root mean square (Zhang and Sennrich 2019,
// arXiv 1910.07467):
//
//	f(x) = x / sqrt(mean(x^2) + Eps) * g    x [batch, ..., Width], g [Width]
//
// with the mean over the last axis. Eps 0 means 1e-5. Without Gain there is no g.
type RMSNorm struct {
	Width int
	Eps   float64
	Gain  bool
}

var _ Layer = RMSNorm{}

// Params is g, if it is wanted.
func (l RMSNorm) Params() []Param {
	if l.Gain {
		return []Param{gain(l.Width)}
	}
	return nil
}

// Forward returns x g divided by its root mean square, of x's shape.
func (l RMSNorm) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !features(b, "a root-mean-square normalisation", x, l.Width) {
		return nil
	}
	y := b.RMSNorm(x, epsOf(l.Eps))
	if l.Gain {
		y = b.MulRow(y, p[0])
	}
	return y
}

func epsOf(eps float64) float64 {
	if eps == 0 {
		return normEps
	}
	return eps
}

// features checks that x is [batch, ..., width].
func features(b *graph.Builder, what string, x *graph.Node, width int) bool {
	if b.Err() != nil {
		return false
	}
	if s := x.Shape(); len(s) < 2 || s[len(s)-1] != width {
		b.Fail(errors.Errorf("%s of width %d is given shape %v ([batch, ..., features]): make the width what the block before it gives", what, width, []int(s)))
		return false
	}
	return true
}

// tokens checks that x is [batch, tokens, width].
func tokens(b *graph.Builder, what string, x *graph.Node, width int) bool {
	if b.Err() == nil && len(x.Shape()) != 3 {
		b.Fail(errors.Errorf("%s is given shape %v: want [batch, tokens, features]", what, []int(x.Shape())))
	}
	return features(b, what, x, width)
}
