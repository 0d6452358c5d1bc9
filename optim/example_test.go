package optim_test

import (
	"fmt"

	"github.com/pcgraph/pcgraph/optim"
)

// An optimiser moves any slice in place, weights and activities alike: here w to the minimum of (w - 3)^2 / 2.
func ExampleOptimizer() {
	for _, o := range []optim.Optimizer[float64]{
		&optim.SGD[float64]{Rate: .5},
		&optim.Momentum[float64]{Rate: .1, Mu: .5},
		&optim.Adam[float64]{Rate: .1},
	} {
		w := []float64{0}
		for range 200 {
			o.Step(w, []float64{w[0] - 3})
		}
		fmt.Printf("%.2f\n", w[0])
	}
	// Output:
	// 3.00
	// 3.00
	// 3.00
}

// A Span gives a part of the weights a rate of its own.
func ExampleSpan() {
	o := &optim.SGD[float64]{Rate: 1, Spans: []optim.Span{{Lo: 1, Hi: 2, Factor: .1}}}
	w := []float64{0, 0}
	o.Step(w, []float64{1, 1})
	fmt.Println(w)
	// Output: [-1 -0.1]
}

// Clip bounds the norm of the gradient before another optimiser sees it.
func ExampleClip() {
	o := &optim.Clip[float64]{Max: 1, Opt: &optim.SGD[float64]{Rate: 1}}
	w := []float64{0, 0}
	o.Step(w, []float64{30, 40})
	fmt.Println(w)
	// Output: [-0.6 -0.8]
}
