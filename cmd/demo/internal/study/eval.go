package study

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// EvalCmd evaluates saved networks.
type EvalCmd struct{ savedFlags }

// Run prints a line for each network.
func (cmd EvalCmd) Run(c *cli.Console) error {
	s, err := cmd.open()
	if err != nil {
		return err
	}
	test, err := cmd.samples(c, s, true)
	if err != nil {
		return err
	}
	of := s.options
	net, err := of.Network(test, of.Widths...)
	if err != nil {
		return err
	}
	t := report.Table{Title: fmt.Sprintf("%s, %s: %s", of.Title(), test.Name, report.Plural(test.Len(), "sample")), Head: []string{"weights", "test loss"}}
	t.Legend = "Test loss: 1/2 |y - output|^2 per sample."
	if test.Classes() > 0 {
		t.Head = append(t.Head, "cross-entropy", "accuracy")
	} else if test.TargetScales() != nil {
		t.Legend = "Test loss: 1/2 |y - output|^2 per sample, in units of the standardised targets."
	}
	var bad []string
	for _, file := range s.Weights {
		w, err := s.Load(file, net)
		if err != nil {
			return err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: min(of.Batch, test.Len()), Energy: of.Energy(of.Precision), Coordinates: arch.Feedforward})
		if err != nil {
			return err
		}
		c.Doing("evaluating " + file.File)
		score, err := train.Evaluate(m.Predict, test)
		c.Doing("")
		if err != nil {
			return errors.WithMessage(err, file.File)
		}
		row := []string{file.File, report.Number(score.Loss)}
		if score.Loss-score.Loss != 0 {
			bad = append(bad, file.File+" has the test loss "+row[1])
		}
		if test.Classes() > 0 {
			row = append(row, report.Number(score.CrossEntropy), fmt.Sprintf("%.2f %%", 100*score.Accuracy))
			if !of.Loss.CE {
				t.Note = "The outputs were trained by squared error: they are no logits, and their cross-entropy says little."
			}
		}
		t.Rows = append(t.Rows, row)
	}
	t.Print(c.Out)
	if len(bad) > 0 {
		return cli.NotFiniteError(bad)
	}
	return nil
}
