package notebooks

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// Classify is the discriminative task: labels of pictures.
type Classify struct {
	Net string // one of Classifiers
}

// Classifiers are the networks of Classify, each that of a notebook: discriminative_pc, jpc_from_scratch, epc and mupc.
var Classifiers = []string{"flow", "scratch", "errors", "deep"}

// A classifier is a notebook's network.
type classifier struct {
	budget      Budget
	words       string
	net         func(in, out int) (*arch.Network, error)
	energy      energy.Functional
	coordinates arch.Coordinates
}

var classifiers = map[string]classifier{
	"flow": {words: "a relu network of 784-300-300-10, by Heun's method",
		budget: Budget{Updates: 300, EvalEvery: 100, Rate: 1e-3, Inference: jpcFlow(20), Saved: map[int]float64{100: 93.31, 200: 95.46, 300: 95.9}},
		net:    func(in, out int) (*arch.Network, error) { return arch.MLP(nil, layers.ReLU, in, 300, 300, out) }},
	"scratch": {words: "a tanh network of 784-300-300-10, tanh behind the weights, by descent",
		budget: Budget{Updates: 500, EvalEvery: 50, Rate: 1e-3, Inference: jpcDescent(20, .1),
			Saved: map[int]float64{50: 72.7, 100: 76.3, 150: 86.6, 200: 89.1, 250: 89.2, 300: 91.3, 350: 92.6, 400: 93, 450: 94.1, 500: 93.8}},
		net: func(in, out int) (*arch.Network, error) {
			return &arch.Network{Input: []int{in}, Blocks: []arch.Block{
				{Name: "block1", Layer: layers.Linear{In: in, Out: 300, Post: layers.Tanh, Bias: true}},
				{Name: "block2", Layer: layers.Linear{In: 300, Out: 300, Post: layers.Tanh, Bias: true}},
				{Name: "block3", Layer: layers.Linear{In: 300, Out: out, Bias: true}},
			}}, nil
		},
		energy: withoutHalf},
	"errors": {words: "a relu network of 10 layers, 128 wide, in error coordinates",
		budget: Budget{Updates: 300, EvalEvery: 100, Rate: 1e-3, Inference: jpcDescent(10, .5), Saved: map[int]float64{100: 82.3, 200: 91.2, 300: 91.6}},
		net: func(in, out int) (*arch.Network, error) {
			return arch.MLP(nil, layers.ReLU, widths(in, 9, 128, out)...)
		},
		coordinates: arch.Errors},
	"deep": {words: "a residual relu network of 30 layers, 128 wide, in muPC's parametrisation",
		budget: Budget{Updates: 900, EvalEvery: 100, Rate: .1, Inference: jpcDescent(30, .5),
			Saved: map[int]float64{100: 85.8, 200: 88.5, 300: 90.8, 400: 91.3, 500: 91.8, 600: 92.2, 700: 92.8, 800: 92.5, 900: 93.3}},
		net: func(in, out int) (*arch.Network, error) {
			return arch.ResMLP(arch.MuPC{}, layers.ReLU, widths(in, 29, 128, out)...)
		}},
}

// withoutHalf is the energy of notebooks that sum squares without the factor 1/2.
var withoutHalf = energy.PC{Hidden: energy.Gaussian{Precision: 2}, Output: energy.Gaussian{Precision: 2}}

// widths are those of a chain with so many hidden layers of one width.
func widths(in, hidden, width, out int) []int {
	return slices.Concat([]int{in}, slices.Repeat([]int{width}, hidden), []int{out})
}

// Budget is that of the notebook.
func (c Classify) Budget() Budget { return classifiers[c.Net].budget }

// String describes the network and its inference.
func (c Classify) String() string { return classifiers[c.Net].words }

// Classified is what Classify came to.
type Classified struct {
	Learned
	Before, After Trace // inference on test pictures before and after training
}

// beyond is how much longer than in training traces follow inference, which shows whether it was near its end.
const beyond = 32

// Trainer is the training alone, for a program that runs it itself. Prediction errors, of Net "errors", are inferred by SGD only.
func (c Classify) Trainer(s *Setup) (*train.Trainer[float32], error) {
	k, known := classifiers[c.Net]
	if !known {
		return nil, errors.Errorf("notebooks: classify: network %q: want one of %v", c.Net, Classifiers)
	}
	if err := s.begin("classify", k.budget); err != nil {
		return nil, err
	}
	if k.coordinates == arch.Errors && s.Inference.Solver != SGD {
		return nil, errors.Errorf("notebooks: classify: solver %s: prediction errors are inferred by sgd only", s.Inference.Solver)
	}
	net, err := k.net(s.Train.In(), s.Train.Out())
	if err != nil {
		return nil, err
	}
	m, err := s.model(net, arch.Plan{Energy: k.energy, Coordinates: k.coordinates})
	if err != nil {
		return nil, err
	}
	return s.trainer(s.pc(m), true, m), nil
}

// Run trains the network and traces inference before and after.
func (c Classify) Run(ctx context.Context, s *Setup) (r Classified, err error) {
	t, err := c.Trainer(s)
	if err != nil {
		return r, err
	}
	x, y := s.pictures(64)
	small, err := t.Rule.(*train.PC[float32]).Model.Resized(len(x) / s.Test.In())
	if err != nil {
		return r, err
	}
	if r.Before, err = s.trace("Before training", small, train.Feedforward[float32]{}, x, y, beyond); err != nil {
		return r, err
	}
	if r.Learned, err = s.learn(ctx, t, nil); err != nil || ctx.Err() != nil {
		return r, err
	}
	r.After, err = s.trace("After training", small, train.Feedforward[float32]{}, x, y, beyond)
	return r, err
}
