package energy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/energy/energytest"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// The likelihoods of docs/RECIPES.md.

// errorOf is the error of a site, Activity - Prediction, which is a node already in the coordinates of errors.
func errorOf(b *graph.Builder, p energy.Prediction) *graph.Node {
	if p.Error != nil {
		return p.Error
	}
	return b.Sub(p.Activity, p.Mean)
}

// Laplace is the likelihood of a Laplace distribution around the prediction, 1/B sum_i 1/Scale sum_k |e_ik|.
type Laplace struct{ Scale float64 }

func (l Laplace) NegLog(b *graph.Builder, p energy.Prediction, batch int) *graph.Node {
	if !(l.Scale > 0) {
		b.Fail(errors.Errorf("Laplace of scale %v: want a positive number", l.Scale))
		return nil
	}
	return b.Sum(b.Abs(errorOf(b, p)), 1/(l.Scale*float64(batch)))
}

// Huber is quadratic for errors up to Delta and linear beyond: e^2/2, and Delta (|e| - Delta/2). With c the error clipped to
// +-Delta both are c (e - c/2).
type Huber struct{ Delta float64 }

func (l Huber) NegLog(b *graph.Builder, p energy.Prediction, batch int) *graph.Node {
	e := errorOf(b, p)
	c := b.Scale(b.Act(graph.HardTanh, b.Scale(e, 1/l.Delta)), l.Delta)
	return b.Scale(b.Inner(c, b.Combine([]float64{1, -.5}, e, c)), 1/float64(batch))
}

// PseudoHuber is Huber's function without the kink in its slope: Delta^2 (sqrt(1 + (e/Delta)^2) - 1).
type PseudoHuber struct{ Delta float64 }

func (l PseudoHuber) NegLog(b *graph.Builder, p energy.Prediction, batch int) *graph.Node {
	r := b.Scale(errorOf(b, p), 1/l.Delta)
	if b.Err() != nil {
		return nil // r is nil and has no shape
	}
	unit := r.Shape()[1:] // of one sample
	root := b.Sqrt(b.AddRow(b.Mul(r, r), b.Constant(1, unit...)))
	return b.Sum(b.AddRow(root, b.Constant(-1, unit...)), l.Delta*l.Delta/float64(batch))
}

// StudentT is the likelihood of Student's t distribution of Freedom degrees and scale 1: (Freedom+1)/2 log(1 + e^2/Freedom).
type StudentT struct{ Freedom float64 }

func (l StudentT) NegLog(b *graph.Builder, p energy.Prediction, batch int) *graph.Node {
	r := b.Scale(errorOf(b, p), 1/math.Sqrt(l.Freedom))
	if b.Err() != nil {
		return nil
	}
	one := b.Constant(1, r.Shape()[1:]...)
	return b.Sum(b.Log(b.AddRow(b.Mul(r, r), one)), (l.Freedom+1)/2/float64(batch))
}

func TestRecipes_Conform(t *testing.T) {
	for _, l := range []energy.Likelihood{Laplace{Scale: 2}, Huber{Delta: .7}, PseudoHuber{Delta: .7}, StudentT{Freedom: 3}} {
		t.Run(fmt.Sprintf("%T", l), func(t *testing.T) { energytest.RunLikelihood(t, l) })
	}
}

// TestRecipes_AreTheirFormulas: on errors on both sides of Delta, in batches of 2.
func TestRecipes_AreTheirFormulas(t *testing.T) {
	errs := []float64{.2, -.5, 1.4, -3, 0, 10}
	for _, test := range []struct {
		l energy.Likelihood
		f func(e float64) float64
	}{
		{Laplace{Scale: 2}, func(e float64) float64 { return math.Abs(e) / 2 }},
		{Huber{Delta: .7}, func(e float64) float64 {
			if math.Abs(e) <= .7 {
				return e * e / 2
			}
			return .7 * (math.Abs(e) - .35)
		}},
		{PseudoHuber{Delta: .7}, func(e float64) float64 { return .49 * (math.Hypot(1, e/.7) - 1) }},
		{StudentT{Freedom: 3}, func(e float64) float64 { return 2 * math.Log(1+e*e/3) }},
	} {
		b := graph.NewBuilder[float64]()
		z, mu := b.State("z", 2, 3), b.State("mu", 2, 3)
		f := test.l.NegLog(b, energy.Prediction{Name: "a", Activity: z, Mean: mu}, 2)
		in, want := map[string][]float64{"z": make([]float64, 6), "mu": {1, 2, 3, -1, -2, -3}}, 0.
		for i, e := range errs {
			in["z"][i] = in["mu"][i] + e
			want += test.f(e) / 2
		}
		if got := evaluate(t, b, in, f).Scalar(f); math.Abs(got-want) > 1e-14*want {
			t.Errorf("%T: %v, want %v", test.l, got, want)
		}
	}
}

// TestRecipes_SamplesStayApart: the constants in them do not keep a model from descending sample by sample, which is fast.
func TestRecipes_SamplesStayApart(t *testing.T) {
	for _, l := range []energy.Likelihood{Laplace{Scale: 2}, Huber{Delta: .7}, PseudoHuber{Delta: .7}, StudentT{Freedom: 3}} {
		m := robust[float32](l)
		if _, ok, err := m.FusedSteps(make([]float32, len(m.State())), m.State(), .01, 3); !ok || err != nil {
			t.Errorf("%T: not sample by sample (error %v)", l, err)
		}
	}
}

// robust is a model with a likelihood at its output, clamped to a batch of 2 whose second target is an outlier.
func robust[T graph.Float](l energy.Likelihood) *arch.Model[T] {
	n, err := arch.MLP(nil, layers.Tanh, 2, 3, 1)
	must(err)
	w, err := arch.NewWeights[T](n, rand.New(rand.NewPCG(1, 0)))
	must(err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: 2, Energy: energy.PC{Output: l}})
	must(err)
	must(m.Clamp([]T{1, 0, 0, 1}, []T{.5, 100}))
	must(m.Forward())
	return m
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// A likelihood of one's own goes where energy.Gaussian would: the outlier of the batch weighs with its size, not its square.
func ExampleLikelihood() {
	for _, l := range []energy.Likelihood{energy.Gaussian{}, Huber{Delta: 1}, Laplace{Scale: 1}} {
		f, err := robust[float64](l).Energy()
		must(err)
		fmt.Printf("%T %.0f\n", l, f)
	}
	// Output:
	// energy.Gaussian 2497
	// energy_test.Huber 50
	// energy_test.Laplace 50
}
