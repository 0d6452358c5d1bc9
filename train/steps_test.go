package train_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// pcTrainer is a training of predictive coding: 27 samples in batches of 8, 8, 8 and 3.
func pcTrainer(t *testing.T) *train.Trainer[float32] {
	set, _ := small(t)
	return &train.Trainer[float32]{Rule: baseRules[float32](t, 5, 6, 4, 3)["pc"], Optimizer: &optim.Adam[float32]{Rate: .01}, Train: set, Batch: 8, Epochs: 3, Seed: 5}
}

// TestTrainer_StepsAreThoseOfRun, with the same records, and leaving them makes no further step and lets go of the file.
func TestTrainer_StepsAreThoseOfRun(t *testing.T) {
	run := pcTrainer(t)
	var want []float64
	run.OnStep = func(s train.Step[float32]) { want = append(want, s.Loss, s.Energy, s.GradNorm(), s.WeightNorm()) }
	h, err := run.Run(t.Context())
	ok(t, err)

	steps := pcTrainer(t)
	var got []float64
	for s, err := range steps.Steps(t.Context()) {
		ok(t, err)
		got = append(got, s.Loss, s.Energy, s.GradNorm(), s.WeightNorm())
	}
	if !slices.Equal(got, want) || !slices.Equal(run.Rule.Subject().Weights.Data(), steps.Rule.Subject().Weights.Data()) || steps.History().Steps != h.Steps {
		t.Errorf("Steps gives %v, Run %v", got, want)
	}

	left := pcTrainer(t)
	left.Checkpoint = train.Checkpoint{File: filepath.Join(t.TempDir(), "kept"), Every: 2}
	for s, err := range left.Steps(t.Context()) {
		ok(t, err)
		if s.Step == 5 {
			break
		}
	}
	if left.History().Steps != 5 {
		t.Errorf("%d steps after 5", left.History().Steps)
	}
	first := 0
	for s, err := range left.Steps(t.Context()) { // from the file of step 4
		ok(t, err)
		if first == 0 {
			first = s.Step
		}
	}
	if first != 5 || !slices.Equal(run.Rule.Subject().Weights.Data(), left.Rule.Subject().Weights.Data()) {
		t.Errorf("goes on with step %d, want 5 and the same weights", first)
	}
}

// TestTrainer_StepsEndWithTheContext: the error is that of the context, and the file has all steps.
func TestTrainer_StepsEndWithTheContext(t *testing.T) {
	tr := pcTrainer(t)
	tr.Checkpoint.File = filepath.Join(t.TempDir(), "kept")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last error
	for s, err := range tr.Steps(ctx) {
		if last = err; s.Step == 3 {
			stop()
		}
	}
	if !errors.Is(last, context.Canceled) || tr.History().Steps != 3 || !tr.History().Interrupted {
		t.Errorf("%v after %d steps", last, tr.History().Steps)
	}
	for s, err := range tr.Steps(t.Context()) {
		ok(t, err)
		if s.Step != 4 {
			t.Errorf("goes on with step %d, want 4", s.Step)
		}
		break
	}
}

// TestTrainer_DropLastLeavesOutTheSmallerBatch of every epoch, and only MaxSteps ends a training without Epochs.
func TestTrainer_DropLastLeavesOutTheSmallerBatch(t *testing.T) {
	tr := pcTrainer(t)
	tr.DropLast, tr.Epochs, tr.MaxSteps = true, 0, 7
	var epochs []int
	for s, err := range tr.Steps(t.Context()) {
		ok(t, err)
		if epochs = append(epochs, s.Epoch); s.Samples != 8 || len(s.X) != 8*5 || len(s.Y) != 8*3 || s.Total != 7 {
			t.Errorf("step %d of %d: %d samples", s.Step, s.Total, s.Samples)
		}
	}
	if !slices.Equal(epochs, []int{0, 0, 0, 1, 1, 1, 2}) {
		t.Errorf("epochs %v", epochs)
	}
}

// TestTrainer_RecordsDivergence: the training ends without an error, with the weights as they were before the step.
func TestTrainer_RecordsDivergence(t *testing.T) {
	tr := pcTrainer(t)
	tr.Divergence, tr.Test = train.RecordAndStop, tr.Train
	var weights []float32
	tr.OnStep = func(s train.Step[float32]) { weights = slices.Clone(s.Weights) }
	tr.OnGradient = func(s train.Step[float32]) error {
		if s.Step == 6 {
			s.Grad[2] = float32(math.Inf(1))
		}
		return nil
	}
	h, err := tr.Run(t.Context())
	ok(t, err)
	if d := h.Diverged; d == nil || d.Step != 6 || d.Epoch != 1 || d.Weights || h.Steps != 5 || len(h.Evals) != 0 {
		t.Fatalf("%+v: want a divergence at step 6 after 5 steps", h)
	}
	says(t, "place", h.Diverged, "gradient", tr.Rule.Subject().Weights.Where(2))
	if !slices.Equal(weights, tr.Rule.Subject().Weights.Data()) {
		t.Error("the weights moved")
	}
}

// TestTrainer_OnGradientSeesTheStepBefore it is made: the weights that the gradient is of; an error ends the training.
func TestTrainer_OnGradientSeesTheStepBefore(t *testing.T) {
	tr := pcTrainer(t)
	set, rule := tr.Train, baseRules[float32](t, 5, 6, 4, 3)["pc"]
	tr.Optimizer = &optim.SGD[float32]{Rate: .5}
	want, x, y := make([]float32, len(rule.Subject().Weights.Data())), make([]float32, 8*5), make([]float32, 8*3)
	for _, idx := range (data.Batches{N: 27, Size: 8, Seed: 5}).Epoch(0, 0) {
		data.Fill(set, x, y, idx)
		_, err := rule.Gradient(want, x, y, 8)
		ok(t, err)
		break
	}
	stop := errors.New("enough")
	tr.OnGradient = func(s train.Step[float32]) error {
		if s.Step > 1 {
			return stop
		}
		if !slices.Equal(s.Weights, rule.Subject().Weights.Data()) || !slices.Equal(s.Grad, want) || !slices.Equal(s.X, x) || !slices.Equal(s.Y, y) || len(s.Terms) == 0 {
			t.Error("another step than the first")
		}
		return nil
	}
	h, err := tr.Run(t.Context())
	if !errors.Is(err, stop) || h.Steps != 1 {
		t.Errorf("%v after %d steps", err, h.Steps)
	}
}

// TestTrainer_FeedIsTheBatches: fed with the batches of a set, the training is that on the set.
func TestTrainer_FeedIsTheBatches(t *testing.T) {
	want := pcTrainer(t)
	want.Epochs = 1
	_, err := want.Run(t.Context())
	ok(t, err)
	var batches [][]int
	for _, idx := range (data.Batches{N: 27, Size: 8, Seed: 5}).Epoch(0, 0) {
		batches = append(batches, slices.Clone(idx))
	}
	tr := pcTrainer(t)
	set := tr.Train
	tr.Train, tr.Batch, tr.Epochs, tr.MaxSteps = nil, 0, 0, len(batches)
	tr.Feed = func(step int) (x, y []float32) {
		idx := batches[step-1]
		x, y = make([]float32, len(idx)*5), make([]float32, len(idx)*3)
		data.Fill(set, x, y, idx)
		return x, y
	}
	_, err = tr.Run(t.Context())
	ok(t, err)
	if !slices.Equal(tr.Rule.Subject().Weights.Data(), want.Rule.Subject().Weights.Data()) {
		t.Error("other weights")
	}
	tr.Feed = func(int) (x, y []float32) { return make([]float32, 5), make([]float32, 4) }
	_, err = tr.Run(t.Context())
	says(t, "sizes", err, "step 1", "5 inputs and 4 targets")
	tr.Batch = 8
	_, err = tr.Run(t.Context())
	says(t, "both", err, "leave out")
}

// TestCheckpoint_IntervalWritesByTheClock.
func TestCheckpoint_IntervalWritesByTheClock(t *testing.T) {
	tr := pcTrainer(t)
	tr.Checkpoint = train.Checkpoint{File: filepath.Join(t.TempDir(), "kept"), Interval: time.Nanosecond}
	for s, err := range tr.Steps(t.Context()) {
		ok(t, err)
		if s.Step == 5 {
			break
		}
	}
	for s, err := range tr.Steps(t.Context()) {
		ok(t, err)
		if s.Step != 5 {
			t.Errorf("goes on with step %d, want 5", s.Step)
		}
		break
	}
}
