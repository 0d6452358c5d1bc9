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

// Plain gradient descent with weight decay: w <- w - Rate (g + Decay w).
func ExampleSGD() {
	o := &optim.SGD[float64]{Rate: .5, Decay: .1}
	w := []float64{2}
	o.Step(w, []float64{1})
	fmt.Println(w)
	// Output: [1.4]
}

func ExampleMomentum() {
	o := &optim.Momentum[float64]{Rate: .5, Mu: .5}
	w := []float64{0}
	for range 3 {
		o.Step(w, []float64{1})
		fmt.Println(w)
	}
	// Output:
	// [-0.5]
	// [-1.25]
	// [-2.125]
}

// The first step of Adam has the length of its rate, whatever the gradient is.
func ExampleAdam() {
	o := &optim.Adam[float64]{Rate: .1}
	w := []float64{0, 0}
	o.Step(w, []float64{3, -1e-4})
	fmt.Printf("%.3f\n", w)
	// Output: [-0.100 0.100]
}

// The decay does not go through the moments.
func ExampleAdamW() {
	o := &optim.AdamW[float64]{Rate: .1, Decay: .5}
	w := []float64{2}
	o.Step(w, []float64{0})
	fmt.Printf("%.3f\n", w)
	// Output: [1.900]
}

// A schedule changes the rate of any optimiser.
func ExampleRater() {
	var o optim.Optimizer[float64] = &optim.SGD[float64]{Rate: .1}
	if r, is := o.(optim.Rater); is {
		*r.LearningRate() *= .5
	}
	w := []float64{0}
	o.Step(w, []float64{1})
	fmt.Println(w)
	// Output: [-0.05]
}

// What an optimiser remembers is saved and restored by its state.
func ExampleStateful() {
	trained, restored := &optim.Momentum[float64]{Rate: 1, Mu: .5}, &optim.Momentum[float64]{Rate: 1, Mu: .5}
	w := []float64{0}
	trained.Step(w, []float64{1})

	from, to := trained.State(1), restored.State(1)
	copy(to.Slots[0], from.Slots[0])
	*to.Steps = *from.Steps
	restored.Step(w, []float64{1})
	fmt.Println(w, *to.Steps)
	// Output: [-2.5] 2
}

// A step in pieces, which may run on several cores, has the bits of Step.
func ExamplePiecewise() {
	var o optim.Piecewise[float64] = &optim.SGD[float64]{Rate: .1}
	w, grad := []float64{0, 0, 0}, []float64{1, 2, 3}
	o.Begin(w, grad)
	o.Piece(w, grad, 2, 3)
	o.Piece(w, grad, 0, 2)
	fmt.Printf("%.1f\n", w)
	// Output: [-0.1 -0.2 -0.3]
}

func ExampleNorm() {
	fmt.Println(optim.Norm([]float32{3, 4}))
	// Output: 5
}

func ExampleChangesGradient() {
	sgd := &optim.SGD[float64]{Rate: .1}
	fmt.Println(optim.ChangesGradient(sgd), optim.ChangesGradient(&optim.Clip[float64]{Max: 1, Opt: sgd}))
	// Output: false true
}

func ExampleFits() {
	o := &optim.SGD[float64]{Rate: .1}
	o.Step(make([]float64, 3), make([]float64, 3))
	fmt.Println(optim.Fits(o, 3), optim.Fits(o, 4) != nil)
	// Output: <nil> true
}
