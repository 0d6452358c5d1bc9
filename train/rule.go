// Package train turns batches into weight gradients (a Rule), runs a rule over a data set (Trainer) and holds predictive
// coding against backprop (Compare).
//
// One training step of predictive coding:
//
//	data.Fill -> Model.Clamp -> Model.Forward                activities at the feedforward pass
//	infer.Run(Solver, Problem{Model.StateGrad}, Stop)        z -> z*
//	Model.ParamGrad                                          dF/dW at z*
//	optim.Step(weights, gradient)                            in place: every compiled model sees it
//
// Backprop is Clamp and ParamGrad on a model in feedforward coordinates over the same weights, then the same Step. The
// package does no arithmetic on networks itself (arch, graph) and draws no pictures (cmd/demo).
package train

import (
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// A Rule turns a batch into a gradient with respect to the weights. It is used by one goroutine at a time.
//
// A rule may have more methods, which are used if they are there: Validate() error, called before the first step; Learn, see
// Learner; Probe, see Prober; Memory, see Resumable, without which a training by it has no Checkpoint. BatchModel has the parts that
// most rules are made of.
type Rule[T graph.Float] interface {
	// Gradient writes the gradient for the batch x [batch, in...], y [batch, out...] to grad, as long as the weights. It panics,
	// and names both lengths, when a slice has another length.
	Gradient(grad, x, y []T, batch int) (Report, error)
	// Subject is what the rule trains: weights, terms of the energy, predictions.
	Subject() Subject[T]
}

// A Resumable is a rule whose training can be kept in a Checkpoint. A type that embeds a Resumable and remembers more needs a Memory of
// its own.
type Resumable interface {
	// Memory is what the rule remembers from batch to batch beside the weights; an empty Memories, if it remembers nothing.
	Memory() Memory
}

// A Learner is a rule that moves the weights while it looks at a batch, and not once after it.
type Learner[T graph.Float] interface {
	Rule[T]
	// Learn is Gradient, but calls step with each gradient that it has written to grad, goes on from the weights that step
	// leaves, and returns the error of step as it is.
	Learn(grad, x, y []T, batch int, step func(Report) error) (Report, error)
}

// A Prober is a rule that knows without trying whether it can predict. Trainer.Run asks it before the first step; of other rules it
// predicts one sample.
type Prober interface {
	// Probe returns the error that Predict would return.
	Probe() error
}

// A Report says what a rule saw on the way to a gradient.
//
// Loss, Energy and the gradient are those of the model's energy as it was compiled. A likelihood with a Precision multiplies its
// term by it, so of a model with energy.PC{Output: energy.Gaussian{Precision: p}} the Loss is p times 1/2 |y - mu|^2, and
// backprop's gradient is p times that of the unscaled loss. Divide by p, or compile backprop with precision 1, before losses
// of different precisions are compared; optim.Adam has what that means for its Eps. Score.Loss, of Evaluate, knows nothing of
// precisions and is never scaled.
type Report struct {
	Loss      float64      // energy at the initial activities: from a feedforward start the loss of the feedforward pass, times the output's precision
	Energy    float64      // energy where the gradient was taken
	Inference infer.Result // zero for rules without inference
}
