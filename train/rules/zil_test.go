package rules_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestZIL_StaysFiniteInDeepNetworks: activities behind the error's front, if they moved too, would overflow float32 in some 80 steps of
// rate 1 of this network.
func TestZIL_StaysFiniteInDeepNetworks(t *testing.T) {
	net, err := arch.ResMLP(arch.MuPC{}, layers.ReLU, slices.Concat([]int{20}, slices.Repeat([]int{16}, 127), []int{5})...)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	w, err := arch.NewWeights[float32](net, rng)
	if err != nil {
		t.Fatal(err)
	}
	const batch = 8
	x, y := make([]float32, batch*20), make([]float32, batch*5)
	for _, v := range [][]float32{x, y} {
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
	}
	gradient := func(c arch.Coordinates, of func(m *arch.Model[float32]) train.Rule[float32]) []float32 {
		m, err := arch.Compile(net, w, arch.Plan{Batch: batch, Coordinates: c})
		if err != nil {
			t.Fatal(err)
		}
		g := make([]float32, len(w.Data()))
		report, err := of(m).Gradient(g, x, y, batch)
		if err != nil {
			t.Fatal(err)
		}
		if math.IsNaN(report.Energy) || math.IsInf(report.Energy, 0) {
			t.Errorf("the energy is %v", report.Energy)
		}
		return g
	}
	got := gradient(arch.Activities, func(m *arch.Model[float32]) train.Rule[float32] { return &rules.ZIL[float32]{Model: m} })
	bp := gradient(arch.Feedforward, func(m *arch.Model[float32]) train.Rule[float32] { return &train.Backprop[float32]{Model: m} })
	if a := analysis.Agree(got, bp); !(a.Cosine > .9999) || !(a.Relative < .01) {
		t.Errorf("%+v", a)
	}
}
