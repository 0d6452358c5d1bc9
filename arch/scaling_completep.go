package arch

import (
	"math"

	"github.com/pcgraph/pcgraph/layers"
)

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
