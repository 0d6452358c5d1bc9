package theory

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Oracle: the table of the JPC library, written out for D = 9, N = 16, L = 4.
func TestSpec_FactorsEqualTheTable(t *testing.T) {
	tests := []struct {
		spec Spec
		want []float64
	}{
		{Spec{Scaling: SP, Depth: 4}, []float64{1, 1, 1, 1}},
		{Spec{Scaling: SP, Depth: 4, Skips: true, Gamma: 2}, []float64{1, 1, 1, 1. / 2}},
		{Spec{Scaling: NTP, Depth: 4}, []float64{1. / 3, 1. / 4, 1. / 4, 1. / 4}},
		{Spec{Scaling: NTP, Depth: 4, Skips: true}, []float64{1. / 3, 1. / 8, 1. / 8, 1. / 4}},
		{Spec{Scaling: MuPC, Depth: 4}, []float64{1. / 3, 1. / 4, 1. / 4, 1. / 16}},
		{Spec{Scaling: MuPC, Depth: 4, Skips: true}, []float64{1. / 3, 1. / 8, 1. / 8, 1. / 16}},
		{Spec{Scaling: MuPC, Depth: 4, Skips: true, Gamma: 0.5}, []float64{1. / 3, 1. / 8, 1. / 8, 1. / 8}},
		{Spec{Scaling: MuPC, Depth: 4, Skips: true, DepthPower: 1}, []float64{1. / 3, 1. / 16, 1. / 16, 1. / 16}},
		{Spec{Scaling: MuPC, Depth: 2, Skips: true}, []float64{1. / 3, 1. / 16}},
		{Spec{Scaling: Orthogonal, Depth: 2, Gamma: 4}, []float64{1, 1. / 4}},
		{Spec{Scaling: MuP, Depth: 3, Gamma: 4}, []float64{1, 1, 1. / 4}},
		{Spec{Scaling: MuPC, Depth: 4, Hidden: []int{4, 25, 16}}, []float64{1. / 3, 1. / 2, 1. / 5, 1. / 16}},
	}
	for _, test := range tests {
		test.spec.Inputs, test.spec.Width, test.spec.Outputs = 9, 16, 5
		got := must(test.spec.Factors())(t)
		if d := cmp.Diff(test.want, got, cmpopts.EquateApprox(1e-15, 0)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", test.spec, d)
		}
	}
}

// Oracle: closed forms, one per parametrisation.
func TestSpec_ExpectedRescalingClosedForms(t *testing.T) {
	const width = 32
	for _, depth := range []int{2, 3, 8, 32} {
		l, n := float64(depth), float64(width)
		power := func(alpha float64) float64 {
			sum := 0.0
			for k := range depth - 1 {
				sum += math.Pow(1+math.Pow(l, -2*alpha), float64(k))
			}
			return 1 + sum/n
		}
		grow := l * (math.Pow(1+1/l, l-1) - 1)
		tests := []struct {
			spec Spec
			want float64
		}{
			{Spec{Scaling: MuPC, Skips: true}, 1 + grow/n},
			{Spec{Scaling: MuPC}, 1 + (l-1)/n},
			{Spec{Scaling: MuPC, Skips: true, DepthPower: 1}, power(1)},
			{Spec{Scaling: SP}, 1 + 0.5*(1-math.Pow(3, -(l-1)))},
			{Spec{Scaling: SP, Skips: true}, math.Pow(4./3, l-1)},
			{Spec{Scaling: NTP, Skips: true}, 1 + grow},
			{Spec{Scaling: NTP}, l},
			{Spec{Scaling: Orthogonal}, l},
			{Spec{Scaling: MuPC, Gamma: 2, Precision: 5}, 1./5 + (l-1)/n/4},
		}
		for _, test := range tests {
			test.spec.Inputs, test.spec.Width, test.spec.Outputs, test.spec.Depth = 7, width, 3, depth
			if got := must(test.spec.ExpectedRescaling())(t); math.Abs(got-test.want) > 1e-13*test.want {
				t.Errorf("%+v: %.15g, want %.15g", test.spec, got, test.want)
			}
		}
	}
}

// Monte Carlo: the mean of S over draws is s I. Tolerance: 4 standard errors of
// the mean of tr(S)/K, estimated from the same draws; each draw is one sample,
// so correlations within a draw do not matter.
func TestSpec_ExpectedRescalingIsTheMeanOverDraws(t *testing.T) {
	const draws, outputs = 400, 3
	for _, scaling := range []Scaling{SP, NTP, MuPC, MuP, Orthogonal} {
		for _, skips := range []bool{false, true} {
			for _, power := range []float64{0, 1} {
				spec := Spec{Scaling: scaling, Inputs: 5, Width: 12, Outputs: outputs, Depth: 5, Skips: skips, DepthPower: power, Gamma: 0.8}
				rng := rand.New(rand.NewPCG(11, uint64(scaling)))
				want := must(spec.ExpectedRescaling())(t)
				var sum, squares, off float64
				for range draws {
					s := must(must(spec.Sample(rng))(t).Rescaling())(t)
					v := mat.Trace(s) / outputs
					sum += v
					squares += v * v
					off += s.At(0, 1)
				}
				mean := sum / draws
				stderr := math.Sqrt((squares/draws-mean*mean)/draws) + 1e-12
				if math.Abs(mean-want) > 4*stderr {
					t.Errorf("%v skips=%v power=%g: mean %.5g +- %.2g, want %.5g", scaling, skips, power, mean, stderr, want)
				}
				if 4*stderr > 0.2*want {
					t.Errorf("%v skips=%v: too few draws to say anything: +- %g of %g", scaling, skips, stderr, want)
				}
				if math.Abs(off/draws) > 0.1*want {
					t.Errorf("%v skips=%v: mean off-diagonal %g, want 0", scaling, skips, off/draws)
				}
			}
		}
	}
}

// With more outputs than hidden units the last orthogonal map loses length.
func TestSpec_ExpectedRescalingOrthogonalManyOutputs(t *testing.T) {
	spec := Spec{Scaling: Orthogonal, Inputs: 5, Width: 4, Outputs: 8, Depth: 3}
	n := must(spec.Sample(rand.New(rand.NewPCG(1, 0))))(t)
	s := must(n.Rescaling())(t)
	want := must(spec.ExpectedRescaling())(t)
	if got := mat.Trace(s) / 8; math.Abs(got-want) > 1e-12 { // the trace is the same for every draw
		t.Errorf("tr S/K = %g, want %g", got, want)
	}
}

func TestOrthogonal_IsSemiOrthogonal(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	for _, shape := range [][2]int{{5, 5}, {7, 3}, {3, 7}, {1, 4}} {
		w := orthogonal(rng, shape[0], shape[1])
		near(t, "shape", mat.NewDense(1, 2, []float64{float64(w.RawMatrix().Rows), float64(w.RawMatrix().Cols)}),
			mat.NewDense(1, 2, []float64{float64(shape[0]), float64(shape[1])}), 0)
		var gram mat.Dense
		if shape[0] < shape[1] {
			gram.Mul(w, w.T())
		} else {
			gram.Mul(w.T(), w)
		}
		k := min(shape[0], shape[1])
		eye := mat.NewDense(k, k, nil)
		for i := range k {
			eye.Set(i, i, 1)
		}
		near(t, fmt.Sprint(shape), &gram, eye, 1e-14)
	}
}

// Oracles: the spectrum of a drawn network, and digits computed independently.
func TestOrthogonalCondition(t *testing.T) {
	printed := map[int]float64{1: 2, 2: 7.854, 4: 29.997, 8: 113.919, 16: 437.928}
	for _, hidden := range []int{1, 2, 3, 4, 8, 16} {
		spec := Spec{Scaling: Orthogonal, Inputs: 4, Width: 6, Outputs: 2, Depth: hidden + 1}
		h := must(must(spec.Sample(rand.New(rand.NewPCG(3, 0))))(t).ActivityHessian())(t)
		eig := must(Eigenvalues(h))(t)
		low, high := OrthogonalExtremes(hidden)
		if math.Abs(eig[0]-low) > 1e-12 || math.Abs(eig[len(eig)-1]-high) > 1e-12 {
			t.Errorf("H=%d: extremes %.15g, %.15g, want %.15g, %.15g", hidden, eig[0], eig[len(eig)-1], low, high)
		}
		kappa := OrthogonalCondition(hidden)
		if got := must(Condition(h))(t); math.Abs(got-kappa) > 1e-9*kappa {
			t.Errorf("H=%d: condition %.10g, want %.10g", hidden, got, kappa)
		}
		if want, ok := printed[hidden]; ok && math.Abs(kappa-want) > 0.0005 {
			t.Errorf("H=%d: %.6g, printed %.6g", hidden, kappa, want)
		}
	}
}

// Oracle: condition numbers at initialisation, computed independently, N = 64,
// K = 10, to its +-25%; the geometric mean of 3 draws. The inputs do not enter.
func TestCondition_AtInitialisation(t *testing.T) {
	t.Parallel()
	hidden := []int{1, 2, 4, 8, 16}
	tests := []struct {
		scaling   Scaling
		skips     bool
		want      []float64 // by number of hidden layers
		tolerance float64
	}{
		{SP, false, []float64{1.55, 8.04, 18.5, 31.9, 37.7}, 0.25},
		{SP, true, []float64{1.55, 26.8, 185, 1804, 3.77e4}, 0.25},
		{MuPC, false, []float64{1.03, 30.5, 174, 955, 5440}, 0.25},
		{MuPC, true, []float64{1.03, 27.3, 122, 519, 2063}, 0.25},
		{MuP, false, []float64{1.03, 30.5, 174, 955, 5440}, 0.25}, // the same maps
		{Orthogonal, false, []float64{2, 7.854, 29.997, 113.919, 437.928}, 2e-5},
	}
	for _, test := range tests {
		for i, want := range test.want {
			spec := Spec{Scaling: test.scaling, Inputs: 16, Width: 64, Outputs: 10, Depth: hidden[i] + 1, Skips: test.skips}
			rng := rand.New(rand.NewPCG(4, uint64(i)))
			logs := 0.0
			for range 3 {
				logs += math.Log(must(must(spec.Sample(rng))(t).Condition())(t)) / 3
			}
			if got := math.Exp(logs); math.Abs(got/want-1) > test.tolerance {
				t.Errorf("%v skips=%v H=%d: condition %.6g, want %.6g", test.scaling, test.skips, hidden[i], got, want)
			}
		}
	}
}

// Oracles: printed digits of the closed forms, and the mean of tr S/K over 8
// draws of N = 128, to 3 %.
func TestSpec_ExpectedRescalingNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		spec    Spec
		printed float64 // 0 if none is
		digits  float64
	}{
		{Spec{Scaling: SP, Skips: true, Width: 512, Depth: 8}, 7.49, 0.005},
		{Spec{Scaling: SP, Skips: true, Width: 512, Depth: 16}, 74.8, 0.05},
		{Spec{Scaling: SP, Skips: true, Width: 512, Depth: 32}, 7.47e3, 5},
		{Spec{Scaling: NTP, Skips: true, Width: 512, Depth: 4}, 4.81, 0.005},
		{Spec{Scaling: NTP, Skips: true, Width: 512, Depth: 8}, 11.25, 0.01},
		{Spec{Scaling: NTP, Skips: true, Width: 512, Depth: 16}, 24.7, 0.05},
		{Spec{Scaling: NTP, Skips: true, Width: 512, Depth: 32}, 52.1, 0.05},
		{Spec{Scaling: MuPC, Skips: true, DepthPower: 1, Width: 256, Depth: 8}, 1.0287, 5e-5},
		{Spec{Scaling: MuPC, Skips: true, DepthPower: 1, Width: 256, Depth: 32}, 1.1229, 5e-5},
		{Spec{Scaling: MuPC, Skips: true, DepthPower: 1, Width: 256, Depth: 64}, 1.2480, 5e-5},
		// with one output, E[S] - 1
		{Spec{Scaling: MuPC, Width: 128, Depth: 8}, 1.0547, 5e-5},
		{Spec{Scaling: MuPC, Width: 128, Depth: 32}, 1.2422, 5e-5},
		{Spec{Scaling: MuPC, Skips: true, Width: 128, Depth: 8}, 1.0800, 5e-5},
		{Spec{Scaling: MuPC, Skips: true, Width: 128, Depth: 32}, 1.3990, 5e-5},
		// the table of muPC with skips over width and depth
		{Spec{Scaling: MuPC, Skips: true, Width: 8, Depth: 4}, 1.4766, 5e-5},
		{Spec{Scaling: MuPC, Skips: true, Width: 8, Depth: 64}, 14.247, 5e-4},
		{Spec{Scaling: MuPC, Skips: true, Width: 64, Depth: 16}, 1.3707, 5e-5},
		{Spec{Scaling: MuPC, Skips: true, Width: 1024, Depth: 64}, 1.1035, 5e-5},
	}
	for _, test := range tests {
		test.spec.Inputs, test.spec.Outputs = 1, 10
		if got := must(test.spec.ExpectedRescaling())(t); math.Abs(got-test.printed) > 1.02*test.digits {
			t.Errorf("%+v: %.6g, printed %.6g", test.spec, got, test.printed)
		}
	}
	const draws, outputs = 8, 10
	for _, spec := range []Spec{
		{Scaling: MuPC, Skips: true, Depth: 16}, {Scaling: MuPC, Depth: 16}, {Scaling: MuP, Depth: 16},
		{Scaling: SP, Depth: 16}, {Scaling: SP, Skips: true, Depth: 8},
		{Scaling: NTP, Skips: true, Depth: 16}, {Scaling: NTP, Depth: 8},
		{Scaling: MuPC, Skips: true, DepthPower: 1, Depth: 16}, {Scaling: Orthogonal, Depth: 16},
	} {
		spec.Inputs, spec.Width, spec.Outputs = 1, 128, outputs
		rng := rand.New(rand.NewPCG(12, 0))
		mean := 0.0
		for range draws {
			mean += mat.Trace(must(must(spec.Sample(rng))(t).Rescaling())(t)) / outputs / draws
		}
		if want := must(spec.ExpectedRescaling())(t); math.Abs(mean/want-1) > 0.03 {
			t.Errorf("%+v: mean of S %.5g, want %.5g", spec, mean, want)
		}
	}
}

// Oracle: rms activities of the last hidden layer that were measured for one draw
// of N = 128, for inputs of rms 1, and our own draw. Every layer multiplies the
// squared length by a variable of mean 1 and variance 2/N or, beside a skip, less:
// the logarithm of the rms has standard deviation sqrt(H/(2N)) and mean -H/(2N).
func TestSpec_ExpectedSquares(t *testing.T) {
	t.Parallel()
	const width = 128
	hidden := []int{2, 8, 32, 128}
	for _, test := range []struct {
		spec     Spec
		measured []float64
	}{
		{Spec{Scaling: SP}, []float64{0.333, 0.0126, 2.2e-8, 2.2e-31}},
		{Spec{Scaling: SP, Skips: true}, []float64{0.66, 1.5, 48, 5.5e7}},
		{Spec{Scaling: MuPC, Skips: true}, []float64{1.16, 1.47, 1.59, 1.68}},
		{Spec{Scaling: MuPC}, []float64{1.02, 1.0, 1.08, 1.76}},
		{Spec{Scaling: MuP}, []float64{1.02, 1.0, 1.08, 1.76}},
		{Spec{Scaling: Orthogonal}, []float64{0.984, 0.984, 0.984, 0.984}},
	} {
		for i, h := range hidden {
			test.spec.Inputs, test.spec.Width, test.spec.Outputs, test.spec.Depth = 784, width, 10, h+1
			want := math.Sqrt(must(test.spec.ExpectedSquares())(t)[h-1])
			if test.spec.Scaling == MuPC && test.spec.Skips {
				l := float64(h + 1)
				if form := math.Pow(1+1/l, (l-2)/2); math.Abs(want-form) > 1e-13*form {
					t.Errorf("H=%d: rms %.15g, closed form %.15g", h, want, form)
				}
			}
			spread := math.Sqrt(float64(h) / (2 * width))
			allowed := 3*spread + float64(h)/(2*width)
			rng := rand.New(rand.NewPCG(13, uint64(h)))
			n := must(test.spec.Sample(rng))(t)
			z := random(rng, 1, 784)
			z.Scale(math.Sqrt(784)/mat.Norm(z, 2), z)
			for l := range h {
				z = n.forward(l, z)
			}
			for what, got := range map[string]float64{"recorded": test.measured[i], "drawn": mat.Norm(z, 2) / math.Sqrt(width)} {
				if math.Abs(math.Log(got/want)) > allowed {
					t.Errorf("%v skips=%v H=%d: %s rms %.3g, expected %.3g, log off by more than %.2g",
						test.spec.Scaling, test.spec.Skips, h, what, got, want, allowed)
				}
			}
		}
	}
}

// With hidden layers of any widths. Oracle: the mean over draws, within 4
// standard errors; factors by the inputs of each weight.
func TestSpec_AnyWidths(t *testing.T) {
	const draws = 600
	for _, scaling := range []Scaling{SP, NTP, MuPC, MuP, Orthogonal} {
		spec := Spec{Scaling: scaling, Inputs: 3, Hidden: []int{9, 4, 6}, Outputs: 2, Depth: 4, Gamma: 0.5}
		want := must(spec.ExpectedRescaling())(t)
		squares := must(spec.ExpectedSquares())(t)
		rng := rand.New(rand.NewPCG(14, uint64(scaling)))
		x := mat.NewDense(1, 3, []float64{1, -1, 1})
		got := make([][]float64, 5) // S, then the layers
		for range draws {
			n := must(spec.Sample(rng))(t)
			got[0] = append(got[0], mat.Trace(must(n.Rescaling())(t))/2)
			for l, mu := range must(n.Feedforward(x, mat.NewDense(1, 2, nil)))(t).Predictions {
				_, units := mu.Dims()
				got[l+1] = append(got[l+1], dot(mu, mu)/float64(units))
			}
		}
		for i, want := range append([]float64{want}, squares...) {
			mean, std := stat.MeanStdDev(got[i], nil)
			if stderr := std/math.Sqrt(draws) + 1e-12; math.Abs(mean-want) > 4*stderr || stderr > 0.15*want {
				t.Errorf("%v: quantity %d is %.4g +- %.1g, want %.4g", scaling, i, mean, stderr, want)
			}
		}
	}
	for want, err := range map[string]error{
		"2 hidden widths": Spec{Inputs: 1, Outputs: 1, Depth: 4, Hidden: []int{1, 2}}.Validate(),
		"of one width":    Spec{Inputs: 1, Outputs: 1, Depth: 3, Hidden: []int{1, 2}, Skips: true}.Validate(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Oracle: a width-by-depth table computed independently as the mean of 5 draws, and here of 2, with
// its tolerances: loss over F* within 3 %, cosine of the PC and BP gradients
// within .03 at N = 128; 10 % and .08 below.
func TestEquilibrium_WidthByDepthTable(t *testing.T) {
	t.Parallel()
	widths := []int{32, 64, 128}
	tests := []struct {
		depth         int
		ratio, cosine []float64 // by width
	}{
		{4, []float64{1.123, 1.062, 1.030}, []float64{0.9831, 0.9949, 0.9987}},
		{8, []float64{1.374, 1.170, 1.080}, []float64{0.9201, 0.9702, 0.9919}},
		{16, []float64{1.806, 1.371, 1.182}, []float64{0.7710, 0.9028, 0.9668}},
		{32, []float64{2.520, 1.741, 1.412}, []float64{0.5485, 0.7435, 0.8855}},
	}
	const samples, inputs, outputs, seeds = 64, 784, 10, 2
	for _, test := range tests {
		for i, width := range widths {
			spec := Spec{Scaling: MuPC, Inputs: inputs, Width: width, Outputs: outputs, Depth: test.depth, Skips: true}
			rng := rand.New(rand.NewPCG(6, uint64(test.depth)))
			var ratio, cosine float64
			for range seeds {
				n := must(spec.Sample(rng))(t)
				x, y := random(rng, samples, inputs), mat.NewDense(samples, outputs, nil)
				for b := range samples {
					y.Set(b, rng.IntN(outputs), 1)
				}
				eq, pass := must(n.Equilibrium(x, y))(t), must(n.Feedforward(x, y))(t)
				ratio += pass.Loss / eq.Energy / seeds
				cosine += must(eq.Gradient().Cosine(pass.Gradient()))(t) / seeds
			}
			relative, absolute := 0.1, 0.08
			if width >= 128 {
				relative, absolute = 0.03, 0.03
			}
			if math.Abs(ratio/test.ratio[i]-1) > relative || math.Abs(cosine-test.cosine[i]) > absolute {
				t.Errorf("L=%d N=%d: loss/F* %.4g, cosine %.4g, want %.4g, %.4g",
					test.depth, width, ratio, cosine, test.ratio[i], test.cosine[i])
			}
		}
	}
}

// Oracle: cosines of the PC and BP gradients at the start of the toy task, 40
// samples of 20 inputs, one draw each, recorded; they lie within .05 of the range
// of 10 draws. Wide muPC is near 1, SP is not. (Of SP at N = 8, .57 is on record,
// where 60 draws gave -.18 to .53.)
func TestEquilibrium_CosinesOfTheToyTask(t *testing.T) {
	t.Parallel()
	widths := []int{8, 32, 128}
	for _, test := range []struct {
		spec Spec
		want []float64 // by width
	}{
		{Spec{Scaling: MuPC, Depth: 4}, []float64{0.474, 0.911, 0.995}},
		{Spec{Scaling: MuPC, Depth: 4, Skips: true}, []float64{0.501, 0.897, 0.995}},
		{Spec{Scaling: MuPC, Depth: 16, Skips: true}, []float64{-0.055, 0.426, 0.862}},
		{Spec{Scaling: SP, Depth: 4}, []float64{math.NaN(), 0.39, 0.61}},
	} {
		for i, width := range widths {
			test.spec.Inputs, test.spec.Outputs, test.spec.Width = 20, 1, width
			rng := rand.New(rand.NewPCG(15, uint64(width)))
			low, high := 1.0, -1.0
			for range 10 {
				x, y := toy(rng, 40, 20)
				n, target := must(test.spec.Sample(rng))(t), mat.NewDense(40, 1, y)
				c := must(must(n.Equilibrium(x, target))(t).Gradient().Cosine(must(n.Feedforward(x, target))(t).Gradient()))(t)
				low, high = min(low, c), max(high, c)
			}
			if want := test.want[i]; want < low-0.05 || want > high+0.05 {
				t.Errorf("%+v: cosines within [%.3f, %.3f], recorded %.3f", test.spec, low, high, want)
			}
			if width == 128 && (test.spec.Scaling == MuPC && test.spec.Depth == 4 && low < 0.97 || test.spec.Scaling == SP && high > 0.9) {
				t.Errorf("%+v: cosines within [%.3f, %.3f]", test.spec, low, high)
			}
		}
	}
}
