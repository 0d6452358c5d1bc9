package infer_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/infertest"
)

func TestLBFGS_Conforms(t *testing.T) {
	infertest.Run(t, func() infer.Solver[float64] { return &infer.LBFGS[float64]{} })
	t.Run("float32, short memory", func(t *testing.T) {
		infertest.Run(t, func() infer.Solver[float32] { return &infer.LBFGS[float32]{Memory: 2} })
	})
}

func TestLangevin_Conforms(t *testing.T) { // without noise: with it, nothing converges
	infertest.Run(t, func() infer.Solver[float64] { return &infer.Langevin[float64]{Rate: .5} })
}

// The secant conditions of n steps on a quadratic of n curvatures determine it: the iterate is at the minimum, to rounding,
// some steps after the memory could hold it all. Plain descent at its best rate needs 31 steps per decade at condition 100.
func TestLBFGS_FindsTheMinimumOfAQuadraticOfFewCurvatures(t *testing.T) {
	curvatures := []float64{1, 3, 10, 100}
	p := infer.Problem[float64]{Energy: func(grad, z []float64) (f float64, err error) {
		for i, c := range curvatures {
			grad[i] = c * (z[i] - 1)
			f += c * (z[i] - 1) * (z[i] - 1) / 2
		}
		return f, nil
	}}
	res, err := infer.Run(&infer.LBFGS[float64]{}, p, make([]float64, 4), infer.Stationary{Tol: 1e-9}, nil)
	if err != nil || res.Status != infer.Converged || res.Step > 30 {
		t.Errorf("%v, error %v: want convergence in 30 steps", res, err)
	}
}

// Rosenbrock's valley: not convex, and steps must be halved.
func TestLBFGS_FollowsRosenbrocksValley(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		a, b := 1-z[0], z[1]-z[0]*z[0]
		grad[0], grad[1] = -2*a-400*z[0]*b, 200*b
		return a*a + 100*b*b, nil
	}}
	z := []float64{-1.2, 1}
	last := math.Inf(1)
	res, err := infer.Run(&infer.LBFGS[float64]{}, p, z, infer.Stationary{Tol: 1e-9}, func(r infer.Reading) {
		if r.Energy > last+1e-13*math.Abs(last) {
			t.Errorf("energy rises from %g to %g", last, r.Energy)
		}
		last = r.Energy
	})
	if err != nil || res.Status != infer.Converged || math.Hypot(z[0]-1, z[1]-1) > 1e-8 || res.Rejected == 0 {
		t.Errorf("%v at %v, error %v", res, z, err)
	}
}

// With the exact curvature a Newton step is the minimum; with one that is too small steps are halved until the energy does
// not rise; where nothing helps the run ends, with z where it was lowest.
func TestNewton_SolvesByTheProblemsCurvature(t *testing.T) {
	with := func(curvature float64, c func(z float64) float64) infer.Problem[float64] {
		p := bowl(c(1))
		p.Newton = func(step, grad, z []float64) (int, error) {
			step[0] = grad[0] / curvature
			return 3, nil
		}
		return p
	}
	four := func(float64) float64 { return 4 }
	z := []float64{1}
	res, err := infer.Run(&infer.Newton[float64]{}, with(4, four), z, infer.Stationary{Tol: 1e-12}, nil)
	if err != nil || res.Status != infer.Converged || res.Step != 1 || res.Evals != 1+3+1 || z[0] != 0 {
		t.Errorf("exact: %v at %v, error %v", res, z, err)
	}
	z[0] = 1
	res, err = infer.Run(&infer.Newton[float64]{MaxSteps: 2}, with(1, four), z, infer.Stationary{Tol: 1e-12}, nil)
	if err != nil || res.Status != infer.StepLimit || res.Step != 2 || res.Rejected != 2 || z[0] != 1 { // 1 - 4/2 = -1, as low
		t.Errorf("too small a curvature: %v at %v, error %v", res, z, err)
	}
	z[0] = 1
	res, err = infer.Run(&infer.Newton[float64]{}, with(-4, four), z, infer.Stationary{Tol: 1e-12}, nil)
	if err != nil || res.Status != infer.StepLimit || res.Step != 1 || z[0] != 1 {
		t.Errorf("uphill: %v at %v, error %v", res, z, err)
	}
	_, err = infer.Run(&infer.Newton[float64]{}, bowl(1), z, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "take LBFGS") {
		t.Errorf("without a curvature: error %v", err)
	}
}

// Without noise Langevin is descent; the noise is that of its source, goes on over Reset, and has the closed form's variance
// on bowls: T/(c (1 - rate c/2)), to within 5 standard errors of 40000 samples, sqrt(2/n) of it.
func TestLangevin_Noise(t *testing.T) {
	const n, rate, temperature = 40000, .4, .5
	for _, c := range []float64{.5, 1, 3} {
		p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
			for i, v := range z {
				grad[i] = c * v
			}
			return 0, nil
		}}
		run := func(s *infer.Langevin[float64]) []float64 {
			z := make([]float64, n)
			if _, err := infer.Run(s, p, z, infer.Steps(60), nil); err != nil {
				t.Fatal(err)
			}
			return z
		}
		s := &infer.Langevin[float64]{Rate: rate, Temperature: temperature, Rand: rand.New(rand.NewPCG(1, 1))}
		a, b := run(s), run(s)
		again := run(&infer.Langevin[float64]{Rate: rate, Temperature: temperature, Rand: rand.New(rand.NewPCG(1, 1))})
		if far(a, again) != 0 || far(a, b) == 0 {
			t.Error("want the noise of the source, and other noise in the next run")
		}
		sum, cross := 0., 0.
		for i := range a {
			sum, cross = sum+a[i]*a[i]/n, cross+a[i]*b[i]/n
		}
		want := temperature / (c * (1 - rate*c/2))
		if off := (sum/want - 1) / math.Sqrt(2./n); math.Abs(off) > 5 {
			t.Errorf("curvature %g: variance %g, want %g: %.1f standard errors", c, sum, want, off)
		}
		if off := cross / want * math.Sqrt(n); math.Abs(off) > 5 {
			t.Errorf("curvature %g: runs are correlated, %.1f standard errors", c, off)
		}
	}
}

// TestLangevin_SourceIsKept: noise of a Source is that of a Rand over it, and goes on where its state was taken, in a new solver.
func TestLangevin_SourceIsKept(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) { copy(grad, z); return 0, nil }}
	run := func(s *infer.Langevin[float64]) []float64 {
		z := make([]float64, 5)
		if _, err := infer.Run(s, p, z, infer.Steps(3), nil); err != nil {
			t.Fatal(err)
		}
		return z
	}
	fresh := func() *infer.Langevin[float64] {
		return &infer.Langevin[float64]{Rate: .1, Temperature: 1, Source: rand.NewPCG(1, 2)}
	}
	any := &infer.Langevin[float64]{Rate: .1, Temperature: 1, Rand: rand.New(rand.NewPCG(1, 2))}
	a, b := fresh(), fresh()
	if far(run(a), run(any)) != 0 {
		t.Error("other noise than of a Rand over the source")
	}
	state, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.UnmarshalBinary(state); err != nil || far(run(a), run(b)) != 0 {
		t.Error("other noise from the state that was kept:", err)
	}
	if _, err := any.MarshalBinary(); err == nil || !strings.Contains(err.Error(), "give Source") {
		t.Error("the state of a Rand:", err)
	}
	if err := any.UnmarshalBinary(state); err == nil {
		t.Error("the state of a Rand is restored")
	}
	if err := b.UnmarshalBinary(state[1:]); err == nil {
		t.Error("a state that is none is restored")
	}
	still := &infer.Langevin[float64]{Rate: .1}
	if state, err := still.MarshalBinary(); err != nil || len(state) > 0 || still.UnmarshalBinary(state) != nil {
		t.Error("without noise:", state, err)
	}
}

func TestNewSolvers_Validate(t *testing.T) {
	for _, test := range []struct {
		of   interface{ Validate() error }
		want string
	}{
		{&infer.Newton[float32]{}, ""}, {&infer.LBFGS[float32]{}, ""}, {&infer.Langevin[float32]{Rate: .1}, ""},
		{&infer.Newton[float32]{MaxSteps: -1}, "MaxSteps -1"},
		{&infer.LBFGS[float32]{MaxSteps: -1}, "MaxSteps -1"},
		{&infer.LBFGS[float32]{Memory: -1}, "Memory -1"},
		{&infer.Langevin[float32]{}, "Rate 0"},
		{&infer.Langevin[float32]{Rate: math.NaN()}, "Rate NaN"},
		{&infer.Langevin[float32]{Rate: .1, Temperature: -1}, "Temperature -1"},
		{&infer.Langevin[float32]{Rate: .1, Temperature: math.Inf(1)}, "Temperature +Inf"},
		{&infer.Langevin[float32]{Rate: .1, Temperature: 1}, "Rand is missing"},
		{&infer.Langevin[float32]{Rate: .1, Temperature: 1, Rand: rand.New(rand.NewPCG(1, 1)), Source: rand.NewPCG(1, 1)}, "both given"},
	} {
		err := test.of.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%#v: error %v, want %q", test.of, err, test.want)
		}
	}
}

// When no part of a step by the remembered curvature leads downhill, LBFGS forgets it and tries plain descent in the same step.
// Everything that this costs is counted: the evaluations are the calls of Energy, the steps the moves of which the limit is one,
// and the rejected trials all that did not lead downhill, before the retry and after it.
func TestLBFGS_CountsWhatARetryCosts(t *testing.T) {
	calls := 0
	// Calls 1 and 2 are the start and the trial of the first step. The 13 trials of the second step (the whole one and 12
	// halvings) all lead uphill, then so do two of the plain descent, and everything is good from there on.
	uphill := func(call int) bool { return call > 2 && call <= 2+13+2 }
	p := infer.Problem[float64]{Energy: func(g, z []float64) (float64, error) {
		calls++
		f := 0.
		for i, v := range z {
			g[i] = float64(i+1) / 8 * v
			f += float64(i+1) / 16 * v * v
		}
		if uphill(calls) {
			f += 1e6
		}
		return f, nil
	}}
	for _, test := range []struct {
		limit, steps, calls, rejected int
	}{
		{1, 1, 2, 0},
		{2, 2, 2 + 13 + 3, 13 + 2},
		{3, 3, 2 + 13 + 3 + 1, 13 + 2},
	} {
		calls = 0
		z := []float64{3, -2, 1}
		r, err := infer.Run(&infer.LBFGS[float64]{MaxSteps: test.limit}, p, z, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != infer.StepLimit || r.Step != test.steps || r.Evals != test.calls || calls != test.calls || r.Rejected != test.rejected {
			t.Errorf("limit %d: %v, %d evaluations and %d rejected of %d calls; want %d steps, %d and %d", test.limit, r, r.Evals, r.Rejected, calls, test.steps, test.calls, test.rejected)
		}
	}
	// The retry has forgotten all before it: the third step knows one pair, as with a memory of one.
	third := func(memory int) []float64 {
		calls = 0
		z := []float64{3, -2, 1}
		if _, err := infer.Run(&infer.LBFGS[float64]{Memory: memory, MaxSteps: 3}, p, z, nil, nil); err != nil {
			t.Fatal(err)
		}
		return z
	}
	if a, b := third(8), third(1); !slices.Equal(a, b) {
		t.Errorf("after a retry %v, with a memory of one step %v", a, b)
	}
	// A retry that leads nowhere either ends the run, with all of it counted, and leaves the point where the first step came to.
	calls = 0
	uphill = func(call int) bool { return call > 2 }
	z := []float64{3, -2, 1}
	r, err := infer.Run(&infer.LBFGS[float64]{}, p, z, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != infer.StepLimit || r.Step != 2 || r.Rejected != 26 || r.Evals != calls {
		t.Errorf("stuck: %v, %d evaluations and %d rejected of %d calls", r, r.Evals, r.Rejected, calls)
	}
	if want := []float64{3 * (1 - .125), -2 * (1 - .25), 1 - .375}; !slices.Equal(z, want) {
		t.Errorf("stuck at %v, want %v", z, want)
	}
}
