package main

import (
	"fmt"
	"slices"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// completeCmd is the associative memory.
type completeCmd struct {
	taskFlags
	Latents int    `default:"30" help:"Causes." json:"latents"`
	Hidden  []int  `default:"300" help:"Widths of hidden layers between causes and picture." json:"hidden"`
	Missing string `default:"bottom" help:"What is missing: bottom, top, left, right (half of the picture), or noise (half of the pixels)." json:"missing"`
}

// Validate is called by kong.
func (cmd completeCmd) Validate() error {
	for _, n := range cmd.Hidden {
		if err := cli.Count("hidden", n, 1); err != nil {
			return err
		}
	}
	return cli.First(cli.Known("missing", cmd.Missing, "bottom", "top", "left", "right", "noise"), cmd.validate(), cli.Count("latents", cmd.Latents, 1))
}

// completeBudget is no notebook's.
var completeBudget = notebook{limit: 600, every: 100, lr: 1e-3, infer: jpcSteps(100, .1)}

// given is the mask of what is not missing: 1 where a pixel is given.
func given(missing string, shape data.Shape, seed uint64) []float32 {
	mask := make([]float32, shape.Height*shape.Width)
	noise := data.Batches{N: len(mask), Size: len(mask), Seed: seed}
	for _, order := range noise.Epoch(0, 0) {
		for k, i := range order {
			y, x := i/shape.Width, i%shape.Width
			var is bool
			switch missing {
			case "bottom":
				is = y < shape.Height/2
			case "top":
				is = y >= shape.Height/2
			case "left":
				is = x >= shape.Width/2
			case "right":
				is = x < shape.Width/2
			case "noise":
				is = k < len(order)/2
			}
			if is {
				mask[i] = 1
			}
		}
	}
	return mask
}

// memory draws a network with a prior on its causes.
func (cmd completeCmd) memory(t *study) (*latent, error) {
	net := &arch.Network{Input: []int{1}, Blocks: []arch.Block{{Name: "causes", Layer: layers.Linear{In: 1, Out: cmd.Latents, Bias: true}}}}
	in := cmd.Latents
	for i, width := range append(slices.Clone(cmd.Hidden), t.train.In()) {
		link := layers.Linear{In: in, Out: width, Bias: true}
		if i > 0 {
			link.Act = layers.ReLU
		}
		net.Blocks = append(net.Blocks, arch.Block{Name: fmt.Sprintf("block%d", i+1), Layer: link})
		in = width
	}
	l, err := newLatent(t, latentFlags{taskFlags: cmd.taskFlags, Latents: cmd.Latents, Std: .05}, net, []float32{1})
	return l, err
}

// Run trains on whole pictures and completes halves.
func (cmd completeCmd) Run(c *cli.Console) error {
	t, err := newStudy(c, "complete", cmd.taskFlags, completeBudget, &cmd)
	if err != nil {
		return err
	}
	t.Page.Title = fmt.Sprintf("Half a picture is given (missing: %s), inference finds the rest", cmd.Missing)
	t.Page.Lead = fmt.Sprintf("A network of %d causes, %v hidden and 784 visible units, whose causes have a normal prior, learned whole pictures by %d weight updates (inference: %v). Of test pictures it is given half: those pixels are clamped, the others are free activities like all that is hidden, and %d steps of inference with momentum complete them.",
		cmd.Latents, cmd.Hidden, t.opts.Limit, t.opts.SolverFlags, readSteps)
	return t.run(func() error {
		l, err := cmd.memory(t)
		if err != nil {
			return err
		}
		if err := l.teach(); err != nil || t.interrupted() {
			return err
		}
		q, err := l.query(l.output, arch.Plan{Batch: min(testBatch, t.test.Len()), Hold: map[string]arch.Hold{l.output: arch.Masked}})
		if err != nil {
			return err
		}
		q.Start = nil // the mean cause
		shape := t.test.Shape()
		mask := given(cmd.Missing, shape, t.seed)
		if err := q.Model.Mask(l.output, mask); err != nil {
			return err
		}
		x, _ := t.batch(testBatch)
		completed, _, err := q.Ask(train.Repeat(l.constant, len(x)/t.test.In()), x, len(x)/t.test.In())
		if err != nil {
			return err
		}
		mean := meanPicture(t.train)
		var network, guess float64
		for i := range x {
			if k := i % len(mask); mask[k] == 0 {
				d, e := float64(completed[i]-x[i]), float64(mean[k]-x[i])
				network, guess = network+d*d, guess+e*e
			}
		}
		share := network / guess
		t.Page.Tiles = append(t.Page.Tiles, report.Tile{Value: percent(1 - share), Label: "of the variance of missing pixels is explained", Class: "pc"})
		t.Manifest.Results["explained variance of missing pixels"] = 1 - share
		t.Page.Tables = append(t.Page.Tables, report.Table{Title: "Missing pixels", Note: fmt.Sprintf("Of %d test pictures, in units of normalised pixels.", len(x)/t.test.In()),
			Head: []string{"guess", "mean squared error"}, Rows: [][]string{
				{"inference", report.Number(network / missingPixels(x, mask))}, {"mean of the training pictures", report.Number(guess / missingPixels(x, mask))}}})
		const columns = 12
		rows := []strip{{name: "test pictures", pictures: shownAll(t.test, x, columns)}, {name: "given"}, {name: "completed", pictures: shownAll(t.test, completed, columns)}}
		for i := range min(columns, len(x)/len(mask)) {
			rows[1].pictures = append(rows[1].pictures, shown(t.test, x[i*len(mask):(i+1)*len(mask)], func(k int) bool { return mask[k] == 0 }))
		}
		t.Page.Figures = append(t.Page.Figures, report.Figure{File: "completed.png", Title: "Completed pictures",
			Caption: "The network never saw these pictures, nor any with parts missing. Blue is what it was not given; what was given is kept to the last bit.",
			Draw:    strips(rows)})
		return nil
	})
}

// missingPixels is how many pixels of pictures were not given.
func missingPixels(x, mask []float32) float64 {
	n := 0.
	for _, m := range mask {
		n += 1 - float64(m)
	}
	return n * float64(len(x)/len(mask))
}

// meanPicture is the mean of a set's first pictures.
func meanPicture(set *data.Set) []float32 {
	n := min(5000, set.Len())
	x := make([]float32, n*set.In())
	for _, idx := range data.InOrder(n, n) {
		data.Fill(set, x, nil, idx)
	}
	mean := make([]float32, set.In())
	for i, v := range x {
		mean[i%len(mean)] += v / float32(n)
	}
	return mean
}
