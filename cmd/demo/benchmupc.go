package main

import (
	"strconv"
	"time"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// The muPC demo of the JPC library (arXiv 2412.03676): a residual network of 30 layers, 128 wide. JPC's activity rate is
// .5 on the gradient of the batch mean, which is the gradient of one sample divided by the batch: the rate is too.
const (
	mupcLayers = 30
	mupcWidth  = 128
	mupcBatch  = 64
	mupcRate   = .5 / mupcBatch
	mupcSteps  = 30 // of inference
	mupcLR     = .1 // of Adam
	mupcLimit  = 900
	mupcEval   = 300
)

// mupcRows trains the muPC demo: time from reading the data to the last evaluation, and accuracy.
func (b *benchRun) mupcRows() error {
	row, err := b.row("mupc", "30x128, MNIST")
	if err != nil {
		return err
	}
	start := time.Now()
	training, test, err := data.MNIST{}.Load()
	if err != nil {
		return err
	}
	depth, limit := mupcLayers, mupcLimit
	if b.Quick {
		depth, limit = 3, 2
	}
	widths := make([]int, depth+1)
	for i := range widths {
		widths[i] = mupcWidth
	}
	widths[0], widths[depth] = training.In(), training.Out()
	net, err := arch.ResMLP(arch.MuPC{}, layers.ReLU, widths...)
	if err != nil {
		return err
	}
	w, err := cli.NewWeights[float32](net, benchSeed)
	if err != nil {
		return err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: mupcBatch})
	if err != nil {
		return err
	}
	t := train.Trainer[float32]{
		Rule:      &train.PC[float32]{Model: m, Solver: cli.Descent[float32](mupcRate), Stop: infer.Steps(mupcSteps)},
		Optimizer: &optim.Adam[float32]{Rate: mupcLR, Spans: train.AdamSpans(net, w)},
		Train:     training, Test: test, Batch: mupcBatch, Epochs: 1, MaxSteps: limit, Seed: benchSeed, EvalEvery: mupcEval,
		OnEval: func(e train.Eval) {
			b.progress("mupc: step %d, accuracy %.2f %%, %.1f s", e.Step, 100*e.Accuracy, e.Elapsed.Seconds())
		},
	}
	h, err := t.Run(b.console.Context)
	if err != nil {
		return err
	}
	if h.Interrupted {
		return cli.ErrInterrupted
	}
	row.add("in all", "s", time.Since(start).Seconds())
	row.add("training step", "ms", 1e3*h.Elapsed.Seconds()/float64(h.Steps))
	for _, e := range h.Evals {
		row.add("accuracy at "+strconv.Itoa(e.Step), "%", 100*e.Accuracy)
	}
	b.done(row)
	return nil
}
