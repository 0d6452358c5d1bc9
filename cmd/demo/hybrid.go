package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// hybridCmd trains a generator and an amortiser together.
type hybridCmd struct{ taskFlags }

// Validate is called by kong.
func (cmd hybridCmd) Validate() error { return cmd.validate() }

// hybridBudget is that of the notebook hybrid_pc: accuracies of the amortiser; hybridSaved has those of inference at the end,
// from its guesses and from random activities, to time 500.
var (
	hybridBudget = notebook{limit: 300, every: 100, lr: 1e-3, infer: jpcSteps(50, .1), saved: map[int]float64{100: 74.7, 200: 80.7, 300: 82.1}}
	hybridSaved  = []string{"83.0 %", "83.2 %", "-"}
)

// ballSteps with momentum, of ballRate, come nearer to rest than JPC's time of 500.
const (
	ballSteps = 60
	ballRate  = .03
)

// Run trains both and compares the ways to a label.
func (cmd hybridCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "hybrid", cmd.taskFlags, hybridBudget, &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = "A generator and an amortiser that guesses its activities"
	t.Page.Lead = fmt.Sprintf("10-300-300-784 makes pictures of labels; 784-300-300-10 guesses, in one pass, the activities that inference will come to, and learns from where it came to. %d weight updates of Adam at rate %g on batches of %d; inference: %v.",
		t.opts.Limit, t.opts.LR, t.opts.Batch, t.opts.SolverFlags)
	return t.run(func() error {
		chain := arch.Chain{Act: layers.ReLU, Widths: []int{t.train.Out(), 300, 300, t.train.In()}}
		net, err := chain.Network()
		if err != nil {
			return err
		}
		mirror, err := arch.Amortiser(chain)
		if err != nil {
			return err
		}
		_, parts, err := arch.NewWeightsTogether[float32](rand.New(rand.NewPCG(t.seed, cli.WeightStream)),
			arch.Member{Name: "generator", Network: net}, arch.Member{Name: "amortiser", Network: mirror})
		if err != nil {
			return err
		}
		generator, err := arch.Compile(net, parts[0], arch.Plan{Batch: t.opts.Batch})
		if err != nil {
			return err
		}
		whole := energy.Gaussian{Precision: 2} // JPC's has no 1/2
		amortiser, err := arch.Compile(mirror, parts[1], arch.Plan{Batch: t.opts.Batch, Coordinates: arch.Feedforward, Energy: energy.PC{Hidden: whole, Output: whole}})
		if err != nil {
			return err
		}
		solver, stop := t.opts.New()
		rule := &rules.Hybrid[float32]{Generator: generator, Amortiser: amortiser, Solver: solver, Stop: stop}
		p, err := t.learnBy(net, rule, "accuracy of guessed labels")
		if err != nil || t.interrupted() {
			return err
		}
		inverse, err := arch.Compile(net, parts[0], arch.Plan{Batch: min(testBatch, t.test.Len()), FreeInput: true})
		if err != nil {
			return err
		}
		mean := train.Repeat([]float32{1 / float32(t.train.Out())}, t.train.Out())
		ways := []struct {
			name  string
			start train.Start[float32]
		}{
			{"inference from the guess", &rules.Amortised[float32]{Amortiser: amortiser}},
			{"inference from random activities", &train.Gaussian[float32]{Std: .05, Seed: t.seed}},
			{"inference from the mean label", train.Guess[float32]{Site: arch.InputName, Values: mean}},
		}
		tab := report.Table{Title: "Labels of test pictures", Head: []string{"way", "accuracy", "JPC's notebook"}, Note: fmt.Sprintf("After %d updates; inference of labels: %d steps of rate %g with momentum %g; the notebook's: Heun to time %.3g.", p.history.Steps, ballSteps, ballRate, restMomentum, 500/jpcBatch),
			Rows: [][]string{{"the amortiser's guess", percent(p.history.Last().Accuracy), "82.1 %"}}}
		t.opts.SolverFlags = jpcDescent(20, ballRate*jpcBatch) // of the pictures
		var ins []inference
		x, _ := t.batch(64)
		small, err := inverse.Resized(len(x) / t.test.In())
		if err != nil {
			return err
		}
		for i, way := range ways {
			if t.interrupted() {
				break
			}
			ball := &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: ballRate, Mu: restMomentum}}
			q := &train.Query[float32]{Model: inverse, Solver: ball, Stop: infer.Steps(ballSteps), Start: way.start, Site: arch.InputName}
			score, err := train.Evaluate(q.Inputs, t.test)
			if err != nil {
				return err
			}
			tab.Rows = append(tab.Rows, []string{way.name, percent(score.Accuracy), hybridSaved[i]})
			t.Manifest.Results[way.name] = score.Accuracy
			in, err := t.trace(way.name, small, way.start, nil, x, 8)
			if err != nil {
				return err
			}
			ins = append(ins, in)
		}
		t.Page.Tables = append(t.Page.Tables, tab)
		if len(ins) > 0 {
			t.Page.Figures = append(t.Page.Figures, report.Figure{File: "energy.png", Title: "The guess saves inference",
				Caption: "Energy of test pictures along the inference of their labels, from three starts. A guess that has been learned begins where the others come to later.",
				Draw:    startEnergies(ins)})
		}
		fig, err := t.generated(generator, func(x []float32) ([]float32, error) { return amortiser.Predict(x) })
		t.Page.Figures = append(t.Page.Figures, fig)
		return err
	})
}
