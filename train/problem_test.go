package train_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// TestProblemOf_EverySolverThroughEveryDoor: what takes a solver runs all of them, Newton included, and each lowers the energy.
func TestProblemOf_EverySolverThroughEveryDoor(t *testing.T) {
	net, err := arch.MLP(nil, layers.Tanh, 5, 6, 4, 3)
	ok(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	w, err := arch.NewWeights[float64](net, rng)
	ok(t, err)
	x, y := make([]float64, 4*5), make([]float64, 4*3)
	for _, v := range [][]float64{x, y} {
		for i := range v {
			v[i] = rng.NormFloat64()
		}
	}
	model := func() *arch.Model[float64] {
		m, err := arch.Compile(net, w, arch.Plan{Batch: 4, Coordinates: arch.Errors})
		ok(t, err)
		ok(t, m.Clamp(x, y))
		ok(t, m.Forward())
		return m
	}
	for name, solver := range map[string]infer.Solver[float64]{
		"descent":  &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}},
		"flow":     &infer.Flow[float64]{Method: ode.Heun, Control: ode.Constant{Step: .1}, Horizon: .5},
		"LBFGS":    &infer.LBFGS[float64]{},
		"Newton":   &infer.Newton[float64]{},
		"Langevin": &infer.Langevin[float64]{Rate: .1},
	} {
		stop := infer.Steps(5)
		m := model()
		direct, err := infer.Run(solver, train.ProblemOf(m), m.State(), stop, nil)
		if err != nil || !(direct.Energy < direct.FirstEnergy) {
			t.Errorf("%s, Run: %v, error %v", name, direct, err)
		}
		traced := model()
		moments, _, err := analysis.Trace(traced, solver, stop)
		if err != nil || len(moments) == 0 || !slices.Equal(traced.State(), m.State()) {
			t.Errorf("%s, Trace: %d points, error %v, or another end than Run's", name, len(moments), err)
		}
		bp, err := arch.Compile(net, w, arch.Plan{Batch: 4, Coordinates: arch.Feedforward})
		ok(t, err)
		ok(t, bp.Clamp(x, y))
		if _, _, err := analysis.Compare(model(), bp, solver, stop, x, y, 1, nil); err != nil {
			t.Errorf("%s, Compare: %v", name, err)
		}
		rule := &train.PC[float64]{Model: model(), Solver: solver, Stop: stop}
		if _, err := rule.Gradient(make([]float64, len(w.Data())), x, y, 4); err != nil {
			t.Errorf("%s, PC: %v", name, err)
		}
	}
}

// halving is a user's solver: gradient descent whose rate halves after every Every steps, fused if the problem has fused steps.
type halving struct {
	infer.Descent[float64]
	Every int
	fused int // calls of FusedSteps
}

func (h *halving) Uses(has infer.Available) (infer.Available, error) {
	return infer.Available{FusedSteps: has.FusedSteps}, nil
}

func (h *halving) MoveFused(p infer.Problem[float64], z []float64, n int) (e infer.Evaluation[float64], ok bool, err error) {
	if p.FusedSteps == nil {
		return e, false, nil
	}
	e = infer.Evaluation[float64]{Grad: make([]float64, len(z)), Evals: n - 1}
	for rate, left := .2, n; left > 0; rate, left = rate/2, left-h.Every {
		h.fused++
		if e.Energy, ok, err = p.FusedSteps(e.Grad, z, rate, min(left, h.Every)); !ok || err != nil {
			return e, ok, err
		}
	}
	e.Residual = infer.RMS(e.Grad)
	return e, true, nil
}

// TestProblemOf_FusesTheStepsOfAnOwnSolver on a model: to the bit what single steps at those rates are.
func TestProblemOf_FusesTheStepsOfAnOwnSolver(t *testing.T) {
	net, err := arch.MLP(nil, layers.Tanh, 5, 6, 4, 3)
	ok(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	w, err := arch.NewWeights[float64](net, rng)
	ok(t, err)
	m, err := arch.Compile(net, w, arch.Plan{Batch: 40})
	ok(t, err)
	x, y := make([]float64, 40*5), make([]float64, 40*3)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	ok(t, m.Clamp(x, y))
	ok(t, m.Forward())
	want, grad := slices.Clone(m.State()), make([]float64, len(m.State()))
	var last float64
	for step, rate := 0, .2; step < 8; step++ {
		if step > 0 && step%3 == 0 {
			rate /= 2
		}
		last, err = m.StateGrad(grad, want)
		ok(t, err)
		(&optim.SGD[float64]{Rate: rate}).Step(want, grad)
	}
	s := &halving{Descent: infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}, Every: 3}
	res, err := infer.Run[float64](s, train.ProblemOf(m), m.State(), infer.Steps(8), nil)
	if err != nil || s.fused != 3 || res.Energy != last || res.Evals != 8 || !slices.Equal(m.State(), want) {
		t.Errorf("%v with %d fused calls, error %v: want energy %v after 3 calls, and the activities of single steps", res, s.fused, err, last)
	}
}
