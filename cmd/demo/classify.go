package main

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// classifyCmd is the discriminative task.
type classifyCmd struct {
	taskFlags
	Net string `arg:"" optional:"" default:"flow" help:"flow, scratch, errors or deep: the notebook whose network, inference and budget are taken." json:"net"`
}

// Validate is called by kong.
func (cmd classifyCmd) Validate() error {
	return cli.First(cli.Known("network", cmd.Net, "flow", "scratch", "errors", "deep"), cmd.validate())
}

// A classifier is a notebook's network.
type classifier struct {
	notebook
	words       string
	net         func(in, out int) (*arch.Network, error)
	energy      energy.Functional
	coordinates arch.Coordinates
}

// classifiers are the notebooks' networks by name.
func classifiers(name string) classifier {
	switch name {
	case "scratch": // jpc_from_scratch: its energy has no 1/2
		sum := energy.Gaussian{Precision: 2}
		return classifier{words: "a tanh network of 784-300-300-10, tanh behind the weights, by descent",
			notebook: notebook{limit: 500, every: 50, lr: 1e-3, infer: jpcDescent(20, .1),
				saved: map[int]float64{50: 72.7, 100: 76.3, 150: 86.6, 200: 89.1, 250: 89.2, 300: 91.3, 350: 92.6, 400: 93, 450: 94.1, 500: 93.8}},
			net: func(in, out int) (*arch.Network, error) {
				return &arch.Network{Input: []int{in}, Blocks: []arch.Block{
					{Name: "block1", Layer: layers.Linear{In: in, Out: 300, Post: layers.Tanh, Bias: true}},
					{Name: "block2", Layer: layers.Linear{In: 300, Out: 300, Post: layers.Tanh, Bias: true}},
					{Name: "block3", Layer: layers.Linear{In: 300, Out: out, Bias: true}},
				}}, nil
			},
			energy: energy.PC{Hidden: sum, Output: sum}}
	case "errors": // epc
		return classifier{words: "a relu network of 10 layers, 128 wide, in error coordinates",
			notebook: notebook{limit: 300, every: 100, lr: 1e-3, infer: jpcDescent(10, .5), saved: map[int]float64{100: 82.3, 200: 91.2, 300: 91.6}},
			net: func(in, out int) (*arch.Network, error) {
				return arch.MLP(nil, layers.ReLU, in, 128, 128, 128, 128, 128, 128, 128, 128, 128, out)
			},
			coordinates: arch.Errors}
	case "deep": // mupc
		return classifier{words: "a residual relu network of 30 layers, 128 wide, in muPC's parametrisation",
			notebook: notebook{limit: 900, every: 100, lr: .1, infer: jpcDescent(30, .5),
				saved: map[int]float64{100: 85.8, 200: 88.5, 300: 90.8, 400: 91.3, 500: 91.8, 600: 92.2, 700: 92.8, 800: 92.5, 900: 93.3}},
			net: func(in, out int) (*arch.Network, error) {
				widths := []int{in}
				for range 29 {
					widths = append(widths, 128)
				}
				return arch.ResMLP(arch.MuPC{}, layers.ReLU, append(widths, out)...)
			}}
	}
	return classifier{words: "a relu network of 784-300-300-10, by Heun's method",
		notebook: notebook{limit: 300, every: 100, lr: 1e-3, infer: jpcFlow(20), saved: map[int]float64{100: 93.31, 200: 95.46, 300: 95.9}},
		net:      func(in, out int) (*arch.Network, error) { return arch.MLP(nil, layers.ReLU, in, 300, 300, out) }}
}

// Run trains and shows how inference spreads the error.
func (cmd classifyCmd) Run(c *cli.Console) error {
	k := classifiers(cmd.Net)
	t, err := newStudy(c, "classify-"+cmd.Net, cmd.taskFlags, k.notebook, &cmd)
	if err != nil {
		return err
	}
	if k.coordinates == arch.Errors && t.opts.Solver != "sgd" {
		return errors.Errorf("-solver %s: the errors of this network relax by sgd only", t.opts.Solver)
	}
	t.Page.Title = "Classification by predictive coding: " + k.words
	t.Page.Lead = fmt.Sprintf("%d weight updates of Adam at rate %g on batches of %d; inference on each batch: %v.", t.opts.Limit, t.opts.LR, t.opts.Batch, t.opts.SolverFlags)
	return t.run(func() error {
		net, err := k.net(t.train.In(), t.train.Out())
		if err != nil {
			return err
		}
		w, err := cli.NewWeights[float32](net, t.seed)
		if err != nil {
			return err
		}
		m, err := arch.Compile(net, w, arch.Plan{Batch: t.opts.Batch, Energy: k.energy, Coordinates: k.coordinates})
		if err != nil {
			return err
		}
		test, err := m.Resized(min(64, t.test.Len()))
		if err != nil {
			return err
		}
		x, y := t.batch(64)
		var ins []inference
		look := func(name string) error {
			in, err := t.trace(name, test, train.Feedforward[float32]{}, x, y, beyond)
			ins = append(ins, in)
			return err
		}
		if err := look("Before training"); err != nil {
			return err
		}
		solver, stop := t.opts.New()
		p, err := t.learnBy(net, &train.PC[float32]{Model: m, Solver: solver, Stop: stop}, "test accuracy")
		if err != nil || t.interrupted() {
			return err
		}
		if err := look("After training"); err != nil {
			return err
		}
		t.Page.Figures = append(t.Page.Figures,
			report.Figure{File: "energy.png", Title: "Energy by layer along inference",
				Caption: "On the first test pictures. Inference begins at the feedforward pass, where all energy is at the output, and moves a part of it into the layers below; the weights learn from what has arrived there.",
				Draw:    layerEnergies(ins...)},
			report.Figure{File: "digits.png", Title: "What the network says of test pictures",
				Caption: "Under each picture is its label; framed are the mistakes, with what was predicted first.",
				Draw:    digits(p.rule, t.test)})
		return nil
	})
}
