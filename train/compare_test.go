package train_test

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train/analysis"
)

func TestAgree_ByHand(t *testing.T) {
	tests := []struct {
		g, bp  []float64
		want   analysis.Agreement
		reason string
	}{
		{[]float64{3, 4}, []float64{3, 4}, analysis.Agreement{Cosine: 1, Relative: 0, Ratio: 1}, "equal"},
		{[]float64{3, 4}, []float64{4, 3}, analysis.Agreement{Cosine: 24. / 25, Relative: math.Sqrt2 / 5, Ratio: 1}, "an angle"},
		{[]float64{6, 8}, []float64{3, 4}, analysis.Agreement{Cosine: 1, Relative: 1, Ratio: 2}, "too long"},
		{[]float64{-3, -4}, []float64{3, 4}, analysis.Agreement{Cosine: -1, Relative: 2, Ratio: 1}, "opposite"},
		{[]float64{4, -3}, []float64{3, 4}, analysis.Agreement{Cosine: 0, Relative: math.Sqrt2, Ratio: 1}, "orthogonal"},
		{[]float64{0, 0}, []float64{3, 4}, analysis.Agreement{Cosine: 0, Relative: 1, Ratio: 0}, "nothing has arrived yet"},
		{[]float64{3, 4}, []float64{0, 0}, analysis.Agreement{Cosine: 0, Relative: 5, Ratio: 0}, "backprop's vanishes"},
		{[]float64{0, 0}, []float64{0, 0}, analysis.Agreement{}, "both vanish"},
	}
	for _, test := range tests {
		got := analysis.Agree(test.g, test.bp)
		if math.Abs(got.Cosine-test.want.Cosine) > 1e-15 || math.Abs(got.Relative-test.want.Relative) > 1e-15 || math.Abs(got.Ratio-test.want.Ratio) > 1e-15 {
			t.Errorf("%s: %+v, want %+v", test.reason, got, test.want)
		}
	}
	if got := analysis.Agree([]float32{3, 4}, []float32{4, 3}); math.Abs(got.Cosine-.96) > 1e-15 {
		t.Errorf("float32: %+v", got)
	}
}

// compare runs Compare at an output precision.
func compare(t *testing.T, k *task, precision float64, steps int, at func(int) bool) []analysis.Comparison {
	t.Helper()
	rows, res, err := analysis.Compare[float64](k.model(t, arch.Activities, precision), k.model(t, arch.Feedforward, 1),
		&infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .3}}, infer.Steps(steps), k.x, k.y, 1/precision, at)
	ok(t, err)
	if res.Status != infer.StepLimit || res.Step != steps {
		t.Errorf("%v", res)
	}
	return rows
}

// TestCompare_StartsAtTheLoss: at step 0 the energy is the loss times the precision, all of it in the output's term; the
// last layer has backprop's gradient, and no other has any.
func TestCompare_StartsAtTheLoss(t *testing.T) {
	for _, softmax := range []bool{false, true} {
		k := newTask(t, arch.Chain{Act: layers.Tanh, Bias: true}, softmax, 1)
		const precision = .25
		first := compare(t, k, precision, 3, nil)[0]
		loss, _ := k.plainGrad()
		if first.Step != 0 || math.Abs(first.Energy-precision*loss) > 1e-15 {
			t.Errorf("step %d: energy %.16g, want %.16g", first.Step, first.Energy, precision*loss)
		}
		for i, e := range first.Terms {
			if last := i == len(first.Terms)-1; last && e != first.Energy || !last && e != 0 {
				t.Errorf("terms %v of energy %g", first.Terms, first.Energy)
			}
		}
		for i, a := range first.Params {
			if last := i >= len(first.Params)-2; last && (math.Abs(a.Cosine-1) > 1e-14 || a.Relative > 1e-14) || !last && a != (analysis.Agreement{Relative: 1}) {
				t.Errorf("%s: %+v", k.w.Fields()[i].Name, a)
			}
		}
	}
}

// TestCompare_AgreementRisesWithInference: at a small precision every step brings the gradient nearer to backprop's; the
// error reaches one more layer with each.
func TestCompare_AgreementRisesWithInference(t *testing.T) {
	const steps = 300
	for _, skips := range []bool{false, true} {
		k := newTask(t, arch.Chain{Act: layers.GELU, Bias: true, Skips: skips}, false, 1)
		rows := compare(t, k, 1e-4, steps, nil)
		if len(rows) != steps {
			t.Fatalf("%d rows", len(rows))
		}
		for i, r := range rows {
			if r.Step != i {
				t.Errorf("row %d is of step %d", i, r.Step)
			}
			if i == 0 {
				continue
			}
			before := rows[i-1]
			if r.Whole.Cosine < before.Whole.Cosine-1e-9 || r.Whole.Relative > before.Whole.Relative+1e-6 || r.Energy > before.Energy*(1+1e-14) {
				t.Errorf("skips=%v step %d: %+v, energy %g after %+v, energy %g", skips, i, r.Whole, r.Energy, before.Whole, before.Energy)
			}
			for p, a := range r.Params { // two weights per layer
				if reached := p/2 >= len(r.Params)/2-1-i; (a.Ratio > 0) != reached {
					t.Errorf("skips=%v step %d: %s has %+v", skips, i, k.w.Fields()[p].Name, a)
				}
			}
		}
		last := rows[len(rows)-1]
		t.Logf("skips=%v: cosine %.6f at step 0, %.9f at step %d; relative difference %.2e", skips, rows[0].Whole.Cosine, last.Whole.Cosine, last.Step, last.Whole.Relative)
		if last.Whole.Cosine < .999999 || last.Whole.Relative > 1e-3 {
			t.Errorf("skips=%v: %+v in the end", skips, last.Whole)
		}
	}
}

// TestCompare_LooksWhereItIsTold and refuses models over different weights.
func TestCompare_LooksWhereItIsTold(t *testing.T) {
	k := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	rows := compare(t, k, 1, 10, func(step int) bool { return step%4 == 0 })
	if len(rows) != 3 || rows[0].Step != 0 || rows[1].Step != 4 || rows[2].Step != 8 {
		t.Errorf("rows %+v", rows)
	}
	full := compare(t, k, 1, 10, nil)
	for _, r := range rows { // looking does not disturb
		if f := full[r.Step]; f.Energy != r.Energy || f.Whole != r.Whole {
			t.Errorf("step %d: %+v, with all steps looked at %+v", r.Step, r, f)
		}
	}
	other := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	_, _, err := analysis.Compare[float64](k.model(t, arch.Activities, 1), other.model(t, arch.Feedforward, 1),
		&infer.Descent[float64]{Optimizer: &optim.SGD[float64]{Rate: .3}}, infer.Steps(1), k.x, k.y, 1, nil)
	says(t, "different weights", err, "one slab")
}
