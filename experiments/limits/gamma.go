package limits

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

var gammaSweep = claim.Claim{
	ID:        "limits/lazy-is-further-from-backprop",
	Source:    paper + ", figures of the gamma_0 sweep in its appendix [second-hand]; that S - I goes as 1/gamma_0^2 is derived for this project",
	Statement: "The richer learning is (the larger gamma_0, at rate eta gamma_0^2 N), the closer PC is to backprop at the same width.",
	Paper:     "PC as BP at N=2048 for gamma_0 = .1 to 4. An independent numpy program, gamma_0 = .1, N=2048, H=1: loss at step 10 BP .201, PC .210",
	Grid:      toy,
	Check: func(t claim.Table) (string, error) {
		var off offs
		var ours []string
		rows, err := claim.Rows[lesson, learned](t)
		if err != nil {
			return "", err
		}
		start := map[[2]float64][]float64{} // 1 - cosine at the start by width and gamma
		later := map[[2]float64][]float64{} // distance of losses at step 10
		var widths []int
		var richness []float64
		for _, r := range rows {
			if p := r.Params; p.Hidden == 1 {
				k := [2]float64{float64(p.Width), p.Gamma}
				start[k] = append(start[k], 1-float64(r.Result.Paths.Within[0]))
				later[k] = append(later[k], math.Abs(r.Result.PC10-r.Result.BP10)/r.Result.BP10)
				widths, richness = append(widths, p.Width), append(richness, p.Gamma)
			}
		}
		slices.Sort(widths)
		slices.Sort(richness)
		widths, richness = slices.Compact(widths), slices.Compact(richness)
		for _, n := range widths {
			for i, g := range richness {
				a := claim.Mean(start[[2]float64{float64(n), g}]...)
				if i > 0 {
					if b := claim.Mean(start[[2]float64{float64(n), richness[i-1]}]...); a.Mean > b.Mean {
						off.add("N=%d: 1 - cosine %s at gamma_0=%g, %s at %g", n, a, g, b, richness[i-1])
					}
				}
				if n == widths[len(widths)-1] {
					ours = append(ours, fmt.Sprintf("%.2g, %.2g %% at %g", a.Mean, 100*claim.Mean(later[[2]float64{float64(n), g}]...).Mean, g))
				}
			}
		}
		return fmt.Sprintf("N=%d, H=1: 1 - cosine at the start, and distance of the losses at step 10 for gamma_0: %s", widths[len(widths)-1], strings.Join(ours, "; ")), off.err()
	},
	Plot: func(t claim.Table) ([]claim.Figure, error) {
		rows, err := claim.Rows[lesson, learned](t)
		if err != nil {
			return nil, err
		}
		most := 0
		for _, r := range rows {
			if r.Params.Hidden == 1 {
				most = max(most, r.Params.Width)
			}
		}
		loss := claim.Panel{Title: fmt.Sprintf("One hidden layer of %d: BP (solid), PC (dashed)", most), X: claim.Axis{Label: "step of descent"},
			Y: claim.Axis{Label: "loss", Log: true}}
		cosine := claim.Panel{Title: "Gradients at the same weights", X: claim.Axis{Label: "step of descent"}, Y: claim.Axis{Label: "1 - cosine of PC's gradient to BP's", Log: true}}
		i := 0
		for _, g := range gammas {
			m, err := courses(t, func(p lesson) bool { return p.Hidden == 1 && p.Gamma == g && p.Width == most })
			if err != nil {
				return nil, err
			}
			if len(m) == 0 {
				continue
			}
			i++
			for k := range 2 {
				line := geometric(m[most], []string{fmt.Sprintf("γ₀=%g", g), ""}[k], func(p paths) []float64 { return [][]float64{p.BP, p.PC}[k] })
				line.Series, line.Dash = i, k
				loss.Lines = append(loss.Lines, line)
			}
			line := over(m[most], fmt.Sprintf("γ₀=%g", g), func(p paths) []float64 {
				f := floats(p.Within)
				for i := range f {
					f[i] = 1 - f[i]
				}
				return f
			})
			line.Low, line.High = nil, nil
			cosine.Lines = append(cosine.Lines, line)
		}
		return []claim.Figure{{Name: "limits-gamma", Caption: "The toy task from lazy (small γ₀) to rich learning, no skips; geometric mean of 3 draws, band: standard error.",
			Panels: []claim.Panel{loss, cosine}}}, nil
	},
}
