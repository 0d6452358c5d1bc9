package main

import (
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// bidirectionalCmd trains one network that classifies and generates.
type bidirectionalCmd struct {
	taskFlags
	Back float64 `name:"back" default:"0.001" help:"Weight of the energy of the direction from labels to pictures; the notebook has 1 and 0.001." json:"back"`
}

// Validate is called by kong.
func (cmd bidirectionalCmd) Validate() error {
	return cli.First(cmd.validate(), cli.Positive("back", cmd.Back))
}

// bidirectionalBudget is that of the notebook bidirectional_pc.
func bidirectionalBudget(back float64) notebook {
	b := notebook{limit: 300, every: 50, lr: 1e-3, infer: jpcDescent(1, .5)}
	switch back {
	case 1:
		b.saved = map[int]float64{50: 69.8, 100: 80.9, 150: 83.2, 200: 84.4, 250: 85.2, 300: 85.4}
	case .001:
		b.saved = map[int]float64{50: 90.2, 100: 91.8, 150: 93.8, 200: 94, 250: 93.8, 300: 94}
	}
	return b
}

// Run trains both directions in one energy.
func (cmd bidirectionalCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "bidirectional", cmd.taskFlags, bidirectionalBudget(cmd.Back), &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = "One network that classifies and generates, 784-256-10 both ways"
	t.Page.Lead = fmt.Sprintf("The hidden layer is predicted from the picture and from the label, and predicts both; the energy of the way from labels to pictures counts %g times. %d weight updates of Adam at rate %g on batches of %d; inference: %v.",
		cmd.Back, t.opts.Limit, t.opts.LR, t.opts.Batch, t.opts.SolverFlags)
	return t.run(func() error {
		both := arch.Bidirectional{Chain: arch.Chain{Act: layers.ReLU, Widths: []int{t.train.In(), 256, t.train.Out()}}, Backward: cmd.Back}
		net, err := both.Network()
		if err != nil {
			return err
		}
		w, err := cli.NewWeights[float32](net, t.seed)
		if err != nil {
			return err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: t.opts.Batch, Energy: both.Energy()})
		if err != nil {
			return err
		}
		solver, stop := t.opts.New()
		p, err := t.learnBy(net, &train.PC[float32]{Model: m, Solver: solver, Stop: stop}, "test accuracy")
		if err != nil || t.interrupted() {
			return err
		}
		// Beside the forward pass a label can be inferred, from both directions' evidence.
		free, err := arch.Compile(net, w, arch.Plan{Batch: min(testBatch, t.test.Len()), Energy: both.Energy(), FreeOutput: true})
		if err != nil {
			return err
		}
		ball := &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: restRate, Mu: restMomentum}}
		q := &train.Query[float32]{Model: free, Solver: ball, Stop: infer.Steps(readSteps), Site: "block2"}
		labels := func(x []float32) ([]float32, error) {
			y, _, err := q.Ask(x, nil, len(x)/t.test.In())
			return y, err
		}
		few := t.test.Slice(0, min(longerTest, t.test.Len()))
		inferred, err := train.Evaluate(labels, few)
		if err != nil {
			return err
		}
		passed, err := train.Evaluate(m.Predict, few)
		if err != nil {
			return err
		}
		t.Page.Tables = append(t.Page.Tables, report.Table{Title: "Labels of test pictures", Note: fmt.Sprintf("Of the first %d test samples.", few.Len()),
			Head: []string{"way", "accuracy"}, Rows: [][]string{{"forward pass", percent(passed.Accuracy)}, {"inference with the label free", percent(inferred.Accuracy)}}})
		t.Manifest.Results["inferred labels"] = inferred.Accuracy
		back, part, err := arch.Backwards(both, w)
		if err != nil {
			return err
		}
		generator, err := arch.Compile(back, part, arch.Plan{Batch: t.train.Out(), Coordinates: arch.Feedforward})
		if err != nil {
			return err
		}
		fig, err := t.generated(generator, p.rule.Subject().Predict)
		t.Page.Figures = append(t.Page.Figures, fig)
		return err
	})
}
