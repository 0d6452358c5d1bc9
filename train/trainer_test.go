package train_test

import (
	"context"
	"maps"
	"math"
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
)

// inferenceSteps of predictive coding in the tests of the trainer.
const inferenceSteps = 12

// load makes a toy task.
func load(t *testing.T, s data.Source) (trainSet, testSet *data.Set) {
	t.Helper()
	trainSet, testSet, err := s.Load()
	ok(t, err)
	return trainSet, testSet
}

// toyModel is a small network with fresh weights.
func toyModel[T graph.Float](t *testing.T, c arch.Coordinates, widths ...int) *arch.Model[T] {
	t.Helper()
	n, err := arch.MLP(nil, layers.Tanh, widths...)
	ok(t, err)
	w, err := arch.NewWeights[T](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	m, err := arch.Compile(n, w, arch.Plan{Batch: 8, Coordinates: c})
	ok(t, err)
	return m
}

// rules are both rules, each on weights of its own.
func baseRules[T graph.Float](t *testing.T, widths ...int) map[string]train.Rule[T] {
	t.Helper()
	return map[string]train.Rule[T]{
		"bp": &train.Backprop[T]{Model: toyModel[T](t, arch.Feedforward, widths...)},
		"pc": &train.PC[T]{
			Model:  toyModel[T](t, arch.Activities, widths...),
			Solver: &infer.Descent[T]{Optimizer: &optim.SGD[T]{Rate: .2}},
			Stop:   infer.Steps(inferenceSteps),
		},
	}
}

// TestTrainer_LearnsXORAndMoons: both rules solve both tasks, which no linear map does.
func TestTrainer_LearnsXORAndMoons(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	for _, task := range []struct {
		name   string
		source data.Source
		want   float64 // test accuracy
	}{
		{"xor", data.XOR{Train: 200, Test: 100, Noise: .1, Seed: 1}, 1},
		{"moons", data.Moons{Train: 300, Test: 200, Noise: .1, Seed: 1}, .97},
	} {
		trainSet, testSet := load(t, task.source)
		for name, rule := range baseRules[float32](t, 2, 16, 16, 2) {
			run := train.Trainer[float32]{
				Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: trainSet, Test: testSet,
				Batch: 32, Epochs: 120, Seed: 1, EvalEvery: 1 << 20,
			}
			h, err := run.Run(t.Context())
			ok(t, err)
			t.Logf("%s by %s: %d steps, test accuracy %.3f, loss %.4f", task.name, name, h.Steps, h.Last().Accuracy, h.Last().Loss)
			if h.Last().Accuracy < task.want {
				t.Errorf("%s by %s: test accuracy %.3f, want %.2f", task.name, name, h.Last().Accuracy, task.want)
			}
		}
	}
}

// TestTrainer_SameSeedSameRun: weights to the last bit, and other weights from another seed.
func TestTrainer_SameSeedSameRun(t *testing.T) {
	trainSet, _ := load(t, data.Moons{Train: 70, Seed: 1})
	for _, name := range []string{"bp", "pc"} {
		weights := func(seed uint64) []float32 {
			rule := baseRules[float32](t, 2, 16, 2)[name]
			run := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Momentum[float32]{Rate: .1, Mu: .5}, Train: trainSet, Batch: 16, Epochs: 3, Seed: seed}
			_, err := run.Run(t.Context())
			ok(t, err)
			return rule.Subject().Weights.Data()
		}
		first := weights(1)
		if !slices.Equal(weights(1), first) {
			t.Errorf("%s: the same seed gives other weights", name)
		}
		if slices.Equal(weights(2), first) {
			t.Errorf("%s: another seed gives the same weights", name)
		}
	}
}

// TestTrainer_IsTheLoopItSays: two epochs of backprop with a last, smaller batch equal plain loops over the batches in
// the order of data.Batches.
func TestTrainer_IsTheLoopItSays(t *testing.T) {
	const rate, batch = .1, 4
	set, _ := load(t, data.Linear{In: 5, Out: 3, Train: 10, Noise: .1, Seed: 1})
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	start := slices.Clone(k.w.Data())
	rule := &train.Backprop[float64]{Model: k.model(t, arch.Feedforward, 1)}
	var sizes []int
	run := train.Trainer[float64]{
		Rule: rule, Optimizer: &optim.SGD[float64]{Rate: rate}, Train: set, Batch: batch, Epochs: 2, Seed: 5,
		OnStep: func(s train.Step[float64]) { sizes = append(sizes, s.Samples) },
	}
	h, err := run.Run(t.Context())
	ok(t, err)
	got := slices.Clone(k.w.Data())
	copy(k.w.Data(), start) // the plain loops share the slab
	for epoch := range 2 {
		for _, idx := range (data.Batches{N: 10, Size: batch, Seed: 5}).Epoch(epoch, 0) {
			k.batch, k.x, k.y = len(idx), make([]float64, 5*len(idx)), make([]float64, 3*len(idx))
			data.Fill(set, k.x, k.y, idx)
			_, dw := k.plainGrad()
			for i := range dw {
				k.w.Data()[i] -= rate * dw[i]
			}
		}
	}
	if d := relative(got, k.w.Data()); !(d <= 1e-14) {
		t.Errorf("weights off by %.1e", d)
	}
	if !slices.Equal(sizes, []int{4, 4, 2, 4, 4, 2}) || h.Steps != 6 {
		t.Errorf("batches of %v in %d steps: want the last, smaller batch used", sizes, h.Steps)
	}
}

// TestTrainer_ReportsWhatItSaw holds every metric of a step against a computation of its own.
func TestTrainer_ReportsWhatItSaw(t *testing.T) {
	const rate = .1
	set, testSet := load(t, data.Moons{Train: 20, Test: 30, Seed: 1})
	for name, rule := range baseRules[float64](t, 2, 6, 5, 2) {
		w := rule.Subject().Weights
		before, version := slices.Clone(w.Data()), w.Version()
		n, err := arch.MLP(nil, layers.Tanh, 2, 6, 5, 2)
		ok(t, err)
		var steps []train.Step[float64]
		var evals []int
		run := train.Trainer[float64]{
			Rule: rule, Optimizer: &optim.SGD[float64]{Rate: rate}, Train: set, Test: testSet, Batch: 8, Epochs: 4, MaxSteps: 7, Seed: 3, EvalEvery: 3,
			OnEval: func(e train.Eval) { evals = append(evals, e.Step) },
			OnStep: func(s train.Step[float64]) {
				// the loss at the weights before the step, by a model compiled for it
				old, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(0, 0)))
				ok(t, err)
				copy(old.Data(), before)
				m, err := arch.Compile(n, old, arch.Plan{Batch: s.Samples, Coordinates: arch.Feedforward})
				ok(t, err)
				ok(t, m.Clamp(batchOf(set, 8, 3, s)))
				loss, err := m.Energy()
				ok(t, err)
				if d := math.Abs(s.Loss - loss); d > 1e-15 {
					t.Errorf("%s step %d: loss %.16g, the feedforward pass has %.16g", name, s.Step, s.Loss, loss)
				}
				sum := 0.0
				for _, e := range s.Terms {
					sum += e
				}
				if math.Abs(sum-s.Energy) > 1e-15 {
					t.Errorf("%s step %d: terms %v add up to %g, energy %g", name, s.Step, s.Terms, sum, s.Energy)
				}
				if name == "bp" && s.Energy != s.Loss || name == "pc" && !(s.Energy < s.Loss) {
					t.Errorf("%s step %d: energy %g where the gradient was taken, loss %g", name, s.Step, s.Energy, s.Loss)
				}
				moved, norm := 0.0, 0.0
				for i, v := range w.Data() {
					moved += (v - before[i]) * (v - before[i]) / rate / rate
					norm += v * v
				}
				if math.Abs(s.GradNorm()/math.Sqrt(moved)-1) > 1e-9 || math.Abs(s.WeightNorm()/math.Sqrt(norm)-1) > 1e-14 {
					t.Errorf("%s step %d: norms %g and %g, want %g and %g", name, s.Step, s.GradNorm(), s.WeightNorm(), math.Sqrt(moved), math.Sqrt(norm))
				}
				if w.Version() == version {
					t.Errorf("%s step %d: the weights are not touched: models that are clamped would not see the step", name, s.Step)
				}
				copy(before, w.Data())
				version = w.Version()
				s.Terms = slices.Clone(s.Terms)
				steps = append(steps, s)
			},
		}
		h, err := run.Run(t.Context())
		ok(t, err)
		for i, s := range steps {
			if s.Step != i+1 || s.Total != 7 || s.Epoch != i/3 || s.Samples != []int{8, 8, 4}[i%3] {
				t.Errorf("%s: step %d of %d, epoch %d, %d samples; this is number %d", name, s.Step, s.Total, s.Epoch, s.Samples, i)
			}
			if wantSteps := map[string]int{"pc": inferenceSteps}[name]; s.Inference.Step != wantSteps || s.Inference.Evals != wantSteps {
				t.Errorf("%s: inference %v", name, s.Inference)
			}
		}
		if h.Steps != 7 || len(steps) != 7 || h.Interrupted || h.Elapsed <= 0 || h.Last().Step != 7 {
			t.Errorf("%s: history %+v", name, h)
		}
		if !slices.Equal(evals, []int{3, 6, 7}) {
			t.Errorf("%s: evaluations after steps %v, want every third and the last", name, evals)
		}
		if name == "pc" && (h.Evaluations != 7*inferenceSteps || h.Statuses[infer.StepLimit] != 7) {
			t.Errorf("%d evaluations, statuses %v", h.Evaluations, h.Statuses)
		}
		score, err := train.Evaluate(rule.Subject().Predict, testSet)
		if err != nil || score != h.Last().Score {
			t.Errorf("%s: score %+v, the last evaluation has %+v (%v)", name, score, h.Last().Score, err)
		}
	}
}

// batchOf is the batch of a step, by the order that data.Batches documents.
func batchOf(set *data.Set, size int, seed uint64, s train.Step[float64]) (x, y []float64) {
	b := data.Batches{N: set.Len(), Size: size, Seed: seed}
	for step, idx := range b.Epoch(s.Epoch, 0) {
		if step == (s.Step-1)%b.Steps() {
			x, y = make([]float64, len(idx)*set.In()), make([]float64, len(idx)*set.Out())
			data.Fill(set, x, y, idx)
		}
	}
	return x, y
}

// TestTrainer_StopsWhenCancelled finishes its step, evaluates no more and says so.
func TestTrainer_StopsWhenCancelled(t *testing.T) {
	trainSet, testSet := load(t, data.XOR{Train: 64, Test: 8, Seed: 1})
	for name, rule := range baseRules[float32](t, 2, 4, 2) {
		for _, at := range []int{0, 1, 3} {
			ctx, cancel := context.WithCancel(t.Context())
			if at == 0 {
				cancel()
			}
			start := slices.Clone(rule.Subject().Weights.Data())
			run := train.Trainer[float32]{
				Rule: rule, Optimizer: &optim.SGD[float32]{Rate: .1}, Train: trainSet, Test: testSet, Batch: 8, Epochs: 2, EvalEvery: 1,
				OnStep: func(s train.Step[float32]) {
					if s.Step == at {
						cancel()
					}
				},
			}
			h, err := run.Run(ctx)
			cancel()
			if err != nil || !h.Interrupted || h.Steps != at || len(h.Evals) != max(0, at-1) {
				t.Errorf("%s cancelled in step %d: %+v, error %v", name, at, h, err)
			}
			if moved := !slices.Equal(start, rule.Subject().Weights.Data()); moved != (at > 0) {
				t.Errorf("%s cancelled in step %d: weights moved: %v", name, at, moved)
			}
		}
	}
}

// stepAllocates counts the allocations of a training step after the first.
func stepAllocates[T graph.Float](t *testing.T) {
	const batch = 64
	set, _ := load(t, data.Linear{In: 20, Out: 10, Train: batch, Seed: 1})
	idx := rand.New(rand.NewPCG(1, 1)).Perm(batch)
	x, y := make([]T, batch*20), make([]T, batch*10)
	all := ways[T](t, 20, 30, 30, 10)
	delete(all, "nudged target") // Model.Predict makes its result
	maps.Copy(all, baseRules[T](t, 20, 30, 30, 10))
	for name, solver := range map[string]infer.Solver[T]{"newton": &infer.Newton[T]{MaxSteps: 3}, "l-bfgs": &infer.LBFGS[T]{MaxSteps: 5}} {
		all[name] = &train.PC[T]{Model: toyModel[T](t, arch.Errors, 20, 30, 30, 10), Solver: solver}
	}
	for name, rule := range all {
		for _, opt := range []optim.Optimizer[T]{&optim.SGD[T]{Rate: .01}, &optim.Adam[T]{Rate: .001}} {
			w := rule.Subject().Weights
			grad := make([]T, len(w.Data()))
			update := train.Update[T]{Optimizer: opt}
			n := testing.AllocsPerRun(5, func() {
				data.Fill(set, x, y, idx)
				if _, err := rule.Gradient(grad, x, y, batch); err != nil {
					t.Fatal(err)
				}
				if !update.Finite(grad) {
					t.Fatal("a gradient that is not finite")
				}
				update.Step(w, grad)
			})
			if n != 0 {
				t.Errorf("%s with %T: %g allocations per step", name, opt, n)
			}
		}
	}
}

// TestRules_AllocateNothing: fill, clamp, forward, inference, weight gradient and optimiser.
func TestRules_AllocateNothing(t *testing.T) {
	t.Run("float32", stepAllocates[float32])
	t.Run("float64", stepAllocates[float64])
}

// TestPC_SolvesByAnyCoordinates: with a rule in the coordinates of errors the gradient at equilibrium is the same.
func TestPC_SolvesByAnyCoordinates(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	var grads [2][]float64
	for i, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		rule := &train.PC[float64]{
			Model:  k.model(t, c, .5),
			Solver: &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .1, Mu: .7}},
			Stop:   infer.Any{infer.Stationary{Tol: 1e-13}, infer.Steps(20000)},
		}
		grads[i] = make([]float64, len(k.w.Data()))
		r, err := rule.Gradient(grads[i], k.x, k.y, k.batch)
		ok(t, err)
		if r.Inference.Status != infer.Converged || !(r.Energy < r.Loss) {
			t.Errorf("%v: %+v", c, r)
		}
		if want := []string{"block1", "block2", "block3", "block4"}; !slices.Equal(rule.Subject().Terms, want) {
			t.Errorf("terms %v, want %v", rule.Subject().Terms, want)
		}
	}
	if d := relative(grads[1], grads[0]); !(d <= 1e-11) {
		t.Errorf("weight gradients differ by %.1e", d)
	}
}

// TestPC_WithoutStepsIsTheFeedforwardState: Steps(0) evaluates nothing; the loss is then the energy itself.
func TestPC_WithoutStepsIsTheFeedforwardState(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh}, true, 1)
	rule := &train.PC[float64]{Model: k.model(t, arch.Activities, 1), Solver: &infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: 1}}, Stop: infer.Steps(0)}
	loss, _ := k.plainGrad()
	r, err := rule.Gradient(make([]float64, len(k.w.Data())), k.x, k.y, k.batch)
	if err != nil || math.Abs(r.Loss-loss) > 1e-14 || r.Energy != r.Loss {
		t.Errorf("%+v, error %v: want a loss of %g", r, err, loss)
	}
}

// TestTrainer_AugmentsAnewInEveryEpoch: two epochs on augmented pictures equal plain loops over the set at each epoch.
func TestTrainer_AugmentsAnewInEveryEpoch(t *testing.T) {
	const rate, batch = .1, 4
	set, _ := load(t, data.Augmented{Source: data.BarsAndStripes{Side: 3, Train: 10, Seed: 1}, By: data.Augment{Pad: 1, Flip: true, Seed: 2}})
	rule := baseRules[float64](t, 9, 4, 2)["bp"]
	start := slices.Clone(rule.Subject().Weights.Data())
	run := train.Trainer[float64]{Rule: rule, Optimizer: &optim.SGD[float64]{Rate: rate}, Train: set, Batch: batch, Epochs: 2, Seed: 5}
	_, err := run.Run(t.Context())
	ok(t, err)
	got := slices.Clone(rule.Subject().Weights.Data())
	plain := func(epochOf func(epoch int) int) []float64 {
		copy(rule.Subject().Weights.Data(), start)
		rule.Subject().Weights.Touch()
		grad := make([]float64, len(start))
		for epoch := range 2 {
			for _, idx := range (data.Batches{N: 10, Size: batch, Seed: 5}).Epoch(epoch, 0) {
				x, y := make([]float64, 9*len(idx)), make([]float64, 2*len(idx))
				data.Fill(set.AtEpoch(epochOf(epoch)), x, y, idx)
				_, err := rule.Gradient(grad, x, y, len(idx))
				ok(t, err)
				for i, g := range grad {
					rule.Subject().Weights.Data()[i] -= rate * g
				}
				rule.Subject().Weights.Touch()
			}
		}
		return slices.Clone(rule.Subject().Weights.Data())
	}
	if d := relative(got, plain(func(epoch int) int { return epoch })); !(d <= 1e-14) { // sums in the same order: rounding of the step
		t.Errorf("weights off by %.1e", d)
	}
	if d := relative(got, plain(func(int) int { return 0 })); d < 1e-6 {
		t.Errorf("the second epoch shows the pictures of the first: weights differ by %.1e", d)
	}
}
