package arch_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// A lateral layer predicts every unit of a site from the others of the same site: here the input from itself. It learns
// from samples whose units are equal; given one unit, inference then finds the others.
func ExampleBlock_lateral() {
	n := &arch.Network{Input: []int{3}, Blocks: []arch.Block{
		{Name: "beside", Layer: layers.Lateral{Width: 3}, From: []string{"x"}, Predicts: "x"},
	}}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		panic(err)
	}
	m, err := arch.Compile(n, w, arch.Plan{Batch: 2, Hold: map[string]arch.Hold{"x": arch.Masked}})
	if err != nil {
		panic(err)
	}
	if err := m.Clamp([]float64{1, 1, 1, -2, -2, -2}, nil); err != nil {
		panic(err)
	}
	grad := make([]float64, len(w.Data()))
	for range 200 {
		if _, err := m.ParamGrad(grad); err != nil {
			panic(err)
		}
		for i, g := range grad {
			w.Data()[i] -= .1 * g
		}
		w.Touch()
	}
	if err := m.Mask("x", []float64{0, 1, 0}); err != nil { // the middle unit is given, the others are not
		panic(err)
	}
	if err := m.Clamp([]float64{0, 3, 0, 0, .5, 0}, nil); err != nil {
		panic(err)
	}
	if err := m.Forward(); err != nil {
		panic(err)
	}
	dz := make([]float64, len(m.State()))
	if _, _, err := m.FusedSteps(dz, m.State(), .2, 500); err != nil {
		panic(err)
	}
	fmt.Printf("%.3f\n", m.State())
	// Output: [3.000 3.000 3.000 0.500 0.500 0.500]
}
