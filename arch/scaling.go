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

// MuP is the maximal-update parametrisation as the table of Yang et al. (2022, arXiv 2203.03466, table 3) has it:
// no forward factors; hidden weights of variance 1/fan-in and output weights of variance 1/fan-in^2; learning-rate
// factors by fan-in and fan-out.
type MuP struct{}

var _ Scaling = MuP{}

// Factors follow the table.
func (MuP) Factors(at Position) Factors {
	in, out := float64(at.FanIn), float64(at.FanOut)
	switch at.Role {
	case layers.ReadoutRole:
		return Factors{Forward: 1, Init: Init{Std: 1 / in}, SGD: 1 / in, Adam: 1 / in, Decay: in}
	case layers.InputRole:
		return Factors{Forward: 1, Init: Init{Std: 1 / math.Sqrt(in)}, SGD: out, Adam: 1, Eps: 1 / out}
	}
	return Factors{Forward: 1, Init: Init{Std: 1 / math.Sqrt(in)}, SGD: 1, Adam: 1 / in, Eps: 1 / in, Decay: in}
}

// Bias starts at zero and learns as input weights do.
func (MuP) Bias(at Position) Factors { return Factors{Forward: 1, SGD: float64(at.FanOut), Adam: 1} }

func (MuP) String() string { return "mup" }

// MuPC is the parametrisation of muPC (Innocenti et al. 2025, arXiv 2505.13124, table 1), depth-muP for predictive
// coding: weights N(0,1); forward factors 1/sqrt(D) for inputs, 1/sqrt(N) for hidden weights (1/sqrt(N L) for branches: hidden
// blocks with a skip), and 1/(Gamma N) for readouts. Gamma 0 means 1. Under SGD the rate factor is Gamma^2 N
// (arXiv 2602.07697), N being the fan-in of the block, for the first block its fan-out.
//
// Adam's rate is not rescaled, as in the first paper: its updates of hidden activities then grow as sqrt(N). With ScaleAdam
// they keep their size: the factor is 1/sqrt(N) for hidden weights and 1/sqrt(N L) for branches. (The second paper has that
// for readouts too, which then learn less and less.)
type MuPC struct {
	Gamma     float64
	ScaleAdam bool
}

var _ Scaling = MuPC{}

// Factors follow the table.
func (s MuPC) Factors(at Position) Factors {
	gamma := s.Gamma
	if gamma == 0 {
		gamma = 1
	}
	n := float64(at.FanIn)
	if at.Role == layers.InputRole {
		n = float64(at.FanOut)
	}
	f := Factors{Forward: branch(at), Init: Init{Std: 1}, SGD: gamma * gamma * n, Adam: 1}
	if at.Role == layers.ReadoutRole {
		f.Forward = 1 / (gamma * float64(at.FanIn))
	}
	if s.ScaleAdam && (at.Role == layers.HiddenRole || at.Role == layers.BranchRole) {
		f.Adam = f.Forward
	}
	return f
}

// Bias starts at zero and learns as the weights do.
func (s MuPC) Bias(at Position) Factors {
	f := s.Factors(at)
	f.Init = Init{}
	return f
}

func (s MuPC) String() string {
	if s.ScaleAdam {
		return "mupc-adam"
	}
	return "mupc"
}

// CompleteP is muP over width and depth for Adam and AdamW: hidden weights of variance 1/fan-in; branches divided by the
// depth, the readout by its fan-in; rates, epsilon and decay tensor by tensor,
//
//	           forward   rate    epsilon            decay
//	input      1         1       1/width            1
//	hidden     1         1/N     1/N, 1/(N L)       N        with L in a residual network
//	branch     1/L       1/N     1/(N L)            N
//	readout    1/N       1       1/N                1
//
// for fan-in N and L blocks: the rules of the transformers of arXiv 2602.07697 (Dey et al. 2025, arXiv 2505.01618, have
// them for backprop). Biases and gains learn at rate 1. That paper's code draws all weights from N(0, .02^2) instead,
// and adds the decay to the gradient in front of Adam; here it is that of AdamW.
type CompleteP struct{}

var _ Scaling = CompleteP{}

// Factors follow the table; those of SGD give updates of the same size.
func (CompleteP) Factors(at Position) Factors {
	n, depth := float64(at.FanIn), 1.
	if at.Residual {
		depth = float64(at.Depth)
	}
	hidden := Factors{Forward: 1, Init: Init{Std: 1 / math.Sqrt(n)}, SGD: 1, Adam: 1 / n, Eps: 1 / (n * depth), Decay: n}
	switch at.Role {
	case layers.InputRole:
		out := float64(at.FanOut)
		return Factors{Forward: 1, Init: Init{Std: 1 / math.Sqrt(n)}, SGD: out, Adam: 1, Eps: 1 / out, Decay: 1}
	case layers.ReadoutRole:
		return Factors{Forward: 1 / n, Init: Init{Std: 1}, SGD: n, Adam: 1, Eps: 1 / n, Decay: 1}
	case layers.BranchRole:
		hidden.Forward, hidden.SGD = 1/depth, depth
	}
	return hidden
}

// Bias starts at zero.
func (CompleteP) Bias(at Position) Factors {
	return Factors{Forward: 1, SGD: float64(at.FanOut), Adam: 1}
}

func (CompleteP) String() string { return "completep" }
