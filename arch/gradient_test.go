package arch_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

const (
	fdStep = 1e-5 // central differences in float64: truncation and rounding are both some 1e-10
	fdTol  = 1e-7 // relative to the largest derivative
)

// plans are all combinations of what is free.
func plans() []arch.Plan {
	ps := []arch.Plan{{Coordinates: arch.Feedforward}}
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		for _, in := range []bool{false, true} {
			for _, out := range []bool{false, true} {
				ps = append(ps, arch.Plan{Coordinates: c, FreeInput: in, FreeOutput: out})
			}
		}
	}
	return ps
}

// differences checks StateGrad and ParamGrad against central differences of Energy at the present activities.
func differences(t *testing.T, m *arch.Model[float64]) {
	t.Helper()
	e := evaluate(t, m)
	central := func(x *float64, touch func()) float64 {
		center := *x
		var f [2]float64
		for k, by := range []float64{-fdStep, fdStep} {
			*x = center + by
			touch()
			f[k] = must(m.Energy())(t)
		}
		*x = center
		touch()
		return (f[1] - f[0]) / (2 * fdStep)
	}
	z, w := m.State(), m.Weights()
	want := make([]float64, len(z))
	for i := range z {
		want[i] = float64(m.Plan().Batch) * central(&z[i], func() {})
	}
	near(t, "dF_i/dz_i", e.dz, want, fdTol)
	for i, f := range w.Fields() {
		part := w.Part(w.Data(), i)
		want := make([]float64, len(part))
		for j := range part {
			want[j] = central(&part[j], w.Touch)
		}
		near(t, "dF/d"+f.Name, w.Part(e.dw, i), want, fdTol)
	}
}

// TestModel_GradientsAreThoseOfTheEnergy: finite differences for every combination of coordinates and free ends, at
// activities away from the feedforward pass, over networks with arbitrary skips.
func TestModel_GradientsAreThoseOfTheEnergy(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	for _, net := range []struct {
		name string
		n    *arch.Network
	}{
		{"tangled", tangled(layers.Tanh)},
		{"mlp", mlp(t, arch.SP{}, layers.GELU, 5, 4, 4, 3)},
		{"residual", resMLP(t, arch.MuPC{Gamma: .5}, layers.SiLU, 5, 4, 4, 4, 3)},
		{"one block", mlp(t, arch.MuP{}, layers.Tanh, 5, 3)},
	} {
		for _, p := range plans() {
			for _, f := range []energy.Functional{nil, everything} {
				p.Batch, p.Energy = 3, f
				name := net.name + " " + planName(p)
				if f != nil {
					name += " regularised"
				}
				t.Run(name, func(t *testing.T) {
					m := compile(t, net.n, weightsOf[float64](t, net.n, 3), p)
					copy(m.State(), normal[float64](rng(4), len(m.State())))
					differences(t, m)
				})
			}
		}
	}
}

// TestModel_EveryActivationHasItsGradients: finite differences of a residual network by activation.
func TestModel_EveryActivationHasItsGradients(t *testing.T) {
	for _, act := range layers.Acts() {
		t.Run(act.String(), func(t *testing.T) {
			n := tangled(act)
			m := compile(t, n, weightsOf[float64](t, n, 3), arch.Plan{Batch: 2})
			copy(m.State(), normal[float64](rng(5), len(m.State())))
			differences(t, m)
		})
	}
}

// TestModel_EqualGradientsAreWrittenTwice: a layer that occurs twice in a block has two weights of one and
// the same gradient; each must reach its own place in the slab.
func TestModel_EqualGradientsAreWrittenTwice(t *testing.T) {
	n := &arch.Network{Input: []int{3}, Blocks: []arch.Block{{
		Name: "twice", Layer: layers.Linear{In: 3, Out: 2, Bias: true},
		Skips: []arch.Skip{{Layer: layers.Linear{In: 3, Out: 2, Bias: true}}},
	}}}
	w := weightsOf[float64](t, n, 1)
	m := compile(t, n, w, arch.Plan{Batch: 4, Coordinates: arch.Feedforward})
	for range 2 { // into two slices
		dw := make([]float64, len(w.Data()))
		must(m.ParamGrad(dw))(t)
		half := len(dw) / 2
		sameBits(t, "gradient of the skip", dw[half:], dw[:half])
		if dw[0] == 0 {
			t.Error("the gradient is zero")
		}
	}
}

// TestModel_RegularisersActOnEveryWeight: with weight decay as the only thing that a weight's gradient gains, the gain
// is Rate W for all weights, and nothing for biases.
func TestModel_RegularisersActOnEveryWeight(t *testing.T) {
	const rate = .25
	n := tangled(layers.Tanh)
	w := weightsOf[float64](t, n, 1)
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors, arch.Feedforward} {
		grad := func(f energy.Functional) []float64 {
			m := compile(t, n, w, arch.Plan{Batch: 3, Energy: f, Coordinates: c})
			copy(m.State(), normal[float64](rng(2), len(m.State())))
			return evaluate(t, m).dw
		}
		plain, decayed := grad(energy.PC{}), grad(energy.Sum{energy.PC{}, energy.WeightDecay{Rate: rate}})
		spectral := grad(energy.Sum{energy.PC{}, energy.Spectral{Rate: rate}})
		for i, p := range n.Weights() {
			want := append([]float64(nil), w.Part(plain, i)...)
			for j, v := range w.Part(w.Data(), i) {
				if !p.Param.Bias {
					want[j] += rate * v
				}
			}
			near(t, "decayed "+p.Name, w.Part(decayed, i), want, 1e-13)
			same := equal(w.Part(spectral, i), w.Part(plain, i))
			if same != p.Param.Bias {
				t.Errorf("%v: the spectral penalty leaves %s unchanged: %v", c, p.Name, same)
			}
		}
	}
}

func equal[T graph.Float](a, b []T) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
