package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestTrainer_SaysWhichPartIsMissing: a part that is nil, or a nil pointer in an interface, is a sentence before the first step.
func TestTrainer_SaysWhichPartIsMissing(t *testing.T) {
	model := toyModel[float32](t, arch.Activities, 2, 4, 2)
	pc := func(change func(r *train.PC[float32])) func(tr *train.Trainer[float32]) {
		return func(tr *train.Trainer[float32]) {
			r := &train.PC[float32]{Model: model, Solver: descent[float32](), Stop: infer.Steps(3)}
			change(r)
			tr.Rule = r
		}
	}
	rule := func(r train.Rule[float32]) func(tr *train.Trainer[float32]) {
		return func(tr *train.Trainer[float32]) { tr.Rule = r }
	}
	optimizer := func(o optim.Optimizer[float32]) func(tr *train.Trainer[float32]) {
		return func(tr *train.Trainer[float32]) { tr.Optimizer = o }
	}
	var nilStop *infer.LBFGS[float32]
	for _, c := range []struct {
		reason string
		change func(tr *train.Trainer[float32])
		want   string
	}{
		{"nil PC", rule((*train.PC[float32])(nil)), "Rule is missing"},
		{"nil Backprop", rule((*train.Backprop[float32])(nil)), "Rule is missing"},
		{"nil Hybrid", rule((*rules.Hybrid[float32])(nil)), "Rule is missing"},
		{"empty PC", rule(&train.PC[float32]{}), "Model is missing"},
		{"empty Backprop", rule(&train.Backprop[float32]{}), "Model is missing"},
		{"empty Incremental", rule(&rules.Incremental[float32]{}), "Model is missing"},
		{"empty Nudged", rule(&rules.Nudged[float32]{}), "Model is missing"},
		{"empty MonteCarlo", rule(&rules.MonteCarlo[float32]{}), "Model is missing"},
		{"empty FixedPrediction", rule(&rules.FixedPrediction[float32]{}), "Model is missing"},
		{"empty ZIL", rule(&rules.ZIL[float32]{}), "Model is missing"},
		{"empty Hybrid", rule(&rules.Hybrid[float32]{}), "Generator is missing"},
		{"empty FeedbackAlignment", rule(&rules.FeedbackAlignment[float32]{}), "Model is missing"},
		{"empty DirectFeedback", rule(&rules.DirectFeedback[float32]{}), "Model is missing"},
		{"empty RedBlack", rule(&rules.RedBlack[float32]{}), "Model is missing"},
		{"empty Scheduled", rule(&rules.Scheduled[float32]{}), "Model is missing"},
		{"empty Highways", rule(&rules.Highways[float32]{}), "Model is missing"},
		{"empty KolenPollack", rule(&rules.KolenPollack[float32]{}), "Model is missing"},
		{"nil Average", pc(func(r *train.PC[float32]) { r.Start = (*train.Average[float32])(nil) }), "Start: give a value"},
		{"empty Recall", pc(func(r *train.PC[float32]) { r.Start = &train.Recall[float32]{} }), "Capacity 0"},
		{"empty TargetProp", rule(&rules.TargetProp[float32]{}), "Model is missing"},
		{"empty Unsupervised", rule(&rules.Unsupervised[float32]{}), "Model, Solver or Start is missing"},
		{"empty Generator", rule(&rules.Generator[float32]{}), "Rule is missing"},
		{"Generator of a nil PC", rule(&rules.Generator[float32]{Rule: (*train.PC[float32])(nil)}), "Rule is missing"},
		{"nil Adam", optimizer((*optim.Adam[float32])(nil)), "Optimizer is missing"},
		{"nil Clip", optimizer((*optim.Clip[float32])(nil)), "Optimizer is missing"},
		{"Clip of nothing", optimizer(&optim.Clip[float32]{Max: 1}), "Opt is missing"},
		{"Clip of a nil SGD", optimizer(&optim.Clip[float32]{Max: 1, Opt: (*optim.SGD[float32])(nil)}), "nil pointer"},
		{"nil Descent", pc(func(r *train.PC[float32]) { r.Solver = (*infer.Descent[float32])(nil) }), "Solver is missing"},
		{"nil Flow", pc(func(r *train.PC[float32]) { r.Solver = (*infer.Flow[float32])(nil) }), "Solver is missing"},
		{"Descent of nothing", pc(func(r *train.PC[float32]) { r.Solver = &infer.Descent[float32]{} }), "Optimizer is missing"},
		{"Descent of a nil SGD", pc(func(r *train.PC[float32]) { r.Solver = &infer.Descent[float32]{Optimizer: (*optim.SGD[float32])(nil)} }), "Optimizer is missing"},
		{"nil stop", pc(func(r *train.PC[float32]) { r.Stop = nilStop }), "Stop"},
		{"a nil rule of Any", pc(func(r *train.PC[float32]) { r.Stop = infer.Any{nil, infer.Steps(3)} }), "rule 0 is missing"},
		{"nil Gaussian", pc(func(r *train.PC[float32]) { r.Start = (*train.Gaussian[float32])(nil) }), "Start: give a value"},
		{"nil Previous", pc(func(r *train.PC[float32]) { r.Start = (*train.Previous[float32])(nil) }), "Start: give a value"},
		{"nil Amortised", pc(func(r *train.PC[float32]) { r.Start = (*rules.Amortised[float32])(nil) }), "Start: give a value"},
		{"empty Amortised", pc(func(r *train.PC[float32]) { r.Start = &rules.Amortised[float32]{} }), "Amortiser is missing"},
		{"no training set", func(tr *train.Trainer[float32]) { tr.Train = nil }, "Train is missing"},
	} {
		tr := trainer(t, &train.Backprop[float32]{Model: toyModel[float32](t, arch.Feedforward, 2, 4, 2)})
		tr.OnStep = func(train.Step[float32]) { t.Errorf("%s: trains", c.reason) }
		c.change(tr)
		_, err := tr.Run(t.Context())
		says(t, c.reason, err, "train: ", c.want)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: an error of several lines: %q", c.reason, err)
		}
	}
	var none *train.Trainer[float32]
	_, err := none.Run(t.Context())
	says(t, "no trainer", err, "nil *Trainer")
	_, err = trainer(t, baseRules[float32](t, 2, 4, 2)["pc"]).Run(nil) //lint:ignore SA1012 that is what is tested
	says(t, "no context", err, "without a context", "context.Background()")
	_, err = (&analysis.CoordCheck[float32]{}).Run(nil) //lint:ignore SA1012 that is what is tested
	says(t, "no context of a coordinate check", err, "without a context")

	bp := toyModel[float64](t, arch.Feedforward, 2, 4, 2)
	acts := toyModel[float64](t, arch.Activities, 2, 4, 2)
	for reason, c := range map[string]struct {
		call func() error
		want string
	}{
		"Compare without PC": {func() error {
			_, _, err := analysis.Compare(nil, bp, descent[float64](), infer.Steps(1), nil, nil, 1, nil)
			return err
		}, "one is nil"},
		"Compare without backprop": {func() error {
			_, _, err := analysis.Compare(acts, nil, descent[float64](), infer.Steps(1), nil, nil, 1, nil)
			return err
		}, "one is nil"},
		"Compare without solver": {func() error {
			_, _, err := analysis.Compare(acts, bp, nil, infer.Steps(1), nil, nil, 1, nil)
			return err
		}, "solver is missing"},
		"Compare without stop": {func() error {
			_, _, err := analysis.Compare(acts, bp, descent[float64](), nil, nil, nil, 1, nil)
			return err
		}, "Stop is missing"},
		"Trace without model":      {func() error { _, _, err := analysis.Trace(nil, descent[float64](), infer.Steps(1)); return err }, "model is missing"},
		"Trace without solver":     {func() error { _, _, err := analysis.Trace(acts, nil, infer.Steps(1)); return err }, "solver is missing"},
		"Trace without stop":       {func() error { _, _, err := analysis.Trace(acts, descent[float64](), nil); return err }, "Stop is missing"},
		"Slice without model":      {func() error { _, err := analysis.Slice[float64](nil, nil, nil); return err }, "model is missing"},
		"Evaluate without predict": {func() error { _, err := train.Evaluate[float64](nil, nil); return err }, "predict is missing"},
		"Continue without predict": {func() error { _, err := train.Continue[float64](nil, []int{0}, 1, 1, 1, 0, nil); return err }, "predict is missing"},
		"empty Query":              {func() error { _, _, err := (&train.Query[float64]{}).Ask(nil, nil, 1); return err }, "missing"},
		"nil start of a Query": {func() error {
			return (&train.Query[float64]{Model: acts, Solver: descent[float64](), Stop: infer.Steps(1), Site: "block1", Start: (*train.Gaussian[float64])(nil)}).Validate()
		}, "Start: give a value"},
		"empty Stream": {func() error { return (&rules.Stream[float64]{}).Validate() }, "missing"},
	} {
		says(t, reason, c.call(), c.want)
	}
}

// TestTrainer_RefusesRatesThatMoveNothing: rate 0, a negative one and none at all, of weights and of activities, before the
// first step.
func TestTrainer_RefusesRatesThatMoveNothing(t *testing.T) {
	for _, rate := range []float64{0, -.1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		want := fmt.Sprintf("Rate %g: want a finite number above 0", rate)
		for name, o := range map[string]func() optim.Optimizer[float32]{
			"SGD":      func() optim.Optimizer[float32] { return &optim.SGD[float32]{Rate: rate} },
			"Momentum": func() optim.Optimizer[float32] { return &optim.Momentum[float32]{Rate: rate, Mu: .9} },
			"Adam":     func() optim.Optimizer[float32] { return &optim.Adam[float32]{Rate: rate} },
			"AdamW":    func() optim.Optimizer[float32] { return &optim.AdamW[float32]{Rate: rate} },
			"Clip": func() optim.Optimizer[float32] {
				return &optim.Clip[float32]{Max: 1, Opt: &optim.Adam[float32]{Rate: rate}}
			},
		} {
			for rule, r := range baseRules[float32](t, 2, 4, 2) {
				tr := trainer(t, r)
				tr.OnStep = func(train.Step[float32]) { t.Errorf("%s %s trains at rate %g", rule, name, rate) }
				tr.Optimizer = o()
				_, err := tr.Run(t.Context())
				says(t, name+" of weights", err, "train: ", want)
			}
			tr := trainer(t, &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 2, 4, 2), Solver: &infer.Descent[float32]{Optimizer: o()}, Stop: infer.Steps(3)})
			tr.OnStep = func(train.Step[float32]) { t.Errorf("%s trains with inference at rate %g", name, rate) }
			_, err := tr.Run(t.Context())
			says(t, name+" of activities", err, "train: ", want)
		}
	}
}

// TestTrainer_RefusesOneOptimizerForBoth: an optimiser that moves the weights and the activities, directly or in a Clip, of every
// kind and in every rule that infers; two alike are none.
func TestTrainer_RefusesOneOptimizerForBoth(t *testing.T) {
	set := func(r train.Rule[float32], s infer.Solver[float32]) bool {
		switch r := r.(type) {
		case *train.PC[float32]:
			r.Solver = s
		case *rules.Incremental[float32]:
			r.Solver = s
		case *rules.Nudged[float32]:
			r.Solver = s
		case *rules.FixedPrediction[float32]:
			r.Solver = s
		case *rules.Hybrid[float32]:
			r.Solver = s
		case *rules.Generator[float32]:
			r.Rule.(*train.PC[float32]).Solver = s
		default:
			return false
		}
		return true
	}
	rulesTried := 0
	for name, r := range everyRule[float32](t) {
		if _, samples := r.(*rules.MonteCarlo[float32]); samples {
			continue
		}
		both := &optim.Adam[float32]{Rate: .01}
		if !set(r, &infer.Descent[float32]{Optimizer: both}) {
			continue
		}
		rulesTried++
		tr := kept(t, r, both, train.Checkpoint{})
		_, err := tr.Run(t.Context())
		says(t, name, err, "an optimiser of their own", "optim.Adam[float32]", "activities")
		tr.Optimizer = &optim.Adam[float32]{Rate: .01}
		ok(t, tr.Validate())
	}
	if rulesTried < 10 {
		t.Errorf("only %d rules were tried", rulesTried)
	}
	for name, o := range everyOptimizer[float32]() {
		if c, is := o.(*optim.Clip[float32]); is { // spans are of the weights
			o = c
		}
		for how, pair := range map[string][2]optim.Optimizer[float32]{
			"the same":               {o, o},
			"clipped for weights":    {&optim.Clip[float32]{Max: 1, Opt: o}, o},
			"clipped for activities": {o, &optim.Clip[float32]{Max: 1, Opt: o}},
			"clipped for both":       {&optim.Clip[float32]{Max: 1, Opt: o}, &optim.Clip[float32]{Max: 2, Opt: o}},
		} {
			tr := kept(t, &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 5, 6, 4, 3), Solver: &infer.Descent[float32]{Optimizer: pair[1]}, Stop: infer.Steps(2)}, pair[0], train.Checkpoint{})
			_, err := tr.Run(t.Context())
			says(t, name+" "+how, err, "train: ", "an optimiser of their own")
		}
	}
	s, _ := turnStream(t)
	o := &optim.SGD[float64]{Rate: .01}
	s.Solver = &infer.Descent[float64]{Optimizer: o}
	says(t, "stream", (&train.Trainer[float64]{Rule: s, Optimizer: o, MaxSteps: 1, Feed: func(int) (x, y []float64) { return nil, nil }}).Validate(), "train: ", "an optimiser of their own")
}

// TestTrainer_RefusesAnOptimizerOfOtherWeights: one that has trained another network, and one with its spans.
func TestTrainer_RefusesAnOptimizerOfOtherWeights(t *testing.T) {
	small, large := toyModel[float32](t, arch.Feedforward, 2, 4, 2), toyModel[float32](t, arch.Feedforward, 2, 5, 5, 2)
	o := &optim.Adam[float32]{Rate: .01}
	for i, m := range []*arch.Model[float32]{small, large} {
		tr := trainer(t, &train.Backprop[float32]{Model: m})
		tr.Optimizer = o
		_, err := tr.Run(t.Context())
		if i == 0 {
			ok(t, err)
			continue
		}
		says(t, "a used optimiser", err, "train: ", fmt.Sprintf("stepped %d numbers so far, and now %d", len(small.Weights().Data()), len(large.Weights().Data())), "Reset")
	}
	tr := trainer(t, &train.Backprop[float32]{Model: small})
	tr.Optimizer = &optim.SGD[float32]{Rate: .1, Spans: []optim.Span{{Hi: len(large.Weights().Data()), Factor: 2}}}
	_, err := tr.Run(t.Context())
	says(t, "spans of another network", err, "the last span ends at")
}

// TestRules_RefuseNonsense in their own fields.
func TestRules_RefuseNonsense(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	model := toyModel[float32](t, arch.Activities, 2, 4, 2)
	pc := train.PC[float32]{Model: model, Solver: plainDescent[float32](.1), Stop: infer.Steps(3)}
	with := func(change func(r *train.PC[float32])) train.PC[float32] { r := pc; change(&r); return r }
	targets := func(step, noise float64) *rules.TargetProp[float32] {
		r := otherRules[float32](t, 2, 4, 3, 2)["targets"].(*rules.TargetProp[float32])
		r.Step, r.Noise = step, noise
		return r
	}
	type validator interface{ Validate() error }
	type row struct {
		rule validator
		want string
	}
	rows := []row{
		{&rules.MonteCarlo[float32]{PC: pc, BurnIn: 3}, "burn-in"},
		{&rules.MonteCarlo[float32]{PC: pc, BurnIn: 4}, "burn-in"},
		{&rules.MonteCarlo[float32]{PC: pc, BurnIn: -1}, "BurnIn -1"},
		{&rules.MonteCarlo[float32]{PC: pc, Every: -1}, "Every -1"},
		{&rules.MonteCarlo[float32]{PC: with(func(r *train.PC[float32]) { r.Stop = infer.Steps(0) })}, "no sample"},
		{&rules.Incremental[float32]{PC: with(func(r *train.PC[float32]) { r.Stop = infer.Steps(0) })}, "infer.Steps(0)"},
		{&rules.Incremental[float32]{PC: with(func(r *train.PC[float32]) { r.Stop = infer.Any{infer.Steps(5), infer.Steps(0)} })}, "want one step or more"},
	}
	for _, v := range []float64{0, -1, nan, inf, -inf, 1e-300, 1e300} {
		rows = append(rows, row{&rules.Nudged[float32]{PC: pc, Beta: v}, fmt.Sprintf("Beta %g", v)},
			row{&rules.Nudged[float32]{PC: pc, Beta: v, Nudge: rules.NudgedCost}, fmt.Sprintf("Beta %g", v)},
			row{targets(v, .1), fmt.Sprintf("Step %v", v)})
	}
	for _, v := range []float64{-1, nan, inf, 1e300} {
		rows = append(rows, row{targets(.1, v), fmt.Sprintf("Noise %v", v)},
			row{&train.PC[float32]{Model: model, Solver: pc.Solver, Stop: pc.Stop, Start: &train.Gaussian[float32]{Std: v}}, fmt.Sprintf("Std %v", v)})
	}
	for _, v := range []float32{float32(nan), float32(inf)} {
		rows = append(rows, row{&train.PC[float32]{Model: model, Solver: pc.Solver, Stop: pc.Stop, Start: train.Guess[float32]{Site: "x", Values: []float32{0, v}}}, "Values[1]"},
			row{&rules.Unsupervised[float32]{Model: model, Input: []float32{v, 0}, Solver: pc.Solver, Stop: pc.Stop, Start: &train.Gaussian[float32]{}}, "Input[0]"})
	}
	for _, r := range rows {
		says(t, fmt.Sprintf("%T", r.rule), r.rule.Validate(), r.want)
	}
	ok(t, (&rules.Incremental[float32]{PC: pc}).Validate())
	ok(t, (&rules.MonteCarlo[float32]{PC: pc, BurnIn: 2}).Validate())
}

// TestRules_PanicWithBothLengths: every rule, of a gradient that is not as long as the weights, and of data that are not a batch.
func TestRules_PanicWithBothLengths(t *testing.T) {
	sentence := func(reason string, call func(), want ...string) {
		t.Helper()
		defer func() {
			t.Helper()
			p := recover()
			if _, raw := p.(runtime.Error); raw || p == nil {
				t.Errorf("%s: panic %v, want a sentence", reason, p)
			}
			for _, w := range want {
				if !strings.Contains(fmt.Sprint(p), w) {
					t.Errorf("%s: panic %q, want %q in it", reason, p, w)
				}
			}
		}()
		call()
	}
	for name, r := range everyRule[float64](t) {
		in, out := r.Subject().Sizes()
		n := len(r.Subject().Weights.Data())
		x, y := normals(1, 8*in), normals(2, 8*out)
		for _, wrong := range []int{0, n - 1, n + 1} {
			sentence(name, func() { _, _ = r.Gradient(make([]float64, wrong), x, y, 8) }, fmt.Sprintf("slice of %d numbers", wrong), fmt.Sprintf("%d weights", n))
			if l, is := r.(train.Learner[float64]); is {
				sentence(name+" Learn", func() {
					_, _ = l.Learn(make([]float64, wrong), x, y, 8, func(train.Report) error { return nil })
				}, fmt.Sprintf("slice of %d numbers", wrong), fmt.Sprintf("%d weights", n))
			}
		}
		g := make([]float64, n)
		_, err := r.Gradient(g, x, y, 8)
		ok(t, err)
		sentence(name+": x too short", func() { _, _ = r.Gradient(g, x[1:], y, 8) })
		sentence(name+": y too short", func() { _, _ = r.Gradient(g, x, y[1:], 8) })
		sentence(name+": terms too few", func() { r.Subject().TermEnergies(make([]float64, len(r.Subject().Terms)-1)) })
		sentence(name+": terms too many", func() { r.Subject().TermEnergies(make([]float64, len(r.Subject().Terms)+1)) })
		switch r.(type) {
		case *rules.FeedbackAlignment[float64], *rules.DirectFeedback[float64], *rules.TargetProp[float64]:
			sentence(name+": x", func() { _, _ = r.Gradient(g, x[1:], y, 8) }, `"x"`, "8 samples", fmt.Sprint(8*in), fmt.Sprint(8*in-1))
			sentence(name+": y", func() { _, _ = r.Gradient(g, x, append(y, 0), 8) }, `"y"`, fmt.Sprint(8*out), fmt.Sprint(8*out+1))
			sentence(name+": terms", func() { r.Subject().TermEnergies(nil) }, "slice of 0 numbers", fmt.Sprintf("%d terms", len(r.Subject().Terms)))
		}
		if _, err := r.Gradient(g, nil, nil, -1); err == nil {
			t.Errorf("%s: no error for a batch of -1 samples", name)
		}
	}
	w := toyModel[float64](t, arch.Feedforward, 2, 3, 2).Weights()
	sentence("Update", func() { (&train.Update[float64]{Optimizer: &optim.SGD[float64]{Rate: 1}}).Step(w, make([]float64, 3)) }, "gradient of 3 numbers", fmt.Sprintf("%d weights", len(w.Data())))
	sentence("Update without optimiser", func() { (&train.Update[float64]{}).Step(w, w.Data()) }, "without an Optimizer")
	sentence("Agree", func() { analysis.Agree(make([]float64, 3), make([]float64, 5)) }, "3 and 5 numbers")
	sentence("Repeat", func() { train.Repeat([]float64{1}, -2) }, "-2 times")
	q := &train.Query[float64]{Model: given{net: toyModel[float64](t, arch.Activities, 2, 3, 2).Network(), plan: arch.Plan{Batch: 2, FreeInput: true}}.model(t, arch.Activities), Solver: descent[float64](), Stop: infer.Steps(2), Site: "x"}
	sentence("Query", func() { _, _, _ = q.Ask(nil, make([]float64, 5), 2) }, "2 whole samples", "x has 0 numbers and y 5")
}

// A spoiler is an optimiser of a user's own that leaves nothing of the gradient, and writes down what it was given.
type spoiler struct {
	optim.Optimizer[float64]
	seen []float64
}

func (s *spoiler) Step(w, grad []float64) {
	sum := 0.
	for _, g := range grad {
		sum += g * g
	}
	s.seen = append(s.seen, math.Sqrt(sum))
	s.Optimizer.Step(w, grad)
	clear(grad)
}

// TestStep_GradNormIsThatOfTheRulesGradient, whatever the optimiser makes of it. Oracles: the norm of Rule.Gradient of a network
// that is trained alike, in a loop of its own; for a rule of several steps in a batch, what an optimiser was given.
func TestStep_GradNormIsThatOfTheRulesGradient(t *testing.T) {
	for name, o := range map[string]func() optim.Optimizer[float64]{
		"sgd":  func() optim.Optimizer[float64] { return &optim.SGD[float64]{Rate: .1} },
		"adam": func() optim.Optimizer[float64] { return &optim.Adam[float64]{Rate: .01} },
		"clipped": func() optim.Optimizer[float64] {
			return &optim.Clip[float64]{Max: .001, Opt: &optim.SGD[float64]{Rate: .1}}
		},
		"rarely": func() optim.Optimizer[float64] {
			return &optim.Clip[float64]{Max: 1, Opt: &optim.Adam[float64]{Rate: .01}}
		},
		"clipped twice": func() optim.Optimizer[float64] {
			return &optim.Clip[float64]{Max: .1, Opt: &optim.Clip[float64]{Max: .01, Opt: &optim.SGD[float64]{Rate: .1}}}
		},
		"a user's own": func() optim.Optimizer[float64] { return &spoiler{Optimizer: &optim.SGD[float64]{Rate: .1}} },
	} {
		set, _ := load(t, data.Linear{In: 5, Out: 3, Train: 27, Noise: .1, Seed: 2})
		var got []float64
		a, b := baseRules[float64](t, 5, 6, 3)["pc"], baseRules[float64](t, 5, 6, 3)["pc"]
		tr := &train.Trainer[float64]{Rule: a, Optimizer: o(), Train: set, Batch: 8, Epochs: 2, Seed: 5}
		tr.OnStep = func(s train.Step[float64]) {
			got = append(got, s.GradNorm())
			if c, is := tr.Optimizer.(*optim.Clip[float64]); is {
				if want := min(1, c.Max/s.GradNorm()); math.Abs(c.Factor()-want) > 1e-14 {
					t.Errorf("%s: factor %g, want %g", name, c.Factor(), want)
				}
			}
		}
		_, err := tr.Run(t.Context())
		ok(t, err)

		other, w := o(), b.Subject().Weights
		g := make([]float64, len(w.Data()))
		batches := data.Batches{N: 27, Size: 8, Seed: 5}
		k := 0
		for epoch := range 2 {
			for _, idx := range batches.Epoch(epoch, 0) {
				x, y := make([]float64, len(idx)*5), make([]float64, len(idx)*3)
				data.Fill(set, x, y, idx)
				_, err := b.Gradient(g, x, y, len(idx))
				ok(t, err)
				sum := 0.
				for _, v := range g {
					sum += v * v
				}
				if want := math.Sqrt(sum); k >= len(got) || math.Abs(got[k]-want) > 1e-12*want {
					t.Errorf("%s, step %d: norm %g, want %g", name, k+1, got[k], want)
				}
				k++
				other.Step(w.Data(), g)
				w.Touch()
			}
		}
		if k != len(got) {
			t.Errorf("%s: %d steps, want %d", name, len(got), k)
		}
	}

	set, _ := load(t, data.Linear{In: 5, Out: 3, Train: 16, Noise: .1, Seed: 2})
	inc := &rules.Incremental[float64]{PC: train.PC[float64]{Model: toyModel[float64](t, arch.Activities, 5, 6, 3), Solver: descent[float64](), Stop: infer.Steps(4)}}
	seen := &spoiler{Optimizer: &optim.SGD[float64]{Rate: .1}}
	tr := &train.Trainer[float64]{Rule: inc, Optimizer: seen, Train: set, Batch: 8, Epochs: 1}
	tr.OnStep = func(s train.Step[float64]) {
		if want := seen.seen[len(seen.seen)-1]; math.Abs(s.GradNorm()-want) > 1e-12*want || len(seen.seen) < 4*s.Step {
			t.Errorf("incremental: norm %g, want %g, the last of %d", s.GradNorm(), want, len(seen.seen))
		}
	}
	_, err := tr.Run(t.Context())
	ok(t, err)
}

// TestDivergence_IsATypedError wherever numbers go wrong, with the step, and nowhere else.
func TestDivergence_IsATypedError(t *testing.T) {
	is := func(reason string, err error, step, epoch int, weights bool, where string) {
		t.Helper()
		var d *train.DivergenceError
		if !errors.As(err, &d) {
			t.Errorf("%s: %v is no DivergenceError", reason, err)
			return
		}
		if step >= 0 && d.Step != step || epoch >= 0 && d.Epoch != epoch || d.Weights != weights || !strings.Contains(d.Where, where) || !strings.Contains(err.Error(), d.Where) {
			t.Errorf("%s: %+v, want step %d, epoch %d, weights %v, %q; message %q", reason, *d, step, epoch, weights, where, err)
		}
	}
	bad := &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 2, 4, 4, 2), Solver: plainDescent[float32](50), Stop: infer.Steps(2000)}
	_, err := trainer(t, bad).Run(t.Context())
	is("inference", err, 1, 0, false, "inference diverged at its step")
	tr := trainer(t, bad)
	tr.Divergence = train.SkipBatch
	skipped := 0
	tr.OnSkip = func(step int, why error) {
		skipped++
		is("a batch left out", why, step, (step-1)/3, false, "inference diverged")
	}
	h, err := tr.Run(t.Context())
	is("nothing left", err, 6, 1, false, "inference diverged")
	if h.Skipped != 6 || skipped != 5 {
		t.Errorf("%d left out, %d told", h.Skipped, skipped)
	}

	tr = trainer(t, &poisoned{Rule: baseRules[float32](t, 2, 4, 2)["bp"], step: 5, grad: float32(math.NaN()), at: 3})
	_, err = tr.Run(t.Context())
	is("a gradient", err, 5, 1, false, "but the gradient of weight")

	for name, rule := range baseRules[float32](t, 2, 4, 4, 2) {
		tr := trainer(t, rule)
		tr.Optimizer, tr.Epochs = &optim.SGD[float32]{Rate: 1e300}, 100
		_, err := tr.Run(t.Context())
		is(name, err, 2, 0, true, "weight block1/W[0 0] is")

		tr = trainer(t, baseRules[float32](t, 2, 4, 4, 2)[name])
		tr.Optimizer, tr.MaxSteps = &optim.SGD[float32]{Rate: 1e300}, 1
		_, err = tr.Run(t.Context())
		is(name+", the last step", err, 1, 0, true, "weight block1/W[0 0] is")

		tr = trainer(t, baseRules[float32](t, 2, 4, 4, 2)[name])
		tr.Checkpoint = train.Checkpoint{File: t.TempDir() + "/kept", Every: 1}
		tr.Optimizer, tr.MaxSteps = &optim.SGD[float32]{Rate: 1e300}, 4
		_, err = tr.Run(t.Context())
		is(name+", kept", err, 1, 0, true, "weight block1/W[0 0] is")

		tr = trainer(t, blind{baseRules[float32](t, 2, 4, 4, 2)[name]})
		tr.EvalEvery = 4
		_, err = tr.Run(t.Context())
		is(name+", evaluated", err, 4, 1, false, "output 1 of sample 0")
	}

	_, err = train.Evaluate(func(x []float64) ([]float64, error) { return []float64{0, math.NaN(), 0, 0, 0, 0, 0, 0}, nil }, newSet(t))
	is("evaluate", err, 0, 0, false, "output 1 of sample 0")
	_, err = train.Continue(func([]float64) ([]float64, error) { return []float64{math.Inf(1), 0}, nil }, []int{0}, 1, 2, 3, 0, nil)
	is("continue", err, 0, 0, false, "the logit of class 0 after token 1 is +Inf")
	net, err := arch.MLP(nil, layers.LinearAct, 3, 4, 2)
	ok(t, err)
	q := &train.Query[float64]{Model: made(t, net, arch.Plan{Batch: 2, FreeInput: true}), Solver: plainDescent[float64](1e3), Stop: infer.Steps(1000), Site: "x"}
	_, err = q.Inputs(normals(1, 4))
	is("query", err, 0, 0, false, "inference of samples 0 to 1 diverged at its step")
	s, at := turnStream(t)
	s.Solver, s.Stop = plainDescent[float64](1e3), infer.Steps(1000)
	_, err = s.Observe(at(0))
	is("stream", err, 0, 0, false, "inference diverged at its step")

	var d *train.DivergenceError
	_, err = trainer(t, &poisoned{Rule: baseRules[float32](t, 2, 4, 2)["pc"], step: 1, x: float32(math.NaN())}).Run(t.Context())
	if err == nil || errors.As(err, &d) {
		t.Errorf("NaN in the data: %v", err)
	}
}

// blind predicts NaN once it has trained.
type blind struct{ train.Rule[float32] }

func (b blind) Subject() train.Subject[float32] {
	s := b.Rule.Subject()
	predict := s.Predict
	s.Predict = func(x []float32) ([]float32, error) {
		y, err := predict(x)
		if len(y) > 2 {
			y[1] = float32(math.NaN())
		}
		return y, err
	}
	return s
}

// newSet is a set of 4 samples of two outputs.
func newSet(t *testing.T) *data.Set {
	set, _ := load(t, data.XOR{Train: 4, Test: 4, Seed: 1})
	return set
}

// odd is a rule whose inferences report what they like.
type odd struct {
	train.Rule[float32]
	results []infer.Result
	step    int
}

func (o *odd) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	r, err := o.Rule.Gradient(grad, x, y, batch)
	r.Inference = o.results[o.step%len(o.results)]
	o.step++
	return r, err
}

// TestHistory_HoldsAnyNumber: residuals that are not finite, or beyond a float64 as a fraction of the start's, spoil no mean, and
// a history of whatever numbers goes to JSON and back.
func TestHistory_HoldsAnyNumber(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	reading := func(initial, residual float64) infer.Result {
		return infer.Result{Reading: infer.Reading{Step: 3, Evals: 3, Initial: initial, Residual: residual}, Status: infer.StepLimit}
	}
	o := &odd{Rule: baseRules[float32](t, 2, 4, 2)["bp"], results: []infer.Result{
		reading(2, 1), reading(nan, 1), reading(1, nan), reading(1, inf), reading(inf, 1), reading(1e-300, 1e300),
	}}
	tr := trainer(t, o)
	tr.MaxSteps = 6
	h, err := tr.Run(t.Context())
	ok(t, err)
	if h.Measured != 2 || h.Far != 2 || h.Residual-h.Residual != 0 || h.Left-h.Left != 0 || h.Statuses[infer.StepLimit] != 6 {
		t.Errorf("%+v, want two inferences measured, both far from equilibrium, and finite means", h.Rest)
	}
	if h.Warning() == "" {
		t.Error("no warning")
	}

	for _, v := range []float64{nan, inf, -inf} {
		h := &train.History{Steps: 3, Evals: []train.Eval{{Step: 2, Score: train.Score{Samples: 1, Loss: v, Accuracy: v, CrossEntropy: v}}},
			Rest: train.Rest{Statuses: map[infer.Status]int{infer.Converged: 2}, Evaluations: 1, Measured: 1, Far: 1, Residual: v, Left: v}}
		text, err := jsonfloat.Marshal(h)
		ok(t, err)
		if !json.Valid(text) {
			t.Errorf("no JSON: %s", text)
		}
		var back train.History
		ok(t, jsonfloat.Unmarshal(text, &back))
		if fmt.Sprint(back) != fmt.Sprint(*h) || h.Last().Loss == 0 {
			t.Errorf("%+v from %s, want %+v", back, text, *h)
		}
		_, _ = h.Warning(), h.Fraction(infer.Converged)
	}
}

// TestIncremental_HasNoResidual: there is no equilibrium of weights that move, so its history judges none, while that of PC by the
// same solver does, and no more of a rule that samples.
func TestIncremental_HasNoResidual(t *testing.T) {
	pc := func() train.PC[float32] {
		return train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 2, 4, 2), Solver: plainDescent[float32](.01), Stop: infer.Steps(3)}
	}
	plain := pc()
	sampled := pc()
	sampled.Solver = &infer.Langevin[float32]{Rate: .1, Temperature: .01, Source: rand.NewPCG(1, 1)}
	for _, test := range []struct {
		rule     train.Rule[float32]
		measured int
	}{
		{&plain, 6},
		{&rules.Incremental[float32]{PC: pc()}, 0},
		{&rules.Generator[float32]{Rule: &rules.Incremental[float32]{PC: pc()}}, 0},
		{&rules.MonteCarlo[float32]{PC: sampled}, 0},
	} {
		tr := trainer(t, test.rule)
		tr.Test = nil
		h, err := tr.Run(t.Context())
		ok(t, err)
		if h.Steps != 6 || h.Measured != test.measured || (h.Warning() != "") != (test.measured > 0) || h.Statuses[infer.StepLimit] != 6 || h.Evaluations != 6*3 {
			t.Errorf("%T: %+v, want %d measured", test.rule, h, test.measured)
		}
		if test.measured > 0 {
			continue
		}
		in, out := test.rule.Subject().Sizes()
		r, err := test.rule.Gradient(make([]float32, len(test.rule.Subject().Weights.Data())), make([]float32, 8*in), make([]float32, 8*out), 8)
		ok(t, err)
		if r.Inference.Initial != 0 {
			t.Errorf("%T: an inference with a residual of %g at its start", test.rule, r.Inference.Initial)
		}
	}
}

// TestHybrid_RefusesOverlappingWeights: parts of one slab that share weights, in either order, although together they are as
// many as it has.
func TestHybrid_RefusesOverlappingWeights(t *testing.T) {
	chain := arch.Chain{Act: layers.Tanh, Widths: []int{4, 4, 4}}
	gen, err := chain.Network()
	ok(t, err)
	amo, err := arch.Amortiser(chain)
	ok(t, err)
	var fields []graph.Field
	for _, name := range []string{"a", "b", "c", "d"} {
		fields = append(fields, graph.Field{Name: name, Shape: []int{4, 4}})
	}
	for _, test := range []struct {
		generator, amortiser int // where they begin
		ok                   bool
	}{{0, 2, true}, {2, 0, true}, {0, 1, false}, {1, 0, false}, {0, 0, false}, {1, 1, false}, {1, 2, false}, {2, 1, false}, {2, 2, false}} {
		whole := graph.NewVector[float64](fields...)
		part := func(n *arch.Network, at int) *graph.Vector[float64] {
			k := -1
			return whole.Sub(at, at+2, func(string) string { k++; return n.Weights()[k].Name })
		}
		h := &rules.Hybrid[float64]{
			Generator: compiled(t, gen, part(gen, test.generator), arch.Plan{}),
			Amortiser: compiled(t, amo, part(amo, test.amortiser), arch.Plan{Coordinates: arch.Feedforward}),
			Solver:    descent[float64](), Stop: infer.Steps(3),
		}
		if err := h.Validate(); test.ok {
			ok(t, err)
		} else {
			says(t, fmt.Sprintf("at %d and %d of 4", test.generator, test.amortiser), err, "Hybrid: ", "two parts of one slab", "NewWeightsTogether")
		}
	}
}

// TestTrainer_RunsOnceAtATime: a second Run of the same Trainer, in another goroutine, is a sentence; after the first one has
// ended it is none.
func TestTrainer_RunsOnceAtATime(t *testing.T) {
	tr := trainer(t, baseRules[float32](t, 2, 4, 2)["pc"])
	answers := make(chan error)
	tr.OnStep = func(s train.Step[float32]) {
		if s.Step == 1 {
			go func() { _, err := tr.Run(context.Background()); answers <- err }()
			says(t, "twice at once", <-answers, "this Trainer is running", "of its own")
		}
	}
	_, err := tr.Run(t.Context())
	ok(t, err)
	tr.OnStep = nil
	_, err = tr.Run(t.Context())
	ok(t, err)
}
