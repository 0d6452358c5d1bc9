package study

import (
	"fmt"
	"math"

	"github.com/pcgraph/pcgraph/report"
)

// seedsTable adds to the page a line for each seed, the mean and its standard error, if there are several.
func (j *job) seedsTable() {
	if j.learn.Seeds < 2 {
		return
	}
	what, digits := "test loss", "%.4f"
	of := func(p *learner) float64 { return j.loss(p.last().Score) }
	if j.test.Classes() > 0 {
		what, digits, of = "test accuracy", "%.2f", func(p *learner) float64 { return 100 * p.last().Accuracy }
	}
	rule := j.learn.Rule.Short()
	t := report.Table{Title: "Seeds", Head: []string{"seed", rule + ", " + what, "BP, " + what, rule + ", s", "BP, s"},
		Legend: "Seeds of weights and order; the data are those of the first. The last line is the mean and its standard error, the standard deviation of the seeds over the root of their number."}
	if j.test.Classes() > 0 {
		t.Legend += " Accuracies are in per cent."
	}
	scores, seconds := map[string][]float64{}, map[string][]float64{}
	for _, p := range j.all {
		if len(p.history.Evals) == 0 {
			continue
		}
		j.Manifest.Results[p.name] = j.result(p)
		scores[p.kind], seconds[p.kind] = append(scores[p.kind], of(p)), append(seconds[p.kind], p.history.Elapsed.Seconds())
	}
	cell := func(xs []float64, i int, format string) string {
		if i >= len(xs) { // interrupted
			return "-"
		}
		return fmt.Sprintf(format, xs[i])
	}
	for i := range scores["BP"] {
		t.Rows = append(t.Rows, []string{fmt.Sprint(j.seed + uint64(i)), cell(scores[rule], i, digits), cell(scores["BP"], i, digits), cell(seconds[rule], i, "%.2f"), cell(seconds["BP"], i, "%.2f")})
	}
	last := []string{"mean"}
	for _, column := range []struct {
		of     map[string][]float64
		digits string
	}{{scores, digits}, {seconds, "%.2f"}} {
		for _, kind := range []string{rule, "BP"} {
			mean, se := meanError(column.of[kind])
			last = append(last, fmt.Sprintf(column.digits+" ± "+column.digits, mean, se))
		}
	}
	t.Rows = append(t.Rows, last)
	for kind, xs := range scores {
		mean, se := meanError(xs)
		j.Manifest.Results[kind+" seeds"] = map[string]any{"n": len(xs), "mean": mean, "standard_error": se}
	}
	j.Page.Tables = append(j.Page.Tables, t)
}

// meanError is the mean and its standard error, sd/sqrt(n) with sd of n-1 degrees of freedom; 0 for fewer than two numbers.
func meanError(xs []float64) (mean, se float64) {
	n := float64(len(xs))
	if n == 0 {
		return 0, 0
	}
	for _, x := range xs {
		mean += x / n
	}
	if n < 2 {
		return mean, 0
	}
	for _, x := range xs {
		se += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(se / (n - 1) / n)
}
