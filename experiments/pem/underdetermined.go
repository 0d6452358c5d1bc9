package pem

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// A crowd is a problem with more sources than mixtures (U1): five antisparse ones.
type crowd struct {
	Mixtures int `json:"mixtures"`
	Samples  int `json:"samples"`
	Seed     int `json:"seed"`
}

// Cost is about how many seconds it takes.
func (c crowd) Cost() float64 { return 5e-6 * float64(c.Samples) }

// A rivalry is the SNR of each source in dB, the best separated first, by PEM and by the best linear estimate of somebody who knows A.
type rivalry struct {
	PEM  []float64 `json:"pem"`
	MMSE []float64 `json:"mmse"`
}

var crowds = claim.Grid("pem/underdetermined", 1, func(s claim.Scale) (grid []crowd) {
	seeds, samples := 30, 100_000
	if s == claim.Quick {
		seeds, samples = 3, 15_000
	}
	for _, m := range []int{4, 3} {
		for seed := range seeds {
			grid = append(grid, crowd{Mixtures: m, Samples: samples, Seed: seed + 1})
		}
	}
	return grid
}, func(_ context.Context, c crowd, _ *claim.Cell) (rivalry, error) {
	rng := generator(c.Seed, 0)
	s, err := bss.Sources(bss.Uniform{Lo: -1, Hi: 1}, c.Samples, sources, rng)
	if err != nil {
		return rivalry{}, err
	}
	a := bss.Mixing(bss.GaussianMixing, c.Mixtures, sources, rng)
	x, noise := bss.Mix(s, a, 30, rng)
	p, err := bss.PaperPEM(bss.Antisparse, bss.Truncated)
	if err != nil {
		return rivalry{}, err
	}
	p.Memory = .999
	p.Rate = bss.Schedule{Law: bss.Logarithmic, Rate: .05, Time: 5000, Floor: 1e-8}
	net, err := p.Start(sources, c.Mixtures, generator(c.Seed, 1))
	if err != nil {
		return rivalry{}, err
	}
	if _, err := bss.Observe(net, x, nil); err != nil {
		return rivalry{}, err
	}
	best, err := bss.MMSE(a, s, noise)
	if err != nil {
		return rivalry{}, err
	}
	var out rivalry
	for dst, w := range map[*[]float64]*mat.Dense{&out.PEM: net.Unmixing(), &out.MMSE: best} {
		e, err := bss.Evaluate(bss.Apply(w, x), s)
		if err != nil {
			return rivalry{}, err
		}
		for _, v := range e.SNR {
			*dst = append(*dst, decimals(v, 3))
		}
		slices.SortFunc(*dst, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
	}
	return out, nil
})

// ranks are the paper's means: of the SNR of the best separated source, the second best, ...
var ranks = map[int]struct{ pem, mmse []float64 }{
	4: {[]float64{16.4, 11.3, 7.1, 4.7, 1.6}, []float64{18.7, 13.3, 9.9, 6.8, 2.3}},
	3: {[]float64{8.4}, []float64{11.0, 6.7}},
}

var underdetermined = claim.Claim{
	ID:     "pem/underdetermined",
	Source: paper + ", comparison with MMSE (4 and 3 mixtures of 5 antisparse sources), as its released code has it",
	Statement: "With fewer mixtures than sources PEM separates part of them, a few dB below the linear MMSE estimate, which knows the mixing: from best to worst " +
		"source 16 to 2 dB of 4 mixtures, mean of the best 4 about 2.3 dB below MMSE; of 3 mixtures about 1.6 dB below.",
	Paper: "mean over 10 mixings, sources sorted: m=4 PEM 16.4 11.3 7.1 4.7 1.6, MMSE 18.7 13.3 9.9 6.8 2.3; m=3 best m sources in the mean PEM 5.9, MMSE 7.5 (" + stored[:len(stored)-len(", 30 seeds")] + ", 10 seeds)",
	Grid:  crowds,
	Bounds: []claim.Bound{
		{Text: "no run of PEM has a larger mean SNR than MMSE's by more than .05 dB", Origin: claim.Derived, Note: "MMSE is the best linear estimate, component by component"},
		{Text: "the mean over mixings of the best m sources, PEM and MMSE, and their difference, is within 1 dB of the paper's", Origin: claim.After,
			Note: "the paper's figures, the margin set after measuring: m=4: 9.9 and 12.2 dB, m=3: 5.9 and 7.5 dB"},
	},
	Verdict: claim.Holds,
	Check:   belowMMSE,
	Plot:    crowdFigure,
}

// belowMMSE is the check of pem/underdetermined.
func belowMMSE(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for _, m := range []int{4, 3} {
		rows := claim.Where[crowd, rivalry](t, func(c crowd) bool { return c.Mixtures == m })
		var pem, mmse, apart []float64
		for _, r := range rows {
			if len(r.Result.PEM) < m || len(r.Result.MMSE) < m {
				continue
			}
			p, b := claim.Mean(r.Result.PEM...).Mean, claim.Mean(r.Result.MMSE...).Mean
			if p > b+.05 {
				off.Add("m=%d, seed %d: PEM's mean SNR is %.2f dB, MMSE's %.2f", m, r.Params.Seed, p, b)
			}
			best := func(v []float64) float64 { return claim.Mean(v[:m]...).Mean }
			pem, mmse = append(pem, best(r.Result.PEM)), append(mmse, best(r.Result.MMSE))
			apart = append(apart, best(r.Result.MMSE)-best(r.Result.PEM))
		}
		p, b, d := claim.Mean(pem...), claim.Mean(mmse...), claim.Mean(apart...)
		ours = append(ours, fmt.Sprintf("m=%d: best %d sources PEM %s, MMSE %s, difference %s dB", m, m, p, b, d))
		if t.Scale == claim.Quick {
			if !(d.Mean > 0) {
				off.Add("m=%d: PEM is not below MMSE: %s", m, d)
			}
			continue
		}
		want := map[int][2]float64{4: {9.9, 12.2}, 3: {5.9, 7.5}}[m]
		for k, e := range []claim.Estimate{p, b, d} {
			paper := []float64{want[0], want[1], want[1] - want[0]}[k]
			if !(math.Abs(e.Mean-paper) <= 1) {
				off.Add("m=%d: %s is %s dB, the paper's %.1f", m, []string{"PEM", "MMSE", "the difference"}[k], e, paper)
			}
		}
	}
	return strings.Join(ours, "; "), off.Err()
}

// crowdFigure is the figure of pem/underdetermined.
func crowdFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "pem-underdetermined", Caption: "SNR of five antisparse sources in four and in three mixtures of 30 dB, sorted in each run: PEM, and the linear MMSE estimate, which knows the " +
		"mixing. Mean over mixings, band: standard error; grey: the paper's, of ten mixings."}
	for _, m := range []int{4, 3} {
		panel := claim.Panel{Title: fmt.Sprintf("%d mixtures", m), X: claim.Axis{Label: "source, from the best separated"}, Y: claim.Axis{Label: "SNR, dB"}}
		rows := claim.Where[crowd, rivalry](t, func(c crowd) bool { return c.Mixtures == m })
		for k, name := range []string{"PEM", "MMSE"} {
			line := claim.Line{Name: name, Series: k + 1, Points: true}
			for rank := range sources {
				var v []float64
				for _, r := range rows {
					if list := [][]float64{r.Result.PEM, r.Result.MMSE}[k]; rank < len(list) {
						v = append(v, list[rank])
					}
				}
				if len(v) > 0 {
					line.Append(float64(rank+1), claim.Mean(v...))
				}
			}
			panel.Lines = append(panel.Lines, line)
			reference := claim.Line{Name: []string{"the paper's", ""}[k], Reference: true, Points: true}
			for rank, v := range [][]float64{ranks[m].pem, ranks[m].mmse}[k] {
				reference.X, reference.Y = append(reference.X, float64(rank+1)), append(reference.Y, v)
			}
			panel.Lines = append(panel.Lines, reference)
		}
		f.Panels = append(f.Panels, panel)
	}
	return []claim.Figure{f}
}
