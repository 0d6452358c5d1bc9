package main

import (
	"fmt"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
)

// A divergenceFlag says what becomes of batches that diverge, by name.
type divergenceFlag struct{ train.Divergence }

// UnmarshalText is called by kong.
func (f *divergenceFlag) UnmarshalText(name []byte) error {
	if string(name) == "skip" {
		f.Divergence = train.SkipBatch
	}
	return known("way to take a divergence", string(name), "stop", "skip")
}

// MarshalText writes the name.
func (f divergenceFlag) MarshalText() ([]byte, error) {
	if f.Divergence == train.SkipBatch {
		return []byte("skip"), nil
	}
	return []byte("stop"), nil
}

// rest adds to the report how near to equilibrium the weights learned, and warns if that was far.
func (j *job) rest(c *console) error {
	t := table{Title: "Inference", Head: []string{"rule", "converged", "step limit", "time limit", "diverged", "left out", "residual", "of the start's", "evaluations", "F/F* - 1"}}
	for _, p := range j.pupils {
		r := p.history.Rest
		if r.Evaluations == 0 {
			continue
		}
		excess := "-"
		if x, ok, err := j.excess(p); err != nil {
			return err
		} else if ok {
			excess = fmt.Sprintf("%.2g", x)
			t.Note = fmt.Sprintf("F/F* - 1 is the energy over that of the exact equilibrium of linear networks, after the training's inference on %d test samples. ", min(compareBatch, j.test.Len()))
		}
		row := []string{p.name}
		shares := make(map[string]float64)
		for _, s := range []infer.Status{infer.Converged, infer.StepLimit, infer.TimeLimit, infer.Diverged} {
			row = append(row, fmt.Sprintf("%.4g %%", 100*r.Fraction(s)))
			shares[s.String()] = r.Fraction(s)
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprint(p.history.Skipped), fmt.Sprintf("%.2g", r.Residual), fmt.Sprintf("%.3g %%", 100*r.Left), fmt.Sprint(r.Evaluations), excess))
		j.manifest.Results[p.name+" inference"] = map[string]any{"ended": shares, "left_out": p.history.Skipped, "residual": r.Residual, "of_start": r.Left, "far": r.Far, "evaluations": r.Evaluations}
		if w := r.Warning(); w != "" {
			w = fmt.Sprintf("%s: %s (-steps, -rate).", p.name, w)
			t.Note += w
			c.printf("Note: %s\n", w)
		}
	}
	if len(t.Rows) > 0 {
		j.report.Tables = append(j.report.Tables, t)
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
	r, err := pc.Gradient(make([]float32, len(pc.Weights().Data())), x, y, n)
	return r.Energy/eq.Energy - 1, err == nil && eq.Energy > 0, err
}
