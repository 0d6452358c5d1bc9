package pcgraph_test

import (
	"fmt"
	"github.com/pcgraph/pcgraph/internal/reference"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
)

// flowTol is relative to the largest number of an array. What rounding does beyond it is measured, see flowSpread.
const flowTol = 1e-9

var flowMethods = map[string]*ode.Method{
	"euler": ode.Euler, "heun": ode.Heun, "midpoint": ode.Midpoint, "ralston": ode.Ralston, "bosh3": ode.Bosh3,
	"rk4": ode.RK4, "tsit5": ode.Tsit5, "dopri5": ode.Dopri5, "dopri8": ode.Dopri8,
}

// unchosenStep is the first step of the cases that leave dt0 open. JPC documents Hairer's choice for that, but its release
// of diffrax finds the field wrapped, takes it for a stochastic one and falls back to this constant. Hairer's rule is
// checked against an independent computation in TestFlow_AgreesWithAnIndependentComputation.
const unchosenStep = 0.01

// batchTime converts a time of the batch mean's flow, in which JPC counts, to that of each sample's own.
func batchTime(t float64, batch int) float64 { return t / float64(batch) }

func checkFlow(t *testing.T, c *refCase) {
	m, _ := refModel[float64](t, c, arch.Plan{})
	if err := m.Clamp(c.array(t, "x"), c.array(t, "y")); err != nil {
		t.Fatal(err)
	}
	var z, end []float64
	for l := 1; l < c.depth(); l++ {
		z = append(z, c.array(t, fmt.Sprintf("z%d_start", l))...)
		end = append(end, c.array(t, fmt.Sprintf("z%d_end", l))...)
	}
	first := unchosenStep
	if c.DT0 != nil {
		first = *c.DT0
	}
	var control ode.Control
	switch c.Control {
	case "constant":
		control = ode.Constant{Step: batchTime(first, c.Batch)}
	case "pid":
		control = ode.PID{RTol: c.RTol, ATol: c.ATol, Step: batchTime(first, c.Batch)}
	default:
		t.Fatalf("unknown control %q", c.Control)
	}
	method := flowMethods[c.Solver]
	if method == nil {
		t.Fatalf("unknown solver %q", c.Solver)
	}
	follow := func(z []float64) flowPath {
		p := flowPath{end: slices.Clone(z)}
		flow := &infer.Flow[float64]{Method: method, Control: control, Horizon: batchTime(c.T1, c.Batch)}
		got, err := infer.Run(flow, infer.Problem[float64]{Energy: m.StateGrad}, p.end, nil, func(r infer.Reading) {
			if r.Step > 0 {
				p.times = append(p.times, r.Time/batchTime(1, c.Batch))
				p.energies = append(p.energies, r.Energy)
			}
		})
		if err != nil || got.Status != infer.TimeLimit {
			t.Fatalf("%v, error %v: want the end of the horizon", got, err)
		}
		p.accepted, p.rejected = got.Step, got.Rejected
		return p
	}
	got, spread := follow(z), flowSpread(z, follow)
	if got.accepted != c.Accepted || got.rejected != c.Rejected {
		t.Errorf("%d steps accepted and %d rejected, want %d and %d", got.accepted, got.rejected, c.Accepted, c.Rejected)
	}
	within(t, "times", got.times, c.array(t, "times"), spread.times, flowTol)
	within(t, "energies", got.energies, c.array(t, "energies"), spread.energies, flowTol)
	within(t, "end state", got.end, end, spread.end, flowTol)
}

// A flowPath is the steps that a flow took, and where it ended.
type flowPath struct {
	times, energies, end []float64
	accepted, rejected   int
}

// flowSpread is how far the numbers of a flow are from those of 16 others that start an ulp or so away. Step lengths are powers of
// error estimates, which are differences of slopes and lose most of their digits to cancellation where steps are short: the lengths,
// and with them times and energies, are then defined to much less than the rounding of one operation. Where a start an ulp away
// takes another number of steps, the paths are not those of the same flow any more; such a one does not count.
func flowSpread(z []float64, follow func(z []float64) flowPath) flowPath {
	exact := follow(z)
	spread := flowPath{times: make([]float64, len(exact.times)), energies: make([]float64, len(exact.energies)), end: make([]float64, len(exact.end))}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 16 {
		start := slices.Clone(z)
		for i := range start {
			start[i] *= 1 + 2.2e-16*float64(rng.IntN(3)-1)
		}
		if p := follow(start); p.accepted == exact.accepted && p.rejected == exact.rejected {
			widen(spread.times, p.times, exact.times)
			widen(spread.energies, p.energies, exact.energies)
			widen(spread.end, p.end, exact.end)
		}
	}
	return spread
}

// TestFlow_AgreesWithAnIndependentComputation holds steps, Hairer's choice of the first one and energies against numbers of
// a program in another language, for the formula network W_l[i][j] = 0.6 sin(1 + 7l + 3i + 2j).
//
// They are in JPC's conventions, and both matter here: the field is that of the batch mean, of which Hairer's rule is not
// independent, and the state has a dummy activity for the output, which never moves but counts in the means of the norms.
func TestFlow_AgreesWithAnIndependentComputation(t *testing.T) {
	c := &refCase{Batch: 2, Arrays: map[string]refArray{}}
	c.Net.Sizes, c.Net.Act, c.Net.Scaling = []int{3, 4, 4, 2}, "tanh", "sp"
	fill := func(name string, rows, cols int, f func(i, j float64) float64) {
		a := refArray{Shape: []int{rows, cols}}
		for i := range rows {
			for j := range cols {
				a.Data = append(a.Data, f(float64(i), float64(j)))
			}
		}
		c.Arrays[name] = a
	}
	for l := range c.depth() {
		fill(fmt.Sprintf("W%d", l+1), c.Net.Sizes[l+1], c.Net.Sizes[l], func(i, j float64) float64 {
			return 0.6 * math.Sin(1+7*float64(l)+3*i+2*j)
		})
	}
	fill("x", 2, 3, func(b, j float64) float64 { return math.Cos(3*b + j) })
	fill("y", 2, 2, func(b, k float64) float64 { return math.Sin(2 + b + 2*k) })
	m, _ := refModel[float64](t, c, arch.Plan{})
	if err := m.Clamp(c.array(t, "x"), c.array(t, "y")); err != nil {
		t.Fatal(err)
	}
	dummies, err := m.Predict(c.array(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	problem := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		free := len(z) - len(dummies)
		clear(grad[free:])
		f, err := m.StateGrad(grad[:free], z[:free])
		for i := range grad {
			grad[i] /= float64(c.Batch)
		}
		return f, err
	}}
	jpc := ode.PID{RTol: 1e-3, ATol: 1e-3}
	for _, test := range []struct {
		method             *ode.Method
		control            ode.Control
		horizon            float64
		accepted, rejected int
		energy, tol        float64 // as many digits as were written down
	}{
		{ode.Heun, jpc, 5, 22, 0, 0.2753430777, 4e-10},
		{ode.Heun, jpc, 20, 32, 2, 0.2740197064, 4e-10},
		{ode.Heun, jpc, 200, 174, 30, 0.2740171, 2e-7},
		{ode.Euler, ode.Constant{Step: 0.5}, 10, 20, 0, 0.2741223641, 4e-10},
	} {
		if err := m.Forward(); err != nil {
			t.Fatal(err)
		}
		z := append(slices.Clone(m.State()), dummies...)
		var times []float64
		got, err := infer.Run(&infer.Flow[float64]{Method: test.method, Control: test.control, Horizon: test.horizon},
			problem, z, nil, func(r infer.Reading) { times = append(times, r.Time) })
		if err != nil || got.Step != test.accepted || got.Rejected != test.rejected {
			t.Errorf("%s to %g: %v, error %v: want %d accepted, %d rejected", test.method.Name, test.horizon, got, err, test.accepted, test.rejected)
		}
		reference.Near(t, "energy", []float64{got.Energy}, []float64{test.energy}, test.tol)
		if test.method == ode.Heun {
			reference.Near(t, "times", times[1:5], []float64{.00677507, .074526, .161398, .252009}, 2e-6)
		}
	}
}
