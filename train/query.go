package train

import (
	"fmt"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// A Query answers by inference: given what is clamped, what are the activities of Site?
//
//	labels of pictures     a generator from labels to pictures with FreeInput; Site "x"
//	latent causes          the same, of an unsupervised network
//	missing pixels         its picture arch.Masked; Site the picture's, with Model.Mask before
type Query[T graph.Float] struct {
	Model  *arch.Model[T] // in the coordinates of activities
	Solver infer.Solver[T]
	Stop   infer.Stop // nil if the solver ends by itself
	Start  Start[T]   // nil means Feedforward
	Site   string     // a site that is free, or masked

	Last infer.Result // how the last batch's inference ended
}

// Validate reports missing parts and a site whose activity is not inferred.
func (q *Query[T]) Validate() error {
	switch {
	case q.Model == nil || Missing(q.Solver):
		return errors.New("train: query: Model or Solver is missing")
	case q.Model.Plan().Coordinates != arch.Activities:
		return errors.Errorf("train: query: the model is in the coordinates of %v: compile it in those of activities, which are what is read", q.Model.Plan().Coordinates)
	case field(q.Model, q.Site) < 0:
		return errors.Errorf("train: query: no activity of %q is inferred: let arch.Plan.Hold leave it free, or masked", q.Site)
	}
	if err := isNil("Start", q.Start); err != nil {
		return errors.WithMessage(err, "train: query")
	}
	if v, ok := q.Start.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return errors.WithMessage(err, "train: query")
		}
	}
	return errors.WithMessage(ValidateInference(q.Solver, q.Stop), "train: query")
}

// Ask infers for n samples with the clamped inputs x and outputs y (nil where they are free) and returns the activities
// of Site [n, ...] and the energy that inference came to, averaged over the samples. An inference that diverges is an
// error (a DivergenceError). It panics, and names the lengths, when x and y are not n whole samples.
func (q *Query[T]) Ask(x, y []T, n int) (activities []T, energy float64, err error) {
	if err := q.Validate(); err != nil {
		return nil, 0, err
	}
	if n < 0 || n > 0 && (len(x)%n != 0 || len(y)%n != 0) || n == 0 && len(x)+len(y) > 0 {
		panic(fmt.Sprintf("train: Query.Ask of slices that are not %d whole samples: x has %d numbers and y %d", n, len(x), len(y)))
	}
	for done := 0; done < n; {
		rows := min(q.Model.Plan().Batch, n-done)
		m, err := q.Model.Resized(rows)
		if err != nil {
			return nil, 0, err
		}
		part := func(v []T) []T { return v[len(v)/n*done : len(v)/n*(done+rows)] }
		if err := m.Clamp(part(x), part(y)); err != nil {
			return nil, 0, err
		}
		if err := Begin(q.Start, m, part(x), part(y)); err != nil {
			return nil, 0, err
		}
		q.Last, err = infer.Run(q.Solver, ProblemOf(m), m.State(), q.Stop, nil)
		if err != nil {
			return nil, 0, err
		}
		if q.Last.Status == infer.Diverged {
			return nil, 0, errors.WithMessage(&DivergenceError{Where: fmt.Sprintf("inference of samples %d to %d diverged at its step %d: %s", done, done+rows-1, q.Last.Step, q.Last.Detail)}, "train: query")
		}
		f, err := m.Energy()
		if err != nil {
			return nil, 0, err
		}
		energy += f * float64(rows) / float64(n)
		activities = append(activities, m.StateVector().Part(m.State(), field(m, q.Site))...)
		done += rows
	}
	return activities, energy, nil
}

// Inputs is Ask for the inputs of outputs y [n, out...]: the inversion of a network, in the form of Rule.Predict.
func (q *Query[T]) Inputs(y []T) ([]T, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	_, out := q.Model.Sizes()
	if len(y)%out != 0 {
		return nil, errors.Errorf("train: query: %d numbers are no whole samples of %d", len(y), out)
	}
	x, _, err := q.Ask(nil, y, len(y)/out)
	return x, err
}

// field is where the state of a site is in the slab, -1 if it has none.
func field[T graph.Float](m *arch.Model[T], site string) int { return slices.Index(m.Free(), site) }

// Repeat is the same sample n times. It panics when n is negative.
func Repeat[T graph.Float](sample []T, n int) []T {
	if n < 0 {
		panic(fmt.Sprintf("train: Repeat a sample %d times", n))
	}
	rows := make([]T, 0, n*len(sample))
	for range n {
		rows = append(rows, sample...)
	}
	return rows
}
