// Package jpc checks "JPC: Flexible Inference for Predictive Coding Networks in JAX" (arXiv 2412.03676): inference as a
// gradient flow, its closed form for linear networks, and Heun's method against Euler's.
//
// The paper's text was not at hand: statements are those of its released code, its figures, and notes on it. Cells carry
// the paper's units, in which time is that of the flow of the batch's mean energy; PerSample alone converts it.
package jpc

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
)

// Claims are the claims of this package.
func Claims() []claim.Claim {
	return slices.Concat(flowClaims(), theoryClaims(), raceClaims(), trainClaims())
}

// paper begins the source of every claim.
const paper = "JPC: Flexible Inference for Predictive Coding Networks in JAX (arXiv 2412.03676)"

// batch is that of all experiments.
const batch = 64

// A Method is a Runge-Kutta method by name.
type Method string

// The methods.
const (
	Euler  Method = "Euler"
	Heun   Method = "Heun"
	RK4    Method = "RK4"
	Dopri5 Method = "Dopri5"
	Tsit5  Method = "Tsit5"
)

func (m Method) tableau() *ode.Method {
	return map[Method]*ode.Method{Euler: ode.Euler, Heun: ode.Heun, RK4: ode.RK4, Dopri5: ode.Dopri5, Tsit5: ode.Tsit5}[m]
}

// A solver is a method with a step, or with the tolerances 1e-3 of the library's default controller.
type solver struct {
	Method Method  `json:"method"`
	Step   float64 `json:"step"` // in the paper's time; 0: chosen by the controller
}

func (s solver) String() string {
	if s.Step == 0 {
		return string(s.Method) + ", adaptive"
	}
	return fmt.Sprintf("%s, step %g", s.Method, s.Step)
}

// PerSample is claim.PerSample for the batch of the paper and its notebooks.
func PerSample(time float64) float64 { return claim.PerSample(time, batch) }

// flow is the solver up to a horizon in the paper's time.
func flow[T infer.Float](s solver, horizon float64) *infer.Flow[T] {
	f := &infer.Flow[T]{Method: s.Method.tableau(), Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: PerSample(horizon), MaxTrials: 1 << 20}
	if s.Step > 0 {
		f.Control = ode.Constant{Step: PerSample(s.Step)}
	}
	return f
}

// network is a network of the standard parametrisation with H hidden layers of width N, without biases.
func network[T graph.Float](act layers.Act, hidden, width int, seed uint64, in, out int) (*arch.Network, *graph.Vector[T], error) {
	widths := make([]int, hidden+2)
	for i := range widths {
		widths[i] = width
	}
	widths[0], widths[hidden+1] = in, out
	net, err := arch.Chain{Act: act, Widths: widths}.Network()
	if err != nil {
		return nil, nil, err
	}
	w, err := arch.NewWeights[T](net, generator(seed))
	return net, w, err
}

// generator is the source of all randomness of a cell.
func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2412_03676)) }

// mnist loads the data once.
var mnist = sync.OnceValues(func() ([2]*data.Set, error) {
	training, test, err := data.MNIST{}.Load()
	return [2]*data.Set{training, test}, errors.WithMessage(err, "data missing: MNIST")
})
