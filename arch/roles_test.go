package arch_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// block is a layer of several weights, each with a role of its own: x + (tanh(g * x) A + a) B.
type block struct{ width, inner int }

func (l block) Params() []layers.Param {
	return []layers.Param{
		{Name: "g", Shape: []int{l.width}, FanIn: 1, FanOut: l.width, Role: layers.GainRole},
		{Name: "A", Shape: []int{l.width, l.inner}, FanIn: l.width, FanOut: l.inner, Role: layers.HiddenRole},
		{Name: "a", Shape: []int{l.inner}, FanIn: l.width, FanOut: l.inner, Role: layers.HiddenRole, Bias: true},
		{Name: "B", Shape: []int{l.inner, l.width}, FanIn: l.inner, FanOut: l.width, Role: layers.BranchRole},
	}
}

func (l block) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	h := b.Linear(b.Act(layers.Tanh, b.MulRow(x, p[0])), p[1], p[2], 1)
	return b.Add(x, b.Linear(h, p[3], nil, 1))
}

// deep is an input, some of those layers and a readout.
func deep(s arch.Scaling) *arch.Network {
	return &arch.Network{Input: []int{3}, Scaling: s, Blocks: []arch.Block{
		{Name: "in", Layer: layers.Linear{In: 3, Out: 4}},
		{Name: "one", Layer: block{4, 8}}, {Name: "two", Layer: block{4, 8}},
		{Name: "out", Layer: layers.Linear{In: 4, Out: 2}},
	}}
}

// TestScalings_TellWeightsApartByRole: the tables of the papers, weight by weight, for a layer of four.
func TestScalings_TellWeightsApartByRole(t *testing.T) {
	const l = 4. // blocks
	gain := func(sgd float64) arch.Factors {
		return arch.Factors{Forward: 1, Init: arch.Init{Mean: 1}, SGD: sgd, Adam: 1}
	}
	normal := func(std float64) arch.Init { return arch.Init{Std: std} }
	tests := []struct {
		scaling arch.Scaling
		want    map[string]arch.Factors
	}{
		{arch.MuPC{Gamma: 2}, map[string]arch.Factors{
			"in/W":  {Forward: 1 / math.Sqrt(3), Init: normal(1), SGD: 4 * 4, Adam: 1},
			"one/g": gain(4 * 1),
			"one/A": {Forward: 1. / 2, Init: normal(1), SGD: 4 * 4, Adam: 1},
			"one/a": {Forward: 1. / 2, SGD: 4 * 4, Adam: 1},
			"two/B": {Forward: 1 / math.Sqrt(8*l), Init: normal(1), SGD: 4 * 8, Adam: 1},
			"out/W": {Forward: 1. / (2 * 4), Init: normal(1), SGD: 4 * 4, Adam: 1},
		}},
		{arch.MuP{}, map[string]arch.Factors{
			"in/W":  {Forward: 1, Init: normal(1 / math.Sqrt(3)), SGD: 4, Adam: 1, Eps: 1. / 4},
			"one/g": gain(4),
			"one/A": {Forward: 1, Init: normal(1. / 2), SGD: 1, Adam: 1. / 4, Eps: 1. / 4, Decay: 4},
			"one/a": {Forward: 1, SGD: 8, Adam: 1},
			"two/B": {Forward: 1, Init: normal(1 / math.Sqrt(8)), SGD: 1, Adam: 1. / 8, Eps: 1. / 8, Decay: 8},
			"out/W": {Forward: 1, Init: normal(1. / 4), SGD: 1. / 4, Adam: 1. / 4, Decay: 4},
		}},
		{arch.NTP{}, map[string]arch.Factors{
			"one/g": gain(1),
			"one/A": {Forward: 1. / 2, Init: normal(1), SGD: 1, Adam: 1},
			"two/B": {Forward: 1 / math.Sqrt(8*l), Init: normal(1), SGD: 1, Adam: 1},
			"out/W": {Forward: 1. / 2, Init: normal(1), SGD: 1, Adam: 1},
		}},
		{arch.CompleteP{}, map[string]arch.Factors{
			"in/W":  {Forward: 1, Init: normal(1 / math.Sqrt(3)), SGD: 4, Adam: 1, Eps: 1. / 4, Decay: 1},
			"one/g": gain(4),
			"one/A": {Forward: 1, Init: normal(1. / 2), SGD: 1, Adam: 1. / 4, Eps: 1 / (4 * l), Decay: 4},
			"one/a": {Forward: 1, SGD: 8, Adam: 1},
			"two/B": {Forward: 1 / l, Init: normal(1 / math.Sqrt(8)), SGD: l, Adam: 1. / 8, Eps: 1 / (8 * l), Decay: 8},
			"out/W": {Forward: 1. / 4, Init: normal(1), SGD: 4, Adam: 1, Eps: 1. / 4, Decay: 1},
		}},
	}
	for _, test := range tests {
		seen := 0
		for _, w := range deep(test.scaling).Weights() {
			want, is := test.want[w.Name]
			if !is {
				continue
			}
			seen++
			if w.Factors != want {
				t.Errorf("%v: %s has %+v, want %+v", test.scaling, w.Name, w.Factors, want)
			}
		}
		if seen != len(test.want) {
			t.Errorf("%v: %d weights found, want %d", test.scaling, seen, len(test.want))
		}
	}
	for _, w := range deep(arch.SP{}).Weights() {
		if w.Factors.Forward != 1 || w.Param.Name == "g" && w.Factors.Init != (arch.Init{Mean: 1}) {
			t.Errorf("sp: %s has %+v", w.Name, w.Factors)
		}
	}
}

// TestScalings_MultiplyEveryWeight: the forward factors act on each weight where its layer uses it, gains begin at one, and a
// shared weight is multiplied by the factor of the place where it is used. Against plain loops.
func TestScalings_MultiplyEveryWeight(t *testing.T) {
	n := deep(arch.MuPC{Gamma: 2})
	w := weightsOf[float64](t, n, 1)
	m := must(arch.Compile(n, w, arch.Plan{Batch: 1}))(t)
	for _, g := range w.Field("one/g") {
		if g != 1 {
			t.Fatalf("a gain begins at %v", g)
		}
	}
	copy(w.Field("one/g"), []float64{.5, 2, -1, 3})
	product := func(x, w []float64, out int, factor float64, bias []float64) []float64 {
		y := make([]float64, out)
		for k := range y {
			for j, v := range x {
				y[k] += v * w[j*out+k]
			}
			if bias != nil {
				y[k] += bias[k]
			}
			y[k] *= factor
		}
		return y
	}
	x := []float64{.3, -1, 2}
	z := product(x, w.Field("in/W"), 4, 1/math.Sqrt(3), nil)
	for _, name := range []string{"one", "two"} {
		h := make([]float64, 4)
		for k := range h {
			h[k] = math.Tanh(z[k] * w.Field(name + "/g")[k])
		}
		h = product(h, w.Field(name+"/A"), 8, 1./2, w.Field(name+"/a"))
		for k, v := range product(h, w.Field(name+"/B"), 4, 1/math.Sqrt(32), nil) {
			z[k] += v
		}
	}
	near(t, "prediction", must(m.Predict(x))(t), product(z, w.Field("out/W"), 2, 1./8, nil), 1e-14)

	shared := &arch.Network{Input: []int{4}, Scaling: arch.NTP{}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 4, Out: 4}, Skips: []arch.Skip{{Layer: layers.Identity{}}}},
		{Name: "b", Layer: layers.Linear{In: 4, Out: 4}, Shares: "a"}, {Name: "c", Layer: layers.Linear{In: 4, Out: 4}, Shares: "a"},
	}}
	ws := must(arch.NewWeights[float64](shared, rng(1)))(t)
	if len(ws.Data()) != 16 {
		t.Fatalf("%d weights, want the 16 of one matrix", len(ws.Data()))
	}
	in := []float64{1, 2, 3, 4}
	a := product(in, ws.Field("a/W"), 4, 1./2, nil)
	for k := range a {
		a[k] += in[k]
	}
	c := product(product(a, ws.Field("a/W"), 4, 1./2, nil), ws.Field("a/W"), 4, 1./2, nil)
	near(t, "by a shared weight", must(must(arch.Compile(shared, ws, arch.Plan{Batch: 1}))(t).Predict(in))(t), c, 1e-14)
}

// moved is how far, rms, three steps of Adam move the last hidden activities of a residual network, by backprop.
func moved(t *testing.T, s arch.Scaling, width, hidden int) float64 {
	t.Helper()
	const in, out, batch = 20, 3, 8
	widths := []int{in}
	for range hidden {
		widths = append(widths, width)
	}
	n := resMLP(t, s, layers.Tanh, append(widths, out)...)
	w := must(arch.NewWeights[float32](n, rng(1)))(t)
	m := must(arch.Compile(n, w, arch.Plan{Batch: batch}))(t)
	bp := must(arch.Compile(n, w, arch.Plan{Batch: batch, Coordinates: arch.Feedforward}))(t)
	x, y := normal[float32](rng(2), in*batch), normal[float32](rng(3), out*batch)
	ok(t, m.Clamp(x, y))
	ok(t, bp.Clamp(x, y))
	last := func() []float32 {
		ok(t, m.Forward())
		return append([]float32(nil), m.StateVector().Field(fmt.Sprintf("block%d/z", hidden))...)
	}
	before := last()
	grad := make([]float32, len(w.Data()))
	adam := &optim.Adam[float32]{Rate: 3e-3, Eps: 1e-30}
	for i, p := range n.Weights() {
		lo, hi := w.Span(i)
		adam.Spans = append(adam.Spans, optim.Span{Lo: lo, Hi: hi, Factor: p.Factors.Adam})
	}
	for range 3 {
		must(bp.ParamGrad(grad))(t)
		adam.Step(w.Data(), grad)
		w.Touch()
	}
	sum := 0.
	for i, z := range last() {
		d := float64(z - before[i])
		sum += d * d / float64(len(before))
	}
	return math.Sqrt(sum)
}

// TestCompleteP_MovesActivitiesAlike: what a few steps of Adam change in the last hidden activities is of one size over a
// factor of 16 in width and of 8 in depth; in the standard parametrisation it grows with both.
func TestCompleteP_MovesActivitiesAlike(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	ratio := func(s arch.Scaling, width, hidden int) float64 {
		return moved(t, s, width, hidden) / moved(t, s, 32, 3)
	}
	for _, size := range [][2]int{{128, 3}, {512, 3}, {32, 9}, {32, 24}} {
		ours, sp := ratio(arch.CompleteP{}, size[0], size[1]), ratio(arch.SP{}, size[0], size[1])
		t.Logf("width %d, %d hidden: change relative to width 32, 3 hidden: completep %.2f, sp %.2f", size[0], size[1], ours, sp)
		if ours < .5 || ours > 2 {
			t.Errorf("width %d, %d hidden layers: the change is %.2f times that of a small network, want about the same", size[0], size[1], ours)
		}
		if sp < 2*ours {
			t.Errorf("width %d, %d hidden layers: sp's change grows only by %.2f: the test tells nothing", size[0], size[1], sp)
		}
	}
}
