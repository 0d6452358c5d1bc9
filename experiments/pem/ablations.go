package pem

import (
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// laws are the laws of the mixing matrix.
var laws = []string{"gaussian", "uniform", "laplace", "rademacher", "t5"}

// mixings is A1: PEM with mixing matrices of several laws.
var mixings = claim.Grid("pem/mixings", 1, func(s claim.Scale) (grid []trial) {
	list, seeds, samples := laws, 30, 100_000
	if s == claim.Quick {
		list, seeds, samples = []string{"gaussian", "rademacher"}, 2, 12_000
	}
	for _, d := range []string{antiName, nnName} {
		for _, law := range list {
			for seed := range seeds {
				grid = append(grid, trial{Method: pemRule, Domain: d, SNR: 30, Mixtures: 10, Law: law, Samples: samples, Seed: seed + 1})
			}
		}
	}
	return grid
}, measured)

// counts is A2: PEM with 7 to 13 mixtures.
var counts = claim.Grid("pem/counts", 1, func(s claim.Scale) (grid []trial) {
	list, seeds, samples := []int{7, 8, 9, 10, 11, 12, 13}, 30, 100_000
	if s == claim.Quick {
		list, seeds, samples = []int{7, 13}, 2, 12_000
	}
	for _, d := range []string{"sparse", "simplex"} {
		for _, m := range list {
			for seed := range seeds {
				grid = append(grid, trial{Method: pemRule, Domain: d, SNR: 30, Mixtures: m, Samples: samples, Seed: seed + 1})
			}
		}
	}
	return grid
}, measured)

// gradients is A3: PEM with its truncated gradient and with all of it, at the points that the paper's table has.
var gradients = claim.Grid("pem/gradients", 1, func(s claim.Scale) (grid []trial) {
	seeds, samples := 30, 100_000
	if s == claim.Quick {
		seeds, samples = 2, 12_000
	}
	for _, method := range []string{pemRule, pemFull} {
		for _, rho := range []float64{0, .2, .5} {
			for seed := range seeds {
				grid = append(grid, trial{Method: method, Domain: antiName, Rho: rho, SNR: 30, Mixtures: 10, Step: .1, Samples: samples, Seed: seed + 1})
			}
		}
		for _, snr := range []float64{10, 20, 30} {
			for seed := range max(1, seeds/3) {
				grid = append(grid, trial{Method: method, Domain: "sparse", SNR: snr, Mixtures: 10, Samples: samples, Seed: seed + 1})
			}
		}
	}
	return grid
}, measured)

// sinr are the SINRs of the trials that want asks for.
func sinr(t claim.Table, want func(trial) bool) (values []float64) {
	for _, r := range claim.Where[trial, score](t, want) {
		values = append(values, r.Result.SINR)
	}
	return values
}

// lawTable is the paper's SINR, in the order of laws: means of antisparse, medians of nonnegative antisparse sources.
var lawTable = map[string][]float64{antiName: {25.05, 25.27, 25.81, 25.28, 25.59}, nnName: {26.47, 26.69, 26.35, 26.94, 26.73}}

var mixingLaw = claim.Claim{
	ID:        "pem/mixing-law",
	Source:    paper + ", ablation of the mixing's distribution, as its released code has it",
	Statement: "What the mixing matrix is drawn from matters little: PEM's SINR on antisparse and nonnegative antisparse sources is within a dB the same for Gaussian, uniform, Laplace, Rademacher and Student entries.",
	Paper:     "mean SINR on antisparse sources 25.05 25.27 25.81 25.28 25.59, median on nonnegative ones 26.47 26.69 26.35 26.94 26.73 (" + stored + ")",
	Grid:      mixings,
	Bounds: []claim.Bound{
		{Text: "the median SINR over 30 mixings is within .7 dB of the paper's for each law and domain", Origin: claim.Paper, Note: stored + "; means of antisparse sources, which hardly fail"},
		{Text: "the medians of the laws are within 1 dB of each other", Origin: claim.Paper, Note: stored + ": .76 and .59 dB apart"},
	},
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("The law matters little, but by somewhat more than a dB from the least to the greatest median of antisparse sources, of which Student's entries are the easiest here; 30 mixings scatter by " +
		"about half a dB. No law makes PEM fail."),
	Check: lawsAgree,
	Plot: func(t claim.Table) []claim.Figure {
		return []claim.Figure{{Name: "pem-mixings", Panels: boxes(t, laws, func(p trial) string { return p.Law }, lawTable),
			Caption: "SINR of PEM against what the mixing matrix is drawn from, a dot a run, line: median; grey: the paper's (mean of antisparse, median of nonnegative antisparse sources). Ten mixtures of 30 dB, rho 0."}}
	},
}

// lawsAgree is the check of pem/mixing-law.
func lawsAgree(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	for _, d := range []string{antiName, nnName} {
		var medians []string
		low, high := 1e9, -1e9
		for k, law := range laws {
			v := sinr(t, func(p trial) bool { return p.Domain == d && p.Law == law })
			if len(v) == 0 {
				continue
			}
			m := bss.Summarise(v).Median
			low, high = min(low, m), max(high, m)
			medians = append(medians, fmt.Sprintf("%s %.2f", law, m))
			slack := .7
			if t.Scale == claim.Quick { // two seeds and an eighth of the samples
				slack = map[string]float64{antiName: 6, nnName: 15}[d]
			}
			if !(m >= lawTable[d][k]-slack && m <= lawTable[d][k]+slack) {
				off.Add("%s, %s: median %.2f dB, the paper's %.2f", d, law, m, lawTable[d][k])
			}
		}
		if t.Scale == claim.Full && high-low > 1 {
			off.Add("%s: medians are %.2f dB apart", d, high-low)
		}
		ours = append(ours, d+": "+strings.Join(medians, ", "))
	}
	return "median SINR, dB: " + strings.Join(ours, "; "), off.Err()
}

// countTable is the paper's mean SINR with 7, 8, ..., 13 mixtures.
var countTable = map[string][]float64{"simplex": {26.61, 27.53, 28.14, 28.61, 29.27, 29.47, 29.69}, "sparse": {24.73, 25.54, 26.23, 26.54, 26.71, 26.80, 26.89}}

var mixtureCount = claim.Claim{
	ID:        "pem/number-of-mixtures",
	Source:    paper + ", ablation of the number of mixtures, as its released code has it",
	Statement: "More mixtures of the same five sources make PEM better: from 7 to 13 its SINR grows by 2 dB on sparse sources and by 3 dB on sources in the simplex.",
	Paper:     "mean SINR, m = 7 to 13: simplex 26.61 27.53 28.14 28.61 29.27 29.47 29.69, sparse 24.73 25.54 26.23 26.54 26.71 26.80 26.89 (" + stored + ")",
	Grid:      counts,
	Bounds: []claim.Bound{
		{Text: "the mean SINR is within .7 dB of the paper's at every number of mixtures, or within the 95 % interval of ours", Origin: claim.Paper, Note: stored},
		{Text: "from 7 to 13 mixtures, on the same sources, SINR grows by more than 1 dB, the 95 % interval of the paired difference included", Origin: claim.Paper, Note: stored + ": 3.1 and 2.2 dB"},
	},
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("More mixtures do help, by 4 dB on the simplex and 2.5 dB on sparse sources from 7 to 13; but on sparse sources eight are better here than the paper's by .9 dB, and the interval of the gain " +
		"reaches below 1 dB, since single runs with seven mixtures fail."),
	Check: moreMixturesHelp,
	Plot:  countFigure,
}

// moreMixturesHelp is the check of pem/number-of-mixtures.
func moreMixturesHelp(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	rows := claim.Rows[trial, score](t)
	for _, d := range claim.Keys(countTable) {
		by := map[int]map[int]float64{} // mixtures, seed
		for _, r := range rows {
			if r.Params.Domain == d {
				if by[r.Params.Mixtures] == nil {
					by[r.Params.Mixtures] = map[int]float64{}
				}
				by[r.Params.Mixtures][r.Params.Seed] = r.Result.SINR
			}
		}
		var means []string
		for _, m := range claim.Keys(by) {
			e := claim.Paired(by[m], zeros(by[m]))
			means = append(means, fmt.Sprintf("%.2f", e.Mean))
			if want := countTable[d][m-7]; t.Scale == claim.Full && !(abs(e.Mean-want) <= max(.7, e.Margin())) {
				off.Add("%s, %d mixtures: %s dB, the paper's %.2f", d, m, e, want)
			}
		}
		gain := claim.Paired(by[13], by[7])
		if t.Scale == claim.Full && !gain.Above(1) || !(gain.Mean > 0) {
			off.Add("%s: 13 mixtures gain %s dB over 7", d, gain)
		}
		ours = append(ours, fmt.Sprintf("%s %s, gain %s", d, strings.Join(means, " "), gain))
	}
	return "mean SINR, dB, fewest mixtures first: " + strings.Join(ours, "; "), off.Err()
}

// zeros has the keys of m.
func zeros(m map[int]float64) map[int]float64 {
	z := map[int]float64{}
	for k := range m {
		z[k] = 0
	}
	return z
}

func abs(v float64) float64 { return max(v, -v) }

// countFigure is the figure of pem/number-of-mixtures.
func countFigure(t claim.Table) []claim.Figure {
	panel := claim.Panel{Title: "PEM", X: claim.Axis{Label: "mixtures of five sources"}, Y: claim.Axis{Label: "SINR, dB"}}
	for k, d := range claim.Keys(countTable) {
		at := claim.By(claim.Where[trial, score](t, func(p trial) bool { return p.Domain == d }), func(p trial) int { return p.Mixtures }, func(s score) float64 { return s.SINR })
		panel.Lines = append(panel.Lines, claim.Curve(d, k+1, at))
		line := claim.Line{Name: []string{"the paper's", ""}[k], Reference: true, Points: true}
		for i, v := range countTable[d] {
			line.X, line.Y = append(line.X, float64(7+i)), append(line.Y, v)
		}
		panel.Lines = append(panel.Lines, line)
	}
	return []claim.Figure{{Name: "pem-counts", Panels: []claim.Panel{panel}, Caption: "SINR of PEM against the number of mixtures, which are the first rows of one mixing matrix in each run; mean over seeds, band: standard error. Input SNR 30 dB."}}
}

// gradientTable is the paper's SINR on antisparse sources by rho: median of the truncated and of the full gradient, and their means.
var gradientTable = map[float64][4]float64{0: {25.35, 25.15, 25.34, 22.80}, .2: {23.62, 23.23, 23.34, 17.87}, .5: {15.47, 17.47, 15.37, 13.58}}

var truncatedFull = claim.Claim{
	ID:     "pem/truncated-gradient",
	Source: paper + ", ablation of the truncated gradient, as its released code has it",
	Statement: "Leaving out the gradient's second cross term, as PEM does, costs nothing: on antisparse sources the full gradient fails in more runs and is worse in the mean; " +
		"only at strong correlation (rho .5) is its median better. On sparse sources there is no difference.",
	Paper: "SINR truncated, full: rho 0 mean 25.34, 22.80, median 25.35, 25.15; rho .2 23.34, 17.87, 23.62, 23.23; rho .5 15.37, 13.58, 15.47, 17.47; sparse identical (" + stored + ")",
	Grid:  gradients,
	Bounds: []claim.Bound{
		{Text: "at rho 0, .2 and .5 the medians are within 1 dB of the paper's, truncated and full", Origin: claim.Paper, Note: stored},
		{Text: "at rho .2 the mean of the truncated gradient is above the full one's, the 95 % interval of the paired difference included; at rho .5 its median is below", Origin: claim.Paper, Note: stored},
		{Text: "the full gradient loses a source in more runs than the truncated one, over all rho", Origin: claim.Paper, Note: stored + ": many failed seeds, least near 4 dB"},
		{Text: "on sparse sources they differ by less than .2 dB in the mean at every input SNR", Origin: claim.Paper, Note: stored + ": identical"},
	},
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("The order is the paper's in everything but one interval: the full gradient loses sources in more runs and is worse in the mean up to rho .2, but in fewer runs than the paper's, so that " +
		"the interval of the difference of means at rho .2 reaches zero. The medians are the paper's, and at rho .5 the full gradient's is the better one."),
	Check: truncationCostsNothing,
	Plot: func(t claim.Table) []claim.Figure {
		f := claim.Figure{Name: "pem-gradients", Caption: "SINR of PEM with its truncated gradient and with all of it, a dot a run, line: median; grey: the paper's medians. Antisparse sources, ten mixtures of 30 dB; same data and start."}
		for k, method := range []string{pemRule, pemFull} {
			panel := claim.Panel{Title: method, X: claim.Axis{Label: "rho, correlation of the sources"}, Y: claim.Axis{Label: "SINR, dB", Min: 0, Max: 32}}
			dots, line := claim.Line{NoLine: true, Points: true, Series: k + 1}, claim.Line{Name: "median", Series: k + 1}
			reference := claim.Line{Name: "the paper's median", Reference: true, Points: true}
			for _, rho := range claim.Keys(gradientTable) {
				v := sinr(t, func(p trial) bool { return p.Method == method && p.Domain == antiName && p.Rho == rho })
				for _, y := range v {
					dots.X, dots.Y = append(dots.X, rho), append(dots.Y, y)
				}
				if len(v) > 0 {
					line.X, line.Y = append(line.X, rho), append(line.Y, bss.Summarise(v).Median)
				}
				reference.X, reference.Y = append(reference.X, rho), append(reference.Y, gradientTable[rho][k])
			}
			panel.Lines = append(panel.Lines, dots, line, reference)
			f.Panels = append(f.Panels, panel)
		}
		return []claim.Figure{f}
	},
}

// truncationCostsNothing is the check of pem/truncated-gradient.
func truncationCostsNothing(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	lost := map[string]int{}
	runs := map[string]map[float64]map[int]float64{pemRule: {}, pemFull: {}}
	sparse := map[string]map[float64]map[int]float64{pemRule: {}, pemFull: {}}
	for _, r := range claim.Rows[trial, score](t) {
		into, key := runs, r.Params.Rho
		if r.Params.Domain == "sparse" {
			into, key = sparse, r.Params.SNR
		} else if r.Result.Lost > 0 {
			lost[r.Params.Method]++
		}
		if into[r.Params.Method] == nil {
			continue
		}
		if into[r.Params.Method][key] == nil {
			into[r.Params.Method][key] = map[int]float64{}
		}
		into[r.Params.Method][key][r.Params.Seed] = r.Result.SINR
	}
	for _, rho := range claim.Keys(gradientTable) {
		var medians [2]float64
		for k, method := range []string{pemRule, pemFull} {
			var v []float64
			for _, y := range runs[method][rho] {
				v = append(v, y)
			}
			medians[k] = bss.Summarise(v).Median
			if want := gradientTable[rho][k]; t.Scale == claim.Full && !(abs(medians[k]-want) <= 1) {
				off.Add("rho %g, %s: median %.2f dB, the paper's %.2f", rho, method, medians[k], want)
			}
		}
		d := claim.Paired(runs[pemRule][rho], runs[pemFull][rho])
		ours = append(ours, fmt.Sprintf("rho %g: median %.2f and %.2f, mean difference %s", rho, medians[0], medians[1], d))
		if t.Scale == claim.Full && rho == .2 && !d.Above(0) {
			off.Add("rho .2: the truncated gradient is %s dB above the full one", d)
		}
		if t.Scale == claim.Full && rho == .5 && !(medians[0] < medians[1]) {
			off.Add("rho .5: median %.2f dB truncated, %.2f full", medians[0], medians[1])
		}
	}
	if t.Scale == claim.Full && lost[pemFull] <= lost[pemRule] {
		off.Add("runs that lost a source: %d truncated, %d full", lost[pemRule], lost[pemFull])
	}
	for _, snr := range claim.Keys(sparse[pemRule]) {
		if d := claim.Paired(sparse[pemRule][snr], sparse[pemFull][snr]); !(abs(d.Mean) < map[claim.Scale]float64{claim.Quick: 5, claim.Full: .2}[t.Scale]) {
			off.Add("sparse, %g dB: they differ by %s dB", snr, d)
		}
	}
	return fmt.Sprintf("SINR truncated and full, dB: %s; runs that lost a source: %d and %d", strings.Join(ours, "; "), lost[pemRule], lost[pemFull]), off.Err()
}

// boxes draws SINR against a category, one panel a domain.
func boxes(t claim.Table, names []string, key func(trial) string, table map[string][]float64) (panels []claim.Panel) {
	for _, d := range claim.Keys(table) {
		panel := claim.Panel{Title: d, X: claim.Axis{Label: strings.Join(numbered(names), ", "), Min: .5, Max: float64(len(names)) + .5}, Y: claim.Axis{Label: "SINR, dB"}}
		dots, line := claim.Line{NoLine: true, Points: true, Series: 1}, claim.Line{Name: "median", Series: 1}
		reference := claim.Line{Name: "the paper's", Reference: true, Points: true}
		for k, name := range names {
			v := sinr(t, func(p trial) bool { return p.Domain == d && key(p) == name })
			for _, y := range v {
				dots.X, dots.Y = append(dots.X, float64(k+1)), append(dots.Y, y)
			}
			if len(v) > 0 {
				line.X, line.Y = append(line.X, float64(k+1)), append(line.Y, bss.Summarise(v).Median)
			}
			reference.X, reference.Y = append(reference.X, float64(k+1)), append(reference.Y, table[d][k])
		}
		panel.Lines = append(panel.Lines, dots, line, reference)
		panels = append(panels, panel)
	}
	return panels
}

// numbered are names with their numbers.
func numbered(names []string) (out []string) {
	for k, n := range names {
		out = append(out, fmt.Sprintf("%d %s", k+1, n))
	}
	return out
}
