package theory

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// landscapes are networks with everything that a Linear may have.
func landscapes(rng *rand.Rand) map[string]Linear {
	draw := func(sizes ...int) (ws []*mat.Dense) {
		for l := 1; l < len(sizes); l++ {
			w := mat.NewDense(sizes[l-1], sizes[l], nil)
			for i := range w.RawMatrix().Data {
				w.RawMatrix().Data[i] = .6 * rng.NormFloat64()
			}
			ws = append(ws, w)
		}
		return ws
	}
	return map[string]Linear{
		"one layer":                       {Weights: draw(3, 2), Precision: 2},
		"plain":                           {Weights: draw(3, 4, 2)},
		"skips, factors and precision":    {Weights: draw(3, 3, 3, 3, 2), Skips: HiddenSkips(4), Factors: []float64{.7, .4, 1.2, .9}, Precision: 3},
		"activity decay":                  {Weights: draw(2, 3, 4, 2), ActivityDecay: .3},
		"activity decay, skips, precison": {Weights: draw(2, 3, 3, 2), Skips: HiddenSkips(3), ActivityDecay: .3, Precision: .5},
	}
}

func shifted(n Linear, c float64, v []float64) Linear {
	moved := n
	moved.Weights = nil
	for _, w := range n.Weights {
		m := mat.DenseCopyOf(w)
		data := m.RawMatrix().Data
		floats.AddScaled(data, c, v[:len(data)])
		v = v[len(data):]
		moved.Weights = append(moved.Weights, m)
	}
	return moved
}

func flatten(ms []*mat.Dense) (flat []float64) {
	for _, m := range ms {
		flat = append(flat, mat.DenseCopyOf(m).RawMatrix().Data...)
	}
	return flat
}

// TestWeightHessian_IsTheDerivativeOfTheGradient: oracle: central differences of the gradients, of fourth order with distance 1e-3.
func TestWeightHessian_IsTheDerivativeOfTheGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for name, n := range landscapes(rng) {
		in, _ := n.Weights[0].Dims()
		_, out := n.Weights[len(n.Weights)-1].Dims()
		x, y := mat.NewDense(5, in, nil), mat.NewDense(5, out, nil)
		for _, m := range []*mat.Dense{x, y} {
			for i := range m.RawMatrix().Data {
				m.RawMatrix().Data[i] = rng.NormFloat64()
			}
		}
		type scape struct {
			hessian *WeightHessian
			grad    func(Linear) []float64
		}
		eq, err := n.Equilibrium(x, y)
		if err != nil {
			t.Fatal(err)
		}
		h, err := eq.WeightHessian()
		if err != nil {
			t.Fatal(err)
		}
		pass, err := n.Feedforward(x, y)
		if err != nil {
			t.Fatal(err)
		}
		scapes := map[string]scape{
			"energy": {h, func(n Linear) []float64 { e, _ := n.Equilibrium(x, y); return flatten(e.Gradient().Dense()) }},
			"loss":   {pass.WeightHessian(), func(n Linear) []float64 { p, _ := n.Feedforward(x, y); return flatten(p.Gradient().Dense()) }},
		}
		if len(n.Weights) > 1 {
			u, err := n.Unrolled(x, y, 7, .1)
			if err != nil {
				t.Fatal(err)
			}
			scapes["unrolled"] = scape{u.WeightHessian(), func(n Linear) []float64 { u, _ := n.Unrolled(x, y, 7, .1); return flatten(u.Gradient()) }}
		}
		for what, s := range scapes {
			v, got := make([]float64, s.hessian.Dim()), make([]float64, s.hessian.Dim())
			for i := range v {
				v[i] = rng.NormFloat64()
			}
			if err := s.hessian.Mul(got, v); err != nil {
				t.Fatal(err)
			}
			want := make([]float64, len(v))
			const step = 1e-3
			for k, c := range map[float64]float64{1: 8, -1: -8, 2: -1, -2: 1} {
				floats.AddScaled(want, c/(12*step), s.grad(shifted(n, k*step, v)))
			}
			floats.Sub(got, want)
			if d := floats.Norm(got, 2) / floats.Norm(want, 2); !(d < 1e-8) {
				t.Errorf("%s, %s: the product is off by %.1e", name, what, d)
			}
		}
	}
}

// TestUnrolled_GradientIsThatOfItsEnergy: oracle: central differences of the energy.
func TestUnrolled_GradientIsThatOfItsEnergy(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	n := landscapes(rng)["activity decay, skips, precison"]
	x, y := mat.NewDense(2, 2, []float64{1, 2, -1, .5}), mat.NewDense(2, 2, []float64{.3, 1, -1, 2})
	u, err := n.Unrolled(x, y, 5, .1)
	if err != nil {
		t.Fatal(err)
	}
	grad := flatten(u.Gradient())
	for i := range grad {
		v := make([]float64, len(grad))
		v[i] = 1
		a, _ := shifted(n, 1e-5, v).Unrolled(x, y, 5, .1)
		b, _ := shifted(n, -1e-5, v).Unrolled(x, y, 5, .1)
		if d := math.Abs((a.Energy-b.Energy)/2e-5 - grad[i]); !(d < 1e-8) {
			t.Errorf("component %d: off by %.1e", i, d)
		}
	}
	eq, _ := n.Equilibrium(x, y)
	long, err := n.Unrolled(x, y, 2000, .1)
	if err != nil {
		t.Fatal(err)
	}
	if d := math.Abs(long.Energy - eq.Energy); !(d < 1e-12) {
		t.Errorf("after 2000 steps the energy is off its equilibrium by %.1e", d)
	}
}

// TestOrigin_WithFactorsAndPrecision: oracle: the Hessian by products, at weights zero.
func TestOrigin_WithFactorsAndPrecision(t *testing.T) {
	x, y := mat.NewDense(3, 2, []float64{1, 2, -1, .5, 0, 1}), mat.NewDense(3, 2, []float64{.3, 1, -1, 2, .1, -.5})
	for _, sizes := range [][]int{{2, 3, 2}, {2, 3, 4, 2}} {
		n := Linear{Precision: 2, Factors: []float64{.5, 3, 1.5}[:len(sizes)-1]}
		for l := 1; l < len(sizes); l++ {
			n.Weights = append(n.Weights, mat.NewDense(sizes[l-1], sizes[l], nil))
		}
		o, err := n.Origin(x, y)
		if err != nil {
			t.Fatal(err)
		}
		eq, _ := n.Equilibrium(x, y)
		pass, _ := n.Feedforward(x, y)
		energy, err := eq.WeightHessian()
		if err != nil {
			t.Fatal(err)
		}
		for what, p := range map[string]struct {
			got    *mat.SymDense
			levels Levels
			h      *WeightHessian
		}{"energy": {o.Energy(), o.EnergyLevels, energy}, "loss": {o.Loss(), o.LossLevels, pass.WeightHessian()}} {
			want, err := p.h.Dense()
			if err != nil {
				t.Fatal(err)
			}
			if !mat.EqualApprox(p.got, want, 1e-12) {
				t.Errorf("sizes %v: %s: the closed form is not the Hessian", sizes, what)
			}
			values, err := Eigenvalues(want)
			if err != nil {
				t.Fatal(err)
			}
			if !floats.EqualApprox(p.levels.Values(), values, 1e-12) {
				t.Errorf("sizes %v: %s: levels %v, eigenvalues %v", sizes, what, p.levels, values)
			}
		}
	}
}

// TestSaddles_SayWhatIsWrong: every refusal names what and the way out.
func TestSaddles_SayWhatIsWrong(t *testing.T) {
	one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	x := one(1)
	for want, f := range map[string]func() error{
		"add a hidden layer": func() error { _, err := Linear{Weights: []*mat.Dense{one(0)}}.Origin(x, x); return err },
		"leave them out": func() error {
			_, err := Linear{Weights: []*mat.Dense{one(0), one(0), one(0)}, Skips: HiddenSkips(3)}.Origin(x, x)
			return err
		},
		"set W_2 to zero":         func() error { _, err := Linear{Weights: []*mat.Dense{one(0), one(1)}}.ZeroRank(x, x); return err },
		"set one of them to zero": func() error { _, err := Linear{Weights: []*mat.Dense{one(1), one(0)}}.ZeroRank(x, x); return err },
		"at a rate above 0":       func() error { _, err := Linear{Weights: []*mat.Dense{one(1), one(0)}}.Unrolled(x, x, 1, 0); return err },
		"hidden layers":           func() error { _, err := Linear{Weights: []*mat.Dense{one(1)}}.Unrolled(x, x, 1, 1); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestMinimumRatio_OfOneOutput: oracle: the spectra at a minimum of a chain, which are proportional.
func TestMinimumRatio_OfOneOutput(t *testing.T) {
	one := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	n := Linear{Weights: []*mat.Dense{one(.8), one(-.5), one(2.5)}} // fits y = -x
	x, y := mat.NewDense(2, 1, []float64{1, .5}), mat.NewDense(2, 1, []float64{-1, -.5})
	low, high, err := n.MinimumRatio()
	if err != nil {
		t.Fatal(err)
	}
	eq, _ := n.Equilibrium(x, y)
	pass, _ := n.Feedforward(x, y)
	h, _ := eq.WeightHessian()
	a, err := h.Dense()
	if err != nil {
		t.Fatal(err)
	}
	b, err := pass.WeightHessian().Dense()
	if err != nil {
		t.Fatal(err)
	}
	b.ScaleSym(low, b)
	if !mat.EqualApprox(a, b, 1e-12) || math.Abs(high-low) > 1e-15 {
		t.Errorf("the spectra are not proportional by %g (%g)", low, high)
	}
}

// TestDensity_OfAKnownSpectrum: oracle: a diagonal matrix, whose moments a quadrature of more nodes than eigenvalues has exactly in the
// mean over starts, and shares to the scatter of 40 starts.
func TestDensity_OfAKnownSpectrum(t *testing.T) {
	const dim = 120
	a := func(dst, v []float64) error {
		for i := range v {
			dst[i] = v[i] * []float64{-2, 0, 0, 5}[i%4]
		}
		return nil
	}
	d, err := Lanczos{Steps: 20}.Density(dim, a, 40)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ got, want float64 }{{d.Mean(), .75}, {d.Below(-1), .25}, {d.Below(1), .75}, {floats.Sum(d.Weights), 1}} {
		if math.Abs(test.got-test.want) > .05 {
			t.Errorf("%.3f, want %.2f", test.got, test.want)
		}
	}
	area := 0.
	for v := -4.; v < 8; v += .01 {
		area += .01 * d.At(v, .2)
	}
	if math.Abs(area-1) > 1e-3 {
		t.Errorf("the smoothed density has the area %.4f", area)
	}
	if _, err := (Lanczos{}).Density(dim, a, 0); err == nil {
		t.Error("0 starts are accepted")
	}
}
