// Ownlayer is a gated layer and a robust energy of one's own, in one network.
package main

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// Gated is a gated linear unit, f(x) = (x W) * sigmoid(x V), [batch, In] -> [batch, Out].
type Gated struct{ In, Out int }

func (l Gated) Params() []layers.Param {
	return []layers.Param{
		{Name: "W", Shape: []int{l.In, l.Out}, FanIn: l.In, FanOut: l.Out},
		{Name: "V", Shape: []int{l.In, l.Out}, FanIn: l.In, FanOut: l.Out},
	}
}

func (l Gated) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	return b.Mul(b.Linear(x, p[0], nil, 1), b.Act(graph.Sigmoid, b.Linear(x, p[1], nil, 1)))
}

// Absolute is the energy of Laplace's distribution, 1/B sum_i sum_k |e_ik|.
type Absolute struct{}

func (Absolute) NegLog(b *graph.Builder, p energy.Prediction, batch int) *graph.Node {
	return b.Sum(b.Abs(b.Sub(p.Activity, p.Mean)), 1/float64(batch))
}

func main() {
	net := &arch.Network{Input: []int{3}, Blocks: []arch.Block{
		{Name: "gated", Layer: Gated{In: 3, Out: 4}},
		{Name: "readout", Layer: layers.Linear{In: 4, Out: 2, Act: layers.Tanh}},
	}}
	weights, err := arch.NewWeights[float64](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 1, Energy: energy.PC{Output: Absolute{}}})
	check(err)
	check(model.Clamp([]float64{1, 2, 3}, []float64{1, 100}))
	check(model.Forward())
	grad := make([]float64, len(model.State()))
	f, err := model.StateGrad(grad, model.State())
	check(err)
	fmt.Printf("energy %.1f, dF/dz %.2f\n", f, grad)
	// Output: energy 101.1, dF/dz \[
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
