package infer

import "github.com/pkg/errors"

// Newton makes Gauss-Newton steps with the curvature that the problem solves by, see [Problem.Newton],
//
//	z <- z - c C^-1 dF_i/dz_i
//
// with the largest c of 1, 1/2, 1/4, ... at which the energy does not rise. There is no rate to choose. On a linear network
// the first step is exact.
//
// It ends by itself, as StepLimit, after MaxSteps or where no step leads downhill: at the rounding floor, or on a kink of
// the energy. The evaluation at the end of a step is that of the next Eval. docs/INFERENCE.md has where it wins.
type Newton[T Float] struct {
	MaxSteps int // 0 means 50

	line  line[T]
	grad  []T
	step  []T
	moves int
}

var (
	_ Solver[float32] = (*Newton[float32])(nil)
	_ Stop            = (*Newton[float32])(nil)
	_ Negotiator      = (*Newton[float32])(nil)
)

const defaultNewtonSteps = 50

// Reset forgets the last step.
func (n *Newton[T]) Reset() { n.line.reset(); n.moves = 0 }

// Uses takes Newton steps, and returns [ErrNoCurvature] of a problem without.
func (n *Newton[T]) Uses(has Available) (Available, error) {
	if !has.Newton {
		return Available{}, noNewton()
	}
	return Available{Newton: true}, nil
}

func noNewton() error {
	return errors.WithMessage(ErrNoCurvature, "infer: Newton: give the Problem a Newton, as train.ProblemOf does for a model in arch.Errors, or take LBFGS")
}

// Eval evaluates p once, or not at all after a step.
func (n *Newton[T]) Eval(p Problem[T], z []T) (Evaluation[T], error) {
	return n.line.evaluate(&n.grad, p, z)
}

// Move makes one step.
func (n *Newton[T]) Move(p Problem[T], z []T) (Motion, error) {
	if p.Newton == nil {
		return Motion{}, noNewton()
	}
	n.step = sized(n.step, len(z))
	evals, err := p.Newton(n.step, n.grad, z)
	if err != nil {
		return Motion{Evals: evals}, err
	}
	m, err := n.line.search(p, z, n.step)
	m.Evals += evals
	n.moves++
	return m, err
}

// Done ends a run that cannot get lower.
func (n *Newton[T]) Done(Reading) (Status, bool) {
	limit := n.MaxSteps
	if limit == 0 {
		limit = defaultNewtonSteps
	}
	return StepLimit, n.line.stuck || n.moves >= limit
}

// Validate reports a negative number of steps.
func (n *Newton[T]) Validate() error {
	if n.MaxSteps < 0 {
		return errors.Errorf("infer: Newton: MaxSteps %d: want at least 1, or 0 for %d", n.MaxSteps, defaultNewtonSteps)
	}
	return nil
}
