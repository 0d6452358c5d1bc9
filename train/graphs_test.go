package train_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// graphs are networks that are no chains, of five inputs and three outputs in all.
func graphs() map[string]*arch.Network {
	lin := func(in, out int) layers.Linear {
		return layers.Linear{In: in, Out: out, Act: layers.Tanh, Bias: true}
	}
	ends := []arch.Input{{Name: "left", Shape: []int{3}}, {Name: "right", Shape: []int{2}}}
	return map[string]*arch.Network{
		"diamond": {Input: []int{5}, Blocks: []arch.Block{
			{Name: "a", Layer: lin(5, 6)},
			{Name: "b", Layer: lin(6, 6), From: []string{"a"}}, {Name: "c", Layer: lin(6, 6), From: []string{"a"}},
			{Name: "y", Layer: lin(6, 3), From: []string{"b", "c"}, Merge: layers.Attend{Width: 6}, Skips: []arch.Skip{{From: "a", Layer: lin(6, 3)}}},
		}},
		"two inputs and two outputs": {Inputs: ends, Blocks: []arch.Block{
			{Name: "a", Layer: lin(5, 6), From: []string{"left", "right"}, Merge: layers.Concat{}},
			{Name: "b", Layer: lin(6, 6)},
			{Name: "u", Layer: lin(6, 2), Output: true}, {Name: "v", Layer: lin(6, 1), From: []string{"b"}, Output: true},
		}},
		"shared weights": {Input: []int{5}, Blocks: []arch.Block{
			{Name: "a", Layer: lin(5, 6)}, {Name: "b", Layer: lin(6, 6)}, {Name: "c", Layer: lin(6, 6), Shares: "b"}, {Name: "y", Layer: lin(6, 3)},
		}},
	}
}

// graphModels are the models of a network, of activities and of backprop, over the same weights.
func graphModels(t *testing.T, n *arch.Network, batch int, precision float64) (pc, bp *arch.Model[float64]) {
	t.Helper()
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	pc, err = arch.Compile(n, w, arch.Plan{Batch: batch, Energy: energy.PC{Output: energy.Gaussian{Precision: precision}}})
	ok(t, err)
	bp, err = arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward})
	ok(t, err)
	return pc, bp
}

// TestCompare_GraphsApproachBackprop: at equilibrium PC's gradient over the output's precision differs from backprop's in
// proportion to the precision, on any graph: ten times less of it, ten times closer, within 3 % at 1e-3 and 1e-4.
func TestCompare_GraphsApproachBackprop(t *testing.T) {
	const batch = 8
	rng := rand.New(rand.NewPCG(2, 2))
	x, y := make([]float64, 5*batch), make([]float64, 3*batch)
	for _, s := range [][]float64{x, y} {
		for i := range s {
			s[i] = rng.NormFloat64()
		}
	}
	for name, n := range graphs() {
		var off [2]float64
		for i, precision := range []float64{1e-3, 1e-4} {
			pc, bp := graphModels(t, n, batch, precision)
			solver := &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .2, Mu: .6}}
			stop := infer.Any{infer.Stationary{Tol: precision * 1e-10}, infer.Steps(5000)}
			rows, result, err := analysis.Compare(pc, bp, solver, stop, x, y, 1/precision, nil)
			ok(t, err)
			if result.Status != infer.Converged {
				t.Fatalf("%s: %+v", name, result)
			}
			off[i] = rows[len(rows)-1].Whole.Relative
		}
		t.Logf("%s: off by %.2e and %.2e", name, off[0], off[1])
		if ratio := off[0] / off[1]; math.Abs(ratio-10) > .3 {
			t.Errorf("%s: off by %v and %v at a tenth of the precision, a ratio of %.2f, want 10", name, off[0], off[1], ratio)
		}
	}
}

// TestTrainer_LearnsOnGraphs: a linear task with its inputs and outputs spread over several sites, by both rules.
func TestTrainer_LearnsOnGraphs(t *testing.T) {
	trainSet, testSet := load(t, data.Linear{In: 5, Out: 3, Train: 200, Test: 50, Seed: 3})
	for name, n := range graphs() {
		pc, bp := graphModels(t, n, 20, 1)
		solver := &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .2}}
		for _, rule := range []train.Rule[float64]{&train.PC[float64]{Model: pc, Solver: solver, Stop: infer.Steps(10)}, &train.Backprop[float64]{Model: bp}} {
			start := slices.Clone(rule.Subject().Weights.Data())
			before, err := train.Evaluate(rule.Subject().Predict, testSet)
			ok(t, err)
			run := train.Trainer[float64]{Rule: rule, Optimizer: &optim.Adam[float64]{Rate: 1e-2}, Train: trainSet, Test: testSet, Batch: 20, Epochs: 30}
			h, err := run.Run(t.Context())
			ok(t, err)
			t.Logf("%s by %T: loss from %.3f to %.3f", name, rule, before.Loss, h.Last().Loss)
			if !(h.Last().Loss < .3*before.Loss) {
				t.Errorf("%s by %T: loss from %v to %v", name, rule, before.Loss, h.Last().Loss)
			}
			copy(rule.Subject().Weights.Data(), start)
			rule.Subject().Weights.Touch()
		}
	}
}
