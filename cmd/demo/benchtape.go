package main

import (
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// A tapeBench is a deepNet's energy with its gradient by the activities on Gorgonia's own machine.
type tapeBench struct {
	machine interface {
		RunAll() error
		Reset()
		Close() error
	}
	inputs []graph.Input
	energy *graph.Node
}

// tape builds the graph that a model of the network is compiled from.
func (d deepNet) tape() (*tapeBench, error) {
	net, err := d.network()
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder[float32]()
	z := b.Data("x", d.batch, d.width)
	l := energy.Latents{Batch: d.batch}
	var states []*graph.Node
	for i, block := range net.Blocks {
		b.Within(block.Name, func() {
			var params []*graph.Node
			for _, p := range block.Layer.Params() {
				params = append(params, b.Param(p.Name, p.Shape...))
			}
			site := energy.Prediction{Name: block.Name, Mean: block.Layer.Forward(b, params, z)}
			if site.Output = i == d.depth-1; site.Output {
				z = b.Data("y", d.batch, d.width)
			} else {
				z = b.State("z", d.batch, d.width)
				states = append(states, z)
			}
			site.Activity = z
			l.Predictions = append(l.Predictions, site)
		})
	}
	var ones []float64
	var terms []*graph.Node
	for _, t := range (energy.PC{}).Terms(b, l) {
		ones, terms = append(ones, 1), append(terms, t.Node)
	}
	total := b.Combine(ones, terms...)
	perSample := b.Scale(total, float64(d.batch))
	if b.Err() != nil {
		return nil, b.Err()
	}
	grads, err := graph.Grad(perSample, states...)
	if err != nil {
		return nil, err
	}
	t := &tapeBench{inputs: b.Inputs(), energy: total}
	if t.machine, err = graph.Tape(b, append([]*graph.Node{total}, grads...)...); err != nil {
		return nil, err
	}
	return t, nil
}

// tapeRows measures Gorgonia's own machine on the yardstick's networks.
func (b *benchRun) tapeRows() error {
	for _, d := range b.energyNets() {
		row, err := b.row("tape", d.String())
		if err != nil {
			return err
		}
		t, err := d.tape()
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(benchSeed, cli.WeightStream))
		for _, in := range t.inputs {
			normals(rng, in.Node.Value().Data().([]float32), .1)
		}
		times, err := b.time(task{cores: b.cores, prepare: t.machine.Reset, run: t.machine.RunAll})
		if e := t.machine.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
		row.add("call", "ms", times[0].ms...)
		row.add("call allocations", "", times[0].allocs)
		b.done(row)
	}
	return nil
}
