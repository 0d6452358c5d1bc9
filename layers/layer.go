// Package layers holds parametric maps as graph fragments: one file per layer.
//
// A layer is an immutable value that describes; it holds no weights and no memory, and does not know the energy, the
// scaling or the network that it is part of (arch).
package layers

import "github.com/pcgraph/pcgraph/graph"

// A Layer is a parametric map. Implementations are immutable values. One that also has a method Validate() error is asked before
// anything is built of it: networks report fields that make no sense then, and not at Compile.
type Layer interface {
	// Params lists the weights in a fixed order.
	Params() []Param
	// Forward adds the map of x [batch, ...] with the weights p, in the order of Params, to the graph.
	Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node
}

// A Param describes one weight.
type Param struct {
	Name   string
	Shape  []int
	FanIn  int  // inputs that meet in one output
	FanOut int  // outputs that one input feeds
	Bias   bool // a bias or a gain: no regulariser acts on it
	Role   Role // what it is for, by which scalings tell weights apart
}

// A Role says what a weight is for. A layer of one weight leaves it to the place of its block; a layer of several says
// what each is, because one place does not fit all: an attention block has neither its first nor its last weight at an
// end of the network.
type Role uint8

// The roles.
const (
	ByPlace     Role = iota // of the block: one that reads data has input weights, one that predicts an end a readout, others hidden weights, or branches if they have a skip
	InputRole               // from the data to the width: first layers, embeddings
	HiddenRole              // from width to width
	BranchRole              // from width to width, the last weight of a branch that is added to a skip
	ReadoutRole             // from the width to the data
	GainRole                // multiplies units one by one: starts at one
)

// Act is an elementwise nonlinearity; the zero value is linear.
type Act = graph.Activation

// The activations.
const (
	LinearAct = graph.Linear
	Tanh      = graph.Tanh
	HardTanh  = graph.HardTanh
	Sigmoid   = graph.Sigmoid
	ReLU      = graph.ReLU
	LeakyReLU = graph.LeakyReLU // slope .01
	GELU      = graph.GELU      // tanh form
	SELU      = graph.SELU
	SiLU      = graph.SiLU
)

// Acts lists the activations.
func Acts() []Act {
	return []Act{LinearAct, Tanh, HardTanh, Sigmoid, ReLU, LeakyReLU, GELU, SELU, SiLU}
}

// ParseAct is the activation of a name, as Act.String gives it.
func ParseAct(name string) (Act, error) { return graph.ParseActivation(name) }
