package train_test

import (
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// began runs a rule's start on the first batch samples of a task and gives the energy there and the state.
func began(t *testing.T, k *task, m *arch.Model[float64], start train.Start[float64], batch int) (loss float64, z []float64) {
	t.Helper()
	rule := &train.PC[float64]{Model: m, Solver: descent[float64](), Stop: infer.Steps(0), Start: start}
	ok(t, rule.Validate())
	in, out := k.plain.sizes[0], k.plain.sizes[k.plain.depth()]
	r, err := rule.Gradient(make([]float64, len(k.w.Data())), k.x[:batch*in], k.y[:batch*out], batch)
	ok(t, err)
	resized, err := m.Resized(batch)
	ok(t, err)
	return r.Loss, slices.Clone(resized.State())
}

// TestStart_FeedforwardIsNone: the default by name.
func TestStart_FeedforwardIsNone(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		m := k.model(t, c, 1)
		want, z := began(t, k, m, nil, 4)
		m.State()[3] = 77
		if got, zs := began(t, k, m, train.Feedforward[float64]{}, 4); got != want || !slices.Equal(z, zs) {
			t.Errorf("%v: loss %v, without a start %v", c, got, want)
		}
	}
}

// TestStart_GaussianDrawsAnew: draws of the right spread, independent from batch to batch, the same by seed.
func TestStart_GaussianDrawsAnew(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Widths: []int{5, 800, 3}}, false, 1)
	m := k.model(t, arch.Activities, 1)
	g := &train.Gaussian[float64]{Std: .05, Seed: 3}
	_, first := began(t, k, m, g, 4)
	_, second := began(t, k, m, g, 4)
	_, again := began(t, k, m, &train.Gaussian[float64]{Std: .05, Seed: 3}, 4)
	if slices.Equal(first, second) || !slices.Equal(first, again) {
		t.Error("want other draws in the next batch, and the same from the same seed")
	}
	sum, square, both := 0., 0., 0.
	for i, v := range first {
		sum, square, both = sum+v, square+v*v, both+v*second[i]
	}
	n := float64(len(first)) // 3200 draws: one standard error of the mean is .0009, of the spread .0006, of the product 4.4e-5
	if math.Abs(sum/n) > .004 || math.Abs(math.Sqrt(square/n)-.05) > .003 || math.Abs(both/n) > 2e-4 {
		t.Errorf("mean %.4f, spread %.4f, product with the next %.2g", sum/n, math.Sqrt(square/n), both/n)
	}
	if _, zero := began(t, k, m, &train.Gaussian[float64]{}, 4); slices.ContainsFunc(zero, func(v float64) bool { return v != 0 }) {
		t.Error("a spread of zero does not start at zero")
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		rule := &train.PC[float64]{Model: m, Solver: descent[float64](), Stop: infer.Steps(1), Start: &train.Gaussian[float64]{Std: bad}}
		says(t, "a bad spread", rule.Validate(), "PC: Gaussian: Std")
	}
}

// TestStart_PreviousGoesOn: three inferences of ten steps on one batch are one of thirty, to the last bit.
func TestStart_PreviousGoesOn(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	for _, c := range []arch.Coordinates{arch.Activities, arch.Errors} {
		one := &train.PC[float64]{Model: k.model(t, c, 1), Solver: descent[float64](), Stop: infer.Steps(30)}
		start := &train.Previous[float64]{}
		three := &train.PC[float64]{Model: k.model(t, c, 1), Solver: descent[float64](), Stop: infer.Steps(10), Start: start}
		want, got := make([]float64, len(k.w.Data())), make([]float64, len(k.w.Data()))
		_, err := one.Gradient(want, k.x, k.y, k.batch)
		ok(t, err)
		for i := range 3 {
			_, err := three.Gradient(got, k.x, k.y, k.batch)
			ok(t, err)
			if fresh := start.Fresh(); fresh != 0 && i > 0 || i == 0 && fresh != k.batch {
				t.Errorf("%v: batch %d: %d samples are fresh", c, i, fresh)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: three inferences of ten steps are not one of thirty: gradients differ by %.1e", c, relative(got, want))
		}
		start.Reset()
		_, err = three.Gradient(got, k.x, k.y, k.batch)
		ok(t, err)
		if start.Fresh() != k.batch || slices.Equal(got, want) {
			t.Errorf("%v: after Reset %d samples are fresh", c, start.Fresh())
		}
	}
}

// TestStart_PreviousTakesOtherBatches: sample by sample, those that have a past go on from it and those that have none start
// at the feedforward pass.
func TestStart_PreviousTakesOtherBatches(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	m := k.model(t, arch.Activities, 1)
	start := &train.Previous[float64]{}
	rows := func(batch int) [][]float64 { // by sample
		_, z := began(t, k, m, start, batch)
		resized, err := m.Resized(batch)
		ok(t, err)
		out := make([][]float64, batch)
		for i := range resized.StateVector().Fields() {
			part := resized.StateVector().Part(z, i)
			w := len(part) / batch
			for s := range batch {
				out[s] = append(out[s], part[s*w:(s+1)*w]...)
			}
		}
		return out
	}
	feedforward := rows(4)
	move := func(batch int, by float64) {
		resized, err := m.Resized(batch)
		ok(t, err)
		for i := range resized.State() {
			resized.State()[i] += by
		}
	}
	check := func(what string, got [][]float64, fresh int, by ...float64) {
		t.Helper()
		if start.Fresh() != fresh {
			t.Errorf("%s: %d samples are fresh, want %d", what, start.Fresh(), fresh)
		}
		for s, b := range by {
			for j, v := range got[s] {
				if math.Abs(v-feedforward[s][j]-b) > 1e-14 {
					t.Fatalf("%s: sample %d starts %v from the feedforward pass, want %v", what, s, v-feedforward[s][j], b)
				}
			}
		}
	}
	check("first", feedforward, 4, 0, 0, 0, 0)
	move(4, 1)
	check("fewer", rows(3), 0, 1, 1, 1)
	move(3, 1)
	check("more", rows(4), 1, 2, 2, 2, 0)
	move(4, math.NaN())
	check("after NaN", rows(4), 4, 0, 0, 0, 0)

	other := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	rule := &train.PC[float64]{Model: other.model(t, arch.Activities, 1), Solver: descent[float64](), Stop: infer.Steps(0), Start: start}
	_, err := rule.Gradient(make([]float64, len(other.w.Data())), other.x, other.y, 4)
	says(t, "another network", err, "Previous", "another network's")
}

// TestStart_PreviousInAStream: on a slowly turning input few steps a batch track the equilibrium that they do not reach from the
// feedforward pass.
func TestStart_PreviousInAStream(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, false, 1)
	grad := make([]float64, len(k.w.Data()))
	energies := func(start train.Start[float64], steps int) (last float64) {
		rule := &train.PC[float64]{Model: k.model(t, arch.Activities, 1), Solver: descent[float64](), Stop: infer.Steps(steps), Start: start}
		x := slices.Clone(k.x)
		for i := range 60 {
			for j := range x {
				x[j] = k.x[j] * math.Cos(float64(i)/50)
			}
			r, err := rule.Gradient(grad, x, k.y, k.batch)
			ok(t, err)
			last = r.Energy
		}
		return last
	}
	end, few, stream := energies(nil, 800), energies(nil, 3), energies(&train.Previous[float64]{}, 3)
	t.Logf("energy at the end %.5f, after three steps a batch from the feedforward pass %.5f, from the batch before %.5f", end, few, stream)
	if !(stream-end < (few-end)/10) {
		t.Errorf("energy %v from the batch before, %v from the feedforward pass, %v at equilibrium", stream, few, end)
	}
}
