package arch

import (
	"math"

	"github.com/pcgraph/pcgraph/layers"
)

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
