package limits

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var standardStaysApart = claim.Claim{
	ID:     "limits/standard-parametrisation-stays-apart",
	Source: paper + ", theorem and appendix [second-hand]; muPC (arXiv 2505.13124), section on the standard parametrisation",
	Statement: "In the standard parametrisation width does not help: loss over energy stays at about 3/2 without skips and at (4/3)^(L-1) with them, and so does " +
		"NTP's at 1 + L((1+1/L)^(L-1) - 1).",
	Paper: "no convergence. An independent numpy program: SP without skips 1.36 to 1.50 at all widths, cosine about 0 from L=16; NTP with skips 4.9, 11.3, 24.6, " +
		"52 for L = 4 to 32 at N=512, cosine .97 to .94",
	Grid: initial,
	Bounds: []claim.Bound{
		{Text: "at the widest loss/energy is within 12 % of the closed form without skips and within 35 % with them", Origin: claim.Before, Commit: "c8dad20",
			Note: "the closed form is an expectation of S, and ratios of deep networks with skips scatter by a third between draws"},
		{Text: "loss/energy is at least 1.3 at every size", Origin: claim.Independent, Note: "a numpy program: 1.36 and more"},
		{Text: "SP without skips from L = 16 on: the cosine is at most .05 away from 0", Origin: claim.Independent, Note: "a numpy program: about 0"},
	},
	Check: widthDoesNotHelp,
	Plot:  standardFigure,
}

// widthDoesNotHelp is the check of limits/standard-parametrisation-stays-apart.
func widthDoesNotHelp(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for _, family := range []struct {
		p     param
		skips bool
		name  string
		far   float64 // by how much the ratio may be off the closed form, which is an expectation of S
	}{{sp, false, "SP without skips", .12}, {sp, true, "SP with skips", .35}, {ntp, true, "NTP with skips", .35}} {
		r := sizes(t, family.p, family.skips, ratio)
		s := sizes(t, family.p, family.skips, closed)
		c := sizes(t, family.p, family.skips, cosine)
		depths, widths := axes(r)
		if len(depths) == 0 {
			continue
		}
		n := widths[len(widths)-1]
		var list []string
		for _, l := range depths {
			at := size{l, n}
			if math.Abs(r[at].Mean/s[at].Mean-1) > family.far {
				off.Add("%s, L=%d, N=%d: %s, closed form %.4g", family.name, l, n, r[at], s[at].Mean)
			}
			for _, narrow := range widths {
				if r[size{l, narrow}].Mean < 1.3 {
					off.Add("%s, L=%d, N=%d: %s", family.name, l, narrow, r[size{l, narrow}])
				}
			}
			if e := c[at]; family.p == sp && !family.skips && l >= 16 && math.Abs(e.Mean) > .05 {
				off.Add("%s, L=%d, N=%d: cosine %s", family.name, l, n, e)
			}
			list = append(list, fmt.Sprintf("%.4g", r[at].Mean))
		}
		ours = append(ours, fmt.Sprintf("%s %s for L = %d to %d at N=%d", family.name, strings.Join(list, ", "), depths[0], depths[len(depths)-1], n))
	}
	return strings.Join(ours, "; "), off.Err()
}

// standardFigure is the figure of limits/standard-parametrisation-stays-apart.
func standardFigure(t claim.Table) []claim.Figure {
	panels := []claim.Panel{
		{Title: "Energy: only muPC comes to 1", X: claim.Axis{Label: "width N", Log: true}, Y: claim.Axis{Label: "loss / energy at equilibrium", Log: true}},
		{Title: "Gradients", X: claim.Axis{Label: "width N", Log: true}, Y: claim.Axis{Label: "cosine of PC's gradient to BP's"}},
	}
	for k, value := range []func(meets) float64{ratio, cosine} {
		for i, family := range []struct {
			p     param
			skips bool
			name  string
		}{{muPC, true, "muPC, skips"}, {ntp, true, "NTP, skips"}, {sp, true, "SP, skips"}, {sp, false, "SP"}} {
			m := sizes(t, family.p, family.skips, value)
			_, widths := axes(m)
			for d, l := range []int{8, 16} {
				line := along(m, l, widths, fmt.Sprintf("%s, L=%d", family.name, l))
				line.Series, line.Dash = i+1, d
				panels[k].Lines = append(panels[k].Lines, line)
			}
		}
	}
	panels[1].Lines = unnamed(panels[1].Lines)
	return []claim.Figure{{Name: "limits-standard", Caption: "Linear networks of other parametrisations at initialisation; band: standard error over seeds.", Panels: panels}}
}

// unnamed leaves the names to the panel before.
func unnamed(lines []claim.Line) []claim.Line {
	for i := range lines {
		lines[i].Name = ""
	}
	return lines
}
