package train_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestTrainer_SaysHowNearToEquilibriumWeightsLearned: the oracle is the same numbers from every step's report. Few steps
// of a low rate are far and warned of, a rate that makes the gradient grow is told to be lowered, and inference to a
// tolerance is counted as converged and not warned of.
func TestTrainer_SaysHowNearToEquilibriumWeightsLearned(t *testing.T) {
	for _, test := range []struct {
		reason string
		rate   float64
		stop   infer.Stop
		status infer.Status
		warn   string
	}{
		{"too short", .02, infer.Steps(3), infer.StepLimit, "more inference steps"},
		{"at rest", .3, infer.Any{infer.Stationary{Rel: 1e-3}, infer.Steps(500)}, infer.Converged, ""},
		{"unstable", 3, infer.Steps(12), infer.StepLimit, "lower the rate"},
		{"bounded by the clock", .02, infer.Within(1), infer.TimeLimit, ""}, // nothing was evaluated
	} {
		rule := &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 2, 4, 4, 2), Solver: plainDescent[float32](test.rate), Stop: test.stop}
		tr := trainer(t, rule)
		tr.Optimizer = &optim.SGD[float32]{Rate: 1e-6} // the weights stay as they are
		residual, left, evals, far, n := 0., 0., 0, 0, 0.
		tr.OnStep = func(s train.Step[float32]) {
			in := s.Inference
			if evals += in.Evals; in.Evals == 0 {
				return
			}
			n++
			residual, left = residual+in.Residual, left+in.Residual/in.Initial
			if in.Residual > train.FarLeft*in.Initial {
				far++
			}
		}
		h, err := tr.Run(t.Context())
		ok(t, err)
		if n > 0 {
			residual, left = residual/n, left/n
		}
		if h.Fraction(test.status) != 1 || h.Statuses[test.status] != h.Steps || h.Fraction(infer.Diverged) != 0 {
			t.Errorf("%s: statuses %v of %d steps", test.reason, h.Statuses, h.Steps)
		}
		if h.Evaluations != evals || h.Far != far || h.Measured != int(n) || math.Abs(h.Residual-residual) > 1e-12*residual || math.Abs(h.Left-left) > 1e-12*left {
			t.Errorf("%s: %+v, want residual %g, left %g, %d far of %g, %d evaluations", test.reason, h.Rest, residual, left, far, n, evals)
		}
		if w := h.Warning(); (w == "") != (test.warn == "") || !strings.Contains(w, test.warn) {
			t.Errorf("%s: warning %q, want %q (%+v)", test.reason, w, test.warn, h.Rest)
		}
	}
	h, err := trainer(t, &train.Backprop[float32]{Model: toyModel[float32](t, arch.Feedforward, 2, 4, 2)}).Run(t.Context())
	ok(t, err)
	if h.Warning() != "" || h.Fraction(infer.Converged) != 0 || h.Statuses[infer.Running] != h.Steps {
		t.Errorf("backprop: %+v", h.Rest)
	}
}

// TestTrainer_SkipsBatchesThatDiverge: the weights are those of the other batches, exactly: the run is that of a rule
// which never saw the bad ones. Bad weights end the run all the same, and so does a run without a good batch.
func TestTrainer_SkipsBatchesThatDiverge(t *testing.T) {
	run := func(bad func(p *poisoned)) (*train.History, []float32, []int, error) {
		p := &poisoned{Rule: baseRules[float32](t, 2, 4, 2)["pc"], at: 3}
		bad(p)
		tr := trainer(t, p)
		tr.Divergence = train.SkipBatch
		var skipped []int
		tr.OnSkip = func(step int, why error) {
			says(t, "skipped", why, "gradient of weight", "lower the rates")
			skipped = append(skipped, step)
		}
		h, err := tr.Run(t.Context())
		return h, p.Subject().Weights.Data(), skipped, err
	}
	h, got, skipped, err := run(func(p *poisoned) { p.step, p.grad = 2, float32(math.NaN()) })
	ok(t, err)
	if !slices.Equal(skipped, []int{2}) || h.Skipped != 1 || h.Steps != 6 {
		t.Errorf("skipped %v of %d steps, %d counted", skipped, h.Steps, h.Skipped)
	}
	_, want, _, err := run(func(p *poisoned) { p.step, p.grad = 2, 0; p.none = true })
	ok(t, err)
	if !slices.Equal(got, want) {
		t.Error("the weights are not those of the other batches")
	}

	rule := &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 2, 4, 4, 2), Solver: plainDescent[float32](50), Stop: infer.Steps(2000)}
	start := slices.Clone(rule.Subject().Weights.Data())
	tr := trainer(t, rule)
	tr.Divergence = train.SkipBatch
	h, err = tr.Run(t.Context())
	says(t, "nothing left", err, "all 6 batches were left out", "inference diverged at its step", "block")
	if !slices.Equal(rule.Subject().Weights.Data(), start) || h.Statuses[infer.Diverged] != 6 || h.Fraction(infer.Diverged) != 1 {
		t.Errorf("%+v", h)
	}

	// a flow that finds no step is a divergence too
	flow := &infer.Flow[float32]{Method: ode.Heun, Control: ode.PID{RTol: 1e-30, ATol: 1e-30}, Horizon: 5}
	for _, skip := range []train.Divergence{train.StopTraining, train.SkipBatch} {
		tr = trainer(t, &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 2, 4, 2), Solver: flow})
		tr.Divergence = skip
		h, err = tr.Run(t.Context())
		says(t, "underflow", err, "train: ", "step underflow", "lower the rates")
		if want := map[train.Divergence]int{train.StopTraining: 0, train.SkipBatch: 6}[skip]; h.Skipped != want {
			t.Errorf("underflow: %d left out, want %d", h.Skipped, want)
		}
	}

	tr = trainer(t, baseRules[float32](t, 2, 4, 2)["pc"])
	tr.Divergence, tr.Optimizer, tr.Epochs = train.SkipBatch, &optim.SGD[float32]{Rate: 1e300}, 9
	_, err = tr.Run(t.Context())
	says(t, "bad weights", err, "step 2", "weight block1/W[0 0] is", "lower the rates")
}

// TestRules_RefuseWhatTheyCannotDo names the option and what to do.
func TestRules_RefuseWhatTheyCannotDo(t *testing.T) {
	model := toyModel[float32](t, arch.Activities, 2, 4, 2)
	errs := toyModel[float32](t, arch.Errors, 2, 4, 2)
	pc := train.PC[float32]{Model: model, Solver: plainDescent[float32](.1), Stop: infer.Steps(3)}
	inErrors := pc
	inErrors.Model = errs
	with := func(m *arch.Model[float32]) train.PC[float32] { p := pc; p.Model = m; return p }
	for _, test := range []struct {
		reason string
		rule   interface{ Validate() error }
		want   string
	}{
		{"no model", &rules.ZIL[float32]{}, "ZIL: Model is missing"},
		{"errors", &rules.ZIL[float32]{Model: errs}, "arch.Activities"},
		{"hidden precision", &rules.ZIL[float32]{Model: another(t, model.Network(), energy.PC{Hidden: energy.Gaussian{Precision: 2}})}, "unit precision"},
		{"no chain", &rules.ZIL[float32]{Model: another(t, reachingBack(), nil)}, `block "c" does not read "b" alone`},
		{"errors", &rules.FixedPrediction[float32]{PC: inErrors}, "arch.Activities"},
		{"no solver", &rules.FixedPrediction[float32]{PC: train.PC[float32]{Model: model}}, "Solver is missing"},
		{"another energy", &rules.FixedPrediction[float32]{PC: with(another(t, model.Network(), energy.Sum{energy.PC{}, energy.ActivityDecay{Rate: .1}}))}, "ActivityDecay"},
		{"no beta", &rules.Nudged[float32]{PC: pc}, "Beta 0"},
		{"negative beta", &rules.Nudged[float32]{PC: pc, Beta: -1}, "Sign says its sign"},
		{"logits", &rules.Nudged[float32]{PC: with(another(t, model.Network(), energy.PC{Output: energy.Categorical{}})), Beta: 1}, "use NudgedCost"},
		{"an unknown sign", &rules.Nudged[float32]{PC: pc, Beta: 1, Sign: 9}, "Sign 9"},
		{"an unknown nudge", &rules.Nudged[float32]{PC: pc, Beta: 1, Nudge: 9}, "Nudge 9"},
		{"no samples", &rules.MonteCarlo[float32]{PC: pc, BurnIn: 3}, "no sample is left"},
		{"negative burn-in", &rules.MonteCarlo[float32]{PC: pc, BurnIn: -3}, "BurnIn -3"},
		{"no stop", &rules.Incremental[float32]{PC: train.PC[float32]{Model: model, Solver: plainDescent[float32](.1)}}, "Stop is missing"},
		{"gradients of other weights", &rules.Incremental[float32]{PC: train.PC[float32]{Model: model, Solver: &infer.LBFGS[float32]{}}}, "use infer.Descent"},
		{"an unknown divergence", func() *train.Trainer[float32] { tr := trainer(t, &pc); tr.Divergence = 7; return tr }(), "Divergence 7"},
	} {
		says(t, test.reason, test.rule.Validate(), test.want)
	}
}

// another is a network as a model with an energy, on weights of its own.
func another(t *testing.T, n *arch.Network, f energy.Functional) *arch.Model[float32] {
	t.Helper()
	w, err := arch.NewWeights[float32](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: 8, Energy: f})
	ok(t, err)
	return m
}
