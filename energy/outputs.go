package energy

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Outputs is an energy whose terms at the outputs are multiplied by Factor, which may be negative: a nudge of strength
// Factor, with the output's term as the cost,
//
//	F = F_hidden + Factor C
//
// (Scellier and Bengio 2017, equation 3). A negative factor pushes away from the target; it must be small enough for the
// hidden terms to hold the activities.
type Outputs struct {
	Of     Functional
	Factor float64
}

var _ Functional = Outputs{}

// Terms adds those of Of, with the factor.
func (f Outputs) Terms(b *graph.Builder, l Latents) []Term {
	if f.Of == nil || math.IsNaN(f.Factor) || math.IsInf(f.Factor, 0) || f.Factor == 0 {
		b.Fail(errors.Errorf("Outputs of %v times %v: want an energy and a finite factor that is not 0", f.Of, f.Factor))
		return nil
	}
	ts := f.Of.Terms(b, l)
	outputs := make(map[string]bool)
	for _, p := range l.Predictions {
		outputs[p.Name] = p.Output
	}
	for i, t := range ts {
		if outputs[t.Name] && t.Node != nil {
			ts[i].Node = b.Scale(t.Node, f.Factor)
		}
	}
	return ts
}
