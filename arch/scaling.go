package arch

import (
	"math"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/layers"
)

// A Scaling is an abc-parametrisation: it sees where a weight stands and returns its factors, so it fits every
// architecture. One file per family.
type Scaling interface {
	// Factors are those of a weight matrix.
	Factors(at Position) Factors
	// Bias are those of a bias or a gain; its Forward is not used: the weight's factor multiplies its bias too.
	Bias(at Position) Factors
	String() string
}

// A Position says where a weight stands, in block Index counted from 1, and what it is for. Depth is the number of blocks that
// have a site of their own: those that predict another's site again make a network no deeper.
type Position struct {
	Index, Depth  int
	FanIn, FanOut int
	Residual      bool        // the network has skips
	Output        bool        // the block predicts an output
	Role          layers.Role // never ByPlace: that of the weight, or of its block's place
}

// Factors are what a scaling says of one weight.
type Factors struct {
	Forward float64 // multiplies the weight where its layer uses it, and the layer's bias with it
	Init    Init    // distribution that the weight is drawn from
	SGD     float64 // learning-rate factor under SGD, with or without momentum
	Adam    float64 // learning-rate factor under Adam and its kin
	Eps     float64 // factor of Adam's epsilon; 0 means 1
	Decay   float64 // factor of AdamW's decay; 0 means 1. Biases, gains and precisions are not decayed at all (train.AdamSpans)
}

// An Init is a distribution of initial weights.
type Init struct {
	Uniform bool    // uniform rather than normal
	Std     float64 // standard deviation
	Mean    float64
}

func (i Init) draw(rng *rand.Rand) float64 {
	if i.Uniform {
		return i.Mean + i.Std*math.Sqrt(3)*(2*rng.Float64()-1)
	}
	return i.Mean + i.Std*rng.NormFloat64()
}

// fanInUniform is uniform on +-1/sqrt(fan-in).
func fanInUniform(fanIn int) Init { return Init{Uniform: true, Std: 1 / math.Sqrt(3*float64(fanIn))} }

// SP is the standard parametrisation: factors of one, weights and biases uniform on +-1/sqrt(fan-in).
type SP struct{}

var _ Scaling = SP{}

// Factors are one throughout.
func (SP) Factors(at Position) Factors {
	return Factors{Forward: 1, Init: fanInUniform(at.FanIn), SGD: 1, Adam: 1}
}

// Bias is drawn as the weights are.
func (s SP) Bias(at Position) Factors { return s.Factors(at) }

func (SP) String() string { return "sp" }

// NTP is the neural-tangent parametrisation: weights N(0,1), forward factor 1/sqrt(fan-in), 1/sqrt(fan-in Depth) for
// branches: hidden blocks with a skip. (JPC keeps the uniform start here: docs/DIVERGENCE.md.)
type NTP struct{}

var _ Scaling = NTP{}

// Factors scale by the fan-in.
func (NTP) Factors(at Position) Factors {
	return Factors{Forward: branch(at), Init: Init{Std: 1}, SGD: 1, Adam: 1}
}

// Bias starts at zero.
func (NTP) Bias(Position) Factors { return Factors{Forward: 1, SGD: 1, Adam: 1} }

func (NTP) String() string { return "ntp" }

// branch is 1/sqrt(fan-in), with the depth under the root for branches.
func branch(at Position) float64 {
	n := float64(at.FanIn)
	if at.Role == layers.BranchRole {
		n *= float64(at.Depth)
	}
	return 1 / math.Sqrt(n)
}

// Scaled divides the output of another scaling by Gamma: the knob between lazy (small) and rich (large) learning.
// Of nil means SP, Gamma 0 means 1.
type Scaled struct {
	Of    Scaling
	Gamma float64
}

var _ Scaling = Scaled{}

// Factors are those of Of, those of the outputs' readouts with Forward divided by Gamma.
func (s Scaled) Factors(at Position) Factors {
	f := s.of().Factors(at)
	if ends := at.Role == layers.ReadoutRole || at.Role == layers.InputRole; at.Output && ends && s.Gamma != 0 {
		f.Forward /= s.Gamma
	}
	return f
}

// Bias is that of Of.
func (s Scaled) Bias(at Position) Factors { return s.of().Bias(at) }

func (s Scaled) String() string { return s.of().String() }

func (s Scaled) of() Scaling {
	if s.Of == nil {
		return SP{}
	}
	return s.Of
}
