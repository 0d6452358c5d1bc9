package jpc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A trained is a tanh network trained on MNIST with a solver and a horizon.
type trained struct {
	solver
	Horizon    float64 `json:"horizon"` // the paper's time
	Hidden     int     `json:"hidden"`
	Width      int     `json:"width"`
	Iterations int     `json:"iterations"`
	Test       int     `json:"test"`
	Seed       uint64  `json:"seed"`
}

// Cost is that of the evaluations.
func (t trained) Cost() float64 {
	evals := 6 + t.Horizon/10
	if t.Step > 0 {
		evals = t.Horizon / t.Step
	}
	return float64(t.Iterations) * (5 + evals) * float64(t.Hidden*t.Width*t.Width)
}

// A training is what it came to.
type training struct {
	Accuracy     float64     `json:"accuracy"`     // on the test set at the end; that of chance if it diverged
	Diverged     int         `json:"diverged"`     // iteration, 0: none
	Evals        claim.Float `json:"evals"`        // of an inference, mean
	Milliseconds claim.Float `json:"milliseconds"` // of an inference, median, on the machine that did it
	Residual     claim.Float `json:"residual"`     // rms of the gradient at the end of inference over that at its start, mean over the last tenth
}

// settings are the solvers of the claims on training: the paper's steps below .5 lead the same way in more of them.
var settings = []solver{{Euler, .5}, {Euler, 20}, {Heun, 0}}

var trainings = claim.Grid("jpc/train", 1, func(s claim.Scale) []trained {
	base := trained{Width: 300, Iterations: 300, Test: 10000, Seed: 1}
	hidden, horizons, solvers := []int{3, 5, 10}, []float64{5, 10, 20, 50, 100, 200, 500}, settings
	if s == claim.Quick {
		base.Width, base.Iterations, base.Test = 64, 50, 2000
		hidden, horizons, solvers = []int{3, 8}, []float64{10, 200}, []solver{{Euler, 2}, {Euler, 20}, {Heun, 0}}
	}
	var grid []trained
	for _, h := range hidden {
		for _, horizon := range horizons {
			for _, v := range solvers {
				t := base
				t.solver, t.Horizon, t.Hidden = v, horizon, h
				if t.Step > horizon || t.Step == .5 && horizon > 200 {
					continue // the paper's figures end there, too
				}
				grid = append(grid, t)
			}
		}
	}
	return grid
}, func(ctx context.Context, p trained, cell *claim.Cell) (training, error) {
	sets, err := mnist()
	if err != nil {
		return training{}, err
	}
	examples, test := sets[0], sets[1].Slice(0, p.Test)
	net, w, err := network[float32](layers.Tanh, p.Hidden, p.Width, p.Seed, examples.In(), examples.Out())
	if err != nil {
		return training{}, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: batch})
	if err != nil {
		return training{}, err
	}
	update := train.Update[float32]{Optimizer: &optim.Adam[float32]{Rate: 1e-3}}
	grad := make([]float32, len(w.Data()))
	x, y := make([]float32, batch*examples.In()), make([]float32, batch*examples.Out())
	run, problem := flow[float32](p.solver, p.Horizon), infer.Problem[float32]{Energy: m.StateGrad}
	r := training{Accuracy: .1}
	var took []time.Duration
	evals, residual, late := 0, 0., 0
	order := data.Batches{N: examples.Len(), Size: batch, Seed: p.Seed, DropLast: true}
	for step, idx := range order.Epoch(0, 0) {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if step == p.Iterations {
			break
		}
		data.Fill(examples, x, y, idx)
		if err := m.Clamp(x, y); err != nil {
			return r, err
		}
		if err := m.Forward(); err != nil {
			return r, err
		}
		start := time.Now()
		result, err := infer.Run(run, problem, m.State(), nil, nil)
		if err != nil {
			return r, err
		}
		took = append(took, time.Since(start))
		evals += result.Evals
		if 10*(step+1) > 9*p.Iterations {
			residual, late = residual+result.Residual/result.Initial, late+1
		}
		f, err := m.ParamGrad(grad)
		if err != nil {
			return r, err
		}
		if result.Status == infer.Diverged || f-f != 0 || !update.Finite(grad) {
			nan := claim.Float(math.NaN())
			r.Diverged, r.Evals, r.Milliseconds, r.Residual = step+1, nan, nan, nan
			return r, nil
		}
		update.Step(w, grad)
		cell.Progress(step+1, p.Iterations)
	}
	slices.Sort(took)
	r.Milliseconds = claim.Float(1e3 * took[len(took)/2].Seconds())
	r.Evals, r.Residual = claim.Float(float64(evals)/float64(p.Iterations)), claim.Float(residual/float64(late))
	score, err := train.Evaluate(m.Predict, test)
	r.Accuracy = score.Accuracy
	return r, err
})

// A lane is a solver at a depth.
type lane struct {
	solver
	hidden int
}

// lanes are the trainings of a table by solver and depth, with the horizon ascending.
func lanes(t claim.Table) (map[lane][]claim.Row[trained, training], []lane, error) {
	rows, err := claim.Rows[trained, training](t)
	by := map[lane][]claim.Row[trained, training]{}
	var order []lane
	for _, r := range rows {
		k := lane{r.Params.solver, r.Params.Hidden}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], r)
	}
	return by, order, err
}

func trainClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "jpc/accuracy-needs-time",
		Source:    paper + ", accuracy against inference time; settings from the released code",
		Statement: "Accuracy grows with the time of inference until it saturates, and deeper networks need more of it.",
		Paper:     "best T: 20 at H = 3, 50 at H = 5, 200 at H = 10",
		Grid:      trainings,
		Check: func(t claim.Table) (string, error) {
			by, order, err := lanes(t)
			if err != nil {
				return "", err
			}
			var off offs
			var words []string
			need := map[int]float64{}
			for _, k := range order {
				if k.solver != (solver{Heun, 0}) {
					continue
				}
				rows := by[k]
				best := 0.
				for _, r := range rows {
					best = max(best, r.Result.Accuracy)
				}
				i := slices.IndexFunc(rows, func(r claim.Row[trained, training]) bool { return r.Result.Accuracy > best-.01 })
				need[k.hidden] = rows[i].Params.Horizon
				words = append(words, fmt.Sprintf("H = %d: %.1f %% at T = %g, %.1f %% at best, within a point of it from T = %g",
					k.hidden, 100*rows[0].Result.Accuracy, rows[0].Params.Horizon, 100*best, need[k.hidden]))
			}
			if len(need) == 0 {
				return "not measured yet", nil
			}
			var hs []int
			for h := range need {
				hs = append(hs, h)
			}
			slices.Sort(hs)
			for i, h := range hs[1:] {
				if need[h] < need[hs[i]] {
					off.add("H=%d needs T=%g, H=%d T=%g", h, need[h], hs[i], need[hs[i]])
				}
			}
			deepest := by[lane{solver{Heun, 0}, hs[len(hs)-1]}]
			if deepest[0].Result.Accuracy > deepest[len(deepest)-1].Result.Accuracy-.02 {
				off.add("H=%d: long inference gains nothing", hs[len(hs)-1])
			}
			return strings.Join(words, "; "), off.err()
		},
		Plot: func(t claim.Table) ([]claim.Figure, error) {
			p := claim.Panel{Title: "accuracy against time of inference", X: claim.Axis{Label: "T, the paper's time"}}
			return trainFigure(t, "jpc-train", p, func(r claim.Row[trained, training]) float64 { return r.Params.Horizon })
		},
	}, {
		ID:        "jpc/solver-does-not-matter",
		Source:    paper + ", best accuracies of Euler and Heun; settings from the released code",
		Statement: "At the time of inference that suits each best, Euler and Heun train to the same accuracy.",
		Paper:     "best curves of both lie on each other",
		Grid:      trainings,
		Check: func(t claim.Table) (string, error) {
			by, order, err := lanes(t)
			if err != nil {
				return "", err
			}
			var off offs
			var words []string
			apart := 0. // at the same time
			for _, k := range order {
				heun := by[lane{solver{Heun, 0}, k.hidden}]
				best, bestHeun := 0., 0.
				for _, r := range by[k] {
					best = max(best, r.Result.Accuracy)
					for _, h := range heun {
						if h.Params.Horizon == r.Params.Horizon {
							apart = max(apart, math.Abs(h.Result.Accuracy-r.Result.Accuracy))
						}
					}
				}
				for _, h := range heun {
					bestHeun = max(bestHeun, h.Result.Accuracy)
				}
				words = append(words, fmt.Sprintf("H = %d, %s %.1f %%", k.hidden, k.solver, 100*best))
				if len(heun) > 0 && math.Abs(best-bestHeun) > map[claim.Scale]float64{claim.Quick: .05, claim.Full: .015}[t.Scale] {
					off.add("H=%d: %s %.1f %%, Heun %.1f %%", k.hidden, k.solver, 100*best, 100*bestHeun)
				}
			}
			return fmt.Sprintf("at best %s; at the same time up to %.1f points apart", strings.Join(words, ", "), 100*apart), off.err()
		},
		Verdict: claim.WithCare,
		Care: "At its best time, not at the same time: Euler with steps of 20 loses many points where it makes fewer steps than there are layers, for the error does not come to " +
			"the first ones, and where it is not stable (H = 5, T = 500: the gradient grows). Short steps and Heun differ by 3.6 points at H = 5, T = 10, and by 1.2 or less elsewhere.",
		Plot: func(t claim.Table) ([]claim.Figure, error) {
			p := claim.Panel{Title: "accuracy against work", X: claim.Axis{Label: "evaluations of an inference"}}
			return trainFigure(t, "jpc-train-work", p, func(r claim.Row[trained, training]) float64 { return float64(r.Result.Evals) })
		},
	}}
}

// trainFigure shows accuracy against something.
func trainFigure(t claim.Table, name string, p claim.Panel, x func(claim.Row[trained, training]) float64) ([]claim.Figure, error) {
	by, order, err := lanes(t)
	if err != nil {
		return nil, err
	}
	p.X.Log, p.Y = true, claim.Axis{Label: "test accuracy"}
	colours, dash := map[int]int{}, map[solver]int{}
	for _, k := range order {
		if _, ok := colours[k.hidden]; !ok {
			colours[k.hidden] = len(colours) + 1
		}
		if _, ok := dash[k.solver]; !ok {
			dash[k.solver] = len(dash)
		}
		l := claim.Line{Name: fmt.Sprintf("H = %d, %s", k.hidden, k.solver), Series: colours[k.hidden], Dash: dash[k.solver], Points: true}
		for _, r := range by[k] {
			l.X, l.Y = append(l.X, x(r)), append(l.Y, r.Result.Accuracy)
		}
		p.Lines = append(p.Lines, l)
	}
	rows, err := claim.Rows[trained, training](t)
	if err != nil {
		return nil, err
	}
	return []claim.Figure{{Name: name, Caption: fmt.Sprintf("Tanh networks on MNIST, N = %d, %d iterations, one seed.", rows[0].Params.Width, rows[0].Params.Iterations), Panels: []claim.Panel{p}}}, nil
}
