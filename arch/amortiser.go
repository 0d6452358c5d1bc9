package arch

import (
	"slices"
	"strconv"
)

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
