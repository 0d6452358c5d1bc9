package curvature

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// region is a network with its trust region on random data.
func region(t *testing.T, n *arch.Network, e energy.Functional, target []float64) (*TrustRegion, *arch.Model[float64], []float64, []float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(2, 3))
	w, err := arch.NewWeights[float64](n, r)
	if err != nil {
		t.Fatal(err)
	}
	const batch = 3
	m, err := arch.Compile(n, w, arch.Plan{Batch: batch, Energy: e})
	if err != nil {
		t.Fatal(err)
	}
	in, out := m.Sizes()
	x, y := make([]float64, batch*in), make([]float64, batch*out)
	for _, v := range [][]float64{x, y} {
		for i := range v {
			v[i] = r.NormFloat64()
		}
	}
	if target != nil {
		for i := range y {
			y[i] = target[i%len(target)]
		}
	}
	reg, err := NewTrustRegion(m, x, y)
	if err != nil {
		t.Fatal(err)
	}
	return reg, m, x, y
}

// TestTrustRegion_FisherIsGaussNewton: the metric I + A^T A that arch.Model.Newton solves with in the coordinates of errors is the Fisher metric's
// in those of activities: to first order both steps lead to the same activities. Gaussian and categorical outputs, skips, other layers.
func TestTrustRegion_FisherIsGaussNewton(t *testing.T) {
	res, err := arch.ResMLP(arch.SP{}, layers.Tanh, 3, 4, 4, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		n      *arch.Network
		e      energy.PC
		target []float64
	}{
		"gaussian":    {res, energy.PC{Output: energy.Gaussian{Precision: 2}}, nil},
		"categorical": {res, energy.PC{Output: energy.Categorical{}}, []float64{0, 1}},
	} {
		reg, m, x, y := region(t, test.n, test.e, test.target)
		fisher, err := reg.Step(Fisher)
		if err != nil {
			t.Fatal(err)
		}
		e, err := arch.Compile(test.n, m.Weights(), arch.Plan{Batch: 3, Energy: test.e, Coordinates: arch.Errors})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Clamp(x, y); err != nil {
			t.Fatal(err)
		}
		if err := e.Forward(); err != nil {
			t.Fatal(err)
		}
		grad, step := make([]float64, len(e.State())), make([]float64, len(e.State()))
		if _, err := e.StateGrad(grad, e.State()); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Newton(step, grad, append([]float64(nil), e.State()...)); err != nil {
			t.Fatal(err)
		}
		const small = 1e-6 // of the step in errors, whose activities are then moved to first order
		for i, s := range step {
			e.State()[i] = -small * s
		}
		z, err := e.Activities()
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range m.StateVector().Fields() {
			for j, at := range z.Field(f.Name) {
				moved := (at - m.StateVector().Part(reg.Feedforward, i)[j]) / small
				if d := moved - m.StateVector().Part(fisher, i)[j]; math.Abs(d) > 1e-5 {
					t.Fatalf("%s: %s[%d]: %g in errors, %g in activities", name, f.Name, j, moved, moved-d)
				}
			}
		}
	}
}

// TestTrustRegion_NewtonSettles: with the exact Hessian infer.Newton comes to the equilibrium to rounding, and there the literal terms
// are those of PC's gradient to first order.
func TestTrustRegion_NewtonSettles(t *testing.T) {
	n, err := arch.MLP(arch.SP{}, layers.Tanh, 3, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	reg, m, x, y := region(t, n, nil, nil)
	z := append([]float64(nil), reg.Feedforward...)
	p := train.ProblemOf(m)
	p.Newton = reg.Newton
	result, err := infer.Run(&infer.Newton[float64]{}, p, z, infer.Stationary{Tol: 1e-15}, nil)
	if err != nil || result.Residual > 1e-14 {
		t.Fatalf("%+v, %v", result, err)
	}
	bp, err := arch.Compile(n, m.Weights(), arch.Plan{Batch: 3, Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	d, err := reg.Decompose(bp, x, y, z, ExactHessian)
	if err != nil {
		t.Fatal(err)
	}
	far := 0.
	for i := range d.PC {
		if d.PC[i] != d.BP[i]+d.TrustRegion[i] && math.Abs(d.PC[i]-d.BP[i]-d.TrustRegion[i]) > 1e-15 {
			t.Errorf("parts do not add up: %g, %g, %g", d.PC[i], d.BP[i], d.TrustRegion[i])
		}
		far = max(far, math.Abs(d.TrustRegion[i]))
	}
	if far < 1e-2 {
		t.Errorf("PC's gradient is BP's: %g", far)
	}
	other, err := arch.Compile(n, m.Weights(), arch.Plan{Batch: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Decompose(other, x, y, z, Fisher); err == nil || !strings.Contains(err.Error(), "arch.Feedforward") {
		t.Errorf("backprop that is none: %v", err)
	}
}

func TestNewTrustRegion_Refuses(t *testing.T) {
	n, err := arch.MLP(arch.SP{}, layers.Tanh, 3, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reason string
		plan   arch.Plan
		says   string
	}{
		{"backprop's coordinates", arch.Plan{Batch: 1, Coordinates: arch.Feedforward}, "arch.Activities"},
		{"errors", arch.Plan{Batch: 1, Coordinates: arch.Errors}, "arch.Activities"},
		{"another energy", arch.Plan{Batch: 1, Energy: energy.Sum{energy.PC{}}}, "want energy.PC"},
	} {
		m, err := arch.Compile(n, w, test.plan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewTrustRegion(m, make([]float64, 3), make([]float64, 2)); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.reason, err)
		}
	}
}
