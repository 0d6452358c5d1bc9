package bench

import (
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// A tape is the energy of a chain, with its gradient with respect to the activities, on Gorgonia's own machine.
type tape struct {
	machine interface {
		RunAll() error
		Reset()
		Close() error
	}
	inputs []graph.Input
	energy *graph.Node
}

// tape builds the graph that a model of the network is compiled from.
func (d deepNet) tape() (*tape, error) {
	net, err := d.network()
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder[float32]()
	z := b.Data("x", d.batch, d.width)
	l := energy.Latents{Batch: d.batch}
	var states []*graph.Node
	for i, block := range net.net.Blocks {
		b.Within(block.Name, func() {
			var params []*graph.Node
			for _, q := range block.Layer.Params() {
				params = append(params, b.Param(q.Name, q.Shape...))
			}
			p := energy.Prediction{Name: block.Name, Mean: block.Layer.Forward(b, params, z)}
			if p.Output = i == d.depth-1; p.Output {
				z = b.Data("y", d.batch, d.width)
			} else {
				z = b.State("z", d.batch, d.width)
				states = append(states, z)
			}
			p.Activity = z
			l.Predictions = append(l.Predictions, p)
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
	t := &tape{inputs: b.Inputs(), energy: total}
	t.machine, err = graph.Tape(b, append([]*graph.Node{total}, grads...)...)
	return t, err
}

// tapeRows measures Gorgonia's own machine on the same chains.
func (b *run) tapeRows() error {
	for _, d := range b.deepNets() {
		if err := b.row("tape", d.String(), func(r *Row) error {
			t, err := d.tape()
			if err != nil {
				return err
			}
			rng := rand.New(rand.NewPCG(benchSeed, weightStream))
			for _, in := range t.inputs {
				normals(rng, in.Node.Value().Data().([]float32), .1)
			}
			times, err := b.time(task{cores: b.cores, prepare: t.machine.Reset, run: t.machine.RunAll})
			if err := cli.First(err, t.machine.Close()); err != nil {
				return err
			}
			r.add("call", "ms", times[0].ms...)
			r.add("call allocations", "", times[0].allocs)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
