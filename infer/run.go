package infer

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/pkg/errors"
)

const (
	noSolver = "infer: Run without a solver: give one, for example &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}"
	noStop   = "infer: Run without a stop rule: give one, for example infer.Steps(16), or a solver with an end of its own"
	noEnergy = "infer: Run of a problem without an Energy: set it, for a model to its StateGrad"
)

// Run moves z in place until stop says so, starting with a Reset of s.
//
// Each round asks stop before anything is evaluated, then evaluates, asks stop
// again with the fresh energy and residual, and moves. So [Steps](n) means n
// evaluations and n moves exactly, and Converged was measured at the z that is
// left behind.
//
// observe, if not nil, is called after each evaluation. Moves that are fused
// ([Fuser]) are those of a run without observer, to the bit.
//
// When the energy or the gradient is not finite the run ends as Diverged, with
// the step and the place in Result; z stays where that was found, one move
// past the last point with a finite energy. The error is what the solver or the
// stop rule reports of itself or misses in p ([Negotiator]), before anything
// moves, or that of p.Energy, with the step. stop may be nil if s is a [Stop] itself. Run panics without a
// solver, a stop rule or an energy.
//
// Run allocates nothing once s has its memory, unless the run diverges.
func Run[T Float](s Solver[T], p Problem[T], z []T, stop Stop, observe func(Reading)) (Result, error) {
	if missing(s) {
		panic(noSolver)
	}
	if missing(stop) {
		stop = nil
	}
	own, _ := s.(Stop)
	if stop == nil && own == nil {
		panic(noStop)
	}
	if p.Energy == nil {
		panic(noEnergy)
	}
	if err := valid(s); err != nil {
		return Result{}, err
	}
	if err := valid(stop); err != nil {
		return Result{}, err
	}
	p, err := negotiate(s, p)
	if err != nil {
		return Result{}, err
	}
	s.Reset()
	start := time.Now()
	unknown := math.Inf(1)
	now := Reading{Energy: unknown, Residual: unknown, FirstEnergy: unknown, Initial: unknown}
	last := now // now, with the energy and residual of the last evaluation

	for {
		now.Elapsed = time.Since(start)
		if status, done := ask(stop, own, now); done {
			return end(last, now, status, ""), nil
		}

		e, err := s.Eval(p, z)
		now.Evals += e.Evals
		if err != nil {
			return end(last, now, Running, ""), errors.Wrapf(err, "infer: evaluate at step %d", now.Step)
		}
		now.Energy, now.Residual, now.Elapsed = e.Energy, e.Residual, time.Since(start)
		if math.IsInf(now.Initial, 1) {
			now.FirstEnergy, now.Initial = e.Energy, e.Residual
		}
		last = now
		if observe != nil {
			observe(now)
		}
		if !finite(e.Energy) || !finite(e.Residual) {
			return end(last, now, Diverged, wrong(p, z, e)), nil
		}
		if status, done := ask(stop, own, now); done {
			return end(last, now, status, ""), nil
		}

		if n, fixed := stop.(Steps); fixed && own == nil && observe == nil && now.Step == 0 {
			if e, ok, err := fused(s, p, z, int(n)); err != nil {
				return end(last, now, Running, ""), errors.Wrap(err, "infer: fused moves from step 0")
			} else if ok {
				now.Step, now.Evals, now.Elapsed = int(n), now.Evals+e.Evals, time.Since(start)
				last.Energy, last.Residual = e.Energy, e.Residual
				return end(last, now, StepLimit, ""), nil
			}
		}

		m, err := s.Move(p, z)
		now.Evals += m.Evals
		now.Time += m.Time
		now.Rejected += m.Rejected
		if err != nil {
			return end(last, now, Running, ""), errors.Wrapf(err, "infer: move from step %d", now.Step)
		}
		now.Step++
		now.Energy, now.Residual = unknown, unknown
	}
}

// missing reports nil, also in the form of a nil pointer.
func missing(part any) bool {
	if part == nil {
		return true
	}
	v := reflect.ValueOf(part)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// valid is what a solver or a stop rule reports of itself, if it can.
func valid(part any) error {
	if v, ok := part.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// fused makes n moves in one call, if s can.
func fused[T Float](s Solver[T], p Problem[T], z []T, n int) (Evaluation[T], bool, error) {
	if f, is := s.(Fuser[T]); is {
		return f.MoveFused(p, z, n)
	}
	return Evaluation[T]{}, false, nil
}

// ask asks the rule of the caller, then that of the solver; either may be nil.
func ask(stop, own Stop, r Reading) (Status, bool) {
	if stop != nil {
		if status, done := stop.Done(r); done {
			return status, true
		}
	}
	if own != nil {
		return own.Done(r)
	}
	return Running, false
}

// end is the result with the counters of now and the measurements of last.
func end(last, now Reading, status Status, detail string) Result {
	now.Energy, now.Residual = last.Energy, last.Residual
	return Result{Reading: now, Status: status, Detail: detail}
}

// wrong says what is not finite. The first activity comes first, because
// everything computed from it is wrong as well; then the first gradient; then,
// for an energy that overflowed by itself, the largest activity.
func wrong[T Float](p Problem[T], z []T, e Evaluation[T]) string {
	where := p.Where
	if where == nil {
		where = func(i int) string { return fmt.Sprintf("index %d", i) }
	}
	for i, v := range z {
		if !finite(float64(v)) {
			return fmt.Sprintf("activity %g at %s, energy %g", v, where(i), e.Energy)
		}
	}
	for i, v := range e.Grad {
		if !finite(float64(v)) {
			return fmt.Sprintf("gradient %g at %s, where the activity is %g, energy %g", v, where(i), z[i], e.Energy)
		}
	}
	if len(z) == 0 {
		return fmt.Sprintf("energy %g without activities", e.Energy)
	}
	top := 0
	for i, v := range z {
		if math.Abs(float64(v)) > math.Abs(float64(z[top])) {
			top = i
		}
	}
	return fmt.Sprintf("energy %g with a finite gradient, largest activity %g at %s", e.Energy, z[top], where(top))
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
