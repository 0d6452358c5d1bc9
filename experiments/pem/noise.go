package pem

import (
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// noiseClaim is the claim on one of the sweeps S3 to S5.
func noiseClaim(domain, what, sweepName, figures, limits string, methods ...string) claim.Claim {
	others := ""
	if len(methods) > 1 {
		others = "; so does that of online " + strings.Join(methods[1:], " and ")
	}
	return claim.Claim{
		ID:        "pem/noise-" + domain,
		Source:    paper + ", figure of noisy " + what + " sources (" + sweepName + ")",
		Statement: "On five " + what + " sources in ten mixtures, PEM's mSNR follows the input SNR from 5 to 30 dB, within 4 dB of it, as the paper's does" + others + ".",
		Paper:     figures + " (" + stored + ")", Grid: noisy,
		Bounds:  append(agreement(limits), claim.Bound{Text: "the median mSNR of PEM is within 4 dB of the input SNR from 5 to 30 dB", Origin: claim.Paper, Note: stored}),
		Verdict: claim.Holds,
		Check: func(t claim.Table) (string, error) {
			ours, err := reproduced(t, domain, methods...)
			x := indexed(t)
			var off claim.Off
			if err != nil {
				off.Add("%v", err)
			}
			for _, snr := range inputs {
				if m := x.runs(domain, pemRule, snr); len(m) > 0 && t.Scale == claim.Full {
					if s := summary(m, mSNR); !(abs(s.Median-snr) <= 4) {
						off.Add("PEM at %g dB: median mSNR %.2f dB", snr, s.Median)
					}
				}
			}
			return ours, off.Err()
		},
		Plot: func(t claim.Table) []claim.Figure {
			return tableFigure(t, "pem-noise-"+domain, domain, "input SNR, dB", "Five sources in ten mixtures.", true, append([]string{upem}, methods...)...)
		},
	}
}

var (
	sparseTable = noiseClaim("sparse", "sparse", "S3", "mSNR at 5, 10, ..., 30 dB: PEM 7.19 11.26 15.83 20.30 23.74 26.93, CorInfoMax 7.02 11.08 15.59 20.03 23.80 27.36",
		".5 dB (PEM), 1 dB (CorInfoMax)", pemRule, cim)
	nnsparseTable = with(noiseClaim("nnsparse", "nonnegative sparse", "S4", "mSNR at 5, 10, ..., 30 dB: PEM 7.05 11.19 15.67 20.15 24.46 28.32, CorInfoMax 6.29 10.37 15.29 20.23 23.97 26.94",
		".5 dB (PEM), 1 dB (CorInfoMax)", pemRule, cim), "It holds but for PEM at the highest input SNR, where it is better here: its mean mSNR at 30 dB is .5 dB above the paper's, its SINR at 25 and 30 dB .6 and 1 dB, as fewer of our runs lose a source.")
	simplexTable = noiseClaim("simplex", "simplex", "S5", "mSNR at 5, 10, ..., 30 dB: PEM 6.75 10.84 15.60 20.57 25.32 28.88", ".5 dB", pemRule)
)

// with is a claim with another verdict, that it fails, and what was found.
func with(c claim.Claim, care string) claim.Claim {
	c.Verdict, c.QuickPasses, c.Shuffled, c.Care = claim.Fails, true, failing, claim.Constant(care)
	return c
}

var upemNoisy = claim.Claim{
	ID:        "pem/unnormalised-noisy",
	Source:    paper + ", figures of noisy sources (S3 to S5): u-PEM",
	Statement: "u-PEM's mSNR on five sparse, nonnegative sparse and simplex sources in ten mixtures is at every input SNR that of the paper's figures.",
	Paper:     "mSNR at 5, 10, ..., 30 dB: sparse 7.20 11.26 15.83 20.32 23.77 26.59, nonnegative sparse 6.96 10.83 15.18 19.45 23.96 28.23, simplex 6.77 10.80 14.70 18.72 22.51 25.88 (" + stored + ")",
	Grid:      noisy, Bounds: agreement(".5 dB"),
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("It is better here: most of all on the simplex, where medians at 20 to 30 dB are 2 to 3 dB above the paper's means, and as good as PEM's, since few of our runs lose a source. Nonnegative " +
		"sparse sources have it by up to 1.3 dB. On sparse ones it is the paper's, but for the SINR at 30 dB."),
	Check: func(t claim.Table) (string, error) { return both(t, upem, "sparse", "nnsparse", "simplex") },
}

var normalisation = claim.Claim{
	ID:        "pem/normalisation",
	Source:    paper + ", figures of noisy sparse and simplex sources (S3, S5): u-PEM beside PEM",
	Statement: "Without the normalisation of its cross term (u-PEM) PEM is as good on sparse sources, whose outputs are all of about the same variance, and loses 3 dB of mSNR on sources in the simplex at 30 dB.",
	Paper:     "u-PEM minus PEM: sparse -.34 dB at 30 dB, below .05 dB elsewhere; simplex -3.00 dB at 30 dB, -2.81 at 25, -1.85 at 20, -.04 at 10 (" + stored + ")",
	Grid:      noisy,
	Bounds: []claim.Bound{
		{Text: "on sparse sources the mean paired difference is below .5 dB at every input SNR", Origin: claim.Paper, Note: stored},
		{Text: "on the simplex PEM is ahead at 20, 25 and 30 dB, the 95 % interval of the paired difference included, and within .5 dB at 5 and 10 dB", Origin: claim.Paper, Note: stored},
	},
	Verdict: claim.Fails, QuickPasses: true, Shuffled: failing,
	Care: claim.Constant("On sparse sources u-PEM is as good as PEM. On the simplex it loses less than the paper's 3 dB: half a dB to one dB in the mean, of single runs that fail; the medians of both are within .4 dB " +
		"at every input SNR."),
	Check: normalisationMatters,
	Plot: func(t claim.Table) []claim.Figure {
		x := indexed(t)
		panel := claim.Panel{Title: "PEM ahead of u-PEM", X: claim.Axis{Label: "input SNR, dB"}, Y: claim.Axis{Label: "lead in mSNR, dB"}}
		for k, domain := range []string{"sparse", "nnsparse", "simplex"} {
			line := claim.Line{Name: domain, Series: k + 1, Points: true}
			reference := claim.Line{Reference: true, Name: []string{"the paper's", "", ""}[k]}
			for i, snr := range inputs {
				if d := x.paired(domain, snr); d.N > 0 {
					line.Append(snr, d)
				}
				reference.X, reference.Y = append(reference.X, snr), append(reference.Y, published[domain][pemRule][i]-published[domain][upem][i])
			}
			panel.Lines = append(panel.Lines, line, reference)
		}
		return []claim.Figure{{Name: "pem-normalisation", Panels: []claim.Panel{panel},
			Caption: "By how many dB of mSNR PEM is ahead of u-PEM, which has a number in place of the cross term's normalisation, on the same data; mean over seeds, band: standard error."}}
	},
}

// paired is PEM's lead over u-PEM.
func (x index) paired(domain string, snr float64) claim.Estimate {
	a, b := map[int]float64{}, map[int]float64{}
	for seed, s := range x.runs(domain, pemRule, snr) {
		a[seed] = s.MSNR
	}
	for seed, s := range x.runs(domain, upem, snr) {
		b[seed] = s.MSNR
	}
	return claim.Paired(a, b)
}

// normalisationMatters is the check of pem/normalisation.
func normalisationMatters(t claim.Table) (string, error) {
	var off claim.Off
	var ours []string
	x := indexed(t)
	for _, snr := range inputs {
		sparse, simplex := x.paired("sparse", snr), x.paired("simplex", snr)
		if sparse.N == 0 || simplex.N == 0 {
			continue
		}
		ours = append(ours, fmt.Sprintf("%g dB: sparse %s, simplex %s", snr, sparse, simplex))
		limit := .5
		if t.Scale == claim.Quick {
			limit = 8
		}
		if !(abs(sparse.Mean) < limit) {
			off.Add("sparse, %g dB: PEM is %s dB ahead", snr, sparse)
		}
		if t.Scale == claim.Full && snr >= 20 && !simplex.Above(0) {
			off.Add("simplex, %g dB: PEM is %s dB ahead", snr, simplex)
		}
		if snr <= 10 && !(abs(simplex.Mean) < limit) {
			off.Add("simplex, %g dB: PEM is %s dB ahead", snr, simplex)
		}
	}
	return "PEM ahead of u-PEM, dB: " + strings.Join(ours, "; "), off.Err()
}
