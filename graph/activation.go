package graph

import "github.com/pcgraph/pcgraph/internal/kernel"

// Activation is an elementwise nonlinearity; the zero value is linear.
type Activation = kernel.Activation

// The activations, as kernel defines them.
const (
	Linear    = kernel.Linear
	Tanh      = kernel.Tanh
	HardTanh  = kernel.HardTanh
	Sigmoid   = kernel.Sigmoid
	ReLU      = kernel.ReLU
	LeakyReLU = kernel.LeakyReLU
	GELU      = kernel.GELU
	SELU      = kernel.SELU
	SiLU      = kernel.SiLU
)

// ParseActivation is the activation of a name, as Activation.String gives it.
func ParseActivation(name string) (Activation, error) { return kernel.ParseActivation(name) }
