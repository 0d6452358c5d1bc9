package rules

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/train"
)

// A Generator learns a set the other way round, to make inputs of targets: pictures of labels. It gives Rule each batch
// with x and y exchanged.
type Generator[T graph.Float] struct {
	train.Rule[T] // of a network from targets to inputs
	// Invert finds the targets of inputs x: Query.Inputs of a model with free input over the same weights. Nil if the
	// set's targets are not to be predicted.
	Invert func(x []T) ([]T, error)
}

var (
	_ train.Learner[float32] = (*Generator[float32])(nil)
	_ train.Prober           = (*Generator[float32])(nil)
)

// Validate reports a missing rule and what the rule reports.
func (r *Generator[T]) Validate() error {
	if train.Missing(r.Rule) {
		return errors.New("generator: Rule is missing")
	}
	if v, ok := r.Rule.(interface{ Validate() error }); ok {
		return errors.WithMessage(v.Validate(), "generator")
	}
	return nil
}

// Gradient returns the gradient of Rule with inputs and targets exchanged: y is its input and x its target.
func (r *Generator[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	return r.Rule.Gradient(grad, y, x, batch)
}

// Learn calls Learn of Rule with inputs and targets exchanged if Rule is a train.Learner. Otherwise it calls Gradient and step once.
func (r *Generator[T]) Learn(grad, x, y []T, batch int, step func(train.Report) error) (train.Report, error) {
	if l, ok := r.Rule.(train.Learner[T]); ok {
		return l.Learn(grad, y, x, batch, step)
	}
	report, err := r.Gradient(grad, x, y, batch)
	if err == nil {
		err = step(report)
	}
	return report, err
}

// Subject returns the subject of Rule with the sizes of inputs and targets exchanged. Its Predict is that of the Generator, the inversion.
func (r *Generator[T]) Subject() train.Subject[T] {
	s := r.Rule.Subject()
	s.In, s.Out, s.Predict = s.Out, s.In, r.Predict
	return s
}

// Memory returns the memory of Rule.
func (r *Generator[T]) Memory() train.Memory { return train.RuleMemory(r.Rule) }

// Predict is the inversion.
func (r *Generator[T]) Predict(x []T) ([]T, error) {
	if err := r.Probe(); err != nil {
		return nil, err
	}
	return r.Invert(x)
}

// Probe reports that Invert is missing. It does not call it: an inversion may be expensive and draw random numbers.
func (r *Generator[T]) Probe() error {
	if r.Invert == nil {
		return errors.New("generator: Invert is missing: nothing says how targets are found")
	}
	return nil
}

// Generate is the feedforward pass of the network: the inputs that it makes of targets y.
func (r *Generator[T]) Generate(y []T) ([]T, error) { return r.Rule.Subject().Predict(y) }
