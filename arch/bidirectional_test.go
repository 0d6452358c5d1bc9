package arch_test

import (
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// TestBidirectional_ScalesBothDirectionsAlike: the blocks backwards have the factors of a chain of the widths reversed, skips
// or not. (Biases are compared with it: they follow their weights.)
func TestBidirectional_ScalesBothDirectionsAlike(t *testing.T) {
	for _, s := range []arch.Scaling{arch.SP{}, arch.NTP{}, arch.MuP{}, arch.MuPC{Gamma: 2}, arch.CompleteP{}} {
		for _, skips := range []bool{false, true} {
			n := must(arch.Bidirectional{Chain: arch.Chain{Scaling: s, Act: layers.Tanh, Widths: []int{3, 8, 8, 8, 5}, Bias: true, Skips: skips}}.Network())(t)
			mirror := must(arch.Chain{Scaling: s, Act: layers.Tanh, Widths: []int{5, 8, 8, 8, 3}, Bias: true, Skips: skips}.Network())(t)
			want := map[string]arch.Factors{}
			for _, w := range mirror.Weights() {
				l, field, _ := strings.Cut(strings.TrimPrefix(w.Name, "block"), "/")
				want["back"+string('5'-l[0]+'0')+"/"+field] = w.Factors
			}
			seen := 0
			for _, w := range n.Weights() {
				f, back := want[w.Name]
				if back && f != w.Factors {
					t.Errorf("%s, skips %v: %s has factors %+v, want %+v", s, skips, w.Name, w.Factors, f)
				}
				if back {
					seen++
				}
			}
			if seen != 8 {
				t.Errorf("%d weights backwards of 8", seen)
			}
		}
	}
}

// TestBidirectional_WithoutOneDirectionIsAChain: as the weight of one energy vanishes, energy, gradients and feedforward pass
// are those of the other's chain to the last bit: what is added is below the smallest float64 at these numbers.
func TestBidirectional_WithoutOneDirectionIsAChain(t *testing.T) {
	widths := []int{3, 5, 4, 2}
	both := arch.Bidirectional{Chain: arch.Chain{Act: layers.Tanh, Widths: widths, Bias: true}, Backward: 1e-300}
	n := must(both.Network())(t)
	w := weightsOf[float64](t, n, 3)
	chain := must(both.Chain.Network())(t)
	cw := weightsOf[float64](t, chain, 3)
	copy(cw.Data(), w.Data())
	x, y := normal[float64](rng(1), 3*4), normal[float64](rng(2), 2*4)
	m := must(arch.Compile(n, w, arch.Plan{Batch: 4, Energy: both.Energy()}))(t)
	c := must(arch.Compile(chain, cw, arch.Plan{Batch: 4}))(t)
	for _, m := range []*arch.Model[float64]{m, c} {
		ok(t, m.Clamp(x, y))
		ok(t, m.Forward())
	}
	near(t, "feedforward", m.State(), c.State(), 0)
	near(t, "prediction", must(m.Predict(x))(t), must(c.Predict(x))(t), 0)
	z := normal[float64](rng(5), len(c.State()))
	copy(m.State(), z)
	copy(c.State(), z)
	got, want := make([]float64, len(z)), make([]float64, len(z))
	f := must(m.StateGrad(got, z))(t)
	fc := must(c.StateGrad(want, z))(t)
	near(t, "energy", []float64{f}, []float64{fc}, 1e-15) // sums in another order
	near(t, "activity gradient", got, want, 1e-15)
	dw, dc := make([]float64, len(w.Data())), make([]float64, len(cw.Data()))
	must(m.ParamGrad(dw))(t)
	must(c.ParamGrad(dc))(t)
	near(t, "weight gradient", dw[:len(dc)], dc, 0)
}

// TestBidirectional_InfersEitherEnd: weights that invert each other make zero energy at the true end, which inference from
// elsewhere finds: y from x and x from y, by the same weights.
func TestBidirectional_InfersEitherEnd(t *testing.T) {
	both := arch.Bidirectional{Chain: arch.Chain{Widths: []int{2, 2, 2}}}
	n := must(both.Network())(t)
	w := weightsOf[float64](t, n, 1)
	turn, back := []float64{.6, .8, -.8, .6}, []float64{.6, -.8, .8, .6}
	copy(w.Field("block1/W"), turn)
	copy(w.Field("block2/W"), turn)
	copy(w.Field("back1/W"), back)
	copy(w.Field("back2/W"), back)
	w.Touch()
	x := []float64{1, 2}
	y := must(must(arch.Compile(n, w, arch.Plan{Batch: 1}))(t).Predict(x))(t)
	for _, p := range []arch.Plan{{FreeInput: true}, {FreeOutput: true}} {
		p.Batch, p.Energy = 1, both.Energy()
		m := must(arch.Compile(n, w, p))(t)
		xs, ys, end, want := x, []float64(nil), "block2/y", y
		if p.FreeInput {
			xs, ys, end, want = nil, y, "x", x
		}
		ok(t, m.Clamp(xs, ys))
		ok(t, m.Forward())
		for i := range m.StateVector().Field(end) {
			m.StateVector().Field(end)[i] = -3
		}
		g := make([]float64, len(m.State()))
		for range 2000 {
			must(m.StateGrad(g, m.State()))(t)
			for i := range g {
				m.State()[i] -= .2 * g[i]
			}
		}
		near(t, end, m.StateVector().Field(end), want, 1e-12) // 2000 steps contract by far more than this
	}
}

// TestBackwards_IsTheOtherPass: its blocks are the ones backwards, with their factors and their memory.
func TestBackwards_IsTheOtherPass(t *testing.T) {
	for _, s := range []arch.Scaling{arch.SP{}, arch.MuPC{}, arch.MuP{}, arch.CompleteP{}} {
		c := arch.Bidirectional{Chain: arch.Chain{Scaling: s, Act: layers.Tanh, Widths: []int{3, 8, 8, 8, 5}, Bias: true, Skips: true}}
		both := must(c.Network())(t)
		w := weightsOf[float64](t, both, 3)
		n, part, err := arch.Backwards(c, w)
		ok(t, err)
		own := both.Weights()[len(both.Weights())-len(n.Weights()):]
		for i, of := range n.Weights() {
			if of.Factors != own[i].Factors {
				t.Errorf("%s: %s has factors %+v, %s %+v", s, of.Name, of.Factors, own[i].Name, own[i].Factors)
			}
		}
		// where every site is predicted from the next the energies backwards vanish
		y := normal[float64](rng(4), 5*2)
		pass := must(arch.Compile(n, part, arch.Plan{Batch: 2}))(t)
		x := must(pass.Predict(y))(t)
		ok(t, pass.Clamp(y, x))
		ok(t, pass.Forward())
		m := must(arch.Compile(both, w, arch.Plan{Batch: 2, Energy: c.Energy()}))(t)
		ok(t, m.Clamp(x, y))
		for i, f := range m.StateVector().Fields() {
			copy(m.StateVector().Part(m.State(), i), pass.StateVector().Field(f.Name))
		}
		must(m.Energy())(t)
		terms := make([]float64, len(m.Terms()))
		m.TermEnergies(terms)
		for i, name := range m.Terms() {
			if back := strings.HasPrefix(name, "back"); back != (terms[i] < 1e-28) { // squares of rounding
				t.Errorf("%s: energy of %s is %.2g", s, name, terms[i])
			}
		}
	}
	c := arch.Bidirectional{Chain: arch.Chain{Widths: []int{3, 4, 2}}}
	other := must(arch.MLP(nil, layers.Tanh, 3, 4, 2))(t)
	if _, _, err := arch.Backwards(c, weightsOf[float64](t, other, 1)); err == nil || !strings.Contains(err.Error(), "NewWeights") {
		t.Errorf("another network's weights: error %v", err)
	}
}

func TestBidirectional_RefusesChainsThatCannotBe(t *testing.T) {
	for reason, c := range map[string]arch.Chain{
		"give the input's":   {Widths: []int{3}},
		"is not positive":    {Widths: []int{3, 0, 2}},
		"make the hidden wi": {Widths: []int{3, 4, 5, 2}, Skips: true},
	} {
		if _, err := (arch.Bidirectional{Chain: c}).Network(); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v: error %v, want one that says %q", c, err, reason)
		}
	}
	both := arch.Bidirectional{Chain: arch.Chain{Widths: []int{3, 4, 2}}, Backward: -1}
	n := must(both.Network())(t)
	_, err := arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 1, Energy: both.Energy()})
	if err == nil || !strings.Contains(err.Error(), "back") || !strings.Contains(err.Error(), "precision -1") {
		t.Errorf("a negative weight: error %v", err)
	}
}
