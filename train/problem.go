package train

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// ProblemOf is the inference problem of a model, with everything that a solver can use: its energy with each sample's own
// gradient, fused plain steps, Gauss-Newton steps, and the names of its activities. What the model has no use of is found out by
// the solver that asks for it: the error of Model.Newton says why there is no curvature.
func ProblemOf[T graph.Float](m *arch.Model[T]) infer.Problem[T] {
	return infer.Problem[T]{Energy: m.StateGrad, FusedSteps: m.FusedSteps, Newton: m.Newton, Where: m.StateVector().Where}
}
