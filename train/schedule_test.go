package train_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// pcx is the schedule of pcx.
var pcx = train.WarmUp{Part: .1, From: 1, Then: train.CosineDecay{From: 1.1, To: .1}}

// TestSchedule_IsItsFormula at every step of a few trainings; that of pcx has its corners where they belong.
func TestSchedule_IsItsFormula(t *testing.T) {
	cosine := func(from, to, t float64) float64 { return to + (from-to)*(1+math.Cos(math.Pi*t))/2 }
	for _, c := range []struct {
		s    train.Schedule
		want func(n, total float64) float64 // n counts from 0
	}{
		{train.ConstantRate{}, func(n, total float64) float64 { return 1 }},
		{train.StepDecay{Every: 7, By: .5}, func(n, total float64) float64 { return math.Exp2(-math.Floor(n / 7)) }},
		{train.CosineDecay{}, func(n, total float64) float64 { return cosine(1, 0, n/total) }},
		{train.CosineDecay{From: 2, To: .5}, func(n, total float64) float64 { return cosine(2, .5, n/total) }},
		{train.WarmUp{}, func(n, total float64) float64 { return 1 }},
		{train.WarmUp{Part: .2, From: .25}, func(n, total float64) float64 { return min(1, .25+.75*n/math.Max(math.Round(.2*total), 1e-9)) }},
		{pcx, func(n, total float64) float64 {
			if w := math.Round(.1 * total); n >= w {
				return cosine(1.1, .1, (n-w)/(total-w))
			} else {
				return 1 + .1*n/w
			}
		}},
	} {
		for _, total := range []int{3, 40, 1000} {
			for step := 1; step <= total; step++ {
				if got, want := c.s.Factor(step, total), c.want(float64(step-1), float64(total)); !(math.Abs(got-want) < 1e-12) {
					t.Fatalf("%#v: factor %v at step %d of %d, want %v", c.s, got, step, total, want)
				}
			}
		}
	}
	for step, want := range map[int]float64{1: 1, 51: 1.05, 101: 1.1, 551: .6, 1001: .1} {
		if got := pcx.Factor(step, 1000); math.Abs(got-want) > 1e-12 {
			t.Errorf("pcx: factor %v at step %d, want %v", got, step, want)
		}
	}
}

// TestSchedule_IsTheRateOfEveryStep: of every kind of optimiser, and of a rule that moves the weights several times in a batch, the
// training is the one whose rate is set by hand; afterwards the optimiser has its own rate again.
func TestSchedule_IsTheRateOfEveryStep(t *testing.T) {
	for opt := range everyOptimizer[float32]() {
		one, other := everyRule[float32](t), everyRule[float32](t)
		for _, name := range []string{"pc", "incremental"} {
			var rates []float64
			byHand := kept(t, one[name], everyOptimizer[float32]()[opt], train.Checkpoint{})
			rate := byHand.Optimizer.(optim.Rater).LearningRate()
			base := *rate
			byHand.OnGradient = func(s train.Step[float32]) error { *rate = base * pcx.Factor(s.Step, s.Total); return nil }
			byHand.OnStep = nil
			_, err := byHand.Run(t.Context())
			ok(t, err)
			scheduled := kept(t, other[name], everyOptimizer[float32]()[opt], train.Checkpoint{})
			scheduled.Schedule = pcx
			scheduled.OnStep = func(s train.Step[float32]) { rates = append(rates, s.Rate) }
			_, err = scheduled.Run(t.Context())
			ok(t, err)
			if !slices.Equal(scheduled.Rule.Subject().Weights.Data(), byHand.Rule.Subject().Weights.Data()) {
				t.Errorf("%s by %s: other weights than with the rate set by hand", name, opt)
			}
			for i, r := range rates {
				if want := base * pcx.Factor(i+1, 11); r != want {
					t.Errorf("%s by %s: rate %v at step %d, want %v", name, opt, r, i+1, want)
				}
			}
			if now := *scheduled.Optimizer.(optim.Rater).LearningRate(); now != base || len(rates) != 11 {
				t.Errorf("%s by %s: rate %v after the training, want %v; %d steps", name, opt, now, base, len(rates))
			}
		}
	}
}

// TestSchedule_ResumesToTheSameBits, and a checkpoint of another schedule, or of none, is refused with both named.
func TestSchedule_ResumesToTheSameBits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	run := func(s train.Schedule, steps, end int, c train.Checkpoint) (*train.Trainer[float32], *train.History, error) {
		r := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["clip"], c)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		r.Schedule, r.MaxSteps, r.Epochs = s, steps, 9
		step := r.OnStep
		r.OnStep = func(s train.Step[float32]) {
			if step(s); s.Step == end {
				stop()
			}
		}
		h, err := r.Run(ctx)
		return r, h, err
	}
	whole, want, err := run(pcx, 20, 0, train.Checkpoint{})
	ok(t, err)
	for _, end := range []int{1, 2, 3, 11, 0} {
		r, got, err := run(pcx, 20, end, train.Checkpoint{File: file})
		ok(t, err)
		if end > 0 {
			continue
		}
		if !slices.Equal(whole.Rule.Subject().Weights.Data(), r.Rule.Subject().Weights.Data()) {
			t.Error("other weights than without interruption")
		}
		if diff := cmp.Diff(want, got, untimed); diff != "" {
			t.Error(diff)
		}
	}
	before, err := os.ReadFile(file)
	ok(t, err)
	for _, c := range []struct {
		s     train.Schedule
		steps int
		want  []string
	}{
		{train.CosineDecay{}, 20, []string{"whose schedule is", "train.WarmUp", "train.CosineDecay"}},
		{train.WarmUp{Part: .1, From: 1, Then: train.CosineDecay{From: 1.1, To: .2}}, 20, []string{"To: 0.1}", "To: 0.2}"}},
		{pcx, 21, []string{"over 20 steps", "over 21 steps"}},
		{nil, 20, []string{"which has the setting schedule: train.WarmUp", "this one has not"}},
	} {
		_, _, err := run(c.s, c.steps, 0, train.Checkpoint{File: file})
		says(t, fmt.Sprintf("%T", c.s), err, append(c.want, "remove the file to begin anew")...)
	}
	if after, _ := os.ReadFile(file); !slices.Equal(before, after) {
		t.Error("the file has changed")
	}
	other := filepath.Join(t.TempDir(), "plain")
	_, _, err = run(nil, 5, 0, train.Checkpoint{File: other})
	ok(t, err)
	_, _, err = run(pcx, 20, 0, train.Checkpoint{File: other})
	says(t, "none before", err, "has not the setting schedule: train.WarmUp")
}

// growing is a schedule that gives what is no factor.
type growing struct{ at float64 }

func (s growing) Factor(step, _ int) float64 {
	if step < 3 {
		return 1
	}
	return s.at
}

// unrated is an optimiser that lends no rate.
type unrated struct{ *optim.SGD[float32] }

func (unrated) LearningRate() *float64 { return nil }

// TestSchedule_RefusesNonsense before the first step, or at the step that gives it.
func TestSchedule_RefusesNonsense(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	run := func(s train.Schedule, o optim.Optimizer[float32]) (steps int, err error) {
		tr := trainer(t, baseRules[float32](t, 2, 4, 2)["pc"])
		if tr.Schedule = s; o != nil {
			tr.Optimizer = o
		}
		tr.OnStep = func(train.Step[float32]) { steps++ }
		_, err = tr.Run(t.Context())
		return steps, err
	}
	for _, s := range []train.Schedule{
		train.StepDecay{}, train.StepDecay{Every: 1}, train.StepDecay{Every: -1, By: .5}, train.StepDecay{Every: 1, By: inf}, train.StepDecay{Every: 1, By: nan},
		train.CosineDecay{From: -1}, train.CosineDecay{To: nan}, train.CosineDecay{From: inf},
		train.WarmUp{Part: 1}, train.WarmUp{Part: -.1}, train.WarmUp{Part: nan}, train.WarmUp{From: inf},
		train.WarmUp{Then: train.StepDecay{}}, (*train.WarmUp)(nil), train.WarmUp{Then: (*train.CosineDecay)(nil)},
	} {
		steps, err := run(s, nil)
		if says(t, fmt.Sprintf("%#v", s), err, "train: "); steps > 0 {
			t.Errorf("%#v: trains", s)
		}
	}
	for _, at := range []float64{nan, inf, -1} {
		steps, err := run(growing{at}, nil)
		if says(t, "growing", err, "train_test.growing", "step 3 of 6"); steps != 2 {
			t.Errorf("%d steps", steps)
		}
	}
	_, err := run(pcx, unrated{&optim.SGD[float32]{Rate: .1}})
	says(t, "no rate", err, "no optim.Rater")
}
