package infer

import "github.com/pkg/errors"

// ErrNoCurvature is the error, to be found with [errors.Is], of a solver that needs [Problem.Newton] where the problem has none.
var ErrNoCurvature = errors.New("the problem has no curvature to solve by")

// Available lists what a problem offers beside its energy, or what a solver uses of that.
type Available struct {
	FusedSteps bool // [Problem.FusedSteps]
	Newton     bool // [Problem.Newton]
	Ascent     bool // [Problem.Ascend], which a solver must use where it is
}

// Available reports what p offers.
func (p Problem[T]) Available() Available {
	return Available{FusedSteps: p.FusedSteps != nil, Newton: p.Newton != nil, Ascent: p.Ascend != nil}
}

// A Negotiator is a [Solver] that can use more of a problem than its energy. [Run] asks before anything else, and gives the solver a
// problem with what it uses and nothing more; a solver that is no Negotiator sees Energy and Where alone.
type Negotiator interface {
	// Uses returns what the solver uses of what a problem has, or an error if it cannot do without something that is missing.
	Uses(has Available) (uses Available, err error)
}

// A Fuser is a [Solver] that can make several moves in one call, mostly with [Problem.FusedSteps], for which it must be a
// [Negotiator], too. Run makes use of it where nobody looks at the points between: the stop rule is [Steps], the solver is no
// [Stop], and there is no observer.
type Fuser[T Float] interface {
	// MoveFused makes n >= 1 moves, with the same bits as n times Move with Eval between them. The last call was Eval at z.
	// It returns the evaluation before the last move, with Evals those that it made itself. If it cannot, ok is false, z is as it
	// was, and Run goes on with Move.
	MoveFused(p Problem[T], z []T, n int) (e Evaluation[T], ok bool, err error)
}

// negotiate is p with what s uses of it.
func negotiate[T Float](s Solver[T], p Problem[T]) (Problem[T], error) {
	var uses Available
	if n, is := s.(Negotiator); is {
		has := p.Available()
		var err error
		if uses, err = n.Uses(has); err != nil {
			if p.NoNewton != nil && errors.Is(err, ErrNoCurvature) {
				err = errors.WithMessage(err, p.NoNewton.Error())
			}
			return p, err
		}
		if uses.FusedSteps && !has.FusedSteps || uses.Newton && !has.Newton {
			panic("infer: Uses of a solver returned what the problem does not have")
		}
	}
	if p.Ascend != nil && !uses.Ascent {
		return p, errors.Errorf("infer: the energy has Lagrange multipliers, which %T does not move: use Descent", s)
	}
	if !uses.FusedSteps {
		p.FusedSteps = nil
	}
	if !uses.Newton {
		p.Newton = nil
	}
	return p, nil
}
