package energy_test

import (
	"fmt"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// value adds an energy to a graph with one prediction, mu = (1, 4) of z = (2, 2), and evaluates its terms.
func value(f energy.Functional) {
	b := graph.NewBuilder[float64]()
	z, mu := b.Data("z", 1, 2), b.Data("mu", 1, 2)
	terms := f.Terms(b, energy.Latents{
		Predictions: []energy.Prediction{{Name: "block1", Mean: mu, Activity: z}},
		Free:        []energy.Named{{Name: "block1", Node: z}},
		Batch:       1,
	})
	var nodes []*graph.Node
	for _, t := range terms {
		nodes = append(nodes, t.Node)
	}
	if err := b.Err(); err != nil {
		panic(err)
	}
	p, err := graph.Compile[float64](nodes...)
	if err != nil {
		panic(err)
	}
	copy(p.Value(z), []float64{2, 2})
	copy(p.Value(mu), []float64{1, 4})
	if err := p.Run(0); err != nil {
		panic(err)
	}
	for _, t := range terms {
		fmt.Println(t.Name, p.Scalar(t.Node))
	}
}

func ExamplePC() {
	value(energy.PC{Hidden: energy.Gaussian{Precision: 2}}) // 2/2 (1 + 4)
	// Output: block1 5
}

func ExampleSum() {
	value(energy.Sum{energy.PC{}, energy.ActivityDecay{Rate: .5}})
	// Output:
	// block1 2.5
	// activity decay 2
}

// sparse is an energy of one's own: Rate times the sum of |z| over the free activities, averaged over the batch.
type sparse struct{ Rate float64 }

func (f sparse) Terms(b *graph.Builder, l energy.Latents) []energy.Term {
	var terms []energy.Term
	for _, z := range l.Free {
		terms = append(terms, energy.Term{Name: "sparse " + z.Name, Node: b.Sum(b.Abs(z.Node), f.Rate/float64(l.Batch))})
	}
	return terms
}

func ExampleFunctional() {
	value(energy.Sum{energy.PC{}, sparse{Rate: .1}})
	// Output:
	// block1 2.5
	// sparse block1 0.4
}

// The multiplier of a hidden prediction is an input of the graph, zero where nothing has moved it.
func ExampleAugmentedLagrangian() {
	value(energy.AugmentedLagrangian{Penalty: 2, Ascent: 1})
	// Output:
	// block1 5
	// block1/multiplier 0
}
