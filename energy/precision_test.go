package energy_test

import (
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// precise is a functional whose every site has a learned precision, whose logarithm is a tenth of the sum of a weight.
type precise struct{ likelihood energy.Likelihood }

func (f precise) Terms(b *graph.Builder, l energy.Latents) []energy.Term {
	for i := range l.Predictions {
		w := l.Weights[i%len(l.Weights)].Node
		l.Predictions[i].LogPrecision = b.Spread(b.Sum(w, .1), l.Predictions[i].Mean.Shape()[1:]...)
	}
	return energy.PC{Hidden: f.likelihood, Output: f.likelihood}.Terms(b, l)
}

func TestGaussian_OfALearnedPrecisionConforms(t *testing.T) {
	runAll(t, precise{energy.Gaussian{}}, precise{energy.Gaussian{Precision: .3}})
}

// TestGaussian_OfALearnedPrecisionIsItsFormula, unit by unit, with the log-determinant counted once per sample.
func TestGaussian_OfALearnedPrecisionIsItsFormula(t *testing.T) {
	z, mu, s := []float64{.1, .7, .2, 0, 1, 0}, []float64{1, -2, .5, 3, 3, -1}, []float64{-1, .5, 2}
	for _, precision := range []float64{1, .25} {
		want := 0.
		for i := range z {
			want += precision / 2 / 2 * math.Exp(s[i%3]) * (z[i] - mu[i]) * (z[i] - mu[i])
		}
		for _, v := range s {
			want -= v / 2
		}
		for _, given := range []bool{false, true} { // the error as a node
			b := graph.NewBuilder[float64]()
			site := energy.Prediction{Name: "y", Activity: b.Data("z", 2, 3), Mean: b.Data("mu", 2, 3), LogPrecision: b.Param("s", 3)}
			if given {
				site.Error = b.Sub(site.Activity, site.Mean)
			}
			n := energy.Gaussian{Precision: precision}.NegLog(b, site, 2)
			p := evaluate(t, b, map[string][]float64{"z": z, "mu": mu, "s": s}, n)
			if got := p.Scalar(n); math.Abs(got-want) > 1e-14*math.Abs(want) {
				t.Errorf("precision %v: %.16g, want %.16g", precision, got, want)
			}
		}
	}
}

// TestCategorical_OfAMask: units that are free add nothing, even if they are not numbers.
func TestCategorical_OfAMask(t *testing.T) {
	y, mu, mask := []float64{.2, .8, math.NaN(), math.Inf(1)}, []float64{1, -2, .5, 3}, []float64{1, 1, 0, 0}
	want := 0.
	for k := range 2 {
		want -= y[k] * (mu[k] - math.Log(math.Exp(mu[0])+math.Exp(mu[1]))) / 2
	}
	b := graph.NewBuilder[float64]()
	s := energy.Prediction{Name: "y", Activity: b.Data("y", 2, 2), Mean: b.Data("mu", 2, 2), Mask: b.Data("mask", 2, 2)}
	n := energy.Categorical{}.NegLog(b, s, 2)
	g, err := graph.Grad(n, s.Mean)
	if err != nil {
		t.Fatal(err)
	}
	p := evaluate(t, b, map[string][]float64{"y": y, "mu": mu, "mask": mask}, n, g[0])
	if got := p.Scalar(n); !(math.Abs(got-want) < 1e-14) {
		t.Errorf("%.16g, want %.16g", got, want)
	}
	if d := p.Value(g[0]); d[2] != 0 || d[3] != 0 || d[0] == 0 {
		t.Errorf("gradient with respect to the logits %v, want zeros for the sample without a label", d)
	}
}

func TestPC_TakesALikelihoodForOneBlock(t *testing.T) {
	f := energy.PC{Blocks: map[string]energy.Likelihood{"b": energy.Gaussian{Precision: 5}, "exact": energy.Categorical{}}}
	b := graph.NewBuilder[float64]()
	l := energy.Latents{Batch: 1, Exact: []string{"exact"}}
	for _, name := range []string{"a", "b"} {
		l.Predictions = append(l.Predictions, energy.Prediction{Name: name, Activity: b.Data("z"+name, 1, 1), Mean: b.Data("mu"+name, 1, 1), Output: name == "b"})
	}
	ts := f.Terms(b, l)
	p := evaluate(t, b, map[string][]float64{"za": {2}, "zb": {2}}, ts[0].Node, ts[1].Node)
	if a, b := p.Scalar(ts[0].Node), p.Scalar(ts[1].Node); a != 2 || b != 10 {
		t.Errorf("energies %v and %v, want 2 and 10", a, b)
	}
	f.Blocks["q"] = energy.Gaussian{}
	f.Terms(b, l)
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), `"q"`) || !strings.Contains(err.Error(), "exact, a, b") {
		t.Errorf("a likelihood for no block: error %v", err)
	}
}
