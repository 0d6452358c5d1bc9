package ode

// Bosh3 is the 3(2) pair of Bogacki and Shampine (1989): order 3, four stages
// of which the last is the first of the next step.
var Bosh3 = &Method{
	Name: "Bosh3",
	A: [][]float64{
		{1. / 2},
		{0, 3. / 4},
		{2. / 9, 1. / 3, 4. / 9},
	},
	B:        []float64{2. / 9, 1. / 3, 4. / 9, 0},
	Embedded: []float64{7. / 24, 1. / 4, 1. / 3, 1. / 8},
}
