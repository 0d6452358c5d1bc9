package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// AdamSpans are the factors of rate, epsilon and decay that a network's scaling asks of Adam and AdamW, for an optimiser
// over the slab w of its weights. Biases, gains and precisions are not decayed. It panics when w is not the network's.
func AdamSpans[T graph.Float](n *arch.Network, w *graph.Vector[T]) []optim.Span {
	return spans(n, w, func(f arch.Factors) optim.Span { return optim.Span{Factor: f.Adam, Eps: f.Eps, Decay: f.Decay} })
}

// SGDSpans are the factors of the rate that it asks of SGD, with or without momentum. Biases, gains and precisions are not
// decayed. It panics when w is not the network's.
func SGDSpans[T graph.Float](n *arch.Network, w *graph.Vector[T]) []optim.Span {
	return spans(n, w, func(f arch.Factors) optim.Span { return optim.Span{Factor: f.SGD} })
}

// MetaPCNDeviations are the standard deviations of Meta-PCN (Ha et al., ICLR 2026, openreview kE5jJUHl9i) for optim.Standardize over
// the slab w of a network's weights: of every matrix and kernel, as the layers see it with its forward factor,
//
//	1/(sqrt m + sqrt n)      m outputs, n inputs; of a convolution m channels out, n = kernel height * kernel width * channels in
//
// With it the largest singular value of a random matrix is about 1. Biases, gains and precisions are left alone. It panics when w is not
// the network's.
func MetaPCNDeviations[T graph.Float](n *arch.Network, w *graph.Vector[T]) []optim.Deviation {
	checkSlab(n, w)
	var all []optim.Deviation
	for i, weight := range n.Weights() {
		p := weight.Param
		if p.Bias || p.Role == layers.GainRole || len(p.Shape) < 2 {
			continue
		}
		area := 1
		for _, d := range p.Shape[:len(p.Shape)-2] {
			area *= d
		}
		lo, hi := w.Span(i)
		std := 1 / (math.Sqrt(float64(p.FanOut)/float64(area)) + math.Sqrt(float64(p.FanIn)))
		all = append(all, optim.Deviation{Lo: lo, Hi: hi, Std: std / weight.Factors.Forward})
	}
	return all
}

// InWhole moves spans over a slab that is a part of another to where they are in the whole: for the optimiser that trains
// networks of arch.NewWeightsTogether,
//
//	append(InWhole(parts[0], AdamSpans(generator, parts[0])), InWhole(parts[1], AdamSpans(amortiser, parts[1]))...)
func InWhole[T graph.Float](part *graph.Vector[T], spans []optim.Span) []optim.Span {
	_, at := part.Whole()
	moved := slices.Clone(spans)
	for i := range moved {
		moved[i].Lo, moved[i].Hi = moved[i].Lo+at, moved[i].Hi+at
	}
	return moved
}

// spans leaves out weights whose factors are one, and makes one span of neighbours that are alike.
func spans[T graph.Float](n *arch.Network, w *graph.Vector[T], of func(arch.Factors) optim.Span) []optim.Span {
	weights := checkSlab(n, w)
	var all []optim.Span
	for i, weight := range weights {
		s := of(weight.Factors)
		s.NoDecay = weight.Param.Bias || weight.Param.Role == layers.GainRole
		if s == (optim.Span{Factor: 1}) {
			continue
		}
		lo, hi := w.Span(i)
		if k := len(all) - 1; k >= 0 && all[k].Hi == lo {
			s.Lo, s.Hi = all[k].Lo, lo
			if s == all[k] {
				all[k].Hi = hi
				continue
			}
		}
		s.Lo, s.Hi = lo, hi
		all = append(all, s)
	}
	return all
}

// checkSlab returns the weights of a network, and panics when w is not their slab.
func checkSlab[T graph.Float](n *arch.Network, w *graph.Vector[T]) []arch.Weight {
	if n == nil || w == nil {
		panic("train: spans without a network or its weights")
	}
	weights := n.Weights()
	if !slices.EqualFunc(weights, w.Fields(), func(a arch.Weight, f graph.Field) bool {
		return a.Name == f.Name && slices.Equal(a.Param.Shape, f.Shape)
	}) {
		panic(fmt.Sprintf("train: spans of a slab that is not the network's: %d fields of %d numbers, and the network has %d weights", len(w.Fields()), len(w.Data()), len(weights)))
	}
	return weights
}
