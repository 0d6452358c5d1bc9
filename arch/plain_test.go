package arch_test

import (
	"math"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// plain is a network's forward pass in plain loops: the independent implementation that models are held against. Each
// sample's activity is its prediction plus errs of the block, nil for none.
type plain struct {
	mu, z map[string][]float64 // [batch, width] by block; z["x"] is the input
}

func plainForward(n *arch.Network, w *graph.Vector[float64], x []float64, batch int, errs func(block string) []float64) plain {
	p := plain{mu: map[string][]float64{}, z: map[string][]float64{"x": x}}
	at := 0
	apply := func(l layers.Layer, x []float64) []float64 {
		lin, is := l.(layers.Linear)
		if !is {
			return x
		}
		weight := w.Part(w.Data(), at)
		bias := make([]float64, lin.Out)
		at++
		if lin.Bias {
			bias = w.Part(w.Data(), at)
			at++
		}
		y := make([]float64, batch*lin.Out)
		for i := range batch {
			for k := range lin.Out {
				s := bias[k]
				for j := range lin.In {
					s += tanhOrNot(lin.Act, x[i*lin.In+j]) * weight[j*lin.Out+k]
				}
				y[i*lin.Out+k] = s
			}
		}
		return y
	}
	previous := "x"
	for i, b := range n.Blocks {
		if len(b.From) > 0 {
			previous = b.From[0]
		}
		first := at
		mu := append([]float64(nil), apply(b.Layer, p.z[previous])...)
		if len(b.Layer.Params()) > 0 {
			for k := range mu {
				mu[k] *= n.Weights()[first].Factors.Forward
			}
		}
		for _, s := range b.Skips {
			from := previous
			if s.From != "" {
				from = s.From
			}
			for k, v := range apply(s.Layer, p.z[from]) {
				mu[k] += v
			}
		}
		z := append([]float64(nil), mu...)
		if errs != nil && i < len(n.Blocks)-1 {
			for k, e := range errs(b.Name) {
				z[k] += e
			}
		}
		p.mu[b.Name], p.z[b.Name] = mu, z
		previous = b.Name
	}
	return p
}

func tanhOrNot(a layers.Act, x float64) float64 {
	switch a {
	case layers.LinearAct:
		return x
	case layers.Tanh:
		return math.Tanh(x)
	}
	panic("the plain loops know tanh only")
}

// halfSquare is 1/2B |a - b|^2.
func halfSquare(a, b []float64, batch int) float64 {
	s := 0.0
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i]) / 2 / float64(batch)
	}
	return s
}
