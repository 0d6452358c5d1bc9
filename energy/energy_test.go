package energy_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/energy/energytest"
	"github.com/pcgraph/pcgraph/graph"
)

func TestFunctionals_Conform(t *testing.T) {
	runAll(t,
		energy.PC{},
		energy.PC{Output: energy.Categorical{Precision: .3}},
		energy.PC{Hidden: energy.Gaussian{Precision: 2}, Output: energy.Gaussian{Precision: 1e-3}},
		energy.WeightDecay{Rate: .7},
		energy.Spectral{Rate: .2},
		energy.ActivityDecay{Rate: 1.3},
		energy.Sum{energy.PC{Output: energy.Categorical{}}, energy.WeightDecay{Rate: .1}, energy.Spectral{Rate: .2}, energy.ActivityDecay{Rate: .3}},
		energy.PC{Blocks: map[string]energy.Likelihood{"second": energy.Gaussian{Precision: 3}}},
		energy.Coupled{},
		energy.Coupled{PC: energy.PC{Hidden: energy.Gaussian{Precision: 2}}, Extra: map[string][]string{"first": {"out"}, "out": {"first"}}},
	)
}

// runAll runs the conformance suite on functionals.
func runAll(t *testing.T, fs ...energy.Functional) {
	for _, f := range fs {
		t.Run(fmt.Sprintf("%T%+v", f, f), func(t *testing.T) { energytest.Run(t, f) })
	}
}

func TestOutputs_Conforms(t *testing.T) {
	runAll(t, energy.Outputs{Of: energy.PC{}, Factor: .3}, energy.Outputs{Of: energy.Sum{energy.PC{Output: energy.Categorical{}}, energy.WeightDecay{Rate: .1}}, Factor: -.05})
}

func TestLikelihoods_Conform(t *testing.T) {
	for _, l := range []energy.Likelihood{energy.Gaussian{}, energy.Gaussian{Precision: 40}, energy.Categorical{}, energy.Categorical{Precision: .05}} {
		t.Run(fmt.Sprintf("%T%+v", l, l), func(t *testing.T) { energytest.RunLikelihood(t, l) })
	}
}

// evaluate compiles nodes after filling the inputs by name.
func evaluate(t *testing.T, b *graph.Builder, inputs map[string][]float64, nodes ...*graph.Node) *graph.Program[float64] {
	t.Helper()
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	p, err := graph.Compile[float64](nodes...)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range b.Inputs() {
		copy(p.Value(in.Node), inputs[in.Name])
	}
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLikelihoods_AreTheirFormulas holds both against plain loops.
func TestLikelihoods_AreTheirFormulas(t *testing.T) {
	z, mu := []float64{.1, .7, .2, 0, 1, 0}, []float64{1, -2, .5, 3, 3, -1}
	half, nll := 0.0, 0.0
	for i := 0; i < 6; i += 3 {
		norm := math.Exp(mu[i]) + math.Exp(mu[i+1]) + math.Exp(mu[i+2])
		for k := i; k < i+3; k++ {
			half += (z[k] - mu[k]) * (z[k] - mu[k]) / 2 / 2
			nll -= z[k] * math.Log(math.Exp(mu[k])/norm) / 2
		}
	}
	for _, test := range []struct {
		lik  energy.Likelihood
		want float64
	}{
		{energy.Gaussian{}, half}, {energy.Gaussian{Precision: .25}, half / 4}, {energy.Gaussian{Precision: 1e-8}, half * 1e-8},
		{energy.Categorical{}, nll}, {energy.Categorical{Precision: 4}, nll * 4},
	} {
		b := graph.NewBuilder[float64]()
		s := energy.Prediction{Name: "y", Activity: b.Data("z", 2, 3), Mean: b.Data("mu", 2, 3)}
		n := test.lik.NegLog(b, s, 2)
		p := evaluate(t, b, map[string][]float64{"z": z, "mu": mu}, n)
		if got := p.Scalar(n); math.Abs(got-test.want) > 1e-14*math.Abs(test.want) {
			t.Errorf("%T%+v: %.16g, want %.16g", test.lik, test.lik, got, test.want)
		}
	}
}

// TestCategorical_IsStableForLargeLogits: exp(1000) overflows, the cross-entropy does not; closed forms.
func TestCategorical_IsStableForLargeLogits(t *testing.T) {
	tests := []struct {
		reason string
		y, mu  []float64
		want   float64
		grad   []float64 // softmax - y
	}{
		{"right and sure", []float64{1, 0}, []float64{1000, -1000}, 0, []float64{0, 0}},
		{"wrong and sure", []float64{0, 1}, []float64{1000, -1000}, 2000, []float64{1, -1}},
		{"undecided between large logits", []float64{1, 0}, []float64{1000, 1000}, math.Ln2, []float64{-.5, .5}},
		{"undecided between small logits", []float64{0, 1}, []float64{-1000, -1000}, math.Ln2, []float64{.5, -.5}},
		{"all large, one apart by one", []float64{.5, .5}, []float64{-1000, -1001}, math.Log1p(math.Exp(-1)) + .5,
			[]float64{1/(1+math.Exp(-1)) - .5, 1/(1+math.E) - .5}},
	}
	for _, test := range tests {
		b := graph.NewBuilder[float64]()
		s := energy.Prediction{Name: "y", Activity: b.Data("y", 1, 2), Mean: b.Data("mu", 1, 2)}
		n := energy.Categorical{}.NegLog(b, s, 1)
		g, err := graph.Grad(n, s.Mean)
		if err != nil {
			t.Fatal(err)
		}
		p := evaluate(t, b, map[string][]float64{"y": test.y, "mu": test.mu}, n, g[0])
		if got := p.Scalar(n); !(math.Abs(got-test.want) <= 1e-12) {
			t.Errorf("%s: %.16g, want %.16g", test.reason, got, test.want)
		}
		for k, want := range test.grad {
			if got := p.Value(g[0])[k]; !(math.Abs(got-want) <= 1e-12) {
				t.Errorf("%s: gradient[%d] = %.16g, want %.16g", test.reason, k, got, want)
			}
		}
	}
}

// latents has two weights and two free activities; used are the ones to hand to a functional.
func latents(b *graph.Builder, weights, free []string) energy.Latents {
	l := energy.Latents{Batch: 2}
	for _, name := range weights {
		l.Weights = append(l.Weights, energy.Named{Name: name, Node: b.Param(name, 2, 2)})
	}
	for _, name := range free {
		l.Free = append(l.Free, energy.Named{Name: name, Node: b.State(name, 2, 2)})
	}
	return l
}

// TestRegularisers_ActOnEveryLayer holds them against closed forms over all layers; with any layer left out they differ.
func TestRegularisers_ActOnEveryLayer(t *testing.T) {
	numbers := map[string][]float64{
		"first": {1, 2, 3, 4}, "middle": {-1, .5, 0, 2}, "last": {.25, -3, 1, 1},
	}
	names := []string{"first", "middle", "last"}
	square := func(w []float64) float64 { return w[0]*w[0] + w[1]*w[1] + w[2]*w[2] + w[3]*w[3] }
	spectral := func(w []float64) float64 { // |W W^T - I|^2
		return square([]float64{w[0]*w[0] + w[1]*w[1] - 1, w[0]*w[2] + w[1]*w[3], w[0]*w[2] + w[1]*w[3], w[2]*w[2] + w[3]*w[3] - 1})
	}
	const rate = .3
	for _, test := range []struct {
		f             energy.Functional
		weights, free []string
		one           func([]float64) float64 // the penalty of one layer
	}{
		{energy.WeightDecay{Rate: rate}, names, nil, func(w []float64) float64 { return rate / 2 * square(w) }},
		{energy.Spectral{Rate: rate}, names, nil, func(w []float64) float64 { return rate / 2 * spectral(w) }},
		{energy.ActivityDecay{Rate: rate}, nil, names, func(z []float64) float64 { return rate / 2 * square(z) / 2 }},
	} {
		b := graph.NewBuilder[float64]()
		ts := test.f.Terms(b, latents(b, test.weights, test.free))
		if len(ts) != 1 {
			t.Fatalf("%T: %d terms, want one", test.f, len(ts))
		}
		got, want := evaluate(t, b, numbers, ts[0].Node).Scalar(ts[0].Node), 0.0
		for _, name := range names {
			want += test.one(numbers[name])
		}
		if math.Abs(got-want) > 1e-13*want {
			t.Errorf("%T: %.15g, want %.15g over all layers", test.f, got, want)
		}
		for _, name := range names {
			if test.one(numbers[name]) < 1e-3*want {
				t.Errorf("%T: layer %s adds too little for its absence to be seen", test.f, name)
			}
		}
	}
}

// TestSpectral_OfRectangles: W W^T - I of a W [in, out] is [in, in], not [out, out]; closed form for W = (1 2 3).
func TestSpectral_OfRectangles(t *testing.T) {
	for _, test := range []struct {
		in, out int
		want    float64 // |W W^T - I|^2 / 2
	}{
		{1, 3, 13 * 13 / 2.},
		{3, 1, (14*14 - 2*14 + 3) / 2.},
	} {
		b := graph.NewBuilder[float64]()
		w := b.Param("W", test.in, test.out)
		ts := energy.Spectral{Rate: 1}.Terms(b, energy.Latents{Batch: 2, Weights: []energy.Named{{Name: "W", Node: w}}})
		if got := evaluate(t, b, map[string][]float64{"W": {1, 2, 3}}, ts[0].Node).Scalar(ts[0].Node); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("[%d, %d]: %v, want %v", test.in, test.out, got, test.want)
		}
	}
}

func TestRegularisers_AddNothingAtRateZero(t *testing.T) {
	for _, f := range []energy.Functional{energy.WeightDecay{}, energy.Spectral{}, energy.ActivityDecay{}} {
		b := graph.NewBuilder[float64]()
		if ts := f.Terms(b, latents(b, []string{"W"}, []string{"z"})); len(ts) != 0 || b.Err() != nil {
			t.Errorf("%T: terms %v, error %v: want none", f, ts, b.Err())
		}
	}
}

func TestRates_MustBeNumbersThatMakeSense(t *testing.T) {
	for _, v := range []float64{-1, -1e-300, math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, test := range []struct {
			f    energy.Functional
			want string
		}{
			{energy.WeightDecay{Rate: v}, "weight decay"},
			{energy.Spectral{Rate: v}, "spectral"},
			{energy.ActivityDecay{Rate: v}, "activity decay"},
			{energy.PC{Hidden: energy.Gaussian{Precision: v}}, "precision"},
			{energy.PC{Output: energy.Gaussian{Precision: v}}, "precision"},
			{energy.PC{Output: energy.Categorical{Precision: v}}, "precision"},
		} {
			b := graph.NewBuilder[float64]()
			l := latents(b, []string{"W"}, []string{"z"})
			for _, out := range []bool{false, true} {
				name := fmt.Sprintf("site%v", out)
				l.Predictions = append(l.Predictions, energy.Prediction{Name: name, Activity: b.Data(name, 2, 2), Mean: b.Data("mu"+name, 2, 2), Output: out})
			}
			test.f.Terms(b, l)
			if err := b.Err(); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "positive") {
				t.Errorf("%T of %v: error %v, want %q and what is wanted", test.f, v, err, test.want)
			}
		}
	}
}

// TestRates_AreCheckedWithoutLayers: a wrong rate is an error even where there is nothing for it to act on.
func TestRates_AreCheckedWithoutLayers(t *testing.T) {
	b := graph.NewBuilder[float64]()
	energy.WeightDecay{Rate: -1}.Terms(b, energy.Latents{Batch: 1})
	if b.Err() == nil {
		t.Error("no error")
	}
}
