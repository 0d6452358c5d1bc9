package train

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// ProblemOf is the inference problem of a model, with everything that a solver can use: its energy with each sample's own
// gradient, fused steps of gradient descent, Gauss-Newton steps where the model has a curvature to solve by (and the reason where
// not, see arch.Model.TakesNewton), and the names of its activities.
func ProblemOf[T graph.Float](m *arch.Model[T]) infer.Problem[T] {
	p := infer.Problem[T]{Energy: m.StateGrad, FusedSteps: m.FusedSteps, Where: m.StateVector().Where}
	if p.NoNewton = m.TakesNewton(); p.NoNewton == nil {
		p.Newton = m.Newton
	}
	if m.Multipliers() != nil {
		p.Ascend = m.Ascend
	}
	return p
}
