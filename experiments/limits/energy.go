package limits

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var energyBecomesLoss = claim.Claim{
	ID:     "limits/energy-becomes-loss",
	Source: paper + ", theorem on the energy [second-hand], figure 1; muPC (arXiv 2505.13124), figure 6",
	Statement: "In linear residual networks in muPC, loss over equilibrated energy falls to 1 as width outgrows depth, as the closed form " +
		"1 + L/N ((1+1/L)^(L-1) - 1) says.",
	Paper: "the ratio tends to 1 for N >> L. An independent numpy program, same setting: L=64: 3.86 at N=32, 1.80 at N=128, 1.10 at N=1024",
	Grid:  initial,
	Check: energyFallsToLoss,
	Bounds: []claim.Bound{
		{Text: "loss/energy falls with width at every depth, by its scatter over seeds (two standard errors)", Origin: claim.Paper, Note: "the theorem"},
		{Text: "from N=128 on within 3 % of the closed form, at N <= 16 within a factor of 2", Origin: claim.Derived, Note: "E[S] of the sizes; WrongConstant in the tests puts wrong forms in its place"},
		{Text: "from N = 16 L on the distance from 1 is within 10 % of the closed form's", Origin: claim.After, Commit: "c1569cd", Note: "set in the commit that recorded the measurement"},
		{Text: "within 3 % of the table from N=128 on, within 10 % and two standard errors from N=32 on", Origin: claim.Independent, Note: "tables.go: means of 5 draws up to N = 128, of 3 at 256 and 512, one at 1024, numpy in float64"},
	},
	Verdict: claim.WithCare,
	Care:    energyCare,
	Plot:    energyFigure,
}

// energyFallsToLoss is the check of limits/energy-becomes-loss.
func energyFallsToLoss(t claim.Table) (string, error) {
	m := sizes(t, muPC, true, ratio)
	s := sizes(t, muPC, true, closed)
	var off claim.Off
	for at, e := range m {
		ours, want, form := e.Mean, 0.0, s[at].Mean
		if i := slices.Index(tableWidths, at.width); i >= 0 && tableRatio[at.depth] != nil {
			want = tableRatio[at.depth][i]
		}
		if at.width >= 16*at.depth && math.Abs((ours-1)/(form-1)-1) > .1 {
			off.Add("L=%d, N=%d: %.4f above 1, closed form %.4f", at.depth, at.width, ours-1, form-1)
		}
		switch {
		case at.width >= 128: // the closed form is an expectation of S, not of the ratio
			if math.Abs(ours/want-1) > .03 || math.Abs(ours/form-1) > .03 {
				off.Add("L=%d, N=%d: %s, table %.3f, closed form %.3f", at.depth, at.width, e, want, form)
			}
		case at.width >= 32:
			if math.Abs(ours/want-1) > .10+2*e.Scatter()/want {
				off.Add("L=%d, N=%d: %s, table %.3f", at.depth, at.width, e, want)
			}
		case ours < form/2 || ours > 2*form:
			off.Add("L=%d, N=%d: %s, closed form %.3f", at.depth, at.width, e, form)
		}
	}
	rising(&off, "ratio", m, -1)
	depths, _ := axes(m)
	if len(depths) == 0 {
		return "", off.Err()
	}
	l := depths[len(depths)-1]
	return fmt.Sprintf("loss/energy at L=%d: %s", l, strings.Join(steps(m, l, []int{8, 32, 128, 1024}), ", ")), off.Err()
}

// energyCare is the care of limits/energy-becomes-loss.
func energyCare(t claim.Table) string {
	m := sizes(t, muPC, true, ratio)
	s := sizes(t, muPC, true, closed)
	wide, excess, narrow := 0., 0., 0.
	for at, e := range m {
		form := s[at].Mean
		if at.width >= 128 {
			wide = max(wide, math.Abs(e.Mean/form-1))
		}
		if at.width >= 16*at.depth {
			excess = max(excess, math.Abs((e.Mean-1)/(form-1)-1))
		}
		if at.width <= 16 {
			narrow = max(narrow, math.Abs(math.Log(e.Mean/form)))
		}
	}
	return fmt.Sprintf("The closed form is the expectation of S, not of the ratio: from N=128 on the two are at most %.1f %% apart, from N = 16 L on their distances from 1 at most %.1f %%, but at N <= 16 "+
		"up to a factor of %.2g. What counts is L/N: at a fixed ratio of the two the energy never becomes the loss, however large both are.", 100*wide, 100*excess, math.Exp(narrow))
}

// energyFigure is the figure of limits/energy-becomes-loss.
func energyFigure(t claim.Table) []claim.Figure {
	m := sizes(t, muPC, true, ratio)
	s := sizes(t, muPC, true, closed)
	excess := claim.Panel{Title: "Loss over energy, less 1 (grey: closed form)", X: claim.Axis{Label: "width N", Log: true},
		Y: claim.Axis{Label: "loss / energy at equilibrium - 1", Log: true}}
	depths, widths := axes(m)
	for _, l := range depths {
		line := along(m, l, widths, fmt.Sprintf("L=%d", l))
		for i := range line.Y {
			line.Y[i], line.Low[i], line.High[i] = line.Y[i]-1, line.Low[i]-1, line.High[i]-1
		}
		form := claim.Line{Reference: true}
		for _, n := range widths {
			if e := s[size{l, n}]; e.N > 0 {
				form.X, form.Y = append(form.X, float64(n)), append(form.Y, e.Mean-1)
			}
		}
		excess.Lines = append(excess.Lines, form, line)
	}
	return []claim.Figure{{Name: "limits-energy",
		Caption: "Linear residual networks in muPC at initialisation, 784 Gaussian inputs, 10 classes, 64 samples; band: standard error over seeds.",
		Panels:  []claim.Panel{excess, widthByDepth("Energy at equilibrium / loss", m, func(v float64) float64 { return 1 / v })}}}
}
