package train_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/ode"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// A case for the tests below: a network with a batch of data.
type given struct {
	net  *arch.Network
	plan arch.Plan
	x, y []float64
}

func (g given) model(t *testing.T, c arch.Coordinates) *arch.Model[float64] {
	t.Helper()
	w, err := arch.NewWeights[float64](g.net, rand.New(rand.NewPCG(1, 2)))
	ok(t, err)
	p := g.plan
	p.Coordinates = c
	return compiled(t, g.net, w, p)
}

// plainPC is descent over activities.
func plainPC(m *arch.Model[float64], rate float64, steps int) train.PC[float64] {
	return train.PC[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: rate}}, Stop: infer.Steps(steps)}
}

// gradientOf is that of a rule that is valid.
func (g given) gradientOf(t *testing.T, r train.Rule[float64]) []float64 {
	t.Helper()
	if v, is := r.(interface{ Validate() error }); is {
		ok(t, v.Validate())
	}
	dw := make([]float64, len(r.Subject().Weights.Data()))
	_, err := r.Gradient(dw, g.x, g.y, g.plan.Batch)
	ok(t, err)
	return dw
}

func numbers(n int) []float64 {
	rng := rand.New(rand.NewPCG(5, 6))
	xs := make([]float64, n)
	for i := range xs {
		xs[i] = rng.NormFloat64()
	}
	return xs
}

// TestRules_WithModelsOfTheirOwnSeePaddingAndMasks: rules that compile a second model give it the padding and the masks of the one
// that the user has. Fixed predictions are then backprop's, to rounding, and nudging the cost with beta 1 is PC, in its bits.
func TestRules_WithModelsOfTheirOwnSeePaddingAndMasks(t *testing.T) {
	attention := &arch.Network{Input: []int{3, 2}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Attention{Width: 2, Heads: 1, Padding: true}}, {Name: "b", Layer: layers.Linear{In: 2, Out: 2, Act: layers.Tanh}},
	}}
	for name, g := range map[string]given{
		"padding": {attention, arch.Plan{Batch: 2}, numbers(12), numbers(12)},
		"mask":    {attention, arch.Plan{Batch: 2, Hold: map[string]arch.Hold{"b": arch.Masked}}, numbers(12), numbers(12)},
	} {
		t.Run(name, func(t *testing.T) {
			pc, bp := g.model(t, arch.Activities), g.model(t, arch.Feedforward)
			for _, m := range []*arch.Model[float64]{pc, bp} {
				ok(t, m.SetLayerInput("a/padding", []float64{0, 1, 1}))
				if g.plan.Hold != nil {
					ok(t, m.Mask("b", []float64{1, 0, 0, 1, 1, 0}))
				}
			}
			want := g.gradientOf(t, &train.Backprop[float64]{Model: bp})
			if d := relative(g.gradientOf(t, &rules.FixedPrediction[float64]{PC: plainPC(pc, 1, 3)}), want); !(d < 1e-12) {
				t.Errorf("fixed predictions: %.3g from backprop", d)
			}
			plain := plainPC(pc, .1, 5)
			want = g.gradientOf(t, &plain)
			if d := relative(g.gradientOf(t, &rules.Nudged[float64]{PC: plainPC(pc, .1, 5), Nudge: rules.NudgedCost, Beta: 1}), want); d != 0 {
				t.Errorf("nudging the cost: %.3g from PC", d)
			}
		})
	}
}

// TestFixedPrediction_OfOutputsWithLikelihoodsOfTheirOwn is backprop's: a likelihood of one output is not that of the other.
func TestFixedPrediction_OfOutputsWithLikelihoodsOfTheirOwn(t *testing.T) {
	n := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "h", Layer: layers.Linear{In: 2, Out: 3}},
		{Name: "a", Layer: layers.Linear{In: 3, Out: 1, Act: layers.Tanh}, Output: true},
		{Name: "b", From: []string{"h"}, Layer: layers.Linear{In: 3, Out: 2, Act: layers.Tanh}, Output: true},
	}}
	g := given{n, arch.Plan{Batch: 2, Energy: energy.PC{Blocks: map[string]energy.Likelihood{"a": energy.Gaussian{Precision: 5}}}}, numbers(4), numbers(6)}
	want := g.gradientOf(t, &train.Backprop[float64]{Model: g.model(t, arch.Feedforward)})
	if d := relative(g.gradientOf(t, &rules.FixedPrediction[float64]{PC: plainPC(g.model(t, arch.Activities), 1, 3)}), want); !(d < 1e-12) {
		t.Errorf("%.3g from backprop", d)
	}
}

// TestRules_FollowTheirFields: a rule whose fields are changed between batches, as one that anneals beta, is the rule with those
// fields from the start, to the bit.
func TestRules_FollowTheirFields(t *testing.T) {
	n, err := arch.Bidirectional{Chain: arch.Chain{Widths: []int{2, 3, 3, 2}, Act: layers.Tanh}}.Network()
	ok(t, err)
	g := given{n, arch.Plan{Batch: 2}, numbers(4), numbers(4)}
	m, bp := g.model(t, arch.Activities), g.model(t, arch.Feedforward)
	other := given{n, arch.Plan{Batch: 2, Energy: energy.PC{Output: energy.Gaussian{Precision: 3}}}, g.x, g.y}.model(t, arch.Activities)
	chain, err := arch.MLP(nil, layers.Tanh, 2, 3, 2)
	ok(t, err)
	alone := given{chain, arch.Plan{Batch: 2}, g.x, g.y}
	chained := alone.model(t, arch.Activities)
	precise := given{chain, arch.Plan{Batch: 2, Energy: energy.PC{Output: energy.Gaussian{Precision: 3}}}, g.x, g.y}.model(t, arch.Activities)
	nudged := func(m *arch.Model[float64], beta, rate float64, steps int) *rules.Nudged[float64] {
		return &rules.Nudged[float64]{PC: plainPC(m, rate, steps), Nudge: rules.NudgedCost, Beta: beta, Sign: rules.Centred}
	}
	tests := map[string]func() (changed, fresh train.Rule[float64]){
		"beta": func() (train.Rule[float64], train.Rule[float64]) {
			r := nudged(m, .5, .1, 4)
			g.gradientOf(t, r)
			r.Beta = .05
			return r, nudged(m, .05, .1, 4)
		},
		"solver and stop": func() (train.Rule[float64], train.Rule[float64]) {
			r, want := nudged(m, .5, .1, 4), nudged(m, .5, .2, 7)
			g.gradientOf(t, r)
			r.Solver, r.Stop = want.Solver, want.Stop
			return r, nudged(m, .5, .2, 7)
		},
		"model": func() (train.Rule[float64], train.Rule[float64]) {
			r := nudged(m, .5, .1, 4)
			g.gradientOf(t, r)
			r.Model = other
			return r, nudged(other, .5, .1, 4)
		},
		"stop of incremental": func() (train.Rule[float64], train.Rule[float64]) {
			r := &rules.Incremental[float64]{PC: plainPC(m, .1, 9)}
			g.gradientOf(t, r)
			r.Stop = infer.Steps(3)
			return r, &rules.Incremental[float64]{PC: plainPC(m, .1, 3)}
		},
		"step of targets": func() (train.Rule[float64], train.Rule[float64]) {
			r := &rules.TargetProp[float64]{Model: bp, Step: 2}
			g.gradientOf(t, r)
			r.Step = .1
			return r, &rules.TargetProp[float64]{Model: bp, Step: .1}
		},
		"model of fixed predictions": func() (train.Rule[float64], train.Rule[float64]) {
			r := &rules.FixedPrediction[float64]{PC: plainPC(chained, 1, 3)}
			alone.gradientOf(t, r)
			r.Model = precise
			return r, &rules.FixedPrediction[float64]{PC: plainPC(precise, 1, 3)}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed, fresh := test()
			if d := relative(g.gradientOf(t, changed), g.gradientOf(t, fresh)); d != 0 {
				t.Errorf("%.3g from a rule that has had these fields from the start", d)
			}
		})
	}
}

// TestRules_RefuseWhatTheyWouldIgnore: what a rule cannot use is an error before training, not another gradient.
func TestRules_RefuseWhatTheyWouldIgnore(t *testing.T) {
	net := func(change func(n *arch.Network)) *arch.Network {
		n := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
			{Name: "h", Layer: layers.Linear{In: 2, Out: 3, Act: layers.Tanh}}, {Name: "y", From: []string{"h"}, Layer: layers.Linear{In: 3, Out: 2, Act: layers.Tanh}},
		}}
		change(n)
		return n
	}
	plain := net(func(*arch.Network) {})
	started := net(func(n *arch.Network) { n.Blocks[0].Start = &arch.Start{} })
	lateral := net(func(n *arch.Network) {
		n.Blocks = append(n.Blocks, arch.Block{Name: "l", From: []string{"h"}, Predicts: "h", Layer: layers.Lateral{Width: 3}})
		n.Blocks[1].Output = true
	})
	tokens := net(func(n *arch.Network) { n.Input = []int{4, 2} })
	model := func(n *arch.Network, c arch.Coordinates, masked ...string) *arch.Model[float64] {
		p := arch.Plan{Batch: 2, Hold: make(map[string]arch.Hold)}
		for _, name := range masked {
			p.Hold[name] = arch.Masked
		}
		return given{net: n, plan: p}.model(t, c)
	}
	held := func(p arch.Plan) *arch.Model[float64] { return given{net: plain, plan: p}.model(t, arch.Activities) }
	pc := func(m *arch.Model[float64]) train.PC[float64] { return plainPC(m, .1, 3) }
	with := func(s infer.Solver[float64]) train.PC[float64] {
		return train.PC[float64]{Model: model(plain, arch.Activities), Solver: s, Stop: infer.Steps(3)}
	}
	previous := pc(model(plain, arch.Activities))
	previous.Start = &train.Previous[float64]{}
	h := hybrid[float64](t, false, 2, 3, 4)
	h.Generator = compiled(t, h.Generator.Network(), h.Generator.Weights(), arch.Plan{Batch: 2, Hold: map[string]arch.Hold{"block1": arch.Masked}})
	for _, test := range []struct {
		reason string
		rule   interface{ Validate() error }
		want   []string
	}{
		{"nudging makes a feedforward pass between two batches", &rules.Nudged[float64]{PC: previous, Beta: .1}, []string{"Nudged: Start", "Previous"}},
		{"backprop starts at the feedforward pass", &rules.FixedPrediction[float64]{PC: pc(model(started, arch.Activities))}, []string{`FixedPrediction: block "h"`, "Start"}},
		{"the errors' field is the gradient of no energy", &rules.FixedPrediction[float64]{PC: with(&infer.LBFGS[float64]{})}, []string{"FixedPrediction", "infer.LBFGS", "infer.Descent"}},
		{"and has no curvature", &rules.FixedPrediction[float64]{PC: with(&infer.Newton[float64]{})}, []string{"FixedPrediction", "infer.Newton"}},
		{"errors are inferred, inputs are not", &rules.FixedPrediction[float64]{PC: pc(model(plain, arch.Activities, "x"))}, []string{"FixedPrediction", `"x" is masked`}},
		{"backprop infers no inputs", &rules.ZIL[float64]{Model: model(plain, arch.Activities, "x")}, []string{"ZIL", `"x" is masked`}},
		{"the loss is over all units", &rules.FeedbackAlignment[float64]{Model: model(plain, arch.Feedforward, "y")}, []string{"FeedbackAlignment", `"y" is masked`}},
		{"the loss is over all units", &rules.DirectFeedback[float64]{Model: model(plain, arch.Feedforward, "y")}, []string{"DirectFeedback", `"y" is masked`}},
		{"a lateral block would not learn", &rules.FeedbackAlignment[float64]{Model: model(lateral, arch.Feedforward)}, []string{"FeedbackAlignment", `"l"`, `prediction of "h"`}},
		{"a lateral block would not learn", &rules.DirectFeedback[float64]{Model: model(lateral, arch.Feedforward)}, []string{"DirectFeedback", `"l"`, `prediction of "h"`}},
		{"tokens have no matrix", &rules.DirectFeedback[float64]{Model: model(tokens, arch.Feedforward)}, []string{"DirectFeedback", "[4 2]", "FeedbackAlignment"}},
		{"a hidden site has no data", &rules.Unsupervised[float64]{Model: held(arch.Plan{Batch: 2, FreeInput: true, Hold: map[string]arch.Hold{"h": arch.Clamped}}), Solver: descent[float64](), Stop: infer.Steps(2), Start: &train.Gaussian[float64]{}},
			[]string{"unsupervised", `"h" is clamped or masked`}},
		{"samples have nowhere to go", &rules.Unsupervised[float64]{Model: held(arch.Plan{Batch: 2, FreeInput: true, FreeOutput: true}), Solver: descent[float64](), Stop: infer.Steps(2), Start: &train.Gaussian[float64]{}},
			[]string{"unsupervised", `output "y" is free`}},
		{"an input that Hold clamps is not free", &rules.Unsupervised[float64]{Model: held(arch.Plan{Batch: 2, FreeInput: true, Hold: map[string]arch.Hold{"x": arch.Clamped}}), Solver: descent[float64](), Stop: infer.Steps(2), Start: &train.Gaussian[float64]{}},
			[]string{"unsupervised", `"x"`, "Plan.FreeInput"}},
		{"guesses are of all units", h, []string{"Hybrid: generator", `"block1" is masked`}},
	} {
		says(t, test.reason, test.rule.Validate(), test.want...)
	}
	ok(t, (&rules.FixedPrediction[float64]{PC: with(&infer.Flow[float64]{Method: ode.Euler, Control: ode.Constant{Step: .5}, Horizon: 2})}).Validate())
}

// TestStream_ExpectLeavesTheStreamWhereItIs: what is expected in between changes nothing, in its bits, also of a stream whose
// inference goes on from where the one before ended.
func TestStream_ExpectLeavesTheStreamWhereItIs(t *testing.T) {
	n := &arch.Network{Input: []int{3}, Blocks: []arch.Block{{Name: "z", Layer: layers.Linear{In: 3, Out: 3, Act: layers.Tanh}}, {Name: "y", Layer: layers.Linear{In: 3, Out: 2, Act: layers.Tanh}}}}
	g := given{net: n, plan: arch.Plan{Batch: 2}, y: numbers(4)}
	follow := func(expect bool) []float64 {
		p := plainPC(g.model(t, arch.Activities), .1, 2)
		s := &rules.Stream[float64]{Model: p.Model, Site: "z", Solver: p.Solver, Stop: p.Stop, Start: &train.Previous[float64]{}}
		ok(t, s.Validate())
		for range 2 {
			_, err := s.Observe(g.y)
			ok(t, err)
			if expect {
				_, err := s.Expect(3)
				ok(t, err)
			}
		}
		return s.Activity()
	}
	if d := relative(follow(true), follow(false)); d != 0 {
		t.Errorf("activities are %.3g from those of a stream that expected nothing", d)
	}
}

// TestUnsupervised_IsARuleLikeOthers: it can be asked before its first gradient, its loss is a number without inference, and what
// layers draw is drawn anew for every batch.
func TestUnsupervised_IsARuleLikeOthers(t *testing.T) {
	n := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "h", Layer: layers.Compose{layers.Linear{In: 2, Out: 8}, layers.Dropout{Rate: .5}}}, {Name: "y", Layer: layers.Linear{In: 8, Out: 3}},
	}}
	m := given{net: n, plan: arch.Plan{Batch: 2, FreeInput: true}}.model(t, arch.Activities)
	r := &rules.Unsupervised[float64]{Model: m, Solver: plainPC(m, .1, 0).Solver, Stop: infer.Steps(0), Start: &train.Gaussian[float64]{Std: 1}}
	ok(t, r.Validate())
	terms := []float64{7, 7}
	r.Subject().TermEnergies(terms)
	if terms[0] != 0 || terms[1] != 0 || r.Subject().Locate() != "" {
		t.Errorf("terms %v and %q before the first gradient, want zeros and nothing", terms, r.Subject().Locate())
	}
	dw := make([]float64, len(m.Weights().Data()))
	report, err := r.Gradient(dw, numbers(6), nil, 2)
	ok(t, err)
	if report.Loss != report.Energy {
		t.Errorf("loss %v without a step of inference, want the energy %v", report.Loss, report.Energy)
	}
	first := append([]float64(nil), m.LayerInput("h/2/dropout")...)
	_, err = r.Gradient(dw, numbers(6), nil, 2)
	ok(t, err)
	if relative(first, m.LayerInput("h/2/dropout")) == 0 {
		t.Errorf("the mask of the dropout is %v for two batches", first)
	}
}

// TestRules_WithoutWeights: a network of activations alone has an empty gradient, and no rule fails on that.
func TestRules_WithoutWeights(t *testing.T) {
	n := &arch.Network{Input: []int{2, 2, 1}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.AvgPool2D{Size: [2]int{1, 2}}}, {Name: "b", Layer: layers.Flatten{}},
	}}
	g := given{n, arch.Plan{Batch: 2}, numbers(8), numbers(4)}
	m, bp := g.model(t, arch.Activities), g.model(t, arch.Feedforward)
	for _, r := range []train.Rule[float64]{
		&rules.FeedbackAlignment[float64]{Model: bp},
		&rules.Incremental[float64]{PC: plainPC(m, .1, 3)},
		&rules.MonteCarlo[float64]{PC: plainPC(m, .1, 3)},
	} {
		g.gradientOf(t, r)
	}
}

// TestRules_PanicOnWrongLengths: a wrong call is named.
func TestRules_PanicOnWrongLengths(t *testing.T) {
	n, err := arch.MLP(nil, layers.Tanh, 2, 3, 2)
	ok(t, err)
	g := given{n, arch.Plan{Batch: 2}, numbers(4), numbers(4)}
	bp := g.model(t, arch.Feedforward)
	size := len(bp.Weights().Data())
	q := &train.Query[float64]{Model: given{net: n, plan: arch.Plan{Batch: 2, FreeInput: true}}.model(t, arch.Activities), Solver: descent[float64](), Stop: infer.Steps(2), Site: "x"}
	gradient := func(r train.Rule[float64], n int) func() {
		return func() { _, _ = r.Gradient(make([]float64, n), g.x, g.y, 2) }
	}
	fa := &rules.FeedbackAlignment[float64]{Model: bp}
	g.gradientOf(t, fa)
	h := hybrid[float64](t, false, 2, 3, 2)
	for _, test := range []struct {
		reason string
		call   func()
		want   string
	}{
		{"no gradient", gradient(fa, 0), "train: Gradient"},
		{"gradient too short", gradient(fa, size-1), "train: Gradient"},
		{"gradient too long", gradient(fa, size+1), "train: Gradient"},
		{"gradient of one network of two", gradient(h, 3), "train: Gradient"},
		{"terms too short", func() { fa.Subject().TermEnergies(nil) }, "rules: TermEnergies"},
		{"more than whole samples", func() { _, _, _ = q.Ask(nil, numbers(5), 2) }, "train: Query.Ask"},
		{"a gradient of another network", func() { analysis.Agree(g.x, g.x[1:]) }, "analysis: Agree"},
		{"spans of another network", func() { train.AdamSpans(h.Amortiser.Network(), bp.Weights()) }, "train: spans"},
		{"less than no sample", func() { _, _, _ = q.Ask(nil, nil, -1) }, "train: Query.Ask"},
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, test.want) {
					t.Errorf("%s: panic %q, want %q", test.reason, s, test.want)
				}
			}()
			test.call()
		}()
	}
	_, err = (&train.Query[float64]{}).Inputs(nil)
	says(t, "a query of nothing", err, "Model or Solver is missing")
}

// TestEvaluateAndFitCloud_NameWhatTheyCannotUse: predictions of another length, no set, points that are not finite.
func TestEvaluateAndFitCloud_NameWhatTheyCannotUse(t *testing.T) {
	set, _ := load(t, data.XOR{Train: 4, Seed: 1})
	predict := func([]float64) ([]float64, error) { return make([]float64, 3), nil }
	_, err := train.Evaluate(predict, set)
	says(t, "another length", err, "3 numbers for 4 samples", "targets of 2")
	_, err = train.Evaluate(predict, nil)
	says(t, "no set", err, "set is missing")
	_, err = analysis.FitCloud([]float64{1, 2, 3, math.NaN()}, 2)
	says(t, "a point that is none", err, "element 1 of point 1 is NaN")
}
