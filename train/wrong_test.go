package train_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// says checks that an error names everything it should.
func says(t *testing.T, reason string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", reason)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%s: error %q does not say %q", reason, err, p)
		}
	}
}

// trainer is one that works.
func trainer(t *testing.T, rule train.Rule[float32]) *train.Trainer[float32] {
	t.Helper()
	trainSet, testSet := load(t, data.XOR{Train: 24, Test: 8, Seed: 1})
	return &train.Trainer[float32]{Rule: rule, Optimizer: &optim.SGD[float32]{Rate: .1}, Train: trainSet, Test: testSet, Batch: 8, Epochs: 2}
}

func TestTrainer_RefusesOptionsThatCannotRun(t *testing.T) {
	model := toyModel[float32](t, arch.Activities, 2, 4, 2)
	feedforward := toyModel[float32](t, arch.Feedforward, 2, 4, 2)
	freeInput, err := arch.Compile(model.Network(), model.Weights(), arch.Plan{Batch: 8, FreeInput: true})
	ok(t, err)
	held := map[string]arch.Hold{"block1": arch.Clamped}
	hidden, err := arch.Compile(model.Network(), model.Weights(), arch.Plan{Batch: 8, Hold: held})
	ok(t, err)
	teacher, err := arch.Compile(model.Network(), model.Weights(), arch.Plan{Batch: 8, Hold: held, Coordinates: arch.Feedforward})
	ok(t, err)
	descent := &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}
	pc := func(change func(r *train.PC[float32])) func(*train.Trainer[float32]) {
		return func(tr *train.Trainer[float32]) {
			r := &train.PC[float32]{Model: model, Solver: descent, Stop: infer.Steps(3)}
			change(r)
			tr.Rule = r
		}
	}
	wide, _ := load(t, data.Linear{In: 3, Out: 2, Train: 8, Seed: 1})
	many, _ := load(t, data.Linear{In: 2, Out: 5, Train: 8, Seed: 1})
	tests := []struct {
		reason string
		change func(tr *train.Trainer[float32])
		want   string
	}{
		{"nothing to train", func(tr *train.Trainer[float32]) { tr.Rule = nil }, "Rule is missing"},
		{"nothing to train with", func(tr *train.Trainer[float32]) { tr.Optimizer = nil }, "Optimizer is missing"},
		{"nothing to train on", func(tr *train.Trainer[float32]) { tr.Train = nil }, "Train is missing"},
		{"an empty set", func(tr *train.Trainer[float32]) { tr.Train = tr.Train.Slice(3, 3) }, "empty"},
		{"an empty test set has no accuracy", func(tr *train.Trainer[float32]) { tr.Test = tr.Test.Slice(3, 3) }, "Test is empty"},
		{"batches without samples", func(tr *train.Trainer[float32]) { tr.Batch = 0 }, "batch of 0"},
		{"negative batch", func(tr *train.Trainer[float32]) { tr.Batch = -1 }, "batch of -1"},
		{"no epochs", func(tr *train.Trainer[float32]) { tr.Epochs = 0 }, "0 epochs"},
		{"negative steps", func(tr *train.Trainer[float32]) { tr.MaxSteps = -1 }, "Steps -1"},
		{"negative interval", func(tr *train.Trainer[float32]) { tr.EvalEvery = -5 }, "EvalEvery -5"},
		{"negative rate", func(tr *train.Trainer[float32]) { tr.Optimizer = &optim.SGD[float32]{Rate: -1} }, "Rate -1"},
		{"rate NaN", func(tr *train.Trainer[float32]) { tr.Optimizer = &optim.Adam[float32]{Rate: math.NaN()} }, "Rate NaN"},
		{"data of another width", func(tr *train.Trainer[float32]) { tr.Train = wide }, "3 inputs"},
		{"targets of another width", func(tr *train.Trainer[float32]) { tr.Train = many }, "5 outputs"},
		{"test data of another width", func(tr *train.Trainer[float32]) { tr.Test = many }, "5 outputs"},
		{"no model", pc(func(r *train.PC[float32]) { r.Model = nil }), "Model is missing"},
		{"no activities", pc(func(r *train.PC[float32]) { r.Model = feedforward }), "use Backprop"},
		{"no place for x", pc(func(r *train.PC[float32]) { r.Model = freeInput }), "free input"},
		{"no data for a hidden site", pc(func(r *train.PC[float32]) { r.Model = hidden }), `"block1" clamped`},
		{"no solver", pc(func(r *train.PC[float32]) { r.Solver = nil }), "Solver is missing"},
		{"no end", pc(func(r *train.PC[float32]) { r.Stop = nil }), "Stop is missing"},
		{"an end that may never come", pc(func(r *train.PC[float32]) { r.Stop = infer.Stationary{Tol: 1e-30} }), "add a limit"},
		{"a bad stop", pc(func(r *train.PC[float32]) { r.Stop = infer.Steps(-1) }), "Steps(-1)"},
		{"a bad solver", pc(func(r *train.PC[float32]) { r.Solver = &infer.Descent[float32]{} }), "Descent"},
		{"backprop without a model", func(tr *train.Trainer[float32]) { tr.Rule = &train.Backprop[float32]{} }, "Model is missing"},
		{"backprop without data for a hidden site", func(tr *train.Trainer[float32]) { tr.Rule = &train.Backprop[float32]{Model: teacher} }, `"block1" clamped`},
		{"backprop with free activities", func(tr *train.Trainer[float32]) { tr.Rule = &train.Backprop[float32]{Model: model} }, "arch.Feedforward"},
	}
	for _, test := range tests {
		tr := trainer(t, &train.Backprop[float32]{Model: feedforward})
		if err := tr.Validate(); err != nil {
			t.Fatal(err)
		}
		test.change(tr)
		_, err := tr.Run(t.Context())
		says(t, test.reason, err, "train: ", test.want)
	}
}

// TestTrainer_NamesBadWeights: a weight that becomes NaN or infinite is named with the step that meets it.
func TestTrainer_NamesBadWeights(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		for name, rule := range baseRules[float32](t, 2, 4, 2) {
			tr := trainer(t, rule)
			w := rule.Subject().Weights
			var before []float32
			tr.OnStep = func(s train.Step[float32]) {
				if s.Step == 2 {
					w.Field("block2/W")[3] = bad
					w.Touch()
					before = slices.Clone(w.Data())
				}
			}
			h, err := tr.Run(t.Context())
			says(t, name, err, "step 3", "epoch 0", "block2/W[1 1]", "look at the data")
			if h.Steps != 2 {
				t.Errorf("%s: %d steps, want those before the error", name, h.Steps)
			}
			for i, v := range w.Data() {
				if v != before[i] && v == v {
					t.Errorf("%s: the weights moved", name)
					break
				}
			}
		}
	}
}

// poisoned is a rule that sees one bad number in the data of a step, or a gradient that overflows.
type poisoned struct {
	train.Rule[float32]
	step           int
	x, grad        float32
	calls, atX, at int
	none           bool // no gradient at that step
}

func (p *poisoned) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	p.calls++
	if p.calls == p.step && p.x != 0 {
		x[p.atX] = p.x
	}
	r, err := p.Rule.Gradient(grad, x, y, batch)
	if p.calls == p.step && p.grad != 0 {
		grad[p.at] = p.grad
	}
	if p.calls == p.step && p.none {
		clear(grad)
	}
	return r, err
}

// TestTrainer_NamesBadData: NaN in the data is an error with step, sample and element.
func TestTrainer_NamesBadData(t *testing.T) {
	for name, rule := range baseRules[float32](t, 2, 4, 2) {
		start := slices.Clone(rule.Subject().Weights.Data())
		_, err := trainer(t, &poisoned{Rule: rule, step: 1, x: float32(math.NaN()), atX: 2*5 + 1}).Run(t.Context())
		says(t, name, err, "step 1", "x of sample 5, element 1 is NaN", "clean the data")
		if !slices.Equal(rule.Subject().Weights.Data(), start) {
			t.Errorf("%s: the weights moved", name)
		}
		_, err = trainer(t, &poisoned{Rule: rule, step: 2, grad: float32(math.Inf(-1)), at: 13}).Run(t.Context())
		says(t, name, err, "step 2", "gradient of weight block2/W[0 1] is -Inf")
	}
}

// TestTrainer_NamesDivergence: a rate that is too high is an error that names step and layer, for activities and for
// weights, in the middle and in the last step.
func TestTrainer_NamesDivergence(t *testing.T) {
	bad := func(rate float64) *train.PC[float32] {
		r := baseRules[float32](t, 2, 4, 4, 2)["pc"].(*train.PC[float32])
		r.Solver = &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: rate}}
		r.Stop = infer.Steps(2000)
		return r
	}
	_, err := trainer(t, bad(50)).Run(t.Context())
	says(t, "activities", err, "train: step 1 ", "inference diverged at its step ", "block", "/z[", "lower the rates")

	for name, rule := range baseRules[float32](t, 2, 4, 4, 2) {
		tr := trainer(t, rule)
		tr.Optimizer = &optim.SGD[float32]{Rate: 1e30}
		tr.Epochs = 100
		_, err := tr.Run(t.Context())
		says(t, name+" weights", err, "train: step ", "block", "lower the rates")

		tr = trainer(t, baseRules[float32](t, 2, 4, 4, 2)[name])
		tr.Optimizer = &optim.SGD[float32]{Rate: 1e300} // infinite in float32
		tr.MaxSteps = 1
		_, err = tr.Run(t.Context())
		says(t, name+" weights in the last step", err, "after step 1", "weight block1/W[0 0] is", "lower the rates")
	}
}

// TestEvaluate_IsItsDefinition: loss and accuracy of predictions made up here, over more than one piece of the set.
func TestEvaluate_IsItsDefinition(t *testing.T) {
	const n = 2500
	set, _ := load(t, data.Moons{Train: n, Seed: 1})
	r := rand.New(rand.NewPCG(1, 1))
	calls, at, right, loss, entropy := 0, 0, 0, 0.0, 0.0
	score, err := train.Evaluate(func(x []float64) ([]float64, error) {
		calls++
		p := make([]float64, len(x))
		for i := range len(x) / 2 {
			p[2*i], p[2*i+1] = r.NormFloat64(), r.NormFloat64()
			guess := 0
			if p[2*i+1] > p[2*i] {
				guess = 1
			}
			if guess == set.Label(at) {
				right++
			}
			margin := p[2*i+set.Label(at)] - p[2*i+1-set.Label(at)] // of two classes, softmax is the logistic function of it
			entropy += math.Log1p(math.Exp(-margin)) / n
			for k := range 2 {
				y := 0.0
				if set.Label(at) == k {
					y = 1
				}
				loss += (y - p[2*i+k]) * (y - p[2*i+k]) / 2 / n
			}
			at++
		}
		return p, nil
	}, set)
	if err != nil || at != n || calls < 2 {
		t.Fatalf("%d samples in %d calls, error %v", at, calls, err)
	}
	if score.Samples != n || math.Abs(score.Loss-loss) > 1e-12 || math.Abs(score.CrossEntropy-entropy) > 1e-12 || score.Accuracy != float64(right)/n {
		t.Errorf("%+v, want loss %g, cross-entropy %g and accuracy %g", score, loss, entropy, float64(right)/n)
	}
	_, err = train.Evaluate(func(x []float64) ([]float64, error) {
		p := make([]float64, len(x))
		p[2*7+1] = math.NaN()
		return p, nil
	}, set)
	says(t, "a prediction that is NaN", err, "output 1 of sample 7", "NaN")
}

func TestLargest(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		xs     []float64
		want   int
		reason string
	}{
		{[]float64{1, 3, 2}, 1, "the largest"},
		{[]float64{-3, -1, -2}, 1, "of negative numbers too"},
		{[]float64{2, 5, 5}, 1, "the first of equals"},
		{nil, -1, "nothing"},
		{[]float64{1, nan, 9}, -1, "NaN is no prediction"},
	}
	for _, test := range tests {
		if got := train.Largest(test.xs); got != test.want {
			t.Errorf("%s: %v gives %d, want %d", test.reason, test.xs, got, test.want)
		}
	}
}

// TestSpans_AreTheScalingsFactors: one span per weight whose factors are not one, over that weight's part of the slab;
// neighbours that are alike are one.
func TestSpans_AreTheScalingsFactors(t *testing.T) {
	n, err := arch.Chain{Scaling: arch.MuP{}, Act: layers.Tanh, Widths: []int{4, 8, 8, 2}}.Network()
	ok(t, err)
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	adam := []optim.Span{{Lo: 0, Hi: 32, Factor: 1, Eps: 1. / 8}, {Lo: 32, Hi: 96, Factor: 1. / 8, Eps: 1. / 8, Decay: 8},
		{Lo: 96, Hi: 112, Factor: 1. / 8, Decay: 8}}
	if got := train.AdamSpans(n, w); !slices.Equal(got, adam) {
		t.Errorf("adam: %v, want %v", got, adam)
	}
	sgd := []optim.Span{{Lo: 0, Hi: 32, Factor: 8}, {Lo: 96, Hi: 112, Factor: 1. / 8}}
	if got := train.SGDSpans(n, w); !slices.Equal(got, sgd) {
		t.Errorf("sgd: %v, want %v", got, sgd)
	}
	if s := train.AdamSpans(chainOf(t, arch.SP{}, false), w); s != nil {
		t.Errorf("sp without biases: %v, want none", s)
	}
}

// TestSpans_LeaveBiasesGainsAndPrecisionsUndecayed: with a gradient of zero, AdamW, SGD and momentum shrink the weights
// alone, each by its own factor.
func TestSpans_LeaveBiasesGainsAndPrecisionsUndecayed(t *testing.T) {
	const rate, decay = .01, .5
	for _, s := range []arch.Scaling{arch.SP{}, arch.CompleteP{}, arch.MuPC{Gamma: 2}} {
		n := chainOf(t, s, true)
		n.Blocks[1].Layer = layers.Compose{layers.LayerNorm{Width: 8, Gain: true, Bias: true}, n.Blocks[1].Layer}
		n.Blocks[2].Precision = arch.DiagonalPrecision
		for name, opt := range map[string]func(w *graph.Vector[float64]) optim.Optimizer[float64]{
			"AdamW": func(w *graph.Vector[float64]) optim.Optimizer[float64] {
				return &optim.AdamW[float64]{Rate: rate, Decay: decay, Spans: train.AdamSpans(n, w)}
			},
			"SGD": func(w *graph.Vector[float64]) optim.Optimizer[float64] {
				return &optim.SGD[float64]{Rate: rate, Decay: decay, Spans: train.SGDSpans(n, w)}
			},
			"Momentum": func(w *graph.Vector[float64]) optim.Optimizer[float64] {
				return &optim.Momentum[float64]{Rate: rate, Mu: .9, Decay: decay, Spans: train.SGDSpans(n, w)}
			},
		} {
			w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
			ok(t, err)
			for i := range w.Data() {
				w.Data()[i] = 1
			}
			opt(w).Step(w.Data(), make([]float64, len(w.Data())))
			undecayed := 0
			for i, weight := range n.Weights() {
				f := weight.Factors
				want := 1 - rate*f.SGD*decay
				if name == "AdamW" {
					want = 1 - rate*f.Adam*decay*max(f.Decay, 1) // none of these scalings has a factor between 0 and 1
				}
				if weight.Param.Bias {
					want = 1
					undecayed++
				}
				for _, v := range w.Part(w.Data(), i) {
					if math.Abs(v-want) > 1e-14 {
						t.Fatalf("%v, %s: %s became %v, want %v", s, name, weight.Name, v, want)
					}
				}
			}
			if undecayed != 3+2+1 {
				t.Fatalf("%d weights are biases, gains or precisions, want 6", undecayed)
			}
		}
	}
}

// chainOf is a small chain.
func chainOf(t *testing.T, s arch.Scaling, bias bool) *arch.Network {
	t.Helper()
	n, err := arch.Chain{Scaling: s, Act: layers.Tanh, Widths: []int{4, 8, 8, 2}, Bias: bias}.Network()
	ok(t, err)
	return n
}

// TestEvaluate_CountsScoredStepsOfSequences: of the copy task, the half that asks for the word. Predictions made up here are
// right in known places; what is right or wrong before the delimiter does not count.
func TestEvaluate_CountsScoredStepsOfSequences(t *testing.T) {
	const n, length, classes = 7, 4, 5
	set, _ := load(t, data.Copy{Length: length, Tokens: classes - 2, Train: n, Seed: 1})
	at, right := 0, 0
	score, err := train.Evaluate(func(x []float64) ([]float64, error) {
		p := make([]float64, len(x))
		for i := range len(x) / (2 * length * classes) {
			for step := range 2 * length {
				guess := set.TokenLabel(at, step)
				if step >= length && (at+step)%3 == 0 || step < length && at%2 == 0 {
					guess = (guess + 1) % classes
				} else if step >= length {
					right++
				}
				p[(i*2*length+step)*classes+guess] = 1
			}
			at++
		}
		return p, nil
	}, set)
	if err != nil || at != n {
		t.Fatalf("%d samples, error %v", at, err)
	}
	if want := float64(right) / (n * length); score.Accuracy != want {
		t.Errorf("accuracy %v, want %v", score.Accuracy, want)
	}
	regression, _ := load(t, data.InContext{Train: n, Pairs: 3})
	score, err = train.Evaluate(func(x []float64) ([]float64, error) { return make([]float64, len(x)/12), nil }, regression)
	if err != nil || score.Accuracy != 0 || score.Samples != n {
		t.Errorf("regression: %+v, %v", score, err)
	}
}
