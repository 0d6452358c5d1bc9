package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/theory"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// muPC is a linear residual muPC network at its start, with data, in theory and in the packages under test.
type muPC struct {
	linear theory.Linear
	net    *arch.Network
	w      *graph.Vector[float64]
	x, y   *mat.Dense
}

const (
	limitInputs, limitOutputs, limitBatch = 20, 10, 64
)

func newMuPC(t *testing.T, width, depth int, seed uint64) muPC {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	spec := theory.Spec{Scaling: theory.MuPC, Inputs: limitInputs, Width: width, Outputs: limitOutputs, Depth: depth, Skips: true}
	linear, err := spec.Sample(r)
	ok(t, err)
	sizes := []int{limitInputs}
	for range depth - 1 {
		sizes = append(sizes, width)
	}
	n, err := arch.ResMLP(arch.MuPC{}, layers.LinearAct, append(sizes, limitOutputs)...)
	ok(t, err)
	w, err := arch.NewWeights[float64](n, r)
	ok(t, err)
	for i, m := range linear.Weights {
		copy(w.Part(w.Data(), i), m.RawMatrix().Data)
	}
	w.Touch()
	p := muPC{linear: linear, net: n, w: w, x: mat.NewDense(limitBatch, limitInputs, nil), y: mat.NewDense(limitBatch, limitOutputs, nil)}
	for i := range p.x.RawMatrix().Data {
		p.x.RawMatrix().Data[i] = r.NormFloat64()
	}
	for i := range limitBatch {
		p.y.Set(i, r.IntN(limitOutputs), 1)
	}
	return p
}

// cosines are those between PC's weight gradient at the exact equilibrium and backprop's: by theory's closed forms, and
// by the models, whose state is set to theory's equilibrium and checked to be stationary there.
func (p muPC) cosines(t *testing.T) (closed, measured float64) {
	t.Helper()
	eq, err := p.linear.Equilibrium(p.x, p.y)
	ok(t, err)
	pass, err := p.linear.Feedforward(p.x, p.y)
	ok(t, err)
	closed, err = eq.Gradient().Cosine(pass.Gradient())
	ok(t, err)
	var grads [2][]float64
	for i, c := range []arch.Coordinates{arch.Activities, arch.Feedforward} {
		m, err := arch.Compile(p.net, p.w, arch.Plan{Batch: limitBatch, Coordinates: c})
		ok(t, err)
		ok(t, m.Clamp(p.x.RawMatrix().Data, p.y.RawMatrix().Data))
		if c == arch.Activities {
			for l, z := range eq.Activities {
				copy(m.StateVector().Part(m.State(), l), z.RawMatrix().Data)
			}
			dz := make([]float64, len(m.State()))
			e, err := m.StateGrad(dz, m.State())
			ok(t, err)
			if r := optim.Norm(dz) / math.Sqrt(float64(len(dz))); r > 1e-14 {
				t.Errorf("residual %.1e at theory's equilibrium", r)
			}
			if math.Abs(e/eq.Energy-1) > 1e-12 {
				t.Errorf("energy %.15g at theory's equilibrium, want %.15g", e, eq.Energy)
			}
		}
		grads[i] = paramGrad(t, m)
	}
	var dense []float64
	for _, g := range eq.Gradient().Dense() {
		dense = append(dense, g.RawMatrix().Data...)
	}
	if d := relative(grads[0], dense); d > 1e-12 {
		t.Errorf("weight gradient off theory's by %.1e", d)
	}
	return closed, analysis.Agree(grads[0], grads[1]).Cosine
}

// TestWideMuPC_IsBackprop: linear muPC with skips at the exact equilibrium and at its start has a weight gradient of
// cosine above .99 to backprop's at N = 256, L = 4, and below .95 at N = 8 (arXiv 2505.13124, theorem 1; 2602.07697).
//
// The second half is a statement about a batch. Of one sample the two gradients are nearly parallel at any width, and
// most draws are above .95; the more samples, and the more they disagree, the lower the cosine. With 64 samples of
// N(0, 1) inputs and one-hot or N(0, 1) targets every draw tried was below.
func TestWideMuPC_IsBackprop(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	const seeds, depth = 20, 4
	for _, test := range []struct {
		width int
		holds func(cosine float64) bool
	}{
		{8, func(c float64) bool { return c < .95 }},
		{256, func(c float64) bool { return c > .99 }},
	} {
		lowest, highest, mean, failing := 1.0, 0.0, 0.0, 0
		for seed := range uint64(seeds) {
			closed, measured := newMuPC(t, test.width, depth, seed).cosines(t)
			if math.Abs(closed-measured) > 1e-12 {
				t.Errorf("N=%d seed %d: cosine %.15g measured, %.15g by theory", test.width, seed, measured, closed)
			}
			if !test.holds(measured) {
				failing++
			}
			lowest, highest, mean = min(lowest, measured), max(highest, measured), mean+measured/seeds
		}
		t.Logf("N=%d L=%d, %d seeds: cosine %.4f to %.4f, mean %.4f; the bound fails for %d", test.width, depth, seeds, lowest, highest, mean, failing)
		if failing > 0 {
			t.Errorf("N=%d: %d of %d seeds fail", test.width, failing, seeds)
		}
	}
}
