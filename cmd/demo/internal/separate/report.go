package separate

import (
	"fmt"
	"math"
	"strings"

	"github.com/pcgraph/pcgraph/bss"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
	"github.com/pcgraph/pcgraph/report"
)

// results are what the manifest has.
func (cmd Cmd) results(out *cli.RunDir, j *job) {
	r := map[string]any{"sources": len(j.files), "method": cmd.Method.Name, "runs": len(j.result.Runs), "failed_runs": j.result.Failed(), "separated_in_s": j.took.Seconds()}
	if j.result.Domain != nil {
		r["domain"] = j.result.Domain.String()
		r["surrogate"] = j.result.Runs[j.result.Best].Surrogate
	}
	if j.score != nil {
		r["sinr_db"], r["msnr_db"], r["snr_db"], r["lost_sources"] = j.score.SINR, j.score.MeanSNR, j.score.SNR, j.score.Lost()
	}
	for k, v := range r {
		out.Manifest.Results[j.prefix+k] = v
	}
}

// page is the report of a job.
func (cmd Cmd) page(j *job) report.Page {
	p := report.Page{Title: fmt.Sprintf("%d sources of %d %s", len(j.files), j.in.Channels, map[signal.Kind]string{signal.Sound: "channels of sound", signal.Picture: "pictures"}[j.in.Kind])}
	if j.in.Kind >= signal.Table {
		p.Title = fmt.Sprintf("%d sources of %d mixtures", len(j.files), j.in.Channels)
	}
	p.Lead = fmt.Sprintf("%s. Each source is a weighted sum of the mixtures, y = W x + b; %s learned W from the mixtures alone.", upper(describe(j.in)), cmd.Method.Title)
	if d := j.result.Domain; d != nil {
		p.Lead += fmt.Sprintf(" It looks for outputs that are confined to a domain, %v (%s), and spread as much as they can.", d, meaning(d))
		if c := j.result.Choice; c != nil {
			p.Lead += " Why this domain: " + c.Why + "."
		}
	}
	p.Tiles, p.Tables, p.Figures = cmd.tiles(j), cmd.tables(j), j.figures()
	return p
}

// meaning is a domain in words.
func meaning(d bss.Domain) string {
	return map[string]string{"antisparse": "every source between -1 and 1", "nnantisparse": "every source between 0 and 1", "sparse": "magnitudes that add up to at most 1",
		"nnsparse": "not negative, adding up to at most 1", "simplex": "not negative, adding up to 1"}[d.String()]
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (cmd Cmd) tiles(j *job) []report.Tile {
	tiles := []report.Tile{{Value: fmt.Sprint(len(j.files)), Label: fmt.Sprintf("sources of %d mixtures", j.in.Channels)}}
	if j.score != nil {
		tiles = append(tiles, report.Tile{Value: fmt.Sprintf("%.1f dB", j.score.SINR), Label: "SINR: power of the sources over that of what is wrong in them", Class: "pc"})
		if lost := j.score.Lost(); lost > 0 {
			tiles = append(tiles, report.Tile{Value: fmt.Sprint(lost), Label: "sources lost: they share an output with another", Class: "bp"})
		}
	}
	if d := j.result.Domain; d != nil {
		tiles = append(tiles, report.Tile{Value: d.String(), Label: "domain of the sources"})
	}
	failed := report.Tile{Value: fmt.Sprintf("%d of %d", j.result.Failed(), len(j.result.Runs)), Label: "runs failed: a source twice, or diverged"}
	if j.result.Failed() > 0 {
		failed.Class = "bp"
	}
	return append(tiles, failed, report.Tile{Value: fmt.Sprintf("%.2f s", j.took.Seconds()), Label: "to separate"})
}

func (cmd Cmd) tables(j *job) []report.Table {
	t := report.Table{Title: "Sources", Head: []string{"output", "file", "scaled for the file"}, Legend: "Order, signs and sizes of sources cannot be known from mixtures: files are scaled so that nothing clips."}
	if j.in.Kind == signal.Picture && j.score == nil {
		t.Legend += " A picture may be its own negative."
	}
	if j.score != nil {
		t.Head = append(t.Head, "reference", "correlation", "SNR (dB)")
		t.Legend += " SNR = 10 log10(|s|^2/|s - a y|^2) with the best factor a, both without their means; SINR is that of all sources together."
	}
	for i, file := range j.files {
		row := []string{fmt.Sprint(i + 1), file, j.scaled[i]}
		if j.score != nil {
			name, correlation, snr := "none", "", ""
			for s, o := range j.score.Order {
				if o == i {
					name = j.reference.Names[s]
					correlation, snr = fmt.Sprintf("%.4f", math.Sqrt(max(0, 1-math.Pow(10, -j.score.SNR[s]/10)))), fmt.Sprintf("%.1f", j.score.SNR[s])
				}
			}
			row = append(row, name, correlation, snr)
		}
		t.Rows = append(t.Rows, row)
	}
	if j.score != nil {
		t.Note = fmt.Sprintf("SINR %.1f dB, mean SNR %.1f dB.", j.score.SINR, j.score.MeanSNR)
		if lost := j.score.Lost(); lost > 0 {
			t.Note += fmt.Sprintf(" %s lost: no output is theirs alone.", report.Plural(lost, "source"))
		}
	}
	tables := []report.Table{t, runsTable(j.result)}
	if c := j.result.Choice; c != nil && len(c.Trials) > 0 {
		tables = append(tables, trialsTable(c))
	}
	return append(tables, unmixingTable(j))
}

func runsTable(r *bss.Result) report.Table {
	t := report.Table{Title: "Runs", Head: []string{"run", "rate", "samples", "surrogate", "largest correlation", "last change of W", "inner iterations", ""},
		Legend: fmt.Sprintf("rate: times the published one. surrogate: log variances of the outputs on the domain minus half their squared correlations, which the best run has largest. "+
			"largest correlation of two outputs: above %.1f a source was found twice and the run failed. last change of W: over the last tenth of the samples, relative; a run has converged where it is a few per cent. "+
			"inner iterations: mean for a sample.", bss.Twice)}
	for i, run := range r.Runs {
		note := ""
		switch {
		case run.Err != nil:
			note = "diverged"
		case run.Failed():
			note = "failed"
		}
		if i == r.Best {
			note = strings.TrimPrefix(note+", kept", ", ")
		}
		number := func(format string, v float64) string {
			if math.IsNaN(v) || math.IsInf(v, 0) || v == 0 {
				return "-"
			}
			return fmt.Sprintf(format, v)
		}
		change := number("%.1f %%", 100*run.Moved)
		if math.IsNaN(run.Moved) && run.Converged {
			change = "converged"
		}
		t.Rows = append(t.Rows, []string{fmt.Sprint(i + 1), number("%g", run.Rate), fmt.Sprint(run.Samples), number("%.3f", run.Surrogate), number("%.2f", run.Correlation), change, number("%.0f", run.Iterations), note})
	}
	return t
}

func trialsTable(c *bss.Choice) report.Table {
	t := report.Table{Title: "Domains that were tried", Head: []string{"domain", "fill (nats a source)", ""},
		Legend: fmt.Sprintf("fill: how well the outputs of a short run fill the domain, the mean log-likelihood of sources uniform in it but for a constant. Excess kurtosis of the mixtures' principal components: %.2f.", c.Kurtosis)}
	for _, trial := range c.Trials {
		note := map[bool]string{true: "taken"}[trial.Domain == c.Domain]
		fill := fmt.Sprintf("%.3f", trial.Fill)
		if trial.Err != nil && math.IsInf(trial.Fill, 0) {
			fill = "diverged"
		}
		t.Rows = append(t.Rows, []string{trial.Domain.String(), fill, note})
	}
	return t
}

func unmixingTable(j *job) report.Table {
	t := report.Table{Title: "Unmixing", Note: "y = W x + b, also in unmixing.csv and unmixing.safetensors.", Head: append([]string{"output"}, j.in.Names...)}
	t.Head = append(t.Head, "b")
	t.Wide = len(t.Head) > 9
	n, m := j.result.Unmixing.Dims()
	for i := range n {
		row := []string{fmt.Sprint(i + 1)}
		for k := range m {
			row = append(row, report.Number(j.result.Unmixing.At(i, k)))
		}
		t.Rows = append(t.Rows, append(row, report.Number(j.result.Offset[i])))
	}
	return t
}
