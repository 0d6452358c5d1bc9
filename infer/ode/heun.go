package ode

// Heun is the explicit trapezoidal rule: order 2, two stages, compared with
// Euler. It is the default of the JPC library (arXiv 2412.03676).
var Heun = &Method{
	Name:     "Heun",
	A:        [][]float64{{1}},
	B:        []float64{1. / 2, 1. / 2},
	Embedded: []float64{1, 0},
}
