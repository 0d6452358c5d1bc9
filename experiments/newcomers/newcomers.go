// Package newcomers checks what papers of 2025 and 2026 say of their learning rules: red-black nudging, target alignment, multipliers, and the regime
// in which error-based predictive coding was published. Networks are small; but for the trainings data are random and numbers float64.
package newcomers

import (
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return []claim.Claim{nudgingOrders, nudgingIterations, nudgingLearns, errorRegime, targetAlignment, onlineLearning, multipliersCarry, multipliersAtEverySize, learnedPrecision}
}

// samples is the batch of the claims on networks.
const samples = 16

// A sampled network with weights and a batch: normal inputs, one label each.
type sampled struct {
	net  *arch.Network
	w    *graph.Vector[float64]
	x, y []float64
}

// sample draws weights and data for a network.
func sample(n *arch.Network, seed uint64) (*sampled, error) {
	rng := rand.New(rand.NewPCG(seed, 2606_03584))
	w, err := arch.NewWeights[float64](n, rng)
	if err != nil {
		return nil, err
	}
	s := &sampled{net: n, w: w}
	m, err := s.model(arch.Feedforward)
	if err != nil {
		return nil, err
	}
	in, out := m.Sizes()
	s.x, s.y = make([]float64, samples*in), make([]float64, samples*out)
	for i := range s.x {
		s.x[i] = rng.NormFloat64()
	}
	for i := range samples {
		s.y[i*out+rng.IntN(out)] = 1
	}
	return s, nil
}

// model compiles the network.
func (s *sampled) model(c arch.Coordinates) (*arch.Model[float64], error) {
	return arch.Compile(s.net, s.w, arch.Plan{Batch: samples, Coordinates: c})
}

// gradient is that of a rule, which must be valid.
func (s *sampled) gradient(r train.Rule[float64]) ([]float64, train.Report, error) {
	if v, can := r.(interface{ Validate() error }); can {
		if err := v.Validate(); err != nil {
			return nil, train.Report{}, err
		}
	}
	g := make([]float64, len(s.w.Data()))
	report, err := r.Gradient(g, s.x, s.y, samples)
	return g, report, err
}

// backprop is its gradient.
func (s *sampled) backprop() ([]float64, error) {
	m, err := s.model(arch.Feedforward)
	if err != nil {
		return nil, err
	}
	g, _, err := s.gradient(&train.Backprop[float64]{Model: m})
	return g, err
}

// reluChain is h_l = relu(W_l h_{l-1} + b_l) with a linear last block.
func reluChain(depth, width int) *arch.Network {
	n := &arch.Network{Input: []int{10}}
	in := 10
	for l := range depth {
		layer := layers.Linear{In: in, Out: width, Post: layers.ReLU, Bias: true}
		if l == depth-1 {
			layer.Out, layer.Post = 4, layers.LinearAct
		}
		n.Blocks, in = append(n.Blocks, arch.Block{Name: "block" + string(rune('a'+l)), Layer: layer}), width
	}
	return n
}

// reluPictures is three convolutions with ReLU and maxima of 2 x 2, and a readout.
func reluPictures() *arch.Network {
	n := &arch.Network{Input: []int{8, 8, 1}}
	in := 1
	for l, out := range []int{4, 6, 8} {
		n.Blocks = append(n.Blocks, arch.Block{Name: "stage" + string(rune('a'+l)), Layer: layers.Compose{
			layers.Conv2D{In: in, Out: out, Kernel: layers.Both(3), Pad: layers.Both(1), Post: layers.ReLU, Bias: true}, layers.MaxPool2D{Size: layers.Both(2)}}})
		in = out
	}
	n.Blocks = append(n.Blocks, arch.Block{Name: "readout", Layer: layers.Compose{layers.Flatten{}, layers.Linear{In: in, Out: 4, Bias: true}}})
	return n
}

// networkOf is a network by name.
func networkOf(name string, depth, width int) (*arch.Network, error) {
	switch name {
	case "mlp":
		return reluChain(depth, width), nil
	case "pictures":
		return reluPictures(), nil
	}
	return nil, errors.Errorf("newcomers: unknown network %q", name)
}
