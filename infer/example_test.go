package infer_test

import (
	"errors"
	"fmt"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/optim"
)

// twoUnits is the energy 1/2 (z0 - 1)^2 + 2 (z1 + 1)^2, with the Newton step of it.
func twoUnits() infer.Problem[float64] {
	return infer.Problem[float64]{
		Energy: func(grad, z []float64) (float64, error) {
			grad[0], grad[1] = z[0]-1, 4*(z[1]+1)
			return grad[0]*grad[0]/2 + grad[1]*grad[1]/8, nil
		},
		Newton: func(step, grad, _ []float64) (evals int, err error) {
			step[0], step[1] = grad[0], grad[1]/4
			return 1, nil
		},
	}
}

func ExampleRun() {
	z := []float64{0, 0}
	solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}
	stop := infer.Any{infer.Stationary{Tol: 1e-4}, infer.Steps(500)}
	result, err := infer.Run(solver, twoUnits(), z, stop, nil)
	fmt.Printf("%.3f %v %v\n", z, result.Status, err)
	// Output: [1.000 -1.000] converged <nil>
}

func ExampleFlow() {
	z := []float64{0, 0}
	flow := &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-6, ATol: 1e-6}, Horizon: 1}
	result, err := infer.Run(flow, twoUnits(), z, nil, nil)
	fmt.Printf("%.4f %v %v\n", z, result.Status, err) // 1 - exp(-1), exp(-4) - 1
	// Output: [0.6321 -0.9817] time limit <nil>
}

func ExampleAuto() {
	z := []float64{0, 0}
	auto := &infer.Auto[float64]{}
	result, err := infer.Run(auto, twoUnits(), z, infer.Stationary{Tol: 1e-9}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v, z = %.3f\n", result.Status, z)
	// Output: converged, z = [1.000 -1.000]
}

func ExampleLBFGS() {
	z := []float64{0, 0}
	result, err := infer.Run(&infer.LBFGS[float64]{}, twoUnits(), z, infer.Stationary{Tol: 1e-9}, nil)
	fmt.Printf("%.6f %v %v\n", z, result.Status, err)
	// Output: [1.000000 -1.000000] converged <nil>
}

func ExampleNewton() {
	p, z := twoUnits(), []float64{0, 0}
	result, err := infer.Run(&infer.Newton[float64]{}, p, z, infer.Stationary{Tol: 1e-9}, nil)
	fmt.Println(z, result.Step, err)
	p.Newton = nil
	_, err = infer.Run(&infer.Newton[float64]{}, p, z, nil, nil)
	fmt.Println(errors.Is(err, infer.ErrNoCurvature))
	// Output:
	// [1 -1] 1 <nil>
	// true
}

// signs is a solver of one's own: it moves every activity by Step against the sign of its gradient.
type signs struct {
	Step float64
	grad []float64
}

func (s *signs) Reset() {}

func (s *signs) Eval(p infer.Problem[float64], z []float64) (infer.Evaluation[float64], error) {
	if len(s.grad) != len(z) {
		s.grad = make([]float64, len(z))
	}
	return infer.Evaluate(p, s.grad, z)
}

func (s *signs) Move(_ infer.Problem[float64], z []float64) (infer.Motion, error) {
	for i, g := range s.grad {
		switch {
		case g > 0:
			z[i] -= s.Step
		case g < 0:
			z[i] += s.Step
		}
	}
	return infer.Motion{}, nil
}

func ExampleSolver() {
	z := []float64{0, 0}
	result, err := infer.Run[float64](&signs{Step: .25}, twoUnits(), z, infer.Stationary{Tol: 1e-9}, nil)
	fmt.Println(z, result.Step, err)
	// Output: [1 -1] 4 <nil>
}

// careful is a solver of one's own that takes Newton steps where there are any, and small steps of gradient descent otherwise.
type careful struct {
	infer.Descent[float64]
	step []float64
}

// Uses asks for Newton steps if the problem has them.
func (c *careful) Uses(has infer.Available) (infer.Available, error) {
	return infer.Available{Newton: has.Newton}, nil
}

func (c *careful) Move(p infer.Problem[float64], z []float64) (infer.Motion, error) {
	if p.Newton == nil {
		return c.Descent.Move(p, z)
	}
	e, err := c.Eval(p, z)
	if err != nil {
		return infer.Motion{}, err
	}
	if len(c.step) != len(z) {
		c.step = make([]float64, len(z))
	}
	evals, err := p.Newton(c.step, e.Grad, z)
	for i := range z {
		z[i] -= c.step[i]
	}
	return infer.Motion{Evals: 1 + evals}, err
}

func ExampleNegotiator() {
	with := twoUnits()
	without := with
	without.Newton = nil
	for _, p := range []infer.Problem[float64]{with, without} {
		s := &careful{Descent: infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}}}
		result, err := infer.Run[float64](s, p, make([]float64, 2), infer.Stationary{Tol: 1e-3}, nil)
		fmt.Println(result.Step, "steps", err)
	}
	// Output:
	// 1 steps <nil>
	// 63 steps <nil>
}
