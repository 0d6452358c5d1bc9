package limits

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var gradientsBecomeBackprop = claim.Claim{
	ID:        "limits/gradients-become-backprop",
	Source:    paper + ", theorem on gradients [second-hand], figure 1 (heat maps, read off)",
	Statement: "In linear residual networks in muPC, the cosine of PC's gradient at equilibrium to BP's rises to 1 as width outgrows depth.",
	Paper: "figure 1, CIFAR-10: L=32: .2 at N=8, .5 at N=32, .9 at N=128, .98 at N=512; L=16: .45, .85, .97 at N=8, 32, 128. An independent " +
		"numpy program on Gaussian inputs: L=32: .325, .549, .886, .990",
	Grid:  initial,
	Check: gradientsAlign,
	Bounds: []claim.Bound{
		{Text: "the cosine rises with width at every depth, by its scatter over seeds (two standard errors), to .998 at the widest of the shallowest", Origin: claim.Paper, Note: "theorem and figure 1"},
		{Text: "within .03 of the table from N=128 on, within .08 and two standard errors from N=32 on", Origin: claim.Independent, Note: "tables.go: means of 5 draws up to N = 128, of 3 at 256 and 512, one at 1024, numpy in float64"},
	},
	Plot: gradientsFigure,
}

// gradientsAlign is the check of limits/gradients-become-backprop.
func gradientsAlign(t claim.Table) (string, error) {
	m := sizes(t, muPC, true, cosine)
	var off claim.Off
	for at, e := range m {
		i := slices.Index(tableWidths, at.width)
		if i < 0 || tableCosine[at.depth] == nil || at.width < 32 {
			continue
		}
		tolerance := .03
		if at.width < 128 {
			tolerance = .08 + 2*e.Scatter()
		}
		if want := tableCosine[at.depth][i]; math.Abs(e.Mean-want) > tolerance {
			off.Add("L=%d, N=%d: %s, table %.4f", at.depth, at.width, e, want)
		}
	}
	rising(&off, "cosine", m, 1)
	depths, widths := axes(m)
	if len(depths) == 0 {
		return "", off.Err()
	}
	if e := m[size{depths[0], widths[len(widths)-1]}]; e.Mean < .998 {
		off.Add("L=%d, N=%d: %s, want .998", depths[0], widths[len(widths)-1], e)
	}
	return "L=32: " + strings.Join(steps(m, 32, []int{8, 32, 128, 512}), ", ") + "; L=16: " +
		strings.Join(steps(m, 16, []int{8, 32, 128}), ", "), off.Err()
}

// gradientsFigure is the figure of limits/gradients-become-backprop.
func gradientsFigure(t claim.Table) []claim.Figure {
	m := sizes(t, muPC, true, cosine)
	lines := claim.Panel{Title: "Distance of PC's gradient from BP's", X: claim.Axis{Label: "width N", Log: true},
		Y: claim.Axis{Label: "1 - cosine", Log: true}}
	depths, widths := axes(m)
	for _, l := range depths {
		line := along(m, l, widths, fmt.Sprintf("L=%d", l))
		for i := range line.Y {
			line.Y[i], line.Low[i], line.High[i] = 1-line.Y[i], 1-line.High[i], 1-line.Low[i]
		}
		lines.Lines = append(lines.Lines, line)
	}
	return []claim.Figure{{Name: "limits-cosine",
		Caption: "The gradients by all weights of the same networks, PC's at equilibrium; band: standard error over seeds.",
		Panels:  []claim.Panel{lines, widthByDepth("Cosine of PC's gradient to BP's", m, same)}}}
}
