package study

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/floats"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/internal/atomicfile"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// PredictCmd writes what a saved network says of samples.
type PredictCmd struct {
	savedFlags
	Rule string `placeholder:"RULE" help:"Whose weights, as the table of eval has them: PC, BP, ... (default: the rule that was held against backprop)."`
	To   string `default:"-" placeholder:"FILE" help:"Table to write, with a line for each sample; -: standard output."`
}

// Run writes the table.
func (cmd PredictCmd) Run(c *cli.Console) error {
	s, err := cmd.open()
	if err != nil {
		return err
	}
	file, err := s.OfRule(cmd.Rule)
	if err != nil {
		return err
	}
	notes := *c // standard output is the table's
	notes.Out = c.Errs
	set, err := cmd.samples(&notes, s, false)
	if err != nil {
		return err
	}
	if len(set.OutShape()) > 1 {
		return errors.Errorf("predict is for one label or a few numbers per sample, and %s has one label per step of a sequence: eval evaluates it", set.Name)
	}
	of := s.options
	net, err := of.Network(set, of.Widths...)
	if err != nil {
		return err
	}
	w, err := s.Load(file, net)
	if err != nil {
		return err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: min(of.Batch, set.Len()), Energy: of.Energy(of.Precision), Coordinates: arch.Feedforward})
	if err != nil {
		return err
	}
	table := func(out io.Writer) error { return predictions(out, m, set, of.Loss.CE) }
	if cmd.To == "-" {
		return errors.Wrap(table(c.Out), "predict")
	}
	if info, err := os.Stat(cmd.To); err == nil && !info.Mode().IsRegular() {
		return errors.Errorf("-to %s is no file: name a file that is not there or may be replaced", cmd.To)
	}
	if err := atomicfile.Write(cmd.To, table); err != nil {
		return err
	}
	c.Printf("%s by the weights of %s: %s\n", report.Plural(set.Len(), "prediction"), file.Rule, cmd.To)
	return nil
}

// predictions writes, for each sample, the class and the outputs (probabilities, of a network that was trained by cross-entropy), or
// the numbers of a regression in the units of the training data.
func predictions(out io.Writer, m *arch.Model[float32], set *data.Set, softmax bool) error {
	t := csv.NewWriter(out)
	classes := set.Classes()
	head := []string{"sample"}
	name := func(k int) string {
		if names := set.ClassNames(); names != nil {
			return names[k]
		}
		return strconv.Itoa(k)
	}
	if classes > 0 {
		head = append(head, "class")
		for k := range classes {
			if softmax {
				head = append(head, "p("+name(k)+")")
			} else {
				head = append(head, "output("+name(k)+")")
			}
		}
	} else {
		for k := range set.Out() {
			head = append(head, fmt.Sprintf("output%d", k+1))
		}
	}
	t.Write(head)
	const batch = 1024
	x := make([]float32, batch*set.In())
	for _, idx := range data.InOrder(set.Len(), batch) {
		xs := x[:len(idx)*set.In()]
		data.Fill(set, xs, nil, idx)
		y, err := m.Predict(xs)
		if err != nil {
			return err
		}
		for i, sample := range idx {
			row := y[i*set.Out() : (i+1)*set.Out()]
			line := []string{strconv.Itoa(sample + 1)}
			if classes > 0 {
				line = append(line, name(train.Largest(row)))
			}
			values := make([]float64, len(row))
			for k, v := range row {
				values[k] = float64(v)
				if units := set.TargetScales(); units != nil {
					values[k] = units[k].Invert(values[k])
				}
			}
			if softmax {
				norm := floats.LogSumExp(values)
				for k, v := range values {
					values[k] = math.Exp(v - norm)
				}
			}
			for _, v := range values {
				line = append(line, strconv.FormatFloat(v, 'g', 7, 64))
			}
			t.Write(line)
		}
	}
	t.Flush()
	return t.Error()
}
