package pem

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// allDomains are those of S1 to S5.
var allDomains = []string{antiName, nnName, "sparse", "nnsparse", "simplex"}

// batch is S1 to S5 for the batch methods: LDMI on all, InfoMax on S1 and S2; and PEM on the same draws.
var batch = claim.Grid("pem/batch", 1, func(s claim.Scale) (grid []trial) {
	for _, name := range allDomains {
		noisy := name != antiName && name != nnName
		points, seeds := sweep(name), map[string]int{ldmi: 10, ica: 30, pemRule: 30}
		if noisy {
			seeds = map[string]int{ldmi: 10, pemRule: 10}
		}
		if s == claim.Quick {
			points = []float64{points[0], points[len(points)-1]}
			for method := range seeds {
				seeds[method] = 1
			}
		}
		for _, method := range claim.Keys(seeds) {
			samples := 100_000
			if s == claim.Quick {
				samples = map[string]int{ldmi: 600, ica: 12_000, pemRule: 12_000}[method]
			}
			for _, at := range points {
				for seed := range seeds[method] {
					t := trial{Method: method, Domain: name, Rho: at, SNR: 30, Mixtures: 10, Samples: samples, Seed: seed + 1}
					if noisy {
						t.Rho, t.SNR = 0, at
					}
					grid = append(grid, t)
				}
			}
		}
	}
	return grid
}, measured)

var ldmiTable = claim.Claim{
	ID:     "pem/ldmi",
	Source: paper + ", figures of S1 to S5: LDMI",
	Statement: "Batch LDMI, which sees all samples at once and inverts two correlation matrices, hardly notices the sources' correlation: on " + s1 + ", its mSNR is about 30 dB at every correlation up to .5. " +
		"Against noise it comes to .3 to 1.5 dB above the input SNR where that is low, and to the input SNR at 30 dB.",
	Paper: "mSNR at rho 0, .5: antisparse 30.11 29.13, nonnegative antisparse 30.05 31.26; at 5, 10, ..., 30 dB: sparse 6.99 11.02 15.57 20.41 25.37 30.31, nonnegative sparse 6.76 10.52 15.18 20.00 24.79 29.50, " +
		"simplex 6.24 9.96 14.56 19.71 25.09 30.46 (" + stored + ")",
	Grid: batch, Bounds: batchAgreement("10"),
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("It is better here by up to 1.6 dB on nonnegative sparse sources of 20 to 30 dB, where the released runs come to within .5 dB of the input SNR and ours exceed it by 1 dB. " +
		"All other points, 19 of 22, are within 1 dB of the table, antisparse sources within .3 dB at every correlation."),
	Check: func(t claim.Table) (string, error) { return both(t, ldmi, allDomains...) },
	Plot: func(t claim.Table) []claim.Figure {
		f := batchFigure(t, "pem-ldmi", []string{pemRule, ldmi}, allDomains...)
		f.Columns = 3
		return []claim.Figure{f}
	},
}

var infomaxTable = claim.Claim{
	ID:     "pem/infomax",
	Source: paper + ", figures of correlated sources (S1, S2): ICA-InfoMax",
	Statement: "Extended InfoMax needs independent sources: on " + s1 + ", antisparse, its mSNR falls from 30.1 dB without correlation to 16.4 dB at rho .2 and 6 dB at rho .5; " +
		"on nonnegative antisparse ones from 26.1 to 17.6 and 10.1 dB.",
	Paper: "mSNR at rho 0, .1, .2, .3, .4, .5: antisparse 30.07 21.52 16.43 13.31 10.77 5.95, nonnegative antisparse 26.05 21.22 17.62 14.98 12.08 10.14 (" + stored + ")",
	Grid:  batch, Bounds: batchAgreement("30"),
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("At the strongest correlation, .5, it is better here, by 3.3 dB on antisparse sources and by 2 dB on nonnegative ones: the released runs lose sources there, ours do not. The other " +
		"20 of 22 points are within 1 dB of the table."),
	Check: func(t claim.Table) (string, error) { return both(t, ica, antiName, nnName) },
	Plot: func(t claim.Table) []claim.Figure {
		return []claim.Figure{batchFigure(t, "pem-infomax", []string{pemRule, ica}, antiName, nnName)}
	},
}

// batchAgreement are the bounds of reproduced for the batch methods.
func batchAgreement(seeds string) []claim.Bound {
	return []claim.Bound{
		{Text: "at every point of the sweeps that the paper's table has, the median of mSNR over " + seeds + " seeds or its mean is within 1 dB of the paper's mean, or the 95 % interval of our mean holds it", Origin: claim.Paper, Note: "tables " + stored + ", which are means"},
		{Text: "where the paper's SINR is listed, the median or the mean of ours is within the same of it, or within the 95 % interval of our mean", Origin: claim.Paper, Note: stored},
	}
}

// batchFigure draws mSNR of some methods along the sweeps of some domains.
func batchFigure(t claim.Table, name string, methods []string, domains ...string) claim.Figure {
	f := claim.Figure{Name: name, Caption: "Median over seeds of the mean SNR of the sources; dotted: the paper's means. A run that lost a source has one output for two sources. Five sources in ten mixtures, of 30 dB where they are correlated."}
	for _, d := range domains {
		relative := d != antiName && d != nnName
		label := "rho, correlation of the sources"
		if relative {
			label = "input SNR, dB"
		}
		f.Panels = append(f.Panels, tableFigure(t, name, d, label, "", relative, methods...)[0].Panels[0])
	}
	return f
}

// A lead says which of two methods is ahead at some points of a domain's sweep, by the mean of the paired difference.
type lead struct {
	domain, first, second string
	points                []float64
}

var batchLeads = []lead{
	{antiName, ldmi, pemRule, rhos}, {nnName, ldmi, pemRule, rhos},
	{"sparse", ldmi, pemRule, []float64{25, 30}}, {"nnsparse", ldmi, pemRule, []float64{30}}, {"simplex", ldmi, pemRule, []float64{30}},
	{"sparse", pemRule, ldmi, []float64{5, 10, 15}}, {"nnsparse", pemRule, ldmi, []float64{5, 10, 15}}, {"simplex", pemRule, ldmi, []float64{5, 10, 15, 20}},
	{antiName, ica, pemRule, []float64{0}}, {antiName, pemRule, ica, rhos[2:]}, {nnName, pemRule, ica, rhos[1:]},
}

var batchOrder = claim.Claim{
	ID:     "pem/batch-order",
	Source: paper + ", figures of S1 to S5: PEM beside LDMI and ICA-InfoMax",
	Statement: "PEM is not the best method where sources can be seen all at once: batch LDMI is ahead of it at every correlation up to .5, and at an input SNR of 30 dB on every domain. PEM is ahead of LDMI where " +
		"noise is strong, at 5 to 15 dB. Extended InfoMax is ahead of PEM on antisparse sources without correlation, and behind from a correlation of .1 on.",
	Paper: "LDMI minus PEM: antisparse 4.5 dB at rho 0, 13.7 at .5; nonnegative antisparse 3.6 and 9.1; at 30 dB sparse 3.4, nonnegative sparse 1.2, simplex 1.6; at 10 dB -.2, -.7, -.9. InfoMax minus PEM: antisparse 4.5 dB at " +
		"rho 0, -3.5 at .1, -9.5 at .5 (" + stored + ")",
	Grid: batch,
	Bounds: []claim.Bound{
		{Text: "LDMI is ahead of PEM at all eleven correlations of S1 and S2 and at 30 dB of S3 to S5 (25 dB too on sparse sources), PEM of LDMI at 5, 10 and 15 dB (20 dB too on the simplex), by the mean paired difference", Origin: claim.Paper, Note: stored + "; between the ends of S1 and S2 by its SINR"},
		{Text: "InfoMax is ahead of PEM on antisparse sources at rho 0, PEM of InfoMax from .1 on, and from .05 on nonnegative ones, by the mean paired difference", Origin: claim.Paper, Note: stored},
		{Text: "where the paper's means are more than 2 dB apart, the 95 % interval of the paired difference is above 0 too", Origin: claim.Paper, Note: stored},
	},
	Verdict: claim.Holds,
	Check:   batchInOrder,
	Plot: func(t claim.Table) []claim.Figure {
		x := indexed(t)
		f := claim.Figure{Name: "pem-batch-order", Caption: "By how many dB of mSNR a batch method is ahead of PEM on the same data, mean over seeds, band: standard error; grey: the difference of the paper's means. Above zero the batch method is better."}
		for _, p := range []struct {
			title, label string
			domains      []string
		}{{"correlated sources", "rho, correlation of the sources", allDomains[:2]}, {"noisy mixtures", "input SNR, dB", allDomains[2:]}} {
			panel := claim.Panel{Title: p.title, X: claim.Axis{Label: p.label}, Y: claim.Axis{Label: "lead in mSNR, dB"}}
			series := 0
			for _, method := range []string{ldmi, ica} {
				for _, d := range p.domains {
					at, by := x.leads(d, method, pemRule)
					if len(at) == 0 {
						continue
					}
					series++
					line := claim.Line{Name: method + ", " + d, Series: series, Points: true}
					for k := range at {
						line.Append(at[k], claim.Paired(by[k], zeros(by[k])))
					}
					reference := claim.Line{Reference: true}
					for k, point := range sweep(d) {
						reference.X, reference.Y = append(reference.X, point), append(reference.Y, published[d][method][k]-published[d][pemRule][k])
					}
					panel.Lines = append(panel.Lines, line, reference)
				}
			}
			f.Panels = append(f.Panels, panel)
		}
		return []claim.Figure{f}
	},
}

// batchInOrder is the check of pem/batch-order. At Quick scale LDMI sees other draws than PEM, and learning has not come to its end: only leads of
// more than 8 dB are looked at.
func batchInOrder(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	x := indexed(t)
	for _, l := range batchLeads {
		at, by := x.leads(l.domain, l.first, l.second)
		var shown []string
		for k, point := range sweep(l.domain) {
			i := slices.Index(at, point)
			if i < 0 || !slices.Contains(l.points, point) {
				continue
			}
			e := claim.Paired(by[i], zeros(by[i]))
			shown = append(shown, fmt.Sprintf("%.1f", e.Mean))
			paper := published[l.domain][l.first][k] - published[l.domain][l.second][k]
			if t.Scale == claim.Quick && !(paper > 8) {
				continue
			}
			if !(e.Mean > 0) || t.Scale == claim.Full && paper > 2 && !e.Above(0) {
				off.Add("%s at %g: %s is ahead of %s by %s dB", l.domain, point, l.first, l.second, e)
			}
		}
		if len(shown) > 0 {
			ours = append(ours, fmt.Sprintf("%s, %s over %s: %s", l.domain, l.first, l.second, strings.Join(shown, " ")))
		}
	}
	return "leads in mSNR, dB, along the sweep: " + strings.Join(ours, "; "), off.Err()
}
