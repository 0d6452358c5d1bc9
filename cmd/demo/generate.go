package main

import (
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// generateCmd is the supervised generative task.
type generateCmd struct {
	taskFlags
	Std float64 `default:"0" help:"Start the inversion at draws of this standard deviation, .05 in the notebook; 0: at the mean label and its feedforward pass." json:"std"`
}

// Validate is called by kong.
func (cmd generateCmd) Validate() error {
	return cli.First(cmd.validate(), cli.NotNegative("std", cmd.Std))
}

// generateBudget is that of the notebook supervised_generative_pc.
var generateBudget = notebook{limit: 200, every: 50, lr: 1e-3, infer: jpcSteps(100, .1), saved: map[int]float64{50: 79.7, 100: 83.8, 150: 84.8, 200: 84.8}}

// testBatch is how many samples are inferred at a time where nothing is learned.
const testBatch = 500

// Run trains a network from labels to pictures and turns it round.
func (cmd generateCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "generate", cmd.taskFlags, generateBudget, &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = "A generator of pictures from labels, 10-300-300-784"
	t.Page.Lead = fmt.Sprintf("%d weight updates of Adam at rate %g on batches of %d, label in, picture out; then the label of a test picture is found by inference with the label free. Inference both times: %v.",
		t.opts.Limit, t.opts.LR, t.opts.Batch, t.opts.SolverFlags)
	return t.run(func() error {
		net, err := arch.MLP(nil, layers.ReLU, t.train.Out(), 300, 300, t.train.In())
		if err != nil {
			return err
		}
		w, err := cli.NewWeights[float32](net, t.seed)
		if err != nil {
			return err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: t.opts.Batch})
		if err != nil {
			return err
		}
		inverse, err := arch.Compile(net, w, arch.Plan{Batch: min(testBatch, t.test.Len()), FreeInput: true})
		if err != nil {
			return err
		}
		var start train.Start[float32] = &train.Gaussian[float32]{Std: cmd.Std, Seed: t.seed}
		if cmd.Std == 0 {
			mean := make([]float32, t.train.Out())
			for k := range mean {
				mean[k] = 1 / float32(len(mean))
			}
			start = train.Guess[float32]{Site: arch.InputName, Values: mean}
		}
		solver, stop := t.opts.New()
		turned, turnedStop := t.opts.New()
		query := &train.Query[float32]{Model: inverse, Solver: turned, Stop: turnedStop, Start: start, Site: arch.InputName}
		rule := &rules.Generator[float32]{Rule: &train.PC[float32]{Model: m, Solver: solver, Stop: stop}, Invert: query.Inputs}
		p, err := t.learnBy(net, rule, "accuracy of inferred labels")
		if err != nil || t.interrupted() {
			return err
		}
		generated, err := t.generated(m, query.Inputs)
		if err != nil {
			return err
		}
		small, err := inverse.Resized(min(64, t.test.Len()))
		if err != nil {
			return err
		}
		x, _ := t.batch(64)
		in, err := t.trace("Inversion of the trained generator", small, start, nil, x, beyond)
		if err != nil {
			return err
		}
		longer, err := t.longer(query)
		if err != nil {
			return err
		}
		t.Page.Tables = append(t.Page.Tables, longer)
		t.Page.Figures = append(t.Page.Figures, generated, report.Figure{File: "energy.png", Title: "Energy by layer along inversion",
			Caption: "The picture is clamped, the label and everything between begin near zero. Where the lines are flat the label rests.",
			Draw:    layerEnergies(in)})
		t.Manifest.Results["updates"] = p.history.Steps
		return nil
	})
}

// longerTest is how many samples are inverted for longer.
const longerTest = 1000

// longer is the accuracy of inferred labels when inversion takes longer than in the notebook.
func (t *study) longer(query *train.Query[float32]) (report.Table, error) {
	tab := report.Table{Title: "Labels by longer inversion", Head: []string{"inference", "accuracy", "energy gradients per batch"},
		Note: fmt.Sprintf("Of the trained generator, on the first %d test samples. The first row is the inference of training.", min(longerTest, t.test.Len()))}
	for _, factor := range []float64{1, 4, 16} {
		f := t.opts.SolverFlags
		f.Time *= factor
		f.Steps *= int(factor)
		query.Solver, query.Stop = f.New()
		score, err := train.Evaluate(query.Inputs, t.test.Slice(0, min(longerTest, t.test.Len())))
		if err != nil {
			return tab, err
		}
		tab.Rows = append(tab.Rows, []string{f.String(), percent(score.Accuracy), fmt.Sprint(query.Last.Evals)})
	}
	query.Solver, query.Stop = t.opts.New()
	return tab, nil
}

// generated is the picture of digits that a network makes of labels, of test pictures, and of the labels that were found
// for them.
func (t *study) generated(generator *arch.Model[float32], labels func(x []float32) ([]float32, error)) (report.Figure, error) {
	classes := t.train.Out()
	all := make([]float32, classes*classes)
	for k := range classes {
		all[k*classes+k] = 1
	}
	made, err := generator.Predict(all)
	if err != nil {
		return report.Figure{}, err
	}
	x, _ := t.batch(classes)
	n := len(x) / t.test.In()
	found, err := labels(x)
	if err != nil {
		return report.Figure{}, err
	}
	again, err := generator.Predict(found)
	if err != nil {
		return report.Figure{}, err
	}
	predicted := make([]int, n)
	wrong := make([]bool, n)
	for i := range predicted {
		predicted[i] = train.Largest(found[i*classes : (i+1)*classes])
		wrong[i] = predicted[i] != t.test.Label(i)
	}
	rows := []strip{
		{name: "made of the labels", pictures: shownAll(t.test, made, classes), captions: numbers(classes, func(i int) int { return i })},
		{name: "test pictures", pictures: shownAll(t.test, x, n), captions: numbers(n, t.test.Label)},
		{name: "their labels found", pictures: shownAll(t.test, again, n), captions: numbers(n, func(i int) int { return predicted[i] }), wrong: wrong},
	}
	return report.Figure{File: "generated.png", Title: "Digits from labels, and labels from digits",
		Caption: "Top: what the network makes of each label, at best the mean of its pictures. Below, test pictures with their labels, and what the network makes of the labels that it found for them, of which the largest is written below; framed where it is wrong.",
		Draw:    strips(rows)}, nil
}
