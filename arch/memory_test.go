package arch_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// TestModel_SeesChangedWeights: after Touch every evaluation does, after Clamp even without Touch; both models over the
// slab do.
func TestModel_SeesChangedWeights(t *testing.T) {
	n := tangled(layers.Tanh)
	for _, p := range plans() {
		p.Batch, p.Energy = 34, everything
		w := weightsOf[float64](t, n, 1)
		m, other := compile(t, n, w, p), compile(t, n, w, p)
		for round := range 4 {
			for i := range w.Data() {
				w.Data()[i] = .9*w.Data()[i] + .01
			}
			fresh := func() evaluation[float64] {
				f := compile(t, n, w, p)
				copy(f.State(), m.State())
				return evaluate(t, f)
			}
			if round%2 == 0 {
				w.Touch()
			} else {
				clamp(t, m)
				clamp(t, other)
			}
			copy(m.State(), normal[float64](rng(uint64(round)), len(m.State())))
			copy(other.State(), m.State())
			want := fresh()
			evaluate(t, m).same(t, planName(p), want)
			evaluate(t, other).same(t, planName(p)+", second model", want)
			if round == 3 { // Forward sees them too
				w.Data()[0]++
				w.Touch()
				ok(t, m.Forward())
				want := fresh()
				evaluate(t, m).same(t, planName(p)+", after Forward", want)
			}
		}
	}
}

// TestClamp_CopiesItsData: the caller may use its slices again.
func TestClamp_CopiesItsData(t *testing.T) {
	n := tangled(layers.Tanh)
	m := must(arch.Compile(n, weightsOf[float64](t, n, 1), arch.Plan{Batch: 4}))(t)
	x, y := samples[float64](5, 3, 4)
	ok(t, m.Clamp(x, y))
	ok(t, m.Forward())
	want := evaluate(t, m)
	ok(t, m.Clamp(x, y))
	clear(x)
	clear(y)
	ok(t, m.Forward())
	evaluate(t, m).same(t, "after the caller's slices changed", want)
}

func allocatesNothing[T graph.Float](t *testing.T) {
	for _, n := range []*arch.Network{mlp(t, nil, layers.ReLU, 20, 30, 30, 10), resMLP(t, arch.MuPC{}, layers.Tanh, 20, 30, 30, 30, 10), tangled(layers.GELU)} {
		for _, p := range plans() {
			p.Batch = 64
			m := compile(t, n, weightsOf[T](t, n, 1), p)
			in, out := ends(n)
			x, y := samples[T](in, out, 64)
			if p.FreeInput {
				x = nil
			}
			if p.FreeOutput {
				y = nil
			}
			dz, dw, terms := make([]T, len(m.State())), make([]T, len(m.Weights().Data())), make([]float64, len(m.Terms()))
			for _, c := range []struct {
				name string
				call func() error
			}{
				{"Clamp", func() error { return m.Clamp(x, y) }},
				{"Forward", func() error { return m.Forward() }},
				{"StateGrad", func() error { _, err := m.StateGrad(dz, m.State()); return err }},
				{"ParamGrad", func() error { _, err := m.ParamGrad(dw); return err }},
				{"Energy", func() error { _, err := m.Energy(); return err }},
				{"TermEnergies", func() error { m.TermEnergies(terms); return nil }},
			} {
				var failed error
				allocs := testing.AllocsPerRun(5, func() {
					for i := range m.State() {
						m.State()[i] += 1e-3 // something to do
					}
					if err := c.call(); err != nil {
						failed = err
					}
				})
				if allocs != 0 || failed != nil {
					t.Errorf("%s, %s: %g allocations, error %v", planName(p), c.name, allocs, failed)
				}
			}
		}
	}
}

// TestModel_AllocatesNothing: the steps of training, at batch 64.
func TestModel_AllocatesNothing(t *testing.T) {
	forBoth(t, allocatesNothing[float32], allocatesNothing[float64])
}

// cores runs a few steps of learning, large enough to be spread over the cores, on a number of them.
func cores[T graph.Float](t *testing.T, procs int) evaluation[T] {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	n := resMLP(t, arch.SP{}, layers.Tanh, 40, 96, 96, 96, 10)
	w := weightsOf[T](t, n, 1)
	m := compile(t, n, w, arch.Plan{Batch: 161, Energy: everything})
	ok(t, m.Forward())
	dz, dw := make([]T, len(m.State())), make([]T, len(w.Data()))
	for range 3 {
		for range 4 {
			must(m.StateGrad(dz, m.State()))(t)
			for i := range dz {
				m.State()[i] -= T(.1) * dz[i]
			}
		}
		must(m.ParamGrad(dw))(t)
		for i := range dw {
			w.Data()[i] -= T(.01) * dw[i]
		}
		w.Touch()
	}
	return evaluate(t, m)
}

// TestModel_SameBitsOnAnyNumberOfCores: learning on one, two and three cores.
func TestModel_SameBitsOnAnyNumberOfCores(t *testing.T) {
	for _, procs := range []int{2, 3} {
		t.Run(fmt.Sprintf("float32 on %d", procs), func(t *testing.T) {
			cores[float32](t, procs).same(t, "cores", cores[float32](t, 1))
		})
		t.Run(fmt.Sprintf("float64 on %d", procs), func(t *testing.T) {
			cores[float64](t, procs).same(t, "cores", cores[float64](t, 1))
		})
	}
}
