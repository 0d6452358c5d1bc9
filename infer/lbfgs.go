package infer

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// LBFGS is the limited-memory quasi-Newton method of Nocedal (1980; Nocedal and Wright, Numerical Optimization, algorithm
// 7.5): the curvature is learned from the last Memory steps, starting from that of 1 per sample, and a step is halved until
// the energy does not rise. There is no rate to choose. It treats the whole slab as one problem, which the samples' energies
// add up to.
//
// It ends by itself, as StepLimit, after MaxSteps or where no step leads downhill. The evaluation at the end of a step is that
// of the next Eval.
type LBFGS[T Float] struct {
	Memory   int // steps remembered; 0 means 8
	MaxSteps int // 0 means 1000

	line  line[T]
	grad  []T
	step  []T
	s, y  [][]T // differences of points and gradients, a ring
	rho   []float64
	alpha []float64
	from  []T // point and gradient before the last step
	slope []T
	moves int
	kept  int     // pairs ever kept
	gamma float64 // inverse curvature along the last one
}

var (
	_ Solver[float32] = (*LBFGS[float32])(nil)
	_ Stop            = (*LBFGS[float32])(nil)
)

const (
	defaultMemory     = 8
	defaultLBFGSSteps = 1000
)

// Reset forgets all steps.
func (l *LBFGS[T]) Reset() { l.line.reset(); l.moves, l.kept = 0, 0 }

// Eval evaluates p once, or not at all after a step.
func (l *LBFGS[T]) Eval(p Problem[T], z []T) (Evaluation[T], error) {
	e, err := l.line.evaluate(&l.grad, p, z)
	if err == nil && l.moves > 0 {
		l.remember(z)
	}
	return e, err
}

// remember keeps the last step and what it did to the gradient, if the curvature along it is above 0.
func (l *LBFGS[T]) remember(z []T) {
	k := l.kept % len(l.s)
	s, y := l.s[k], l.y[k]
	kernel.Sub(s, z, l.from)
	kernel.Sub(y, l.grad, l.slope)
	if sy := kernel.Dot(s, y); sy > 1e-10*kernel.SumSquares(s) {
		l.rho[k], l.gamma = 1/sy, sy/kernel.SumSquares(y)
		l.kept++
	}
}

// Move makes one step.
func (l *LBFGS[T]) Move(p Problem[T], z []T) (Motion, error) {
	l.room(len(z))
	copy(l.step, l.grad)
	memory := len(l.s)
	oldest := max(0, l.kept-memory)
	for j := l.kept - 1; j >= oldest; j-- {
		k := j % memory
		l.alpha[k] = l.rho[k] * kernel.Dot(l.s[k], l.step)
		kernel.Axpby(l.step, 1, l.step, -T(l.alpha[k]), l.y[k])
	}
	if l.kept > 0 {
		kernel.Scale(l.step, l.step, T(l.gamma))
	}
	for j := oldest; j < l.kept; j++ {
		k := j % memory
		kernel.Axpby(l.step, 1, l.step, T(l.alpha[k]-l.rho[k]*kernel.Dot(l.y[k], l.step)), l.s[k])
	}
	copy(l.from, z)
	copy(l.slope, l.grad)
	m, err := l.line.search(p, z, l.step)
	if l.line.stuck && l.kept > 0 { // what is remembered may be of another side of a kink: try plain descent
		l.line.stuck, l.kept = false, 0
		again, err := l.line.search(p, z, l.grad)
		again.Evals, again.Rejected = again.Evals+m.Evals, again.Rejected+m.Rejected
		l.moves++
		return again, err
	}
	l.moves++
	return m, err
}

// room makes memory for slabs of length n.
func (l *LBFGS[T]) room(n int) {
	memory := l.Memory
	if memory == 0 {
		memory = defaultMemory
	}
	l.step, l.from, l.slope = sized(l.step, n), sized(l.from, n), sized(l.slope, n)
	if len(l.s) != memory {
		l.s, l.y, l.rho, l.alpha = make([][]T, memory), make([][]T, memory), make([]float64, memory), make([]float64, memory)
	}
	for i := range l.s {
		l.s[i], l.y[i] = sized(l.s[i], n), sized(l.y[i], n)
	}
}

// Done ends a run that cannot get lower.
func (l *LBFGS[T]) Done(Reading) (Status, bool) {
	limit := l.MaxSteps
	if limit == 0 {
		limit = defaultLBFGSSteps
	}
	return StepLimit, l.line.stuck || l.moves >= limit
}

// Validate reports negative numbers.
func (l *LBFGS[T]) Validate() error {
	if l.Memory < 0 || l.MaxSteps < 0 {
		return errors.Errorf("infer: LBFGS: Memory %d, MaxSteps %d: want at least 1, or 0 for %d and %d", l.Memory, l.MaxSteps, defaultMemory, defaultLBFGSSteps)
	}
	return nil
}
