package jpc

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
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
	Accuracy     float64        `json:"accuracy"`     // on the test set at the end; that of chance if it diverged
	Diverged     int            `json:"diverged"`     // iteration, 0: none
	Evals        claim.Nullable `json:"evals"`        // of an inference, mean
	Milliseconds claim.Nullable `json:"milliseconds"` // of an inference, median, on the machine that did it
	Residual     claim.Nullable `json:"residual"`     // rms of the gradient at the end of inference over that at its start, mean over the last tenth
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
	t := train.Trainer[float32]{
		Rule: &train.PC[float32]{Model: m, Solver: flow[float32](p.solver, p.Horizon)}, Optimizer: &optim.Adam[float32]{Rate: 1e-3},
		Train: examples, Test: test, Batch: batch, DropLast: true, MaxSteps: p.Iterations, Seed: p.Seed, Divergence: train.RecordAndStop,
	}
	var took []time.Duration
	evals, residual, late := 0, 0., 0
	for step, err := range t.Steps(ctx) {
		if err != nil {
			return training{}, err
		}
		r := step.Inference
		took, evals = append(took, r.Elapsed), evals+r.Evals
		if 10*step.Step > 9*p.Iterations {
			residual, late = residual+r.Residual/r.Initial, late+1
		}
		cell.Progress(step.Step, p.Iterations)
	}
	if d := t.History().Diverged; d != nil {
		nan := claim.Nullable(math.NaN())
		return training{Accuracy: .1, Diverged: d.Step, Evals: nan, Milliseconds: nan, Residual: nan}, nil
	}
	slices.Sort(took)
	return training{
		Accuracy:     t.History().Last().Accuracy,
		Evals:        claim.Nullable(float64(evals) / float64(p.Iterations)),
		Milliseconds: claim.Nullable(1e3 * took[len(took)/2].Seconds()),
		Residual:     claim.Nullable(residual / float64(late)),
	}, nil
})

// A trainedFor is the trainings of a runner with one time of inference: one per seed.
type trainedFor struct {
	horizon  float64
	accuracy map[uint64]float64 // by seed
	evals    float64            // of an inference, mean
}

func (s trainedFor) estimate() claim.Estimate { return claim.Paired(s.accuracy, zero(s.accuracy)) }

// zero has the keys of m, and zeros.
func zero(m map[uint64]float64) map[uint64]float64 {
	z := map[uint64]float64{}
	for k := range m {
		z[k] = 0
	}
	return z
}

// byRunner are the trainings of a table by solver and depth, with the time of inference ascending.
func byRunner(t claim.Table) (by map[runner][]trainedFor, order []runner) {
	by = map[runner][]trainedFor{}
	for _, r := range claim.Rows[trained, training](t) {
		k := runner{r.Params.solver, r.Params.Hidden}
		if by[k] == nil {
			order = append(order, k)
		}
		i := slices.IndexFunc(by[k], func(s trainedFor) bool { return s.horizon == r.Params.Horizon })
		if i < 0 {
			i = len(by[k])
			by[k] = append(by[k], trainedFor{horizon: r.Params.Horizon, accuracy: map[uint64]float64{}})
		}
		s := &by[k][i]
		s.accuracy[r.Params.Seed] = r.Result.Accuracy
		s.evals += (float64(r.Result.Evals) - s.evals) / float64(len(s.accuracy))
	}
	for _, k := range order {
		slices.SortFunc(by[k], func(a, b trainedFor) int { return cmp.Compare(a.horizon, b.horizon) })
	}
	return by, order
}

// best is the trainedFor with the best mean accuracy, nil of none.
func best(list []trainedFor) *trainedFor {
	var b *trainedFor
	for i := range list {
		if b == nil || list[i].estimate().Mean > b.estimate().Mean {
			b = &list[i]
		}
	}
	return b
}

// needs is the least time within a point of the best accuracy, 0 of none.
func needs(list []trainedFor) float64 {
	top := best(list)
	for _, s := range list {
		if s.estimate().Mean > top.estimate().Mean-.01 {
			return s.horizon
		}
	}
	return 0
}

// scatter is the standard deviation of a training's accuracy as two trainings tell it that differ in nothing but the integrator:
// Heun's and Euler's with the shortest steps, at the same depths and times, which follow the same flow. It is what there is
// with one seed, and errs to the large side by what Euler's steps do.
func scatter(by map[runner][]trainedFor, order []runner) float64 {
	var squares []float64
	shortest := math.Inf(1)
	for _, k := range order {
		if k.Method == Euler {
			shortest = min(shortest, k.Step)
		}
	}
	for _, k := range order {
		if k.Method != Euler || k.Step != shortest {
			continue
		}
		for _, s := range by[k] {
			for _, h := range by[runner{solver{Heun, 0}, k.hidden}] {
				if d := claim.Paired(s.accuracy, h.accuracy); h.horizon == s.horizon && d.N > 0 {
					squares = append(squares, d.Mean*d.Mean/2)
				}
			}
		}
	}
	return math.Sqrt(claim.Mean(squares...).Mean)
}

func trainClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "jpc/accuracy-needs-time",
		Source:    paper + ", accuracy against inference time; settings from the released code",
		Statement: "Accuracy grows with the time of inference until it saturates, and deeper networks need more of it.",
		Paper:     "best T: 20 at H = 3, 50 at H = 5, 200 at H = 10",
		Grid:      trainings,
		Bounds: []claim.Bound{
			{Text: "with adaptive Heun, and with Euler's steps of .5, the least T within a point of the best accuracy grows from each depth to the next", Origin: claim.Paper,
				Note: "best times; that a point counts as the same is ours, commit 4431ba9, before measuring; that the times grow strictly, and with Euler too, was added after"},
			{Text: "at the T that suffices the shallower network, the deeper one is short of its best by more than three standard deviations of a difference of two trainings", Origin: claim.After,
				Note: "one seed: the deviation is that of Heun against Euler's shortest steps at equal T; added so that the sentence is held against a scatter"},
			{Text: "at the deepest the longest T is at least 2 points better than the shortest", Origin: claim.Before, Commit: "4431ba9"},
		},
		Check:   accuracyNeedsTime,
		Verdict: claim.WithCare,
		Care: claim.Constant("One seed. The scatter that it is held against is that of two integrators of the same flow, not of seeds, and accuracies beyond the T that suffices differ by less than it, " +
			"so that where the best T is, as the paper names it, is not known better than from where on accuracy is within a point of it."),
		Plot: timeFigure,
	}, {
		ID:        "jpc/solver-does-not-matter",
		Source:    paper + ", best accuracies of Euler and Heun; settings from the released code",
		Statement: "At the time of inference that suits each best, Euler and Heun train to the same accuracy.",
		Paper:     "best curves of both lie on each other",
		Grid:      trainings,
		Bounds: []claim.Bound{
			{Text: "at the best T of each, Euler, with steps of .5 and of 20, is within 1.5 points of adaptive Heun to either side", Origin: claim.After, Commit: "6a83f3e",
				Note: "set in the commit that recorded the measurement; before, it was 3 points at the same T. It is not less than the scatter of two trainings, which one seed cannot give better than by the difference of two integrators"},
			{Text: "the best of Euler with steps of .5 less the best of Heun is within half a point, the 95 % interval over depths included", Origin: claim.After, Note: "half a point is what curves that lie on each other show; added so that the difference is held against its own scatter, over depths for want of seeds"},
			{Text: "at equal T Euler with steps of .5 and Heun are apart, rms, by less than a third of what accuracies vary by with T and depth", Origin: claim.After, Note: "they follow the same flow; added so that the curves are compared, not their best points alone"},
		},
		Check:   solversAgree,
		Verdict: claim.WithCare,
		Care:    solverCare,
		Plot:    workFigure,
	}}
}

// accuracyNeedsTime is the check of jpc/accuracy-needs-time.
func accuracyNeedsTime(t claim.Table) (string, error) {
	by, order := byRunner(t)
	var off claim.Off
	var words []string
	sd := scatter(by, order)
	for _, v := range []solver{{Heun, 0}, {Euler, .5}} {
		var shallower *runner
		for _, k := range order {
			list := by[k]
			if k.solver != v || len(list) < 2 {
				continue
			}
			top, need := best(list), needs(list)
			if v.Step == 0 {
				words = append(words, fmt.Sprintf("H = %d: %.1f %% at T = %g, %.1f %% at T = %g, the best; within a point of it from T = %g",
					k.hidden, 100*list[0].estimate().Mean, list[0].horizon, 100*top.estimate().Mean, top.horizon, need))
			}
			if shallower != nil {
				before := needs(by[*shallower])
				if need < before || need == before && t.Scale == claim.Full {
					off.Add("%s: H=%d needs T=%g, H=%d T=%g", v, k.hidden, need, shallower.hidden, before)
				}
				for _, s := range list {
					if short := top.estimate().Mean - s.estimate().Mean; s.horizon == before && t.Scale == claim.Full && !(short > 3*math.Sqrt2*sd) {
						off.Add("%s: H=%d: at T=%g, which suffices H=%d, %.1f points short of the best: want %.1f", v, k.hidden, before, shallower.hidden, 100*short, 300*math.Sqrt2*sd)
					}
				}
			}
			shallower = &k
		}
		if shallower == nil {
			continue
		}
		list := by[*shallower]
		if list[0].estimate().Mean > list[len(list)-1].estimate().Mean-.02 {
			off.Add("%s: H=%d: long inference gains nothing", v, shallower.hidden)
		}
	}
	return fmt.Sprintf("%s; standard deviation of a training by two integrators %.2g points", strings.Join(words, "; "), 100*sd), off.Err()
}

// timeFigure is the figure of jpc/accuracy-needs-time.
func timeFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "accuracy against time of inference", X: claim.Axis{Label: "T, the paper's time"}}
	return trainFigure(t, "jpc-train", p, func(s trainedFor) float64 { return s.horizon })
}

// solversAgree is the check of jpc/solver-does-not-matter.
func solversAgree(t claim.Table) (string, error) {
	by, order := byRunner(t)
	var off claim.Off
	var words []string
	var short []float64
	for _, k := range order {
		heun, other := best(by[runner{solver{Heun, 0}, k.hidden}]), best(by[k])
		if heun == nil || other == nil {
			continue
		}
		said := fmt.Sprintf("H = %d, %s, T = %g: %s %%", k.hidden, k.solver, other.horizon, claim.Points(other.estimate()))
		if k.solver != (solver{Heun, 0}) {
			d := claim.Paired(other.accuracy, heun.accuracy)
			said += fmt.Sprintf(" (%s against Heun)", claim.Points(d))
			if most := map[claim.Scale]float64{claim.Quick: .05, claim.Full: .015}[t.Scale]; !(math.Abs(d.Mean) <= most) {
				off.Add("H=%d: %s less Heun %s points: want %.2g at most", k.hidden, k.solver, claim.Points(d), 100*most)
			}
			if k.Step == .5 {
				short = append(short, d.Mean)
			}
		}
		words = append(words, said)
	}
	said := "at best " + strings.Join(words, "; ")
	if d := claim.Mean(short...); d.N > 1 {
		said += fmt.Sprintf("; Euler's short steps less Heun over depths %s points", claim.Points(d))
		if math.Abs(d.Mean)+d.Margin() > .005 {
			off.Add("over depths Euler with short steps less Heun is %s points, 95 %% interval +- %.2g: want .5 at most", claim.Points(d), 100*d.Margin())
		}
	}
	var all []float64
	for _, k := range order {
		for _, s := range by[k] {
			if k.solver == (solver{Heun, 0}) {
				all = append(all, s.estimate().Mean)
			}
		}
	}
	e := claim.Mean(all...)
	apart, varies := math.Sqrt2*scatter(by, order), e.Err*math.Sqrt(float64(e.N))
	if t.Scale == claim.Full && !(apart < varies/3) {
		off.Add("at equal T Heun and Euler with short steps are %.2g points apart (rms), Heun's accuracies vary by %.2g", 100*apart, 100*varies)
	}
	return fmt.Sprintf("%s; at equal T they are %.2g points apart (rms)", said, 100*apart), off.Err()
}

// solverCare is the care of jpc/solver-does-not-matter.
func solverCare(t claim.Table) string {
	by, order := byRunner(t)
	var apart [2]float64 // of long steps, of short ones
	var where [2]string
	for _, k := range order {
		for _, s := range by[k] {
			for _, h := range by[runner{solver{Heun, 0}, k.hidden}] {
				i := 0
				if k.Step < 20 {
					i = 1
				}
				if d := math.Abs(claim.Paired(s.accuracy, h.accuracy).Mean); h.horizon == s.horizon && d > apart[i] {
					apart[i], where[i] = d, fmt.Sprintf("H = %d, T = %g", k.hidden, s.horizon)
				}
			}
		}
	}
	return fmt.Sprintf("At its best time, not at the same time: Euler with steps of 20 is up to %.1f points apart from Heun (%s) where it makes fewer steps than there are layers, for the error does not come to "+
		"the first ones, and where it is not stable. Short steps are up to %.1f points apart from Heun (%s). One seed.", 100*apart[0], where[0], 100*apart[1], where[1])
}

// workFigure is the figure of jpc/solver-does-not-matter.
func workFigure(t claim.Table) []claim.Figure {
	p := claim.Panel{Title: "accuracy against work", X: claim.Axis{Label: "evaluations of an inference"}}
	return trainFigure(t, "jpc-train-work", p, func(s trainedFor) float64 { return s.evals })
}

// trainFigure shows mean accuracy against something.
func trainFigure(t claim.Table, name string, p claim.Panel, x func(trainedFor) float64) []claim.Figure {
	by, order := byRunner(t)
	if len(order) == 0 {
		return nil
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
		for _, s := range by[k] {
			l.X, l.Y = append(l.X, x(s)), append(l.Y, s.estimate().Mean)
		}
		p.Lines = append(p.Lines, l)
	}
	rows := claim.Rows[trained, training](t)
	return []claim.Figure{{Name: name, Caption: fmt.Sprintf("Tanh networks on MNIST, N = %d, %d iterations, one seed.", rows[0].Params.Width, rows[0].Params.Iterations), Panels: []claim.Panel{p}}}
}
