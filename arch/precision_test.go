package arch_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// TestPrecision_RecoversKnownNoise: data h = A x + noise and y = B h + noise of known levels, unit by unit for y and one for
// all of h, both clamped. Learned with the weights from a start of precision one, the noise is found within 5 %: 4000 samples
// tell a standard deviation to 1/sqrt(8000) = 1.1 %. At the minimum the precision is the inverse of the mean squared error
// that is left, to which it is held within .1 %.
func TestPrecision_RecoversKnownNoise(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	const batch, nx, nh, ny = 4000, 3, 2, 3
	noiseH, noiseY := .3, [ny]float64{.1, .5, 2}
	r := rng(1)
	a, b := normal[float64](r, nx*nh), normal[float64](r, nh*ny)
	x, h, y := normal[float64](r, nx*batch), make([]float64, nh*batch), make([]float64, ny*batch)
	for i := range batch {
		for k := range nh {
			h[i*nh+k] = noiseH * r.NormFloat64()
			for j := range nx {
				h[i*nh+k] += x[i*nx+j] * a[j*nh+k]
			}
		}
		for k := range ny {
			y[i*ny+k] = noiseY[k] * r.NormFloat64()
			for j := range nh {
				y[i*ny+k] += h[i*nh+j] * b[j*ny+k]
			}
		}
	}
	n := &arch.Network{Input: []int{nx}, Blocks: []arch.Block{
		{Name: "h", Layer: layers.Linear{In: nx, Out: nh}, Precision: arch.ScalarPrecision},
		{Name: "y", Layer: layers.Linear{In: nh, Out: ny}, Precision: arch.DiagonalPrecision},
	}}
	w := must(arch.NewWeights[float64](n, rng(2)))(t)
	m := must(arch.Compile(n, w, arch.Plan{Batch: batch, Hold: map[string]arch.Hold{"h": arch.Clamped}}))(t)
	ok(t, m.ClampSite("h", h))
	ok(t, m.Clamp(x, y))
	grad := make([]float64, len(w.Data()))
	adam := &optim.Adam[float64]{Rate: .05}
	for step := range 1500 {
		*adam.LearningRate() = .05 / (1 + float64(step)/100)
		must(m.ParamGrad(grad))(t)
		adam.Step(w.Data(), grad)
		w.Touch()
	}
	// mean squared errors by unit
	left := func(from, to []float64, weight []float64, in, out, k int) float64 {
		s := 0.
		for i := range batch {
			e := to[i*out+k]
			for j := range in {
				e -= from[i*in+j] * weight[j*out+k]
			}
			s += e * e / batch
		}
		return s
	}
	check := func(what string, log, noise, mse float64) {
		t.Logf("%s: noise %.4f learned, %.4f true, %.4f left", what, math.Exp(-log/2), noise, math.Sqrt(mse))
		if got := math.Exp(-log / 2); math.Abs(got/noise-1) > .05 {
			t.Errorf("%s: noise %.4f, want %.4f within 5 %%", what, got, noise)
		}
		if got := math.Exp(-log); math.Abs(got/mse-1) > 1e-3 {
			t.Errorf("%s: inverse precision %.6f, mean squared error %.6f", what, got, mse)
		}
	}
	mse := 0.
	for k := range nh {
		mse += left(x, h, w.Field("h/W"), nx, nh, k) / nh
	}
	check("h", w.Field("h/precision")[0], noiseH, mse)
	for k := range ny {
		check(numbered("y", k), w.Field("y/precision")[k], noiseY[k], left(h, y, w.Field("y/W"), nh, ny, k))
	}
}

// TestPrecision_IsAWeightOfItsOwn: its name and shape, factors of one under every scaling, no regulariser, and a gradient of
// zero in the coordinates of backprop, where a hidden site costs nothing.
func TestPrecision_IsAWeightOfItsOwn(t *testing.T) {
	for _, s := range []arch.Scaling{arch.SP{}, arch.NTP{}, arch.MuP{}, arch.MuPC{Gamma: 3}, arch.CompleteP{}} {
		n := &arch.Network{Input: []int{3}, Scaling: s, Blocks: []arch.Block{
			{Name: "a", Layer: layers.Linear{In: 3, Out: 4}, Precision: arch.DiagonalPrecision},
			{Name: "b", Layer: layers.Linear{In: 4, Out: 2}, Precision: arch.ScalarPrecision},
		}}
		var names []string
		for _, w := range n.Weights() {
			names = append(names, w.Name)
			if strings.HasSuffix(w.Name, "/precision") && (w.Factors != arch.Factors{Forward: 1, SGD: 1, Adam: 1}) {
				t.Errorf("%v: %s has factors %+v, want ones and a start at zero", s, w.Name, w.Factors)
			}
		}
		if want := []string{"a/W", "a/precision", "b/W", "b/precision"}; !slices.Equal(names, want) {
			t.Errorf("weights %v, want %v", names, want)
		}
		w := weightsOf[float64](t, n, 1)
		if len(w.Field("a/precision")) != 4 || len(w.Field("b/precision")) != 1 {
			t.Error("precisions of wrong sizes")
		}
		m := compile(t, n, w, arch.Plan{Batch: 3, Coordinates: arch.Feedforward})
		decayed := compile(t, n, w, arch.Plan{Batch: 3, Coordinates: arch.Feedforward, Energy: energy.Sum{energy.PC{}, energy.WeightDecay{Rate: 5}}})
		for range 2 { // into two slices
			grad, other := make([]float64, len(w.Data())), make([]float64, len(w.Data()))
			for i := range grad {
				grad[i] = 99
			}
			must(m.ParamGrad(grad))(t)
			must(decayed.ParamGrad(other))(t)
			sameBits(t, "hidden precision", w.Part(grad, 1), make([]float64, 4))
			if g := w.Part(grad, 3); g[0] == 0 || g[0] != w.Part(other, 3)[0] {
				t.Errorf("gradient with respect to the output's precision %v, decayed %v", g, w.Part(other, 3))
			}
		}
	}
}

// TestPrecision_AtZeroIsTheFixedEnergy: s = 0 changes neither energy nor gradients.
func TestPrecision_AtZeroIsTheFixedEnergy(t *testing.T) {
	plain, learned := mlp(t, nil, layers.Tanh, 5, 4, 3), mlp(t, nil, layers.Tanh, 5, 4, 3)
	for i := range learned.Blocks {
		learned.Blocks[i].Precision = arch.Precision(1 + i%2)
	}
	a := compile(t, plain, must(arch.NewWeights[float64](plain, rng(1)))(t), arch.Plan{Batch: 3})
	b := compile(t, learned, must(arch.NewWeights[float64](learned, rng(1)))(t), arch.Plan{Batch: 3})
	for _, f := range a.Weights().Fields() {
		copy(b.Weights().Field(f.Name), a.Weights().Field(f.Name))
	}
	b.Weights().Touch()
	copy(a.State(), normal[float64](rng(2), len(a.State())))
	copy(b.State(), a.State())
	ea, eb := evaluate(t, a), evaluate(t, b)
	near(t, "terms", eb.terms, ea.terms, 1e-14)
	near(t, "dF/dz", eb.dz, ea.dz, 1e-14)
}
