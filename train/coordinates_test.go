package train_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// TestChooseCoordinates_TakesTheOnesInWhichInferenceIsShorter: on networks where one way is clearly shorter, Auto's evaluations in the
// coordinates that were not chosen are more; where both are alike it takes activities.
func TestChooseCoordinates_TakesTheOnesInWhichInferenceIsShorter(t *testing.T) {
	const batch = 8
	for name, c := range map[string]struct {
		chain   arch.Chain
		targets float64
		want    arch.Coordinates
	}{
		"deep":                 {arch.Chain{Act: layers.Tanh, Widths: []int{5, 16, 16, 16, 16, 16, 16, 16, 3}}, .3, arch.Errors},
		"muPC with skips":      {arch.Chain{Act: layers.GELU, Scaling: arch.MuPC{}, Skips: true, Widths: []int{5, 16, 16, 16, 16, 16, 16, 16, 3}}, .3, arch.Errors},
		"not convex in errors": {arch.Chain{Act: layers.Tanh, Skips: true, Widths: []int{5, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 3}}, 1, arch.Activities},
	} {
		n, err := c.chain.Network()
		ok(t, err)
		w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
		ok(t, err)
		x, y := normals(1, batch*5), normals(2, batch*3)
		for i := range y { // of the size of labels, where energies are nearly convex
			y[i] *= c.targets
		}
		choice, err := train.ChooseCoordinates(n, w, arch.Plan{Batch: batch}, x, y)
		ok(t, err)
		if choice.Chosen != c.want || !strings.Contains(choice.Why, "condition") {
			t.Errorf("%s: %+v", name, choice)
		}
		evals := map[arch.Coordinates]int{}
		for _, in := range []arch.Coordinates{arch.Activities, arch.Errors} {
			m := compiled(t, n, w, arch.Plan{Batch: batch, Coordinates: in})
			ok(t, m.Clamp(x, y))
			ok(t, m.Forward())
			r, err := infer.Run(&infer.Auto[float64]{}, train.ProblemOf(m), m.State(), infer.Any{infer.Stationary{Rel: 1e-3}, infer.Steps(600)}, nil)
			ok(t, err)
			evals[in] = r.Evals
		}
		t.Logf("%s: %s; evaluations %v", name, choice.Why, evals)
		if other := arch.Activities + arch.Errors - choice.Chosen; evals[choice.Chosen] > evals[other] {
			t.Errorf("%s: chose %v, and evaluations are %v", name, choice.Chosen, evals)
		}
	}
	lateral := &arch.Network{Input: []int{2}, Blocks: []arch.Block{
		{Name: "h", Layer: layers.Linear{In: 2, Out: 3, Act: layers.Tanh}}, {Name: "y", From: []string{"h"}, Layer: layers.Linear{In: 3, Out: 2}, Output: true},
		{Name: "l", From: []string{"h"}, Predicts: "h", Layer: layers.Lateral{Width: 3}},
	}}
	w, err := arch.NewWeights[float64](lateral, rand.New(rand.NewPCG(1, 1)))
	ok(t, err)
	choice, err := train.ChooseCoordinates(lateral, w, arch.Plan{Batch: 2}, normals(1, 4), normals(2, 4))
	ok(t, err)
	if choice.Chosen != arch.Activities || !strings.Contains(choice.Why, "and 1.7 in prediction errors") {
		t.Errorf("lateral: %+v", choice)
	}
}
