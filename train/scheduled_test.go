package train_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// TestScheduled_ConstantIsPC: with constant weights inference and update are those of predictive coding, with momentum too.
func TestScheduled_ConstantIsPC(t *testing.T) {
	everyTask(t, []layers.Act{layers.Tanh}, func(t *testing.T, c arch.Chain, softmax bool) {
		k := newTask(t, c, softmax, 1)
		for _, precision := range []float64{1, .3} {
			m := k.model(t, arch.Activities, precision)
			pc := func() train.PC[float64] {
				return train.PC[float64]{Model: m, Solver: &infer.Descent[float64]{Optimizer: &optim.Momentum[float64]{Rate: .1, Mu: .5}}, Stop: infer.Steps(6)}
			}
			rule := pc()
			want, w := gradient(t, &rule, k.x, k.y, k.batch)
			got, g := gradient(t, &rules.Scheduled[float64]{PC: pc()}, k.x, k.y, k.batch)
			if d := relative(got, want); !(d <= 1e-12) || relative([]float64{g.Loss, g.Energy}, []float64{w.Loss, w.Energy}) > 1e-12 {
				t.Errorf("off by %.1e; loss and energy %g, %g, want %g, %g", d, g.Loss, g.Energy, w.Loss, w.Energy)
			}
		}
	})
}

// TestScheduled_ForwardUpdateAfterOneStep on a network that is no chain: backprop's at the output, the rate times backprop's a block
// before it, and nothing where the error has not come.
func TestScheduled_ForwardUpdateAfterOneStep(t *testing.T) {
	n := reachingBack()
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(3, 3)))
	ok(t, err)
	k := newTask(t, arch.Chain{Act: layers.Tanh}, false, 1)
	const rate = .2
	bp, _ := gradient(t, &train.Backprop[float64]{Model: compiled(t, n, w, arch.Plan{Batch: 4, Coordinates: arch.Feedforward})}, k.x, k.y, 4)
	for _, schedule := range []rules.Schedule{nil, rules.Spiking{Rest: .01}, rules.Decaying{}} {
		r := &rules.Scheduled[float64]{Schedule: schedule, Update: rules.ForwardUpdate, PC: train.PC[float64]{Model: compiled(t, n, w, arch.Plan{Batch: 4}), Solver: plainDescent[float64](rate), Stop: infer.Steps(1)}}
		got, _ := gradient(t, r, k.x, k.y, 4)
		for i, f := range w.Fields() {
			want, factor := w.Part(bp, i), 0.
			switch {
			case strings.HasPrefix(f.Name, "d/"):
				factor = 1
			case strings.HasPrefix(f.Name, "c/"):
				factor = rate
			case strings.HasPrefix(f.Name, "b/"):
				continue // it is read by c too, whose error has not come
			}
			for j, g := range w.Part(got, i) {
				if d := g - factor*want[j]; !(d < 1e-14 && d > -1e-14) {
					t.Fatalf("schedule %T: gradient of %s is %g, want %g times %g", schedule, f.Name, g, factor, want[j])
				}
			}
		}
	}
}

// TestScheduled_RefusesWhatItDoesNotFit with errors that say what does.
func TestScheduled_RefusesWhatItDoesNotFit(t *testing.T) {
	n, err := arch.MLP(nil, layers.Tanh, 2, 3, 2)
	ok(t, err)
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	rule := func(p arch.Plan, change func(r *rules.Scheduled[float64])) error {
		r := &rules.Scheduled[float64]{PC: train.PC[float64]{Model: compiled(t, n, w, p), Solver: plainDescent[float64](.1), Stop: infer.Steps(3)}}
		change(r)
		return r.Validate()
	}
	none := func(*rules.Scheduled[float64]) {}
	ok(t, rule(arch.Plan{}, none))
	says(t, "errors", rule(arch.Plan{Coordinates: arch.Errors}, none), "Scheduled", "arch.Activities")
	says(t, "another energy", rule(arch.Plan{Energy: energy.Sum{energy.PC{}, energy.ActivityDecay{Rate: .1}}}, none), "Scheduled", "ActivityDecay", "train.PC takes any")
	says(t, "a hidden precision", rule(arch.Plan{Energy: energy.PC{Hidden: energy.Gaussian{Precision: 2}}}, func(r *rules.Scheduled[float64]) { r.Update = rules.ForwardUpdate }), "unit precision")
	for want, change := range map[string]func(r *rules.Scheduled[float64]){
		"infer.Steps of one or more": func(r *rules.Scheduled[float64]) { r.Stop = infer.Steps(0) },
		"want infer.Steps":           func(r *rules.Scheduled[float64]) { r.Stop = infer.Any{infer.Steps(3)} },
		"use infer.Descent":          func(r *rules.Scheduled[float64]) { r.Solver = &infer.LBFGS[float64]{} },
		"Start":                      func(r *rules.Scheduled[float64]) { r.Start = train.Feedforward[float64]{} },
		"Update 5":                   func(r *rules.Scheduled[float64]) { r.Update = 5 },
		"Rest -1":                    func(r *rules.Scheduled[float64]) { r.Schedule = rules.Spiking{Rest: -1} },
	} {
		says(t, want, rule(arch.Plan{}, change), "Scheduled", want)
	}
}
