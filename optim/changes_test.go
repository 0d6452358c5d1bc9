package optim

import (
	"slices"
	"testing"
)

// silent is an optimiser of somebody else, which does not say what it does to its gradient.
type silent struct{ SGD[float64] }

func (*silent) ChangesGradient(int) {} // another method of that name

// TestChangesGradient_SaysWhatAStepDoes steps each optimiser with a large gradient and looks whether it is as it was.
func TestChangesGradient_SaysWhatAStepDoes(t *testing.T) {
	sgd := &SGD[float64]{Rate: .1, Decay: .1}
	for name, o := range map[string]Optimizer[float64]{
		"SGD": sgd, "Momentum": &Momentum[float64]{Rate: .1, Mu: .9, Nesterov: true}, "Adam": &Adam[float64]{Rate: .1},
		"AdamW": &AdamW[float64]{Rate: .1, Decay: .1}, "Clip": &Clip[float64]{Max: 1, Opt: &SGD[float64]{Rate: .1}},
		"Clip of Clip": &Clip[float64]{Max: 10, Opt: &Clip[float64]{Max: 1, Opt: &SGD[float64]{Rate: .1}}},
	} {
		grad := []float64{30, -40}
		o.Step([]float64{1, 2}, grad)
		if changed := !slices.Equal(grad, []float64{30, -40}); ChangesGradient(o) != changed {
			t.Errorf("%s: ChangesGradient is %v, and the gradient is %v after a step", name, ChangesGradient(o), grad)
		}
	}
	if !ChangesGradient[float64](&silent{}) {
		t.Error("an optimiser that does not say so is taken to leave its gradient")
	}
}
