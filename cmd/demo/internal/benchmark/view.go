package benchmark

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/claims"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/benchmark"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/report"
)

// A view is a table of rows as it is shown.
type view struct {
	table   benchmark.Table
	rows    []benchmark.Row
	command func(benchmark.Row) string
}

// number writes an estimate as mean ± standard error with some decimals; empty without a value.
func number(e claim.Estimate, decimals int) string {
	if e.N == 0 || math.IsNaN(e.Mean) {
		return "-"
	}
	text := strconv.FormatFloat(e.Mean, 'f', decimals, 64)
	if e.N > 1 && !math.IsNaN(e.Err) {
		text += " ± " + strconv.FormatFloat(e.Err, 'f', decimals, 64)
	}
	return text
}

// mean is number without the error.
func mean(e claim.Estimate, decimals int) string {
	e.N = min(e.N, 1)
	return number(e, decimals)
}

// small is mean with three significant digits.
func small(e claim.Estimate) string {
	if e.N == 0 || math.IsNaN(e.Mean) {
		return "-"
	}
	return strconv.FormatFloat(e.Mean, 'g', 3, 64)
}

// seeds says how many there are, of how many.
func seeds(r benchmark.Row) string {
	text := fmt.Sprint(len(r.Seeds))
	if len(r.Seeds) < r.Wanted {
		text += fmt.Sprintf(" of %d", r.Wanted)
	}
	if n := len(r.Diverged); n > 0 {
		text += fmt.Sprintf(", %d diverged", n)
	}
	return text
}

const legend = "last, best: score on the test set after the last epoch, and after the best one, which is a selection on the test set; mean ± standard error over the seeds. " +
	"x BP: time of a training step over that of backprop on the same network, timed beside it. gradients: of the energy, for each batch. left: rms gradient with respect to activities " +
	"at the end of inference over that at its start, in per cent; far: share of batches that kept more than a tenth. residual: the rms gradient itself. " +
	"cosine: of the weight gradient to backprop's on the first training batch, before and after training. -: not measured, because there is no inference, or none towards an equilibrium."

// text is the table for people.
func (v view) text() report.Table {
	t := report.Table{Title: v.table.Title, Note: v.table.About, Legend: legend}
	var units []string
	for _, r := range v.rows {
		if r.Measure != "" && !slices.Contains(units, unit(r)) {
			units = append(units, unit(r))
		}
	}
	what := ""
	if len(units) > 0 {
		what = ", " + strings.Join(units, " or ")
	}
	t.Head = []string{"row", "seeds", "last" + what, "best" + what, "s/epoch", "x BP", "gradients", "left %", "residual", "far %", "cosine start", "end"}
	for _, r := range v.rows {
		t.Rows = append(t.Rows, []string{r.Row, seeds(r), number(r.Last, 2), number(r.Best, 2), small(r.Epoch), mean(r.Ratio, 2), mean(r.Gradients, 1),
			mean(r.Left, 1), small(r.Residual), mean(r.Far, 0), mean(r.Start, 4), mean(r.End, 4)})
	}
	return t
}

// unit is the score with its unit.
func unit(r benchmark.Row) string {
	if r.Measure == "accuracy" {
		return "%"
	}
	return r.Measure
}

// commands are the command lines of the rows, and their settings.
func (v view) commands() report.Table {
	t := report.Table{Title: "Rows", Wide: true, Head: []string{"row", "rule", "network", "settings", "weights", "seeds", "command", "time"}}
	for _, r := range v.rows {
		t.Rows = append(t.Rows, []string{r.Row, benchmark.RuleTitle(r.Rule.Name), r.Net.Title(), settings(r.Cell), fmt.Sprint(r.Weights), fmt.Sprint(r.Seeds), v.command(r), claims.Duration(r.Time)})
	}
	return t
}

// page is the run's page, without pictures.
func (v view) page() report.Page {
	text := v.text()
	p := report.Page{Title: "Benchmark: " + v.table.Title, Lead: v.table.About, Tables: []report.Table{text, v.commands()}}
	p.Tables[0].Note = "seeds " + fmt.Sprint(v.seedsOf())
	for _, r := range v.rows {
		for _, d := range r.Diverged {
			p.Passages = append(p.Passages, report.Passage{Title: r.Row + " diverged", Text: d})
		}
	}
	return p
}

// seedsOf are all seeds.
func (v view) seedsOf() []uint64 {
	var all []uint64
	for _, r := range v.rows {
		all = append(all, r.Seeds...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// settings are those of rule and learning in words.
func settings(c benchmark.Cell) string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	r, l := c.Rule, c.Learn
	if r.Loss == "ce" {
		add("cross-entropy")
	}
	if r.Errors {
		add("on errors")
	}
	switch {
	case r.Solver == "auto":
		add("infer.Auto until %g %% of the gradient are left, %d steps at most", 100*r.Rest, r.Steps)
	case r.Steps > 0:
		add("%d steps", r.Steps)
	}
	if r.Rate > 0 {
		add("rate %g", r.Rate)
	}
	if r.Momentum > 0 {
		add("momentum %g", r.Momentum)
	}
	if r.Precision > 0 {
		add("output precision %g", r.Precision)
	}
	if r.Beta > 0 {
		sign := r.Sign
		if sign == "" {
			sign = "positive"
		}
		of := "cost"
		if r.Nudge == "target" {
			of = "target"
		}
		add("%s nudging of the %s by %g", sign, of, r.Beta)
	}
	if r.Growth > 0 {
		add("growing by %g an epoch", r.Growth)
	}
	name := l.Optimizer
	if name == "" {
		name = "adam"
	}
	add("%s, lr %.4g", name, l.LR)
	if l.Decay > 0 {
		add("decay %g", l.Decay)
	}
	if l.Schedule != "" {
		add("%s", l.Schedule)
	}
	add("batch %d", l.Batch)
	add("%d epochs", l.Epochs)
	if l.Limit > 0 {
		add("%d batches at most", l.Limit)
	}
	if c.Data.Train > 0 {
		add("%d training samples", c.Data.Train)
	}
	return strings.Join(list, ", ")
}

// write writes the rows as JSON, and rows and curves as CSV.
func (v view) write(f *cli.Folder, t claim.Table) error {
	if err := f.Write("rows.json", cli.Encode(v.json())); err != nil {
		return err
	}
	if err := f.Write("rows.csv", v.rowsCSV); err != nil {
		return err
	}
	return f.Write("curves.csv", func(w io.Writer) error { return curvesCSV(w, t) })
}

// An estimate in JSON.
type estimate struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"standard_error"`
	N     int     `json:"n"`
}

// json are the rows in JSON. Numbers that are not known are "NaN".
func (v view) json() any {
	type row struct {
		benchmark.Cell
		Seeds   []uint64            `json:"seeds"`
		Wanted  int                 `json:"seeds_wanted"`
		Measure string              `json:"measure"`
		Command string              `json:"command"`
		Figures map[string]estimate `json:"figures"`
		Seconds float64             `json:"seconds"`
	}
	var rows []row
	for _, r := range v.rows {
		of := map[string]estimate{}
		for _, f := range figures(r) {
			of[f.name] = estimate{f.Mean, f.Err, f.N}
		}
		rows = append(rows, row{r.Cell, r.Seeds, r.Wanted, r.Measure, v.command(r), of, r.Time})
	}
	return map[string]any{"table": v.table.Name, "title": v.table.Title, "rows": rows}
}

// A figure is one of the numbers of a row.
type figure struct {
	name string
	claim.Estimate
}

// figures are all of them.
func figures(r benchmark.Row) []figure {
	return []figure{{"last", r.Last}, {"best", r.Best}, {"seconds_per_epoch", r.Epoch}, {"ratio_to_bp", r.Ratio}, {"gradients_per_batch", r.Gradients}, {"residual", r.Residual},
		{"left_percent", r.Left}, {"far_percent", r.Far}, {"cosine_start", r.Start}, {"cosine_end", r.End}}
}

// rowsCSV has a line for each row.
func (v view) rowsCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	head := []string{"row", "data", "network", "rule", "measure", "seeds"}
	for _, f := range figures(benchmark.Row{}) {
		head = append(head, f.name, f.name+"_error")
	}
	lines := [][]string{append(head, "command")}
	for _, r := range v.rows {
		line := []string{r.Row, r.Data.Name, r.Net.Title(), r.Rule.Name, r.Measure, fmt.Sprint(len(r.Seeds))}
		for _, f := range figures(r) {
			line = append(line, plain(f.Mean), plain(f.Err))
		}
		lines = append(lines, append(line, v.command(r)))
	}
	return out.WriteAll(lines)
}

// curvesCSV has a line for each evaluation of each training.
func curvesCSV(w io.Writer, t claim.Table) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"row", "data", "network", "rule", "seed", "step", "seconds", "accuracy", "loss", "cross_entropy"}}
	for _, r := range claim.Rows[benchmark.Cell, benchmark.Outcome](t) {
		c, o := r.Params, r.Result
		at := func(list []claim.Nullable, i int) string {
			if i >= len(list) {
				return ""
			}
			return plain(float64(list[i]))
		}
		for i, step := range o.Steps {
			lines = append(lines, []string{c.Row, c.Data.Name, c.Net.Title(), c.Rule.Name, fmt.Sprint(c.Seed), fmt.Sprint(step), plain(o.Seconds[i]),
				at(o.Accuracy, i), at(o.Loss, i), at(o.Entropy, i)})
		}
	}
	return out.WriteAll(lines)
}

// plain writes a number for programs; empty if it is not known.
func plain(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 8, 64)
}
