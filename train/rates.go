package train

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/optim"
)

// AdamSpans are the learning-rate factors that a network's scaling asks of Adam and its kin, for an optimiser over the
// slab w of its weights.
func AdamSpans[T graph.Float](n *arch.Network, w *graph.Vector[T]) []optim.Span {
	return spans(n, w, func(f arch.Factors) float64 { return f.Adam })
}

// SGDSpans are those that it asks of SGD, with or without momentum.
func SGDSpans[T graph.Float](n *arch.Network, w *graph.Vector[T]) []optim.Span {
	return spans(n, w, func(f arch.Factors) float64 { return f.SGD })
}

// spans leaves out factors of one.
func spans[T graph.Float](n *arch.Network, w *graph.Vector[T], factor func(arch.Factors) float64) []optim.Span {
	var s []optim.Span
	for i, weight := range n.Weights() {
		if f := factor(weight.Factors); f != 1 {
			lo, hi := w.Span(i)
			s = append(s, optim.Span{Lo: lo, Hi: hi, Factor: f})
		}
	}
	return s
}
