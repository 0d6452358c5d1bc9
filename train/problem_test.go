package train_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestProblemOf_EverySolverThroughEveryDoor: whatever takes a solver runs all of them, on models in either coordinates, or says
// in one clear error which part of the three does not fit. No other pair than those of cannot may fail.
func TestProblemOf_EverySolverThroughEveryDoor(t *testing.T) {
	t.Parallel()
	const batch, in, out = 4, 3, 5
	net, err := arch.MLP(nil, layers.Tanh, in, 6, 4, out)
	ok(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	w, err := arch.NewWeights[float64](net, rng)
	ok(t, err)
	x, y := normals(1, batch*in), normals(2, batch*out)
	solvers := map[string]func() infer.Solver[float64]{
		"Descent": func() infer.Solver[float64] { return &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .1}} },
		"Adam": func() infer.Solver[float64] {
			return &infer.Descent[float64]{Optimizer: &optim.Adam[float64]{Rate: .1}}
		},
		"Flow": func() infer.Solver[float64] {
			return &infer.Flow[float64]{Method: ode.Heun, Control: ode.Constant{Step: .1}, Horizon: .5}
		},
		"Auto":     func() infer.Solver[float64] { return &infer.Auto[float64]{} },
		"LBFGS":    func() infer.Solver[float64] { return &infer.LBFGS[float64]{} },
		"Newton":   func() infer.Solver[float64] { return &infer.Newton[float64]{} },
		"Langevin": func() infer.Solver[float64] { return &infer.Langevin[float64]{Rate: .1} },
		"a user's": func() infer.Solver[float64] { return goesTo{} },
		"one of fused": func() infer.Solver[float64] {
			return &halving{Descent: infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}, Every: 3}
		},
	}
	const stop = infer.Steps(5)
	model := func(p arch.Plan) *arch.Model[float64] {
		p.Batch = batch
		m, err := arch.Compile(net, w, p)
		ok(t, err)
		if p.FreeInput {
			return m
		}
		ok(t, m.Clamp(x, y))
		ok(t, m.Forward())
		return m
	}
	learn := func(r train.Rule[float64], x, y []float64) error {
		if v, is := r.(interface{ Validate() error }); is {
			if err := v.Validate(); err != nil {
				return err
			}
		}
		report, err := r.Gradient(make([]float64, len(r.Subject().Weights.Data())), x, y, batch)
		if err == nil && report.Inference.Step == 0 {
			t.Errorf("%T: inference made no step", r)
		}
		return err
	}
	pc := func(s infer.Solver[float64], c arch.Coordinates) train.PC[float64] {
		return train.PC[float64]{Model: model(arch.Plan{Coordinates: c}), Solver: s, Stop: stop}
	}
	doors := map[string]func(s infer.Solver[float64], c arch.Coordinates) error{
		"infer.Run": func(s infer.Solver[float64], c arch.Coordinates) error {
			m := model(arch.Plan{Coordinates: c})
			_, err := infer.Run(s, train.ProblemOf(m), m.State(), stop, nil)
			return err
		},
		"Trace": func(s infer.Solver[float64], c arch.Coordinates) error {
			moments, _, err := analysis.Trace(model(arch.Plan{Coordinates: c}), s, stop)
			if err == nil && len(moments) == 0 {
				t.Error("Trace without a moment")
			}
			return err
		},
		"Compare": func(s infer.Solver[float64], c arch.Coordinates) error {
			rows, _, err := analysis.Compare(model(arch.Plan{Coordinates: c}), model(arch.Plan{Coordinates: arch.Feedforward}), s, stop, x, y, 1, nil)
			if err == nil && len(rows) == 0 {
				t.Error("Compare without a row")
			}
			return err
		},
		"CoordCheck": func(s infer.Solver[float64], c arch.Coordinates) error {
			_, err := (&analysis.CoordCheck[float64]{
				Network: func(int) (*arch.Network, error) { return net, nil }, Sizes: []int{1}, Seeds: []uint64{1}, Steps: 1,
				Plan: arch.Plan{Batch: batch, Coordinates: c}, X: x, Y: y, Solver: func() infer.Solver[float64] { return s }, Stop: stop,
				Optimizer: func(*arch.Network, *graph.Vector[float64]) optim.Optimizer[float64] {
					return &optim.SGD[float64]{Rate: .1}
				},
			}).Run(t.Context())
			return err
		},
		"Query": func(s infer.Solver[float64], c arch.Coordinates) error {
			m := model(arch.Plan{Coordinates: c, FreeInput: c == arch.Activities})
			_, err := (&train.Query[float64]{Model: m, Solver: s, Stop: stop, Site: arch.InputName, Start: &train.Gaussian[float64]{}}).Inputs(y)
			return err
		},
		"PC": func(s infer.Solver[float64], c arch.Coordinates) error { r := pc(s, c); return learn(&r, x, y) },
		"Incremental": func(s infer.Solver[float64], c arch.Coordinates) error {
			return learn(&rules.Incremental[float64]{PC: pc(s, c)}, x, y)
		},
		"MonteCarlo": func(s infer.Solver[float64], c arch.Coordinates) error {
			return learn(&rules.MonteCarlo[float64]{PC: pc(s, c)}, x, y)
		},
		"Nudged": func(s infer.Solver[float64], c arch.Coordinates) error {
			return learn(&rules.Nudged[float64]{PC: pc(s, c), Beta: .5}, x, y)
		},
		"FixedPrediction": func(s infer.Solver[float64], c arch.Coordinates) error {
			return learn(&rules.FixedPrediction[float64]{PC: pc(s, c)}, x, y)
		},
		"Unsupervised": func(s infer.Solver[float64], c arch.Coordinates) error {
			m := model(arch.Plan{Coordinates: c, FreeInput: c == arch.Activities})
			return learn(&rules.Unsupervised[float64]{Model: m, Solver: s, Stop: stop, Start: &train.Gaussian[float64]{}}, y, nil)
		},
		"Hybrid": func(s infer.Solver[float64], c arch.Coordinates) error {
			h := hybrid[float64](t, false, in, 6, 4, out)
			h.Generator, h.Solver, h.Stop = compiled(t, h.Generator.Network(), h.Generator.Weights(), arch.Plan{Batch: batch, Coordinates: c}), s, stop
			return learn(h, y, x)
		},
	}
	// An empty column stands for all.
	cannot := []struct{ door, solver, coordinates, says string }{
		{"FixedPrediction", "", "errors", "FixedPrediction: "},
		{"FixedPrediction", "LBFGS", "activities", "FixedPrediction: a solver of type *infer.LBFGS[float64] searches along an energy"},
		{"FixedPrediction", "Newton", "activities", "FixedPrediction: a solver of type *infer.Newton[float64] searches along an energy"},
		{"Incremental", "Flow", "", "Incremental: a solver of type *infer.Flow[float64] takes gradients of different weights"},
		{"Incremental", "LBFGS", "", "Incremental: a solver of type *infer.LBFGS[float64] takes gradients of different weights"},
		{"Incremental", "Newton", "", "Incremental: a solver of type *infer.Newton[float64] takes gradients of different weights"},
		{"Query", "", "errors", "query: the model is in the coordinates of errors"},
		{"Unsupervised", "", "errors", "unsupervised: the model is in the coordinates of errors"},
		{"Hybrid", "", "errors", "Hybrid: Amortised: guesses are activities"},
		{"", "Newton", "activities", "arch: Newton: a model in the coordinates of activities: compile it in arch.Errors"},
	}
	for door, through := range doors {
		for solver, fresh := range solvers {
			for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
				want := ""
				for _, row := range cannot {
					if (row.door == "" || row.door == door) && (row.solver == "" || row.solver == solver) && (row.coordinates == "" || row.coordinates == c.String()) && want == "" {
						want = row.says
					}
				}
				switch err := through(fresh(), c); {
				case want == "" && err != nil:
					t.Errorf("%s, %s, %v: %v", door, solver, c, err)
				case want != "":
					says(t, door+", "+solver+", "+c.String(), err, want)
				}
			}
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
