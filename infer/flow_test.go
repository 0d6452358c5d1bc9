package infer_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/infer/infertest"
	"github.com/pcgraph/pcgraph/infer/ode"
)

var methods = []*ode.Method{ode.Euler, ode.Heun, ode.Midpoint, ode.Ralston, ode.Bosh3, ode.RK4, ode.Tsit5, ode.Dopri5, ode.Dopri8}

func TestFlow_Conforms(t *testing.T) {
	for _, m := range methods {
		t.Run(m.Name+" constant", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float64] {
				return &infer.Flow[float64]{Method: m, Control: ode.Constant{Step: 0.5}, Horizon: 500}
			})
		})
		if !m.Adaptive() {
			continue
		}
		t.Run(m.Name+" PID", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float64] {
				return &infer.Flow[float64]{Method: m, Control: ode.PID{RTol: 1e-4, ATol: 1e-4}, Horizon: 500}
			})
		})
		t.Run(m.Name+" PID float32", func(t *testing.T) {
			infertest.Run(t, func() infer.Solver[float32] {
				return &infer.Flow[float32]{Method: m, Control: ode.PID{RTol: 1e-3, ATol: 1e-4}, Horizon: 500}
			})
		})
	}
}
