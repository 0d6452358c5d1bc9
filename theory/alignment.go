package theory

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Change returns what the outputs change by, to first order, along a direction of the weights, [in, out] each:
//
//	d mu_L = sum_l a_l mu_{l-1} V_l P_{l+1}      [B, n_L]
func (p *Pass) Change(direction []*mat.Dense) *mat.Dense {
	t := tangent{net: p.net, dir: direction}
	z := dual{v: p.x}
	for i := range p.net.Weights {
		z = t.forward(i, z)
	}
	return z.d
}

// TargetAlignment returns the cosine of the angle between the change of the outputs by a small step against a gradient and the error
// r = y - mu_L, over all samples together: 1 where the step takes the outputs straight to their targets, 0 where either vanishes.
// (Oliviers, Lominadze and Bogacz 2026, arXiv 2605.11911.)
func (p *Pass) TargetAlignment(g Gradient) float64 {
	d := p.Change(g.Dense())
	norm := math.Sqrt(dot(d, d) * dot(p.Residual, p.Residual))
	if norm == 0 {
		return 0
	}
	return -dot(d, p.Residual) / norm
}
