package study

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// A closeness measures what only a command with the network's flags knows of how near inference came to equilibrium. Nil functions
// measure nothing.
type closeness struct {
	errors bool    // inference moves prediction errors
	rate   float64 // of descent; 0: another solver's
	// excess is F/F* - 1 where a learner's inference ends, on so many test samples; ok is false where there is no closed form.
	excess  func(*learner) (v float64, ok bool, err error)
	samples int
	// stable is the rate below which descent is stable.
	stable func(*learner) (float64, error)
}

// inferenceTable adds to the page how inference ended in the learners' trainings, and a warning where the weights learned far from
// equilibrium.
func inferenceTable(c *cli.Console, r *cli.RunDir, learners []*learner, by closeness) error {
	t := report.Table{Title: "Inference", Head: []string{"rule", "converged", "step limit", "time limit", "diverged", "skipped", "residual", "residual left", "evaluations", "per update"},
		Legend: "How inference ended, in per cent of the batches: converged to its tolerance, or stopped by the limit on steps or on time, or diverged to NaN or infinity; skipped: batches that changed no weight because they diverged. " +
			"Residual: root mean square of dF/dz where inference ended, mean over the batches, 0 at equilibrium; residual left: the same in per cent of what it was where inference began. Evaluations: of the energy and dF/dz, in all, and per update of the weights."}
	linear := false
	for _, p := range learners {
		rest := p.history.Rest
		if rest.Evaluations == 0 {
			continue
		}
		row, shares := []string{p.name}, make(map[string]float64)
		for _, s := range []infer.Status{infer.Converged, infer.StepLimit, infer.TimeLimit, infer.Diverged} {
			row = append(row, fmt.Sprintf("%.4g %%", 100*rest.Fraction(s)))
			shares[s.String()] = rest.Fraction(s)
		}
		row = append(row, fmt.Sprint(p.history.Skipped), fmt.Sprintf("%.2g", rest.Residual), fmt.Sprintf("%.3g %%", 100*rest.Left), fmt.Sprint(rest.Evaluations), fmt.Sprintf("%.3g", p.gradients()))
		if by.excess != nil {
			x, ok, err := by.excess(p)
			if err != nil {
				return err
			}
			if ok {
				row, linear = append(row, fmt.Sprintf("%.2g", x)), true
			}
		}
		t.Rows = append(t.Rows, row)
		r.Manifest.Results[p.name+" inference"] = map[string]any{"ended": shares, "left_out": p.history.Skipped, "residual": rest.Residual, "of_start": rest.Left, "far": rest.Far, "evaluations": rest.Evaluations}
		note, err := by.note(c, p)
		if err != nil {
			return err
		}
		t.Note += note
	}
	if linear {
		t.Head = append(t.Head, "F/F* - 1")
		t.Note = fmt.Sprintf("F/F* - 1 is on %d test samples. ", by.samples) + t.Note
		t.Legend += " F/F* - 1: by how much the energy F where the training's inference ends exceeds that of the exact equilibrium, F*, which linear networks have in closed form."
		for i := range t.Rows {
			if len(t.Rows[i]) < len(t.Head) { // no closed form of this one
				t.Rows[i] = append(t.Rows[i], "-")
			}
		}
	}
	if len(t.Rows) > 0 {
		r.Page.Tables = append(r.Page.Tables, t)
	}
	return nil
}

// note says that weights learned far from equilibrium, how far, and by which flags of the command that changes; empty if less than a
// tenth of the batches did.
func (by closeness) note(c *cli.Console, p *learner) (string, error) {
	r := p.history.Rest
	if r.Warning() == "" {
		return "", nil
	}
	stable := 0.
	if by.stable != nil && c.Has("rate") && by.rate > 0 {
		var err error
		if stable, err = by.stable(p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s: in %d of %d batches inference was stopped far from equilibrium, with %.3g %% of the starting residual left (mean of all batches): %s. ",
		p.name, r.Far, r.Measured, 100*r.Left, restAdvice(c, r, by.rate, stable, by.errors)), nil
}

// restAdvice says what brings inference nearer to equilibrium; stable is the rate below which descent is stable, 0 if that is not known.
func restAdvice(c *cli.Console, r train.Rest, rate, stable float64, onErrors bool) string {
	limit := fmt.Sprintf("for the network as trained, descent is stable below a rate of %.2g, 2 / largest curvature", stable)
	switch {
	case stable > 0 && rate > stable:
		return fmt.Sprintf("lower -rate: %s, and this limit falls as weights grow: take half of it", limit)
	case r.Left > 1:
		return "it goes uphill: lower -rate"
	}
	var flags []string
	for _, f := range []struct{ name, words string }{{"steps", "more -steps"}, {"rate", "a higher -rate"}, {"time", "a longer -time"}, {"errors", "in deep networks -errors"}} {
		if c.Has(f.name) && !(f.name == "errors" && onErrors) {
			flags = append(flags, f.words)
		}
	}
	if slices.Contains(c.Given, "activities") {
		flags = append(flags, "leaving out -activities")
	}
	advice := "usual for a short inference, and the weights learn all the same; closer to equilibrium: " + strings.Join(flags, ", ")
	if stable > 0 {
		advice += " (" + limit + ")"
	}
	return advice
}
