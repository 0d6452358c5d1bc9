package theory

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func random(rng *rand.Rand, rows, cols int) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for k := range m.RawMatrix().Data {
		m.RawMatrix().Data[k] = rng.NormFloat64()
	}
	return m
}

// drawn is a random problem: any widths, factors, precision, with or without skips.
func drawn(t *rapid.T) (n Linear, x, y *mat.Dense) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	depth := rapid.IntRange(1, 6).Draw(t, "depth")
	n.ActivityDecay = rapid.SampledFrom([]float64{0, 0, 0.3}).Draw(t, "activity decay")
	skips := rapid.Bool().Draw(t, "skips")
	if skips {
		n.Skips = make([]bool, depth)
	}
	n.Precision = rapid.SampledFrom([]float64{0, 0.1, 1, 10}).Draw(t, "precision")
	sizes := make([]int, depth+1)
	for i := range sizes {
		sizes[i] = rapid.IntRange(1, 5).Draw(t, "size")
		if skips && i > 0 && rapid.Bool().Draw(t, "skip") {
			n.Skips[i-1] = true
			sizes[i] = sizes[i-1]
		}
	}
	if rapid.Bool().Draw(t, "factors") {
		n.Factors = make([]float64, depth)
		for i := range n.Factors {
			n.Factors[i] = 0.2 + rng.Float64()
		}
	}
	for l := range depth {
		n.Weights = append(n.Weights, random(rng, sizes[l], sizes[l+1]))
	}
	samples := rapid.IntRange(1, 4).Draw(t, "batch")
	return n, random(rng, samples, sizes[0]), random(rng, samples, sizes[depth])
}

// fataler is what *testing.T and *rapid.T share here.
type fataler interface {
	Fatal(...any)
	Helper()
}

// must is used as must(f())(t): Go passes two results only as all arguments.
func must[V any](v V, err error) func(fataler) V {
	return func(t fataler) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// scaleOf bounds the numbers that cancel in an equilibrium, for tolerances.
func scaleOf(n Linear, x, y *mat.Dense) float64 {
	scale := (1 + n.precision()) * (1 + mat.Norm(x, 2) + mat.Norm(y, 2))
	for i, w := range n.Weights {
		scale *= 1 + math.Abs(n.factor(i))*mat.Norm(w, 2)
	}
	return scale
}

// Tolerance: rounding, 1e-16 times the size of the products that cancel.
func TestEquilibrium_IsStationary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		eq := must(n.Equilibrium(x, y))(t)
		energy, grads, err := n.Energy(x, y, eq.Activities)
		if err != nil {
			t.Fatal(err)
		}
		tol := 1e-13 * scaleOf(n, x, y)
		for l, g := range grads {
			if r := mat.Norm(g, 2); r > tol {
				t.Errorf("gradient at activity %d has norm %g, want below %g", l+1, r, tol)
			}
		}
		if math.Abs(energy-eq.Energy) > tol*(1+eq.Energy) {
			t.Errorf("F(z*) = %.15g, F* = %.15g", energy, eq.Energy)
		}
	})
}

// Oracle: the dense system, for L in {2, 3, 4, 6}, sp and mupc, with and without
// skips and activity decay. Tolerances: max |z - z_dense| below 1.2e-14 and
// |F - F*| below 2.2e-16 are on record for one draw; a factor for other draws.
func TestEquilibrium_SolvesTheDenseSystem(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	for _, scaling := range []Scaling{SP, MuPC} {
		for _, skips := range []bool{false, true} {
			for _, depth := range []int{2, 3, 4, 6} {
				for _, decay := range []float64{0, 0.5} {
					s := Spec{Scaling: scaling, Inputs: 5, Width: 6, Outputs: 3, Depth: depth, Skips: skips, Precision: 2}
					n := must(s.Sample(rng))(t)
					n.ActivityDecay = decay
					x, y := random(rng, 4, 5), random(rng, 4, 3)
					eq := must(n.Equilibrium(x, y))(t)
					dense := must(n.DenseEquilibrium(x, y))(t)
					for l := range dense {
						var d mat.Dense
						d.Sub(eq.Activities[l], dense[l])
						if off := math.Max(mat.Max(&d), -mat.Min(&d)); off > 5e-14 {
							t.Errorf("%v L=%d skips=%v decay=%g: z%d is off by %g", scaling, depth, skips, decay, l+1, off)
						}
					}
					f, _, err := n.Energy(x, y, dense)
					if err != nil {
						t.Fatal(err)
					}
					if math.Abs(f-eq.Energy) > 1e-14 {
						t.Errorf("%v L=%d skips=%v decay=%g: F* = %.16g, F(z_dense) = %.16g", scaling, depth, skips, decay, eq.Energy, f)
					}
				}
			}
		}
	}
}

// Errors are what activities and maps make of them, whatever way they were found.
func TestEquilibrium_ErrorsAreThoseOfTheActivities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		eq := must(n.Equilibrium(x, y))(t)
		before := x
		for i := range n.Weights {
			after := y
			if i < len(eq.Activities) {
				after = eq.Activities[i]
			}
			e := n.forward(i, before)
			e.Sub(after, e)
			e.Sub(e, eq.Errors[i])
			if r := mat.Norm(e, 2); r > 1e-13*scaleOf(n, x, y) {
				t.Errorf("error %d of %d is off by %g", i+1, len(n.Weights), r)
			}
			before = after
		}
	})
}

// Descent on z from zero, to a gradient of 1e-13, lands on F*, here to 2e-16 on
// record. It knows nothing of S. At the best rate each step brings z closer by
// (kappa-1)/(kappa+1) at least.
func TestEquilibrium_IsWhereDescentEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 0))
	for _, skips := range []bool{false, true} {
		for _, decay := range []float64{0, 0.5} {
			n := must(Spec{Scaling: SP, Inputs: 5, Width: 6, Outputs: 3, Depth: 4, Skips: skips}.Sample(rng))(t)
			n.ActivityDecay = decay
			x, y := random(rng, 4, 5), random(rng, 4, 3)
			eq := must(n.Equilibrium(x, y))(t)
			rate, factor := must(n.Flow(x, y, nil))(t).Descent()
			kappa := must(n.Condition())(t)
			if want := (kappa - 1) / (kappa + 1); math.Abs(factor-want) > 1e-10 {
				t.Errorf("contraction by %.12g a step, want %.12g", factor, want)
			}
			far := math.Inf(1)
			z := []*mat.Dense{mat.NewDense(4, 6, nil), mat.NewDense(4, 6, nil), mat.NewDense(4, 6, nil)}
			energy, norm := 0.0, 1.0
			for norm > 1e-13 {
				f, grads, err := n.Energy(x, y, z)
				if err != nil {
					t.Fatal(err)
				}
				energy, norm = f, 0
				away := 0.0
				for l := range z {
					var d mat.Dense
					d.Sub(z[l], eq.Activities[l])
					away += dot(&d, &d)
				}
				if away = math.Sqrt(away); away > factor*far*(1+1e-9)+1e-14 {
					t.Errorf("a step takes the distance from %g to %g, want a factor of %g", far, away, factor)
				}
				far = away
				for l, g := range grads {
					norm += mat.Norm(g, 2)
					g.Scale(-rate, g)
					z[l].Add(z[l], g)
				}
			}
			if math.Abs(energy-eq.Energy) > 5e-16*(1+energy) {
				t.Errorf("skips=%v decay=%g: descent ends at %.17g, F* = %.17g", skips, decay, energy, eq.Energy)
			}
		}
	}
}

// The two ways to F* meet: at an activity decay of 1e-9 the factorised form is
// that without decay, up to a share of 1e-9 times what decay is multiplied by.
func TestRescaling_IsContinuousInTheDecay(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 0))
	for _, skips := range []bool{false, true} {
		n := must(Spec{Scaling: NTP, Inputs: 5, Width: 6, Outputs: 3, Depth: 5, Skips: skips, Precision: 3}.Sample(rng))(t)
		x, y := random(rng, 4, 5), random(rng, 4, 3)
		want := must(n.Equilibrium(x, y))(t)
		n.ActivityDecay = 1e-9
		got := must(n.Equilibrium(x, y))(t)
		near(t, "S", got.Rescaling, want.Rescaling, 1e-7)
		if d := math.Abs(got.Energy/want.Energy - 1); d > 1e-7 || d == 0 {
			t.Errorf("F* differs by %g of it", d)
		}
	}
}

// S^-1 is the curvature of F* in y, with activity decay too. F* is quadratic in
// y, so second differences of any step are exact.
func TestRescaling_IsTheInverseCurvatureInTheTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		eq := must(n.Equilibrium(x, y))(t)
		rng := rand.New(rand.NewPCG(2, 2))
		_, out := y.Dims()
		d := random(rng, 1, out)
		at := func(step float64) float64 {
			moved := mat.DenseCopyOf(y)
			for k := range out {
				moved.Set(0, k, y.At(0, k)+step*d.At(0, k))
			}
			return must(n.Equilibrium(x, moved))(t).Energy
		}
		got := float64(batch(x)) * (at(1) - 2*at(0) + at(-1))
		var inv mat.Dense
		if err := inv.Solve(eq.Rescaling, d.T()); err != nil {
			t.Fatal(err)
		}
		var want mat.Dense
		want.Mul(d, &inv)
		if w := want.At(0, 0); math.Abs(got-w) > 1e-11*scaleOf(n, x, y)*(1+at(1)+at(-1)) {
			t.Errorf("d S^-1 d = %.12g, F* bends by %.12g", w, got)
		}
	})
}

// F is the quadratic F* + 1/(2B) sum_i d_i H d_i^T around z*, for any d.
func TestEquilibrium_EnergyIsTheQuadraticOfTheHessian(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		if len(n.Weights) == 1 {
			return // nothing hidden
		}
		eq := must(n.Equilibrium(x, y))(t)
		h := must(n.ActivityHessian())(t)
		rng := rand.New(rand.NewPCG(1, 1))
		d := random(rng, batch(x), h.SymmetricDim())
		z, at := make([]*mat.Dense, len(eq.Activities)), 0
		for l, a := range eq.Activities {
			_, cols := a.Dims()
			z[l] = new(mat.Dense)
			z[l].Add(a, d.Slice(0, batch(x), at, at+cols))
			at += cols
		}
		got, _, err := n.Energy(x, y, z)
		if err != nil {
			t.Fatal(err)
		}
		var dh mat.Dense
		dh.Mul(d, h)
		rise := dot(&dh, d) / float64(2*batch(x))
		if want := eq.Energy + rise; rise <= 0 || math.Abs(got-want) > 1e-12*scaleOf(n, x, y)*(1+want) {
			t.Errorf("F = %.15g, want %.15g = F* + %g", got, want, rise)
		}
	})
}

// Tolerance: central differences of step h = 1e-5 are good to h^2.
func TestGradient_FiniteDifferences(t *testing.T) {
	for _, decay := range []float64{0, 0.7} {
		t.Run(fmt.Sprint("decay ", decay), func(t *testing.T) { gradientDifferences(t, decay) })
	}
}

func gradientDifferences(t *testing.T, decay float64) {
	rng := rand.New(rand.NewPCG(7, 0))
	s := Spec{Scaling: NTP, Inputs: 3, Width: 4, Outputs: 2, Depth: 4, Skips: true, Gamma: 1.5, Precision: 3}
	n := must(s.Sample(rng))(t)
	n.ActivityDecay = decay
	x, y := random(rng, 5, 3), random(rng, 5, 2)
	const h = 1e-5
	pc := must(n.Equilibrium(x, y))(t).Gradient().Dense()
	bp := must(n.Feedforward(x, y))(t).Gradient().Dense()
	for l, w := range n.Weights {
		data := w.RawMatrix().Data
		dF, dL := mat.DenseCopyOf(w), mat.DenseCopyOf(w)
		for k, old := range data {
			data[k] = old + h
			f1, l1 := must(n.Equilibrium(x, y))(t).Energy, must(n.Feedforward(x, y))(t).Loss
			data[k] = old - h
			f0, l0 := must(n.Equilibrium(x, y))(t).Energy, must(n.Feedforward(x, y))(t).Loss
			data[k] = old
			dF.RawMatrix().Data[k] = (f1 - f0) / (2 * h)
			dL.RawMatrix().Data[k] = (l1 - l0) / (2 * h)
		}
		near(t, fmt.Sprintf("dF*/dW%d", l+1), pc[l], dF, 1e-8)
		near(t, fmt.Sprintf("dL/dW%d", l+1), bp[l], dL, 1e-8)
	}
}

func TestEnergy_GradientFiniteDifferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	s := Spec{Scaling: SP, Inputs: 3, Width: 4, Outputs: 2, Depth: 4, Skips: true, Precision: 3}
	n := must(s.Sample(rng))(t)
	n.ActivityDecay = 0.4
	x, y := random(rng, 5, 3), random(rng, 5, 2)
	z := []*mat.Dense{random(rng, 5, 4), random(rng, 5, 4), random(rng, 5, 4)}
	_, grads, err := n.Energy(x, y, z)
	if err != nil {
		t.Fatal(err)
	}
	const h = 1e-4 // F is quadratic: only rounding limits the difference
	for l := range z {
		want := mat.DenseCopyOf(z[l])
		for k, old := range z[l].RawMatrix().Data {
			z[l].RawMatrix().Data[k] = old + h
			up, _, _ := n.Energy(x, y, z)
			z[l].RawMatrix().Data[k] = old - h
			down, _, _ := n.Energy(x, y, z)
			z[l].RawMatrix().Data[k] = old
			want.RawMatrix().Data[k] = 5 * (up - down) / (2 * h) // 5 samples: each one's own
		}
		near(t, fmt.Sprintf("dF_i/dz%d", l+1), grads[l], want, 1e-9)
	}
}

// The first layer's PC gradient is BP's with r replaced by r S^-1, exactly, and
// for one output F* is the loss over s. Tolerance: the gradient sums samples and
// units of any sign, so rounding is relative to the terms and not to the sum.
func TestEquilibrium_OneOutputDividesTheLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		if _, out := y.Dims(); out != 1 {
			return
		}
		n.ActivityDecay = 0 // with it F* is no function of the residual
		eq, pass := must(n.Equilibrium(x, y))(t), must(n.Feedforward(x, y))(t)
		s := eq.Rescaling.At(0, 0)
		if want := pass.Loss / s; math.Abs(eq.Energy-want) > 1e-13*want {
			t.Errorf("F* = %.15g, loss/s = %.15g", eq.Energy, want)
		}
		d := eq.Gradient().Dense()[0]
		d.Scale(s, d)
		d.Sub(d, pass.Gradient().Dense()[0])
		if d, scale := mat.Norm(d, 2), scaleOf(n, x, y); d > 1e-13*scale {
			t.Errorf("s dF*/dW1 and dL/dW1 differ by %g, with terms of %g", d, scale)
		}
	})
}

func TestFeedforward_EnergyIsPrecisionTimesLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		n.ActivityDecay = 0
		pass := must(n.Feedforward(x, y))(t)
		energy, grads, err := n.Energy(x, y, pass.Predictions[:len(n.Weights)-1])
		if err != nil {
			t.Fatal(err)
		}
		if want := n.precision() * pass.Loss; math.Abs(energy-want) > 1e-13*want {
			t.Errorf("energy %.15g, want %.15g", energy, want)
		}
		for l, g := range grads[:max(0, len(grads)-1)] {
			if mat.Norm(g, 2) != 0 {
				t.Errorf("activity %d of %d feels the target at once", l+1, len(grads))
			}
		}
		if eq := must(n.Equilibrium(x, y))(t); eq.Energy > energy*(1+1e-13) {
			t.Errorf("F* = %g is above F = %g", eq.Energy, energy)
		}
	})
}

// Tolerance: samples of any sign cancel in the matrices, and a cosine of factors
// is good to rounding times the square of that cancellation.
func TestGradient_FactorsAgreeWithDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, x, y := drawn(t)
		pc, bp := must(n.Equilibrium(x, y))(t).Gradient(), must(n.Feedforward(x, y))(t).Gradient()
		tol := 1e-13 * (cancellation(pc) + cancellation(bp))
		got := must(pc.Cosine(bp))(t)
		want := must(Cosine(pc.Dense(), bp.Dense()))(t)
		if math.Abs(got-want) > tol {
			t.Errorf("cosine %.15g of factors, %.15g of matrices", got, want)
		}
		if self := must(pc.Cosine(pc))(t); math.Abs(self-1) > tol {
			t.Errorf("cosine with itself %.15g", self)
		}
	})
}

// cancellation is how much larger the terms of a gradient are than the gradient, squared.
func cancellation(g Gradient) float64 {
	var terms, sum float64
	for i, d := range g.Dense() {
		terms += math.Pow(mat.Norm(g.In[i], 2)*mat.Norm(g.Out[i], 2), 2)
		sum += dot(d, d)
	}
	return terms / sum
}

func TestErrors_SayWhereAndWhat(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	m := func(r, c int) *mat.Dense { return random(rng, r, c) }
	good := Linear{Weights: []*mat.Dense{m(3, 4), m(4, 4), m(4, 2)}}
	zero := []*mat.Dense{mat.NewDense(1, 1, nil)}
	run := func(n Linear, x, y *mat.Dense) error { _, err := n.Equilibrium(x, y); return err }
	tests := []struct {
		err  error
		want string
	}{
		{run(Linear{}, m(5, 3), m(5, 2)), "without weights"},
		{run(Linear{Weights: []*mat.Dense{m(3, 4), nil}}, m(5, 3), m(5, 2)), "weight 2 of 2 is missing"},
		{run(Linear{Weights: []*mat.Dense{m(3, 4), m(5, 2)}}, m(5, 3), m(5, 2)), "weight 2 is [5,2], but weight 1 gives 4 features"},
		{run(Linear{Weights: []*mat.Dense{m(3, 4), m(4, 5), m(5, 2)}, Skips: HiddenSkips(3)}, m(5, 3), m(5, 2)), "weight 2 is [4,5]: want a square one"},
		{run(Linear{Weights: good.Weights, Factors: []float64{1, 2}}, m(5, 3), m(5, 2)), "2 factors for 3 weights"},
		{run(Linear{Weights: good.Weights, Factors: []float64{1, math.NaN(), 1}}, m(5, 3), m(5, 2)), "factor 2 is NaN"},
		{run(Linear{Weights: good.Weights, Skips: []bool{true}}, m(5, 3), m(5, 2)), "1 skips for 3 weights"},
		{run(Linear{Weights: good.Weights, ActivityDecay: -1}, m(5, 3), m(5, 2)), "activity decay -1"},
		{run(Linear{Weights: good.Weights, Precision: -1}, m(5, 3), m(5, 2)), "output precision -1"},
		{run(good, nil, m(5, 2)), "input x is missing or empty, want [batch,3]"},
		{run(good, m(5, 2), m(5, 2)), "input x is [5,2], but weight 1 expects 3 features"},
		{run(good, m(5, 3), m(4, 2)), "target y is [4,2], want [5,2]"},
		{run(good, m(5, 3), nil), "target y is missing or empty, want [5,2]"},
		{run(Linear{Weights: []*mat.Dense{m(3, 4), mat.NewDense(4, 1, []float64{math.NaN(), 0, 0, 0})}}, m(5, 3), m(5, 1)), "not positive definite"},
		{func() error { _, _, err := good.Energy(m(5, 3), m(5, 2), zero); return err }(), "1 activities for 2 hidden layers"},
		{func() error {
			_, _, err := good.Energy(m(5, 3), m(5, 2), []*mat.Dense{m(5, 4), m(5, 3)})
			return err
		}(), "activity of hidden layer 2 is [5,3], want [5,4]"},
		{second(good.Flow(m(5, 3), m(5, 2), zero)), "1 activities for 2 hidden layers"},
		{second((Linear{Weights: good.Weights[:1]}).Flow(m(5, 3), m(5, 4), nil)), "without hidden layers"},
		{second(good.DenseEquilibrium(m(5, 2), m(5, 2))), "input x is [5,2]"},
		{second(Assemble(2, product(mat.NewDense(2, 2, []float64{1, 2, 3, 4})))), "entries [0,1] are 2 and 3"},
		{func() error { _, err := (Linear{Weights: good.Weights[:1]}).ActivityHessian(); return err }(), "without hidden layers"},
		{func() error { _, err := (Linear{}).Rescaling(); return err }(), "without weights"},
		{func() error { _, err := Condition(mat.NewSymDense(2, []float64{1, 2, 2, 1})); return err }(), "lowest eigenvalue -1"},
		{func() error { _, err := Eigenvalues(mat.NewSymDense(1, []float64{math.NaN()})); return err }(), "entry [0,0] is NaN"},
		{func() error { _, err := Cosine(zero, zero); return err }(), "zero gradient"},
		{func() error { _, err := Cosine(zero, nil); return err }(), "1 and 0 matrices"},
		{func() error { _, err := Cosine(zero, []*mat.Dense{m(1, 2)}); return err }(), "matrix 1 is [1,1] and [1,2]"},
		{func() error { _, err := (Gradient{}).Dot(Gradient{In: zero, Out: zero}); return err }(), "0 and of 1 weights"},
		{func() error {
			_, err := (Gradient{In: zero, Out: []*mat.Dense{m(1, 2)}}).Dot(Gradient{In: zero, Out: zero})
			return err
		}(), "weight 1 is [1,2] and [1,1]"},
		{Spec{Scaling: 9, Inputs: 1, Width: 1, Outputs: 1, Depth: 2}.Validate(), "unknown Scaling(9)"},
		{Spec{Inputs: 1, Outputs: 1, Depth: 2}.Validate(), "layers [1 0 1]"},
		{Spec{Inputs: 1, Width: 1, Outputs: 1, Depth: 1}.Validate(), "1 weights"},
		{Spec{Inputs: 1, Width: 1, Outputs: 1, Depth: 2, Gamma: math.NaN()}.Validate(), "gamma NaN"},
		{func() error { _, err := Spec{}.Sample(rng); return err }(), "0 weights"},
		{func() error { _, err := Spec{Depth: 2}.ExpectedRescaling(); return err }(), "layers [0 0 0]"},
	}
	for i, test := range tests {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%d: error %v, want %q", i, test.err, test.want)
		}
	}
}
