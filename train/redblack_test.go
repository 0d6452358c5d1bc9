package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// reluPictures is a network of the paper's kind: convolution, ReLU and maximum in one block, then a readout.
func reluPictures() *arch.Network {
	conv := func(in, out int) layers.Layer {
		return layers.Compose{layers.Conv2D{In: in, Out: out, Kernel: layers.Both(3), Pad: layers.Both(1), Post: layers.ReLU, Bias: true}, layers.MaxPool2D{Size: layers.Both(2)}}
	}
	return &arch.Network{Input: []int{8, 8, 1}, Blocks: []arch.Block{
		{Name: "a", Layer: conv(1, 3)}, {Name: "b", Layer: conv(3, 4)},
		{Name: "c", Layer: layers.Compose{layers.Flatten{}, layers.Linear{In: 16, Out: 6, Post: layers.HardTanh}}},
		{Name: "out", Layer: layers.Linear{In: 6, Out: 2, Bias: true}}}}
}

// TestRedBlack_TendsToBackprop on convolutions with maxima, with skips and with activations in front of the product: ten times less
// beta makes the distance from backprop 10 times smaller, centred 100 times.
func TestRedBlack_TendsToBackprop(t *testing.T) {
	res, err := arch.ResMLP(nil, layers.Tanh, 5, 6, 6, 6, 3)
	ok(t, err)
	for name, n := range map[string]*arch.Network{"pictures": reluPictures(), "skips": res} {
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
		ok(t, err)
		for _, softmax := range []bool{false, true} {
			var lik energy.Likelihood = energy.Gaussian{}
			if softmax {
				lik = energy.Categorical{}
			}
			const batch = 3
			m := compiled(t, n, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward, Energy: energy.Sum{energy.PC{Output: lik}, energy.WeightDecay{Rate: .1}}})
			in, out := m.Sizes()
			x, y := make([]float64, batch*in), make([]float64, batch*out)
			r := rand.New(rand.NewPCG(1, 2))
			for i := range x {
				x[i] = r.NormFloat64()
			}
			for i := range batch {
				y[out*i+r.IntN(out)] = 1
			}
			want, bp := gradient(t, &train.Backprop[float64]{Model: m}, x, y, batch)
			for sign, order := range map[rules.Sign]float64{rules.Positive: 1, rules.Negative: 1, rules.RandomSign: 1, rules.Centred: 2} {
				var off [2]float64
				for i, beta := range []float64{1e-3, 1e-4} {
					got, report := gradient(t, &rules.RedBlack[float64]{Model: m, Beta: beta, Sign: sign, Iterations: 5}, x, y, batch)
					if off[i] = relative(got, want); math.Abs(report.Loss-bp.Loss) > 1e-13 {
						t.Errorf("%s: loss %g, want %g", name, report.Loss, bp.Loss)
					}
				}
				if slope := math.Log10(off[0] / off[1]); !(math.Abs(slope-order) < .05) {
					t.Errorf("%s, softmax %v, sign %d: off by %.1e and %.1e, a slope of %.2f; want %g", name, softmax, sign, off[0], off[1], slope, order)
				}
			}
		}
	}
}

// TestRedBlack_RefusesWhatItDoesNotFit with errors that name the block, and the rules that do.
func TestRedBlack_RefusesWhatItDoesNotFit(t *testing.T) {
	lin := func(in, out int, post layers.Act) layers.Layer { return layers.Linear{In: in, Out: out, Post: post} }
	model := func(n *arch.Network, f energy.Functional) *arch.Model[float64] {
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
		ok(t, err)
		return compiled(t, n, w, arch.Plan{Coordinates: arch.Feedforward, Energy: f})
	}
	chain := &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "a", Layer: lin(2, 3, layers.ReLU)}, {Name: "y", Layer: lin(3, 2, layers.Tanh)}}}
	bad := &arch.Network{Input: []int{2}, Blocks: []arch.Block{{Name: "a", Layer: lin(2, 3, layers.Tanh)}, {Name: "y", Layer: lin(3, 2, layers.LinearAct)}}}
	rule := func(m *arch.Model[float64], change func(r *rules.RedBlack[float64])) error {
		r := &rules.RedBlack[float64]{Model: m, Beta: .1, Iterations: 3}
		change(r)
		return r.Validate()
	}
	none := func(*rules.RedBlack[float64]) {}
	m := model(chain, nil)
	ok(t, rule(m, none))
	says(t, "a range that is no interval", rule(model(bad, nil), none), "RedBlack", `block "a" ends in tanh`, "relu", "rules.Nudged")
	says(t, "no chain", rule(model(reachingBack(), nil), none), "RedBlack", `block "c"`, "chains", "rules.Nudged and train.PC take any network")
	says(t, "a hidden precision", rule(model(chain, energy.PC{Hidden: energy.Gaussian{Precision: 2}}), none), "unit precision")
	for want, change := range map[string]func(r *rules.RedBlack[float64]){
		"Beta 0":       func(r *rules.RedBlack[float64]) { r.Beta = 0 },
		"Beta -1":      func(r *rules.RedBlack[float64]) { r.Beta = -1 },
		"Sign 7":       func(r *rules.RedBlack[float64]) { r.Sign = 7 },
		"0 Iterations": func(r *rules.RedBlack[float64]) { r.Iterations = 0 },
		"Projection 3": func(r *rules.RedBlack[float64]) { r.Projection = 3 },
		"Order 4":      func(r *rules.RedBlack[float64]) { r.Order = 4 },
	} {
		says(t, want, rule(m, change), "RedBlack", want)
	}
}
