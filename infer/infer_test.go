package infer_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/infertest"
	"github.com/pcgraph/pcgraph/optim"
)

func sgd(rate float64) *infer.Descent[float64] {
	return &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: rate}}
}

// bowl is F = c/2 z^2 for one activity.
func bowl(c float64) infer.Problem[float64] {
	return infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		grad[0] = c * z[0]
		return c / 2 * z[0] * z[0], nil
	}}
}

func TestDescent_Conforms(t *testing.T) {
	t.Run("SGD", func(t *testing.T) {
		infertest.Run(t, func() infer.Solver[float64] { return sgd(0.5) })
	})
	t.Run("SGD float32", func(t *testing.T) {
		infertest.Run(t, func() infer.Solver[float32] {
			return &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: 0.5}}
		})
	})
	t.Run("Momentum", func(t *testing.T) {
		infertest.Run(t, func() infer.Solver[float64] {
			return &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: 0.2, Mu: 0.8}}
		})
	})
	t.Run("Adam", func(t *testing.T) {
		infertest.Run(t, func() infer.Solver[float64] {
			return &infer.Descent[float64]{Optimizer: &optim.Adam[float64]{Rate: 0.02}}
		})
	})
}

// Closed form: z_k = (1 - rate c)^k z_0.
func TestDescent_FollowsTheGeometricSequence(t *testing.T) {
	z := []float64{3}
	res, err := infer.Run(sgd(0.25), bowl(2), z, infer.Steps(10), nil)
	if want := 3 * math.Pow(0.5, 10); err != nil || z[0] != want { // halving is exact
		t.Errorf("z = %g, want %g: %v, error %v", z[0], want, res, err)
	}
}

func TestRun_StepLimitWastesNoEvaluation(t *testing.T) {
	for _, n := range []int{0, 1, 7} {
		res, err := infer.Run(sgd(0.5), bowl(1), []float64{1},
			infer.Any{infer.Stationary{Tol: 1e-9}, infer.Steps(n)}, nil)
		if err != nil || res.Step != n || res.Evals != n {
			t.Errorf("Steps(%d): %d moves, %d evaluations, error %v", n, res.Step, res.Evals, err)
		}
	}
}

func TestRun_EnergyFallsAlongDescent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := infertest.NewQuadratic[float64](rapid.IntRange(1, 30).Draw(t, "n"), rapid.IntRange(0, 99).Draw(t, "seed"))
		rate := rapid.Float64Range(0.01, 1.9).Draw(t, "rate") // stable below 2: curvatures are at most 1
		last := math.Inf(1)
		_, err := infer.Run(sgd(rate), q.Problem(), make([]float64, len(q.Minimum)), infer.Steps(50),
			func(r infer.Reading) {
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

// spy records what a rule is shown, and stops after a number of steps.
type spy struct {
	steps    infer.Steps
	readings *[]infer.Reading
}

func (s spy) Done(r infer.Reading) (infer.Status, bool) {
	r.Elapsed = 0
	*s.readings = append(*s.readings, r)
	return s.steps.Done(r)
}

func TestRun_AsksBeforeAndAfterEachEvaluation(t *testing.T) {
	inf := math.Inf(1)
	var got []infer.Reading
	_, err := infer.Run(sgd(0.5), bowl(1), []float64{4}, spy{2, &got}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []infer.Reading{
		{Step: 0, Evals: 0, Energy: inf, Residual: inf, FirstEnergy: inf, Initial: inf},
		{Step: 0, Evals: 1, Energy: 8, Residual: 4, FirstEnergy: 8, Initial: 4},
		{Step: 1, Evals: 1, Energy: inf, Residual: inf, FirstEnergy: 8, Initial: 4},
		{Step: 1, Evals: 2, Energy: 2, Residual: 2, FirstEnergy: 8, Initial: 4},
		{Step: 2, Evals: 2, Energy: inf, Residual: inf, FirstEnergy: 8, Initial: 4},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestRun_ResultHoldsTheLastEvaluation(t *testing.T) {
	res, err := infer.Run(sgd(0.5), bowl(1), []float64{4}, infer.Steps(2), nil)
	if err != nil || res.Energy != 2 || res.Residual != 2 || res.Step != 2 || res.Evals != 2 {
		t.Errorf("%v, error %v: want energy 2, residual 2 of step 1, after 2 steps", res, err)
	}
	want := "step limit after 2 steps (2 evaluations): energy 2, residual 2"
	if res.String() != want {
		t.Errorf("String: %q, want %q", res, want)
	}
}

// A problem that takes all steps at once is asked to when nothing but their number is asked for and the steps are plain;
// the result is that of one by one. When it declines, the steps are made one by one.
func TestRun_HandsAFixedNumberOfPlainStepsToTheProblem(t *testing.T) {
	for _, declines := range []bool{false, true} {
		p, asked := bowl(1), 0
		p.FusedSteps = func(grad, z []float64, rate float64, n int) (energy float64, ok bool, err error) {
			asked++
			if declines {
				return 0, false, nil
			}
			for range n {
				if energy, err = p.Energy(grad, z); err != nil {
					return 0, false, err
				}
				for i := range z {
					z[i] -= rate * grad[i]
				}
			}
			return energy, true, nil
		}
		for _, test := range []struct {
			stop   infer.Stop
			opt    optim.Optimizer[float64]
			want   int // how often it is asked
			reason string
		}{
			{infer.Steps(5), &optim.SGD[float64]{Rate: .5}, 1, "five plain steps"},
			{infer.Steps(1), &optim.SGD[float64]{Rate: .5}, 1, "one plain step"},
			{infer.Steps(0), &optim.SGD[float64]{Rate: .5}, 0, "no step"},
			{infer.Any{infer.Steps(5)}, &optim.SGD[float64]{Rate: .5}, 0, "a rule that may want to see the gradient"},
			{infer.Steps(5), &optim.SGD[float64]{Rate: .5, Decay: .1}, 0, "a step that does more"},
			{infer.Steps(5), &optim.Adam[float64]{Rate: .5}, 0, "another optimiser"},
		} {
			asked = 0
			z, one := []float64{4, -1}, []float64{4, -1}
			plain := p
			plain.FusedSteps = nil
			got, err := infer.Run(&infer.Descent[float64]{Optimizer: test.opt}, p, z, test.stop, nil)
			want, _ := infer.Run(&infer.Descent[float64]{Optimizer: test.opt}, plain, one, test.stop, nil)
			got.Elapsed, want.Elapsed = 0, 0
			if err != nil || asked != test.want || got != want || !slices.Equal(z, one) {
				t.Errorf("%s (declines=%v): asked %d times, want %d; %+v at %v, want %+v at %v; error %v",
					test.reason, declines, asked, test.want, got, z, want, one, err)
			}
		}
	}
}

func TestRun_ConvergedIsMeasuredAtTheReturnedPoint(t *testing.T) {
	z := []float64{1}
	res, err := infer.Run(sgd(0.5), bowl(1), z, infer.Stationary{Tol: 0.1}, nil)
	if err != nil || res.Status != infer.Converged || z[0] != 0.0625 || res.Residual != z[0] || res.Evals != res.Step+1 {
		t.Errorf("z %v: %v, error %v: want residual 0.0625 = z after 4 steps, 5 evaluations", z, res, err)
	}
}

func TestRun_UnstableRateEndsAsDiverged(t *testing.T) {
	q := infertest.NewQuadratic[float64](5, 0)
	z := make([]float64, 5)
	res, err := infer.Run(sgd(1e3), q.Problem(), z, infer.Steps(10000), nil)
	if err != nil || res.Status != infer.Diverged || res.Step == 0 || !strings.Contains(res.Detail, "unit ") {
		t.Errorf("%v, error %v: want diverged, with a place", res, err)
	}
}

func TestRun_WithoutWhereTheIndexIsNamed(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		clear(grad)
		grad[1] = math.NaN()
		return 1, nil
	}}
	res, _ := infer.Run(sgd(1), p, []float64{1, 2, 3}, infer.Steps(5), nil)
	if want := "gradient NaN at index 1, where the activity is 2, energy 1"; res.Detail != want {
		t.Errorf("detail %q, want %q", res.Detail, want)
	}
}

// With nothing free, as in backpropagation, there is nothing to relax.
func TestRun_WithoutActivitiesConverges(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(_, _ []float64) (float64, error) { return 3, nil }}
	res, err := infer.Run(sgd(1), p, nil, infer.Stationary{Tol: 1e-6}, nil)
	if err != nil || res.Status != infer.Converged || res.Energy != 3 || res.Residual != 0 {
		t.Errorf("%v, error %v", res, err)
	}
	p.Energy = func(_, _ []float64) (float64, error) { return math.NaN(), nil }
	if res, _ := infer.Run(sgd(1), p, nil, infer.Steps(1), nil); res.Status != infer.Diverged {
		t.Errorf("%v: want diverged", res)
	}
}

// horizon is a solver with an end of its own.
type horizon struct {
	infer.Descent[float64]
	end float64
}

func (h *horizon) Move(p infer.Problem[float64], z []float64) (infer.Motion, error) {
	m, err := h.Descent.Move(p, z)
	m.Time = 0.5
	m.Evals = 2 // as if it had stages
	return m, err
}

func (h *horizon) Done(r infer.Reading) (infer.Status, bool) {
	return infer.TimeLimit, r.Time >= h.end
}

func TestRun_AsksASolverThatIsAStop(t *testing.T) {
	h := &horizon{*sgd(0.5), 2}
	res, err := infer.Run(h, bowl(1), []float64{1}, nil, nil)
	if err != nil || res.Status != infer.TimeLimit || res.Time != 2 || res.Step != 4 || res.Evals != 4*3 {
		t.Errorf("%v at time %g, error %v: want the time limit at 2 after 4 steps, 12 evaluations", res, res.Time, err)
	}
	res, err = infer.Run(h, bowl(1), []float64{1}, infer.Steps(3), nil)
	if err != nil || res.Status != infer.StepLimit || res.Step != 3 {
		t.Errorf("%v, error %v: want the caller's rule to count too", res, err)
	}
}

func TestRun_PanicsWithoutStop(t *testing.T) {
	defer func() {
		if p, _ := recover().(string); !strings.HasPrefix(p, "infer: Run without a stop rule: give one, for example infer.Steps(16)") {
			t.Errorf("panic %v", p)
		}
	}()
	infer.Run(sgd(1), bowl(1), []float64{1}, nil, nil)
}

func TestDescent_TakesAnotherSizeAfterReset(t *testing.T) {
	s := &infer.Descent[float64]{Optimizer: &optim.Adam[float64]{Rate: 0.1}}
	for _, n := range []int{5, 2, 9} {
		q := infertest.NewQuadratic[float64](n, 0)
		z := make([]float64, n)
		if _, err := infer.Run(s, q.Problem(), z, infer.Steps(3), nil); err != nil || slices.Contains(z, 0) {
			t.Errorf("size %d: z %v, error %v", n, z, err)
		}
	}
}

func TestStop_Done(t *testing.T) {
	inf := math.Inf(1)
	fresh := func(residual float64) infer.Reading { return infer.Reading{Step: 3, Residual: residual, Initial: 10} }
	tests := []struct {
		stop   infer.Stop
		r      infer.Reading
		want   infer.Status
		done   bool
		reason string
	}{
		{infer.Stationary{Tol: 1}, fresh(1), infer.Converged, true, "at the tolerance"},
		{infer.Stationary{Tol: 1}, fresh(1.01), 0, false, "above the tolerance"},
		{infer.Stationary{Rel: 0.1}, fresh(1), infer.Converged, true, "a tenth of the start"},
		{infer.Stationary{Rel: 0.1, Tol: 1}, fresh(2), infer.Converged, true, "tolerances add"},
		{infer.Stationary{Rel: 0.1, Tol: 1}, fresh(2.01), 0, false, "tolerances add"},
		{infer.Stationary{Rel: 0.1}, infer.Reading{Residual: inf, Initial: inf}, 0, false, "nothing evaluated yet"},
		{infer.Stationary{Tol: 1}, fresh(math.NaN()), 0, false, "not a number is not small"},
		{infer.Steps(3), fresh(1), infer.StepLimit, true, "made"},
		{infer.Steps(4), fresh(1), 0, false, "one to go"},
		{infer.Within(time.Second), infer.Reading{Elapsed: time.Second}, infer.TimeLimit, true, "over"},
		{infer.Within(time.Second), infer.Reading{Elapsed: time.Second - 1}, 0, false, "not over"},
		{infer.Any{infer.Stationary{Tol: 1}, infer.Steps(3)}, fresh(1), infer.Converged, true, "the first rule gives the status"},
		{infer.Any{infer.Steps(3), infer.Stationary{Tol: 1}}, fresh(1), infer.StepLimit, true, "the first rule gives the status"},
		{infer.Any{infer.Steps(9), infer.Stationary{Tol: 1}}, fresh(2), 0, false, "none"},
	}
	for _, test := range tests {
		got, done := test.stop.Done(test.r)
		if done != test.done || done && got != test.want {
			t.Errorf("%#v at %+v: %v, %v, want %v, %v: %s", test.stop, test.r, got, done, test.want, test.done, test.reason)
		}
	}
}

func TestRun_Within(t *testing.T) {
	res, err := infer.Run(sgd(0.1), bowl(1), []float64{1}, infer.Within(5*time.Millisecond), nil)
	if err != nil || res.Status != infer.TimeLimit || res.Elapsed < 5*time.Millisecond || res.Step == 0 {
		t.Errorf("%v in %v, error %v", res, res.Elapsed, err)
	}
}

func TestValidate(t *testing.T) {
	type validator interface{ Validate() error }
	tests := []struct {
		of   validator
		want string // part of the error; empty means valid
	}{
		{infer.Stationary{Tol: 1e-3}, ""},
		{infer.Stationary{Rel: 1e-3}, ""},
		{infer.Stationary{}, "set one"},
		{infer.Stationary{Tol: -1}, "Tol -1"},
		{infer.Stationary{Tol: math.NaN()}, "Tol NaN"},
		{infer.Stationary{Rel: 1}, "Rel 1"},
		{infer.Steps(0), ""},
		{infer.Steps(-1), "Steps(-1)"},
		{infer.Within(time.Second), ""},
		{infer.Within(0), "Within(0s)"},
		{infer.Any{infer.Steps(3)}, ""},
		{infer.Any{}, "never stop"},
		{infer.Any{infer.Steps(3), nil}, "rule 1 is missing"},
		{infer.Any{infer.Steps(3), infer.Any{infer.Stationary{}}}, "rule 1 of Any: rule 0 of Any: infer: Stationary"},
		{sgd(0.1), ""},
		{sgd(-1), "optimiser of Descent: optim: SGD: Rate -1"},
		{&infer.Descent[float32]{}, "Optimizer is missing"},
	}
	for _, test := range tests {
		err := test.of.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%#v: error %v, want %q", test.of, err, test.want)
		}
	}
}

func TestBounded(t *testing.T) {
	for _, test := range []struct {
		stop infer.Stop
		want bool
	}{
		{infer.Steps(3), true}, {infer.Within(time.Second), true}, {infer.Stationary{Tol: 1e-30}, false},
		{infer.Any{infer.Stationary{Tol: 1}}, false}, {infer.Any{infer.Stationary{Tol: 1}, infer.Any{infer.Steps(3)}}, true},
	} {
		if got := infer.Bounded(test.stop); got != test.want {
			t.Errorf("%#v: bounded %v, want %v", test.stop, got, test.want)
		}
	}
}

func TestStatus_String(t *testing.T) {
	for status, want := range map[infer.Status]string{
		infer.Running: "running", infer.Converged: "converged", infer.StepLimit: "step limit",
		infer.TimeLimit: "time limit", infer.Diverged: "diverged", 9: "Status(9)", -1: "Status(-1)",
	} {
		if status.String() != want {
			t.Errorf("%d: %q, want %q", int(status), status, want)
		}
	}
}

// The cost of a run around an energy that costs nothing: 100 steps on a slab of
// 64 samples times 4 layers of 128.
func BenchmarkRun(b *testing.B) {
	const n, steps = 64 * 4 * 128, 100
	p := infer.Problem[float32]{Energy: func(_, _ []float32) (float64, error) { return 1, nil }}
	s := &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: 0.1}}
	var stop infer.Stop = infer.Any{infer.Stationary{Tol: -1}, infer.Steps(steps)}
	z := make([]float32, n)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := infer.Run(s, p, z, stop, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/steps/n, "ns/(step*unit)")
}

// TestRun_RefusesWrongParts: a solver or a stop rule that reports itself is an error before anything moves, and what is missing a
// panic that says so.
func TestRun_RefusesWrongParts(t *testing.T) {
	for _, test := range []struct {
		reason string
		solver infer.Solver[float64]
		stop   infer.Stop
		want   string
	}{
		{"no optimiser", &infer.Descent[float64]{}, infer.Steps(2), "Optimizer is missing"},
		{"no rate", sgd(math.NaN()), infer.Steps(2), "Rate NaN"},
		{"noise from nowhere", &infer.Langevin[float64]{Rate: .1, Temperature: 1}, infer.Steps(2), "Rand is missing"},
		{"a list that never stops", sgd(.1), infer.Any{}, "never stop"},
		{"a rule that is missing", sgd(.1), infer.Any{nil, infer.Steps(2)}, "rule 0 is missing"},
	} {
		z := []float64{1, 2}
		_, err := infer.Run(test.solver, bowl(1), z, test.stop, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.reason, err, test.want)
		}
		if z[0] != 1 || z[1] != 2 {
			t.Errorf("%s: activities moved to %v", test.reason, z)
		}
	}
	for want, call := range map[string]func(){
		"infer: Run without a solver: give one": func() { _, _ = infer.Run(nil, bowl(1), nil, infer.Steps(1), nil) },
		"infer: Run without a solver: ": func() {
			_, _ = infer.Run((*infer.Descent[float64])(nil), bowl(1), nil, infer.Steps(1), nil)
		},
		"infer: Run without a stop rule: ": func() {
			_, _ = infer.Run(sgd(.1), bowl(1), nil, (*infer.Newton[float64])(nil), nil)
		},
		"infer: Run of a problem without an Energy: set it": func() { _, _ = infer.Run(sgd(.1), infer.Problem[float64]{}, nil, infer.Steps(1), nil) },
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, want) {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			call()
		}()
	}
}
