package arch_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// factors of the weight matrices of a chain.
func factors(t *testing.T, s arch.Scaling, skips bool, widths ...int) []arch.Factors {
	t.Helper()
	n := must(arch.Chain{Scaling: s, Widths: widths, Skips: skips}.Network())(t)
	var fs []arch.Factors
	for _, w := range n.Weights() {
		fs = append(fs, w.Factors)
	}
	return fs
}

// TestScalings_HaveTheForwardFactorsOfThePapers: JPC's table and that of muPC (arXiv 2505.13124, table
// 1), with D inputs, width N and L weights.
func TestScalings_HaveTheForwardFactorsOfThePapers(t *testing.T) {
	const d, n, k = 7., 16., 3.
	const gamma = 2.5
	tests := []struct {
		scaling             arch.Scaling
		skips               bool
		first, hidden, last float64 // hidden for L = 5
		reason              string
	}{
		{arch.SP{}, false, 1, 1, 1, "sp has no factors"},
		{arch.SP{}, true, 1, 1, 1, "sp has no factors"},
		{nil, true, 1, 1, 1, "no scaling is sp"},
		{arch.NTP{}, false, 1 / math.Sqrt(d), 1 / math.Sqrt(n), 1 / math.Sqrt(n), "ntp without skips has no depth"},
		{arch.NTP{}, true, 1 / math.Sqrt(d), 1 / math.Sqrt(n*5), 1 / math.Sqrt(n), "L counts all weights, first and last too"},
		{arch.MuPC{}, false, 1 / math.Sqrt(d), 1 / math.Sqrt(n), 1 / n, "mupc without skips has no depth"},
		{arch.MuPC{}, true, 1 / math.Sqrt(d), 1 / math.Sqrt(n*5), 1 / n, "depth-muP"},
		{arch.MuPC{Gamma: gamma}, true, 1 / math.Sqrt(d), 1 / math.Sqrt(n*5), 1 / (gamma * n), "gamma divides the last factor"},
		{arch.Scaled{Of: arch.SP{}, Gamma: gamma}, true, 1, 1, 1 / gamma, "gamma of any scaling, sp too"},
		{arch.Scaled{Gamma: gamma}, false, 1, 1, 1 / gamma, "of nothing is of sp"},
		{arch.Scaled{Of: arch.NTP{}}, false, 1 / math.Sqrt(d), 1 / math.Sqrt(n), 1 / math.Sqrt(n), "gamma 0 means 1"},
		{arch.MuP{}, false, 1, 1, 1, "the abc-table in which the start carries the scaling"},
	}
	for _, test := range tests {
		got := factors(t, test.scaling, test.skips, d, n, n, n, n, k)
		want := []float64{test.first, test.hidden, test.hidden, test.hidden, test.last}
		for l, f := range got {
			if math.Abs(f.Forward-want[l]) > 1e-15 {
				t.Errorf("%v skips=%v, layer %d: factor %v, want %v (%s)", test.scaling, test.skips, l+1, f.Forward, want[l], test.reason)
			}
		}
	}
	if f := factors(t, arch.MuPC{}, true, d, n, k); f[0].Forward != 1/math.Sqrt(d) || f[1].Forward != 1/n {
		t.Errorf("two layers: %+v: want the first and the last row of the table", f)
	}
}

// TestScalings_HaveTheRatesOfThePapers: muP's table 3 (arXiv 2203.03466), and Gamma^2 N under SGD for muPC (2602.07697).
func TestScalings_HaveTheRatesOfThePapers(t *testing.T) {
	const d, n, k = 7, 16, 3
	tests := []struct {
		scaling   arch.Scaling
		sgd, adam [3]float64
	}{
		{arch.SP{}, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{arch.NTP{}, [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
		{arch.MuP{}, [3]float64{n, 1, 1. / n}, [3]float64{1, 1. / n, 1. / n}},
		{arch.MuPC{Gamma: 3}, [3]float64{9 * n, 9 * n, 9 * n}, [3]float64{1, 1, 1}},
	}
	for _, test := range tests {
		for l, f := range factors(t, test.scaling, false, d, n, n, k) {
			if f.SGD != test.sgd[l] || f.Adam != test.adam[l] {
				t.Errorf("%v, layer %d: rate factors %v and %v, want %v and %v", test.scaling, l+1, f.SGD, f.Adam, test.sgd[l], test.adam[l])
			}
		}
	}
}

// TestNewWeights_HaveTheScalingsDistribution: std and mean within five standard errors, range and kurtosis by kind.
func TestNewWeights_HaveTheScalingsDistribution(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	const d, n, k = 150, 200, 120
	tests := []struct {
		scaling arch.Scaling
		uniform bool
		std     [3]float64
		bias    float64 // std of the biases of the second layer
	}{
		{arch.SP{}, true, [3]float64{1 / math.Sqrt(3*d), 1 / math.Sqrt(3*n), 1 / math.Sqrt(3*n)}, 1 / math.Sqrt(3*n)},
		{arch.NTP{}, false, [3]float64{1, 1, 1}, 0},
		{arch.MuPC{}, false, [3]float64{1, 1, 1}, 0},
		{arch.MuP{}, false, [3]float64{1 / math.Sqrt(d), 1 / math.Sqrt(n), 1. / n}, 0},
	}
	moments := func(xs []float64) (mean, std, kurtosis, top float64) {
		for _, x := range xs {
			mean += x / float64(len(xs))
			std += x * x / float64(len(xs))
			kurtosis += x * x * x * x / float64(len(xs))
			top = max(top, math.Abs(x))
		}
		return mean, math.Sqrt(std), kurtosis / (std * std), top
	}
	for _, test := range tests {
		net := mlp(t, test.scaling, layers.Tanh, d, n, n, k)
		w := must(arch.NewWeights[float64](net, rng(1)))(t)
		for l := range 3 {
			data := w.Field(fmt.Sprintf("block%d/W", l+1))
			mean, std, kurtosis, top := moments(data)
			want, error1 := test.std[l], 5/math.Sqrt(float64(len(data)))
			if math.Abs(std/want-1) > error1 || math.Abs(mean/want) > error1 {
				t.Errorf("%v, layer %d: mean %.3g, std %.4g, want 0 and %.4g", test.scaling, l+1, mean, std, want)
			}
			if shape := map[bool]float64{true: 1.8, false: 3}[test.uniform]; math.Abs(kurtosis-shape) > 25*error1 {
				t.Errorf("%v, layer %d: kurtosis %.3f, want %.1f", test.scaling, l+1, kurtosis, shape)
			}
			if edge := want * math.Sqrt(3); test.uniform && (top > edge || top < .999*edge) {
				t.Errorf("%v, layer %d: largest %.5g, want just under %.5g", test.scaling, l+1, top, edge)
			}
		}
		if _, std, _, _ := moments(w.Field("block2/b")); math.Abs(std-test.bias) > .3*test.bias {
			t.Errorf("%v: biases of std %.4g, want %.4g", test.scaling, std, test.bias)
		}
	}
}

// TestForward_ScaleOverWidthAndDepth: rms^2 of the last hidden layer of linear networks with inputs of rms 1. For muPC
// with skips it is (1+1/L)^(L-2) within 5 % at N = 512 (derived for this project). For the others the closed forms
// of the expectation hold with the spread of a product of H random matrices, sqrt(2H/(N seeds)), here up to 15 %.
func TestForward_ScaleOverWidthAndDepth(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	const batch, inputs = 4, 100
	tests := []struct {
		scaling arch.Scaling
		skips   bool
		width   int
		seeds   int
		hidden  []int
		want    func(h float64) float64
		tol     float64
	}{
		{arch.MuPC{}, true, 512, 2, []int{1, 2, 8, 32}, func(h float64) float64 { return math.Pow(1+1/(h+1), h-1) }, .05},
		{arch.MuPC{}, true, 128, 4, []int{2, 32, 128}, func(h float64) float64 { return math.Pow(1+1/(h+1), h-1) }, .12},
		{arch.NTP{}, true, 128, 4, []int{2, 32}, func(h float64) float64 { return math.Pow(1+1/(h+1), h-1) }, .12},
		{arch.MuPC{}, false, 256, 6, []int{2, 8}, func(float64) float64 { return 1 }, .25},
		{arch.SP{}, false, 256, 6, []int{2, 8}, func(h float64) float64 { return math.Pow(3, -h) }, .25},
		{arch.SP{}, true, 256, 6, []int{2, 8, 16}, func(h float64) float64 { return math.Pow(4./3, h-1) / 3 }, .25},
		{arch.MuP{}, false, 256, 6, []int{2, 8}, func(float64) float64 { return 1 }, .25},
	}
	for _, test := range tests {
		for _, h := range test.hidden {
			widths := []int{inputs}
			for range h {
				widths = append(widths, test.width)
			}
			n := must(arch.Chain{Scaling: test.scaling, Widths: append(widths, 1), Skips: test.skips}.Network())(t)
			mean := 0.0
			for seed := range test.seeds {
				w := must(arch.NewWeights[float32](n, rng(uint64(seed))))(t)
				m := must(arch.Compile(n, w, arch.Plan{Batch: batch}))(t)
				x := normal[float32](rng(uint64(90+seed)), batch*inputs)
				for i := range x { // rms 1
					x[i] = float32(math.Copysign(1, float64(x[i])))
				}
				ok(t, m.Clamp(x, make([]float32, batch)))
				ok(t, m.Forward())
				z := m.StateVector().Field(fmt.Sprintf("block%d/z", h))
				for _, v := range z {
					mean += float64(v) * float64(v) / float64(len(z)*test.seeds)
				}
			}
			want := test.want(float64(h))
			t.Logf("%v skips=%v N=%d H=%d: rms %.4g, closed form %.4g", test.scaling, test.skips, test.width, h, math.Sqrt(mean), math.Sqrt(want))
			if math.Abs(mean/want-1) > test.tol {
				t.Errorf("%v skips=%v N=%d H=%d: rms^2 %.4g, want %.4g within %g %%", test.scaling, test.skips, test.width, h, mean, want, 100*test.tol)
			}
		}
	}
}

// TestMuPC_ScaleAdamFallsWithWidthAndDepth: 1/sqrt(N), of branches 1/sqrt(N L); ends learn at the full rate, and nothing
// else changes.
func TestMuPC_ScaleAdamFallsWithWidthAndDepth(t *testing.T) {
	plain, ours := resMLP(t, arch.MuPC{Gamma: 3}, layers.Tanh, 7, 16, 16, 16, 2), resMLP(t, arch.MuPC{Gamma: 3, ScaleAdam: true}, layers.Tanh, 7, 16, 16, 16, 2)
	want := []float64{1, 1. / 8, 1. / 8, 1}
	for i, w := range ours.Weights() {
		f := plain.Weights()[i].Factors
		if f.Adam != 1 || w.Factors.Adam != want[i] {
			t.Errorf("%s: %v and %v, want 1 and %v", w.Name, f.Adam, w.Factors.Adam, want[i])
		}
		if f.Adam = w.Factors.Adam; f != w.Factors {
			t.Errorf("%s: %+v, want %+v", w.Name, w.Factors, f)
		}
	}
	chain := mlp(t, arch.MuPC{ScaleAdam: true}, layers.Tanh, 7, 16, 16, 2)
	for _, w := range chain.Weights() {
		if w.Name == "block2/W" && w.Factors.Adam != 1./4 {
			t.Errorf("without skips: %v, want 1/4", w.Factors.Adam)
		}
	}
}
