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

// TestZIL_IsBackprop: unit steps of every sample's activities from the feedforward pass, the weights of layer l read at
// step L-l, give backprop's gradient (Song et al. 2020, "Can the brain do backpropagation? - exact implementation of
// backpropagation in predictive coding networks").
func TestZIL_IsBackprop(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	worst := 0.0
	everyTask(t, layers.Acts(), func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 2)
		_, want := k.plainGrad()
		m := k.model(t, arch.Activities, 1)
		got, dz := make([]float64, len(want)), make([]float64, len(m.State()))
		depth := k.plain.depth()
		for step := range depth {
			now := paramGrad(t, m)
			for i, p := range k.net.Weights() {
				if l := int(p.Name[len("block")] - '0'); l == depth-step {
					copy(k.w.Part(got, i), k.w.Part(now, i))
				}
			}
			_, err := m.StateGrad(dz, m.State())
			ok(t, err)
			for i := range dz {
				m.State()[i] -= dz[i]
			}
		}
		d := k.worstField(got, want)
		if !(d <= bpTol) {
			t.Errorf("off by %.1e of plain loops", d)
		}
		if e := k.worstField(got, paramGrad(t, k.model(t, arch.Feedforward, 1))); !(e <= bpTol) {
			t.Errorf("off by %.1e of the feedforward coordinates", e)
		}
		if early := k.worstField(paramGrad(t, m), want); early < 1e-3 {
			t.Errorf("all weights read at the last step are off by %.1e only: the test would not see a wrong step", early)
		}
		worst = max(worst, d)
	})
	t.Logf("largest relative difference of a weight's gradient: %.1e", worst)
}

// TestFixedPredictions_AreBackprop: when mu and its Jacobians are held at the feedforward pass, L unit steps or more
// lead to errors that are backprop's, and so is the weight gradient (Millidge et al. 2020, "Predictive coding
// approximates backprop along arbitrary computation graphs", the fixed-prediction assumption).
//
// The model is asked at points where one layer alone is off the feedforward pass: there z_{l-1} is at its feedforward
// value, so that dF_i/dz_{l-1} = -J_l^T e_l and dF/dW_l are those of the fixed prediction.
func TestFixedPredictions_AreBackprop(t *testing.T) {
	if underRace {
		t.Skip("statistics")
	}
	worst := 0.0
	everyTask(t, layers.Acts(), func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 3)
		_, want := k.plainGrad()
		depth := k.plain.depth()
		for _, steps := range []int{depth - 2, depth, depth + 1, 3 * depth} {
			m := k.model(t, arch.Activities, 1)
			mu := append([]float64(nil), m.State()...)
			fields := m.StateVector()
			// alone evaluates with the error of hidden layer l (from 0; depth-1 is the output's) as the only one.
			errs := make([]float64, len(mu))
			alone := func(l int) (dz, dw []float64) {
				copy(m.State(), mu)
				if l < depth-1 {
					lo, hi := fields.Span(l)
					for i := lo; i < hi; i++ {
						m.State()[i] += errs[i]
					}
				}
				dz = make([]float64, len(mu))
				_, err := m.StateGrad(dz, m.State())
				ok(t, err)
				return dz, paramGrad(t, m)
			}
			for range steps {
				next := make([]float64, len(errs))
				for l := range depth - 1 { // dz_l = -e_l + J_{l+1}^T e_{l+1}, times the rate of one
					above, _ := alone(l + 1)
					part := fields.Part(next, l)
					for i, g := range fields.Part(above, l) {
						part[i] = -g
					}
				}
				errs = next
			}
			got := make([]float64, len(want))
			for i, p := range k.net.Weights() {
				l := int(p.Name[len("block")] - '1')
				_, dw := alone(l)
				copy(k.w.Part(got, i), k.w.Part(dw, i))
			}
			d := k.worstField(got, want)
			if steps < depth-1 {
				if d < .1 {
					t.Errorf("%d steps already are off by %.1e only: the errors cannot have travelled", steps, d)
				}
				continue
			}
			if !(d <= bpTol) {
				t.Errorf("%d steps: off by %.1e", steps, d)
			}
			worst = max(worst, d)
		}
	})
	t.Logf("largest relative difference of a weight's gradient: %.1e", worst)
}
