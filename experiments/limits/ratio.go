package limits

import (
	"fmt"
	"math"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var ratioDecides = claim.Claim{
	ID:     "limits/depth-over-width-decides",
	Source: paper + ": the limit N >> L; that depth and width enter as L/N is derived for this project from S = I + Theta(L/N)",
	Statement: "The cosine of the two gradients depends on depth and width almost only through L/N: from a width of 64 on, depths 4 to 64 at equal L/N " +
		"differ by .07 at most up to L/N = 1/4.",
	Paper: "width much larger than depth. An independent numpy program, L = 4 to 64: .944 to .886 at L/N = 1/4, .983 to .964 at 1/8, .995 to .990 at 1/16",
	Grid:  initial,
	Bounds: []claim.Bound{
		{Text: "depths at equal L/N differ by at most .28 L/N: .07 at 1/4, .035 at 1/8, .0175 at 1/16", Origin: claim.Before, Commit: "c8dad20",
			Note: "the independent program's values, which differ by .06, .02 and .005, were known"},
	},
	Check: equalRatiosAgree,
	Plot:  ratioFigure,
}

// equalRatiosAgree is the check of limits/depth-over-width-decides.
func equalRatiosAgree(t claim.Table) (string, error) {
	m := sizes(t, muPC, true, cosine)
	var off claim.Off
	var ours []string
	for _, over := range []int{4, 8, 16} { // N = over L
		lo, hi, n := 1., -1., 0
		for at, e := range m {
			if at.width == over*at.depth {
				lo, hi, n = min(lo, e.Mean), max(hi, e.Mean), n+1
			}
		}
		if n < 2 {
			return "", errors.Errorf("L/N = 1/%d: %d sizes", over, n)
		}
		ours = append(ours, fmt.Sprintf("%.3f to %.3f at L/N = 1/%d (%d depths)", lo, hi, over, n))
		if tolerance := .28 / float64(over); hi-lo > tolerance {
			off.Add("L/N = 1/%d: from %.3f to %.3f, want %.3f at most between them", over, lo, hi, tolerance)
		}
	}
	return strings.Join(ours, ", "), off.Err()
}

// ratioFigure is the figure of limits/depth-over-width-decides.
func ratioFigure(t claim.Table) []claim.Figure {
	panel := claim.Panel{Title: "Gradient: depth over width decides", X: claim.Axis{Label: "L / N", Log: true},
		Y: claim.Axis{Label: "1 - cosine of PC's gradient to BP's", Log: true}}
	energy := claim.Panel{Title: "Energy: likewise", X: claim.Axis{Label: "L / N", Log: true},
		Y: claim.Axis{Label: "loss / energy at equilibrium - 1", Log: true}}
	for _, p := range []struct {
		panel *claim.Panel
		value func(meets) float64
		sign  float64
		law   func(x float64) float64
		name  string
	}{
		{&panel, cosine, -1, func(x float64) float64 { return 2.5 * x * x }, "2.5 (L/N)²"},
		{&energy, ratio, 1, func(x float64) float64 { return (math.E - 1) * x }, "(e-1) L/N"},
	} {
		m := sizes(t, muPC, true, p.value)
		depths, widths := axes(m)
		for _, l := range depths {
			line := along(m, l, widths, fmt.Sprintf("L=%d", l))
			line.Low, line.High = nil, nil
			for i := range line.Y {
				line.X[i], line.Y[i] = float64(l)/line.X[i], p.sign*(line.Y[i]-1)
			}
			p.panel.Lines = append(p.panel.Lines, line)
		}
		law := claim.Line{Name: p.name, Reference: true}
		for x := 1. / 256; x <= .5; x *= 2 {
			law.X, law.Y = append(law.X, x), append(law.Y, p.law(x))
		}
		p.panel.Lines = append(p.panel.Lines, law)
	}
	return []claim.Figure{{Name: "limits-collapse",
		Caption: "All sizes of linear residual muPC networks on one axis: the curves of depths from 4 to 64 fall together.",
		Panels:  []claim.Panel{panel, energy}}}
}
