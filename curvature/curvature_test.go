package curvature

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
)

// networks are of all sorts that have equilibria, small.
func networks(t *testing.T) map[string]*arch.Network {
	t.Helper()
	chain := func(c arch.Chain) *arch.Network {
		n, err := c.Network()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	conv := &arch.Network{Input: []int{4, 4, 1}, Blocks: []arch.Block{
		{Name: "conv", Layer: layers.Conv2D{In: 1, Out: 2, Kernel: [2]int{3, 3}, Pad: [2]int{1, 1}, Bias: true}},
		{Name: "flat", Layer: layers.Compose{layers.Flatten{}, layers.Linear{In: 32, Out: 3, Act: layers.Tanh}}},
		{Name: "readout", Layer: layers.Linear{In: 3, Out: 2, Act: layers.Tanh}},
	}}
	precise := chain(arch.Chain{Act: layers.Tanh, Widths: []int{3, 4, 2}})
	precise.Blocks[0].Precision = arch.DiagonalPrecision
	return map[string]*arch.Network{
		"linear":            chain(arch.Chain{Widths: []int{3, 4, 4, 2}, Bias: true, Scaling: arch.MuP{}}),
		"linear with skips": chain(arch.Chain{Widths: []int{3, 3, 3, 3, 2}, Skips: true}),
		"tanh":              chain(arch.Chain{Act: layers.Tanh, Widths: []int{3, 5, 4, 2}, Bias: true}),
		"tanh with skips":   chain(arch.Chain{Act: layers.Tanh, Widths: []int{3, 4, 4, 2}, Skips: true, Scaling: arch.MuPC{}}),
		"gelu":              chain(arch.Chain{Act: layers.GELU, Widths: []int{2, 6, 2}}),
		"convolution":       conv,
		"learned precision": precise,
	}
}

func compiled(t *testing.T, n *arch.Network, p arch.Plan, seed uint64) *arch.Model[float64] {
	t.Helper()
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := arch.Compile(n, w, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// clamp gives a model random data: one-hot targets for the cross-entropy.
func clamp(t *testing.T, m *arch.Model[float64], oneHot bool) {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 0))
	in, out := m.Sizes()
	batch := m.Plan().Batch
	x, y := make([]float64, batch*in), make([]float64, batch*out)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	for i := range y {
		y[i] = rng.NormFloat64()
		if oneHot {
			y[i] = 0
			if i%out == i/out%out {
				y[i] = 1
			}
		}
	}
	if err := m.Clamp(x, y); err != nil {
		t.Fatal(err)
	}
}

// settle takes a model to its equilibrium from the feedforward pass, and returns dF/dW there.
func settle(t *testing.T, m *arch.Model[float64], o Options) []float64 {
	t.Helper()
	if err := m.Forward(); err != nil {
		t.Fatal(err)
	}
	if _, err := Equilibrate(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	g := make([]float64, len(m.Weights().Data()))
	if _, err := m.ParamGrad(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestMul_IsTheDerivativeOfTheGradient: oracle: central differences, of fourth order, of the weight gradient of the loss and of the energy
// at equilibria found anew; in both coordinates, with both likelihoods.
func TestMul_IsTheDerivativeOfTheGradient(t *testing.T) {
	strict := Options{Tol: 1e-9}
	for name, n := range networks(t) {
		for _, coordinates := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
			for _, output := range []energy.Likelihood{energy.Gaussian{Precision: 2}, energy.Categorical{}} {
				_, categorical := output.(energy.Categorical)
				t.Run(fmt.Sprintf("%s, %v, %T", name, coordinates, output), func(t *testing.T) {
					m := compiled(t, n, arch.Plan{Batch: 3, Coordinates: coordinates, Energy: energy.PC{Output: output}}, 1)
					clamp(t, m, categorical)
					settle(t, m, strict)
					c, err := At(t.Context(), m, strict)
					if err != nil {
						t.Fatal(err)
					}
					if linear := strings.HasPrefix(name, "linear") && coordinates == arch.Activities && !categorical; c.Exact != linear {
						t.Errorf("the inner solve is exact: %v, want %v", c.Exact, linear)
					}
					rng := rand.New(rand.NewPCG(5, 0))
					v, got, want := make([]float64, c.Dim()), make([]float64, c.Dim()), make([]float64, c.Dim())
					for i := range v {
						v[i] = rng.NormFloat64()
					}
					if err := c.Mul(got, v); err != nil {
						t.Fatal(err)
					}
					w, kept := m.Weights(), slices.Clone(m.Weights().Data())
					const h = 1e-3
					for k, f := range map[float64]float64{1: 8, -1: -8, 2: -1, -2: 1} {
						floats.AddScaledTo(w.Data(), kept, k*h, v)
						w.Touch()
						floats.AddScaled(want, f/(12*h), settle(t, m, strict))
					}
					floats.Sub(got, want)
					if d := floats.Norm(got, 2) / floats.Norm(want, 2); !(d < 1e-6) {
						t.Errorf("the product is off by %.1e", d)
					}
					if c.WorstSolve > 1e-9 {
						t.Errorf("the inner solve is off by %.1e", c.WorstSolve)
					}
				})
			}
		}
	}
}

// TestCurvature_IsTheory: oracle: the whole Hessians of package theory, of a linear chain at random weights and at the origin.
func TestCurvature_IsTheory(t *testing.T) {
	n, err := arch.Chain{Widths: []int{3, 4, 4, 2}}.Network()
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []bool{false, true} {
		for _, coordinates := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
			m := compiled(t, n, arch.Plan{Batch: 5, Coordinates: coordinates}, 2)
			if origin {
				clear(m.Weights().Data())
				m.Weights().Touch()
			}
			rng := rand.New(rand.NewPCG(4, 0))
			x, y := mat.NewDense(5, 3, nil), mat.NewDense(5, 2, nil)
			for _, d := range []*mat.Dense{x, y} {
				for i := range d.RawMatrix().Data {
					d.RawMatrix().Data[i] = rng.NormFloat64()
				}
			}
			if err := m.Clamp(x.RawMatrix().Data, y.RawMatrix().Data); err != nil {
				t.Fatal(err)
			}
			settle(t, m, Options{})
			c, err := At(t.Context(), m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := theory.Assemble(c.Dim(), c.Mul)
			if err != nil {
				t.Fatal(err)
			}
			linear := theory.Linear{}
			for i, f := range m.Weights().Fields() {
				linear.Weights = append(linear.Weights, mat.NewDense(f.Shape[0], f.Shape[1], m.Weights().Part(m.Weights().Data(), i)))
			}
			pass, err := linear.Feedforward(x, y)
			if err != nil {
				t.Fatal(err)
			}
			h := pass.WeightHessian()
			if coordinates != arch.Feedforward {
				eq, err := linear.Equilibrium(x, y)
				if err != nil {
					t.Fatal(err)
				}
				if h, err = eq.WeightHessian(); err != nil {
					t.Fatal(err)
				}
			}
			want, err := h.Dense()
			if err != nil {
				t.Fatal(err)
			}
			if !mat.EqualApprox(got, want, 1e-9) {
				t.Errorf("origin %v, %v: the Hessian is not theory's", origin, coordinates)
			}
			p, err := c.Judge(theory.Lanczos{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			verdict := NotCritical
			if origin {
				verdict = map[arch.Coordinates]Verdict{arch.Activities: StrictSaddle, arch.Errors: StrictSaddle, arch.Feedforward: Flat}[coordinates]
			}
			if p.Verdict != verdict {
				t.Errorf("origin %v, %v: %v, want %v", origin, coordinates, p, verdict)
			}
		}
	}
}

// TestAlong_CurvesAsTheEigenvalueSays: oracle: the second difference of the energy along the direction of escape.
func TestAlong_CurvesAsTheEigenvalueSays(t *testing.T) {
	n := networks(t)["tanh"]
	m := compiled(t, n, arch.Plan{Batch: 3}, 1)
	clamp(t, m, false)
	settle(t, m, Options{})
	c, err := At(t.Context(), m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Judge(theory.Lanczos{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(m.Weights().Data())
	for _, e := range []theory.Eigenvalue{p.Low, p.High} {
		const h = 1e-3
		f, err := Along(t.Context(), m, e.Vector, []float64{-h, 0, h}, Options{Tol: 1e-10})
		if err != nil {
			t.Fatal(err)
		}
		if d := (f[0]-2*f[1]+f[2])/(h*h) - e.Value; math.Abs(d) > 1e-4 {
			t.Errorf("curvature %g, off by %.1e", e.Value, d)
		}
	}
	if !slices.Equal(before, m.Weights().Data()) {
		t.Error("the weights have not been put back")
	}
}

// TestAt_SaysWhatIsWrong: bad input is refused with the block and the way out.
func TestAt_SaysWhatIsWrong(t *testing.T) {
	n := networks(t)["tanh"]
	at := func(m *arch.Model[float64], o Options) error { _, err := At(t.Context(), m, o); return err }
	far := compiled(t, n, arch.Plan{Batch: 3}, 1)
	clamp(t, far, false)
	if err := far.Forward(); err != nil {
		t.Fatal(err)
	}
	free := compiled(t, n, arch.Plan{Batch: 3, FreeOutput: true}, 1)
	looped := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 2, Out: 2}, From: []string{"b"}, Shape: []int{2}, Start: &arch.Start{}},
		{Name: "b", Layer: layers.Linear{In: 2, Out: 2}, From: []string{"a"}, Shape: []int{2}},
		{Name: "c", Layer: layers.Linear{In: 2, Out: 2}, From: []string{"b"}},
		{Name: "d", Layer: layers.Linear{In: 2, Out: 2}, From: []string{"x"}, Predicts: "b"},
	}}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	backprop := compiled(t, n, arch.Plan{Batch: 3, Coordinates: arch.Feedforward}, 1)
	cases := []struct {
		name string
		err  error
		want []string
	}{
		{"far from equilibrium", at(far, Options{}), []string{"not in equilibrium", "Equilibrate first", "block"}},
		{"free end", at(free, Options{}), []string{"is an end of the network and free", "clamp it"}},
		{"nil", at(nil, Options{}), []string{"nil model"}},
		{"tolerance", at(far, Options{Tol: -1}), []string{"tolerance -1"}},
		{"cancelled", func() error { _, err := Equilibrate(done, far, Options{}); return err }(), []string{"canceled"}},
		{"backprop's state Hessian", func() error { _, err := backprop.StateHessian(); return err }(), []string{"nothing is free", "coordinates of activities"}},
	}
	if w, err := arch.NewWeights[float64](looped, rand.New(rand.NewPCG(1, 0))); err != nil {
		t.Error(err)
	} else if m, err := arch.Compile(looped, w, arch.Plan{Batch: 2}); err != nil {
		t.Error(err)
	} else {
		clamp(t, m, false)
		cases = append(cases, struct {
			name string
			err  error
			want []string
		}{"loop", at(m, Options{}), []string{"in a loop", "leave out a block"}})
	}
	for _, c := range cases {
		for _, w := range c.want {
			if c.err == nil || !strings.Contains(c.err.Error(), w) {
				t.Errorf("%s: error %v, want %q in it", c.name, c.err, w)
			}
		}
	}
	marked, err := At(t.Context(), far, Options{Anyway: true})
	if err != nil || marked.Marked == "" {
		t.Errorf("a point out of equilibrium is not marked (%v)", err)
	}
}
