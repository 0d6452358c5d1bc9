package train_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestHybrid_GeneratorLearnsAsPC: the generator's part is that of predictive coding begun at the amortiser's guesses, to the
// last bit; and the guesses do matter.
func TestHybrid_GeneratorLearnsAsPC(t *testing.T) {
	set, _ := load(t, data.Linear{In: 5, Out: 3, Train: 8, Seed: 1})
	x, y := make([]float64, 8*5), make([]float64, 8*3)
	data.Fill(set, x, y, []int{0, 1, 2, 3, 4, 5, 6, 7})
	h := hybrid[float64](t, false, 3, 6, 7, 5)
	grad := make([]float64, len(h.Subject().Weights.Data()))
	r, err := h.Gradient(grad, x, y, 8)
	ok(t, err)
	w := h.Generator.Weights()
	_, lo := w.Whole()
	n := len(w.Data())
	for _, start := range []train.Start[float64]{&rules.Amortised[float64]{Amortiser: h.Amortiser}, nil} {
		pc := &train.PC[float64]{Model: h.Generator, Solver: h.Solver, Stop: h.Stop, Start: start}
		ok(t, pc.Validate())
		own := make([]float64, n)
		s, err := pc.Gradient(own, y, x, 8)
		ok(t, err)
		if same := slices.Equal(own, grad[lo:lo+n]); same != (start != nil) || (s.Loss == r.Loss) != same {
			t.Errorf("start %T: the same gradient: %v; losses %g and %g", start, same, s.Loss, r.Loss)
		}
	}
}

// goesTo is a solver that moves to a point.
type goesTo []float64

func (g goesTo) Reset() {}

func (g goesTo) Eval(p infer.Problem[float64], z []float64) (infer.Evaluation[float64], error) {
	return infer.Evaluate(p, make([]float64, len(z)), z)
}

func (g goesTo) Move(_ infer.Problem[float64], z []float64) (infer.Motion, error) {
	copy(z, g)
	return infer.Motion{}, nil
}

// TestHybrid_AmortiserLearnsBlockByBlock: the gradient with respect to a weight of the amortiser is, by central differences, that of the
// energy of its own block (and of the regulariser), whatever the amortiser's likelihoods; that it changes the other blocks'
// energies too does not count.
func TestHybrid_AmortiserLearnsBlockByBlock(t *testing.T) {
	const step, tol = 1e-5, 1e-8 // truncation 1e-10 and rounding 1e-11 of numbers about 1
	for _, unsupervised := range []bool{false, true} {
		h := hybrid[float64](t, unsupervised, 3, 6, 4, 5)
		likelihood := energy.PC{Hidden: energy.Gaussian{Precision: 2}, Output: energy.Categorical{}}
		h.Amortiser = compiled(t, h.Amortiser.Network(), h.Amortiser.Weights(), arch.Plan{Coordinates: arch.Feedforward, Energy: energy.Sum{likelihood, energy.WeightDecay{Rate: .3}}})
		r := rand.New(rand.NewPCG(3, 3))
		draw := func(n int) []float64 {
			xs := make([]float64, n)
			for i := range xs {
				xs[i] = r.NormFloat64()
			}
			return xs
		}
		h.Solver, h.Stop = goesTo(draw(len(h.Generator.State()))), infer.Steps(1)
		ok(t, h.Validate())
		x, y := draw(8*5), draw(8*3)
		if unsupervised {
			y = x
		}
		w := h.Subject().Weights
		grad, scratch, terms := make([]float64, len(w.Data())), make([]float64, len(w.Data())), make([]float64, len(h.Subject().Terms))
		_, err := h.Gradient(grad, x, y, 8)
		ok(t, err)
		decay := slices.Index(h.Subject().Terms, "amortiser/weight decay")
		if decay < 0 {
			t.Fatalf("no weight decay among %v", h.Subject().Terms)
		}
		for i, f := range w.Fields() {
			block, found := strings.CutPrefix(f.Name[:strings.LastIndex(f.Name, "/")], "amortiser/")
			if !found {
				continue
			}
			own := slices.Index(h.Subject().Terms, "amortiser/"+block)
			lo, hi := w.Span(i)
			for j := lo; j < hi; j += 3 {
				at := func(shift float64) float64 {
					w.Data()[j] += shift
					w.Touch()
					_, err := h.Gradient(scratch, x, y, 8)
					ok(t, err)
					h.Subject().TermEnergies(terms)
					w.Data()[j] -= shift
					return terms[own] + terms[decay]
				}
				want := (at(step) - at(-step)) / (2 * step)
				if d := math.Abs(grad[j] - want); !(d <= tol*max(1, math.Abs(want))) {
					t.Fatalf("unsupervised %v: gradient with respect to %s is %.10g, differences give %.10g", unsupervised, w.Where(j), grad[j], want)
				}
			}
		}
	}
}

// TestHybrid_RefusesNetworksThatDoNotFit with errors that name the site and say what to do.
func TestHybrid_RefusesNetworksThatDoNotFit(t *testing.T) {
	lin := func(in, out int) layers.Layer { return layers.Linear{In: in, Out: out} }
	sees := []arch.Input{{Name: "block2", Shape: []int{5}}}
	amortiser := func(inputs []arch.Input, blocks ...arch.Block) func(t *testing.T, h *rules.Hybrid[float64]) {
		return func(t *testing.T, h *rules.Hybrid[float64]) {
			n := &arch.Network{Inputs: inputs, Blocks: blocks}
			_, parts, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "g", Network: h.Generator.Network()}, arch.Member{Name: "a", Network: n})
			ok(t, err)
			h.Generator = compiled(t, h.Generator.Network(), parts[0], arch.Plan{})
			h.Amortiser = compiled(t, n, parts[1], arch.Plan{Coordinates: arch.Feedforward})
		}
	}
	generator := func(p arch.Plan) func(t *testing.T, h *rules.Hybrid[float64]) {
		return func(t *testing.T, h *rules.Hybrid[float64]) {
			h.Generator = compiled(t, h.Generator.Network(), h.Generator.Weights(), p)
		}
	}
	tests := []struct {
		reason string
		change func(t *testing.T, h *rules.Hybrid[float64])
		want   []string
	}{
		{"no generator", func(_ *testing.T, h *rules.Hybrid[float64]) { h.Generator = nil }, []string{"Generator is missing"}},
		{"no amortiser", func(_ *testing.T, h *rules.Hybrid[float64]) { h.Amortiser = nil }, []string{"Amortiser is missing"}},
		{"no solver", func(_ *testing.T, h *rules.Hybrid[float64]) { h.Solver = nil }, []string{"Solver is missing"}},
		{"no end", func(_ *testing.T, h *rules.Hybrid[float64]) { h.Stop = nil }, []string{"Stop is missing"}},
		{"errors are no activities", generator(arch.Plan{Coordinates: arch.Errors}), []string{"coordinates of errors", "arch.Activities"}},
		{"nothing to infer the observation from", generator(arch.Plan{FreeOutput: true}), []string{`reads "block2"`, "clamp it"}},
		{"a hidden site that needs data", generator(arch.Plan{Hold: map[string]arch.Hold{"block1": arch.Clamped}}), []string{`"block1" is clamped`}},
		{"an amortiser with activities", func(t *testing.T, h *rules.Hybrid[float64]) {
			h.Amortiser = compiled(t, h.Amortiser.Network(), h.Amortiser.Weights(), arch.Plan{})
		}, []string{"coordinates of activities", "arch.Feedforward"}},
		{"two slabs", func(t *testing.T, h *rules.Hybrid[float64]) {
			w, err := arch.NewWeights[float64](h.Amortiser.Network(), rand.New(rand.NewPCG(1, 1)))
			ok(t, err)
			h.Amortiser = compiled(t, h.Amortiser.Network(), w, arch.Plan{Coordinates: arch.Feedforward})
		}, []string{"NewWeightsTogether"}},
		{"a hidden width", amortiser(sees, arch.Block{Name: "block1", Layer: lin(5, 4)}, arch.Block{Name: "x", Layer: lin(4, 3)}), []string{`4 numbers of "block1", which has 6`}},
		{"a cause of another size", amortiser(sees, arch.Block{Name: "block1", Layer: lin(5, 6)}, arch.Block{Name: "x", Layer: lin(6, 2)}), []string{`2 numbers of "x", which has 3`}},
		{"an observation of another size", amortiser([]arch.Input{{Name: "block2", Shape: []int{4}}}, arch.Block{Name: "block1", Layer: lin(4, 6)}, arch.Block{Name: "x", Layer: lin(6, 3)}),
			[]string{`reads 4 numbers of "block2", which has 5`}},
		{"a site too few", amortiser(sees, arch.Block{Name: "x", Layer: lin(5, 3)}), []string{`no block "block1"`}},
		{"a site too many", amortiser(sees, arch.Block{Name: "block1", Layer: lin(5, 6)}, arch.Block{Name: "block7", Layer: lin(6, 6)}, arch.Block{Name: "x", Layer: lin(6, 3)}), []string{`"block7", which is no site`}},
		{"no guess of the cause", amortiser(sees, arch.Block{Name: "block1", Layer: lin(5, 6)}), []string{`no block "x"`, "cause"}},
		{"it reads the cause", amortiser([]arch.Input{{Name: "x", Shape: []int{3}}}, arch.Block{Name: "block1", Layer: lin(3, 6)}), []string{`reads "x"`, "generator's output"}},
		{"it reads what is nowhere", amortiser([]arch.Input{{Name: "q", Shape: []int{5}}}, arch.Block{Name: "block1", Layer: lin(5, 6)}, arch.Block{Name: "x", Layer: lin(6, 3)}), []string{"reads q", `"block2"`}},
		{"it predicts twice", amortiser(sees, arch.Block{Name: "block1", Layer: lin(5, 6)}, arch.Block{Name: "x", Layer: lin(6, 3)}, arch.Block{Name: "again", Layer: lin(6, 3), From: []string{"block1"}, Predicts: "x"}),
			[]string{`"again"`, "plain pass"}},
		{"it learns a precision", amortiser(sees, arch.Block{Name: "block1", Layer: lin(5, 6), Precision: arch.ScalarPrecision}, arch.Block{Name: "x", Layer: lin(6, 3)}), []string{`"block1"`, "precision"}},
	}
	for _, test := range tests {
		h := hybrid[float64](t, false, 3, 6, 5)
		ok(t, h.Validate())
		test.change(t, h)
		says(t, test.reason, h.Validate(), append(test.want, "Hybrid: ")...)
	}
}

// TestHybrid_TakesRatesOfBothNetworks: in a step of SGD, each weight of the whole moves by its own network's factor.
func TestHybrid_TakesRatesOfBothNetworks(t *testing.T) {
	chain := arch.Chain{Act: layers.Tanh, Widths: []int{3, 8, 5}, Bias: true, Scaling: arch.MuPC{}}
	gen, err := chain.Network()
	ok(t, err)
	amo, err := arch.Amortiser(chain)
	ok(t, err)
	whole, parts, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 1)), arch.Member{Name: "generator", Network: gen}, arch.Member{Name: "amortiser", Network: amo})
	ok(t, err)
	spans := append(train.InWhole(parts[0], train.SGDSpans(gen, parts[0])), train.InWhole(parts[1], train.SGDSpans(amo, parts[1]))...)
	before, ones := slices.Clone(whole.Data()), make([]float64, len(whole.Data()))
	for i := range ones {
		ones[i] = 1
	}
	sgd := &optim.SGD[float64]{Rate: .5, Spans: spans}
	ok(t, sgd.Validate())
	sgd.Step(whole.Data(), ones)
	for i, w := range append(gen.Weights(), amo.Weights()...) {
		lo, hi := whole.Span(i)
		for j := lo; j < hi; j++ {
			if d := before[j] - whole.Data()[j] - .5*w.Factors.SGD; math.Abs(d) > 1e-14 {
				t.Fatalf("%s moved by %v, want %v", whole.Where(j), before[j]-whole.Data()[j], .5*w.Factors.SGD)
			}
		}
	}
}

// TestStart_AmortisedMustFit: as a start of predictive coding, where it may read the input as well.
func TestStart_AmortisedMustFit(t *testing.T) {
	h, other := hybrid[float64](t, false, 3, 6, 5), hybrid[float64](t, false, 3, 7, 5)
	for _, test := range []struct {
		m    *arch.Model[float64]
		a    *arch.Model[float64]
		want string
	}{
		{h.Generator, nil, "Amortiser is missing"},
		{h.Generator, h.Generator, "arch.Feedforward"},
		{h.Generator, other.Amortiser, `7 numbers of "block1", which has 6`},
	} {
		pc := &train.PC[float64]{Model: test.m, Solver: h.Solver, Stop: h.Stop, Start: &rules.Amortised[float64]{Amortiser: test.a}}
		says(t, "an amortiser that does not fit", pc.Validate(), "PC: Amortised", test.want)
	}
	n := &arch.Network{Inputs: []arch.Input{{Name: "x", Shape: []int{3}}}, Blocks: []arch.Block{{Name: "block1", Layer: layers.Linear{In: 3, Out: 6, Act: layers.Tanh}}}}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	reads := compiled(t, n, w, arch.Plan{Coordinates: arch.Feedforward})
	x, y := make([]float64, 8*3), make([]float64, 8*5)
	for i := range x {
		x[i] = float64(i%5) - 2
	}
	pc := &train.PC[float64]{Model: h.Generator, Solver: h.Solver, Stop: infer.Steps(0), Start: &rules.Amortised[float64]{Amortiser: reads}}
	ok(t, pc.Validate())
	_, err = pc.Gradient(make([]float64, len(h.Generator.Weights().Data())), x, y, 8)
	ok(t, err)
	want, err := reads.Predict(x)
	ok(t, err)
	if !slices.Equal(h.Generator.State(), want) {
		t.Error("the activities do not start at the guess from the input")
	}
}

// TestHybrid_LearnsToGuessWhereInferenceEnds, unsupervised: points on a curve are reconstructed from one number, and inference
// from the amortiser's guess has ever less to do.
func TestHybrid_LearnsToGuessWhereInferenceEnds(t *testing.T) {
	h := hybrid[float64](t, true, 1, 16, 2)
	h.Stop = infer.Steps(30)
	ok(t, h.Validate())
	if in, out := h.Subject().Sizes(); in != 2 || out != 2 {
		t.Errorf("unsupervised: sizes %d and %d, want the observation's twice", in, out)
	}
	r := rand.New(rand.NewPCG(2, 2))
	x := make([]float64, 64*2)
	for i := 0; i < len(x); i += 2 {
		u := 2*r.Float64() - 1
		x[i], x[i+1] = u, u*u
	}
	update := train.Update[float64]{Optimizer: &optim.Adam[float64]{Rate: .01}}
	grad := make([]float64, len(h.Subject().Weights.Data()))
	var first, last train.Report
	for step := range 600 {
		rep, err := h.Gradient(grad, x, x, 64)
		ok(t, err)
		if step == 0 {
			first = rep
		}
		last = rep
		update.Step(h.Subject().Weights, grad)
	}
	p, err := h.Predict(x)
	ok(t, err)
	loss := 0.
	for i := range x {
		loss += (p[i] - x[i]) * (p[i] - x[i]) / 2 / 64
	}
	t.Logf("generator's energy at the guesses: %.3g, then %.3g; reconstruction %.3g", first.Loss, last.Loss, loss)
	if !(last.Loss < first.Loss/20) || !(loss < .03) { // the best line leaves 1/2 var(u^2) = .044
		t.Errorf("energy at the guesses %g, then %g; reconstruction loss %g", first.Loss, last.Loss, loss)
	}
}
