package main

import (
	"fmt"
	"math"
	"time"

	"github.com/pcgraph/pcgraph/arch"
)

// growth are the networks that one dimension grows in.
type growth struct {
	name string
	nets []deepNet
	size func(deepNet) int
}

func (b *benchRun) growths() []growth {
	depths, batches, width, batch, depth := []int{8, 16, 32, 64, 128, 256, 512}, []int{64, 128, 256, 512, 1024}, 128, 64, 32
	if b.Quick {
		depths, batches, width, batch, depth = []int{3, 6}, []int{4, 8}, 8, 4, 3
	}
	byDepth := growth{"depth", nil, func(d deepNet) int { return d.depth }}
	for _, n := range depths {
		byDepth.nets = append(byDepth.nets, deepNet{n, width, batch})
	}
	byBatch := growth{"batch", nil, func(d deepNet) int { return d.batch }}
	for _, n := range batches {
		byBatch.nets = append(byBatch.nets, deepNet{depth, width, n})
	}
	return []growth{byDepth, byBatch}
}

// growthRows measures how the time of a step of inference, and of a single evaluation, grows with depth and batch, and what
// compiling the deepest takes.
func (b *benchRun) growthRows() error {
	for _, g := range b.growths() {
		row, err := b.row("growth", g.name)
		if err != nil {
			return err
		}
		var tasks []task
		for _, d := range g.nets {
			bench, err := d.bench(b.cores)
			if err != nil {
				return err
			}
			tasks = append(tasks, bench.inference(b.cores), bench.stateGrad(b.cores))
		}
		times, err := b.time(tasks...)
		if err != nil {
			return err
		}
		var step, call []float64
		for i, d := range g.nets {
			one := times[2*i].per(descentSteps)
			row.add(fmt.Sprintf("%s %d, step", g.name, g.size(d)), "ms", one.ms...)
			row.add(fmt.Sprintf("%s %d, call", g.name, g.size(d)), "ms", times[2*i+1].ms...)
			step = append(step, one.median()/d.stateFLOP())
			call = append(call, times[2*i+1].median()/d.stateFLOP())
		}
		row.add("largest deviation from linear, step", "%", 100*deviation(step))
		row.add("largest deviation from linear, call", "%", 100*deviation(call))
		b.done(row)
	}
	depths := b.growths()[0].nets
	return b.compileRow(depths[len(depths)-1])
}

// deviation is the largest relative distance of a value from the median of all.
func deviation(values []float64) float64 {
	middle, worst := spread(values).Median, 0.0
	for _, v := range values {
		worst = max(worst, math.Abs(v/middle-1))
	}
	return worst
}

// compileRow measures the compilation of a network: its graph, both gradients, programs and memory.
func (b *benchRun) compileRow(d deepNet) error {
	row, err := b.row("growth", "compile "+d.String())
	if err != nil {
		return err
	}
	bench, err := d.bench(b.cores)
	if err != nil {
		return err
	}
	var seconds []float64
	for range b.Repeats {
		start := time.Now()
		if _, err := arch.Compile(bench.model.Network(), bench.weights, arch.Plan{Batch: d.batch}); err != nil {
			return err
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	row.add("compile", "s", seconds...)
	b.done(row)
	return nil
}
