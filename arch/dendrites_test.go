package arch_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// dendriticTol is rounding of some tens of float64 operations.
const dendriticTol = 1e-13

const dendriticBatch = 4

// bothErrors are the errors of a bidirectional chain in plain loops: forward[l] of block l, back[l] of back l, from 1, each
// [batch, width]; z[0] is x, z[L] is y. Activation tanh.
func bothErrors(c arch.Bidirectional, w *graph.Vector[float64], z [][]float64) (forward, back [][]float64) {
	depth := len(c.Widths) - 1
	forward, back = make([][]float64, depth+1), make([][]float64, depth+1)
	minus := func(target []float64, name string, from []float64, in, out int, linear bool) []float64 {
		e := slices.Clone(target)
		weight, bias := w.Field(name+"/W"), w.Field(name+"/b")
		for i := range dendriticBatch {
			for k := range out {
				e[i*out+k] -= bias[k]
				for j := range in {
					v := from[i*in+j]
					if !linear {
						v = math.Tanh(v)
					}
					e[i*out+k] -= v * weight[j*out+k]
				}
			}
		}
		return e
	}
	for l := 1; l <= depth; l++ {
		in, out := c.Widths[l-1], c.Widths[l]
		forward[l] = minus(z[l], fmt.Sprintf("block%d", l), z[l-1], in, out, l == 1)
		back[l] = minus(z[l-1], fmt.Sprintf("back%d", l), z[l], out, in, l == depth)
	}
	return forward, back
}

// dendritic compiles a bidirectional chain, clamps data and sets the activities.
func dendritic(t *testing.T, c arch.Bidirectional, w *graph.Vector[float64], p arch.Plan) (m *arch.Model[float64], z [][]float64) {
	t.Helper()
	n := must(c.Network())(t)
	p.Batch = dendriticBatch
	m = must(arch.Compile(n, w, p))(t)
	for l, width := range c.Widths {
		z = append(z, normal[float64](rng(uint64(20+l)), dendriticBatch*width))
	}
	last := len(z) - 1
	ok(t, m.Clamp(z[0], z[last]))
	ok(t, m.Forward())
	for l, at := 1, m.StateVector(); l < last; l++ {
		copy(at.Field(fmt.Sprintf("block%d/z", l)), z[l])
	}
	return m, z
}

func newDendritic(t *testing.T) (arch.Bidirectional, *graph.Vector[float64]) {
	c := arch.Bidirectional{Chain: arch.Chain{Act: layers.Tanh, Widths: []int{3, 4, 4, 4, 2}, Bias: true}, Forward: 2, Backward: .5}
	return c, weightsOf[float64](t, must(c.Network())(t), 3)
}

// gradients of a model at its activities.
func gradients(t *testing.T, m *arch.Model[float64]) (f float64, dz, dw []float64) {
	t.Helper()
	dz, dw = make([]float64, len(m.State())), make([]float64, len(m.Weights().Data()))
	must(m.StateGrad(dz, m.State()))(t)
	return must(m.ParamGrad(dw))(t), dz, dw
}

// TestDendrites_FeelTheirOwnErrors: activities follow Forward e + Backward d in plain loops; energy and weight gradients are
// those of bidirectional predictive coding, readout and back1 included.
func TestDendrites_FeelTheirOwnErrors(t *testing.T) {
	c, w := newDendritic(t)
	m, z := dendritic(t, c, w, arch.Plan{Energy: c.Energy(), Dendrites: &arch.Dendrites{}})
	full, _ := dendritic(t, c, w, arch.Plan{Energy: c.Energy()})
	e, d := bothErrors(c, w, z)
	var want []float64
	for l := 1; l < len(c.Widths)-1; l++ {
		for k := range e[l] {
			want = append(want, c.Forward*e[l][k]+c.Backward*d[l+1][k])
		}
	}
	f, dz, dw := gradients(t, m)
	ff, fz, fw := gradients(t, full)
	near(t, "what activities feel", dz, want, dendriticTol)
	near(t, "weight gradient", dw, fw, dendriticTol)
	if f != ff {
		t.Errorf("energy %v, of predictive coding %v", f, ff)
	}
	for _, mix := range []float64{.3, 1, -2} {
		m, _ := dendritic(t, c, w, arch.Plan{Energy: c.Energy(), Dendrites: &arch.Dendrites{Mix: mix}})
		_, got, _ := gradients(t, m)
		mixed := slices.Clone(want)
		for i := range mixed {
			mixed[i] = (1-mix)*want[i] + mix*fz[i]
		}
		near(t, fmt.Sprintf("mix %v", mix), got, mixed, dendriticTol)
	}
}

// TestDendrites_TakeExtraErrorsForConstants: with errors of the neighbours joined, activities and weights follow the closed
// forms in which those errors stand still, in plain loops.
func TestDendrites_TakeExtraErrorsForConstants(t *testing.T) {
	c, w := newDendritic(t)
	depth := len(c.Widths) - 1
	for _, which := range []struct{ previous, next bool }{{true, false}, {false, true}, {true, true}} {
		m, z := dendritic(t, c, w, arch.Plan{Energy: c.Coupled(which.previous, which.next), Dendrites: &arch.Dendrites{}})
		e, d := bothErrors(c, w, z)
		p, q := math.Sqrt(c.Forward), math.Sqrt(c.Backward)
		join := func(a float64, own []float64, b float64, extra []float64) []float64 {
			r := slices.Clone(own)
			for k := range r {
				r[k] *= a
				if extra != nil {
					r[k] += b * extra[k]
				}
			}
			return r
		}
		forward, back := make([][]float64, depth+1), make([][]float64, depth+1)
		energy := 0.
		for l := 1; l <= depth; l++ {
			var before, behind []float64
			if which.previous && l < depth && c.Widths[l] == c.Widths[l-1] {
				before = d[l]
			}
			if which.next && l > 1 && c.Widths[l-1] == c.Widths[l] {
				behind = e[l]
			}
			forward[l], back[l] = join(p, e[l], q, before), join(q, d[l], p, behind)
			for _, v := range slices.Concat(forward[l], back[l]) {
				energy += v * v / 2 / dendriticBatch
			}
		}
		var want []float64
		for l := 1; l < depth; l++ {
			for k := range e[l] {
				want = append(want, p*forward[l][k]+q*back[l+1][k])
			}
		}
		f, dz, dw := gradients(t, m)
		near(t, "energy", []float64{f}, []float64{energy}, dendriticTol)
		near(t, "what activities feel", dz, want, dendriticTol)
		for l := 1; l <= depth; l++ {
			for _, dir := range []struct {
				name      string
				err, from []float64
				root      float64
				linear    bool
			}{
				{"block", forward[l], z[l-1], p, l == 1},
				{"back", back[l], z[l], q, l == depth},
			} {
				in, out := len(dir.from)/dendriticBatch, len(dir.err)/dendriticBatch
				dW, db := make([]float64, in*out), make([]float64, out)
				for i := range dendriticBatch {
					for k := range out {
						g := -dir.root * dir.err[i*out+k] / dendriticBatch
						db[k] += g
						for j := range in {
							v := dir.from[i*in+j]
							if !dir.linear {
								v = math.Tanh(v)
							}
							dW[j*out+k] += v * g
						}
					}
				}
				name := fmt.Sprintf("%s%d", dir.name, l)
				for i, fld := range w.Fields() {
					switch fld.Name {
					case name + "/W":
						near(t, fld.Name, w.Part(dw, i), dW, dendriticTol)
					case name + "/b":
						near(t, fld.Name, w.Part(dw, i), db, dendriticTol)
					}
				}
			}
		}
	}
}

// TestDendrites_OfAChainSeeNoFurtherThanTheirPrediction: in a plain chain an activity feels its own error alone, and so stays
// at the feedforward pass, where it is zero; regularisers of activities and weights still act, and precisions learn.
func TestDendrites_OfAChainSeeNoFurtherThanTheirPrediction(t *testing.T) {
	n := must(arch.MLP(nil, layers.Tanh, 3, 4, 2))(t)
	n.Blocks[0].Precision = arch.DiagonalPrecision
	w := weightsOf[float64](t, n, 1)
	clear(w.Field("block1/precision"))
	for _, decay := range []float64{0, .3} {
		e := energy.Sum{energy.PC{}, energy.WeightDecay{Rate: .2}}
		if decay > 0 {
			e = append(e, energy.ActivityDecay{Rate: decay})
		}
		dendritic := must(arch.Compile(n, w, arch.Plan{Batch: 4, Energy: e, Dendrites: &arch.Dendrites{}}))(t)
		full := must(arch.Compile(n, w, arch.Plan{Batch: 4, Energy: e}))(t)
		for _, m := range []*arch.Model[float64]{dendritic, full} {
			ok(t, m.Clamp(normal[float64](rng(1), 12), normal[float64](rng(2), 8)))
			ok(t, m.Forward())
		}
		want := slices.Clone(dendritic.State())
		for i := range want {
			want[i] *= decay
		}
		_, dz, dw := gradients(t, dendritic)
		near(t, "what activities feel", dz, want, dendriticTol)
		_, _, fw := gradients(t, full)
		near(t, "weight gradient", dw, fw, dendriticTol)
	}
}

// TestDendrites_DescendIsOneByOneToTheBit, where units are masked, too.
func TestDendrites_DescendIsOneByOneToTheBit(t *testing.T) {
	const rate, moves = .05, 7
	c, w := newDendritic(t)
	for _, mix := range []float64{0, .3} {
		p := arch.Plan{Energy: c.Coupled(true, true), Dendrites: &arch.Dendrites{Mix: mix}, Hold: map[string]arch.Hold{"x": arch.Masked}}
		fast, _ := dendritic(t, c, w, p)
		slow, _ := dendritic(t, c, w, p)
		for _, m := range []*arch.Model[float64]{fast, slow} {
			ok(t, m.Mask("x", []float64{1, 0, 1}))
			m.Show()
		}
		got, want := make([]float64, len(fast.State())), make([]float64, len(fast.State()))
		f, done, err := fast.FusedSteps(got, fast.State(), rate, moves)
		ok(t, err)
		if !done {
			t.Fatal("no descent: samples are taken to depend on each other")
		}
		g, sgd := 0., &optim.SGD[float64]{Rate: rate}
		for range moves {
			g = must(slow.StateGrad(want, slow.State()))(t)
			sgd.Step(slow.State(), want)
		}
		near(t, "gradient", got, want, 0)
		near(t, "activities", fast.State(), slow.State(), 0)
		if f != g {
			t.Errorf("energy %v, one by one %v", f, g)
		}
	}
}

func TestDendrites_RefuseWhatTheyDoNotGoWith(t *testing.T) {
	c, w := newDendritic(t)
	n := must(c.Network())(t)
	mlp := must(arch.MLP(nil, layers.Tanh, 3, 4, 4, 2))(t)
	shared := must(arch.MLP(nil, layers.Tanh, 4, 4, 4, 2))(t)
	shared.Blocks[1].Shares, shared.Blocks[1].Layer = "block1", shared.Blocks[0].Layer
	tests := []struct {
		n    *arch.Network
		p    arch.Plan
		want []string
	}{
		{n, arch.Plan{Dendrites: &arch.Dendrites{Mix: math.NaN()}}, []string{"Mix NaN"}},
		{n, arch.Plan{Coordinates: arch.Errors, Dendrites: &arch.Dendrites{}}, []string{"coordinates of errors", "arch.Activities"}},
		{mlp, arch.Plan{FreeInput: true, Dendrites: &arch.Dendrites{}}, []string{`"x" is free`, "feels nothing"}},
		{shared, arch.Plan{Dendrites: &arch.Dendrites{}}, []string{`"block2" shares`}},
		{n, arch.Plan{Energy: energy.Coupled{Extra: map[string][]string{"block9": {"back1"}}}}, []string{`"block9"`, "no block"}},
		{n, arch.Plan{Energy: energy.Coupled{Extra: map[string][]string{"block1": {"back9"}}}}, []string{`"back9"`, "no block"}},
		{n, arch.Plan{Energy: energy.Coupled{Extra: map[string][]string{"block1": {"back1"}}}}, []string{`"back1"`, "shape"}},
		{n, arch.Plan{Energy: energy.Coupled{PC: energy.PC{Hidden: energy.Categorical{}}, Extra: map[string][]string{"block2": {"back2"}}}}, []string{`"block2"`, "energy.Gaussian"}},
	}
	for _, test := range tests {
		test.p.Batch = 4
		ws := w
		if test.n != n {
			ws = weightsOf[float64](t, test.n, 1)
		}
		_, err := arch.Compile(test.n, ws, test.p)
		if err == nil {
			t.Errorf("no error, want one that says %q", test.want)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
	}
}
