package pem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

const s1 = "five sources in ten mixtures of 30 dB, correlated by a t-copula of 4 degrees of freedom, 100,000 samples seen once"

var antisparseTable = claim.Claim{
	ID:     "pem/antisparse",
	Source: paper + ", figure of correlated antisparse sources (S1)",
	Statement: "On " + s1 + ", antisparse: PEM's mSNR falls from 25.6 dB without correlation to 15.5 dB at rho .5; online CorInfoMax falls less, to 22.3 dB, " +
		"and BSM, which needs uncorrelated sources, from 30 to 7.7 dB.",
	Paper: "mSNR at rho 0, .25, .5: PEM 25.59 22.42 15.48, CorInfoMax 25.02 24.11 22.26, BSM 30.03 13.19 7.74 (" + stored + ")",
	Grid:  correlated, Bounds: agreement(".5 dB (PEM), 1 dB (CorInfoMax, BSM)"),
	Verdict: claim.Holds,
	Check:   func(t claim.Table) (string, error) { return reproduced(t, antiName, pemRule, cim, bsm) },
	Plot: func(t claim.Table) []claim.Figure {
		return tableFigure(t, "pem-antisparse", antiName, "rho, correlation of the sources", "Five antisparse sources in ten mixtures of 30 dB.", false, pemRule, upem, cim, bsm)
	},
}

var nnantisparseTable = claim.Claim{
	ID:     "pem/nnantisparse",
	Source: paper + ", figure of correlated nonnegative antisparse sources (S2)",
	Statement: "On " + s1 + ", nonnegative antisparse: PEM's mSNR falls from 26.5 dB without correlation to 22.2 dB at rho .5, online CorInfoMax's to 24.0 dB, and that of NSM, " +
		"which needs uncorrelated sources, from 30 to 7.6 dB.",
	Paper: "mSNR at rho 0, .25, .5: PEM 26.50 24.78 22.19, CorInfoMax 26.15 25.51 24.02, NSM 30.09 13.12 7.57 (" + stored + ")",
	Grid:  correlated, Bounds: agreement(".5 dB (PEM), 1 dB (CorInfoMax, NSM)"),
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: func(t claim.Table) string {
		diverged, all := 0, 0
		for _, r := range claim.Where[trial, score](t, func(p trial) bool { return p.Domain == nnName && p.Method == cim }) {
			all++
			if r.Result.Diverged {
				diverged++
			}
		}
		return fmt.Sprintf("By mSNR it holds at every point; PEM's SINR is .6 to .9 dB above the paper's at some, where fewer of our runs lose a source. The online rival with the matrix inverse diverged in %d of %d runs, "+
			"which count as 0 dB: while an output is silent its inverse correlation grows as lambda^-t, until one sample makes it negative. Its medians are the paper's.", diverged, all)
	},
	Check: func(t claim.Table) (string, error) { return reproduced(t, nnName, pemRule, cim, nsm) },
	Plot: func(t claim.Table) []claim.Figure {
		return tableFigure(t, "pem-nnantisparse", nnName, "rho, correlation of the sources", "Five nonnegative antisparse sources in ten mixtures of 30 dB.", false, pemRule, upem, cim, nsm)
	},
}

var upemCorrelated = claim.Claim{
	ID:        "pem/unnormalised-correlated",
	Source:    paper + ", figures of correlated sources (S1, S2): u-PEM",
	Statement: "Without the normalisation of its cross term (u-PEM) PEM's mSNR falls further with the sources' correlation: on " + s1 + ", from 25.2 to 14.2 dB on antisparse, from 26.5 to 17.9 dB on nonnegative antisparse sources.",
	Paper:     "mSNR at rho 0, .25, .5: antisparse 25.17 20.70 14.21, nonnegative antisparse 26.49 23.66 17.85 (" + stored + ")",
	Grid:      correlated, Bounds: agreement(".5 dB"),
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care:  claim.Constant("It falls less here: the medians and means are up to 2 dB above the paper's means at strong correlation, where fewer runs lose a source. That u-PEM falls further than PEM is so."),
	Check: func(t claim.Table) (string, error) { return both(t, upem, antiName, nnName) },
}

// both is reproduced for one method on several domains.
func both(t claim.Table, method string, domains ...string) (string, error) {
	var off claim.Off
	var ours []string
	for _, d := range domains {
		text, err := reproduced(t, d, method)
		ours = append(ours, d+": "+text)
		if err != nil {
			off.Add("%s: %v", d, err)
		}
	}
	return strings.Join(ours, "; "), off.Err()
}

// duels are the pairs whose order changes along S1 and S2. Side is the sign of the first one's lead at rho .5.
var duels = []struct {
	domain, first, second string
	side                  float64
}{
	{antiName, pemRule, bsm, 1}, {nnName, pemRule, nsm, 1}, {antiName, pemRule, cim, -1}, {nnName, pemRule, cim, -1}, {antiName, upem, cim, -1}, {antiName, upem, bsm, 1},
}

var crossovers = claim.Claim{
	ID:     "pem/crossovers",
	Source: paper + ", figures of correlated sources (S1, S2): where their curves cross",
	Statement: "PEM is better than the local methods that need uncorrelated sources from a correlation of about .04 on and worse without; it is worse than online CorInfoMax, whose rule is not local, " +
		"from about .12 on antisparse and .09 on nonnegative antisparse sources. It is not the best method at any end.",
	Paper: "crossings of its mean curves: with BSM .04, with NSM .03, with CorInfoMax .12 and .09, u-PEM with CorInfoMax .06 (" + stored + ")",
	Grid:  correlated,
	Bounds: []claim.Bound{
		{Text: "each crossing of our mean mSNR curves is within .1 of the paper's, or the paper's is in its 95 % interval (bootstrap over seeds)", Origin: claim.Paper, Note: "crossings of the means " + stored},
		{Text: "at rho .5 the lead of each pair is on the paper's side, the 95 % interval of the paired difference included", Origin: claim.Paper, Note: stored},
		{Text: "at rho 0 BSM and NSM are better than PEM, the 95 % interval included", Origin: claim.Paper, Note: stored + ": by 4.4 and 3.6 dB"},
	},
	Verdict: claim.WithCare,
	Care: func(t claim.Table) string {
		at, by := indexed(t).leads(nnName, pemRule, cim)
		if len(at) < 2 {
			return "On nonnegative antisparse sources the crossing with online correlative information maximisation is not known well."
		}
		low, high := bootstrap(at, by)
		if math.IsNaN(low) {
			low, high = 0, .5
		}
		return fmt.Sprintf("On nonnegative antisparse sources the crossing with the online rival that needs a matrix inverse is not determined: its 95 %% interval is from %.2f to %.2f, since the curves are within a dB of "+
			"each other up to rho .45 and single runs of the rival that lose a source move it. By the paper's means it is at .09.", low, high)
	},
	Check: curvesCross,
	Plot:  leadFigure,
}

// leads are by how much the first method is ahead of the second along a domain's sweep, by seed; runs in which a method diverged are left out.
func (x index) leads(domain, first, second string) (at []float64, by []map[int]float64) {
	for _, point := range sweep(domain) {
		a, b := x.runs(domain, first, point), x.runs(domain, second, point)
		d := map[int]float64{}
		for seed, s := range a {
			if o, ok := b[seed]; ok && !s.Diverged && !o.Diverged {
				d[seed] = s.MSNR - o.MSNR
			}
		}
		if len(d) > 0 {
			at, by = append(at, point), append(by, d)
		}
	}
	return at, by
}

// crossing is where a curve first goes through zero, by linear interpolation; NaN if it does not.
func crossing(x, y []float64) float64 {
	for k := 1; k < len(x); k++ {
		if a, b := y[k-1], y[k]; a == 0 {
			return x[k-1]
		} else if a*b <= 0 {
			return x[k-1] + (x[k]-x[k-1])*a/(a-b)
		}
	}
	return math.NaN()
}

// bootstrap is the 95 % interval of the crossing of the mean lead, over resampled seeds.
func bootstrap(at []float64, by []map[int]float64) (low, high float64) {
	var seeds []int
	for _, d := range by {
		seeds = append(seeds, claim.Keys(d)...)
	}
	slices.Sort(seeds)
	seeds = slices.Compact(seeds)
	rng := rand.New(rand.NewPCG(2605, 19965))
	var found []float64
	for range 200 {
		mean, count := make([]float64, len(at)), make([]float64, len(at))
		for range seeds {
			seed := seeds[rng.IntN(len(seeds))]
			for k, d := range by {
				if v, ok := d[seed]; ok {
					mean[k], count[k] = mean[k]+v, count[k]+1
				}
			}
		}
		for k := range mean {
			mean[k] /= max(1, count[k])
		}
		if c := crossing(at, mean); !math.IsNaN(c) {
			found = append(found, c)
		}
	}
	if len(found) < 160 {
		return math.NaN(), math.NaN()
	}
	slices.Sort(found)
	return found[len(found)/40], found[len(found)-1-len(found)/40]
}

// curvesCross is the check of pem/crossovers.
func curvesCross(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	x := indexed(t)
	for _, d := range duels {
		at, by := x.leads(d.domain, d.first, d.second)
		if len(at) < 2 {
			continue
		}
		mean := make([]float64, len(at))
		for k := range at {
			mean[k] = claim.Paired(by[k], zeros(by[k])).Mean
		}
		paper := make([]float64, len(rhos))
		for k := range rhos {
			paper[k] = published[d.domain][d.first][k] - published[d.domain][d.second][k]
		}
		cross, want := crossing(at, mean), crossing(rhos, paper)
		low, high := bootstrap(at, by)
		name := fmt.Sprintf("%s and %s (%s)", d.first, d.second, d.domain)
		ours = append(ours, fmt.Sprintf("%s %.3f [%.3f, %.3f], the paper's %.3f", name, cross, low, high, want))
		end := claim.Paired(by[len(by)-1], zeros(by[len(by)-1]))
		if t.Scale == claim.Quick {
			if d.second != cim && !(end.Mean*d.side > 0) {
				off.Add("%s: at rho %g the lead is %s dB", name, at[len(at)-1], end)
			}
			continue
		}
		if !(abs(cross-want) <= .1 || low <= want && want <= high) {
			off.Add("%s cross at %.3f [%.3f, %.3f], the paper's at %.3f", name, cross, low, high, want)
		}
		if !(d.side > 0 && end.Above(0) || d.side < 0 && end.Below(0)) {
			off.Add("%s: at rho .5 the lead is %s dB", name, end)
		}
		if start := claim.Paired(by[0], zeros(by[0])); (d.second == bsm || d.second == nsm) && !start.Below(0) {
			off.Add("%s: without correlation the lead is %s dB", name, start)
		}
	}
	return "crossings in rho: " + strings.Join(ours, "; "), off.Err()
}

// leadFigure is the figure of pem/crossovers.
func leadFigure(t claim.Table) []claim.Figure {
	f := claim.Figure{Name: "pem-crossovers", Caption: "By how many dB of mSNR one method is ahead of another on the same data, mean over seeds, band: standard error; grey: the difference of the paper's means. " +
		"Above zero the first method is better. Five sources in ten mixtures of 30 dB."}
	x := indexed(t)
	for _, domain := range []string{antiName, nnName} {
		panel := claim.Panel{Title: domain, X: claim.Axis{Label: "rho, correlation of the sources"}, Y: claim.Axis{Label: "lead in mSNR, dB"}}
		series := 0
		for _, d := range duels {
			if d.domain != domain {
				continue
			}
			series++
			line := claim.Line{Name: d.first + " over " + d.second, Series: series, Points: true}
			at, by := x.leads(domain, d.first, d.second)
			for k := range at {
				line.Append(at[k], claim.Paired(by[k], zeros(by[k])))
			}
			reference := claim.Line{Reference: true}
			for k, rho := range rhos {
				reference.X, reference.Y = append(reference.X, rho), append(reference.Y, published[domain][d.first][k]-published[domain][d.second][k])
			}
			panel.Lines = append(panel.Lines, line, reference)
		}
		panel.Lines = append(panel.Lines, claim.Line{Reference: true, X: []float64{0, .5}, Y: []float64{0, 0}})
		f.Panels = append(f.Panels, panel)
	}
	return []claim.Figure{f}
}
