package infer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"pgregory.net/rapid"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/infertest"
	"github.com/pcgraph/pcgraph/infer/ode"
)

var methods = []*ode.Method{ode.Euler, ode.Heun, ode.Midpoint, ode.Ralston, ode.Bosh3, ode.RK4, ode.Tsit5, ode.Dopri5, ode.Dopri8}

func TestFlow_Conforms(t *testing.T) {
	for _, m := range methods {
		t.Run(m.Name+" constant", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float64] {
				return &infer.Flow[float64]{Method: m, Control: ode.Constant{Step: 0.5}, Horizon: 500}
			})
		})
		t.Run(m.Name+" sampled", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float64] {
				return &infer.Flow[float64]{Method: m, Control: ode.Constant{Step: 0.5}, Horizon: 500,
					At: []float64{0, 0.1, 0.7, 1}, Sample: func(float64, []float64) {}}
			})
		})
		if !m.Adaptive() {
			continue
		}
		t.Run(m.Name+" PID", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float64] {
				return &infer.Flow[float64]{Method: m, Control: ode.PID{RTol: 1e-4, ATol: 1e-4}, Horizon: 500}
			})
		})
		t.Run(m.Name+" PID float32", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float32] {
				return &infer.Flow[float32]{Method: m, Control: ode.PID{RTol: 1e-3, ATol: 1e-4}, Horizon: 500}
			})
		})
	}
}

// relaxed is the closed form exp(-Ht) of the flow on infertest.Quadratic from z = 0: its Hessian, 0.625 on the diagonal and
// 0.1875 beside it, has the eigenvectors sin(i k pi/(n+1)).
func relaxed(minimum []float64, t float64) []float64 {
	n := len(minimum)
	z := slices.Clone(minimum)
	for k := 1; k <= n; k++ {
		mode := func(i int) float64 {
			return math.Sqrt(2/float64(n+1)) * math.Sin(float64((i+1)*k)*math.Pi/float64(n+1))
		}
		var part float64
		for i, m := range minimum {
			part -= mode(i) * m
		}
		part *= math.Exp(-t * (0.625 + 0.375*math.Cos(float64(k)*math.Pi/float64(n+1))))
		for i := range z {
			z[i] += part * mode(i)
		}
	}
	return z
}

func far(a, b []float64) (d float64) {
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// accurate is a flow whose error over a few units of time is below 1e-5.
func accurate(m *ode.Method, horizon float64) *infer.Flow[float64] {
	f := &infer.Flow[float64]{Method: m, Control: ode.PID{RTol: 1e-6, ATol: 1e-6}, Horizon: horizon, MaxTrials: 1e7}
	if !m.Adaptive() {
		f.Control = ode.Constant{Step: map[*ode.Method]float64{ode.Euler: 1e-5, ode.RK4: 0.1}[m]}
	}
	return f
}

func TestFlow_FollowsTheClosedFormOfALinearFlow(t *testing.T) {
	for _, m := range methods {
		const horizon = 2.5
		q := infertest.NewQuadratic[float64](9, 1)
		z := make([]float64, 9)
		res, err := infer.Run(accurate(m, horizon), q.Problem(), z, nil, nil)
		if err != nil || res.Status != infer.TimeLimit || math.Abs(res.Time-horizon) > 1e-9 {
			t.Errorf("%s: %v at time %g, error %v: want the end at %g", m.Name, res, res.Time, err, horizon)
		}
		if d := far(z, relaxed(q.Minimum, horizon)); d > 1e-5 {
			t.Errorf("%s: off by %g", m.Name, d)
		}
		// what is reported was measured at the end
		grad := make([]float64, 9)
		energy, _ := q.Problem().Energy(grad, z)
		var ss float64
		for _, g := range grad {
			ss += g * g
		}
		if rms := math.Sqrt(ss / 9); math.Abs(energy-res.Energy) > 1e-14 || math.Abs(rms-res.Residual) > 1e-14 {
			t.Errorf("%s: energy %g, residual %g at the end, reported %v", m.Name, energy, rms, res)
		}
	}
}

func TestFlow_EnergyFallsAlongTheFlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(methods[1:]).Draw(t, "method")
		q := infertest.NewQuadratic[float64](rapid.IntRange(1, 30).Draw(t, "n"), rapid.IntRange(0, 99).Draw(t, "seed"))
		last := math.Inf(1)
		// up to step 1 at curvatures of at most 1, all methods damp every mode
		f := &infer.Flow[float64]{Method: m, Control: ode.Constant{Step: rapid.Float64Range(0.01, 1).Draw(t, "step")}, Horizon: 20, MaxTrials: 1e5}
		_, err := infer.Run(f, q.Problem(), make([]float64, len(q.Minimum)), nil, func(r infer.Reading) {
			if r.Energy > last+1e-15 {
				t.Fatalf("energy rises from %g to %g at step %d", last, r.Energy, r.Step)
			}
			last = r.Energy
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The rule is on the vector field: it fires at the first accepted point where the rms of dz/dt is small enough, it does not
// fire because activities are small, and it does not fire when the horizon comes first.
func TestFlow_StationaryStopsOnTheVectorField(t *testing.T) {
	run := func(horizon float64, stop infer.Stop, minimum float64) (infer.Result, []infer.Reading) {
		p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
			grad[0] = z[0] - minimum
			return grad[0] * grad[0] / 2, nil
		}}
		var seen []infer.Reading
		res, err := infer.Run(&infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-5, ATol: 1e-5}, Horizon: horizon},
			p, []float64{0}, stop, func(r infer.Reading) { seen = append(seen, r) })
		if err != nil {
			t.Fatal(err)
		}
		return res, seen
	}
	res, seen := run(50, infer.Stationary{Tol: 1e-3}, 3)
	n := len(seen)
	if res.Status != infer.Converged || res.Residual > 1e-3 || seen[n-2].Residual <= 1e-3 || res.Time > 9 {
		t.Errorf("%v at time %g, residual %g before: want convergence at time log 3000 = 8.0", res, res.Time, seen[n-2].Residual)
	}
	if res, _ = run(50, infer.Stationary{Rel: 1e-2}, 3); res.Status != infer.Converged || res.Residual > 0.03 || res.Time > 6 {
		t.Errorf("%v at time %g: want convergence at time log 100 = 4.6", res, res.Time)
	}
	// starts at activities of 0, where the rule of the JPC library would stop at once
	if res, _ = run(3, infer.Stationary{Tol: 1e-3}, 3); res.Status != infer.TimeLimit || res.Time != 3 {
		t.Errorf("%v at time %g: want the horizon, residual exp(-3) 3 = 0.15", res, res.Time)
	}
	if res, _ = run(50, infer.Stationary{Tol: 1e-12}, 3); res.Status != infer.TimeLimit {
		t.Errorf("%v: want a rule below what the tolerances reach not to fire", res)
	}
}

func TestFlow_CountsTrialsAndEvaluations(t *testing.T) {
	// a first step that must be rejected a few times
	for _, m := range methods {
		if !m.Adaptive() {
			continue
		}
		q := infertest.NewQuadratic[float64](9, 1)
		f := &infer.Flow[float64]{Method: m, Control: ode.PID{RTol: 1e-8, ATol: 1e-8, Step: 5}, Horizon: 5}
		res, err := infer.Run(f, q.Problem(), make([]float64, 9), nil, nil)
		want := 1 + (res.Step+res.Rejected)*(m.Stages()-1)
		if !m.FSAL() {
			want += res.Step
		}
		if err != nil || res.Rejected == 0 || res.Evals != want || q.Calls != want {
			t.Errorf("%s: %v, %d calls, error %v: want %d evaluations", m.Name, res, q.Calls, err, want)
		}
		if s := fmt.Sprintf("%d steps and %d rejected ones", res.Step, res.Rejected); !strings.Contains(res.String(), s) {
			t.Errorf("%q does not say %q", res, s)
		}
	}
}

func TestFlow_SamplesAtGivenTimes(t *testing.T) {
	at := []float64{0, 0.1, 0.5, 1, 1.7, 2.5}
	for _, m := range methods {
		q := infertest.NewQuadratic[float64](9, 1)
		f := accurate(m, 2.5)
		if m == ode.Euler {
			f.Control = ode.Constant{Step: 1e-4}
		}
		f.At = at
		var times []float64
		f.Sample = func(tm float64, z []float64) {
			times = append(times, tm)
			if d := far(z, relaxed(q.Minimum, tm)); d > 1e-4 {
				t.Errorf("%s: off by %g at time %g", m.Name, d, tm)
			}
		}
		z := make([]float64, 9)
		for range 2 {
			clear(z)
			times = times[:0]
			if _, err := infer.Run(f, q.Problem(), z, nil, nil); err != nil || !slices.Equal(times, at) {
				t.Errorf("%s: sampled at %v, want %v, error %v", m.Name, times, at, err)
			}
		}
		clear(z)
		times = times[:0]
		if _, err := infer.Run(f, q.Problem(), z, infer.Stationary{Tol: 10}, nil); err != nil || !slices.Equal(times, at[:1]) {
			t.Errorf("%s: sampled at %v after stopping at the start", m.Name, times)
		}
	}
}

func TestFlow_TakesAnotherSizeMethodAndHorizonAfterReset(t *testing.T) {
	f := &infer.Flow[float64]{Control: ode.Constant{Step: 0.5}}
	for i, m := range []*ode.Method{ode.Heun, ode.Dopri8, ode.Euler, ode.Tsit5} {
		f.Method, f.Horizon = m, float64(i+1)
		n := []int{5, 2, 9, 30}[i]
		q := infertest.NewQuadratic[float64](n, 0)
		z := make([]float64, n)
		res, err := infer.Run(f, q.Problem(), z, nil, nil)
		if err != nil || res.Time != f.Horizon || res.Step != 2*(i+1) {
			t.Errorf("%s, %d activities: %v at time %g, error %v", m.Name, n, res, res.Time, err)
		}
	}
}

func TestFlow_WithoutActivitiesEnds(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(_, _ []float64) (float64, error) { return 3, nil }}
	res, err := infer.Run(&infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 1}, p, nil, nil, nil)
	if err != nil || res.Status != infer.TimeLimit || res.Energy != 3 {
		t.Errorf("%v, error %v", res, err)
	}
}

func TestFlow_TooManyTrialsIsAStepLimit(t *testing.T) {
	q := infertest.NewQuadratic[float64](9, 1)
	f := &infer.Flow[float64]{Method: ode.Heun, Control: ode.Constant{Step: 0.01}, Horizon: 100}
	res, err := infer.Run(f, q.Problem(), make([]float64, 9), nil, nil)
	if err != nil || res.Status != infer.StepLimit || res.Step != 4096 {
		t.Errorf("%v, error %v: want the limit of 4096", res, err)
	}
	f.MaxTrials = 7
	if res, err = infer.Run(f, q.Problem(), make([]float64, 9), nil, nil); err != nil || res.Status != infer.StepLimit || res.Step != 7 {
		t.Errorf("%v, error %v: want the limit of 7", res, err)
	}
	f.MaxTrials = 100 / 0.01 // reached at the horizon
	if res, err = infer.Run(f, q.Problem(), make([]float64, 9), nil, nil); err != nil || res.Status != infer.TimeLimit {
		t.Errorf("%v, error %v: want the horizon", res, err)
	}
}

// A constant step beyond the stability limit ends as diverged, with the place.
func TestFlow_UnstableStepEndsAsDiverged(t *testing.T) {
	for _, m := range methods {
		q := infertest.NewQuadratic[float64](5, 0)
		f := &infer.Flow[float64]{Method: m, Control: ode.Constant{Step: 1e4}, Horizon: 1e7}
		res, err := infer.Run(f, q.Problem(), make([]float64, 5), nil, nil)
		if err != nil || res.Status != infer.Diverged || res.Step == 0 || !strings.Contains(res.Detail, "unit ") {
			t.Errorf("%s: %v, error %v: want diverged, with a place", m.Name, res, err)
		}
	}
}

// An energy that is not finite beyond a wall, downhill: adaptive steps approach it and the run ends with an error that says
// so, z at the last accepted point.
func TestFlow_StepUnderflowIsAnError(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		grad[0] = -1
		if !(z[0] <= 1) {
			grad[0] = math.NaN()
		}
		return -z[0], nil
	}}
	z := []float64{0}
	res, err := infer.Run(&infer.Flow[float64]{Method: ode.Tsit5, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 3}, p, z, nil, nil)
	if !errors.Is(err, ode.ErrUnderflow) || !strings.Contains(err.Error(), fmt.Sprintf("move from step %d", res.Step)) || !(z[0] > 0.99 && z[0] <= 1) {
		t.Errorf("%v at %v, error %v: want a step underflow just before 1", res, z, err)
	}
}

func TestFlow_Validate(t *testing.T) {
	ok := func() *infer.Flow[float64] {
		return &infer.Flow[float64]{Method: ode.Heun, Control: ode.PID{RTol: 1e-3, ATol: 1e-3}, Horizon: 20}
	}
	sample := func(float64, []float64) {}
	for _, test := range []struct {
		change func(f *infer.Flow[float64])
		want   string
	}{
		{func(*infer.Flow[float64]) {}, ""},
		{func(f *infer.Flow[float64]) { f.At, f.Sample = []float64{0, 1, 20}, sample }, ""},
		{func(f *infer.Flow[float64]) { f.Method = nil }, "Method is missing"},
		{func(f *infer.Flow[float64]) { f.Method = &ode.Method{} }, "B is empty"},
		{func(f *infer.Flow[float64]) { f.Control = nil }, "Control is missing"},
		{func(f *infer.Flow[float64]) { f.Method = ode.Euler }, "Euler gives no error estimate"},
		{func(f *infer.Flow[float64]) { f.Control = ode.PID{RTol: 1e-3} }, "ATol 0"},
		{func(f *infer.Flow[float64]) { f.Control = ode.PID{ATol: 1e-3, RTol: -1} }, "RTol -1"},
		{func(f *infer.Flow[float64]) { f.Control = ode.Constant{} }, "Step 0"},
		{func(f *infer.Flow[float64]) { f.Control = ode.Constant{Step: -0.5} }, "Step -0.5"},
		{func(f *infer.Flow[float64]) { f.Horizon = 0 }, "Horizon 0"},
		{func(f *infer.Flow[float64]) { f.Horizon = -1 }, "Horizon -1"},
		{func(f *infer.Flow[float64]) { f.Horizon = math.NaN() }, "Horizon NaN"},
		{func(f *infer.Flow[float64]) { f.Horizon = math.Inf(1) }, "Horizon +Inf"},
		{func(f *infer.Flow[float64]) { f.MaxTrials = -1 }, "MaxTrials -1"},
		{func(f *infer.Flow[float64]) { f.At = []float64{1} }, "At and Sample go together"},
		{func(f *infer.Flow[float64]) { f.Sample = sample }, "At and Sample go together"},
		{func(f *infer.Flow[float64]) { f.At, f.Sample = []float64{1, 1}, sample }, "At[1] = 1"},
		{func(f *infer.Flow[float64]) { f.At, f.Sample = []float64{-1}, sample }, "At[0] = -1"},
		{func(f *infer.Flow[float64]) { f.At, f.Sample = []float64{21}, sample }, "At[0] = 21"},
	} {
		f := ok()
		test.change(f)
		err := f.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		// a run says the same instead of crashing
		if _, run := infer.Run(f, bowl(1), []float64{1}, infer.Steps(3), nil); (run == nil) != (err == nil) {
			t.Errorf("Run: error %v, Validate: %v", run, err)
		}
	}
}

// The cost of a step around an energy that costs nothing, on a slab of 64 samples times 4 layers of 128.
func BenchmarkFlow(b *testing.B) {
	const n = 64 * 4 * 128
	p := infer.Problem[float32]{Energy: func(grad, z []float32) (float64, error) {
		if grad[0] != 1e-3 {
			for i := range grad {
				grad[i] = 1e-3 * float32(1-2*(i*i%7%2))
			}
		}
		return 1, nil
	}}
	for _, m := range methods {
		b.Run(m.Name, func(b *testing.B) {
			control := ode.Control(ode.PID{RTol: 1e-3, ATol: 1e-3, Step: 0.1, MaxFactor: 1.0000001})
			if !m.Adaptive() {
				control = ode.Constant{Step: 0.1}
			}
			s := &infer.Flow[float32]{Method: m, Control: control, Horizon: 10}
			z := make([]float32, n)
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range z {
				z[i] = rng.Float32() - 0.5
			}
			b.ReportAllocs()
			evals := 0
			for b.Loop() {
				res, err := infer.Run(s, p, z, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				evals = res.Evals
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(evals)/n, "ns/(eval*unit)")
		})
	}
}
