package arch_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/layers"
)

// small is a model of a chain of widths 2, 3, 1 with linear layers, all weights 1/2, and one sample.
func small(c arch.Coordinates) *arch.Model[float64] {
	n, err := arch.Chain{Widths: []int{2, 3, 1}}.Network()
	if err != nil {
		panic(err)
	}
	w, err := arch.NewWeights[float64](n, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		panic(err)
	}
	for i := range w.Data() {
		w.Data()[i] = .5
	}
	w.Touch()
	m, err := arch.Compile(n, w, arch.Plan{Batch: 1, Coordinates: c})
	if err != nil {
		panic(err)
	}
	if err := m.Clamp([]float64{1, 3}, []float64{2}); err != nil {
		panic(err)
	}
	if err := m.Forward(); err != nil {
		panic(err)
	}
	return m
}

func ExampleMLP() {
	n, err := arch.MLP(arch.MuPC{}, layers.Tanh, 784, 128, 10)
	if err != nil {
		panic(err)
	}
	for _, w := range n.Weights() {
		fmt.Println(w.Name, w.Param.Shape)
	}
	// Output:
	// block1/W [784 128]
	// block1/b [128]
	// block2/W [128 10]
	// block2/b [10]
}

// At the feedforward pass only the last block has an error, e = -1, and dF/dW = -z e = 2.
func ExampleModel_ParamGrad() {
	m := small(arch.Activities)
	dw := make([]float64, len(m.Weights().Data()))
	f, err := m.ParamGrad(dw)
	fmt.Println(f, dw, err)
	// Output: 0.5 [0 0 0 0 0 0 2 2 2] <nil>
}

// PC and backpropagation differ in one field of the Plan.
func ExampleCoordinates() {
	m := small(arch.Feedforward)
	dw := make([]float64, len(m.Weights().Data()))
	f, err := m.ParamGrad(dw)
	fmt.Println(f, dw, err)
	// Output: 0.5 [0.5 0.5 0.5 1.5 1.5 1.5 2 2 2] <nil>
}

func ExampleModel_Predict() {
	m := small(arch.Activities)
	y, err := m.Predict([]float64{1, 3, 0, 2}) // two samples
	fmt.Println(y, err)
	// Output: [3 1.5] <nil>
}

func ExampleModel_FusedSteps() {
	m := small(arch.Activities)
	dz := make([]float64, len(m.State()))
	f, ok, err := m.FusedSteps(dz, m.State(), .5, 20)
	fmt.Printf("%.4f %v %v %.4f\n", f, ok, err, m.State()) // 1/2 e^2 / (1 + 3/4)
	// Output: 0.2857 true <nil> [1.7143 1.7143 1.7143]
}

// The network is linear, so that one Gauss-Newton step in the coordinates of errors is the equilibrium.
func ExampleModel_Newton() {
	m := small(arch.Errors)
	z := m.State()
	grad, step := make([]float64, len(z)), make([]float64, len(z))
	if _, err := m.StateGrad(grad, z); err != nil {
		panic(err)
	}
	if _, err := m.Newton(step, grad, z); err != nil {
		panic(err)
	}
	for i := range z {
		z[i] -= step[i]
	}
	f, err := m.StateGrad(grad, z)
	fmt.Printf("%.4f %.4f %v\n", f, z, err)
	// Output: 0.2857 [-0.2857 -0.2857 -0.2857] <nil>
}

// Activities are those of the sites in any coordinates; here z = mu + e, and the output's target.
func ExampleModel_Activities() {
	m := small(arch.Errors)
	m.State()[0] = .25
	a, err := m.Activities()
	if err != nil {
		panic(err)
	}
	fmt.Println(a.Field("block1"), a.Field("block2"))
	// Output: [2.25 2 2] [2]
}

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
