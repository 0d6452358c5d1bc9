package closedform

import (
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
)

// TestRule_Gradient: oracle: a chain of one unit per layer with factor a at the first, w2 a w1 x, whose gradients are known:
// backprop's of L = (y - w2 a w1 x)^2 / 2, PC's of F* = L / (1 + w2^2).
func TestRule_Gradient(t *testing.T) {
	const a, w1, w2, x, y = .7, .8, -.6, 1.5, 2.
	n := theory.Linear{Weights: []*mat.Dense{mat.NewDense(1, 1, []float64{w1}), mat.NewDense(1, 1, []float64{w2})}, Factors: []float64{a, 1}}
	d, s := y-w2*a*w1*x, 1+w2*w2
	for _, test := range []struct {
		method Method
		energy float64
		want   [2]float64
	}{
		{Backprop, d * d / 2, [2]float64{-d * w2 * a * x, -d * a * w1 * x}},
		{PC, d * d / 2 / s, [2]float64{-d * w2 * a * x / s, -d*a*w1*x/s - d*d*w2/(s*s)}},
	} {
		r, err := New(n, test.method)
		if err != nil {
			t.Fatal(err)
		}
		grad := []float64{math.NaN(), math.NaN()}
		report, err := r.Gradient(grad, []float64{x}, []float64{y}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(report.Loss-d*d/2) > 1e-14 || math.Abs(report.Energy-test.energy) > 1e-14 {
			t.Errorf("method %d: loss %g, energy %g, want %g, %g", test.method, report.Loss, report.Energy, d*d/2, test.energy)
		}
		for i, want := range test.want {
			if math.Abs(grad[i]-want) > 1e-14 {
				t.Errorf("method %d: gradient of weight %d is %g, want %g", test.method, i+1, grad[i], want)
			}
		}
		p, err := r.Subject().Predict([]float64{x, 2 * x})
		if err != nil || math.Abs(p[0]-w2*a*w1*x) > 1e-14 || math.Abs(p[1]-2*w2*a*w1*x) > 1e-14 {
			t.Errorf("method %d: predictions %v, error %v, want %g and twice that", test.method, p, err, w2*a*w1*x)
		}
		r.Subject().Weights.Data()[0] = 9
		if n.Weights[0].At(0, 0) != w1 {
			t.Error("the rule trains the caller's network and not a copy")
		}
	}
}

// TestRule_SaysThatItDiverged at weights that cannot be factorised, and refuses a network that is none.
func TestRule_SaysThatItDiverged(t *testing.T) {
	r, err := New(theory.Linear{Weights: []*mat.Dense{mat.NewDense(1, 1, []float64{1}), mat.NewDense(1, 1, []float64{math.NaN()})}}, PC)
	if err != nil {
		t.Fatal(err)
	}
	var diverged *train.DivergenceError
	if _, err := r.Gradient(make([]float64, 2), []float64{1}, []float64{1}, 1); !errors.As(err, &diverged) {
		t.Errorf("error %v, want a DivergenceError", err)
	}
	if _, err := New(theory.Linear{}, PC); err == nil {
		t.Error("a network without weights is no error")
	}
}
