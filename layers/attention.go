package layers

import (
	"math"

	"github.com/pcgraph/pcgraph/graph"
)

// Attention is multi-head attention of the tokens of a sample to each other (Vaswani et al. 2017, arXiv 1706.03762):
//
//	[q k v] = x Wqkv + bqkv    x [batch, tokens, Width], Wqkv [Width, 3 Width]
//	f(x)    = concat_h(softmax(Scale q_h k_h^T) v_h) Wo + bo    Wo [Width, Width]
//
// where head h has the features [h d, (h+1) d) of q, k and v, d = Width/Heads. Logits of any finite size are safe.
type Attention struct {
	Width, Heads int
	Causal       bool    // a token sees itself and those before it; otherwise all
	Scale        float64 // of the logits; 0 means 1/sqrt(d), muP takes 1/d (Yang et al. 2022, arXiv 2203.03466)
	Bias         bool    // there are bqkv [3 Width] and bo [Width]
	// Padding adds the clamped input "padding" [batch, tokens] to the network, beside the data (arch.Model.SetLayerInput):
	// tokens whose number is positive are seen by none. It is zero, nothing hidden, until it is filled. A token that sees
	// none gives zeros (before bo).
	Padding bool
}

var _ Layer = Attention{}

// Params are Wqkv, Wo and, with Bias, bqkv and bo.
func (l Attention) Params() []Param {
	n := l.Width
	ps := []Param{
		{Name: "Wqkv", Shape: []int{n, 3 * n}, FanIn: n, FanOut: 3 * n},
		{Name: "Wo", Shape: []int{n, n}, FanIn: n, FanOut: n},
	}
	if l.Bias {
		ps = append(ps,
			Param{Name: "bqkv", Shape: []int{3 * n}, FanIn: n, FanOut: 3 * n, Bias: true},
			Param{Name: "bo", Shape: []int{n}, FanIn: n, FanOut: n, Bias: true})
	}
	return ps
}

// Forward returns the heads' results projected by Wo, [batch, tokens, Width] -> [batch, tokens, Width].
func (l Attention) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !tokens(b, "attention", x, l.Width) {
		return nil
	}
	if err := l.Validate(); err != nil {
		b.Fail(err)
		return nil
	}
	scale := l.Scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(l.Width/l.Heads))
	}
	var padding, inBias, outBias *graph.Node
	if l.Padding {
		padding = b.Data("padding", x.Shape()[:2]...)
	}
	if l.Bias {
		inBias, outBias = p[2], p[3]
	}
	heads := b.Attention(b.Linear(x, p[0], inBias, 1), padding, l.Heads, scale, l.Causal)
	return b.Linear(heads, p[1], outBias, 1)
}
