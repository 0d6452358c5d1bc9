package train_test

import (
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestKolenPollack_FeedbackBecomesTheTranspose: with one rate and decay for both, the matrix of the last hidden site and the output's
// weights differ by (1 - rate decay)^n of what they differed by after n batches; the first gradient is that of direct feedback.
func TestKolenPollack_FeedbackBecomesTheTranspose(t *testing.T) {
	const rate, decay, steps = .1, .5, 40
	for _, softmax := range []bool{false, true} {
		k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, softmax, 1)
		lik := k.likelihood(1)
		m := compiled(t, k.net, k.w, arch.Plan{Batch: k.batch, Coordinates: arch.Feedforward, Energy: energy.Sum{lik, energy.WeightDecay{Rate: decay}}})
		r := &rules.KolenPollack[float64]{DirectFeedback: rules.DirectFeedback[float64]{Model: m, Seed: 4}, Rate: rate, Decay: decay}
		want, _ := gradient(t, &rules.DirectFeedback[float64]{Model: m, Seed: 4}, k.x, k.y, k.batch)
		first := slices.Clone(r.Feedback().Data())
		got, _ := gradient(t, r, k.x, k.y, k.batch)
		if !slices.Equal(got, want) {
			t.Error("the first gradient is not that of direct feedback")
		}
		copy(r.Feedback().Data(), first)
		back := r.Feedback()
		last := len(back.Fields()) - 1
		b, w := back.Part(back.Data(), last), k.w.Field("block4/W")
		out := back.Fields()[last].Shape[0]
		apart := func() []float64 {
			d := make([]float64, len(w))
			for i := range d {
				d[i] = w[i] - b[i%out*(len(w)/out)+i/out]
			}
			return d
		}
		before := apart()
		tr := train.Trainer[float64]{Rule: r, Optimizer: &optim.SGD[float64]{Rate: rate}, MaxSteps: steps, Feed: func(int) (_, _ []float64) { return k.x, k.y }}
		_, err := tr.Run(t.Context())
		ok(t, err)
		left := math.Pow(1-rate*decay, steps)
		for i, d := range apart() {
			if math.Abs(d-left*before[i]) > 1e-12 {
				t.Fatalf("softmax %v: element %d differs by %g, want %g of %g", softmax, i, d, left, before[i])
			}
		}
	}
}

// TestKolenPollack_SaysWhatIsWrong.
func TestKolenPollack_SaysWhatIsWrong(t *testing.T) {
	m := toyModel[float64](t, arch.Feedforward, 2, 3, 2)
	of := rules.DirectFeedback[float64]{Model: m}
	says(t, "no rate", (&rules.KolenPollack[float64]{DirectFeedback: of}).Validate(), "KolenPollack", "Rate 0")
	says(t, "decay", (&rules.KolenPollack[float64]{DirectFeedback: of, Rate: 1, Decay: -1}).Validate(), "Decay -1")
	says(t, "no model", (&rules.KolenPollack[float64]{Rate: 1}).Validate(), "Model is missing")
}
