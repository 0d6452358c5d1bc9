package infer_test

import (
	"context"
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/infer"
)

// quadratic is 1/2 sum c_i z_i^2, whose curvatures are known.
func quadratic(c []float64) infer.Problem[float64] {
	return infer.Problem[float64]{Energy: func(g, z []float64) (float64, error) {
		f := 0.
		for i := range z {
			g[i] = c[i] * z[i]
			f += c[i] * z[i] * z[i] / 2
		}
		return f, nil
	}}
}

// TestLargestCurvature_IsTheLargestEigenvalue of a quadratic energy, wherever it is asked for, and z stays.
func TestLargestCurvature_IsTheLargestEigenvalue(t *testing.T) {
	for _, c := range [][]float64{{3}, {1, 5, .1, 2}, {7, -1, 2}, {.1, .2, -4}} {
		z := make([]float64, len(c))
		for i := range z {
			z[i] = float64(i) - 1
		}
		got, err := infer.LargestCurvature(quadratic(c), z)
		want := 0.
		for i, v := range c {
			want = math.Max(want, math.Abs(v))
			if z[i] != float64(i)-1 {
				t.Errorf("z was moved: %v", z)
			}
		}
		if err != nil || math.Abs(got/want-1) > .02 {
			t.Errorf("curvatures %v: largest %v, want %v, error %v", c, got, want, err)
		}
	}
	if c, err := infer.LargestCurvature(quadratic(nil), nil); c != 1 || err != nil {
		t.Errorf("of nothing: %v, %v", c, err)
	}
}

// TestSubgradient_ComesToRestOnAKink: of |z| + 1/2 (z-a)^2 the minimum is 0 for |a| < 1, and descent at a constant rate would go to and fro.
func TestSubgradient_ComesToRestOnAKink(t *testing.T) {
	kinked := infer.Problem[float64]{Energy: func(g, z []float64) (float64, error) {
		f := 0.
		for i, v := range z {
			a := .3 * float64(i)
			g[i] = math.Copysign(1, v) + v - a
			f += math.Abs(v) + (v-a)*(v-a)/2
		}
		return f, nil
	}}
	z := []float64{.9, -.7, .2}
	calls := 0
	steps, err := infer.Subgradient(t.Context(), kinked, z, 1, func() { calls++ })
	if err != nil || steps != calls || steps != 14*6 {
		t.Errorf("%d steps, %d calls, error %v", steps, calls, err)
	}
	for i, v := range z {
		if math.Abs(v) > 1e-3 {
			t.Errorf("z[%d] is %v, want 0", i, v)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if steps, err := infer.Subgradient(ctx, kinked, z, 1, func() {}); steps != 0 || err != nil {
		t.Errorf("cancelled: %d steps, error %v", steps, err)
	}
}

// TestLevel_StopsWhereTheEnergyNoLongerFalls, and only there; a second run begins anew.
func TestLevel_StopsWhereTheEnergyNoLongerFalls(t *testing.T) {
	l := &infer.Level{Window: 2, Rel: .1}
	for run := range 2 {
		for step, e := range []float64{10, 6, 4, 3.5, 3.4} {
			_, done := l.Done(infer.Reading{Step: step, Energy: e, FirstEnergy: 10, Residual: 1})
			if want := step == 4; done != want { // 4 - 3.4 of 10 - 3.4
				t.Errorf("run %d, step %d: done %v", run, step, done)
			}
		}
	}
	if _, done := l.Done(infer.Reading{Step: 5, Residual: math.Inf(1)}); done {
		t.Error("done without an evaluation")
	}
}

func TestCancelled_AsksItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if _, done := (infer.Cancelled{Context: ctx}).Done(infer.Reading{}); done {
		t.Error("done before")
	}
	cancel()
	if s, done := (infer.Cancelled{Context: ctx}).Done(infer.Reading{}); !done || s != infer.TimeLimit {
		t.Errorf("%v %v after", s, done)
	}
}
