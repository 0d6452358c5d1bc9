package arch_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// TestNewWeightsTogether_ShareOneSlab: a model over a part sees what an optimiser does to the whole, under its own names; the
// weights of the first are those of NewWeights.
func TestNewWeightsTogether_ShareOneSlab(t *testing.T) {
	c := arch.Chain{Act: layers.Tanh, Widths: []int{3, 5, 4, 2}, Bias: true, Scaling: arch.MuPC{}}
	gen, amo := must(c.Network())(t), must(arch.Amortiser(c))(t)
	whole, parts, err := arch.NewWeightsTogether[float64](rng(1), arch.Member{Name: "g", Network: gen}, arch.Member{Name: "a", Network: amo})
	ok(t, err)
	near(t, "first", parts[0].Data(), must(arch.NewWeights[float64](gen, rng(1)))(t).Data(), 0)
	if w, at := parts[1].Whole(); w != whole || at != len(parts[0].Data()) || len(whole.Data()) != at+len(parts[1].Data()) {
		t.Errorf("the second part begins at %d of %d", at, len(whole.Data()))
	}
	if w, at := whole.Whole(); w != whole || at != 0 {
		t.Errorf("the whole is a part at %d", at)
	}
	var names []string
	for _, f := range parts[1].Fields() {
		names = append(names, f.Name)
	}
	if want := []string{"block2/W", "block2/b", "block1/W", "block1/b", "x/W", "x/b"}; !slices.Equal(names, want) {
		t.Errorf("the amortiser's weights are %v, want %v", names, want)
	}
	m := must(arch.Compile(amo, parts[1], arch.Plan{Batch: 2, Coordinates: arch.Feedforward}))(t)
	ok(t, m.Clamp(normal[float64](rng(2), 4), normal[float64](rng(3), 6)))
	before := must(m.Energy())(t)
	whole.Field("a/x/W")[1] += 1
	whole.Touch()
	if must(m.Energy())(t) == before {
		t.Error("the model does not see the whole's weights change")
	}
	mirror := must(arch.Chain{Act: layers.Tanh, Widths: []int{2, 4, 5, 3}, Bias: true, Scaling: arch.MuPC{}}.Network())(t)
	for i, w := range mirror.Weights() {
		if got := amo.Weights()[i].Factors; got != w.Factors {
			t.Errorf("factors of the amortiser's weight %d are %+v, its mirror's %+v", i, got, w.Factors)
		}
	}
}

func TestNewWeightsTogether_RefusesNamesAndNetworks(t *testing.T) {
	n := must(arch.MLP(nil, layers.Tanh, 2, 2))(t)
	for want, ms := range map[string][]arch.Member{
		"are named":      {{Name: "a", Network: n}, {Name: "a", Network: n}},
		"has no name":    {{Network: n}},
		"is missing":     {{Name: "a"}},
		"without blocks": {{Name: "a", Network: &arch.Network{}}},
	} {
		if _, _, err := arch.NewWeightsTogether[float64](rand.New(rand.NewPCG(1, 1)), ms...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}
