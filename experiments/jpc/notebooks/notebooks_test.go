package notebooks

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// setup is pictures of 8 x 8 pixels in two classes, at a budget that only shows that tasks run.
func setup(t *testing.T, b Budget) *Setup {
	t.Helper()
	training, test, err := data.BarsAndStripes{Side: 8, Flips: .05, Seed: 1}.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &Setup{Train: training, Test: test.Slice(0, 24), Seed: 1, Batch: 8, Budget: b}
}

// updates is a budget of so many updates with short inference.
func updates(n int) Budget { return Budget{Updates: n, Inference: Inference{Steps: 2, Rate: .02}} }

// finite reports whether all numbers are.
func finite(xs []float32) bool {
	return !slices.ContainsFunc(xs, func(x float32) bool { return x-x != 0 })
}

func TestClassify_TrainsLikeATrainerByHand(t *testing.T) {
	s := setup(t, Budget{Updates: 6, EvalEvery: 3, Rate: .01, Inference: Inference{Solver: SGD, Steps: 4, Rate: .1}})
	var steps []float64
	s.OnStep = func(terms []string, step train.Step[float32]) error {
		if len(terms) != 3 || len(step.Terms) != 3 {
			t.Errorf("terms %v: %v, want 3", terms, step.Terms)
		}
		steps = append(steps, step.Energy)
		return nil
	}
	got, err := Classify{Net: "flow"}.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	net, err := arch.MLP(nil, layers.ReLU, 64, 300, 300, 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := setup(t, Budget{}).model(net, arch.Plan{})
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	h, err := (&train.Trainer[float32]{
		Rule:      &train.PC[float32]{Model: m, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: .1}}, Stop: infer.Steps(4)},
		Optimizer: &optim.Adam[float32]{Rate: .01}, Train: s.Train, Test: s.Test, Batch: 8, Epochs: 1, MaxSteps: 6, Seed: 1, EvalEvery: 3,
		OnStep: func(s train.Step[float32]) { want = append(want, s.Energy) },
	}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, steps); diff != "" || len(want) != 6 {
		t.Errorf("energies of the updates (-want +got):\n%s", diff)
	}
	if len(h.Evals) != 2 || got.History.Evals[1].Score != h.Evals[1].Score {
		t.Errorf("evaluations %+v, want %+v", got.History.Evals, h.Evals)
	}
	for _, trace := range []Trace{got.Before, got.After} {
		if n := len(trace.Moments); n != 4*beyond+1 {
			t.Errorf("%s: %d moments, want %d", trace.Name, n, 4*beyond+1)
		}
		if end, ok := trace.End(); !ok || end.Step != 4 {
			t.Errorf("%s: training ends inference at step %d", trace.Name, end.Step)
		}
	}
	if e := got.Before.Moments[0].Terms; e[0] != 0 || e[1] != 0 || !(e[2] > 0) {
		t.Errorf("at the feedforward pass the energies are %v, want all of it at the output", e)
	}
}

func TestClassify_EveryNetwork(t *testing.T) {
	for _, name := range Classifiers {
		c := Classify{Net: name}
		s := setup(t, updates(1))
		s.Test = s.Test.Slice(0, 2)
		r, err := c.Run(t.Context(), s)
		if err != nil || r.History.Steps != 1 || len(r.After.Moments) == 0 {
			t.Errorf("%s: %+v, %v", name, r.History, err)
		}
		if b := c.Budget(); b.Saved[b.Updates] < 90 || c.String() == "" {
			t.Errorf("%s: the notebook saved no accuracy at its end: %+v", name, b)
		}
	}
	if _, err := (Classify{Net: "wide"}).Run(t.Context(), setup(t, Budget{})); err == nil {
		t.Error("an unknown network is no error")
	}
	if _, err := (Classify{Net: "errors"}).Run(t.Context(), setup(t, Budget{Inference: Inference{Solver: Heun}})); err == nil {
		t.Error("errors by Heun's method are no error")
	}
}

// The activities that JPC reaches with the mean energy of a batch are those of the converted rate and the energy of each sample.
func TestBudgets_AreInUnitsPerSample(t *testing.T) {
	for _, c := range []struct {
		got, want Inference
	}{
		{Classify{Net: "flow"}.Budget().Inference, Inference{Solver: Heun, Time: 20. / 64}},
		{Classify{Net: "deep"}.Budget().Inference, Inference{Solver: SGD, Steps: 30, Rate: .5 / 64}},
		{Generate{}.Budget().Inference, Inference{Solver: SGD, Steps: 16, Rate: .1}}, // time 100/64 = 1.56
	} {
		if c.got != c.want {
			t.Errorf("%+v, want %+v", c.got, c.want)
		}
	}
}

func TestInference_OrChoosesTheSolverThatReadsWhatIsGiven(t *testing.T) {
	sgd, flow := Inference{Solver: SGD, Steps: 7, Rate: .2}, Inference{Solver: Tsit5, Time: 3}
	for _, c := range []struct{ given, task, want Inference }{
		{Inference{}, sgd, Inference{SGD, 1.4000000000000001, 7, .2, 1e-3}},
		{Inference{}, flow, Inference{Tsit5, 3, 20, .05, 1e-3}},
		{Inference{Time: 2}, sgd, Inference{Heun, 2, 7, .2, 1e-3}},
		{Inference{Time: 2}, flow, Inference{Tsit5, 2, 20, .05, 1e-3}},
		{Inference{Steps: 3}, flow, Inference{SGD, 3, 3, .05, 1e-3}},
		{Inference{Time: 2, Rate: .5}, sgd, Inference{Euler, 2, 7, .5, 1e-3}},
		{Inference{Solver: Bosh3}, sgd, Inference{Bosh3, 1.4000000000000001, 7, .2, 1e-3}},
	} {
		if got := c.given.Or(c.task); got != c.want {
			t.Errorf("%+v of %+v: %+v, want %+v", c.given, c.task, got, c.want)
		}
	}
	if err := (Inference{Solver: "newton"}).Validate(); err == nil {
		t.Error("an unknown solver is valid")
	}
}

// After a time of 40, in which the slowest mode of such a network at its start has decayed by e^-7 or more, the energy is F* but
// for a thousandth.
func TestLinear_MeasuresTheClosedForm(t *testing.T) {
	s := setup(t, Budget{Updates: 1, Inference: Inference{Time: 40}})
	s.Batch, s.Test = 4, s.Test.Slice(0, 4)
	r, err := Linear{}.Run(t.Context(), s)
	if err != nil || len(r.Updates) != 1 || len(r.Traces) != 1 || len(r.Ends) != 1 {
		t.Fatalf("%d updates, %d traces, %v", len(r.Updates), len(r.Traces), err)
	}
	if d := r.Worst(); !(d < 1e-3) || d == 0 {
		t.Errorf("|F/F*-1| is up to %v", d)
	}
	for i, trace := range r.Traces {
		if d := trace.Moments[len(trace.Moments)-1].Energy/r.Ends[i] - 1; !(math.Abs(d) < 1e-3) {
			t.Errorf("%s: F/F*-1 ends at %v", trace.Name, d)
		}
	}
}

func TestGenerate_MakesPicturesAndFindsLabels(t *testing.T) {
	for _, g := range []Generate{{}, {Std: .05}} {
		r, err := g.Run(t.Context(), setup(t, updates(2)))
		if err != nil {
			t.Fatal(err)
		}
		checkDigits(t, r.Digits)
		var factors []int
		for _, l := range r.Longer {
			factors = append(factors, l.Inference.Steps)
		}
		if !slices.Equal(factors, []int{2, 8, 32}) || r.Few != 24 || r.Longer[2].Evals != 32 {
			t.Errorf("longer inversions %+v of %d samples", r.Longer, r.Few)
		}
		if end, ok := r.Inversion.End(); !ok || end.Step != 2 || !(r.Inversion.Moments[len(r.Inversion.Moments)-1].Energy < r.Inversion.Moments[0].Energy) {
			t.Errorf("%d moments of the inversion, of which training ends at %+v", len(r.Inversion.Moments), end)
		}
	}
}

func checkDigits(t *testing.T, d Digits) {
	t.Helper()
	if len(d.OfLabels) != 2*64 || len(d.Pictures) != 2*64 || len(d.OfFound) != 2*64 || len(d.Found) != 2 || !finite(d.OfLabels) || !finite(d.OfFound) {
		t.Errorf("pictures of %d, %d, %d pixels; labels %v", len(d.OfLabels), len(d.Pictures), len(d.OfFound), d.Found)
	}
}

func TestLatent_ReconstructsAndSamples(t *testing.T) {
	r, err := Latent{Latents: 3, Std: .05}.Run(t.Context(), setup(t, updates(6)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Graded || len(r.History.Evals) != 0 || len(r.Along) != 6 || len(r.Samples) != 2 || len(r.Directions) != 3 {
		t.Errorf("%d evaluations, %d traces, %d rows of samples, %d directions", len(r.History.Evals), len(r.Along), len(r.Samples), len(r.Directions))
	}
	for _, row := range slices.Concat(r.Samples, r.Directions) {
		if len(row) != Columns*64 || !finite(row) {
			t.Errorf("a row of %d pixels", len(row))
		}
	}
	if want := meanSquare(r.Pictures, r.Reconstructed); r.Error != want || len(r.Reconstructed) != 24*64 {
		t.Errorf("error %v of %d pixels, want %v", r.Error, len(r.Reconstructed), want)
	}
}

func TestComplete_KeepsWhatIsGiven(t *testing.T) {
	r, err := Complete{Latents: 4, Hidden: []int{20, 10}, Missing: "noise"}.Run(t.Context(), setup(t, updates(2)))
	if err != nil {
		t.Fatal(err)
	}
	sum, n := 0., 0.
	for i, v := range r.Pictures {
		if r.Mask[i%64] == 1 && r.Completed[i] != v {
			t.Fatalf("pixel %d was given as %v and is %v", i, v, r.Completed[i])
		}
		if r.Mask[i%64] == 0 {
			d := float64(r.Completed[i] - v)
			sum, n = sum+d*d, n+1
		}
	}
	if n != 24*32 || math.Abs(r.Error/(sum/n)-1) > 1e-12 || !(r.MeanError > 0) {
		t.Errorf("errors %v and %v, want %v of %v pixels", r.Error, r.MeanError, sum/n, n)
	}
}

func TestMask_IsHalfThePicture(t *testing.T) {
	shape := data.Shape{Channels: 1, Height: 4, Width: 6}
	for _, missing := range Missing {
		where := map[string]func(y, x int) bool{
			"bottom": func(y, _ int) bool { return y < 2 }, "top": func(y, _ int) bool { return y >= 2 },
			"left": func(_, x int) bool { return x >= 3 }, "right": func(_, x int) bool { return x < 3 },
		}[missing]
		sum := 0
		for i, v := range (Complete{Missing: missing}).Mask(shape, 1) {
			sum += int(v)
			if where != nil && (v == 1) != where(i/6, i%6) {
				t.Errorf("%s: pixel %d is %v", missing, i, v)
			}
		}
		if sum != 12 {
			t.Errorf("%s: %d pixels are given, want 12", missing, sum)
		}
	}
}

func TestStream_ExpectsFrames(t *testing.T) {
	s := setup(t, updates(5))
	var steps []int
	s.OnStep = func(_ []string, step train.Step[float32]) error {
		steps = append(steps, step.Step)
		return nil
	}
	r, err := Stream{Units: 6, Frames: 5, Turn: 12}.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(steps, []int{1, 2, 3, 4, 5}) || r.History.Steps != 5 {
		t.Errorf("steps %v", steps)
	}
	if len(r.Seen) != 2 || len(r.Expected) != 2 || len(r.Coming) != 3 || len(r.Blind) != 3 || r.Streams != 24 {
		t.Errorf("%d frames seen, %d expected, %d coming, %d expected blindly", len(r.Seen), len(r.Expected), len(r.Coming), len(r.Blind))
	}
	if !(r.NextError > 0 && r.SameError > 0 && r.MeanError > 0) || len(r.Starts) != 3 || r.Starts[2].Evals < 1 {
		t.Errorf("errors %v, %v, %v; starts %+v", r.NextError, r.SameError, r.MeanError, r.Starts)
	}
}

func TestHybrid_InfersLabelsFromEveryStart(t *testing.T) {
	r, err := Hybrid{}.Run(t.Context(), setup(t, updates(2)))
	if err != nil {
		t.Fatal(err)
	}
	checkDigits(t, r.Digits)
	for _, l := range r.Starts {
		if len(l.Trace.Moments) != 20*8+1 || l.Trace.Trained != 20 {
			t.Errorf("%s: %d moments", l.Name, len(l.Trace.Moments))
		}
	}
	if len(r.Starts) != 3 {
		t.Errorf("%d starts", len(r.Starts))
	}
}

func TestBidirectional_ClassifiesAndGenerates(t *testing.T) {
	r, err := Bidirectional{Back: .001}.Run(t.Context(), setup(t, updates(20)))
	if err != nil {
		t.Fatal(err)
	}
	checkDigits(t, r.Digits)
	if r.Forward != r.History.Last().Accuracy || r.Few != 24 || !(r.Free >= 0) {
		t.Errorf("accuracies %v, %v of %d; the trainer's %v", r.Forward, r.Free, r.Few, r.History.Last().Accuracy)
	}
}

// Every task ends in order when it is interrupted before its first update.
func TestTasks_InterruptedTheyReturnWhatThereIs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func(*Setup) (Learned, error){
		"classify": func(s *Setup) (Learned, error) { r, err := Classify{Net: "flow"}.Run(ctx, s); return r.Learned, err },
		"generate": func(s *Setup) (Learned, error) { r, err := Generate{}.Run(ctx, s); return r.Learned, err },
		"latent": func(s *Setup) (Learned, error) {
			r, err := Latent{Latents: 2, Std: .1}.Run(ctx, s)
			return r.Learned, err
		},
		"complete": func(s *Setup) (Learned, error) {
			r, err := Complete{Latents: 2, Missing: "top"}.Run(ctx, s)
			return r.Learned, err
		},
		"stream": func(s *Setup) (Learned, error) {
			r, err := Stream{Units: 2, Frames: 4, Turn: 9}.Run(ctx, s)
			return r.Learned, err
		},
		"linear":        func(s *Setup) (Learned, error) { r, err := Linear{}.Run(ctx, s); return r.Learned, err },
		"hybrid":        func(s *Setup) (Learned, error) { r, err := Hybrid{}.Run(ctx, s); return r.Learned, err },
		"bidirectional": func(s *Setup) (Learned, error) { r, err := Bidirectional{Back: 1}.Run(ctx, s); return r.Learned, err },
	} {
		ended := 0
		s := setup(t, updates(3))
		s.OnEnd = func(Learned) error { ended++; return nil }
		if l, err := run(s); err != nil || l.History == nil || !l.History.Interrupted || l.History.Steps != 0 || ended != 1 {
			t.Errorf("%s: %+v, %v; OnEnd was called %d times", name, l.History, err, ended)
		}
	}
}

func TestSetup_ErrorsOfCallbacksEndTheRun(t *testing.T) {
	s := setup(t, updates(2))
	s.OnEval = func(train.Eval) error { return context.DeadlineExceeded }
	if r, err := (Generate{}).Run(t.Context(), s); err != context.DeadlineExceeded || !reflect.DeepEqual(r.Digits, Digits{}) {
		t.Errorf("error %v", err)
	}
	if _, err := (Generate{}).Run(t.Context(), &Setup{Batch: 8}); err == nil {
		t.Error("a setup without data is no error")
	}
}

// TestTrainer_AHybridsAmortiserIsScaledToo: its weights have the factors of its own scaling, where they are in the whole slab.
func TestTrainer_AHybridsAmortiserIsScaledToo(t *testing.T) {
	chain := arch.Chain{Scaling: arch.MuP{}, Act: layers.Tanh, Widths: []int{3, 16, 2}, Bias: true}
	net, err := chain.Network()
	if err != nil {
		t.Fatal(err)
	}
	mirror, err := arch.Amortiser(chain)
	if err != nil {
		t.Fatal(err)
	}
	whole, parts, err := arch.NewWeightsTogether[float32](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "g", Network: net}, arch.Member{Name: "a", Network: mirror})
	if err != nil {
		t.Fatal(err)
	}
	generator, err := arch.Compile(net, parts[0], arch.Plan{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	amortiser, err := arch.Compile(mirror, parts[1], arch.Plan{Batch: 1, Coordinates: arch.Feedforward})
	if err != nil {
		t.Fatal(err)
	}
	spans := setup(t, updates(1)).trainer(&rules.Hybrid[float32]{Generator: generator, Amortiser: amortiser}, false, generator, amortiser).Optimizer.(*optim.AdamW[float32]).Spans
	_, at := parts[1].Whole()
	for i, w := range mirror.Weights() {
		lo, hi := parts[1].Span(i)
		factor, noDecay := 1., false
		for _, s := range spans {
			if s.Lo <= at+lo && at+hi <= s.Hi {
				factor, noDecay = s.Factor, s.NoDecay
			}
		}
		if factor != w.Factors.Adam || noDecay != w.Param.Bias {
			t.Errorf("%s of a slab of %d has the factor %v, decayed %v: want %v and %v", w.Name, len(whole.Data()), factor, !noDecay, w.Factors.Adam, !w.Param.Bias)
		}
	}
}
