package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// rest adds to the report how near to equilibrium the weights learned, and warns if that was far.
func (j *job) rest(c *cli.Console) error {
	t := report.Table{Title: "Inference", Head: []string{"rule", "converged", "step limit", "time limit", "diverged", "skipped", "residual", "residual left", "evaluations"},
		Legend: "How inference ended, in per cent of the batches: converged to its tolerance, or stopped by the limit on steps or on time, or diverged to NaN or infinity; skipped: batches that changed no weight because they diverged. " +
			"Residual: root mean square of dF/dz where inference ended, mean over the batches, 0 at equilibrium; residual left: the same in per cent of what it was where inference began. Evaluations: of the energy and dF/dz, in all."}
	linear := false
	for _, p := range j.pupils {
		r := p.history.Rest
		if r.Evaluations == 0 {
			continue
		}
		excess := "-"
		if x, ok, err := j.excess(p); err != nil {
			return err
		} else if ok {
			excess, linear = fmt.Sprintf("%.2g", x), true
			t.Note = fmt.Sprintf("F/F* - 1 is on %d test samples. ", min(compareBatch, j.test.Len()))
		}
		row := []string{p.name}
		shares := make(map[string]float64)
		for _, s := range []infer.Status{infer.Converged, infer.StepLimit, infer.TimeLimit, infer.Diverged} {
			row = append(row, fmt.Sprintf("%.4g %%", 100*r.Fraction(s)))
			shares[s.String()] = r.Fraction(s)
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprint(p.history.Skipped), fmt.Sprintf("%.2g", r.Residual), fmt.Sprintf("%.3g %%", 100*r.Left), fmt.Sprint(r.Evaluations), excess))
		j.Manifest.Results[p.name+" inference"] = map[string]any{"ended": shares, "left_out": p.history.Skipped, "residual": r.Residual, "of_start": r.Left, "far": r.Far, "evaluations": r.Evaluations}
		w, err := j.restNote(c, p)
		if err != nil {
			return err
		}
		if w != "" {
			t.Note += fmt.Sprintf("%s: %s ", p.name, w)
		}
	}
	if linear { // else there is no closed form to hold it against
		t.Head = append(t.Head, "F/F* - 1")
		t.Legend += " F/F* - 1: by how much the energy F where the training's inference ends exceeds that of the exact equilibrium, F*, which linear networks have in closed form."
	} else {
		for i, row := range t.Rows {
			t.Rows[i] = row[:len(row)-1]
		}
	}
	if len(t.Rows) > 0 {
		j.Page.Tables = append(j.Page.Tables, t)
	}
	return nil
}

// excess is F(z_T)/F* - 1 after the pupil's inference on test samples; ok is false unless the network is a linear chain.
func (j *job) excess(p *pupil) (excess float64, ok bool, err error) {
	pc, isPC := p.rule.(*train.PC[float32])
	if !isPC {
		return 0, false, nil
	}
	n := min(compareBatch, j.test.Len())
	x, y := make([]float32, n*j.test.In()), make([]float32, n*j.test.Out())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(j.test, x, y, idx)
	}
	twin, targets, ok, err := linearTwin(pc.Model, x, y, j.flags)
	if err != nil || !ok {
		return 0, false, err
	}
	eq, err := twin.Equilibrium(denseOf(x, n), targets)
	if err != nil {
		return 0, false, err
	}
	r, err := pc.Gradient(make([]float32, len(pc.Subject().Weights.Data())), x, y, n)
	return r.Energy/eq.Energy - 1, err == nil && eq.Energy > 0, err
}

// restNote says that weights learned far from equilibrium, how far, and by which flags of the command that changes; empty if less than
// a tenth of the batches did.
func (j *job) restNote(c *cli.Console, p *pupil) (string, error) {
	r := p.history.Rest
	if r.Warning() == "" {
		return "", nil
	}
	stable := 0.
	if c.Has("rate") && j.learn.Rate > 0 {
		var err error
		if stable, err = j.stableRate(p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("in %d of %d batches inference was stopped far from equilibrium, with %.3g %% of the starting residual left (mean of all batches): %s.",
		r.Far, r.Measured, 100*r.Left, restAdvice(c, r, j.learn.Rate, stable, j.flags.Errors)), nil
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

// stableRate is the rate below which plain descent on the activities of some test samples is stable, 2 / largest curvature, with the
// weights that a pupil has learned.
func (j *job) stableRate(p *pupil) (float64, error) {
	w, err := double(j.net, p.rule.Subject().Weights)
	if err != nil {
		return 0, err
	}
	b, err := newBench(j.net, j.flags, w, j.test, compareBatch)
	if err != nil {
		return 0, err
	}
	return stableRate(b, p.precision, j.learn.Rule.Coordinates(j.flags.Coordinates()))
}

// stableRate is the rate below which plain descent on a batch is stable in some coordinates, 2 / largest curvature.
func stableRate(b *bench[float64], precision float64, coordinates arch.Coordinates) (float64, error) {
	m, err := arch.Compile(b.net, b.weights, arch.Plan{Batch: b.batch, Energy: b.flags.Energy(precision), Coordinates: coordinates})
	if err != nil {
		return 0, err
	}
	if err := m.Clamp(b.x, b.y); err != nil {
		return 0, err
	}
	if err := m.Forward(); err != nil {
		return 0, err
	}
	curvature, err := steepest(m)
	return 2 / curvature, err
}
