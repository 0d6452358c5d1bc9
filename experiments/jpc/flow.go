package jpc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// A path is the flow of the activities of a linear network at initialisation, on random data, with a fixed step.
type path struct {
	Method Method  `json:"method"`
	Step   float64 `json:"step"` // per sample, unlike that of a solver
	Hidden int     `json:"hidden"`
	Width  int     `json:"width"`
	Seed   uint64  `json:"seed"`
}

// Cost is the number of evaluations up to the longest time.
func (p path) Cost() float64 { return float64(len(p.Method.tableau().B)) / p.Step }

// A descent is how the energy fell along a path.
type descent struct {
	LossRatio float64          `json:"loss_ratio"` // loss of the feedforward pass / F*
	Error     claim.Nullable   `json:"error"`      // distance from the exact flow at time 20, over the distance from its start
	Evals     int              `json:"evals"`      // up to time 20
	Lowest    claim.Nullable   `json:"lowest"`     // least F - F* at any time; never negative
	Times     []float64        `json:"times"`
	Gap       []claim.Nullable `json:"gap"` // F/F* - 1
}

// times are per sample.
var times = []float64{0, .5, 1, 2, 5, 10, 20, 50}

// at is the time at which integrators are compared.
const at = 20

var paths = claim.Grid("jpc/flow", 1, func(s claim.Scale) []path {
	steps := []float64{.5, .25, .125, .0625}
	if s == claim.Quick {
		steps = steps[:2]
	}
	var grid []path
	for _, m := range []Method{Euler, Heun, RK4} {
		for _, step := range steps {
			if m != RK4 || step >= .25 { // beyond which float64 rounds
				grid = append(grid, path{m, step, 10, 64, 1})
			}
		}
	}
	for seed := range uint64(4) { // for the mean
		grid = append(grid, path{Heun, .25, 10, 64, seed + 2})
	}
	return grid
}, func(ctx context.Context, p path, _ *claim.Cell) (descent, error) {
	const in, out = 784, 10
	net, w, err := network[float64](layers.LinearAct, p.Hidden, p.Width, p.Seed, in, out)
	if err != nil {
		return descent{}, err
	}
	rng := generator(p.Seed + 1000)
	x, y := make([]float64, batch*in), make([]float64, batch*out)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	for i := range batch {
		y[i*out+rng.IntN(out)] = 1
	}
	pass, equilibrium, err := closedForm(w, p.Hidden, p.Width, x, y)
	if err != nil {
		return descent{}, err
	}
	m, err := arch.Compile(net, w, arch.Plan{Batch: batch})
	if err != nil {
		return descent{}, err
	}
	if err := m.Clamp(x, y); err != nil {
		return descent{}, err
	}
	if err := m.Forward(); err != nil {
		return descent{}, err
	}
	start := append([]float64(nil), m.State()...)
	d := descent{LossRatio: pass.Loss / equilibrium.Energy, Times: times, Lowest: claim.Nullable(math.Inf(1))}
	field := func(dst, z []float64) error {
		_, err := m.StateGrad(dst, z)
		for i := range dst {
			dst[i] = -dst[i]
		}
		return err
	}
	exact := append([]float64(nil), start...)
	if err := ode.Integrate(field, exact, at, ode.Dopri8, ode.PID{RTol: 1e-11, ATol: 1e-13}, nil); err != nil {
		return descent{}, err
	}
	f := &infer.Flow[float64]{Method: p.Method.tableau(), Control: ode.Constant{Step: p.Step}, Horizon: times[len(times)-1]}
	problem := train.ProblemOf(m)
	z := append([]float64(nil), start...)
	next := 0
	_, err = infer.Run(f, problem, z, nil, func(r infer.Reading) {
		d.Lowest = min(d.Lowest, claim.Nullable(r.Energy-equilibrium.Energy))
		if next < len(times) && r.Time > times[next]-1e-9 {
			d.Gap = append(d.Gap, claim.Nullable(r.Energy/equilibrium.Energy-1))
			if times[next] == at {
				d.Error, d.Evals = claim.Nullable(distance(z, exact)/distance(exact, start)), r.Evals-1
			}
			next++
		}
	})
	if err == nil {
		err = ctx.Err()
	}
	return d, err
})

func distance(a, b []float64) float64 {
	sum := 0.
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum)
}

// closedForm is both ends of inference of a linear network with these weights.
func closedForm[T graph.Float](w *graph.Vector[T], hidden, width int, x, y []T) (*theory.Pass, *theory.Equilibrium, error) {
	in, out := len(x)/batch, len(y)/batch
	net, err := theory.Spec{Scaling: theory.SP, Inputs: in, Width: width, Outputs: out, Depth: hidden + 1}.Sample(generator(0))
	if err != nil {
		return nil, nil, err
	}
	for i, m := range net.Weights {
		copied(m, w.Field(w.Fields()[i].Name))
	}
	xs, ys := mat.NewDense(batch, in, nil), mat.NewDense(batch, out, nil)
	copied(xs, x)
	copied(ys, y)
	pass, err := net.Feedforward(xs, ys)
	if err != nil {
		return nil, nil, err
	}
	equilibrium, err := net.Equilibrium(xs, ys)
	return pass, equilibrium, err
}

// copied writes numbers over a matrix.
func copied[T graph.Float](m *mat.Dense, from []T) {
	for i, v := range from {
		m.RawMatrix().Data[i] = float64(v)
	}
}

// gaps are F/F* - 1 at the times for linear networks of H = 10, N = 64 by an independent program, numpy in float64, one
// draw.
var gaps = []float64{.460, .19, .101, .043, 9.1e-3, 1.6e-3, 9.7e-5}

// errorsByStep are the errors of a method at time 20 by step, of the first seed.
func errorsByStep(t claim.Table, m Method) map[float64]claim.Estimate {
	rows := claim.Where[path, descent](t, func(p path) bool { return p.Method == m && p.Seed == 1 })
	return claim.By(rows, func(p path) float64 { return p.Step }, func(d descent) float64 { return float64(d.Error) })
}

func flowClaims() []claim.Claim {
	return []claim.Claim{{
		ID:        "jpc/flow-reaches-equilibrium",
		Source:    paper + ", inference as a gradient flow; our reading of the released code",
		Statement: "Along the flow of the activities a linear network's energy falls to the closed form of the equilibrated energy and never below it.",
		Paper:     "none; an independent program in numpy, one draw: F/F* - 1 = .46, .19, .10, .043, .0091, .0016, .0001 at times 0, .5, 1, 2, 5, 10, 20 per sample",
		Grid:      paths,
		Bounds: []claim.Bound{
			{Text: "F/F* - 1 falls from each time to the next, is never below -1e-9, and is below 1e-5 at time 50", Origin: claim.Derived, Note: "the energy falls along its own flow and is convex in linear networks"},
			{Text: "the mean over draws is within 10 % of the program's up to time 2, within 20, 30 and 50 % at 5, 10 and 20, where the slowest directions of a draw decide", Origin: claim.Independent,
				Note: "numpy in float64, one draw"},
		},
		Shuffled: "all cells are flows of networks of one kind, which do the same in every draw and with every step: the sentence says nothing of a difference between cells",
		Check:    flowFallsToEquilibrium,
		Plot:     flowFigure,
	}, {
		ID:        "jpc/orders",
		Source:    paper + ": our test of its solvers' premise",
		Statement: "On inference Heun's method is of second order, Euler's of first.",
		Paper:     "Heun's method is of second order",
		Grid:      paths,
		Bounds: []claim.Bound{
			{Text: "the slope of the error over the two shortest steps, both logarithmic, is within .1 of 1 for Euler and of 2 for Heun", Origin: claim.Derived, Note: "the methods' orders; higher terms at these steps give some .01"},
		},
		Check: methodsHaveTheirOrders,
	}}
}

// flowFallsToEquilibrium is the check of jpc/flow-reaches-equilibrium.
func flowFallsToEquilibrium(t claim.Table) (string, error) {
	rows := claim.Rows[path, descent](t)
	var off claim.Off
	sums := make([][]float64, len(times))
	for _, r := range rows {
		p, d := r.Params, r.Result
		if len(d.Gap) != len(times) {
			off.Add("%s %g: %d of %d times", p.Method, p.Step, len(d.Gap), len(times))
			continue
		}
		if !(d.Lowest >= -1e-9) {
			off.Add("%s %g: F - F* = %.3g", p.Method, p.Step, d.Lowest)
		}
		for i, g := range d.Gap[1:] {
			if !(g < d.Gap[i]) && d.Gap[i] > 1e-12 {
				off.Add("%s %g: F/F*-1 is %.3g at time %g and %.3g at %g", p.Method, p.Step, d.Gap[i], times[i], g, times[i+1])
			}
		}
		if !(d.Gap[len(times)-1] < 1e-5) {
			off.Add("%s %g: F/F*-1 is %.3g in the end", p.Method, p.Step, d.Gap[len(times)-1])
		}
		if p.Method == Heun && p.Step == .25 {
			for i, g := range d.Gap {
				sums[i] = append(sums[i], float64(g))
			}
		}
	}
	var words []string
	for i, s := range sums {
		mean := claim.Mean(s...).Mean
		words = append(words, fmt.Sprintf("%.2g", mean))
		// late gaps are those of the slowest directions of a draw
		if tolerance := []float64{.1, .1, .1, .1, .2, .3, .5}; i < len(gaps) && math.Abs(mean/gaps[i]-1) > tolerance[i] {
			off.Add("time %g: F/F*-1 is %.3g: want %.3g", times[i], mean, gaps[i])
		}
	}
	return fmt.Sprintf("F/F* - 1 = %s at times %v", strings.Join(words, ", "), times), off.Err()
}

// flowFigure is the figure of jpc/flow-reaches-equilibrium.
func flowFigure(t claim.Table) []claim.Figure {
	rows := claim.Rows[path, descent](t)
	p := claim.Panel{Title: "energy along the flow", X: claim.Axis{Label: "time per sample (the paper's is 64 times that)", Log: true}, Y: claim.Axis{Label: "F/F* - 1", Log: true}}
	for _, r := range rows {
		if r.Params.Seed == 1 && r.Params.Step == .5 {
			l := claim.Line{Name: fmt.Sprintf("%s, step %g", r.Params.Method, r.Params.Step), Points: true}
			for i, g := range r.Result.Gap {
				if times[i] > 0 {
					l.X, l.Y = append(l.X, times[i]), append(l.Y, float64(g))
				}
			}
			p.Lines = append(p.Lines, l)
		}
	}
	q := claim.Panel{Title: "error of the integrator at time 20", X: claim.Axis{Label: "evaluations", Log: true}, Y: claim.Axis{Label: "relative error of the activities", Log: true}}
	for i, m := range []Method{Euler, Heun, RK4} {
		errs := errorsByStep(t, m)
		l := claim.Line{Name: string(m), Points: true, Series: i + 1}
		for _, step := range claim.Keys(errs) {
			l.X, l.Y = append(l.X, at/step*float64(len(m.tableau().B))), append(l.Y, errs[step].Mean)
		}
		q.Lines = append(q.Lines, l)
	}
	return []claim.Figure{{Name: "jpc-flow", Caption: "Error: distance from the exact flow over the distance it has come. Linear networks of the standard parametrisation at initialisation, H = 10, N = 64, float64.", Panels: []claim.Panel{p, q}}}
}

// methodsHaveTheirOrders is the check of jpc/orders.
func methodsHaveTheirOrders(t claim.Table) (string, error) {
	var off claim.Off
	var words []string
	for m, order := range map[Method]float64{Euler: 1, Heun: 2} {
		errs := errorsByStep(t, m)
		steps := claim.Keys(errs)
		if len(steps) < 2 {
			continue // not measured yet
		}
		slope := math.Log(errs[steps[1]].Mean/errs[steps[0]].Mean) / math.Log(steps[1]/steps[0])
		words = append(words, fmt.Sprintf("%s %.2f", m, slope))
		if math.Abs(slope-order) > .1 {
			off.Add("%s: order %.3f: want %g", m, slope, order)
		}
	}
	slices.Sort(words)
	return "measured orders: " + strings.Join(words, ", "), off.Err()
}
