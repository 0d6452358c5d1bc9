package ode

// Midpoint takes the slope in the middle: order 2, two stages, compared with
// Euler.
var Midpoint = &Method{
	Name:     "Midpoint",
	A:        [][]float64{{1. / 2}},
	B:        []float64{0, 1},
	Embedded: []float64{1, 0},
}
