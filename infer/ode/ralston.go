package ode

// Ralston has the smallest bound of the local error among the methods of order
// 2 with two stages (Ralston 1962), compared with Euler.
var Ralston = &Method{
	Name:     "Ralston",
	A:        [][]float64{{2. / 3}},
	B:        []float64{1. / 4, 3. / 4},
	Embedded: []float64{1, 0},
}
