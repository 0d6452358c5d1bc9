package train_test

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// TestStep_LossIsMultipliedByThePrecision of the output, and so is backprop's gradient: with an Eps that is multiplied by it too Adam
// trains alike at every precision, in float32 down to 1e-10, and with the usual Eps it does not. Oracle: the same training at
// precision 1. The score of an evaluation knows nothing of precisions.
func TestStep_LossIsMultipliedByThePrecision(t *testing.T) {
	set, test := load(t, data.Linear{In: 5, Out: 3, Train: 64, Test: 16, Noise: .1, Seed: 2})
	type result struct {
		losses, norms []float64
		weights       []float32
		score         train.Score
	}
	run := func(precision, eps float64) result {
		net := toyModel[float32](t, arch.Feedforward, 5, 8, 3)
		m := compiled(t, net.Network(), net.Weights(), arch.Plan{Coordinates: arch.Feedforward, Energy: energy.PC{Output: energy.Gaussian{Precision: precision}}})
		var r result
		tr := &train.Trainer[float32]{Rule: &train.Backprop[float32]{Model: m}, Optimizer: &optim.AdamW[float32]{Rate: .01, Decay: .01, Eps: eps}, Train: set, Test: test, Batch: 8, Epochs: 4, Seed: 1}
		tr.OnStep = func(s train.Step[float32]) {
			r.losses, r.norms = append(r.losses, s.Loss), append(r.norms, s.GradNorm())
		}
		h, err := tr.Run(t.Context())
		ok(t, err)
		r.weights, r.score = m.Weights().Data(), h.Last().Score
		return r
	}
	apart := func(a, b result) (off float64) {
		for i, w := range a.weights {
			off = max(off, math.Abs(float64(w-b.weights[i])))
		}
		return off
	}
	want := run(1, 1e-8)
	for _, p := range []float64{1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 100} {
		got := run(p, p*1e-8)
		for i := range want.losses {
			if math.Abs(got.losses[i]/p-want.losses[i]) > 1e-4*want.losses[i] || math.Abs(got.norms[i]/p-want.norms[i]) > 1e-3*want.norms[i] {
				t.Fatalf("precision %g, step %d: loss %g and norm %g, want %g and %g times it", p, i+1, got.losses[i], got.norms[i], want.losses[i], want.norms[i])
			}
		}
		if off := apart(got, want); off > 1e-4 {
			t.Errorf("precision %g: weights off by %g", p, off)
		}
		if math.Abs(got.score.Loss-want.score.Loss) > 1e-3*want.score.Loss {
			t.Errorf("precision %g: test loss %g, want %g", p, got.score.Loss, want.score.Loss)
		}
	}
	if off := apart(run(1e-10, 1e-8), want); off < .01 {
		t.Errorf("off by %g only with the usual Eps: the test says nothing", off)
	}
}

// TestPC_WeightGradientAtSmallPrecisionIsPrecisionTimesBackprops, to first order: what an Eps that is multiplied by the precision
// sees is the gradient of the unscaled loss.
func TestPC_WeightGradientAtSmallPrecisionIsPrecisionTimesBackprops(t *testing.T) {
	const p = 1e-6
	net := toyModel[float64](t, arch.Feedforward, 5, 8, 3)
	bp := &train.Backprop[float64]{Model: net}
	m := compiled(t, net.Network(), net.Weights(), arch.Plan{Energy: energy.PC{Output: energy.Gaussian{Precision: p}}})
	pc := &train.PC[float64]{Model: m, Solver: plainDescent[float64](.5), Stop: infer.Steps(100)}
	x, y := normals(1, 40), normals(2, 24)
	g, r := gradient(t, pc, x, y, 8)
	want, loss := gradient(t, bp, x, y, 8)
	for i := range g {
		g[i] /= p
	}
	if a := analysis.Agree(g, want); a.Relative > 100*p {
		t.Errorf("%+v from backprop's", a)
	}
	if math.Abs(r.Loss-p*loss.Loss) > 1e-12*r.Loss {
		t.Errorf("loss %g, want %g times %g", r.Loss, p, loss.Loss)
	}
}
