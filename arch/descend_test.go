package arch_test

import (
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// descendsAsOneByOne holds Descend against StateGrad and optim.SGD in turn: every bit of the activities, the gradient, the
// energy, its terms and the weight gradient afterwards.
func descendsAsOneByOne[T graph.Float](t *testing.T, n *arch.Network, p arch.Plan) {
	w := weightsOf[T](t, n, 1)
	fast, slow := compile(t, n, w, p), compile(t, n, w, p)
	const rate = .1
	sgd := &optim.SGD[T]{Rate: rate}
	for _, moves := range []int{1, 2, 3, 9} {
		for _, m := range []*arch.Model[T]{fast, slow} {
			ok(t, m.Forward())
			if p.FreeInput {
				copy(m.State(), normal[T](rng(5), 3))
			}
		}
		size := len(fast.State())
		got, want := make([]T, size), make([]T, size)
		if moves == 3 { // as infer.Run does it: the first evaluation has been made already
			must(fast.StateGrad(got, fast.State()))(t)
		}
		f, done, err := fast.FusedSteps(got, fast.State(), rate, moves)
		if err != nil || !done {
			t.Fatalf("%d moves: done %v, error %v", moves, done, err)
		}
		terms := make([]float64, len(fast.Terms()))
		fast.TermEnergies(terms)
		var g float64
		for range moves {
			g = must(slow.StateGrad(want, slow.State()))(t)
			sgd.Step(slow.State(), want)
		}
		slowTerms := make([]float64, len(terms))
		slow.TermEnergies(slowTerms)
		if f != g || !slices.Equal(terms, slowTerms) || !slices.Equal(got, want) || !slices.Equal(fast.State(), slow.State()) {
			t.Fatalf("%d moves: energy %v, one by one %v; gradients equal: %v, activities equal: %v", moves, f, g,
				slices.Equal(got, want), slices.Equal(fast.State(), slow.State()))
		}
		evaluate(t, fast).same(t, numbered("after moves: ", moves), evaluate(t, slow))
		for i := range w.Data() {
			w.Data()[i] *= 1.1
		}
		w.Touch()
	}
}

func descends[T graph.Float](t *testing.T) {
	nets := []*arch.Network{mlp(t, nil, layers.ReLU, 5, 8, 8, 8, 8, 8, 3), resMLP(t, arch.MuPC{}, layers.Tanh, 5, 6, 6, 6, 6, 3), tangled(layers.GELU)}
	for _, batch := range []int{1, 7, 32, 65} {
		for i, n := range nets {
			for _, p := range []arch.Plan{
				{}, {Coordinates: arch.Errors}, {Energy: everything}, {FreeInput: true, FreeOutput: true, Energy: everything},
				{Energy: energy.PC{Output: energy.Categorical{Precision: .1}}},
			} {
				p.Batch = batch
				t.Run(numbered("batch ", batch)+numbered(" net ", i)+" "+planName(p), func(t *testing.T) { descendsAsOneByOne[T](t, n, p) })
			}
		}
	}
}

func TestModel_DescendIsOneByOneToTheBit(t *testing.T) {
	forBoth(t, descends[float32], descends[float64])
}

// TestModel_DescendLeavesActivitiesAloneWhenNumbersGoWrong: whoever asked can then go step by step and see where.
func TestModel_DescendLeavesActivitiesAloneWhenNumbersGoWrong(t *testing.T) {
	n := mlp(t, nil, layers.ReLU, 5, 8, 8, 3)
	m := compile(t, n, weightsOf[float32](t, n, 1), arch.Plan{Batch: 40})
	ok(t, m.Forward())
	start, grad := slices.Clone(m.State()), make([]float32, len(m.State()))
	if _, done, err := m.FusedSteps(grad, m.State(), 1e6, 50); done || err != nil {
		t.Fatalf("a rate of a million: done %v, error %v", done, err)
	}
	if !slices.Equal(m.State(), start) || math.Abs(float64(grad[0])) != 0 {
		t.Error("activities or gradient were written")
	}
	if _, done, err := m.FusedSteps(grad, m.State(), 1e-2, 50); !done || err != nil {
		t.Errorf("afterwards: done %v, error %v", done, err)
	}
}

func TestModel_DescendAllocatesNothing(t *testing.T) {
	n := mlp(t, nil, layers.ReLU, 5, 8, 8, 3)
	m := compile(t, n, weightsOf[float32](t, n, 1), arch.Plan{Batch: 70})
	grad := make([]float32, len(m.State()))
	if a := testing.AllocsPerRun(20, func() {
		ok(t, m.Forward())
		_, done, err := m.FusedSteps(grad, m.State(), .1, 5)
		if !done || err != nil {
			t.Fatal(done, err)
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}
