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
	Bounds: []claim.Bound{
		{Text: "1 - cosine of the gradients at the start falls from each gamma_0 to the next larger, in every draw, and its logarithm by more than the scatter over draws (95 %)", Origin: claim.Derived, Note: "S - I goes as 1/gamma_0^2"},
		{Text: "the logarithm of the losses' distance at step 10 falls from the least gamma_0 to 1, by more than the scatter over draws (95 %)", Origin: claim.After, Note: "before, only cosines were compared, and only their means"},
	},
	Check:   richerIsCloser,
	Verdict: claim.WithCare,
	Care:    gammaCare,
	Plot:    gammaFigure,
}

// richerIsCloser is the check of limits/lazy-is-further-from-backprop.
func richerIsCloser(t claim.Table) (string, error) {
	g := sweep(t)
	var off claim.Off
	var ours []string
	for _, n := range g.widths {
		for i, richness := range g.gammas {
			if i > 0 {
				before := g.gammas[i-1]
				fall := claim.Paired(g.start[wide{n, before}], g.start[wide{n, richness}])
				if !fall.Above(0) {
					off.Add("N=%d: the logarithm of 1 - cosine falls by %s from gamma_0=%g to %g", n, fall, before, richness)
				}
			}
			if n == g.widths[len(g.widths)-1] {
				ours = append(ours, fmt.Sprintf("%.2g, %.2g %% at %g", typical(g.start[wide{n, richness}]), 100*typical(g.later[wide{n, richness}]), richness))
			}
		}
		if fall := g.laterFall(n, 0, 1); len(g.gammas) > 1 && !fall.Above(0) {
			off.Add("N=%d: the logarithm of the losses' distance falls by %s from gamma_0=%g to 1", n, fall, g.gammas[0])
		}
	}
	if len(g.widths) == 0 {
		return "", off.Err()
	}
	return fmt.Sprintf("N=%d, H=1: 1 - cosine at the start, and distance of the losses at step 10 (geometric means) for gamma_0: %s", g.widths[len(g.widths)-1], strings.Join(ours, "; ")), off.Err()
}

// gammaCare is the care of limits/lazy-is-further-from-backprop.
func gammaCare(t claim.Table) string {
	g := sweep(t)
	if len(g.widths) == 0 {
		return ""
	}
	var words []string
	for _, n := range g.widths {
		words = append(words, fmt.Sprintf("by %s at N=%d", g.laterFall(n, 1, g.gammas[len(g.gammas)-1]), n))
	}
	return fmt.Sprintf("The gradients at the start are the closer the larger gamma_0, over the whole sweep. The losses are so only up to gamma_0 = 1: from there to %g the logarithm of their "+
		"distance at step 10 falls %s, which the scatter over draws does not tell from 0.", g.gammas[len(g.gammas)-1], strings.Join(words, ", "))
}

// gammaFigure is the figure of limits/lazy-is-further-from-backprop.
func gammaFigure(t claim.Table) []claim.Figure {
	rows := claim.Rows[toyTask, learned](t)
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
		m := courses(t, func(p toyTask) bool { return p.Hidden == 1 && p.Gamma == g && p.Width == most })
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
		Panels: []claim.Panel{loss, cosine}}}
}

// A wide is a point of the sweep of gamma_0.
type wide struct {
	width int
	gamma float64
}

// A richer is the sweep with one hidden layer: logarithms by draw.
type richer struct {
	widths []int
	gammas []float64
	start  map[wide]map[uint64]float64 // of 1 - cosine of the gradients at the start
	later  map[wide]map[uint64]float64 // of the distance of the losses at step 10, relative to BP's
}

func sweep(t claim.Table) richer {
	g := richer{start: map[wide]map[uint64]float64{}, later: map[wide]map[uint64]float64{}}
	for _, r := range claim.Rows[toyTask, learned](t) {
		p := r.Params
		if p.Hidden != 1 {
			continue
		}
		k := wide{p.Width, p.Gamma}
		if g.start[k] == nil {
			g.start[k], g.later[k] = map[uint64]float64{}, map[uint64]float64{}
		}
		g.start[k][p.Seed] = math.Log(1 - float64(r.Result.Paths.Within[0]))
		g.later[k][p.Seed] = math.Log(math.Abs(r.Result.PC10-r.Result.BP10) / r.Result.BP10)
		g.widths, g.gammas = append(g.widths, p.Width), append(g.gammas, p.Gamma)
	}
	slices.Sort(g.widths)
	slices.Sort(g.gammas)
	g.widths, g.gammas = slices.Compact(g.widths), slices.Compact(g.gammas)
	return g
}

// laterFall is by how much the logarithm of the losses' distance falls between two gammas, 0 being the least.
func (g richer) laterFall(n int, from, to float64) claim.Estimate {
	if from == 0 && len(g.gammas) > 0 {
		from = g.gammas[0]
	}
	return claim.Paired(g.later[wide{n, from}], g.later[wide{n, to}])
}

// typical is the geometric mean of what logarithms are given of.
func typical(logs map[uint64]float64) float64 {
	var list []float64
	for _, v := range logs {
		list = append(list, v)
	}
	slices.Sort(list)
	return math.Exp(claim.Mean(list...).Mean)
}
