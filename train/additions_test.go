package train_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// classes is a classification of 5 numbers in 3 classes.
func classes(t *testing.T) (set, test *data.Set) {
	x, labels := make([][]float64, 39), make([]int, 39)
	for i := range x {
		x[i], labels[i] = numbers(5 * (i + 1))[5*i:], i%3
		x[i][labels[i]] += .7
	}
	return load(t, data.Arrays[float64]{Inputs: x[:27], Labels: labels[:27], TestInputs: x[27:], TestLabels: labels[27:]})
}

// everything is a training with all that a Trainer can add to the plain loop.
func everything[T interface{ float32 | float64 }](t *testing.T) func(r *train.Trainer[T]) {
	set, test := classes(t)
	return func(r *train.Trainer[T]) {
		r.Train, r.Test = set, test
		r.Schedule, r.WeightAverage, r.LabelSmoothing, r.EarlyStop = pcx, .8, .1, train.EarlyStop{Patience: 9, On: set}
	}
}

// TestCheckpoint_ResumesWithEverything: schedule, average, smoothed labels, early stopping and clipping at once, to the same bits, of
// rules that step once and several times in a batch; the average too.
func TestCheckpoint_ResumesWithEverything(t *testing.T) {
	for _, name := range []string{"pc", "incremental", "average"} {
		resumes(t, name, func() train.Rule[float32] { return everyRule[float32](t)[name] }, func() optim.Optimizer[float32] { return everyOptimizer[float32]()["standard"] }, everything[float32](t))
	}
	run := func(c train.Checkpoint, steps int) *train.Trainer[float64] {
		r := kept(t, baseRules[float64](t, 5, 6, 4, 3)["pc"], everyOptimizer[float64]()["clip"], c)
		everything[float64](t)(r)
		r.Schedule, r.MaxSteps = nil, steps
		_, err := r.Run(t.Context())
		ok(t, err)
		return r
	}
	file := filepath.Join(t.TempDir(), "kept")
	whole := run(train.Checkpoint{}, 11)
	run(train.Checkpoint{File: file}, 5)
	if parts := run(train.Checkpoint{File: file}, 11); !slices.Equal(parts.AveragedWeights(), whole.AveragedWeights()) {
		t.Error("another average than without interruption")
	}
	for name, change := range map[string]func(r *train.Trainer[float64]){
		"weight average: 0.8":   func(r *train.Trainer[float64]) { r.WeightAverage = 0 },
		"whose weight average":  func(r *train.Trainer[float64]) { r.WeightAverage = .9 },
		"whose label smoothing": func(r *train.Trainer[float64]) { r.LabelSmoothing = .2 },
		"whose early stop is":   func(r *train.Trainer[float64]) { r.EarlyStop.Patience = 2 },
		"evaluated every":       func(r *train.Trainer[float64]) { r.EvalEvery = 5 },
	} {
		r := kept(t, baseRules[float64](t, 5, 6, 4, 3)["pc"], everyOptimizer[float64]()["clip"], train.Checkpoint{File: file})
		everything[float64](t)(r)
		r.Schedule = nil
		change(r)
		_, err := r.Run(t.Context())
		says(t, name, err, "remove the file to begin anew")
	}
}

// TestTrainer_WithoutAdditionsIsThePlainLoop to the bit: rule, optimiser, next batch.
func TestTrainer_WithoutAdditionsIsThePlainLoop(t *testing.T) {
	set, test := classes(t)
	for opt := range everyOptimizer[float32]() {
		trained, plain := baseRules[float32](t, 5, 6, 4, 3), baseRules[float32](t, 5, 6, 4, 3)
		for name := range trained {
			tr := kept(t, trained[name], everyOptimizer[float32]()[opt], train.Checkpoint{})
			tr.Train, tr.Test, tr.OnStep, tr.MaxSteps = set, test, nil, 0
			_, err := tr.Run(t.Context())
			ok(t, err)
			rule, o := plain[name], everyOptimizer[float32]()[opt]
			w := rule.Subject().Weights
			g := make([]float32, len(w.Data()))
			for epoch := range tr.Epochs {
				for _, idx := range (data.Batches{N: set.Len(), Size: tr.Batch, Seed: tr.Seed}).Epoch(epoch, 0) {
					x, y := make([]float32, len(idx)*set.In()), make([]float32, len(idx)*set.Out())
					data.Fill(set, x, y, idx)
					_, err := rule.Gradient(g, x, y, len(idx))
					ok(t, err)
					o.Step(w.Data(), g)
					w.Touch()
				}
			}
			if !slices.Equal(w.Data(), tr.Rule.Subject().Weights.Data()) {
				t.Errorf("%s by %s: other weights than of the plain loop", name, opt)
			}
		}
	}
}

// TestWeightAverage_IsItsFormula over the weights of all steps, changes no bit of the training, and is what is evaluated beside them.
func TestWeightAverage_IsItsFormula(t *testing.T) {
	const decay = .75
	for _, name := range []string{"pc", "incremental"} {
		run := func(decay float64, seen func([]float64)) *train.Trainer[float64] {
			r := kept(t, everyRule[float64](t)[name], everyOptimizer[float64]()["adam"], train.Checkpoint{})
			r.WeightAverage = decay
			r.OnStep = func(s train.Step[float64]) { seen(slices.Clone(s.Weights)) }
			_, err := r.Run(t.Context())
			ok(t, err)
			return r
		}
		var all [][]float64
		r := run(decay, func(w []float64) { all = append(all, w) })
		if plain := run(0, func([]float64) {}); !slices.Equal(plain.Rule.Subject().Weights.Data(), r.Rule.Subject().Weights.Data()) {
			t.Errorf("%s: an average changes the training", name)
		} else if plain.AveragedWeights() != nil || plain.History().Last().Averaged != nil || plain.UseAverage(func() error { return nil }) == nil {
			t.Errorf("%s: an average of none", name)
		}
		want := make([]float64, len(all[0]))
		for i := range want { // 4 = 1/(1-decay)
			want[i] = (all[0][i] + all[1][i] + all[2][i] + all[3][i]) / 4
			for _, w := range all[4:] {
				want[i] = decay*want[i] + (1-decay)*w[i]
			}
		}
		if d := relative(r.AveragedWeights(), want); !(d < 1e-14) || len(all) != 11 {
			t.Errorf("%s: off by %.1e after %d steps", name, d, len(all))
		}
		before := slices.Clone(r.Rule.Subject().Weights.Data())
		ok(t, r.UseAverage(func() error {
			s, err := train.Evaluate(r.Rule.Subject().Predict, r.Test)
			if last := r.History().Last(); last.Averaged == nil || *last.Averaged != s || last.Score == s {
				t.Errorf("%s: evaluated as %+v, want %+v", name, last.Averaged, s)
			}
			return err
		}))
		if !slices.Equal(before, r.Rule.Subject().Weights.Data()) || !(relative(r.AveragedWeights(), want) < 1e-14) {
			t.Errorf("%s: weights and average have not changed back", name)
		}
	}
}

// TestEarlyStop_EndsAndKeepsTheBest: the training is the one without it up to the end, and its weights are those of the step of the
// best score, by accuracy or, without classes, by loss; on Test and on another set.
func TestEarlyStop_EndsAndKeepsTheBest(t *testing.T) {
	set, test := small(t)
	labelled, held := classes(t)
	for name, c := range map[string]struct{ train, test, on *data.Set }{
		"loss on test":        {set, test, nil},
		"loss on another":     {set, test, set},
		"loss on another one": {set, nil, test},
		"accuracy":            {labelled, held, nil},
		"accuracy on another": {labelled, labelled, held},
	} {
		run := func(patience int) (*train.Trainer[float64], map[int][]float64, *train.History) {
			r := kept(t, baseRules[float64](t, 5, 6, 4, 3)["pc"], &optim.Adam[float64]{Rate: .3}, train.Checkpoint{}) // too large
			r.Train, r.Test, r.EvalEvery, r.Epochs, r.MaxSteps = c.train, c.test, 2, 100, 60
			if patience > 0 {
				r.EarlyStop = train.EarlyStop{Patience: patience, On: c.on}
			} else if c.test == nil || c.on != nil {
				r.Test = c.on
			}
			at := map[int][]float64{}
			r.OnStep = func(s train.Step[float64]) { at[s.Step] = slices.Clone(s.Weights) }
			h, err := r.Run(t.Context())
			ok(t, err)
			return r, at, h
		}
		_, weights, whole := run(0)
		best, end := -1, 0
		score := func(e train.Eval) float64 {
			if c.train.Classes() > 0 {
				return e.Accuracy
			}
			return -e.Loss
		}
		for i, e := range whole.Evals {
			if best < 0 || score(e) > score(whole.Evals[best]) {
				best = i
			}
			if end = e.Step; i-best == 3 {
				break
			}
		}
		r, _, h := run(3)
		if h.Steps != end || !h.Stopped || end == 60 || h.Best != whole.Evals[best].Step {
			t.Errorf("%s: ended after %d steps (%v), best at %d; want %d and %d", name, h.Steps, h.Stopped, h.Best, end, whole.Evals[best].Step)
		}
		if !slices.Equal(r.Rule.Subject().Weights.Data(), weights[h.Best]) {
			t.Errorf("%s: the weights are not those of the best step", name)
		}
		if (h.Last().Stop != nil) != (c.on != nil) {
			t.Errorf("%s: %+v", name, h.Last())
		}
		r, _, h = run(1000)
		if h.Stopped || h.Steps != 60 || !slices.Equal(r.Rule.Subject().Weights.Data(), weights[h.Best]) {
			t.Errorf("%s: with much patience %d steps, stopped %v, best %d", name, h.Steps, h.Stopped, h.Best)
		}
	}
}

// TestLabelSmoothing_IsItsFormula on every target of a batch; evaluations keep theirs.
func TestLabelSmoothing_IsItsFormula(t *testing.T) {
	set, test := classes(t)
	r := kept(t, baseRules[float64](t, 5, 6, 4, 3)["pc"], everyOptimizer[float64]()["sgd"], train.Checkpoint{})
	r.Train, r.Test, r.LabelSmoothing = set, test, .3
	r.OnStep = func(s train.Step[float64]) {
		for i, idx := range (data.Batches{N: set.Len(), Size: 8, Seed: r.Seed}).Epoch(s.Epoch, 0) {
			if i != (s.Step-1)%4 {
				continue
			}
			for k, v := range s.Y {
				want := .1
				if set.Label(idx[k/3]) == k%3 {
					want = .8
				}
				if math.Abs(v-want) > 1e-15 {
					t.Fatalf("target %v, want %v", v, want)
				}
			}
		}
	}
	h, err := r.Run(t.Context())
	ok(t, err)
	if s, err := train.Evaluate(r.Rule.Subject().Predict, test); err != nil || s != h.Last().Score {
		t.Errorf("evaluated as %+v, want %+v, %v", h.Last().Score, s, err)
	}
}

// TestLabelSmoothing_IsOfEveryToken of a sequence: each has a class of its own.
func TestLabelSmoothing_IsOfEveryToken(t *testing.T) {
	const tokens, part = 5, .4
	set, _ := load(t, data.Copy{Length: 3, Tokens: tokens, Train: 16, Test: 4, Seed: 3})
	classes := set.Classes()
	steps := set.Out() / classes
	r := kept(t, baseRules[float64](t, set.In(), 4, set.Out())["pc"], everyOptimizer[float64]()["sgd"], train.Checkpoint{})
	r.Train, r.Test, r.Batch, r.Epochs, r.LabelSmoothing = set, nil, 16, 1, part
	seen := 0
	r.OnStep = func(s train.Step[float64]) {
		for _, order := range (data.Batches{N: set.Len(), Size: 16, Seed: r.Seed}).Epoch(s.Epoch, 0) {
			for k, v := range s.Y {
				sample, token, class := k/set.Out(), k%set.Out()/classes, k%classes
				want := part / float64(classes)
				if set.TokenLabel(order[sample], token) == class {
					want += 1 - part
				}
				seen++
				if math.Abs(v-want) > 1e-15 {
					t.Fatalf("sample %d, token %d, class %d: target %v, want %v", sample, token, class, v, want)
				}
			}
		}
	}
	_, err := r.Run(t.Context())
	ok(t, err)
	if seen != 16*steps*classes {
		t.Errorf("%d targets were looked at, want %d", seen, 16*steps*classes)
	}
}

// TestTrainer_RefusesAdditionsThatDoNotFit before the first step.
func TestTrainer_RefusesAdditionsThatDoNotFit(t *testing.T) {
	labelled, held := classes(t)
	set, _ := small(t)
	nan := math.NaN()
	for want, change := range map[string]func(r *train.Trainer[float64]){
		"WeightAverage is 1":              func(r *train.Trainer[float64]) { r.WeightAverage = 1 },
		"WeightAverage is -0.1":           func(r *train.Trainer[float64]) { r.WeightAverage = -.1 },
		"WeightAverage is NaN":            func(r *train.Trainer[float64]) { r.WeightAverage = nan },
		"LabelSmoothing is 1":             func(r *train.Trainer[float64]) { r.LabelSmoothing = 1 },
		"LabelSmoothing is NaN":           func(r *train.Trainer[float64]) { r.LabelSmoothing = nan },
		"LabelSmoothing is for classes":   func(r *train.Trainer[float64]) { r.LabelSmoothing, r.Train = .1, set },
		"EarlyStop.Patience is -1":        func(r *train.Trainer[float64]) { r.EarlyStop.Patience = -1 },
		"EarlyStop.On without a Patience": func(r *train.Trainer[float64]) { r.EarlyStop.On = held },
		"EarlyStop needs a set":           func(r *train.Trainer[float64]) { r.EarlyStop.Patience, r.Test = 1, nil },
		"EarlyStop looks at evaluations":  func(r *train.Trainer[float64]) { r.EarlyStop.Patience, r.EvalEvery = 1, 0 },
		"has 2 inputs and 2 outputs":      func(r *train.Trainer[float64]) { r.EarlyStop = train.EarlyStop{Patience: 1, On: newSet(t)} },
		"with a Feed let it give smoothed ": func(r *train.Trainer[float64]) {
			*r = train.Trainer[float64]{Rule: r.Rule, Optimizer: r.Optimizer, MaxSteps: 1, LabelSmoothing: .1, Feed: func(int) (x, y []float64) { return nil, nil }}
		},
	} {
		r := kept(t, baseRules[float64](t, 5, 6, 4, 3)["pc"], everyOptimizer[float64]()["sgd"], train.Checkpoint{})
		r.Train, r.Test = labelled, held
		change(r)
		r.OnStep = func(train.Step[float64]) { t.Errorf("%s: trains", want) }
		_, err := r.Run(t.Context())
		says(t, want, err, "train: ", want)
	}
}
