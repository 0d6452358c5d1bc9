package train_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// descent is inference of plain steps.
func descent[T graph.Float]() *infer.Descent[T] {
	return &infer.Descent[T]{Optimizer: &optim.SGD[T]{Rate: .1}}
}

// compiled compiles a network over weights.
func compiled[T graph.Float](t *testing.T, n *arch.Network, w *graph.Vector[T], p arch.Plan) *arch.Model[T] {
	t.Helper()
	if p.Batch == 0 {
		p.Batch = 8
	}
	m, err := arch.Compile(n, w, p)
	ok(t, err)
	return m
}

// hybrid is hybrid predictive coding of a generator of the given widths, cause first.
func hybrid[T graph.Float](t *testing.T, unsupervised bool, widths ...int) *rules.Hybrid[T] {
	t.Helper()
	chain := arch.Chain{Act: layers.Tanh, Widths: widths, Bias: true}
	gen, err := chain.Network()
	ok(t, err)
	amo, err := arch.Amortiser(chain)
	ok(t, err)
	_, parts, err := arch.NewWeightsTogether[T](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "generator", Network: gen}, arch.Member{Name: "amortiser", Network: amo})
	ok(t, err)
	return &rules.Hybrid[T]{
		Generator: compiled(t, gen, parts[0], arch.Plan{FreeInput: unsupervised}),
		Amortiser: compiled(t, amo, parts[1], arch.Plan{Coordinates: arch.Feedforward}),
		Solver:    descent[T](),
		Stop:      infer.Steps(inferenceSteps),
	}
}

// pcFrom is predictive coding from a start.
func pcFrom[T graph.Float](m *arch.Model[T], start train.Start[T]) *train.PC[T] {
	return &train.PC[T]{Model: m, Solver: &infer.Descent[T]{Optimizer: &optim.Momentum[T]{Rate: .1, Mu: .8}}, Stop: infer.Steps(60), Start: start}
}

// bidirectional is predictive coding in both directions.
func bidirectional[T graph.Float](t *testing.T, c arch.Bidirectional) *train.PC[T] {
	t.Helper()
	n, err := c.Network()
	ok(t, err)
	w, err := arch.NewWeights[T](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	return &train.PC[T]{Model: compiled(t, n, w, arch.Plan{Energy: c.Energy()}), Solver: descent[T](), Stop: infer.Steps(inferenceSteps)}
}

// dendritic is bidirectional predictive coding by predictive dendrites, half of which feel what the energy says.
func dendritic[T graph.Float](t *testing.T, c arch.Bidirectional) *train.PC[T] {
	t.Helper()
	rule := bidirectional[T](t, c)
	p := rule.Model.Plan()
	p.Dendrites = &arch.Dendrites{Mix: .5}
	rule.Model = compiled(t, rule.Model.Network(), rule.Model.Weights(), p)
	return rule
}

// otherRules are all rules but predictive coding and backprop, each on weights of its own, input first.
func otherRules[T graph.Float](t *testing.T, widths ...int) map[string]train.Rule[T] {
	t.Helper()
	mirror := slices.Clone(widths)
	slices.Reverse(mirror)
	chain := arch.Chain{Act: layers.Tanh, Widths: widths, Bias: true}
	feedforward := arch.Plan{Coordinates: arch.Feedforward}
	both, err := arch.Bidirectional{Chain: chain}.Network()
	ok(t, err)
	drawn := func(n *arch.Network) *graph.Vector[T] {
		w, err := arch.NewWeights[T](n, rand.New(rand.NewPCG(1, 1)))
		ok(t, err)
		return w
	}
	return map[string]train.Rule[T]{
		"gaussian":  pcFrom(toyModel[T](t, arch.Activities, widths...), &train.Gaussian[T]{Std: .05, Seed: 1}),
		"feedback":  &rules.FeedbackAlignment[T]{Model: toyModel[T](t, arch.Feedforward, widths...), Seed: 2},
		"direct":    &rules.DirectFeedback[T]{Model: toyModel[T](t, arch.Feedforward, widths...), Seed: 2},
		"red-black": &rules.RedBlack[T]{Model: toyModel[T](t, arch.Feedforward, widths...), Beta: .1, Sign: rules.RandomSign, Iterations: 4, Seed: 2},
		"scheduled": &rules.Scheduled[T]{Schedule: rules.Spiking{Rest: .1}, Update: rules.ForwardUpdate,
			PC: train.PC[T]{Model: toyModel[T](t, arch.Activities, widths...), Solver: plainDescent[T](.5), Stop: infer.Steps(4)}},
		"highways": &rules.Highways[T]{Strength: .1, Std: .1, Draw: 2,
			PC: train.PC[T]{Model: toyModel[T](t, arch.Activities, widths...), Solver: plainDescent[T](.2), Stop: infer.Steps(12)}},
		"kolen-pollack": &rules.KolenPollack[T]{DirectFeedback: rules.DirectFeedback[T]{Model: toyModel[T](t, arch.Feedforward, widths...), Seed: 2}, Rate: .1, Decay: .01},
		"average":       pcFrom(toyModel[T](t, arch.Activities, widths...), &train.Average[T]{Rate: .01}),
		"recall":        pcFrom(toyModel[T](t, arch.Activities, widths...), &train.Recall[T]{Capacity: 40, Width: .3}),
		"targets":       &rules.TargetProp[T]{Model: compiled(t, both, drawn(both), feedforward), Step: .1, Noise: .1, Seed: 2},
		"hybrid":        hybrid[T](t, false, mirror...),
		"dendritic":     dendritic[T](t, arch.Bidirectional{Chain: chain, Backward: 1e-3}),
		"bidirectional": bidirectional[T](t, arch.Bidirectional{Chain: chain, Backward: 1e-3}),
	}
}

// TestOtherRules_LearnMoons: what no linear map does, .83, but for an amortiser, whose blocks do not know of each other.
func TestOtherRules_LearnMoons(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	trainSet, testSet := load(t, data.Moons{Train: 300, Test: 200, Noise: .1, Seed: 1})
	for name, rule := range otherRules[float32](t, 2, 16, 16, 2) {
		run := train.Trainer[float32]{
			Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 3e-3}, Train: trainSet, Test: testSet,
			Batch: 32, Epochs: 120, Seed: 1, EvalEvery: 1 << 20,
		}
		h, err := run.Run(t.Context())
		ok(t, err)
		t.Logf("%s: test accuracy %.3f, loss %.4f", name, h.Last().Accuracy, h.Last().Loss)
		want := .97
		switch name {
		case "hybrid":
			want = .75
		case "average", "recall": // predictive coding at its equilibrium has .92 here from any start
			want = .9
		}
		if h.Last().Accuracy < want {
			t.Errorf("%s: test accuracy %.3f, want %.2f", name, h.Last().Accuracy, want)
		}
	}
}

// TestOtherRules_AllocateNothing once warm.
func TestOtherRules_AllocateNothing(t *testing.T) {
	const batch = 64
	set, _ := load(t, data.Linear{In: 20, Out: 10, Train: batch, Seed: 1})
	x, y := make([]float32, batch*20), make([]float32, batch*10)
	data.Fill(set, x, y, rand.New(rand.NewPCG(1, 1)).Perm(batch))
	all := otherRules[float32](t, 20, 30, 30, 10)
	all["synchronous"] = &rules.RedBlack[float32]{Model: toyModel[float32](t, arch.Feedforward, 20, 30, 30, 10), Beta: .1, Sign: rules.Centred, Order: rules.AllAtOnce, Iterations: 3}
	all["previous"] = pcFrom(toyModel[float32](t, arch.Activities, 20, 30, 30, 10), &train.Previous[float32]{})
	for name, rule := range all {
		subject := rule.Subject()
		grad, terms := make([]float32, len(subject.Weights.Data())), make([]float64, len(subject.Terms))
		_, err := rule.Gradient(grad, x, y, batch) // a start that remembers has its memory after two batches
		ok(t, err)
		n := testing.AllocsPerRun(5, func() {
			if _, err := rule.Gradient(grad, x, y, batch); err != nil {
				t.Fatal(err)
			}
			subject.TermEnergies(terms)
			subject.Weights.Data()[3] += 1e-3
			subject.Weights.Touch()
		})
		if n != 0 {
			t.Errorf("%s: %g allocations per gradient", name, n)
		}
	}
}

// TestOtherRules_SameSeedSameBits: two runs of one seed, in batches whose last is smaller, end at the same weights.
func TestOtherRules_SameSeedSameBits(t *testing.T) {
	set, _ := load(t, data.Moons{Train: 70, Seed: 1})
	run := func(name string) []float32 {
		rule := otherRules[float32](t, 2, 16, 8, 2)[name]
		tr := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: .01}, Train: set, Batch: 16, Epochs: 3, Seed: 5}
		_, err := tr.Run(t.Context())
		ok(t, err)
		return rule.Subject().Weights.Data()
	}
	for name := range otherRules[float32](t, 2, 16, 8, 2) {
		if !slices.Equal(run(name), run(name)) {
			t.Errorf("%s: the same seed gives other weights", name)
		}
	}
}

// TestOtherRules_TermsAddUp to the energy, are finite, and are as many as their names.
func TestOtherRules_TermsAddUp(t *testing.T) {
	set, _ := load(t, data.Moons{Train: 20, Seed: 1})
	for name, rule := range otherRules[float64](t, 2, 6, 5, 2) {
		before := make([]float64, len(rule.Subject().Terms))
		if rule.Subject().TermEnergies(before); rule.Subject().Locate() != "" {
			t.Errorf("%s: before the first gradient something is wrong: %s", name, rule.Subject().Locate())
		}
		tr := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: .1}, Train: set, Batch: 8, Epochs: 2, OnStep: func(s train.Step[float64]) {
			sum := 0.
			for _, e := range s.Terms {
				sum += e
			}
			if !(sum-s.Energy <= 1e-14 && s.Energy-sum <= 1e-14) || len(s.Terms) != len(rule.Subject().Terms) || len(s.Terms) == 0 {
				t.Errorf("%s step %d: terms %v of %v, energy %v", name, s.Step, s.Terms, rule.Subject().Terms, s.Energy)
			}
		}}
		_, err := tr.Run(t.Context())
		ok(t, err)
	}
}

// TestOtherRules_NameBadWeights with the step that meets them.
func TestOtherRules_NameBadWeights(t *testing.T) {
	for name, rule := range otherRules[float32](t, 2, 4, 2) {
		tr := trainer(t, rule)
		w := rule.Subject().Weights
		const bad = 0
		tr.OnStep = func(s train.Step[float32]) {
			if s.Step == 2 {
				w.Data()[bad] *= 0
				w.Data()[bad] /= w.Data()[bad]
				w.Touch()
			}
		}
		_, err := tr.Run(t.Context())
		says(t, name, err, "step 3", w.Where(bad), "NaN")
	}
}
