package arch

import (
	"slices"
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/layers"
)

// MLP is a chain of linear layers of the given widths, input first and output last, with act in front of every layer
// but the first and biases throughout. s nil means SP.
func MLP(s Scaling, act layers.Act, widths ...int) (*Network, error) {
	return Chain{Scaling: s, Act: act, Widths: widths, Bias: true}.Network()
}

// ResMLP is MLP without biases and with an identity skip over every layer but the first and the last, whose hidden
// widths must therefore be equal: the residual networks of muPC (arXiv 2505.13124).
func ResMLP(s Scaling, act layers.Act, widths ...int) (*Network, error) {
	return Chain{Scaling: s, Act: act, Widths: widths, Skips: true}.Network()
}

// A Chain describes a chain of linear layers, block1, block2, ...
type Chain struct {
	Scaling Scaling
	Act     layers.Act
	Widths  []int // input, hidden ..., output
	Bias    bool
	Skips   bool // identity skips over layers 2 .. L-1
}

// Network builds the network.
func (c Chain) Network() (*Network, error) {
	if len(c.Widths) < 2 {
		return nil, errors.Errorf("arch: a chain of widths %v: give the input's and the output's at least", c.Widths)
	}
	for i, w := range c.Widths {
		if w <= 0 {
			return nil, errors.Errorf("arch: width %d of %v is not positive", i, c.Widths)
		}
	}
	n := &Network{Input: []int{c.Widths[0]}, Scaling: c.Scaling}
	for l := 1; l < len(c.Widths); l++ {
		in, out := c.Widths[l-1], c.Widths[l]
		layer := layers.Linear{In: in, Out: out, Act: c.Act, Bias: c.Bias}
		if l == 1 {
			layer.Act = layers.LinearAct
		}
		b := Block{Name: "block" + strconv.Itoa(l), Layer: layer}
		if c.Skips && l > 1 && l < len(c.Widths)-1 {
			if in != out {
				return nil, errors.Errorf("arch: the identity skip over block%d joins widths %d and %d: make the hidden widths equal", l, in, out)
			}
			b.Skips = []Skip{{Layer: layers.Identity{}}}
		}
		n.Blocks = append(n.Blocks, b)
	}
	return n.checked()
}

// Amortiser describes the mirror of a chain: from what the chain gives it guesses, in one pass, every activity and in the end
// the input. Its blocks are named after the sites that they guess: for widths D, .., N_{L-1}, K,
//
//	block(L-1) = y W, .., block1 = act(block2) W, x = act(block1) W    its input is named after the chain's output
//
// with no activation in front of the first, as in Chain; skips are identities over the guesses of hidden sites.
func Amortiser(of Chain) (*Network, error) {
	c := of
	c.Widths = slices.Clone(of.Widths)
	slices.Reverse(c.Widths)
	n, err := c.Network()
	if err != nil {
		return nil, err
	}
	last := len(c.Widths) - 1
	n.Input, n.Inputs = nil, []Input{{Name: "block" + strconv.Itoa(last), Shape: n.Input}}
	for i := range n.Blocks {
		n.Blocks[i].Name = "block" + strconv.Itoa(last-1-i)
		if i == last-1 {
			n.Blocks[i].Name = InputName
		}
	}
	return n, nil
}
