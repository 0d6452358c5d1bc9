package train_test

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
)

// relax descends to the rounding floor: until the gradient is below tol, which must be reached.
func relax(t *testing.T, m *arch.Model[float64], opt optim.Optimizer[float64], tol float64) infer.Result {
	t.Helper()
	res, err := infer.Run(&infer.Descent[float64]{Optimizer: opt}, infer.Problem[float64]{Energy: m.StateGrad}, m.State(),
		infer.Any{infer.Stationary{Tol: tol}, infer.Steps(100000)}, nil)
	ok(t, err)
	if res.Status != infer.Converged {
		t.Fatalf("%v", res)
	}
	return res
}

// activities are z = mu + e of the chain in plain loops, in the order of the slab of an activities model.
func (k *task) activities(em *arch.Model[float64]) []float64 {
	v := em.StateVector()
	z := make([]float64, len(em.State()))
	in := k.plain.sizes[0]
	for i := range k.batch {
		var errs [][]float64
		for l := range v.Fields() {
			n := k.plain.sizes[l+1]
			errs = append(errs, v.Part(em.State(), l)[i*n:(i+1)*n])
		}
		zs := k.plain.forward(k.x[i*in:(i+1)*in], errs)
		for l := range v.Fields() {
			n := k.plain.sizes[l+1]
			copy(v.Part(z, l)[i*n:(i+1)*n], zs[l+1])
		}
	}
	return z
}

// kinks are where an activation's slope jumps.
var kinks = map[layers.Act][]float64{layers.ReLU: {0}, layers.LeakyReLU: {0}, layers.SELU: {0}, layers.HardTanh: {-1, 1}}

// sameSide reports whether no activity lies on another side of a kink in a than in b.
func sameSide(act layers.Act, a, b []float64) bool {
	for _, at := range kinks[act] {
		for i := range a {
			if (a[i] > at) != (b[i] > at) {
				return false
			}
		}
	}
	return true
}

// equilibrium relaxes at a precision and returns PC's weight gradient over the precision, and the activities. In the
// coordinates of errors e = -precision J^T e, of which a step of rate 1 is the fixed-point iteration: it contracts by the
// precision and reaches the rounding floor at once. The activities found are checked to be stationary, and the gradient
// is read, in the coordinates of activities.
func (k *task) equilibrium(t *testing.T, precision float64) (grad, z []float64) {
	t.Helper()
	em := k.model(t, arch.Errors, precision)
	relax(t, em, &optim.SGD[float64]{Rate: 1}, 1e-15*precision)
	m := k.model(t, arch.Activities, precision)
	copy(m.State(), k.activities(em))
	dz := make([]float64, len(m.State()))
	_, err := m.StateGrad(dz, m.State())
	ok(t, err)
	if r := optim.Norm(dz) / math.Sqrt(float64(len(dz))); r > 3e-16 {
		t.Errorf("precision %g: residual %.1e in activities, want the rounding of activities of order 1", precision, r)
	}
	grad = paramGrad(t, m)
	for i := range grad {
		grad[i] /= precision
	}
	return grad, m.State()
}

// precisions span four decades.
var precisions = []float64{1e-2, 1e-3, 1e-4, 1e-5, 1e-6}

// TestSmallPrecision_IsBackprop: at equilibrium, the relative difference between PC's weight gradient over the output's
// precision and backprop's is linear in the precision: slope 1 within .05, from each decade to the next, over four
// decades (Millidge et al. 2022, "Backpropagation at the infinitesimal inference limit of energy-based models").
//
// Where an activation has kinks, linearity holds as long as inference crosses none: data are drawn until it does not at
// the largest precision, which moves the activities farthest.
func TestSmallPrecision_IsBackprop(t *testing.T) {
	lowest, highest := math.Inf(1), math.Inf(-1)
	everyTask(t, layers.Acts(), func(t *testing.T, c arch.Chain, softmax bool) {
		var k *task
		seed := uint64(1)
		for ; ; seed++ {
			k = newTask(t, c, softmax, seed)
			forward := k.model(t, arch.Activities, 1).State()
			if _, z := k.equilibrium(t, precisions[0]); sameSide(c.Act, z, forward) {
				break
			}
			if seed == 50 {
				t.Fatal("every data set crosses a kink")
			}
		}
		_, bp := k.plainGrad()
		var diffs []float64
		for _, p := range precisions {
			g, _ := k.equilibrium(t, p)
			diffs = append(diffs, relative(g, bp))
		}
		for i := 1; i < len(diffs); i++ {
			slope := math.Log10(diffs[i-1] / diffs[i])
			lowest, highest = min(lowest, slope), max(highest, slope)
			if !(math.Abs(slope-1) <= .05) {
				t.Errorf("slope %.4f between precisions %g and %g", slope, precisions[i-1], precisions[i])
			}
		}
		t.Logf("seed %d: relative difference %.2e at precision %g, %.2e at %g", seed, diffs[0], precisions[0], diffs[len(diffs)-1], precisions[len(diffs)-1])
	})
	t.Logf("slopes from decade to decade between %.4f and %.4f", lowest, highest)
}

// TestErrors_ReachTheEquilibriumOfActivities: both coordinates, each by descent from the feedforward pass, find the same
// activities and the same weight gradient at precision 1. Activations with kinks are left out: an equilibrium may lie on
// a kink, where neither gradient vanishes.
func TestErrors_ReachTheEquilibriumOfActivities(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	smooth := []layers.Act{layers.LinearAct, layers.Tanh, layers.Sigmoid, layers.GELU, layers.SiLU}
	worstZ, worstW, most := 0.0, 0.0, 0
	everyTask(t, smooth, func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 5)
		am, em := k.model(t, arch.Activities, 1), k.model(t, arch.Errors, 1)
		a := relax(t, am, &optim.Momentum[float64]{Rate: .2, Mu: .8}, 2e-15)
		e := relax(t, em, &optim.Momentum[float64]{Rate: .1, Mu: .7}, 2e-15)
		dz, dw := relative(k.activities(em), am.State()), k.worstField(paramGrad(t, em), paramGrad(t, am))
		if !(dz <= 1e-12) || !(dw <= 1e-11) {
			t.Errorf("activities off by %.1e, weight gradient by %.1e", dz, dw)
		}
		if math.Abs(a.Energy-e.Energy) > 1e-14 {
			t.Errorf("energies %.16g and %.16g", a.Energy, e.Energy)
		}
		worstZ, worstW, most = max(worstZ, dz), max(worstW, dw), max(most, a.Step, e.Step)
		if _, bp := k.plainGrad(); k.worstField(paramGrad(t, am), bp) < 1e-3 {
			t.Error("this equilibrium is the feedforward pass: it tests nothing")
		}
	})
	t.Logf("largest relative difference: activities %.1e, a weight's gradient %.1e; %d steps at most", worstZ, worstW, most)
}
