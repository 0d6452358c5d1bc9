package theory_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/theory"
)

// The smallest network, z = 2x and y = 3z of numbers, clamped to x = 1 and y = 1: F = 1/2 (z - 2)^2 + 1/2 (1 - 3z)^2 is least at
// z = 1/2. The squared residual 1 - 6 is divided by the rescaling 1 + 3^2.
func ExampleLinear_Equilibrium() {
	number := func(v float64) *mat.Dense { return mat.NewDense(1, 1, []float64{v}) }
	n := theory.Linear{Weights: []*mat.Dense{number(2), number(3)}}
	e, err := n.Equilibrium(number(1), number(1))
	if err != nil {
		panic(err)
	}
	fmt.Printf("z %.2f, F %.2f, rescaling %.0f\n", e.Activities[0].At(0, 0), e.Energy, e.Rescaling.At(0, 0))
	// Output: z 0.50, F 1.25, rescaling 10
}
