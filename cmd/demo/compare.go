package main

import (
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/report"
)

// compareCmd compares gradients without training.
type compareCmd struct {
	outFlags
	netFlags
	dataFlags
	inferFlags
	Batch   int  `default:"64" help:"Samples in the batch." json:"batch"`
	Float32 bool `name:"float32" help:"Compute in float32 instead of float64." json:"float32"`
}

// Validate is called by kong.
func (cmd compareCmd) Validate() error {
	return first(cmd.netFlags.validate(), cmd.dataFlags.validate(), cmd.inferFlags.validate(), count("batch", cmd.Batch, 1))
}

// Run compares in the precision asked for.
func (cmd compareCmd) Run(c *console) error {
	cmd.settle(cmd.Errors)
	return c.run("compare-"+cmd.name(), cmd, func(r *runDir) error {
		training, _, err := cmd.load(c, cmd.Seed, cmd.Widths)
		if err != nil {
			return err
		}
		net, err := cmd.network(training, cmd.hidden(training)...)
		if err != nil {
			return err
		}
		r.manifest.Options = cmd // with what the data decide
		if err := r.used(training); err != nil {
			return err
		}
		if cmd.Float32 {
			return compareIn[float32](c, cmd, net, training, r)
		}
		return compareIn[float64](c, cmd, net, training, r)
	})
}

// compareIn compares in the precision T.
func compareIn[T graph.Float](c *console, cmd compareCmd, net *arch.Network, set *data.Set, out *runDir) error {
	w, err := newWeights[T](net, cmd.Seed)
	if err != nil {
		return err
	}
	b, err := newBench(net, cmd.netFlags, w, set, cmd.Batch)
	if err != nil {
		return err
	}
	show := c.progress("comparison", "")
	b.onStep = func(step int) { show.Step(min(step, cmd.Steps), cmd.Steps, nil) }
	a, err := b.inference(c.ctx, cmd.Precision, cmd.inferFlags)
	show.End()
	if err != nil {
		return err
	}
	if err := out.logAgreement(a, cmd.Precision); err != nil {
		return err
	}
	if err := a.diverged(); err != nil {
		return err
	}
	var t T
	c.printf("%s, scaling %s, %s, precision %g, %T, seed %d\n", cmd.title(), cmd.Scaling.name, set.Name, cmd.Precision, t, cmd.Seed)
	out.page = report.Page{Title: "PC against BP, without training",
		Lead: fmt.Sprintf("Weight gradients of a %s (scaling %s, seed %d) on a batch of %d from %s, in %T; %d inference steps of rate %g, output precision %g.",
			cmd.title(), cmd.Scaling.name, cmd.Seed, b.batch, set.Name, t, cmd.Steps, cmd.Rate, cmd.Precision)}
	r := &out.page
	if len(a.rows) > 0 {
		last, _ := a.last()
		r.Tiles = []report.Tile{{Value: fmt.Sprintf("%.4f", last.Whole.Cosine), Label: "cosine at the end", Class: "pc"},
			{Value: fmt.Sprintf("%.2g", last.Whole.Relative), Label: "relative error at the end", Class: "pc"},
			{Value: fmt.Sprintf("%.2g", last.Residual), Label: "rms of the energy gradient left"}}
		r.Tables = []report.Table{alongTable(a, "the first samples of "+set.Name)}
		r.Figures = agreementFigures(a, nil)
		out.manifest.Results["whole"] = last.Whole
	}
	return nil
}
