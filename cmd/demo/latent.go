package main

import (
	"fmt"
	"image"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// latentCmd is the unsupervised generative task.
type latentCmd struct {
	latentFlags
}

// latentFlags describe a network from a free input to pictures.
type latentFlags struct {
	taskFlags
	Latents int     `default:"50" help:"Units of the free input." json:"latents"`
	Std     float64 `default:"0.05" help:"Standard deviation of the activities that inference begins with." json:"std"`
}

// Validate is called by kong.
func (f latentFlags) Validate() error {
	return cli.First(f.validate(), cli.Count("test", f.Test, 2), cli.Count("latents", f.Latents, 1), cli.Positive("std", f.Std))
}

// latentBudget is that of the notebook unsupervised_generative_pc.
var latentBudget = notebook{limit: 300, every: 100, lr: 1e-3, infer: jpcSteps(100, .1)}

// readSteps is how many steps the causes of test pictures are inferred by, with momentum: to rest.
const readSteps = 300

// A latent is a network of causes and pictures.
type latent struct {
	*study
	flags  latentFlags
	net    *arch.Network
	w      *graph.Vector[float32]
	model  *arch.Model[float32] // of the training batches
	output string               // the pictures' site
	start  train.Start[float32]

	constant []float32 // input; nil if it is free
}

// newLatent draws the weights of a network whose input is a constant, or free.
func newLatent(t *study, flags latentFlags, net *arch.Network, constant []float32) (*latent, error) {
	w, err := cli.NewWeights[float32](net, t.seed)
	if err != nil {
		return nil, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: t.opts.Batch, FreeInput: constant == nil})
	t.ungraded = true
	_, outputs := net.Ends()
	return &latent{study: t, flags: flags, constant: constant, net: net, w: w, model: m, output: outputs[0],
		start: &train.Gaussian[float32]{Std: flags.Std, Seed: t.seed}}, err
}

// train teaches it pictures.
func (l *latent) teach() error {
	solver, stop := l.opts.New()
	rule := &rules.Unsupervised[float32]{Model: l.model, Solver: solver, Stop: stop, Start: l.start, Input: l.constant, Targets: l.train.Out()}
	_, err := l.learnBy(l.net, rule, "")
	return err
}

// query asks for a site, in a model of some plan, by inference that comes to rest.
func (l *latent) query(site string, p arch.Plan) (*train.Query[float32], error) {
	p.FreeInput = l.constant == nil
	m, err := arch.Compile(l.net, l.w, p)
	if err != nil {
		return nil, err
	}
	solver := &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: restRate, Mu: restMomentum}}
	return &train.Query[float32]{Model: m, Solver: solver, Stop: infer.Steps(readSteps), Start: l.start, Site: site}, nil
}

// cloudSamples is how many pictures' causes the normal distribution is fitted to.
const cloudSamples = 500

// Run trains and shows what the network makes of its causes.
func (cmd latentCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "latent", cmd.taskFlags, latentBudget, &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = fmt.Sprintf("Pictures from causes that nobody names, %d-300-300-784", cmd.Latents)
	t.Page.Lead = fmt.Sprintf("%d weight updates of Adam at rate %g on batches of %d pictures without labels; the network's input is free, and inferred with all other activities (%v). The causes of the pictures below were inferred by %d steps with momentum.",
		t.opts.Limit, t.opts.LR, t.opts.Batch, t.opts.SolverFlags, readSteps)
	return t.run(func() error {
		net, err := arch.MLP(nil, layers.ReLU, cmd.Latents, 300, 300, t.train.In())
		if err != nil {
			return err
		}
		l, err := newLatent(t, cmd.latentFlags, net, nil)
		if err != nil {
			return err
		}
		small, err := l.model.Resized(min(32, t.test.Len()))
		if err != nil {
			return err
		}
		x, _ := t.batch(32)
		var ins []inference
		t.watch = func(step int) error {
			if every := max(1, t.opts.Limit/6); step%every != 0 && step != 1 {
				return nil
			}
			in, err := t.trace(fmt.Sprintf("update %d", step), small, l.start, nil, x, 4)
			ins = append(ins, in)
			return err
		}
		if err := l.teach(); err != nil || t.interrupted() {
			return err
		}
		last := ins[len(ins)-1]
		for _, m := range last.moments {
			if last.at(m) >= last.trained {
				tab := report.Table{Title: "Energy of test pictures where training ends inference", Head: []string{"layer", "energy per sample", "JPC's notebook"}}
				for i, name := range last.terms {
					saved := []string{"about 1.6", "about 11", "about 60"}[min(i, 2)]
					tab.Rows = append(tab.Rows, []string{name, report.Number(m.Terms[i]), saved})
				}
				t.Page.Tables = append(t.Page.Tables, tab)
				t.Page.Tiles = append(t.Page.Tiles, report.Tile{Value: report.Number(m.Terms[len(m.Terms)-1]), Label: "energy of the picture after inference", Class: "pc"})
				break
			}
		}
		t.Page.Figures = append(t.Page.Figures, report.Figure{File: "energy.png", Title: "Energy by layer along inference and training",
			Caption: "On test pictures, from causes drawn at random, at several times of training, the later the darker. All activities give way to the picture, which comes with the largest energy; a trained network explains more of it in the same time.",
			Draw:    alongTraining(ins)})
		return l.pictures()
	})
}

// pictures shows reconstructions, samples and what the widest directions of the causes mean.
func (l *latent) pictures() error {
	q, err := l.query(arch.InputName, arch.Plan{Batch: min(testBatch, l.test.Len())})
	if err != nil {
		return err
	}
	x, _ := l.batch(cloudSamples)
	n := len(x) / l.test.In()
	z, _, err := q.Ask(nil, x, n)
	if err != nil {
		return err
	}
	made, err := l.model.Predict(z)
	if err != nil {
		return err
	}
	l.Page.Figures = append(l.Page.Figures, report.Figure{File: "reconstructed.png", Title: "Pictures and what their causes make of them",
		Caption: "Test pictures above; below, what the network makes of the inferred causes in one feedforward pass.",
		Draw:    strips([]strip{{name: "test pictures", pictures: shownAll(l.test, x, 12)}, {name: "reconstructed", pictures: shownAll(l.test, made, 12)}})})
	l.Manifest.Results["reconstruction error per pixel"] = meanSquare(x, made)
	l.Page.Tiles = append(l.Page.Tiles, report.Tile{Value: report.Number(meanSquare(x, made)), Label: "squared error per pixel of reconstructions (blank guess: 1)", Class: "pc"})
	cloud, err := analysis.FitCloud(z, l.flags.Latents)
	if err != nil {
		return err
	}
	const columns = 11
	draws, rng := strip{name: "drawn at random"}, rand.New(rand.NewPCG(l.seed, 2))
	for range columns {
		draws.pictures = append(draws.pictures, nil)
	}
	rows := []strip{draws, {name: "", pictures: make([]image.Image, columns)}}
	for _, r := range rows {
		for k := range r.pictures {
			if r.pictures[k], err = l.made(cloud.Sample(rng)); err != nil {
				return err
			}
		}
	}
	for k := range min(6, l.flags.Latents) {
		r := strip{name: fmt.Sprintf("direction %d", k+1), pictures: make([]image.Image, columns)}
		for i := range r.pictures {
			if r.pictures[i], err = l.made(cloud.At(k, 2*(float64(i)/(columns-1)*2-1))); err != nil {
				return err
			}
		}
		rows = append(rows, r)
	}
	l.Page.Figures = append(l.Page.Figures, report.Figure{File: "samples.png", Title: "What the causes mean",
		Caption: fmt.Sprintf("The causes of %d test pictures, fitted by a normal distribution. Above, pictures of causes drawn from it; below, the way through its middle along its widest directions, from -2 to 2 standard deviations.", n),
		Draw:    strips(rows)})
	return nil
}

// made is the picture of one cause.
func (l *latent) made(cause []float64) (image.Image, error) {
	z := make([]float32, len(cause))
	for i, v := range cause {
		z[i] = float32(v)
	}
	y, err := l.model.Predict(z)
	if err != nil {
		return nil, err
	}
	return shown(l.test, y, nil), nil
}

// meanSquare is the mean squared difference.
func meanSquare(a, b []float32) float64 {
	sum := 0.
	for i, v := range a {
		d := float64(v - b[i])
		sum += d * d
	}
	return sum / float64(len(a))
}
