package energy

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// AugmentedLagrangian takes the hidden predictions of an energy for constraints, z_l = mu_l, with the errors c_l = z_l - mu_l
// as their residuals:
//
//	L = F_output + 1/B sum_i sum_l (Penalty/2 |c_l|^2 + lambda_l c_l)
//
// for hidden terms 1/2 |c_l|^2; terms of any other kind are multiplied by Penalty. The multipliers lambda_l [batch, ...] are inputs
// of the graph, graph.Multiplier: they begin at zero and ascend,
//
//	lambda_l <- lambda_l + Ascent c_l
//
// while the activities descend. Each multiplied term is named after its block, "block1/multiplier". (PC-ALM, arXiv 2605.31022;
// there the energy is L + 1/2B sum |lambda|^2/Penalty, which has the same gradients.)
type AugmentedLagrangian struct {
	Of      Functional // nil means PC{}
	Penalty float64    // rho; 0 means 1
	Ascent  float64    // alpha; 0 keeps the multipliers where they are
}

var _ Functional = AugmentedLagrangian{}

// Terms adds those of Of, the hidden ones times Penalty, and one for each multiplier.
func (f AugmentedLagrangian) Terms(b *graph.Builder, l Latents) []Term {
	if f.Of == nil {
		f.Of = PC{}
	}
	if f.Penalty == 0 {
		f.Penalty = 1
	}
	if !(f.Penalty > 0) || !(f.Ascent >= 0) || math.IsInf(f.Penalty+f.Ascent, 1) {
		b.Fail(errors.Errorf("AugmentedLagrangian of Penalty %v and Ascent %v: want a positive number and one that is not negative", f.Penalty, f.Ascent))
		return nil
	}
	ts := f.Of.Terms(b, l)
	hidden := make(map[string]bool)
	for _, p := range l.Predictions {
		hidden[p.Name] = !p.Output
	}
	for i, t := range ts {
		if hidden[t.Name] && t.Node != nil && f.Penalty != 1 {
			ts[i].Node = b.Scale(t.Node, f.Penalty)
		}
	}
	for _, p := range l.Predictions {
		if p.Output || b.Err() != nil {
			continue
		}
		b.Within(p.Name, func() {
			lambda := b.Multiplier("multiplier", f.Ascent, p.Mean.Shape()...)
			ts = append(ts, Term{Name: p.Name + "/multiplier", Node: b.Scale(b.Inner(lambda, errorOf(b, p)), 1/float64(l.Batch))})
		})
	}
	return ts
}
