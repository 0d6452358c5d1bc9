// Package infer relaxes activities: it moves a slice downhill until a rule says
// stop, and reports how that ended.
//
// Three things are separate values and combine freely:
//
//   - a [Problem]: the energy and its gradient, a function of a slice;
//   - a [Solver]: how to step, with its own memory: [Descent] with any
//     optimiser; [Flow], which integrates the gradient flow; [LBFGS] and
//     [Newton], which need no rate; [Langevin], which samples;
//   - a [Stop]: when to stop, for example [Any]{[Stationary]{Tol: 1e-4}, [Steps](500)}.
//
// [Run] puts them together:
//
//	solver := &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: 0.1}}
//	stop := infer.Any{infer.Stationary{Tol: 1e-4}, infer.Steps(500)}
//	result, err := infer.Run(solver, problem, z, stop, nil)
//
// A problem may offer more than its energy: steps of gradient descent in one
// call, and Newton steps. What a solver makes of that is negotiated, see
// [Negotiator]; solvers of other packages have the same access as those here.
//
// The package is not for networks, batches or weights, of which it knows
// nothing, and not for finding minima of noisy objectives: the stop rules read
// the gradient as exact. Solvers are checked by package infertest.
package infer

import (
	"fmt"
	"math"
	"time"

	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
)

// Float is the element type of the activities.
type Float = kernel.Float

// A Problem is an energy over a slab of activities, with what else can be computed of it. Only Energy is needed.
type Problem[T Float] struct {
	// Energy writes the gradient at z over all of grad and returns the energy.
	// For a batch of B samples these are dF_i/dz_i, each sample's own gradient,
	// and the mean energy 1/B sum_i F_i. It must not change z or keep either
	// slice. It may be called at other points than the z given to Run.
	Energy func(grad, z []T) (float64, error)
	// FusedSteps makes n >= 1 steps of gradient descent in one call,
	//
	//	z <- z - rate grad
	//
	// with the bits of n times Energy and that step in turn. It writes the
	// gradient before the last step to grad and returns the energy there. If
	// numbers are not finite there, or it cannot, ok is false and z unchanged.
	FusedSteps func(grad, z []T, rate float64, n int) (energy float64, ok bool, err error)
	// Newton writes to step what solves
	//
	//	C step = grad
	//
	// for a positive curvature C of the energy at z, where grad is the gradient,
	// and returns what that cost, in calls of Energy. See [Newton].
	Newton func(step, grad, z []T) (evals int, err error)
	// NoNewton says why Newton is nil, to the user of a solver that needs it.
	NoNewton error
	// Ascend moves the Lagrange multipliers of the energy along their gradients
	// at the last call of Energy. A solver that can, see [Negotiator], calls it
	// once a move; FusedSteps do so by themselves. Nil if there are none.
	Ascend func()
	// Where names index i of the slab, such as "block2 sample 3 unit 17". It is
	// called only to say where numbers went wrong. If nil, the index is named.
	Where func(i int) string
}

// A Solver is a stepping method with its own memory, which it allocates on
// first use and reuses for problems of the same size.
//
// A method of several stages evaluates the first one in Eval and the others in
// Move. One whose last stage is the next point's gradient ("first same as
// last") keeps it for the next Eval, which then takes no evaluation.
//
// A solver that has an end of its own, such as an integration horizon, also
// implements [Stop]; Run asks it together with the rule it was given. One that
// uses more of a problem than its energy also implements [Negotiator], and one
// that can make many moves in one call [Fuser].
type Solver[T Float] interface {
	// Reset forgets the past. The next call is an Eval of any problem.
	Reset()
	// Eval evaluates the energy and its gradient at z.
	Eval(p Problem[T], z []T) (Evaluation[T], error)
	// Move moves z in place, using the gradient of the last Eval, which was at
	// this z.
	Move(p Problem[T], z []T) (Motion, error)
}

// An Evaluation is what a solver found at one point.
type Evaluation[T Float] struct {
	Energy   float64
	Residual float64 // rms of Grad over all its elements; see [Evaluate]
	Grad     []T     // gradient at z: the solver's memory, valid until its next call
	Evals    int     // calls of Problem.Energy that this took
}

// A Motion is what one move took.
type Motion struct {
	Evals    int     // calls of Problem.Energy
	Time     float64 // integration time; 0 for a method that has none
	Rejected int     // trial steps thrown away; 0 for a method that tries none
}

// Evaluate calls the energy of p at z and measures the gradient that it writes:
// the plain Eval of a solver without tricks.
//
// The residual is accumulated in float64 and is finite only if every element
// is, so it also serves as the check for numbers gone wrong. That costs one
// pass over grad, about 0.5 ns an element, where an energy takes some tens: it
// is always made.
func Evaluate[T Float](p Problem[T], grad, z []T) (Evaluation[T], error) {
	energy, err := p.Energy(grad, z)
	if err != nil {
		return Evaluation[T]{Evals: 1}, err
	}
	return measured(energy, grad), nil
}

// measured is one evaluation with its residual.
func measured[T Float](energy float64, grad []T) Evaluation[T] {
	return Evaluation[T]{Energy: energy, Residual: RMS(grad), Grad: grad, Evals: 1}
}

// RMS is the root mean square of a gradient, the residual of an [Evaluation]: accumulated in float64, 0 of no numbers.
func RMS[T Float](grad []T) float64 {
	if len(grad) == 0 {
		return 0
	}
	return optim.Norm(grad) / math.Sqrt(float64(len(grad)))
}

// A Reading is the state of a run as stop rules and observers see it.
type Reading struct {
	Step     int           // moves made
	Rejected int           // trial steps thrown away; 0 for a method that tries none
	Evals    int           // calls of Problem.Energy
	Time     float64       // integration time; 0 for a method that has none
	Elapsed  time.Duration // wall-clock time

	// Energy and Residual are those at z as it is now, and +Inf as long as they
	// have not been evaluated there: before the first evaluation, and after
	// each move.
	Energy   float64
	Residual float64 // rms of the gradient over all scalars

	// Those of the first evaluation; +Inf before it.
	FirstEnergy float64
	Initial     float64 // residual
}

// Status says how a run ended.
type Status int

// The ways a run ends.
const (
	Running   Status = iota // it has not: what an error leaves behind
	Converged               // the gradient at z satisfied the rule
	StepLimit               // the allowed number of steps was made
	TimeLimit               // the allowed time, on the clock or of integration, has passed
	Diverged                // the energy or the gradient is not finite
)

func (s Status) String() string {
	names := [...]string{"running", "converged", "step limit", "time limit", "diverged"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("Status(%d)", int(s))
	}
	return names[s]
}

// A Result says how a run ended.
//
// Its Energy and Residual are those of the last evaluation. That was at the z
// that Run leaves behind when Status is Converged or Diverged. When a limit
// stopped the run it was one move earlier, since the last point is not
// evaluated just to be reported; without any evaluation they are +Inf.
type Result struct {
	Reading
	Status Status
	Detail string // for Diverged: what is not finite, and where
}

func (r Result) String() string {
	rejected := ""
	if r.Rejected > 0 {
		rejected = fmt.Sprintf(" and %d rejected ones", r.Rejected)
	}
	s := fmt.Sprintf("%v after %d steps%s (%d evaluations): energy %.6g, residual %.3g",
		r.Status, r.Step, rejected, r.Evals, r.Energy, r.Residual)
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	return s
}
