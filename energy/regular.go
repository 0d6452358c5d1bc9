package energy

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// WeightDecay is Rate/2 sum |W|^2 over the weights of all layers; biases are left alone. It is not divided by the
// batch size. (JPC leaves out every layer but bare linear ones: docs/DIVERGENCE.md.)
type WeightDecay struct{ Rate float64 }

var _ Functional = WeightDecay{}

// Terms adds one term, "weight decay".
func (f WeightDecay) Terms(b *graph.Builder, l Latents) []Term {
	return penalty(b, "weight decay", f.Rate, l.Weights, func(w *graph.Node) *graph.Node { return b.HalfSquare(w, f.Rate, 1) })
}

// Spectral is Rate/2 sum |W W^T - I|^2 over the matrices W [in, out] of all layers: it pulls the maps towards
// isometries. It is not divided by the batch size.
type Spectral struct{ Rate float64 }

var _ Functional = Spectral{}

// Terms adds one term, "spectral".
func (f Spectral) Terms(b *graph.Builder, l Latents) []Term {
	var matrices []Named
	for _, w := range l.Weights {
		if w.Node != nil && w.Node.Shape().Dims() == 2 {
			matrices = append(matrices, w)
		}
	}
	return penalty(b, "spectral", f.Rate, matrices, func(w *graph.Node) *graph.Node {
		return b.HalfSquare(b.SubIdentity(b.MatMul(w, w, false, true)), f.Rate, 1)
	})
}

// ActivityDecay is Rate/2 sum |z|^2 over the free activities, per sample and averaged over the batch.
type ActivityDecay struct{ Rate float64 }

var _ Functional = ActivityDecay{}

// Terms adds one term, "activity decay".
func (f ActivityDecay) Terms(b *graph.Builder, l Latents) []Term {
	return penalty(b, "activity decay", f.Rate, l.Free, func(z *graph.Node) *graph.Node { return b.HalfSquare(z, f.Rate, l.Batch) })
}

// penalty adds the sum of one(w) over ws as a term, or none at rate 0 or if ws is empty.
func penalty(b *graph.Builder, name string, rate float64, ws []Named, one func(*graph.Node) *graph.Node) []Term {
	if rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0) {
		b.Fail(errors.Errorf("%s of rate %v: want zero or a positive number", name, rate))
	}
	if rate == 0 || len(ws) == 0 || b.Err() != nil {
		return nil
	}
	coefs, parts := make([]float64, len(ws)), make([]*graph.Node, len(ws))
	for i, w := range ws {
		coefs[i], parts[i] = 1, one(w.Node)
	}
	return []Term{{Name: name, Node: b.Combine(coefs, parts...)}}
}
