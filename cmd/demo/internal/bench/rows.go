package bench

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// energyRows measures evaluation, step and weight gradient of chains, beside what the processor can do.
func (b *run) energyRows() error {
	if err := b.row("peak", "float32", b.peak); err != nil {
		return err
	}
	for _, d := range b.deepNets() {
		if err := b.row("energy", d.String(), func(r *Row) error {
			peak := b.onCores(b.cores, kernel.GemmPeak[float32])
			all, one, err := b.onBoth(func(cores int) ([]task, error) {
				c, err := d.compile(cores)
				if err != nil {
					return nil, err
				}
				return []task{c.stateGrad(cores), c.inference(cores), c.paramGrad(cores)}, nil
			})
			if err != nil {
				return err
			}
			peak = max(peak, b.onCores(b.cores, kernel.GemmPeak[float32])) // the best of before and after
			flop := []float64{d.stateFLOP(), d.stateFLOP(), d.paramFLOP()}
			for i, name := range []string{"call", "step", "weights"} {
				r.addCall(name, all[i], one[i], func() {
					rate := flop[i] / all[i].median() / 1e6
					r.add(name+" rate", "GFLOP/s", rate)
					r.add(name+" share of peak", "%", 100*rate/peak)
				})
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// peak measures the limits: of the matrix product, and of multiply-adds in registers.
func (b *run) peak(r *Row) error {
	rates := func(cores int, f func(time.Duration) float64) (rates []float64) {
		for range b.Repeats {
			rates = append(rates, b.onCores(cores, f))
		}
		return rates
	}
	r.add("matrix product", "GFLOP/s", rates(b.cores, kernel.GemmPeak[float32])...)
	r.add("matrix product on one core", "GFLOP/s", rates(1, kernel.GemmPeak[float32])...)
	r.add("multiply-adds in registers", "GFLOP/s", rates(b.cores, kernel.Peak[float32])...)
	return nil
}

// lengths are the lengths of inference with which training steps are measured; 0 is backprop.
var lengths = []int{0, 1, 2, 5, 20}

// trainRows measures whole training steps by backprop and PC.
func (b *run) trainRows() error {
	nets, err := b.stepNets()
	if err != nil {
		return err
	}
	for _, n := range nets {
		if err := b.row(n.kind, n.name, func(r *Row) error {
			all, one, err := b.onBoth(func(cores int) (tasks []task, err error) {
				for _, steps := range lengths {
					s, err := n.stepper(steps, cores)
					if err != nil {
						return nil, err
					}
					tasks = append(tasks, s.task(cores))
				}
				return tasks, nil
			})
			if err != nil {
				return err
			}
			r.addCall("BP", all[0], one[0], func() {})
			for i, steps := range lengths[1:] {
				name := fmt.Sprintf("PC T=%d", steps)
				r.addCall(name, all[1+i], one[1+i], func() { r.add(name+" / BP", "x", all[1+i].median()/all[0].median()) })
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// archRows measures evaluation and weight gradient of convolutional networks and transformers, and backprop.
func (b *run) archRows() error {
	for _, n := range b.archNets() {
		if err := b.row(n.kind, n.name, func(r *Row) error {
			all, one, err := b.onBoth(func(cores int) ([]task, error) {
				pc, err := n.compile(arch.Activities, cores)
				if err != nil {
					return nil, err
				}
				bp, err := n.compile(arch.Feedforward, cores)
				if err != nil {
					return nil, err
				}
				if len(r.Figures) == 0 {
					r.addBytes(pc.model)
				}
				return []task{pc.stateGrad(cores), pc.paramGrad(cores), bp.paramGrad(cores)}, nil
			})
			if err != nil {
				return err
			}
			if n.patches > 0 {
				r.add("patches of all convolutions would be", "MB", 4*float64(n.patches)/1e6)
			}
			for i, name := range []string{"call", "weights", "BP"} {
				r.addCall(name, all[i], one[i], func() {})
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// growthRows measures how the time of a step of inference, and of a single evaluation, grows with depth and batch, and what compiling
// the deepest takes.
func (b *run) growthRows() error {
	depths, batches, base := []int{8, 16, 32, 64, 128, 256, 512}, []int{64, 128, 256, 512, 1024}, deepNet{32, 128, 64}
	if b.Quick {
		depths, batches, base = []int{3, 6}, []int{4, 8}, deepNet{3, 8, 4}
	}
	deepest := deepNet{depths[len(depths)-1], base.width, base.batch}
	for _, g := range []struct {
		name  string
		sizes []int
		net   func(size int) deepNet
	}{
		{"depth", depths, func(n int) deepNet { return deepNet{n, base.width, base.batch} }},
		{"batch", batches, func(n int) deepNet { return deepNet{base.depth, base.width, n} }},
	} {
		if err := b.row("growth", g.name, func(r *Row) error {
			var tasks []task
			for _, size := range g.sizes {
				c, err := g.net(size).compile(b.cores)
				if err != nil {
					return err
				}
				tasks = append(tasks, c.inference(b.cores), c.stateGrad(b.cores))
			}
			times, err := b.time(tasks...)
			if err != nil {
				return err
			}
			var perFLOP [2][]float64
			for i, t := range times {
				size := g.sizes[i/2]
				r.add(fmt.Sprintf("%s %d, %s", g.name, size, []string{"step", "call"}[i%2]), "ms", t.ms...)
				perFLOP[i%2] = append(perFLOP[i%2], t.median()/g.net(size).stateFLOP())
			}
			r.add("largest deviation from linear, step", "%", 100*deviation(perFLOP[0]))
			r.add("largest deviation from linear, call", "%", 100*deviation(perFLOP[1]))
			return nil
		}); err != nil {
			return err
		}
	}
	return b.row("growth", "compile "+deepest.String(), func(r *Row) error { return b.compileTime(r, deepest) })
}

// deviation is the largest relative distance of a value from the median of all.
func deviation(values []float64) float64 {
	middle, worst := spread(values).Median, 0.0
	for _, v := range values {
		worst = max(worst, math.Abs(v/middle-1))
	}
	return worst
}

// compileTime measures the compilation of a network: its graph, both gradients, programs and memory.
func (b *run) compileTime(r *Row, d deepNet) error {
	c, err := d.compile(b.cores)
	if err != nil {
		return err
	}
	var seconds []float64
	for range b.Repeats {
		start := time.Now()
		if _, err := arch.Compile(c.model.Network(), c.model.Weights(), arch.Plan{Batch: d.batch}); err != nil {
			return err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	r.add("compile", "s", seconds...)
	return nil
}

// mupcRows trains the muPC demo of the JPC library: time from reading the data to the last evaluation, and accuracy.
func (b *run) mupcRows() error {
	return b.row("mupc", "30x128, MNIST", func(r *Row) error {
		start := time.Now()
		training, test, err := data.MNIST{}.Load()
		if err != nil {
			return err
		}
		s := &notebooks.Setup{Train: training, Test: test, Seed: benchSeed, Batch: 64, Budget: notebooks.Budget{EvalEvery: 300}}
		if b.Quick {
			s.Updates = 2
		}
		t, err := notebooks.Classify{Net: "deep"}.Trainer(s)
		if err != nil {
			return err
		}
		t.OnEval = func(e train.Eval) {
			b.progress("mupc: step %d, accuracy %.2f %%, %.1f s", e.Step, 100*e.Accuracy, e.Elapsed.Seconds())
		}
		h, err := t.Run(b.console.Context)
		if err != nil {
			return err
		}
		if h.Interrupted {
			return cli.ErrInterrupted
		}
		r.add("in all", "s", time.Since(start).Seconds())
		r.add("training step", "ms", 1e3*h.Elapsed.Seconds()/float64(h.Steps))
		for _, e := range h.Evals {
			r.add("accuracy at "+strconv.Itoa(e.Step), "%", 100*e.Accuracy)
		}
		return nil
	})
}

// addBytes adds what a model's memory is made of.
func (r *Row) addBytes(m *arch.Model[float32]) {
	r.add("weights", "MB", 4*float64(len(m.Weights().Data()))/1e6)
	r.add("activities", "MB", 4*float64(len(m.State()))/1e6)
	r.add("model, beside the weights", "MB", float64(m.Bytes())/1e6)
}
