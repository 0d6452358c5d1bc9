package ode

// Euler is the explicit Euler method, z <- z + h f(z): order 1, one stage, no
// error estimate. On a gradient it is gradient descent of rate h.
var Euler = &Method{
	Name: "Euler",
	B:    []float64{1},
}
