package study

import (
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/report"
)

// CompareCmd compares gradients without training.
type CompareCmd struct {
	cli.OutFlags
	cli.NetFlags
	cli.DataFlags
	cli.InferFlags
	Batch   int  `default:"64" help:"Samples in the batch." json:"batch"`
	Float32 bool `name:"float32" help:"Compute in float32 instead of float64." json:"float32"`
}

// Validate is called by kong.
func (cmd CompareCmd) Validate() error {
	return cli.First(cmd.NetFlags.Check(), cmd.DataFlags.Check(), cmd.InferFlags.Check(), cli.Count("batch", cmd.Batch, 1))
}

// Run compares in the precision asked for.
func (cmd CompareCmd) Run(c *cli.Console) error {
	cmd.Settle(cmd.Errors)
	return c.Run("compare-"+cmd.Name(), cmd, func(r *cli.RunDir) error {
		training, _, err := cmd.Load(c, cmd.Seed, cmd.Widths)
		if err != nil {
			return err
		}
		net, err := cmd.Network(training, cmd.Hidden(training)...)
		if err != nil {
			return err
		}
		r.Manifest.Options = cmd // with what the data decide
		if err := r.Used(training); err != nil {
			return err
		}
		if cmd.Float32 {
			return compareIn[float32](c, cmd, net, training, r)
		}
		return compareIn[float64](c, cmd, net, training, r)
	})
}

// compareIn compares in the precision T.
func compareIn[T graph.Float](c *cli.Console, cmd CompareCmd, net *arch.Network, set *data.Set, out *cli.RunDir) error {
	w, err := cli.Start[T](cmd.NetFlags, net, cmd.Seed)
	if err != nil {
		return err
	}
	b, err := NewComparison(net, cmd.NetFlags, w, set, cmd.Batch)
	if err != nil {
		return err
	}
	show := c.Progress("comparison", "")
	b.OnStep = func(step int) { show.Step(min(step, cmd.Steps), cmd.Steps, nil) }
	a, err := b.inference(c.Context, cmd.Precision, cmd.InferFlags)
	show.End()
	if err != nil {
		return err
	}
	if err := logAgreement(out.Folder, a, cmd.Precision); err != nil {
		return err
	}
	if err := a.diverged(); err != nil {
		return err
	}
	var t T
	c.Printf("%s, scaling %s, %s, precision %g, %T, seed %d\n", cmd.Title(), cmd.Scaling.Name, set.Name, cmd.Precision, t, cmd.Seed)
	out.Page = report.Page{Title: "PC against BP, without training",
		Lead: fmt.Sprintf("Weight gradients of a %s (scaling %s, seed %d) on a batch of %d from %s, in %T; %d inference steps of rate %g, output precision %g.",
			cmd.Title(), cmd.Scaling.Name, cmd.Seed, b.Batch, set.Name, t, cmd.Steps, cmd.Rate, cmd.Precision)}
	r := &out.Page
	if len(a.Rows) > 0 {
		last, _ := a.Last()
		r.Tiles = []report.Tile{{Value: fmt.Sprintf("%.4f", last.Whole.Cosine), Label: "cosine at the end", Class: "pc"},
			{Value: fmt.Sprintf("%.2g", last.Whole.Relative), Label: "relative error at the end", Class: "pc"},
			{Value: fmt.Sprintf("%.2g", last.Residual), Label: "rms of the energy gradient left"}}
		r.Tables = []report.Table{AlongTable(a, "the first samples of "+set.Name)}
		r.Figures = agreementFigures(a, nil)
		out.Manifest.Results["whole"] = last.Whole
	}
	return nil
}

// Choice is what the use of some flags depends on.
func (cmd CompareCmd) Choice() cli.Choice { return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data} }
