// Package icl checks "A Simple Generalisation of the Implicit Dynamics of In-Context Learning" (arXiv 2512.11255) and the setting of Dherin
// et al., "Learning without training" (2507.16003): a transformer block in its context is the block on the query alone with a change
// of its weights. It also asks what neither paper does: what the changes are in a transformer that predictive coding has trained.
//
// The papers' texts were not at hand: statements are those of the released code (github.com/francesco-innocenti/generalising-icl) and
// of notes. docs/ICL.md lists figures and claims.
package icl

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return []claim.Claim{identity, rankOne, gatedToo, implicitDescent, learns, theoryCurve, alignment, lastToken, blockAlignment, norms, sweep, dherin, underPC}
}

// paper begins the source of every claim of the paper.
const paper = "A Simple Generalisation of the Implicit Dynamics of In-Context Learning (arXiv 2512.11255); its released code"

// generator is the source of all randomness of a cell.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2512_11255)) }

// A transformer is the released code's: pre-norm blocks without embedding or positions, a feed-forward part of three matrices with GELU
// twice. The prediction is the last feature of the last token.
type transformer struct {
	Pairs  int    `json:"pairs"`
	Dim    int    `json:"dim"`
	Heads  int    `json:"heads"`
	Blocks int    `json:"blocks"`
	Skip   bool   `json:"skip"`
	Norm   string `json:"norm"` // none, layer, rms
	Causal bool   `json:"causal"`
	Gated  bool   `json:"gated"` // a gated feed-forward part without biases in place of the three matrices
}

// released are the defaults of the released code.
var released = transformer{Pairs: 50, Dim: 2, Heads: 3, Blocks: 5, Skip: true, Norm: "none", Causal: true}

// String is short, for messages and legends.
func (c transformer) String() string {
	s := fmt.Sprintf("%d blocks", c.Blocks)
	for _, add := range []struct {
		is   bool
		text string
	}{{!c.Skip, "no skips"}, {c.Norm == "layer", "layer norm"}, {c.Norm == "rms", "RMS norm"}, {!c.Causal, "not causal"}, {c.Gated, "gated"}, {c.Dim != 2, fmt.Sprintf("D=%d", c.Dim)},
		{c.Heads != 3, fmt.Sprintf("heads %d", c.Heads)}, {c.Pairs != 50, fmt.Sprintf("N=%d", c.Pairs)}} {
		if add.is {
			s += ", " + add.text
		}
	}
	return s
}

func (c transformer) width() int  { return c.Dim + 1 }
func (c transformer) tokens() int { return c.Pairs + 1 }

// network is the transformer with whole blocks as sites, or with their halves.
func (c transformer) network(halves bool) *arch.Network {
	n := c.width()
	branch := func(inner layers.Layer) layers.Layer {
		switch c.Norm {
		case "layer":
			inner = layers.Compose{layers.LayerNorm{Width: n, Gain: true, Bias: true}, inner}
		case "rms":
			inner = layers.Compose{layers.RMSNorm{Width: n, Gain: true}, inner}
		}
		if c.Skip {
			return layers.Residual{Inner: inner}
		}
		return inner
	}
	attention := branch(layers.Attention{Width: n, Heads: c.Heads, Causal: c.Causal})
	var mlp layers.Layer = layers.Compose{layers.Linear{In: n, Out: 4 * n, Bias: true}, layers.Linear{In: 4 * n, Out: 4 * n, Act: layers.GELU, Bias: true},
		layers.Linear{In: 4 * n, Out: n, Act: layers.GELU, Bias: true}}
	if c.Gated {
		mlp = layers.GatedFeedForward{Width: n, Act: layers.SiLU}
	}
	feed := branch(mlp)
	net := &arch.Network{Input: []int{c.tokens(), n}}
	for k := range c.Blocks {
		name := fmt.Sprintf("block%d", k+1)
		if halves {
			net.Blocks = append(net.Blocks, arch.Block{Name: name + "attention", Layer: attention}, arch.Block{Name: name + "feed", Layer: feed})
		} else {
			net.Blocks = append(net.Blocks, arch.Block{Name: name, Layer: layers.Compose{attention, feed}})
		}
	}
	// what is read of the last block is part of its site's prediction
	last := &net.Blocks[len(net.Blocks)-1]
	size := c.tokens() * n
	last.Layer = layers.Compose{last.Layer, layers.Flatten{}, layers.Columns{From: size - 1, To: size}}
	return net
}

// tasks are sets of tasks for so many steps of training, and as many for tests.
func (c transformer) tasks(train, test int, seed uint64) (*data.Set, *data.Set, error) {
	return data.InContext{Pairs: c.Pairs, Dim: c.Dim, Train: train, Test: test, Seed: seed}.Load()
}

// batchAt are tasks [first, first+n) of a set.
func batchAt[T graph.Float](s *data.Set, first, n int) (x, y []T) {
	x, y = make([]T, n*s.In()), make([]T, n*s.Out())
	idx := make([]int, n)
	for i := range idx {
		idx[i] = first + i
	}
	data.Fill(s, x, y, idx)
	return x, y
}

// farthest is the largest difference.
func farthest[T graph.Float](a, b []T) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// listed joins numbers.
func listed(format string, values []float64) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf(format, v))
	}
	return strings.Join(words, ", ")
}

// short keeps four digits, so that records stay small.
func short(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}
