package train_test

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestBidirectional_LearnsBothWays: one network, trained once on labelled moons, gives the label of a point and a point of a
// label, each by one pass and by inference with the other end free: labels for nine in ten points, and for each label the mean of
// its points, which is the best that a squared error knows.
func TestBidirectional_LearnsBothWays(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	both := arch.Bidirectional{Chain: arch.Chain{Act: layers.Tanh, Widths: []int{2, 16, 16, 2}, Bias: true}, Backward: 1e-3}
	rule := bidirectional[float64](t, both)
	set, test := load(t, data.Moons{Train: 300, Test: 200, Noise: .05, Seed: 1})
	run := train.Trainer[float64]{Rule: rule, Optimizer: &optim.Adam[float64]{Rate: 3e-3}, Train: set, Test: test, Batch: 32, Epochs: 150, Seed: 1}
	h, err := run.Run(t.Context())
	ok(t, err)
	n, w := rule.Model.Network(), rule.Subject().Weights

	// labels, inferred
	const points = 200
	x, y, idx := make([]float64, 2*points), make([]float64, 2*points), make([]int, points)
	for i := range idx {
		idx[i] = i
	}
	data.Fill(test, x, y, idx)
	solver := &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .1, Mu: .9}}
	inferred := func(p arch.Plan, x, y []float64, end string, start train.Start[float64]) []float64 {
		p.Energy = both.Energy()
		m := compiled(t, n, w, p)
		ok(t, m.Clamp(x, y))
		if start == nil {
			start = train.Feedforward[float64]{}
		}
		ok(t, start.Begin(m, x, y))
		_, err := infer.Run(solver, infer.Problem[float64]{Energy: m.StateGrad}, m.State(), infer.Steps(3000), nil)
		ok(t, err)
		return m.StateVector().Field(end)
	}
	labels := inferred(arch.Plan{Batch: points, FreeOutput: true}, x, nil, "block3/y", nil)
	right := 0.
	for i := range points {
		if train.Largest(labels[2*i:2*i+2]) == train.Largest(y[2*i:2*i+2]) {
			right += 1. / points
		}
	}

	// points, by the pass backwards, and inferred from there
	var mean [2][2]float64
	for i := range set.Len() {
		p, l := make([]float64, 2), make([]float64, 2)
		data.Fill(set, p, l, []int{i})
		for k := range 2 {
			mean[k][0] += l[k] * p[0] * 2 / float64(set.Len())
			mean[k][1] += l[k] * p[1] * 2 / float64(set.Len())
		}
	}
	back, part, err := arch.Backwards(both, w)
	ok(t, err)
	pass := compiled(t, back, part, arch.Plan{Batch: 2, Coordinates: arch.Feedforward})
	one := []float64{1, 0, 0, 1}
	guess, err := pass.Predict(one)
	ok(t, err)
	dream := inferred(arch.Plan{Batch: 2, FreeInput: true}, nil, one, "x", &rules.Amortised[float64]{Amortiser: pass})
	distance := func(p []float64) float64 {
		return math.Max(math.Hypot(p[0]-mean[0][0], p[1]-mean[0][1]), math.Hypot(p[2]-mean[1][0], p[3]-mean[1][1]))
	}
	apart := math.Hypot(mean[0][0]-mean[1][0], mean[0][1]-mean[1][1])
	t.Logf("labels: %.3f by a pass, %.3f inferred; points %.3f and %.3f from the labels' means, which are %.3f apart", h.Last().Accuracy, right, distance(guess), distance(dream), apart)
	if h.Last().Accuracy < .9 || right < .9 {
		t.Errorf("accuracy %v by a pass, %v inferred", h.Last().Accuracy, right)
	}
	if distance(guess) > .25*apart || distance(dream) > .4*apart {
		t.Errorf("points %v and, inferred, %v: the means are %v", guess, dream, mean)
	}
}
