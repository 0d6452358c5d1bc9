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
	"math/rand/v2"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// A Rule turns a batch into a gradient on the weights. It is used by one goroutine at a time.
//
// A training by it can be kept in a Checkpoint if the rule has MarshalBinary and UnmarshalBinary too (package encoding), for
// what it remembers from batch to batch beside the weights; nothing, if it remembers nothing. The rules here have them. One
// that embeds a rule and remembers more must have its own.
type Rule[T graph.Float] interface {
	// Gradient writes the gradient for the batch x [batch, in...], y [batch, out...] to grad, as long as the weights. It panics,
	// and names both lengths, when a slice has another length.
	Gradient(grad, x, y []T, batch int) (Report, error)
	// Terms names the terms of the energy.
	Terms() []string
	// TermEnergies writes the terms of the last gradient's energy to dst, zeros before the first. It panics, and names both
	// lengths, when there are not as many Terms.
	TermEnergies(dst []float64)
	// Weights is the slab that grad is for.
	Weights() *graph.Vector[T]
	// Sizes are the numbers of one sample's inputs and outputs.
	Sizes() (in, out int)
	// Predict is the feedforward pass of any number of samples.
	Predict(x []T) ([]T, error)
	// Locate names the first number of the last gradient's computation that is not finite.
	Locate() string
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

// termEnergies are the terms of m's last energy; zeros without m.
func termEnergies[T graph.Float](m *arch.Model[T], dst []float64) {
	if m == nil {
		clear(dst)
		return
	}
	m.TermEnergies(dst)
}

// locate names what went wrong in m's last energy; nothing without m.
func locate[T graph.Float](m *arch.Model[T]) string {
	if m == nil {
		return ""
	}
	return m.Locate()
}

// noise draws what layers add at random, other numbers for every batch.
type noise struct {
	step uint64 // counts the batches
	pcg  rand.PCG
	rng  *rand.Rand
}

// drawNoise draws for one batch that m is about to see. The same seed gives every rule the same numbers at the same step.
func drawNoise[T graph.Float](n *noise, m *arch.Model[T], seed uint64) {
	n.step++
	n.pcg.Seed(seed, n.step)
	if n.rng == nil {
		n.rng = rand.New(&n.pcg)
	}
	m.DrawLayerInputs(n.rng)
}
