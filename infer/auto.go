package infer

import (
	"math"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Auto is gradient descent without a rate to choose: Nesterov's accelerated gradient method at the rate 1/C of a measured
// curvature C,
//
//	x_k = y_k - grad(y_k)/C        y_k+1 = x_k + (t_k - 1)/t_k+1 (x_k - x_k-1),    t_k+1 = (1 + sqrt(1 + 4 t_k^2))/2
//
// z is y. C is that of the [Pace]. The momentum begins anew, at t = 1, wherever the gradient points along the last move, so that the
// smallest curvature need not be known (adaptive restart). A step without momentum after which the gradient has turned against the one
// before it shows a curvature above C along it: C is doubled, see Raised. Sources: Nesterov 1983; O'Donoghue and Candes 2015, Adaptive restart for accelerated gradient
// schemes, section 3.2.
//
// It evaluates the energy once a step, and makes no fused steps. What it knows of the curvature is its Memory from run to run.
type Auto[T Float] struct {
	Pace[T]

	grad  []T
	last  []T     // the gradient before a step without momentum
	plain bool    // the last step was one
	x     []T     // of the step before
	t     float64 // 0 before the first step
	c     float64 // 0 before the first evaluation
}

var _ Solver[float32] = (*Auto[float32])(nil)

// turned is how far, as a part of its square, a gradient may turn against the one before it, for rounding.
const turned = .05

// Reset begins a new run. The curvature stays known.
func (a *Auto[T]) Reset() { a.t, a.c, a.plain = 0, 0, false }

// Eval evaluates p once, and at the start of a run that measures the curvature 31 times more.
func (a *Auto[T]) Eval(p Problem[T], z []T) (Evaluation[T], error) {
	a.grad, a.x, a.last = sized(a.grad, len(z)), sized(a.x, len(z)), sized(a.last, len(z))
	more := 0
	if a.c == 0 {
		var err error
		if a.c, more, err = a.Use(p, z); err != nil {
			return Evaluation[T]{Evals: more}, err
		}
	}
	e, err := Evaluate(p, a.grad, z)
	e.Evals += more
	if err == nil && a.plain && kernel.Dot(a.grad, a.last) < -turned*kernel.SumSquares(a.last) {
		a.Raise()
		a.c, a.t = a.Curvature(), 0
	}
	return e, err
}

// Move makes one step.
func (a *Auto[T]) Move(_ Problem[T], z []T) (Motion, error) {
	if a.c == 0 { // the curvature was not finite
		return Motion{}, nil
	}
	kernel.SGD(z, a.grad, T(1/a.c), 0) // x_k
	beta := T(0)
	if a.t > 0 && !a.against(z) {
		next := (1 + math.Sqrt(1+4*a.t*a.t)) / 2
		beta, a.t = T((a.t-1)/next), next
	} else {
		a.t = 1
	}
	if a.plain = beta == 0; a.plain {
		copy(a.last, a.grad)
	}
	for i, x := range z {
		z[i], a.x[i] = x+beta*(x-a.x[i]), x
	}
	return Motion{}, nil
}

// against reports whether the move from the x before to x goes uphill: momentum has carried it too far.
func (a *Auto[T]) against(x []T) bool {
	along := 0.
	for i, g := range a.grad {
		along += float64(g) * float64(x[i]-a.x[i])
	}
	return along > 0
}
