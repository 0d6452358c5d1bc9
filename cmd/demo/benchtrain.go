package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A stepNet is a network whose whole training step is measured.
type stepNet struct {
	widths []int
	batch  int
}

func (n stepNet) String() string { return fmt.Sprintf("%s/%d", cli.Widths(n.widths), n.batch) }

// stepNets are the networks of the yardstick.
func (b *benchRun) stepNets() []stepNet {
	if b.Quick {
		return []stepNet{{[]int{20, 8, 8, 3}, 4}}
	}
	return []stepNet{{[]int{784, 300, 300, 300, 10}, 64}, {[]int{784, 128, 128, 10}, 256}}
}

// inferenceSteps are the lengths of inference that are measured; 0 is backprop.
var inferenceSteps = []int{0, 1, 2, 5, 20}

// benchBatches is how many batches a stepBench goes round.
const benchBatches = 4

// A stepBench trains on random batches.
type stepBench struct {
	batch   int
	weights *graph.Vector[float32]
	start   []float32 // weights
	rule    train.Rule[float32]
	update  train.Update[float32]
	grad    []float32
	x, y    [benchBatches][]float32
	turn    int
}

// bench prepares training on so many cores by PC with so many steps of inference, or by backprop for 0.
func (n stepNet) bench(steps, cores int) (*stepBench, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	rng := rand.New(rand.NewPCG(benchSeed, cli.WeightStream))
	net, err := arch.MLP(arch.SP{}, layers.ReLU, n.widths...)
	if err != nil {
		return nil, err
	}
	b := &stepBench{batch: n.batch, update: train.Update[float32]{Optimizer: &optim.Adam[float32]{Rate: 1e-3}}}
	if b.weights, err = benchWeights(net, rng); err != nil {
		return nil, err
	}
	b.start = append(b.start, b.weights.Data()...)
	b.grad = make([]float32, len(b.start))
	in, out := n.widths[0], n.widths[len(n.widths)-1]
	for i := range b.x {
		b.x[i], b.y[i] = make([]float32, n.batch*in), make([]float32, n.batch*out)
		normals(rng, b.x[i], 1)
		for k := range n.batch {
			b.y[i][k*out+rng.IntN(out)] = 1
		}
	}
	plan := arch.Plan{Batch: n.batch}
	if steps == 0 {
		plan.Coordinates = arch.Feedforward
	}
	m, err := arch.Compile(net, b.weights, plan)
	if err != nil {
		return nil, err
	}
	if steps == 0 {
		b.rule = &train.Backprop[float32]{Model: m}
	} else {
		b.rule = &train.PC[float32]{Model: m, Solver: cli.Descent[float32](.1), Stop: infer.Steps(steps)}
	}
	return b, nil
}

// step makes a whole training step on the next batch: feedforward pass, inference, weight gradient, Adam.
func (b *stepBench) step() error {
	b.turn = (b.turn + 1) % benchBatches
	r, err := b.rule.Gradient(b.grad, b.x[b.turn], b.y[b.turn], b.batch)
	if err != nil {
		return err
	}
	if r.Inference.Status == infer.Diverged {
		return errors.Errorf("inference diverged: %s", r.Inference.Detail)
	}
	b.update.Step(b.weights, b.grad)
	return nil
}

// task is a step, from ever new starts, so that nothing is learned by heart.
func (b *stepBench) task(cores int) task {
	done := 0
	return task{cores: cores, prepare: func() {
		if done++; done%64 == 0 {
			copy(b.weights.Data(), b.start)
			b.weights.Touch()
		}
	}, run: b.step}
}

// trainRows measures whole training steps by backprop and PC.
func (b *benchRun) trainRows() error {
	for _, n := range b.stepNets() {
		row, err := b.row("train", n.String())
		if err != nil {
			return err
		}
		var tasks []task // by length of inference, on all cores and on one
		for _, steps := range inferenceSteps {
			for _, cores := range []int{b.cores, 1} {
				s, err := n.bench(steps, cores)
				if err != nil {
					return err
				}
				tasks = append(tasks, s.task(cores))
			}
		}
		times, err := b.time(tasks...)
		if err != nil {
			return err
		}
		for i, steps := range inferenceSteps {
			t, one, name := times[2*i], times[2*i+1], fmt.Sprintf("PC T=%d", steps)
			if steps == 0 {
				name = "BP"
			}
			row.add(name, "ms", t.ms...)
			if steps > 0 {
				row.add(name+" / BP", "x", t.median()/times[0].median())
			}
			row.add(name+" allocations", "", t.allocs)
			row.add(name+" on one core", "ms", one.ms...)
			row.add(name+" speed-up", "x", one.median()/t.median())
		}
		b.done(row)
	}
	return nil
}
