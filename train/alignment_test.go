package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// TestAlignTargets_IsTheClosedForm on linear networks, for backprop and for predictive coding at equilibrium.
func TestAlignTargets_IsTheClosedForm(t *testing.T) {
	const batch = 4
	for _, skips := range []bool{false, true} {
		n, err := arch.Chain{Act: layers.LinearAct, Widths: []int{5, 4, 4, 4, 3}, Skips: skips}.Network()
		ok(t, err)
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(7, 1)))
		ok(t, err)
		k := newTask(t, arch.Chain{Act: layers.LinearAct}, false, 1)
		of := theory.Linear{}
		for i, f := range w.Fields() {
			of.Weights = append(of.Weights, mat.NewDense(f.Shape[0], f.Shape[1], w.Part(w.Data(), i)))
		}
		if skips {
			of.Skips = theory.HiddenSkips(4)
		}
		x, y := mat.NewDense(batch, 5, k.x), mat.NewDense(batch, 3, k.y)
		pass, err := of.Feedforward(x, y)
		ok(t, err)
		eq, err := of.Equilibrium(x, y)
		ok(t, err)
		before := append([]float64(nil), w.Data()...)
		bp, err := analysis.AlignTargets[float64](&train.Backprop[float64]{Model: compiled(t, n, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})}, k.x, k.y, batch)
		ok(t, err)
		pc, err := analysis.AlignTargets[float64](&train.PC[float64]{Model: compiled(t, n, w, arch.Plan{Batch: batch, Coordinates: arch.Errors}), Solver: &infer.Newton[float64]{}, Stop: infer.Any{infer.Stationary{Tol: 1e-13}, infer.Steps(50)}}, k.x, k.y, batch)
		ok(t, err)
		for name, v := range map[string][2]float64{"backprop": {bp.Whole, pass.TargetAlignment(pass.Gradient())}, "PC": {pc.Whole, pass.TargetAlignment(eq.Gradient())}} {
			if !(math.Abs(v[0]-v[1]) < 1e-8) { // a central difference
				t.Errorf("%s, skips %v: %.12f, in closed form %.12f", name, skips, v[0], v[1])
			}
		}
		for i, v := range w.Data() {
			if v != before[i] {
				t.Fatal("the weights have moved")
			}
		}
		one, err := analysis.AlignTargets[float64](&train.Backprop[float64]{Model: compiled(t, n, w, arch.Plan{Batch: 1, Coordinates: arch.Feedforward})}, k.x[:5], k.y[:3], 1)
		ok(t, err)
		if math.Abs(one.Whole-one.Samples) > 1e-12 || one.Whole <= 0 {
			t.Errorf("of one sample: %+v", one)
		}
	}
}

// TestAlignTargets_SaysWhatIsWrong.
func TestAlignTargets_SaysWhatIsWrong(t *testing.T) {
	_, err := analysis.AlignTargets[float64](nil, nil, nil, 0)
	says(t, "no rule", err, "the rule is missing")
	_, err = analysis.AlignTargets[float64](&train.Backprop[float64]{}, nil, nil, 0)
	says(t, "no model", err, "has no weights")
	_, err = analysis.AlignTargets[float64](&train.Backprop[float64]{Model: toyModel[float64](t, arch.Feedforward, 2, 3, 2)}, make([]float64, 3), make([]float64, 4), 2)
	says(t, "half samples", err, "3 inputs and 4 targets for 2 samples")
}
