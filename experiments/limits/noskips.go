package limits

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var noSkips = claim.Claim{
	ID:        "limits/without-skips",
	Source:    paper + ", the networks without skips of figure 1's appendix [second-hand]",
	Statement: "Without skips the limit is the same: from N = 4 L on, loss over energy is 1 + (L-1)/N and the cosine of the gradients rises with width.",
	Paper:     "the same convergence. An independent numpy program: cosine at L=16 .751 (N=32), .932 (128), .995 (512); L=32 .694 (128), .962 (512)",
	Grid:      initial,
	Check:     sameLimitWithoutSkips,
	Bounds: []claim.Bound{
		{Text: "from N = 4 L on loss/energy is within 5 % of 1 + (L-1)/N", Origin: claim.Derived, Note: "E[S] of networks without skips"},
		{Text: "from N = 4 L on the cosine rises with width, by its scatter over seeds (two standard errors)", Origin: claim.Paper, Note: "the same convergence"},
		{Text: "from L = 16 on the cosine is not above that with skips by more than .002", Origin: claim.Before, Commit: "c8dad20"},
	},
	Verdict: claim.WithCare,
	Care:    noSkipsCare,
	Plot:    noSkipsFigure,
}

// sameLimitWithoutSkips is the check of limits/without-skips.
func sameLimitWithoutSkips(t claim.Table) (string, error) {
	r := sizes(t, muPC, false, ratio)
	c := sizes(t, muPC, false, cosine)
	with := sizes(t, muPC, true, cosine)
	all := maps.Clone(c)
	var off claim.Off
	for at, e := range r {
		if at.width < 4*at.depth {
			delete(c, at)
			continue
		}
		form := 1 + float64(at.depth-1)/float64(at.width)
		if math.Abs(e.Mean/form-1) > .05 {
			off.Add("L=%d, N=%d: ratio %s, closed form %.3f", at.depth, at.width, e, form)
		}
		if at.depth >= 16 && c[at].Mean > with[at].Mean+.002 {
			off.Add("L=%d, N=%d: cosine %s without skips, %s with", at.depth, at.width, c[at], with[at])
		}
	}
	rising(&off, "cosine", c, 1)
	depths, widths := axes(r)
	if len(depths) == 0 {
		return "", off.Err()
	}
	n := widths[len(widths)-1]
	l := depths[len(depths)-1]
	return fmt.Sprintf("L=16: cosine %s; at L=%d, N=%d loss/energy is %.3f and the cosine %.3f, with skips %.3f", strings.Join(steps(all, 16, widths), ", "),
		l, n, r[size{l, n}].Mean, all[size{l, n}].Mean, with[size{l, n}].Mean), off.Err()
}

// noSkipsCare is the care of limits/without-skips.
func noSkipsCare(t claim.Table) string {
	c := sizes(t, muPC, false, cosine)
	depths, widths := axes(c)
	var falls []string
	for _, l := range depths {
		for i := 1; i < len(widths); i++ {
			a, b := c[size{l, widths[i-1]}], c[size{l, widths[i]}]
			if a.N > 0 && b.N > 0 && widths[i-1] < 4*l && b.Mean < a.Mean {
				falls = append(falls, fmt.Sprintf("at L=%d the cosine falls from %.3f at N=%d to %.3f at N=%d", l, a.Mean, widths[i-1], b.Mean, widths[i]))
			}
		}
	}
	text := "Deep networks without skips (L >= 16) have smaller cosines than those with skips of the same size, although their energy is closer to the loss: " +
		"an energy that has converged does not say that the gradient has. Below N = 4 L products of so many random matrices fluctuate, and neither statement holds"
	if len(falls) > 0 {
		text += ": " + strings.Join(falls, "; ")
	}
	return text + "."
}

// noSkipsFigure is the figure of limits/without-skips.
func noSkipsFigure(t claim.Table) []claim.Figure {
	panel := claim.Panel{Title: "Gradients with (solid) and without skips (dashed)", X: claim.Axis{Label: "width N", Log: true},
		Y: claim.Axis{Label: "cosine of PC's gradient to BP's", Max: 1.02}}
	for k, skips := range []bool{true, false} {
		m := sizes(t, muPC, skips, cosine)
		depths, widths := axes(m)
		for i, l := range depths {
			name := fmt.Sprintf("L=%d", l)
			if !skips {
				name = ""
			}
			line := along(m, l, widths, name)
			line.Series, line.Dash = i+1, k
			panel.Lines = append(panel.Lines, line)
		}
	}
	return []claim.Figure{{Name: "limits-skips", Caption: "Linear muPC networks at initialisation; band: standard error over seeds.", Panels: []claim.Panel{panel}}}
}
