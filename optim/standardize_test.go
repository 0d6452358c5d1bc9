package optim_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/pcgraph/pcgraph/optim"
)

// TestStandardize_PartsHaveTheirDeviation after a step, the rest is as Opt leaves it, and constants stay.
func TestStandardize_PartsHaveTheirDeviation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	w, g := make([]float64, 40), make([]float64, 40)
	for i := range w {
		w[i], g[i] = 1+3*rng.NormFloat64(), rng.NormFloat64()
	}
	for i := 30; i < 35; i++ {
		w[i], g[i] = 2, .5
	}
	plain := slices.Clone(w)
	(&optim.SGD[float64]{Rate: .1}).Step(plain, g)
	for _, sample := range []bool{false, true} {
		got := slices.Clone(w)
		o := &optim.Standardize[float64]{Opt: &optim.SGD[float64]{Rate: .1}, Sample: sample, Parts: []optim.Deviation{{Lo: 3, Hi: 20, Std: .25}, {Lo: 30, Hi: 35, Std: 1}, {Lo: 39, Hi: 40, Std: 1}}}
		o.Step(got, g)
		std := stat.PopStdDev(got[3:20], nil)
		if sample {
			std = stat.StdDev(got[3:20], nil)
		}
		if math.Abs(std-.25) > 1e-14 {
			t.Errorf("deviation %g, want 0.25", std)
		}
		factor := got[3] / plain[3]
		for i := range got {
			want := plain[i]
			if i >= 3 && i < 20 {
				want *= factor
			}
			if math.Abs(got[i]-want) > 1e-14*math.Abs(want) {
				t.Errorf("w[%d] = %g, want %g", i, got[i], want)
			}
		}
	}
}

// TestStandardize_SaysWhatIsWrong.
func TestStandardize_SaysWhatIsWrong(t *testing.T) {
	sgd := &optim.SGD[float64]{Rate: 1}
	for want, o := range map[string]*optim.Standardize[float64]{
		"nil pointer":    nil,
		"Opt is missing": {},
		"Std:0":          {Opt: sgd, Parts: []optim.Deviation{{Hi: 3}}},
		"Hi:2":           {Opt: sgd, Parts: []optim.Deviation{{Lo: 2, Hi: 2, Std: 1}}},
		"Rate":           {Opt: &optim.SGD[float64]{Rate: -1}},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	o := &optim.Standardize[float64]{Opt: sgd, Parts: []optim.Deviation{{Hi: 5, Std: 1}}}
	if err := optim.Fits(o, 4); err == nil || !strings.Contains(err.Error(), "[0:5] of 4") {
		t.Errorf("a part beyond the weights: %v", err)
	}
	if o.LearningRate() != &sgd.Rate || o.ChangesGradient() {
		t.Error("the rate is not Opt's, or the gradient is said to change")
	}
}
