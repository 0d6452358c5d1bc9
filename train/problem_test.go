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
