package arch

import (
	"strconv"
	"strings"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// A Bidirectional describes a chain whose sites are predicted from both sides (bidirectional predictive coding: Oliviers,
// Tang and Bogacz 2025, arXiv 2505.23415; JPC's bpc_energy_fn): block1 .. blockL forwards as in Chain, and back1 .. backL
// backwards, where back_k predicts z_{k-1} from z_k,
//
//	F = Forward/2 sum_l |z_l - block_l(z_{l-1})|^2 + Backward/2 sum_l |z_{l-1} - back_l(z_l)|^2    z_0 = x, z_L = y
//
// One inference and one weight gradient train both directions, with both ends clamped. With Plan.FreeOutput the trained
// network infers y from x, with Plan.FreeInput x from y; Predict is the forward pass alone, that of Backwards the other. Neither block1 nor backL has an
// activation in front: what they read is data.
type Bidirectional struct {
	Chain
	Forward, Backward float64 // weights of the two energies; 0 means 1
}

// backName names the block that predicts site k-1 from site k.
func backName(k int) string { return "back" + strconv.Itoa(k) }

// Network builds the network: the chain's blocks and then back1, back2, ... Skips are identities backwards, too.
func (c Bidirectional) Network() (*Network, error) {
	n, err := c.Chain.Network()
	if err != nil {
		return nil, err
	}
	n.Blocks[len(n.Blocks)-1].Output = true
	last := len(c.Widths) - 1
	for k := 1; k <= last; k++ {
		b := Block{
			Name:     backName(k),
			Layer:    layers.Linear{In: c.Widths[k], Out: c.Widths[k-1], Act: c.Act, Bias: c.Bias},
			From:     []string{"block" + strconv.Itoa(k)},
			Predicts: InputName,
		}
		if k > 1 {
			b.Predicts = "block" + strconv.Itoa(k-1)
		}
		if k == last {
			b.Layer = layers.Linear{In: c.Widths[k], Out: c.Widths[k-1], Bias: c.Bias}
		}
		if c.Skips && k > 1 && k < last {
			b.Skips = []Skip{{Layer: layers.Identity{}}}
		}
		n.Blocks = append(n.Blocks, b)
	}
	return n.checked()
}

// Backwards is the blocks backwards of c as a network of their own, over the same weights, a part of w: from y, an input named as
// the network's output, it predicts every site and in the end x. It is one pass for what FreeInput infers, and where that may
// begin (rules.Amortised).
func Backwards[T graph.Float](c Bidirectional, w *graph.Vector[T]) (*Network, *graph.Vector[T], error) {
	both, err := c.Network()
	if err != nil {
		return nil, nil, err
	}
	if err := checkWeights(both, w); err != nil {
		return nil, nil, err
	}
	last := len(c.Widths) - 1
	n := &Network{Inputs: []Input{{Name: "block" + strconv.Itoa(last), Shape: []int{c.Widths[last]}}}, Scaling: c.Scaling}
	site := make(map[string]string) // by block backwards
	for _, b := range both.Blocks[last:] {
		site[b.Name] = b.Predicts
		n.Blocks = append(n.Blocks, Block{Name: b.Predicts, Layer: b.Layer, From: b.From, Skips: b.Skips, Output: b.Predicts == InputName})
	}
	fields := len(w.Fields())
	part := w.Sub(fields-len(n.Weights()), fields, func(name string) string {
		block, weight, _ := strings.Cut(name, "/")
		return site[block] + "/" + weight
	})
	return n, part, nil
}

// Energy is the energy of the network for Plan.Energy. Its Output may be replaced by another likelihood.
func (c Bidirectional) Energy() energy.PC {
	forward, back := energy.Gaussian{Precision: c.Forward}, energy.Gaussian{Precision: c.Backward}
	e := energy.PC{Hidden: forward, Output: forward, Blocks: make(map[string]energy.Likelihood)}
	for k := 1; k < len(c.Widths); k++ {
		e.Blocks[backName(k)] = back
	}
	return e
}

// Coupled is Energy with extra errors, for Dendrites: with previous, that of the prediction back of a site's neighbour before,
// back_l, joins the site's own, block_l; with next, that of the neighbour behind, block_{l+1}, joins that of the prediction of
// the site from there, back_{l+1}. They join at hidden sites, where the two errors have one width.
func (c Bidirectional) Coupled(previous, next bool) energy.Coupled {
	e := energy.Coupled{PC: c.Energy(), Extra: make(map[string][]string)}
	for l := 1; l < len(c.Widths)-1; l++ {
		if block := "block" + strconv.Itoa(l); previous && c.Widths[l] == c.Widths[l-1] {
			e.Extra[block] = []string{backName(l)}
		}
		if behind := "block" + strconv.Itoa(l+1); next && c.Widths[l] == c.Widths[l+1] {
			e.Extra[backName(l+1)] = []string{behind}
		}
	}
	return e
}
