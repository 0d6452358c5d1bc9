package notebooks

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/jpc"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/optim"
)

// The solvers of Inference by name.
const (
	Heun  = "heun"  // adaptive steps, as these three
	Bosh3 = "bosh3" //
	Tsit5 = "tsit5" //
	Euler = "euler" // the same flow by steps of equal length
	SGD   = "sgd"   // gradient descent
)

// Solvers are the names of the solvers.
var Solvers = []string{Heun, Bosh3, Tsit5, Euler, SGD}

var methods = map[string]*ode.Method{Heun: ode.Heun, Bosh3: ode.Bosh3, Tsit5: ode.Tsit5, Euler: ode.Euler}

// Inference says how activities are inferred: by integrating the flow dz/dt = -dF/dz, or by gradient descent. Times and rates are
// those of one sample's energy.
type Inference struct {
	Solver string
	Time   float64 // that the flow is integrated to
	Steps  int     // of gradient descent
	Rate   float64 // of gradient descent, and the length of Euler's steps
	Tol    float64 // relative and absolute tolerance of adaptive steps
}

// jpcFlow is JPC's inference to a time of its own: Heun's method with adaptive steps.
func jpcFlow(time float64) Inference { return Inference{Solver: Heun, Time: jpc.PerSample(time)} }

// jpcDescent is JPC's inference by steps of a rate of its own.
func jpcDescent(steps int, rate float64) Inference {
	return Inference{Solver: SGD, Steps: steps, Rate: jpc.PerSample(rate)}
}

// jpcSteps is descent to a time of JPC's by steps of a length per sample: a tenth of the evaluations of Heun's method at tolerance
// 1e-3 (docs/JPC-notebooks.md).
func jpcSteps(time, step float64) Inference {
	return Inference{Solver: SGD, Steps: int(math.Ceil(jpc.PerSample(time) / step)), Rate: step}
}

// Or takes what is zero from d, and what is zero in both from what is usual: 20 steps of rate .05, the time that they make, tolerance
// 1e-3. Without a Solver, the other fields choose one that reads them: Time and Rate Euler's, Steps or Rate descent, Time or Tol Heun's
// if d's would be descent; otherwise it is d's.
func (i Inference) Or(d Inference) Inference {
	switch {
	case i.Solver != "":
	case i.Time != 0 && i.Rate != 0:
		i.Solver = Euler
	case i.Steps != 0 || i.Rate != 0:
		i.Solver = SGD
	case d.Solver == SGD && (i.Time != 0 || i.Tol != 0):
		i.Solver = Heun
	default:
		i.Solver = d.Solver
	}
	i.Steps = cmp.Or(i.Steps, d.Steps, 20)
	i.Rate = cmp.Or(i.Rate, d.Rate, .05)
	i.Time = cmp.Or(i.Time, d.Time, float64(i.Steps)*i.Rate)
	i.Tol = cmp.Or(i.Tol, d.Tol, 1e-3)
	return i
}

// Validate reports an unknown solver.
func (i Inference) Validate() error {
	if !slices.Contains(Solvers, i.Solver) {
		return errors.Errorf("solver %q: want one of %v", i.Solver, Solvers)
	}
	return nil
}

// New is a new solver of a valid Inference, and what ends it: nil if it ends by itself.
func (i Inference) New() (infer.Solver[float32], infer.Stop) {
	switch i.Solver {
	case SGD:
		return &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: i.Rate}}, infer.Steps(i.Steps)
	case Euler:
		return &infer.Flow[float32]{Method: ode.Euler, Control: ode.Constant{Step: i.Rate}, Horizon: i.Time}, nil
	}
	return &infer.Flow[float32]{Method: methods[i.Solver], Control: ode.PID{RTol: i.Tol, ATol: i.Tol}, Horizon: i.Time}, nil
}

func (i Inference) String() string {
	switch i.Solver {
	case SGD:
		return fmt.Sprintf("%d steps of rate %.4g", i.Steps, i.Rate)
	case Euler:
		return fmt.Sprintf("Euler steps of %.4g to time %.4g", i.Rate, i.Time)
	}
	return fmt.Sprintf("%s to time %.4g, tolerance %g", methods[i.Solver].Name, i.Time, i.Tol)
}

// A Reading is inference to near rest, by descent with momentum .9: how causes and labels of test pictures are found.
type Reading struct {
	Steps int
	Rate  float64
}

// The readings of causes and of Bidirectional's labels, and of Hybrid's labels.
var (
	CauseReading = Reading{Steps: 300, Rate: .05}
	LabelReading = Reading{Steps: 60, Rate: .03}
)

const readMomentum = .9

func (r Reading) solver() (infer.Solver[float32], infer.Stop) {
	return &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: r.Rate, Mu: readMomentum}}, infer.Steps(r.Steps)
}

func (r Reading) String() string {
	return fmt.Sprintf("%d steps of rate %g with momentum %g", r.Steps, r.Rate, readMomentum)
}
