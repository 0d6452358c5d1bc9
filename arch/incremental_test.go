package arch_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// walk moves a model through 30 random steps and compares it at each with one compiled and evaluated for the first time
// there. What the model keeps from one evaluation to the next (what has not moved is not computed again) must not show
// in a single bit.
func walk[T graph.Float](t *testing.T, n *arch.Network, p arch.Plan) {
	w := weightsOf[T](t, n, 1)
	m := compile(t, n, w, p)
	r := rng(uint64(p.Batch))
	in, out := ends(n)
	xs, ys := samples[T](in, out, 2*p.Batch)
	x, y := xs[:p.Batch*in], ys[:p.Batch*out] // what is clamped
	clampBoth := func(m *arch.Model[T]) {
		cx, cy := x, y
		if p.FreeInput {
			cx = nil
		}
		if p.FreeOutput {
			cy = nil
		}
		ok(t, m.Clamp(cx, cy))
	}
	ok(t, m.Forward())
	dz, dw := make([]T, len(m.State())), make([]T, len(w.Data()))
	for step := range 30 {
		// Descent from the feedforward pass: the error travels one block per step, and the front with it.
		must(m.StateGrad(dz, m.State()))(t)
		for i := range dz {
			m.State()[i] -= T(.1) * dz[i]
		}
		switch r.IntN(8) {
		case 0: // one field of a few samples alone
			f := r.IntN(len(m.StateVector().Fields()))
			part := m.StateVector().Part(m.State(), f)
			part[r.IntN(len(part))] += T(.5)
		case 1:
			must(m.ParamGrad(dw))(t)
			for i := range dw {
				w.Data()[i] -= T(.05) * dw[i]
			}
			w.Touch()
		case 2:
			i := r.IntN(p.Batch + 1)
			x, y = xs[i*in:(i+p.Batch)*in], ys[i*out:(i+p.Batch)*out]
			clampBoth(m)
		case 3:
			ok(t, m.Forward())
		case 4:
			must(m.Energy())(t)
		case 5:
			must(m.StateGrad(dz, normal[T](r, len(dz))))(t) // a look elsewhere
		}
		if r.IntN(2) == 0 {
			must(m.ParamGrad(dw))(t)
		}
		fresh := must(arch.Compile(n, w, p))(t)
		clampBoth(fresh)
		copy(fresh.State(), m.State())
		want := evaluate(t, fresh)
		evaluate(t, m).same(t, numbered("step ", step), want)
	}
}

func incremental[T graph.Float](t *testing.T) {
	nets := []*arch.Network{mlp(t, nil, layers.ReLU, 5, 8, 8, 8, 8, 8, 3), resMLP(t, arch.MuPC{}, layers.Tanh, 5, 6, 6, 6, 6, 3), tangled(layers.GELU)}
	for _, batch := range []int{1, 7, 32, 33, 64} {
		for i, n := range nets {
			p := arch.Plan{Batch: batch, Coordinates: arch.Coordinates(i % 2)}
			if batch == 7 || batch == 33 {
				p.Coordinates, p.Energy = arch.Coordinates((i+1)%2), everything
				p.FreeInput, p.FreeOutput = i > 0, i == 2
			}
			if batch == 32 {
				p.Energy = energy.PC{Output: energy.Categorical{Precision: .01}}
			}
			t.Run(numbered("batch ", batch)+numbered(" net ", i), func(t *testing.T) { walk[T](t, n, p) })
		}
	}
}

// TestModel_IncrementalEvaluationIsExact: see walk.
func TestModel_IncrementalEvaluationIsExact(t *testing.T) {
	forBoth(t, incremental[float32], incremental[float64])
}
