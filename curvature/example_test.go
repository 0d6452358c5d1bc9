package curvature_test

import (
	"context"
	"fmt"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/curvature"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
)

// origin is a tanh network with all weights zero, by predictive coding or by backprop, with a sample clamped.
func origin(coordinates arch.Coordinates) *arch.Model[float64] {
	net, err := arch.Chain{Act: layers.Tanh, Widths: []int{2, 3, 3, 1}}.Network()
	check(err)
	var fields []graph.Field
	for _, w := range net.Weights() {
		fields = append(fields, graph.Field{Name: w.Name, Shape: w.Param.Shape})
	}
	m, err := arch.Compile(net, graph.NewVector[float64](fields...), arch.Plan{Batch: 1, Coordinates: coordinates})
	check(err)
	check(m.Clamp([]float64{1, .5}, []float64{2}))
	check(m.Forward())
	return m
}

// The origin of a nonlinear network with two hidden layers: the loss is flat there, the energy at equilibrium is a strict saddle, whose
// lowest eigenvalue is -y^2.
func ExampleAt() {
	ctx := context.Background()
	for _, coordinates := range []arch.Coordinates{arch.Feedforward, arch.Activities} {
		m := origin(coordinates)
		_, err := curvature.Equilibrate(ctx, m, curvature.Options{})
		check(err)
		c, err := curvature.At(ctx, m, curvature.Options{})
		check(err)
		p, err := c.Judge(theory.Lanczos{}, 0)
		check(err)
		fmt.Printf("%v: %v\n", coordinates, p)
	}
	// Output:
	// feedforward: flat: energy 2, gradient 0, eigenvalues from 0 to 0
	// activities: strict saddle: energy 2, gradient 0, eigenvalues from -4 to 0
}

// Equilibrate says how inference ended.
func ExampleEquilibrate() {
	r, err := curvature.Equilibrate(context.Background(), origin(arch.Activities), curvature.Options{})
	fmt.Println(r.Status, err)
	// Output: converged <nil>
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
