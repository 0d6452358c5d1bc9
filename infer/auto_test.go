package infer_test

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/infertest"
)

func TestAuto_Conforms(t *testing.T) {
	infertest.Run(t, func() infer.Solver[float64] { return &infer.Auto[float64]{} })
	t.Run("float32", func(t *testing.T) {
		infertest.Run(t, func() infer.Solver[float32] { return &infer.Auto[float32]{} })
	})
}

// valley is F = 1/2 sum_i c_i z_i^2.
func valley(c []float64) infer.Problem[float64] {
	return infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) {
		f := 0.
		for i, v := range z {
			grad[i] = c[i] * v
			f += c[i] / 2 * v * v
		}
		return f, nil
	}}
}

// TestAuto_NeedsTheRootOfTheConditionNumber: about as many evaluations as the accelerated method with both curvatures known, which
// reduces the gradient by e every sqrt(kappa) steps or so, where descent at its best rate needs kappa/2 of them.
func TestAuto_NeedsTheRootOfTheConditionNumber(t *testing.T) {
	for _, kappa := range []float64{1, 10, 1e3, 1e5} {
		c, z := make([]float64, 40), make([]float64, 40)
		for i := range c {
			c[i], z[i] = 3*math.Pow(kappa, -float64(i)/39), 1
		}
		res, err := infer.Run(&infer.Auto[float64]{}, valley(c), z, infer.Any{infer.Stationary{Rel: 1e-3}, infer.Steps(20000)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		most := 31 + 10 + int(3*math.Log(1e3)*math.Sqrt(kappa))
		t.Logf("condition number %g: %d evaluations", kappa, res.Evals)
		if res.Status != infer.Converged || res.Evals > most {
			t.Errorf("condition number %g: %v, want convergence within %d evaluations", kappa, res, most)
		}
	}
}

// TestAuto_MeasuresAtTheFirstAndEveryRefreshthRun, and has forgotten nothing after its memory was restored.
func TestAuto_MeasuresAtTheFirstAndEveryRefreshthRun(t *testing.T) {
	a := &infer.Auto[float64]{Pace: infer.Pace[float64]{Refresh: 3}}
	var evals []int
	run := func() {
		res, err := infer.Run(a, valley([]float64{2, 1}), []float64{1, 1}, infer.Steps(2), nil)
		if err != nil {
			t.Fatal(err)
		}
		evals = append(evals, res.Evals)
	}
	for range 4 {
		run()
	}
	if want := []int{33, 2, 2, 33}; evals[0] != want[0] || evals[1] != want[1] || evals[2] != want[2] || evals[3] != want[3] {
		t.Errorf("evaluations %v, want %v", evals, want)
	}
	if math.Abs(a.Curvature()/2-1.05) > .01 {
		t.Errorf("curvature %g, want 2 with a margin of 5 %%", a.Curvature())
	}
	kept, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	a = &infer.Auto[float64]{Pace: infer.Pace[float64]{Refresh: 3}}
	if err := a.UnmarshalBinary(kept); err != nil {
		t.Fatal(err)
	}
	evals = nil
	run()
	if evals[0] != 2 {
		t.Errorf("%d evaluations after the memory was restored, want 2", evals[0])
	}
}

// TestAuto_RaisesACurvatureThatIsTooSmall: one that the energy has only away from the start is not measured there.
func TestAuto_RaisesACurvatureThatIsTooSmall(t *testing.T) {
	p := infer.Problem[float64]{Energy: func(grad, z []float64) (float64, error) { // curvature 1 above z = 1, 50 below
		if z[0] > 1 {
			grad[0] = 50 + z[0] - 1
			return 25 + 50*(z[0]-1) + (z[0]-1)*(z[0]-1)/2, nil
		}
		grad[0] = 50 * z[0]
		return 25 * z[0] * z[0], nil
	}}
	a := &infer.Auto[float64]{}
	z := []float64{20}
	res, err := infer.Run(a, p, z, infer.Any{infer.Stationary{Rel: 1e-6}, infer.Steps(500)}, nil)
	if err != nil || res.Status != infer.Converged || a.Raised() == 0 || math.Abs(z[0]) > 1e-4 {
		t.Errorf("z = %g, %v, raised %d times, error %v", z[0], res, a.Raised(), err)
	}
}
