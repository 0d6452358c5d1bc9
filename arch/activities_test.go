package arch_test

import (
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// TestActivities_AreThoseOfTheCoordinates. Oracles: in activities the state itself, to the bit; in errors a model in
// activities that is given them, whose energy is then the same; in backprop the feedforward pass.
func TestActivities_AreThoseOfTheCoordinates(t *testing.T) {
	const batch = 37
	n := tangled(layers.Tanh)
	w := weightsOf[float64](t, n, 1)
	hold := map[string]arch.Hold{"b": arch.Masked}
	mask := normal[float64](rng(4), 4*batch)
	for i := range mask {
		mask[i] = math.Round(math.Abs(math.Tanh(mask[i])))
	}
	model := func(c arch.Coordinates) *arch.Model[float64] {
		p := arch.Plan{Batch: batch, Coordinates: c}
		if c != arch.Feedforward {
			p.Hold = hold
		}
		m := compile(t, n, w, p)
		if c != arch.Feedforward {
			ok(t, m.Mask("b", mask))
			ok(t, m.ClampSite("b", normal[float64](rng(5), 4*batch)))
		}
		ok(t, m.Forward())
		return m
	}
	z, e, bp := model(arch.Activities), model(arch.Errors), model(arch.Feedforward)
	for i := range z.State() {
		z.State()[i] += .1 * math.Sin(float64(i))
	}
	got := must(z.Activities())(t)
	for i, f := range z.StateVector().Fields() {
		name := f.Name[:len(f.Name)-len("/z")]
		if name != "b" && !slices.Equal(got.Field(name), z.StateVector().Part(z.State(), i)) {
			t.Errorf("activities: %s is not the state", name)
		}
	}
	copy(e.State(), normal[float64](rng(6), len(e.State())))
	got = must(e.Activities())(t)
	for i, f := range z.StateVector().Fields() {
		copy(z.StateVector().Part(z.State(), i), got.Field(f.Name[:len(f.Name)-len("/z")]))
	}
	if a, b := must(z.Energy())(t), must(e.Energy())(t); math.Abs(a-b) > 1e-13*b {
		t.Errorf("errors: energy %v, in activities %v", b, a)
	}
	free := compile(t, n, w, arch.Plan{Batch: batch})
	ok(t, free.Forward())
	got = must(bp.Activities())(t)
	for i, f := range free.StateVector().Fields() {
		near(t, "backprop: "+f.Name, got.Field(f.Name[:len(f.Name)-len("/z")]), free.StateVector().Part(free.State(), i), 0)
	}
	_, y := samples[float64](5, 3, batch)
	near(t, "the output", got.Field("e"), y, 0)
	w.Data()[0]++
	w.Touch()
	ok(t, free.Forward())
	again := must(bp.Activities())(t)
	near(t, "after the weights have changed", again.Field("d"), must(free.Activities())(t).Field("d"), 0)
}

// TestActivities_SeeInputsOfLayers: a dropout's mask, which the gradient sees, too.
func TestActivities_SeeInputsOfLayers(t *testing.T) {
	n := masked(5)
	w := weightsOf[float64](t, n, 1)
	x, y := normal[float64](rng(1), 3*5*4), normal[float64](rng(2), 3*5*3)
	m, bp := must(arch.Compile(n, w, arch.Plan{Batch: 3}))(t), must(arch.Compile(n, w, arch.Plan{Batch: 3, Coordinates: arch.Feedforward}))(t)
	for range 2 { // the second with other masks
		for _, m := range []*arch.Model[float64]{m, bp} {
			ok(t, m.Clamp(x, y))
		}
		r := rng(3)
		m.DrawLayerInputs(r)
		for _, f := range m.LayerInputs() {
			ok(t, bp.SetLayerInput(f.Name, m.LayerInput(f.Name)))
		}
		ok(t, m.Forward())
		near(t, "b", must(bp.Activities())(t).Field("b"), m.StateVector().Field("b/z"), 0)
	}
}
