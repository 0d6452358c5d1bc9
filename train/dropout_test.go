package train_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// dropping is a chain with dropout in front of its last two layers.
func dropping() *arch.Network {
	drop := func(in, out int) layers.Layer {
		return layers.Compose{layers.Dropout{Rate: .3}, layers.Linear{In: in, Out: out, Act: layers.Tanh}}
	}
	return &arch.Network{Input: []int{5}, Blocks: []arch.Block{
		{Name: "a", Layer: layers.Linear{In: 5, Out: 8}}, {Name: "b", Layer: drop(8, 8)}, {Name: "c", Layer: drop(8, 3)}}}
}

func droppingModel[T graph.Float](t *testing.T, w *graph.Vector[T], c arch.Coordinates, batch int) *arch.Model[T] {
	t.Helper()
	m, err := arch.Compile(dropping(), w, arch.Plan{Batch: batch, Coordinates: c})
	ok(t, err)
	return m
}

// dropRules are both rules over one slab, which draw by a seed.
func dropRules[T graph.Float](t *testing.T, seed uint64, batch int) (w *graph.Vector[T], pc *train.PC[T], bp *train.Backprop[T]) {
	t.Helper()
	w, err := arch.NewWeights[T](dropping(), rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	pc = &train.PC[T]{Model: droppingModel(t, w, arch.Activities, batch), Solver: &infer.Descent[T]{Optimizer: &optim.SGD[T]{Rate: .1}}, Stop: infer.Steps(5), Seed: seed}
	return w, pc, &train.Backprop[T]{Model: droppingModel(t, w, arch.Feedforward, batch), Seed: seed}
}

// masksOf copies a model's masks.
func masksOf[T graph.Float](m *arch.Model[T]) (all []T) {
	for _, f := range m.LayerInputs() {
		all = append(all, m.LayerInput(f.Name)...)
	}
	return all
}

// TestDropout_EveryStepHasItsMask: other ones at every step and for every seed, the same for both rules; Predict has none.
func TestDropout_EveryStepHasItsMask(t *testing.T) {
	const batch = 6
	x, y := make([]float64, batch*5), make([]float64, batch*3)
	for i := range x {
		x[i] = float64(i%7) - 3
	}
	w, pc, bp := dropRules[float64](t, 3, batch)
	_, other, _ := dropRules[float64](t, 4, batch)
	grad := make([]float64, len(w.Data()))
	calm, err := pc.Subject().Predict(x)
	ok(t, err)
	var last []float64
	for step := range 4 {
		n := batch
		if step == 3 { // what is left of an epoch
			n = 4
		}
		for _, r := range []train.Rule[float64]{pc, bp, other} {
			_, err := r.Gradient(grad, x[:n*5], y[:n*3], n)
			ok(t, err)
		}
		m, err := pc.Model.Resized(n)
		ok(t, err)
		b, err := bp.Model.Resized(n)
		ok(t, err)
		o, err := other.Model.Resized(n)
		ok(t, err)
		now := masksOf(m)
		if len(now) != n*16 || !slices.Contains(now, -1) {
			t.Fatalf("masks %v", now)
		}
		if !slices.Equal(now, masksOf(b)) {
			t.Errorf("step %d: PC and backprop have different masks", step)
		}
		if slices.Equal(now, masksOf(o)) {
			t.Errorf("step %d: two seeds have one mask", step)
		}
		if slices.Equal(now, last) {
			t.Errorf("step %d: the mask of the step before", step)
		}
		last = now
	}
	for _, r := range []train.Rule[float64]{pc, bp} {
		p, err := r.Subject().Predict(x)
		ok(t, err)
		if !slices.Equal(p, calm) {
			t.Error("masks of training change what is predicted")
		}
	}
}

// TestDropout_OneMaskForAWholeStep. Oracle: the same step by hand, on a model that is given the masks once: feedforward
// pass, inference and weight gradient have the same bits.
func TestDropout_OneMaskForAWholeStep(t *testing.T) {
	const batch = 6
	x, y := make([]float64, batch*5), make([]float64, batch*3)
	for i := range x {
		x[i] = float64(i%5) - 2
	}
	w, pc, bp := dropRules[float64](t, 3, batch)
	for step := range 3 {
		for _, r := range []train.Rule[float64]{pc, bp} {
			grad, want := make([]float64, len(w.Data())), make([]float64, len(w.Data()))
			report, err := r.Gradient(grad, x, y, batch)
			ok(t, err)
			c, of := arch.Feedforward, bp.Model
			if r == train.Rule[float64](pc) {
				c, of = arch.Activities, pc.Model
			}
			m := droppingModel(t, w, c, batch)
			for _, f := range of.LayerInputs() {
				ok(t, m.SetLayerInput(f.Name, of.LayerInput(f.Name)))
			}
			ok(t, m.Clamp(x, y))
			ok(t, m.Forward())
			dz := make([]float64, len(m.State()))
			for range 5 * min(1, len(dz)) {
				_, err := m.StateGrad(dz, m.State())
				ok(t, err)
				(&optim.SGD[float64]{Rate: .1}).Step(m.State(), dz)
			}
			f, err := m.ParamGrad(want)
			ok(t, err)
			if !slices.Equal(grad, want) || f != report.Energy {
				t.Errorf("step %d, %v: energy %v, want %v; gradients differ by %.1e", step, c, report.Energy, f, relative(grad, want))
			}
		}
	}
}

// TestDropout_AllocatesNothing: a step draws into memory that is there.
func TestDropout_AllocatesNothing(t *testing.T) {
	const batch = 6
	x, y := make([]float32, batch*5), make([]float32, batch*3)
	w, pc, bp := dropRules[float32](t, 3, batch)
	grad := make([]float32, len(w.Data()))
	for _, r := range []train.Rule[float32]{pc, bp} {
		if n := testing.AllocsPerRun(5, func() {
			if _, err := r.Gradient(grad, x, y, batch); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%T: %g allocations", r, n)
		}
	}
}

// TestRules_BeforeTheFirstGradient: there are no energies yet and nothing has gone wrong.
func TestRules_BeforeTheFirstGradient(t *testing.T) {
	for name, r := range baseRules[float64](t, 2, 4, 2) {
		terms := make([]float64, len(r.Subject().Terms))
		for i := range terms {
			terms[i] = 7
		}
		if r.Subject().TermEnergies(terms); slices.Max(terms) != 0 || slices.Min(terms) != 0 || r.Subject().Locate() != "" {
			t.Errorf("%s: terms %v, located %q", name, terms, r.Subject().Locate())
		}
	}
}
