package inspect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// InferCmd compares solvers of inference on one batch.
type InferCmd struct {
	cli.OutFlags
	cli.NetFlags
	cli.DataFlags
	Batch    int           `default:"64" help:"Samples in the batch." json:"batch"`
	Horizons []float64     `default:"5,20,50" help:"Times, per sample, at which the flows are read; they end at the last one." json:"horizons"`
	Tols     []float64     `default:"1e-2,1e-3,1e-4" help:"Tolerances of adaptive steps, relative and absolute." json:"tolerances"`
	Rates    []float64     `default:"0.1,0.5" help:"Steps of the flows by Euler and Heun, beside the largest that is stable: several, for they are what is compared. Other commands have one -rate." json:"rates"`
	Evals    int           `default:"300" help:"Evaluations at most, for each solver." json:"evals"`
	Warmup   int           `default:"0" help:"Weight updates by backprop (Adam, rate 0.001) before: inference on a network that has learned." json:"warmup"`
	Clock    time.Duration `default:"400ms" hidden:"" help:"Repeat every solver for so long at least, to time it." json:"-"`
}

// Validate is called by kong.
func (cmd InferCmd) Validate() error {
	for name, list := range map[string][]float64{"horizons": cmd.Horizons, "tols": cmd.Tols, "rates": cmd.Rates} {
		if len(list) == 0 {
			return errors.Errorf("-%s is empty: want one number or more", name)
		}
		for i, v := range list {
			if err := cli.Positive(name, v); err != nil {
				return err
			}
			if name == "horizons" && i > 0 && !(v > list[i-1]) {
				return errors.Errorf("-horizons %v: want ascending times", list)
			}
		}
	}
	return cli.First(cmd.NetFlags.Check(), cmd.DataFlags.Check(), cli.Count("batch", cmd.Batch, 1), cli.Count("evals", cmd.Evals, 10), cli.Count("warmup", cmd.Warmup, 0))
}

// A SolverRun is a solver in the coordinates of activities or of errors, with what its run measured.
type SolverRun struct {
	Name   string
	errors bool // in the coordinates of errors
	solver infer.Solver[float64]
	flow   bool
	kind   figureKind
	look   lineStyle
	Path   []Evaluation
	Runs   int // that the times are medians of
	result infer.Result
}

// A lineStyle is how the line of a solver is drawn: a colour for the method, a dash for its coordinates or its step.
type lineStyle struct{ method, variant int }

// Methods, by colour.
const (
	byDescent = iota
	byMomentum
	byLBFGS
	byAuto
	byNewton
	byEuler
	byHeun
	byTolerance
)

// A figureKind says which pictures a solver is in.
type figureKind int

const (
	mainFigures figureKind = iota // in all
	eulerHeun                     // in that of Heun against Euler alone
	tableOnly
)

// An Evaluation is one evaluation of a solver.
type Evaluation struct {
	step, Evals      int
	time             float64 // of integration
	Seconds          float64
	energy, residual float64
	gap, Off         float64 // F/F* - 1; relative error of the weight gradient, NaN where it was not taken
}

// A benchmark is the network and the batch that the solvers are run on, with the equilibrium that they look for.
type benchmark struct {
	models      [2]*arch.Model[float64] // in activities and in errors
	curvature   [2]float64              // the largest
	best        float64                 // F*, the lowest energy that L-BFGS finds
	exact       float64                 // F* of theory; NaN if the network is not linear
	gradient    []float64               // there
	grad        []float64
	evaluations int           // budget of each solver
	clock       time.Duration // each solver is repeated for so long at least
}

// Run sweeps.
func (cmd InferCmd) Run(c *cli.Console) error {
	return c.Run("infer-"+cmd.Name(), cmd, func(r *cli.RunDir) error { return cmd.measure(c, r) })
}

// measure does the work of Run in a folder.
func (cmd InferCmd) measure(c *cli.Console, out *cli.RunDir) error {
	training, _, err := cmd.Load(c, cmd.Seed, cmd.Widths)
	if err != nil {
		return err
	}
	net, err := cmd.Network(training, cmd.Hidden(training)...)
	if err != nil {
		return err
	}
	m := out.Manifest
	m.Options = cmd // with what the data decide
	if err := out.Used(training); err != nil {
		return err
	}
	a, err := cmd.benchmark(c.Context, net, training)
	if err != nil {
		return err
	}
	c.Printf("%s, scaling %s, %s, batch %d, float64, seed %d\n", cmd.Title(), cmd.Scaling.Name, training.Name, a.models[0].Plan().Batch, cmd.Seed)
	c.Printf("Largest curvature: %.3g by activities, %.3g by errors; energy at equilibrium, by long runs of L-BFGS: F* = %.6g\n\n", a.curvature[0], a.curvature[1], a.best)
	runs := cmd.runs(a)
	for i := range runs {
		if c.Context.Err() != nil {
			runs = runs[:i]
			break
		}
		if err := a.race(c.Context, &runs[i]); err != nil {
			return errors.WithMessage(err, runs[i].Name)
		}
		c.Printf("%2d/%d  %-24s %v\n", i+1, len(runs), runs[i].Name, runs[i].result)
		if err := logPath(out.Folder, runs[i]); err != nil {
			return err
		}
	}
	out.Page = cmd.report(a, runs, training)
	m.Results["fastest"] = Fastest(runs)
	c.Printf("\n")
	for _, t := range out.Page.Tiles {
		c.Printf("%s: %s\n", t.Label, t.Value)
	}
	return nil
}

// benchmark compiles the network in both coordinates over one set of weights and looks for the equilibrium.
func (cmd InferCmd) benchmark(ctx context.Context, net *arch.Network, set *data.Set) (*benchmark, error) {
	w, err := cli.Start[float64](cmd.NetFlags, net, cmd.Seed)
	if err != nil {
		return nil, err
	}
	b, err := study.NewComparison(net, cmd.NetFlags, w, set, cmd.Batch)
	if err != nil {
		return nil, err
	}
	if cmd.Warmup > 0 {
		t := train.Trainer[float64]{Rule: &train.Backprop[float64]{Model: b.BP}, Optimizer: &optim.Adam[float64]{Rate: .001, Spans: train.AdamSpans(net, w)},
			Train: set, Batch: b.Batch, Epochs: cmd.Warmup, MaxSteps: cmd.Warmup, Seed: cmd.Seed}
		if _, err := t.Run(ctx); err != nil {
			return nil, err
		}
	}
	a := &benchmark{evaluations: cmd.Evals, clock: cmd.Clock, best: math.Inf(1), exact: math.NaN(), grad: make([]float64, len(w.Data())), gradient: make([]float64, len(w.Data()))}
	for i, coordinates := range []arch.Coordinates{arch.Activities, arch.Errors} {
		m, err := arch.Compile(net, w, arch.Plan{Batch: b.Batch, Energy: cmd.Energy(cmd.Precision), Coordinates: coordinates})
		if err != nil {
			return nil, err
		}
		if err := m.Clamp(b.X, b.Y); err != nil {
			return nil, err
		}
		a.models[i] = m
	}
	if l, y, ok, err := study.LinearTwin(b.BP, b.X, b.Y, cmd.NetFlags); err != nil {
		return nil, err
	} else if ok {
		eq, err := l.Equilibrium(study.DenseOf(b.X, b.Batch), y)
		if err != nil {
			return nil, err
		}
		a.exact = eq.Energy
	}
	// the equilibrium, from errors and then from activities: the lower one counts
	for i := len(a.models) - 1; i >= 0; i-- {
		m := a.models[i]
		if err := m.Forward(); err != nil {
			return nil, err
		}
		for again := 0; ; again++ { // the curvature at the start and at the end
			c, err := infer.LargestCurvature(train.ProblemOf(m), m.State())
			if err != nil {
				return nil, err
			}
			a.curvature[i] = math.Max(a.curvature[i], c)
			if again == 1 {
				break
			}
			stop := infer.Any{infer.Cancelled{Context: ctx}, infer.Stationary{Tol: 1e-12}, infer.Within(5 * time.Second)}
			if _, err := infer.Run(&infer.LBFGS[float64]{Memory: 20}, train.ProblemOf(m), m.State(), stop, nil); err != nil {
				return nil, err
			}
		}
		if err := a.consider(m); err != nil {
			return nil, err
		}
		if coordinates := m.Plan().Coordinates; coordinates == arch.Activities && cmd.Kinked() {
			if _, err := infer.Subgradient(ctx, train.ProblemOf(m), m.State(), a.curvature[i], func() {}); err != nil {
				return nil, err
			}
			m.StateVector().Touch()
			if err := a.consider(m); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// consider takes the state of a model for the equilibrium if its energy is the lowest so far.
func (a *benchmark) consider(m *arch.Model[float64]) error {
	f, err := m.ParamGrad(a.grad)
	if err == nil && f < a.best {
		a.best = f
		copy(a.gradient, a.grad)
	}
	return err
}

// runs are those that are compared.
func (cmd InferCmd) runs(a *benchmark) []SolverRun {
	horizon := cmd.Horizons[len(cmd.Horizons)-1]
	flow := func(m *ode.Method, c ode.Control) infer.Solver[float64] {
		return &infer.Flow[float64]{Method: m, Control: c, Horizon: horizon, MaxTrials: 1 << 20}
	}
	stable := func(i int) float64 { return 1.8 / a.curvature[i] }
	ball := func(i int) infer.Solver[float64] {
		return &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: 1 / a.curvature[i], Mu: .8}}
	}
	runs := []SolverRun{
		{Name: fmt.Sprintf("descent, rate %.2g", stable(0)), solver: cli.Descent[float64](stable(0)), look: lineStyle{byDescent, 0}},
		{Name: "momentum 0.8", solver: ball(0), look: lineStyle{byMomentum, 0}},
		{Name: "Auto", solver: &infer.Auto[float64]{}, look: lineStyle{byAuto, 0}},
		{Name: "L-BFGS", solver: &infer.LBFGS[float64]{MaxSteps: cmd.Evals}, look: lineStyle{byLBFGS, 0}},
		{Name: "descent on errors", errors: true, solver: cli.Descent[float64](stable(1)), look: lineStyle{byDescent, 1}},
		{Name: "momentum on errors", errors: true, solver: ball(1), kind: tableOnly, look: lineStyle{byMomentum, 1}},
		{Name: "Auto on errors", errors: true, solver: &infer.Auto[float64]{}, look: lineStyle{byAuto, 1}},
		{Name: "L-BFGS on errors", errors: true, solver: &infer.LBFGS[float64]{MaxSteps: cmd.Evals}, look: lineStyle{byLBFGS, 1}},
	}
	if f, err := a.models[1].Newton(make([]float64, len(a.models[1].State())), make([]float64, len(a.models[1].State())), a.models[1].State()); err == nil && f > 0 {
		runs = append(runs, SolverRun{Name: "Gauss-Newton on errors", errors: true, solver: &infer.Newton[float64]{MaxSteps: cmd.Evals}, look: lineStyle{byNewton, 1}})
	}
	for method, m := range []*ode.Method{ode.Euler, ode.Heun} {
		for i, rate := range append(cmd.Rates[:len(cmd.Rates):len(cmd.Rates)], stable(0)) {
			runs = append(runs, SolverRun{Name: fmt.Sprintf("%s, step %.2g", []string{"Euler", "Heun"}[method], rate), flow: true, kind: eulerHeun,
				solver: flow(m, ode.Constant{Step: rate}), look: lineStyle{byEuler + method, i}})
		}
	}
	for i, tol := range cmd.Tols {
		kind := eulerHeun
		if i == (len(cmd.Tols)-1)/2 {
			kind = mainFigures
		}
		runs = append(runs, SolverRun{Name: fmt.Sprintf("Heun, tolerance %g", tol), flow: true, kind: kind, solver: flow(ode.Heun, ode.PID{RTol: tol, ATol: tol}), look: lineStyle{byTolerance, i}})
	}
	for _, tol := range cmd.Tols {
		runs = append(runs, SolverRun{Name: fmt.Sprintf("Tsit5, tolerance %g", tol), flow: true, kind: tableOnly, solver: flow(ode.Tsit5, ode.PID{RTol: tol, ATol: tol})})
	}
	return runs
}

// race runs a solver for its times, with nothing in between, some times as the machine may be busy: the shortest counts; and then
// once for the weight gradients along it.
func (a *benchmark) race(ctx context.Context, w *SolverRun) error {
	m := a.models[0]
	if w.errors {
		m = a.models[1]
	}
	stop := infer.Any{infer.Cancelled{Context: ctx}, evaluations(a.evaluations), infer.Stationary{Tol: 1e-13}, infer.Within(20 * time.Second)}
	at := 0 // evaluations
	again := infer.Any{infer.Cancelled{Context: ctx}, when(func() bool { return at == len(w.Path) })}
	run := func(stop infer.Stop, observe func(infer.Reading)) error {
		if err := m.Forward(); err != nil {
			return err
		}
		var err error
		w.result, err = infer.Run(w.solver, train.ProblemOf(m), m.State(), stop, observe)
		if errors.Is(err, ode.ErrUnderflow) { // a flow at its end: not worse than a limit
			err = nil
		}
		return err
	}
	shown := make(map[int]bool)
	for _, s := range study.Ladder(a.evaluations) {
		shown[s] = true
	}
	var clock [][]float64 // seconds of each run, by evaluation
	for start := time.Now(); w.Runs < fewestRuns || time.Since(start) < a.clock; at = 0 {
		err := run(stop, func(r infer.Reading) {
			if at == len(w.Path) {
				w.Path = append(w.Path, Evaluation{step: r.Step, Evals: r.Evals, time: r.Time, Seconds: math.Inf(1), energy: r.Energy, residual: r.Residual,
					gap: r.Energy/a.best - 1, Off: math.NaN()})
				clock = append(clock, nil)
			}
			clock[at] = append(clock[at], r.Elapsed.Seconds())
			at++
		})
		if err != nil {
			return err
		}
		if w.result.Evals == 0 || ctx.Err() != nil { // cancelled
			break
		}
		w.Runs++
	}
	for i, seconds := range clock {
		slices.Sort(seconds)
		w.Path[i].Seconds = seconds[len(seconds)/2]
	}
	timed := w.result
	at = 0
	var failed error
	err := run(again, func(r infer.Reading) {
		if at < len(w.Path) && (shown[r.Step] || at == len(w.Path)-1 || a.crosses(w.Path, at)) && failed == nil {
			if _, failed = m.ParamGrad(a.grad); failed == nil {
				w.Path[at].Off = analysis.Agree(a.grad, a.gradient).Relative
			}
		}
		at++
	})
	w.result = timed
	return cli.First(err, failed)
}

// crosses reports whether an evaluation is among the first to be as near to the end as a table asks for.
func (a *benchmark) crosses(path []Evaluation, at int) bool {
	for _, g := range gaps {
		if path[at].gap <= g && (at == 0 || path[at-1].gap > g) {
			return true
		}
	}
	return false
}

// when stops when a condition holds.
type when func() bool

var _ infer.Stop = when(nil)

// Done asks.
func (w when) Done(infer.Reading) (infer.Status, bool) { return infer.StepLimit, w() }

// evaluations stops after so many of them.
type evaluations int

var _ infer.Stop = evaluations(0)

// Done compares.
func (b evaluations) Done(r infer.Reading) (infer.Status, bool) {
	return infer.StepLimit, r.Evals >= int(b)
}

// fewestRuns is how often every solver is run at least: times are medians, and of less nothing is called the fastest.
const fewestRuns = 3

// gaps and offs are what the tables ask for: the energy over the equilibrium's, and the error of the weight gradient.
var (
	gaps = []float64{1e-2, 1e-4, 1e-8}
	offs = []float64{.1, .01, 1e-3}
)

// reaches is the first evaluation at which a number is below a bound and stays there.
func (w *SolverRun) reaches(bound float64, number func(Evaluation) float64) (s Evaluation, ok bool) {
	for i := len(w.Path) - 1; i >= 0; i-- {
		v := number(w.Path[i])
		if v != v {
			continue
		}
		if v > bound {
			break
		}
		s, ok = w.Path[i], true
	}
	return s, ok
}

// Fastest names, for each error of the gradient, the solver that has it first on the clock, by the median of at least three runs.
func Fastest(runs []SolverRun) map[string]string {
	best := make(map[string]string)
	for _, off := range offs {
		seconds := math.Inf(1)
		for i := range runs {
			if s, ok := runs[i].reaches(off, func(s Evaluation) float64 { return s.Off }); ok && s.Seconds < seconds && runs[i].Runs >= fewestRuns {
				seconds = s.Seconds
				best[strconv.FormatFloat(off, 'g', -1, 64)] = fmt.Sprintf("%s: %d evaluations, %.2g ms", runs[i].Name, s.Evals, 1e3*s.Seconds)
			}
		}
	}
	return best
}

// An EvaluationLine is one evaluation in metrics.jsonl.
type EvaluationLine struct {
	Kind     string   `json:"kind"` // "inference"
	Way      string   `json:"way"`
	Step     int      `json:"step"`
	Evals    int      `json:"evaluations"`
	Time     float64  `json:"time,omitempty"`
	Energy   float64  `json:"energy"`
	Residual float64  `json:"residual"`
	Gap      float64  `json:"gap"`
	Off      *float64 `json:"gradient_error,omitempty"`
	Seconds  float64  `json:"seconds"`
}

// logPath adds the path of a solver to metrics.jsonl.
func logPath(f *cli.Folder, w SolverRun) error {
	for _, s := range w.Path {
		l := EvaluationLine{"inference", w.Name, s.step, s.Evals, s.time, s.energy, s.residual, s.gap, nil, s.Seconds}
		if !math.IsNaN(s.Off) { // else it was not measured there
			l.Off = &s.Off
		}
		if err := f.Line(l); err != nil {
			return err
		}
	}
	return nil
}

// Choice is what the use of some flags depends on.
func (cmd InferCmd) Choice() cli.Choice { return cli.Choice{Arch: cmd.Kind(), Data: cmd.Data} }
