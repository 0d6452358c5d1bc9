package train_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// bpTol is the rounding of some hundred float64 operations, relative to each weight's gradient.
const bpTol = 1e-12

// TestFeedforward_IsBackprop holds loss and gradient of the feedforward coordinates against plain loops.
func TestFeedforward_IsBackprop(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	worst := 0.0
	everyTask(t, layers.Acts(), func(t *testing.T, c arch.Chain, softmax bool) {
		for _, s := range []arch.Scaling{arch.SP{}, arch.NTP{}, arch.MuPC{Gamma: .5}} {
			for _, bias := range []bool{false, true} {
				c.Scaling, c.Bias = s, bias
				k := newTask(t, c, softmax, 1)
				m := k.model(t, arch.Feedforward, 1)
				loss, want := k.plainGrad()
				f, err := m.Energy()
				ok(t, err)
				if d := relative([]float64{f}, []float64{loss}); !(d <= bpTol) {
					t.Errorf("%v bias=%v: loss %.15g, want %.15g", s, bias, f, loss)
				}
				d := k.worstField(paramGrad(t, m), want)
				if !(d <= bpTol) {
					t.Errorf("%v bias=%v: gradient off by %.1e", s, bias, d)
				}
				worst = max(worst, d)
			}
		}
	})
	t.Logf("largest relative difference of a weight's gradient: %.1e", worst)
}
