package arch

import (
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/layers"
)

// A Transformer describes the language model of arXiv 2602.07697: an embedding of one-hot tokens with learned positions,
// Blocks blocks, and a head that gives the logits of the next token.
//
//	embedding   z = x E + P                                  x [tokens, vocab]
//	block       z' = y + 1/Blocks ff(norm(y)),  y = z + 1/Blocks attention(norm(z))
//	head        norm(z) W
//
// A block is one site, or its two halves are. There are no biases. Logits of attention are scaled by 1/d in the scalings of
// the muP family and by 1/sqrt(d) in the others, d being the width of a head.
type Transformer struct {
	Scaling Scaling // nil means SP
	Vocab   int
	Tokens  int // length of a sequence
	Width   int
	Heads   int        // 0 means 1
	Blocks  int        // 0 means 1
	Act     layers.Act // of the feed-forward parts; linear is taken for GELU
	Halves  bool       // attention and feed-forward part are sites of their own
	Norm    bool       // layer normalisation in front of every part
	Full    bool       // every token sees all, not only those before it
}

// Network builds the network. Errors name what cannot be built.
func (c Transformer) Network() (*Network, error) {
	heads, blocks := max(1, c.Heads), max(1, c.Blocks)
	switch {
	case c.Vocab < 1 || c.Tokens < 1 || c.Width < 1:
		return nil, errors.Errorf("arch: a transformer of %d tokens out of %d, width %d: want positive numbers", c.Tokens, c.Vocab, c.Width)
	case c.Heads < 0 || c.Width%heads != 0:
		return nil, errors.Errorf("arch: a transformer of width %d with %d heads: the heads must divide the width", c.Width, c.Heads)
	}
	act := c.Act
	if act == layers.LinearAct {
		act = layers.GELU
	}
	scale := 0.
	of := c.Scaling
	if scaled, ok := of.(Scaled); ok {
		of = scaled.Of
	}
	switch of.(type) {
	case MuP, MuPC, CompleteP:
		scale = 1 / float64(c.Width/heads)
	}
	half := func(inner layers.Layer) layers.Layer {
		if c.Norm {
			inner = layers.Compose{layers.LayerNorm{Width: c.Width}, inner}
		}
		return layers.Residual{Inner: inner, Factor: 1 / float64(blocks)}
	}
	attention := half(layers.Attention{Width: c.Width, Heads: heads, Causal: !c.Full, Scale: scale})
	feed := half(layers.FeedForward{Width: c.Width, Act: act})
	n := &Network{Input: []int{c.Tokens, c.Vocab}, Scaling: c.Scaling, Blocks: []Block{
		{Name: "embedding", Layer: layers.Compose{layers.Linear{In: c.Vocab, Out: c.Width}, layers.Position{Tokens: c.Tokens, Width: c.Width}}},
	}}
	for k := range blocks {
		name := "block" + strconv.Itoa(k+1)
		if c.Halves {
			n.Blocks = append(n.Blocks, Block{Name: name + "attention", Layer: attention}, Block{Name: name + "feed", Layer: feed})
		} else {
			n.Blocks = append(n.Blocks, Block{Name: name, Layer: layers.Compose{attention, feed}})
		}
	}
	var head layers.Layer = layers.Linear{In: c.Width, Out: c.Vocab}
	if c.Norm {
		head = layers.Compose{layers.LayerNorm{Width: c.Width}, head}
	}
	n.Blocks = append(n.Blocks, Block{Name: "head", Layer: head})
	return n.checked()
}
