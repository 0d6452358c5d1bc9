package train_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestHighways_OneStepReachesEverySite: from the feedforward pass each activity that PC would leave moves by rate Strength e_L V_l at
// once, with e_L the negative gradient of the loss, for squares and cross-entropy, with and without skips.
func TestHighways_OneStepReachesEverySite(t *testing.T) {
	everyTask(t, []layers.Act{layers.Tanh}, func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 1)
		m := k.model(t, arch.Activities, 1)
		const rate, strength = .3, .7
		rule := func(strength float64, steps int) *rules.Highways[float64] {
			return &rules.Highways[float64]{Strength: strength, Std: .4, Draw: 3, PC: train.PC[float64]{Model: m, Solver: plainDescent[float64](rate), Stop: infer.Steps(steps)}}
		}
		r := rule(strength, 1)
		roads, err := r.Matrices()
		ok(t, err)
		gradient(t, r, k.x, k.y, k.batch)
		got := slices.Clone(m.State())
		pc := train.PC[float64]{Model: m, Solver: plainDescent[float64](rate), Stop: infer.Steps(1)}
		gradient(t, &pc, k.x, k.y, k.batch)
		mu, err := m.Predict(k.x)
		ok(t, err)
		out := len(mu) / k.batch
		v := m.StateVector()
		for l := range v.Fields() {
			z, plain, road := v.Part(got, l), v.Part(m.State(), l), roads.Part(roads.Data(), l)
			width := len(z) / k.batch
			for i := range k.batch {
				e := make([]float64, out)
				for o := range out {
					e[o] = k.y[i*out+o] - mu[i*out+o]
				}
				if softmax {
					e = crossError(k.y[i*out:(i+1)*out], mu[i*out:(i+1)*out])
				}
				for j := range width {
					want := plain[i*width+j]
					for o := range out {
						want += rate * strength * e[o] * road[o*width+j]
					}
					if d := z[i*width+j] - want; !(d < 1e-13 && d > -1e-13) {
						t.Fatalf("site %d, sample %d, unit %d: %g, want %g", l, i, j, z[i*width+j], want)
					}
				}
			}
		}
		weak, _ := gradient(t, rule(1e-12, 5), k.x, k.y, k.batch)
		pc.Stop = infer.Steps(5)
		want, _ := gradient(t, &pc, k.x, k.y, k.batch)
		if d := relative(weak, want); !(d < 1e-10) {
			t.Errorf("without strength it is off PC by %.1e", d)
		}
	})
}

// crossError is y times the sum of y's mass minus softmax, the negative gradient of the cross-entropy.
func crossError(y, logits []float64) []float64 {
	sum, mass := 0., 0.
	for o, v := range y {
		sum, mass = sum+math.Exp(logits[o]), mass+v
	}
	e := make([]float64, len(y))
	for o := range e {
		e[o] = y[o] - mass*math.Exp(logits[o])/sum
	}
	return e
}

// TestHighways_RefusesWhatItDoesNotFit with errors that say what does.
func TestHighways_RefusesWhatItDoesNotFit(t *testing.T) {
	n, err := arch.MLP(nil, layers.Tanh, 2, 3, 2)
	ok(t, err)
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	rule := func(p arch.Plan, change func(r *rules.Highways[float64])) error {
		r := &rules.Highways[float64]{Strength: 1, Std: 1e-3, PC: train.PC[float64]{Model: compiled(t, n, w, p), Solver: plainDescent[float64](.1), Stop: infer.Steps(3)}}
		change(r)
		return r.Validate()
	}
	none := func(*rules.Highways[float64]) {}
	ok(t, rule(arch.Plan{}, none))
	says(t, "errors", rule(arch.Plan{Coordinates: arch.Errors}, none), "Highways", "arch.Activities")
	says(t, "another energy", rule(arch.Plan{Energy: energy.Sum{energy.PC{}, energy.ActivityDecay{Rate: .1}}}, none), "Highways", "ActivityDecay", "train.PC takes any")
	for want, change := range map[string]func(r *rules.Highways[float64]){
		"Strength 0":        func(r *rules.Highways[float64]) { r.Strength = 0 },
		"Std -1":            func(r *rules.Highways[float64]) { r.Std = -1 },
		"use infer.Descent": func(r *rules.Highways[float64]) { r.Solver = &infer.LBFGS[float64]{} },
	} {
		says(t, want, rule(arch.Plan{}, change), "Highways", want)
	}
}
