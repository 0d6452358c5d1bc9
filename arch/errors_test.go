package arch_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
)

// TestCompile_RefusesWrongDescriptions: every error says where, what and what to do.
func TestCompile_RefusesWrongDescriptions(t *testing.T) {
	lin := func(in, out int) layers.Linear { return layers.Linear{In: in, Out: out} }
	good := func() *arch.Network {
		return &arch.Network{Input: []int{4}, Blocks: []arch.Block{{Name: "a", Layer: lin(4, 3)}, {Name: "b", Layer: lin(3, 2)}}}
	}
	plan := arch.Plan{Batch: 2}
	tests := []struct {
		reason string
		change func(n *arch.Network, p *arch.Plan)
		want   []string
	}{
		{"nothing to learn", func(n *arch.Network, _ *arch.Plan) { n.Blocks = nil }, []string{"without blocks", "at least one"}},
		{"the graph needs the input's shape", func(n *arch.Network, _ *arch.Plan) { n.Input = nil }, []string{"input shape", "Network.Input"}},
		{"an input of no features", func(n *arch.Network, _ *arch.Plan) { n.Input = []int{0} }, []string{"[0]", "positive"}},
		{"names tell blocks apart", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Name = "a" }, []string{`named "a"`}},
		{"x is the input", func(n *arch.Network, _ *arch.Plan) { n.Blocks[0].Name = "x" }, []string{`"x"`, "is the input"}},
		{"a name is needed in errors", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Name = "" }, []string{"block 2", "no name"}},
		{"a block is a map", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = nil }, []string{`"b"`, "no layer"}},
		{"a skip is a map", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Skips = []arch.Skip{{}} }, []string{`"b"`, "Identity"}},
		{"unknown From", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].From = []string{"q"} }, []string{`"b"`, `"q"`, "no block", "x, a, b"}},
		{"unknown From of a skip", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].Skips = []arch.Skip{{From: "q", Layer: layers.Identity{}}}
		}, []string{`"b"`, `"q"`}},
		{"a From of no name", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].From = []string{""} }, []string{`"b"`, `""`, "no block"}},
		{"a kernel larger than the padded image", func(n *arch.Network, _ *arch.Plan) {
			n.Input = []int{2, 2, 1}
			n.Blocks[0].Layer = layers.Conv2D{In: 1, Out: 3, Kernel: layers.Both(5), Pad: layers.Both(1)}
		}, []string{"a: ", "[2 2]", "spans 5", "pad more"}},
		{"groups that do not divide the channels", func(n *arch.Network, _ *arch.Plan) {
			n.Input = []int{2, 2, 3}
			n.Blocks[0].Layer = layers.Compose{layers.Conv2D{In: 3, Out: 4, Kernel: layers.Both(1), Groups: 2}, layers.Flatten{}}
		}, []string{"a/1", "3 to 4 channels in 2 groups", "divide"}},
		{"heads that do not divide the width", func(n *arch.Network, _ *arch.Plan) {
			n.Input, n.Blocks[0].Layer = []int{5, 4}, layers.Attention{Width: 4, Heads: 3}
		}, []string{"a: ", "width 4 with 3 heads", "divide"}},
		{"a part that does not fit, in a skip", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].Skips = []arch.Skip{{Layer: layers.Identity{}}, {Layer: layers.Compose{layers.Linear{In: 5, Out: 2}}}}
			n.Blocks[1].Layer = lin(3, 3)
		}, []string{"b/skip2/1", "5 inputs"}},
		{"an attention over inputs of another width", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].From, n.Blocks[1].Merge = []string{"a", "a"}, layers.Attend{Width: 4}
		}, []string{"b/merge", "width 4", "[2 3]"}},
		{"a lateral layer of another width", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: layers.Lateral{Width: 5}, From: []string{"a"}, Predicts: "a"})
		}, []string{"c: ", "lateral layer of width 5", "[2 3]"}},
		{"width mismatch", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = lin(5, 2) }, []string{"b", "5 inputs", "[2 3]", "make In"}},
		{"width mismatch with the input", func(n *arch.Network, _ *arch.Plan) { n.Input = []int{6} }, []string{"a", "4 inputs", "[2 6]"}},
		{"an input that is not flat", func(n *arch.Network, _ *arch.Plan) { n.Input = []int{2, 2} }, []string{"a", "[2 2 2]", "flatten"}},
		{"a skip of unequal widths", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Skips = []arch.Skip{{Layer: layers.Identity{}}} },
			[]string{"b", "[2 3]", "[2 2]", "equal"}},
		{"a layer without outputs", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = lin(3, 0) }, []string{"b/W", "[3 0]", "positive"}},
		{"negative width", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Layer = lin(3, -1) }, []string{"b/W", "positive"}},
		{"gamma is a positive number", func(n *arch.Network, _ *arch.Plan) { n.Scaling = arch.MuPC{Gamma: -1} }, []string{"mupc", "b/W", "-", "positive"}},
		{"gamma is a number", func(n *arch.Network, _ *arch.Plan) { n.Scaling = arch.Scaled{Of: arch.SP{}, Gamma: math.NaN()} }, []string{"sp", "NaN"}},
		{"gamma is finite", func(n *arch.Network, _ *arch.Plan) { n.Scaling = arch.MuPC{Gamma: math.Inf(1)} }, []string{"mupc"}},
		{"blocks in a loop, activities", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[0] = arch.Block{Name: "a", Layer: layers.Identity{}, From: []string{"x", "b"}, Merge: layers.Add{}}
			n.Blocks[1].Layer = layers.Identity{}
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(3, 2)})
		}, []string{"loop", "a -> b -> a", "Shape", "Start"}},
		{"a block that reads itself", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].From, n.Blocks[1].Layer = []string{"b"}, layers.Identity{}
			n.Blocks[1].Skips = []arch.Skip{{From: "a", Layer: layers.Identity{}}}
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(3, 2)})
		}, []string{"loop", "b -> b", "Shape"}},
		{"blocks in a loop, backprop", func(n *arch.Network, p *arch.Plan) {
			n.Blocks[0].Skips, p.Coordinates = []arch.Skip{{From: "b", Layer: lin(2, 3)}}, arch.Feedforward
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(2, 2)})
		}, []string{"loop", "a -> b -> a", "feedforward", "use Activities"}},
		{"blocks in a loop, errors", func(n *arch.Network, p *arch.Plan) {
			n.Blocks[0].Skips, p.Coordinates = []arch.Skip{{From: "b", Layer: lin(2, 3)}}, arch.Errors
			n.Blocks[0].Start = &arch.Start{}
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(2, 2)})
		}, []string{"loop", "errors", "use Activities"}},
		{"a start of unknown shape", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[0] = arch.Block{Name: "a", Layer: lin(6, 3), From: []string{"x", "b"}, Merge: layers.Concat{}}
			n.Blocks[1] = arch.Block{Name: "b", Layer: layers.Lateral{Width: 3}, Start: &arch.Start{}}
			n.Input = []int{3}
		}, []string{`"b"`, "before it is predicted", "Shape"}},
		{"a wrong shape", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[0].Skips, n.Blocks[1].Shape = []arch.Skip{{From: "b", Layer: lin(5, 3)}}, []int{5}
		},
			[]string{"b", "[2 2]", "[2 5]", "make them equal"}},
		{"a shape of nothing", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Shape = []int{0} }, []string{`"b"`, "[0]", "positive"}},
		{"a start that is no number", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Start = &arch.Start{Init: arch.Init{Std: math.NaN()}} },
			[]string{`"b"`, "starts", "finite"}},
		{"several inputs are merged", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].From = []string{"x", "a"} }, []string{`"b"`, "2 inputs", "Merge", "Concat"}},
		{"merged widths must fit", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].From, n.Blocks[1].Merge = []string{"x", "a"}, layers.Concat{}
		}, []string{"b", "3 inputs", "[2 7]"}},
		{"a sum needs equal shapes", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].From, n.Blocks[1].Merge = []string{"x", "a"}, layers.Add{}
		}, []string{"b", "[2 4]", "[2 3]", "Concat"}},
		{"an input without a name", func(n *arch.Network, _ *arch.Plan) { n.Inputs = []arch.Input{{Shape: []int{2}}} }, []string{"input 2", "no name"}},
		{"an input twice", func(n *arch.Network, _ *arch.Plan) { n.Inputs = []arch.Input{{Name: "x", Shape: []int{2}}} }, []string{`named "x"`}},
		{"an input of no shape", func(n *arch.Network, _ *arch.Plan) { n.Inputs = []arch.Input{{Name: "c"}} }, []string{`"c"`, "no shape"}},
		{"an input that nothing reads", func(n *arch.Network, _ *arch.Plan) {
			n.Inputs = []arch.Input{{Name: "c", Shape: []int{2}}}
			n.Blocks[0].From = []string{"x"}
		},
			[]string{`"c"`, "no block reads", "From"}},
		{"which of two inputs", func(n *arch.Network, _ *arch.Plan) { n.Inputs = []arch.Input{{Name: "c", Shape: []int{2}}} }, []string{`"a"`, "several inputs", "From"}},
		{"unknown site to predict", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Predicts = "q" }, []string{`"b"`, "predicts", `"q"`, "there are x, a"}},
		{"a block predicts its own site by itself", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(3, 2), From: []string{"a"}, Predicts: "c"})
		},
			[]string{`"c"`, "predicts"}},
		{"a block without a site is read", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(2, 3), Predicts: "a"}, arch.Block{Name: "d", Layer: lin(3, 3), From: []string{"c"}})
		}, []string{`"d"`, `"c"`, "no site of its own", `"a"`}},
		{"a prediction of another shape", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(2, 2), Predicts: "a"})
		}, []string{"c", "[2 2]", `"a"`, "[2 3]"}},
		{"an output of another's site", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks = append(n.Blocks, arch.Block{Name: "c", Layer: lin(2, 3), Predicts: "a", Output: true})
		}, []string{`"c"`, "Output", `"a"`}},
		{"weights of nobody", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Shares = "q" }, []string{`"b"`, `"q"`, "no block"}},
		{"weights of another shape", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Shares = "a" }, []string{`"b"`, `"a"`, "equal in name and shape"}},
		{"weights that are shared themselves", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Shares = "b" }, []string{`"b"`, "none of its own"}},
		{"unknown precision", func(n *arch.Network, _ *arch.Plan) { n.Blocks[1].Precision = 7 }, []string{`"b"`, "precision 7"}},
		{"a diagonal of unknown length", func(n *arch.Network, _ *arch.Plan) {
			n.Blocks[1].Layer, n.Blocks[1].Precision = layers.Identity{}, arch.DiagonalPrecision
		}, []string{`"b"`, "diagonal", "Shape"}},
		{"a categorical has no noise", func(n *arch.Network, p *arch.Plan) {
			n.Blocks[1].Precision, p.Energy = arch.ScalarPrecision, energy.PC{Output: energy.Categorical{}}
		}, []string{"energy", "b", "categorical", "Precision"}},
		{"a likelihood of nothing", func(_ *arch.Network, p *arch.Plan) {
			p.Energy = energy.PC{Blocks: map[string]energy.Likelihood{"q": energy.Gaussian{}}}
		}, []string{"energy", `"q"`, "there are a, b"}},
		{"hold of nothing", func(_ *arch.Network, p *arch.Plan) { p.Hold = map[string]arch.Hold{"q": arch.Clamped} }, []string{`"q"`, "no site", "x, a, b"}},
		{"unknown hold", func(_ *arch.Network, p *arch.Plan) { p.Hold = map[string]arch.Hold{"a": 7} }, []string{`"a"`, "hold 7"}},
		{"backprop has nothing free", func(_ *arch.Network, p *arch.Plan) {
			p.Coordinates, p.Hold = arch.Feedforward, map[string]arch.Hold{"x": arch.Masked}
		}, []string{`"x"`, "nothing free"}},
		{"no samples", func(_ *arch.Network, p *arch.Plan) { p.Batch = 0 }, []string{"batch of 0", "one or more"}},
		{"negative batch", func(_ *arch.Network, p *arch.Plan) { p.Batch = -3 }, []string{"batch of -3"}},
		{"unknown coordinates", func(_ *arch.Network, p *arch.Plan) { p.Coordinates = 7 }, []string{"unknown coordinates 7"}},
		{"negative coordinates", func(_ *arch.Network, p *arch.Plan) { p.Coordinates = -1 }, []string{"unknown coordinates -1"}},
		{"backprop has nothing free", func(_ *arch.Network, p *arch.Plan) { p.Coordinates, p.FreeInput = arch.Feedforward, true }, []string{"nothing free", "use Activities"}},
		{"backprop has nothing free", func(_ *arch.Network, p *arch.Plan) { p.Coordinates, p.FreeOutput = arch.Feedforward, true }, []string{"nothing free"}},
		{"negative precision", func(_ *arch.Network, p *arch.Plan) { p.Energy = energy.PC{Output: energy.Gaussian{Precision: -1}} },
			[]string{"energy", "b", "precision -1", "positive"}},
		{"negative rate", func(_ *arch.Network, p *arch.Plan) { p.Energy = energy.Sum{energy.PC{}, energy.Spectral{Rate: -1}} },
			[]string{"energy", "spectral", "-1"}},
		{"a part that is missing", func(_ *arch.Network, p *arch.Plan) { p.Energy = energy.Sum{energy.PC{}, nil} }, []string{"energy", "part 2 of a sum of 2", "leave it out"}},
		{"a part of a part that is missing", func(_ *arch.Network, p *arch.Plan) { p.Energy = energy.Sum{energy.Sum{nil}, energy.PC{}} }, []string{"energy", "part 1 of a sum of 1"}},
		{"an energy of zero", func(_ *arch.Network, p *arch.Plan) { p.Energy = energy.Sum{} }, []string{"no terms"}},
		{"an energy that does not see the weights", func(_ *arch.Network, p *arch.Plan) { p.Energy = energy.ActivityDecay{Rate: 1} }, []string{"does not depend on", "a/W"}},
	}
	for _, test := range tests {
		n, p := good(), plan
		test.change(n, &p)
		w, err := arch.NewWeights[float64](n, rng(1))
		if err == nil {
			_, err = arch.Compile(n, w, p)
		}
		if err == nil {
			t.Errorf("%s: no error", test.reason)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %q does not say %q", test.reason, err, part)
			}
		}
		if !strings.HasPrefix(err.Error(), "arch: ") {
			t.Errorf("%s: error %q does not begin with the package", test.reason, err)
		}
	}
}

func TestChain_RefusesWrongWidths(t *testing.T) {
	tests := []struct {
		reason string
		chain  arch.Chain
		want   string
	}{
		{"no widths", arch.Chain{}, "at least"},
		{"no output", arch.Chain{Widths: []int{4}}, "at least"},
		{"zero width", arch.Chain{Widths: []int{4, 0, 2}}, "width 1 of [4 0 2] is not positive"},
		{"negative width", arch.Chain{Widths: []int{-4, 2}}, "width 0"},
		{"a skip needs equal widths", arch.Chain{Widths: []int{4, 3, 5, 2}, Skips: true}, "block2 joins widths 3 and 5"},
	}
	for _, test := range tests {
		if _, err := test.chain.Network(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.reason, err, test.want)
		}
	}
}

func TestCompile_RefusesWeightsOfAnotherNetwork(t *testing.T) {
	n := mlp(t, nil, layers.Tanh, 4, 3, 2)
	tests := []struct {
		reason string
		other  *arch.Network
		want   string
	}{
		{"fewer layers", mlp(t, nil, layers.Tanh, 4, 2), "needs"},
		{"other widths", mlp(t, nil, layers.Tanh, 4, 5, 2), "block1/W[4 5]"},
		{"other names", &arch.Network{Input: []int{4}, Blocks: []arch.Block{
			{Name: "p", Layer: layers.Linear{In: 4, Out: 3, Bias: true}}, {Name: "q", Layer: layers.Linear{In: 3, Out: 2, Bias: true}},
		}}, "p/W"},
	}
	for _, test := range tests {
		_, err := arch.Compile(n, weightsOf[float64](t, test.other, 1), arch.Plan{Batch: 1})
		if wrong := new(arch.MismatchError); !errors.As(err, &wrong) {
			t.Errorf("%s: error %v, want a MismatchError", test.reason, err)
		}
		if err == nil || !strings.Contains(err.Error(), "NewWeights") {
			t.Errorf("%s: error %v, want what to do", test.reason, err)
		} else if test.want != "needs" && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.reason, err, test.want)
		}
	}
}

// TestModel_NamesBadData: NaN and Inf in clamped data are an error with sample and element, and the model stays usable.
func TestModel_NamesBadData(t *testing.T) {
	n := mlp(t, nil, layers.ReLU, 4, 3, 2)
	m := compile(t, n, weightsOf[float32](t, n, 1), arch.Plan{Batch: 5})
	before := must(m.Energy())(t)
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		x, y := samples[float32](4, 2, 5)
		x[2*4+3] = bad
		if err := m.Clamp(x, y); err == nil || !strings.Contains(err.Error(), "x of sample 2, element 3") {
			t.Errorf("error %v, want sample 2 and element 3 of x", err)
		}
		x, y = samples[float32](4, 2, 5)
		y[4*2+1] = bad
		if err := m.Clamp(x, y); err == nil || !strings.Contains(err.Error(), "y of sample 4, element 1") {
			t.Errorf("error %v, want sample 4 and element 1 of y", err)
		}
	}
	if after := must(m.Energy())(t); after != before {
		t.Errorf("refused data changed the energy from %v to %v", before, after)
	}
}

// TestModel_LocatesBadWeights: a NaN in a weight reaches the energy and is named.
func TestModel_LocatesBadWeights(t *testing.T) {
	n := tangled(layers.ReLU)
	for i, f := range weightsOf[float64](t, n, 1).Fields() {
		w := weightsOf[float64](t, n, 1)
		m := compile(t, n, w, arch.Plan{Batch: 2})
		if at := m.Locate(); at != "" {
			t.Fatalf("finite weights, but %q", at)
		}
		part := w.Part(w.Data(), i)
		part[len(part)-1] = math.NaN()
		w.Touch()
		ok(t, m.Forward())
		if e := must(m.Energy())(t); e == e {
			t.Errorf("%s is NaN, and the energy %v", f.Name, e)
		}
		if at := m.Locate(); !strings.HasPrefix(at, f.Name+"[") {
			t.Errorf("located at %q, want %s", at, f.Name)
		}
	}
}

func TestModel_PanicsOnWrongLengths(t *testing.T) {
	n := mlp(t, nil, layers.Tanh, 4, 3, 2)
	w := weightsOf[float64](t, n, 1)
	m := compile(t, n, w, arch.Plan{Batch: 2})
	free := compile(t, n, w, arch.Plan{Batch: 2, FreeInput: true})
	hidden := compile(t, n, w, arch.Plan{Batch: 2, Hold: map[string]arch.Hold{"block1": arch.Clamped}})
	unclamped := must(arch.Compile(n, w, arch.Plan{Batch: 2}))(t)
	x, y, z, g := make([]float64, 8), make([]float64, 4), make([]float64, 6), make([]float64, len(w.Data()))
	at := make([]float64, 11) // at[:6] and at[5:] have one number in common
	spare, h := make([]float64, 6), must(m.StateHessian())(t)
	ok(t, h.At(z))
	errs := compile(t, n, w, arch.Plan{Batch: 2, Coordinates: arch.Errors})
	tests := []struct {
		reason string
		call   func()
		want   string
	}{
		{"x too short", func() { _ = m.Clamp(x[1:], y) }, "arch: Clamp: x has 7 numbers: want 8, 4 for each of the 2 samples"},
		{"y too long", func() { _ = m.Clamp(x, append(y, 0)) }, "arch: Clamp: y has 5 numbers: want 4, 2 for each"},
		{"no x", func() { _ = m.Clamp(nil, y) }, "arch: Clamp: x has 0 numbers: want 8"},
		{"x for a free input", func() { _ = free.Clamp(x, y) }, "arch: Clamp: x has 8 numbers: want 0"},
		{"gradient too short", func() { _, _ = m.StateGrad(z[1:], z) }, "arch: StateGrad: dst has 5 numbers: want 6, as many as State"},
		{"activities too short", func() { _, _ = m.StateGrad(z, z[1:]) }, "arch: StateGrad: z has 5 numbers: want 6"},
		{"weight gradient too short", func() { _, _ = m.ParamGrad(g[1:]) }, "arch: ParamGrad: dst has 22 numbers: want 23, as many as the weights"},
		{"weight gradient missing", func() { _, _ = m.ParamGrad(nil) }, "arch: ParamGrad: dst has 0 numbers: want 23"},
		{"terms too short", func() { m.TermEnergies(make([]float64, 1)) }, "arch: TermEnergies: dst has 1 numbers: want 2"},
		{"site too short", func() { _ = hidden.ClampSite("block1", x[:5]) }, "arch: ClampSite: block1 has 5 numbers: want 6, 3 for each of the 2 samples"},
		{"descent too short", func() { _, _, _ = m.FusedSteps(z, z[1:], .1, 1) }, "arch: FusedSteps: z has 5 numbers: want 6"},
		{"no steps", func() { _, _, _ = m.FusedSteps(spare, z, .1, 0) }, "arch: FusedSteps of 0 steps"},
		{"step too short", func() { _, _ = errs.Newton(z[1:], z, z) }, "arch: Newton: step has 5 numbers: want 6"},
		{"activities of a Hessian too short", func() { _ = h.At(z[1:]) }, "arch: StateHessian.At: z has 5 numbers: want 6"},
		{"direction too short", func() { _ = h.Mul(spare, z[1:]) }, "arch: StateHessian.Mul: v has 5 numbers: want 6"},

		{"gradient in place", func() { _, _ = m.StateGrad(z, z) }, "arch: StateGrad: dst shares memory with z"},
		{"gradient into State", func() { _, _ = m.StateGrad(m.State(), m.State()) }, "arch: StateGrad: dst shares memory with z"},
		{"gradient elsewhere into State", func() { _, _ = m.StateGrad(m.State(), z) }, "arch: StateGrad: dst shares memory with State"},
		{"gradient that overlaps by one", func() { _, _ = m.StateGrad(at[:6], at[5:11]) }, "arch: StateGrad: dst shares memory with z"},
		{"gradient that overlaps by one, behind", func() { _, _ = m.StateGrad(at[5:11], at[:6]) }, "arch: StateGrad: dst shares memory with z"},
		{"descent in place", func() { _, _, _ = m.FusedSteps(z, z, .1, 1) }, "arch: FusedSteps: grad shares memory with z"},
		{"weight gradient into the weights", func() { _, _ = m.ParamGrad(w.Data()) }, "arch: ParamGrad: dst shares memory with the weights"},
		{"step in place", func() { _, _ = errs.Newton(z, z, spare) }, "arch: Newton: step shares memory with grad"},
		{"product in place", func() { _ = h.Mul(z, z) }, "arch: StateHessian.Mul: dst shares memory with v"},

		{"no data for a hidden site", func() { _, _ = hidden.Energy() }, "arch: a model is evaluated before Clamp, or ClampSite"},
		{"no data", func() { _, _ = unclamped.Energy() }, "arch: a model is evaluated before Clamp"},
		{"no data", func() { _, _ = unclamped.StateGrad(spare, z) }, "arch: a model is evaluated before Clamp"},
	}
	for _, test := range tests {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, test.want) {
					t.Errorf("%s: panic %q, want %q", test.reason, s, test.want)
				}
			}()
			test.call()
		}()
	}
	if _, err := m.Predict(x[:5]); err == nil || !strings.Contains(err.Error(), "x has 5 numbers: want a multiple of 4") {
		t.Errorf("predict of 5/4 samples: error %v", err)
	}
}

// TestMask_RefusesWhatIsNoMask: wrong names, lengths and numbers are errors that say what is wanted.
func TestMask_RefusesWhatIsNoMask(t *testing.T) {
	n := mlp(t, nil, layers.Tanh, 4, 3, 2)
	m := compile(t, n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 2, Hold: map[string]arch.Hold{"x": arch.Masked}})
	tests := []struct {
		reason string
		err    error
		want   []string
	}{
		{"unknown site", m.Mask("q", make([]float64, 8)), []string{`"q"`, "arch.Masked"}},
		{"clamped site", m.Mask("block2", make([]float64, 4)), []string{`"block2"`, "arch.Masked"}},
		{"free site", m.ClampSite("block1", make([]float64, 6)), []string{`"block1"`, "Plan.Hold"}},
		{"wrong length", m.Mask("x", make([]float64, 7)), []string{"7 numbers", "want 4", "or 8"}},
		{"half a mask", m.Mask("x", []float64{0, 1, .5, 1}), []string{"element 2", "0.5", "1, clamped"}},
		{"no number", m.Mask("x", []float64{0, 1, 1, math.NaN()}), []string{"element 3", "NaN"}},
		{"bad data", m.ClampSite("x", []float64{0, 0, 0, 0, 0, math.Inf(1), 0, 0}), []string{"x of sample 1, element 1", "+Inf"}},
	}
	for _, test := range tests {
		for _, part := range append(test.want, "arch: ") {
			if test.err == nil || !strings.Contains(test.err.Error(), part) {
				t.Errorf("%s: error %v, want %q in it", test.reason, test.err, part)
			}
		}
	}
}
