package icl

import (
	"context"
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// sweeps change one setting of the released defaults at a time. Contexts of 1000 pairs are looked at before training alone.
var sweeps = claim.Grid("icl/sweep", 1, func(s claim.Scale) []training {
	base := training{released, 128, 100, 1}
	with := func(change func(*training)) training {
		c := base
		change(&c)
		return c
	}
	if s == claim.Quick {
		base.Blocks, base.Tasks, base.Steps = 2, 32, 10
		return []training{with(func(c *training) { c.Pairs = 10 }), with(func(c *training) { c.Dim, c.Heads = 3, 1 }),
			with(func(c *training) { c.Pairs, c.Tasks, c.Steps = 200, 8, 1 })}
	}
	grid := []training{base}
	for _, tasks := range []int{16, 64, 256, 1024} {
		grid = append(grid, with(func(c *training) { c.Tasks = tasks }))
	}
	for _, n := range []int{10, 100} {
		grid = append(grid, with(func(c *training) { c.Pairs = n }))
	}
	for _, d := range []int{5, 8} {
		grid = append(grid, with(func(c *training) { c.Dim = d }))
	}
	return append(grid, with(func(c *training) { c.Heads = 1 }), with(func(c *training) { c.Norm = "layer" }), with(func(c *training) { c.Causal = false }),
		with(func(c *training) { c.Pairs, c.Steps = 1000, 1 }), with(func(c *training) { c.Pairs, c.Steps, c.Causal = 1000, 1, false }), with(func(c *training) { c.Tasks, c.Steps = 4096, 1 }))
}, func(ctx context.Context, c training, at *claim.Cell) (history, error) { return c.run(ctx, at) })

var sweep = claim.Claim{
	ID:     "icl/sweep",
	Source: paper + ", sweeps over tasks, context, dimension, heads, layer normalisation and mask. The released command for them stops with an error, so that the published sweep cannot be run again",
	Statement: "Whatever the number of tasks, the length of the context up to 1000 pairs, the dimension, the heads, layer normalisation or the mask: the identity holds, sums have rank one, " +
		"and changes within the context are aligned.",
	Paper: "the same figures for every setting",
	Grid:  sweeps,
	Bounds: []claim.Bound{
		{Text: "losses of network and theory within 1e-10, mean squared differences below 1e-24, ranks of 1, everywhere", Origin: claim.Derived, Note: "rounding"},
		{Text: "the mean cosine within the context, over blocks, is above .1", Origin: claim.After, Note: "the independent program's least is .15, of the defaults alone"},
		{Text: "what is trained for 100 steps ends below nine tenths of where it began, but for D = 8", Origin: claim.After, Note: "a prediction of zero does not; at D = 8 the released rate of .05 diverges, which was found"},
	},
	Check:   sweepHolds,
	Verdict: claim.WithCare,
	Care:    claim.Constant("At eight dimensions the released rate is too high: the loss grows, and the identity holds nevertheless. One seed; contexts of 1000 pairs and batches of 4096 tasks before training alone."),
	Plot:    sweepFigure,
}

// name says what is swept.
func (c training) name() string {
	s := c.transformer.String()
	if c.Tasks != 128 {
		s += fmt.Sprintf(", %d tasks", c.Tasks)
	}
	return s
}

// sweepHolds is the check of icl/sweep.
func sweepHolds(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	loss, squared := 0., 0.
	for _, r := range claim.Rows[training, history](t) {
		for _, l := range r.Result.Looks {
			loss = max(loss, l.Theory)
			bad := !(l.Theory < 1e-10)
			for k, v := range l.Squared {
				squared = max(squared, v)
				bad = bad || !(v < 1e-24) || l.Rank[k] != 1
			}
			if bad {
				off.Add("%s, step %d: losses apart by %.2g, squared differences %.2g, ranks %v", r.Params.name(), l.Step, l.Theory, l.Squared, l.Rank)
			}
		}
		end := r.Result.end()
		mean := claim.Mean(end.Context...).Mean
		if !(mean > .1) {
			off.Add("%s: cosines within the context %.3f", r.Params.name(), mean)
		}
		if first, ok := r.Result.at(1); ok && r.Params.Steps >= 100 && r.Params.Dim < 8 && !(end.Loss < .9*first.Loss) {
			off.Add("%s: the loss goes from %.3g to %.3g", r.Params.name(), first.Loss, end.Loss)
		}
		words = append(words, fmt.Sprintf("%s: loss %.3g, cosine %.2f", r.Params.name(), end.Loss, mean))
	}
	return fmt.Sprintf("losses apart by at most %.1g, squared differences %.1g; at the last look %s", loss, squared, strings.Join(words, "; ")), off.Err()
}

// sweepFigure is the figure of icl/sweep.
func sweepFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "Within the context", X: claim.Axis{Label: "step"}, Y: claim.Axis{Label: "mean cosine of the changes, over blocks", Min: 0, Max: 1}}
	for _, r := range claim.Rows[training, history](t) {
		l := claim.Line{Name: r.Params.name(), Points: true}
		for _, k := range r.Result.Looks {
			l.X, l.Y = append(l.X, float64(k.Step)), append(l.Y, claim.Mean(k.Context...).Mean)
		}
		if len(l.X) > 0 {
			p.Lines = append(p.Lines, l)
		}
	}
	if len(p.Lines) == 0 {
		return nil
	}
	return []claim.Figure{{Name: "icl-sweep", Panels: []claim.Panel{p}, Caption: "Mean alignment of the changes at positions of the context, one setting changed at a time, seed 1. Contexts of 1000 pairs and batches of 4096 tasks are looked at before training alone."}}
}
