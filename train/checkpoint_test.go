package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// everyRule is every rule there is, fresh, for samples of 5 and 3 numbers.
func everyRule[T graph.Float](t *testing.T) map[string]train.Rule[T] {
	t.Helper()
	all := baseRules[T](t, 5, 6, 4, 3)
	for _, more := range []map[string]train.Rule[T]{ways[T](t, 5, 6, 4, 3), otherRules[T](t, 5, 6, 4, 3)} {
		for name, r := range more {
			all[name] = r
		}
	}
	all["monte carlo"].(*rules.MonteCarlo[T]).Solver = &infer.Langevin[T]{Rate: .2, Temperature: .001, Source: rand.NewPCG(1, 1)}
	_, all["dropout pc"], _ = dropRules[T](t, 7, 8)
	_, _, all["dropout bp"] = dropRules[T](t, 7, 8)
	all["generator"] = &rules.Generator[T]{Rule: &train.PC[T]{Model: toyModel[T](t, arch.Activities, 3, 6, 5), Solver: descent[T](), Stop: infer.Steps(4)},
		Invert: func(x []T) ([]T, error) { return make([]T, len(x)/5*3), nil }}
	return all
}

// everyOptimizer is every optimiser there is, fresh.
func everyOptimizer[T graph.Float]() map[string]optim.Optimizer[T] {
	spans := []optim.Span{{Lo: 0, Hi: 5, Factor: 2}}
	return map[string]optim.Optimizer[T]{
		"sgd":      &optim.SGD[T]{Rate: .05},
		"momentum": &optim.Momentum[T]{Rate: .01, Mu: .9},
		"adam":     &optim.Adam[T]{Rate: .01, Spans: spans},
		"adamw":    &optim.AdamW[T]{Rate: .01, Decay: .1, Spans: spans},
		"clip":     &optim.Clip[T]{Max: .1, Opt: &optim.Adam[T]{Rate: .01}},
		"standard": &optim.Standardize[T]{Parts: []optim.Deviation{{Lo: 2, Hi: 12, Std: .3}}, Opt: &optim.Clip[T]{Max: .1, Opt: &optim.Adam[T]{Rate: .01}}},
	}
}

// small is a regression of 5 numbers on 3, of 27 samples: batches of 8, 8, 8 and 3.
func small(t *testing.T) (set, test *data.Set) {
	return load(t, data.Linear{In: 5, Out: 3, Train: 27, Test: 9, Noise: .1, Seed: 2})
}

// curve is what a caller keeps in step: the energies of all steps.
type curve struct{ Energies []float64 }

func (c *curve) MarshalBinary() ([]byte, error)     { return json.Marshal(c.Energies) }
func (c *curve) UnmarshalBinary(state []byte) error { return json.Unmarshal(state, &c.Energies) }

// kept is a training of 11 steps, nearly three epochs; its rate falls after step 5.
func kept[T graph.Float](t *testing.T, rule train.Rule[T], o optim.Optimizer[T], c train.Checkpoint) *train.Trainer[T] {
	set, test := small(t)
	own := &curve{}
	if c.File != "" {
		c.Own = own
	}
	run := &train.Trainer[T]{Rule: rule, Optimizer: o, Train: set, Test: test, Batch: 8, Epochs: 3, MaxSteps: 11, Seed: 5, EvalEvery: 3, Checkpoint: c}
	run.OnStep = func(s train.Step[T]) {
		own.Energies = append(own.Energies, s.Energy)
		if s.Step == 5 {
			*o.(optim.Rater).LearningRate() *= .5
		}
	}
	return run
}

// untimed compares histories but for their times.
var untimed = cmp.Options{cmpopts.IgnoreFields(train.History{}, "Elapsed"), cmpopts.IgnoreFields(train.Eval{}, "Elapsed")}

// resumes holds a training that is interrupted after some steps, each time with all new, against one that is not.
func resumes[T graph.Float](t *testing.T, name string, rule func() train.Rule[T], o func() optim.Optimizer[T], change ...func(*train.Trainer[T])) {
	t.Helper()
	kept := func(t *testing.T, rule train.Rule[T], o optim.Optimizer[T], c train.Checkpoint) *train.Trainer[T] {
		r := kept(t, rule, o, c)
		for _, f := range change {
			f(r)
		}
		return r
	}
	whole := kept(t, rule(), o(), train.Checkpoint{File: filepath.Join(t.TempDir(), "whole")})
	want, err := whole.Run(t.Context())
	ok(t, err)
	plain := kept(t, rule(), o(), train.Checkpoint{})
	_, err = plain.Run(t.Context())
	ok(t, err)
	if !slices.Equal(plain.Rule.Subject().Weights.Data(), whole.Rule.Subject().Weights.Data()) {
		t.Errorf("%s: a checkpoint changes the training", name)
	}
	file := filepath.Join(t.TempDir(), "kept")
	for _, end := range []int{1, 4, 6, 11, 12} { // within an epoch, at its end, before an evaluation, before the last one, at the end
		run := kept(t, rule(), o(), train.Checkpoint{File: file})
		if end > 1 { // the weights that are loaded count
			clear(run.Rule.Subject().Weights.Data())
		}
		ctx, stop := context.WithCancel(t.Context())
		step := run.OnStep
		run.OnStep = func(s train.Step[T]) {
			if step(s); s.Step == end {
				stop()
			}
		}
		got, err := run.Run(ctx)
		stop()
		ok(t, err)
		if got.Steps != min(end, 11) || got.Interrupted != (end < 12) {
			t.Fatalf("%s: %d steps, interrupted %v, after %d", name, got.Steps, got.Interrupted, end)
		}
		if end < 12 {
			continue
		}
		if !slices.Equal(run.Rule.Subject().Weights.Data(), whole.Rule.Subject().Weights.Data()) {
			t.Errorf("%s: other weights than without interruption", name)
		}
		if diff := cmp.Diff(want, got, untimed); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(whole.Checkpoint.Own, run.Checkpoint.Own); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		// Once more: all is there, and nothing is written.
		before, err := os.Stat(file)
		ok(t, err)
		again := kept(t, rule(), o(), train.Checkpoint{File: file})
		again.OnStep = func(train.Step[T]) { t.Errorf("%s: a finished training goes on", name) }
		got, err = again.Run(t.Context())
		ok(t, err)
		if diff := cmp.Diff(want, got, untimed); diff != "" {
			t.Errorf("%s, once more: %s", name, diff)
		}
		if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: a finished training is written again, %v", name, err)
		}
	}
}

// TestCheckpoint_ResumesToTheSameBits: every rule with Adam, and PC with every optimiser.
func TestCheckpoint_ResumesToTheSameBits(t *testing.T) {
	var fresh []map[string]train.Rule[float32]
	for name := range everyRule[float32](t) {
		used := 0
		resumes(t, name, func() train.Rule[float32] {
			if used++; used > len(fresh) {
				fresh = append(fresh, everyRule[float32](t))
			}
			return fresh[used-1][name]
		}, func() optim.Optimizer[float32] { return &optim.Adam[float32]{Rate: .01} })
	}
	for name := range everyOptimizer[float64]() {
		resumes(t, name, func() train.Rule[float64] { return baseRules[float64](t, 5, 6, 4, 3)["pc"] },
			func() optim.Optimizer[float64] { return everyOptimizer[float64]()[name] })
	}
}

// TestCheckpoint_GoesOnForLonger: a finished training that is given more epochs has the weights of one that had them at once.
func TestCheckpoint_GoesOnForLonger(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	run := func(steps int, c train.Checkpoint) []float32 {
		r := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], c)
		r.Epochs, r.MaxSteps = 9, steps
		_, err := r.Run(t.Context())
		ok(t, err)
		return r.Rule.Subject().Weights.Data()
	}
	run(7, train.Checkpoint{File: file})
	if !slices.Equal(run(20, train.Checkpoint{File: file}), run(20, train.Checkpoint{})) {
		t.Error("other weights than of 20 steps at once")
	}
	r := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file})
	if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "has made 20 steps, and 11 are asked for") {
		t.Errorf("fewer steps than it has: %v", err)
	}
}

// TestCheckpoint_IsWrittenWhenAskedFor, after the step during which somebody asked, and then no more.
func TestCheckpoint_IsWrittenWhenAskedFor(t *testing.T) {
	file, now := filepath.Join(t.TempDir(), "kept"), make(chan struct{}, 1)
	r := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file, Now: now})
	r.Epochs, r.MaxSteps = 9, 8
	var texts []string // of the file, as each step finds it
	r.OnStep = func(s train.Step[float32]) {
		text, err := os.ReadFile(file)
		ok(t, err)
		if texts = append(texts, string(text)); s.Step == 3 {
			now <- struct{}{}
		}
	}
	_, err := r.Run(t.Context())
	ok(t, err)
	for i := 1; i < len(texts); i++ {
		if changed := texts[i] != texts[i-1]; changed != (i == 3) { // found by step 4
			t.Errorf("between steps %d and %d the file has changed: %v", i, i+1, changed)
		}
	}
	r.Checkpoint = train.Checkpoint{Now: now}
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "File is missing") {
		t.Errorf("without a file: %v", err)
	}
}

// A forgetful rule does not say what it remembers, and so does a start, and an optimiser.
type forgetful struct{ train.Rule[float32] }
type ownStart struct{ train.Feedforward[float32] }
type ownOptimizer struct{ optim.Optimizer[float32] }

// TestCheckpoint_Refuses what cannot be kept, before the first step, and files that are not of the training: it never begins
// anew in silence, and leaves the file and the weights as they are.
func TestCheckpoint_Refuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	fresh := func() *train.Trainer[float32] {
		return kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file})
	}
	pc := func(r *train.Trainer[float32]) *train.PC[float32] { return r.Rule.(*train.PC[float32]) }
	type change struct {
		name string
		do   func(r *train.Trainer[float32])
		want string
	}
	refused := func(c change) {
		t.Helper()
		r := fresh()
		c.do(r)
		r.OnStep = func(train.Step[float32]) { t.Errorf("%s: trains", c.name) }
		var before []float32
		if r.Rule != nil {
			before = slices.Clone(r.Rule.Subject().Weights.Data())
		}
		if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q on one line", c.name, err, c.want)
		}
		if !slices.Equal(before, r.Rule.Subject().Weights.Data()) {
			t.Errorf("%s: the weights have changed", c.name)
		}
	}
	for _, c := range []change{
		{"own rule", func(r *train.Trainer[float32]) { r.Rule = forgetful{r.Rule} }, "train_test.forgetful remembers"},
		{"own start", func(r *train.Trainer[float32]) { pc(r).Start = ownStart{} }, "train_test.ownStart remembers"},
		{"previous", func(r *train.Trainer[float32]) { pc(r).Start = &train.Previous[float32]{} }, "Previous[float32] remembers"},
		{"own generator", func(r *train.Trainer[float32]) {
			r.Rule = &rules.Generator[float32]{Rule: forgetful{&train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 3, 5), Solver: pc(r).Solver, Stop: pc(r).Stop}}, Invert: func(x []float32) ([]float32, error) { return x, nil }}
		}, "forgetful remembers"},
		{"unknown noise", func(r *train.Trainer[float32]) { r.Rule = ways[float32](t, 5, 6, 3)["monte carlo"] }, "give Source"},
		{"own optimiser", func(r *train.Trainer[float32]) { r.Optimizer = ownOptimizer{r.Optimizer} }, "no optim.Stateful"},
		{"clipped own optimiser", func(r *train.Trainer[float32]) {
			r.Optimizer = &optim.Clip[float32]{Max: 1, Opt: ownOptimizer{r.Optimizer}}
		}, "no optim.Stateful"},
		{"no folder", func(r *train.Trainer[float32]) { r.Checkpoint.File = filepath.Join(file, "a", "b") }, "kept/a/b.lock: no such file or directory"},
		{"negative", func(r *train.Trainer[float32]) { r.Checkpoint.Every = -1 }, "Every is -1"},
		{"no file", func(r *train.Trainer[float32]) { r.Checkpoint.File = "" }, "File is missing"},
	} {
		refused(c)
		if _, err := os.Stat(file); err == nil {
			t.Fatalf("%s: there is a file", c.name)
		}
	}

	r := fresh()
	r.MaxSteps = 5
	_, err := r.Run(t.Context())
	ok(t, err)
	good, err := os.ReadFile(file)
	ok(t, err)
	set, test := load(t, data.Linear{In: 5, Out: 3, Train: 27, Test: 9, Noise: .1, Seed: 3})
	for _, c := range []change{
		{"rule", func(r *train.Trainer[float32]) { r.Rule = everyRule[float32](t)["errors"] }, "whose rule is"},
		{"rate of inference", func(r *train.Trainer[float32]) { pc(r).Solver = plainDescent[float32](.1) }, "Rate: 0.2"},
		{"steps of inference", func(r *train.Trainer[float32]) { pc(r).Stop = infer.Steps(13) }, "Stop: infer.Steps(13)"},
		{"network", func(r *train.Trainer[float32]) { r.Rule = baseRules[float32](t, 5, 6, 5, 3)["pc"] }, "Out: 5"},
		{"optimiser", func(r *train.Trainer[float32]) { r.Optimizer = everyOptimizer[float32]()["adamw"] }, "whose optimizer is"},
		{"rate", func(r *train.Trainer[float32]) { r.Optimizer.(*optim.Adam[float32]).Rate = .02 }, "Rate: 0.02"},
		{"batch", func(r *train.Trainer[float32]) { r.Batch = 9 }, "whose batch is 8, where this one has 9"},
		{"seed", func(r *train.Trainer[float32]) { r.Seed = 6 }, "whose seed is 5, where this one has 6"},
		{"data", func(r *train.Trainer[float32]) { r.Train = set }, "whose training set is"},
		{"test data", func(r *train.Trainer[float32]) { r.Test = test }, "whose test set is"},
	} {
		refused(c)
	}

	wide := kept(t, baseRules[float64](t, 5, 6, 4, 3)["pc"], everyOptimizer[float64]()["adam"], train.Checkpoint{File: file})
	if _, err := wide.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "whose dtype is float32, where this one has float64") {
		t.Errorf("other numbers: %v", err)
	}
	w := r.Rule.Subject().Weights
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"empty":     {nil, "too few"},
		"truncated": {good[:len(good)-5], "cut off"},
		"flipped":   {append(slices.Clone(good[:len(good)-5]), append([]byte{good[len(good)-5] ^ 1}, good[len(good)-4:]...)...), "SHA-256"},
		"foreign":   {[]byte("{\"step\": 5, \"weights\": []}\n"), "not a safetensors file"},
	} {
		ok(t, os.WriteFile(file, c.bytes, 0o644))
		refused(change{name, func(*train.Trainer[float32]) {}, c.want})
		if left, err := os.ReadFile(file); err != nil || !slices.Equal(left, c.bytes) {
			t.Errorf("%s: the file has changed, %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		edit func(f *safetensors.File)
		want string
	}{
		"weights":   {func(f *safetensors.File) { f.Meta["kind"] = "pcgraph weights" }, `"pcgraph weights"`},
		"no kind":   {func(f *safetensors.File) { f.Meta = nil }, "no checkpoint"},
		"version":   {func(f *safetensors.File) { f.Meta["version"] = "3" }, `version "3"`},
		"version 1": {func(f *safetensors.File) { f.Meta["version"] = "1" }, "a checkpoint of version 1 knows 256 samples of its data"},
		"settings":  {func(f *safetensors.File) { f.Meta["settings"] = "" }, "another training"},
		"state":     {func(f *safetensors.File) { f.Tensor("state").Data.([]byte)[0] = '!' }, "state"},
		"no state":  {func(f *safetensors.File) { f.Tensor("state").Name = "estate" }, "state"},
		"own":       {func(f *safetensors.File) { f.Tensor("own").Data.([]byte)[0] = '!' }, "Own"},
		"lacks one": {func(f *safetensors.File) { f.Tensors = f.Tensors[1:] }, ""},
		"surplus": {func(f *safetensors.File) {
			f.Tensors = append(f.Tensors, safetensors.Tensor{Name: "more", Shape: []int{0}, Data: []byte{}})
		}, "want"},
		"renamed": {func(f *safetensors.File) { f.Tensor("optimizer/1/" + w.Fields()[0].Name).Name = "x" }, "no optimizer/1/"},
	} {
		ok(t, os.WriteFile(file, good, 0o644))
		f, err := safetensors.ReadFile(file)
		ok(t, err)
		c.edit(f)
		ok(t, safetensors.WriteFile(file, f))
		refused(change{name, func(*train.Trainer[float32]) {}, c.want})
	}
	ok(t, os.WriteFile(file, good, 0o644))
	if h, err := fresh().Run(t.Context()); err != nil || h.Steps != 11 {
		t.Errorf("the good file: %+v, %v", h, err)
	}
}

// rows is a classification of 600 samples of 4 numbers in 3 classes that a test can change.
type rows struct {
	x, held           [][]float64
	labels, heldLabel []int
}

func newRows() *rows {
	rng := rand.New(rand.NewPCG(9, 9))
	part := func(n int) (x [][]float64, labels []int) {
		for i := range n {
			x = append(x, []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()})
			labels = append(labels, i%3)
		}
		return x, labels
	}
	r := &rows{}
	r.x, r.labels = part(600)
	r.held, r.heldLabel = part(300)
	return r
}

// TestCheckpoint_KnowsAllItsData: a training does not go on with other data, wherever they differ, and says which set it is; with
// the same data, made again, it does.
func TestCheckpoint_KnowsAllItsData(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	run := func(steps int, change func(r *rows, p *data.Preparation)) error {
		r := newRows()
		p := data.Preparation{}
		change(r, &p)
		set, test := load(t, data.Arrays[float64]{Inputs: r.x, Labels: r.labels, TestInputs: r.held, TestLabels: r.heldLabel, Prepare: p})
		trainer := &train.Trainer[float32]{Rule: baseRules[float32](t, 4, 6, 3)["pc"], Optimizer: &optim.Adam[float32]{Rate: .01}, Train: set, Test: test,
			Batch: 30, Epochs: 10, MaxSteps: steps, Checkpoint: train.Checkpoint{File: file}}
		trainer.OnStep = func(s train.Step[float32]) {
			if s.Step == 1 && steps > 2 {
				t.Error("a training begins anew")
			}
		}
		h, err := trainer.Run(t.Context())
		if err == nil && h.Steps != steps {
			t.Errorf("%d steps, want %d", h.Steps, steps)
		}
		return err
	}
	same := func(*rows, *data.Preparation) {}
	ok(t, run(2, same))
	const i = 301 // of 600 samples, none of 256 evenly spread ones
	for name, c := range map[string]struct {
		change func(r *rows, p *data.Preparation)
		want   string
	}{
		"one label":               {func(r *rows, _ *data.Preparation) { r.labels[i] = (r.labels[i] + 1) % 3 }, "whose training set is"},
		"one number":              {func(r *rows, _ *data.Preparation) { r.x[i][2] = -r.x[i][2] }, "whose training set is"},
		"one number by little":    {func(r *rows, _ *data.Preparation) { r.x[i][2] += 1e-9 }, "whose training set is"},
		"inputs of the odd rows":  {func(r *rows, _ *data.Preparation) { permuteOdd(r.x) }, "whose training set is"},
		"two samples in exchange": {func(r *rows, _ *data.Preparation) { r.swap(i, i+1) }, "whose training set is"},
		"appended and removed":    {func(r *rows, _ *data.Preparation) { r.rotate() }, "whose training set is"},
		"one sample less":         {func(r *rows, _ *data.Preparation) { r.x, r.labels = r.x[:599], r.labels[:599] }, "whose training set is"},
		"no standardisation":      {func(_ *rows, p *data.Preparation) { p.Raw = true }, "whose training set is"},
		"pictures":                {func(_ *rows, p *data.Preparation) { p.Shape = data.Shape{Height: 2, Width: 2, Channels: 1} }, "whose training set is"},
		"one label of the test":   {func(r *rows, _ *data.Preparation) { r.heldLabel[7] = (r.heldLabel[7] + 1) % 3 }, "whose test set is"},
	} {
		before, err := os.ReadFile(file)
		ok(t, err)
		err = run(4, c.change)
		says(t, name, err, c.want, "SHA-256", "remove the file to begin anew, or name another one")
		if after, _ := os.ReadFile(file); !slices.Equal(before, after) {
			t.Errorf("%s: the file has changed", name)
		}
	}
	ok(t, run(4, same))
}

// permuteOdd reverses the inputs of every second row, their labels staying where they are.
func permuteOdd(x [][]float64) {
	for i, j := 1, len(x)-1; i < j; i, j = i+2, j-2 {
		x[i], x[j] = x[j], x[i]
	}
}

func (r *rows) swap(i, j int) {
	r.x[i], r.x[j] = r.x[j], r.x[i]
	r.labels[i], r.labels[j] = r.labels[j], r.labels[i]
}

// rotate moves the first sample behind the last.
func (r *rows) rotate() {
	r.x, r.labels = append(r.x[1:], r.x[0]), append(r.labels[1:], r.labels[0])
}

// TestCheckpoint_KeepsNumbersThatAreNotFinite: a history may hold NaN and both infinities wherever it holds a measured number, and
// has them again after the file; "+Inf", as earlier versions wrote it, is read as well.
func TestCheckpoint_KeepsNumbersThatAreNotFinite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	run := func(steps int) *train.History {
		r := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file})
		r.MaxSteps = steps
		h, err := r.Run(t.Context())
		ok(t, err)
		return h
	}
	steps := 3
	run(steps)
	for name, c := range map[string]struct{ text, again string }{
		"NaN":          {`"NaN"`, "NaN"},
		"infinite":     {`"Infinity"`, "+Inf"},
		"old infinite": {`"+Inf"`, "+Inf"},
		"negative":     {`"-Infinity"`, "-Inf"},
		"old negative": {`"-Inf"`, "-Inf"},
	} {
		f, err := safetensors.ReadFile(file)
		ok(t, err)
		state := f.Tensor("state")
		var p map[string]any
		ok(t, json.Unmarshal(state.Data.([]byte), &p))
		bad := json.RawMessage(c.text)
		eval, rest := p["Evals"].([]any)[0].(map[string]any), p["Rest"].(map[string]any)
		for _, name := range []string{"Loss", "Accuracy", "CrossEntropy"} {
			eval[name] = bad
		}
		for _, name := range []string{"Residual", "Left"} {
			rest[name] = bad
		}
		text, err := json.Marshal(p)
		ok(t, err)
		state.Data, state.Shape = text, []int{len(text)}
		ok(t, safetensors.WriteFile(file, f))
		h := run(steps)
		for _, v := range []float64{h.Evals[0].Loss, h.Evals[0].Accuracy, h.Evals[0].CrossEntropy, h.Residual, h.Left} {
			if fmt.Sprint(v) != c.again {
				t.Errorf("%s: %+v", name, h)
			}
		}
		steps++
		run(steps) // writes it
		if e := run(steps).Evals[0]; fmt.Sprint(e.Loss, e.Accuracy, e.CrossEntropy) != c.again+" "+c.again+" "+c.again {
			t.Errorf("%s, written: %+v", name, e)
		}
	}
}

// TestCheckpoint_IsLocked: of two trainings on one file at a time the second one gets an error that says who has it, in this
// process and in another one, a killed owner's lock is taken over, and nothing but the checkpoint is left at the end.
func TestCheckpoint_IsLocked(t *testing.T) {
	if file := os.Getenv(owner); file != "" { // the other process
		r := kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file, Every: 1})
		r.OnStep = func(train.Step[float32]) { time.Sleep(time.Hour) }
		_, err := r.Run(t.Context())
		t.Error(err)
		return
	}
	file := filepath.Join(t.TempDir(), "kept")
	fresh := func() *train.Trainer[float32] {
		return kept(t, baseRules[float32](t, 5, 6, 4, 3)["pc"], everyOptimizer[float32]()["adam"], train.Checkpoint{File: file})
	}
	refused := func(reason, process string) {
		t.Helper()
		_, err := fresh().Run(t.Context())
		says(t, reason, err, "train: checkpoint "+file, "wait until the other training has ended", "in use by process "+process, file+".lock")
	}
	whole := func(reason string) {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
		ok(t, err)
		if !slices.Equal(names, []string{file}) {
			t.Errorf("%s: the folder holds %v, want the checkpoint alone", reason, names)
		}
	}
	r := fresh()
	r.OnStep = func(s train.Step[float32]) {
		if s.Step == 2 {
			refused("another training of this process", strconv.Itoa(os.Getpid()))
			_, err := r.Run(t.Context())
			says(t, "the same trainer", err, "this Trainer is running")
		}
	}
	r.MaxSteps = 4
	_, err := r.Run(t.Context())
	ok(t, err)
	whole("an end")
	r = fresh()
	r.Batch = 7
	_, err = r.Run(t.Context())
	says(t, "another batch", err, "another training")
	whole("a refusal")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = fresh().Run(ctx)
	ok(t, err)
	whole("an interruption")

	cmd := exec.Command(os.Args[0], "-test.run=^TestCheckpoint_IsLocked$")
	cmd.Env = append(os.Environ(), owner+"="+file)
	ok(t, cmd.Start())
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if text, _ := os.ReadFile(file + ".lock"); len(text) > 0 {
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal("the process does not lock the file")
		}
	}
	refused("another process", strconv.Itoa(cmd.Process.Pid))
	ok(t, cmd.Process.Kill())
	cmd.Wait() // it was killed
	if _, err := os.Stat(file + ".lock"); err != nil {
		t.Fatalf("the lock of the killed process is gone, the test says nothing: %v", err)
	}
	ok(t, os.WriteFile(file+".new", []byte("half"), 0o644))
	h, err := fresh().Run(t.Context())
	ok(t, err)
	if h.Steps != 11 {
		t.Errorf("%d steps, want all", h.Steps)
	}
	whole("a killed owner")
	ok(t, os.WriteFile(file+".new", []byte("half"), 0o644))
	_, err = fresh().Run(t.Context())
	ok(t, err)
	whole("a finished training")
}

// owner names the checkpoint that a child process of TestCheckpoint_IsLocked holds.
const owner = "PCGRAPH_CHECKPOINT_OWNER"

// TestTrainer_FindsOutBeforeThatARuleCannotPredict: with a test set, rather than at the first evaluation.
func TestTrainer_FindsOutBeforeThatARuleCannotPredict(t *testing.T) {
	r := kept[float32](t, &rules.Generator[float32]{Rule: &train.PC[float32]{Model: toyModel[float32](t, arch.Activities, 3, 6, 5), Solver: descent[float32](), Stop: infer.Steps(4)}},
		&optim.Adam[float32]{Rate: .01}, train.Checkpoint{})
	steps := 0
	r.OnStep = func(train.Step[float32]) { steps++ }
	if _, err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "leave Test nil") || steps > 0 {
		t.Errorf("%v after %d steps", err, steps)
	}
	r.Test = nil
	if _, err := r.Run(t.Context()); err != nil || steps != 11 {
		t.Errorf("without test set: %v after %d steps", err, steps)
	}
}

// child names the folder in which a child process of TestCheckpoint_KilledResumes trains.
const child = "PCGRAPH_CHECKPOINT_TEST"

// TestCheckpoint_KilledResumes kills a process in the middle of its training, three times, without a chance to clean up: the
// weights are those of an undisturbed training.
func TestCheckpoint_KilledResumes(t *testing.T) {
	long := func(c train.Checkpoint) *train.Trainer[float32] {
		r := kept(t, everyRule[float32](t)["dropout pc"], everyOptimizer[float32]()["adam"], c)
		r.Epochs, r.MaxSteps = 100, 60
		return r
	}
	if dir := os.Getenv(child); dir != "" {
		r := long(train.Checkpoint{File: filepath.Join(dir, "kept"), Every: 1})
		step := r.OnStep
		r.OnStep = func(s train.Step[float32]) { step(s); time.Sleep(5 * time.Millisecond) }
		_, err := r.Run(t.Context())
		ok(t, err)
		return
	}
	dir := t.TempDir()
	at := func() int { // the step that the file has come to
		f, err := safetensors.ReadFile(filepath.Join(dir, "kept"))
		if os.IsNotExist(err) || f == nil {
			return -1
		}
		var p struct{ Step int }
		ok(t, json.Unmarshal(f.Tensor("state").Data.([]byte), &p))
		return p.Step
	}
	for _, enough := range []int{5, 17, 30} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCheckpoint_KilledResumes$")
		cmd.Env = append(os.Environ(), child+"="+dir)
		ok(t, cmd.Start())
		for start := time.Now(); at() < enough; time.Sleep(time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatal("the process does not get on")
			}
		}
		ok(t, cmd.Process.Kill())
		cmd.Wait() // it was killed
	}
	if n := at(); n >= 60 {
		t.Fatalf("%d steps: the process came to its end before it was killed", n)
	}
	whole, rest := long(train.Checkpoint{File: filepath.Join(dir, "whole")}), long(train.Checkpoint{File: filepath.Join(dir, "kept"), Every: 1})
	want, err := whole.Run(t.Context())
	ok(t, err)
	got, err := rest.Run(t.Context())
	ok(t, err)
	if !slices.Equal(whole.Rule.Subject().Weights.Data(), rest.Rule.Subject().Weights.Data()) {
		t.Error("other weights than without being killed")
	}
	if diff := cmp.Diff(want, got, untimed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(whole.Checkpoint.Own, rest.Checkpoint.Own); diff != "" {
		t.Error(diff)
	}
}
