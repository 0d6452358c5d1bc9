package ode

// RK4 is the classical method of order 4 (Kutta 1901): four stages, no error
// estimate.
var RK4 = &Method{
	Name: "RK4",
	A: [][]float64{
		{1. / 2},
		{0, 1. / 2},
		{0, 0, 1},
	},
	B: []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
}
