package analysis

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
)

// A Moment is one point of an inference.
type Moment struct {
	infer.Reading
	Terms []float64 // energies by term, in the order of Model.Terms
}

// Trace relaxes the activities of a model from where they are and returns every point that was evaluated, with the
// energy of each layer. A point of a solver of several stages is the start of its step.
func Trace[T graph.Float](m *arch.Model[T], solver infer.Solver[T], stop infer.Stop) ([]Moment, infer.Result, error) {
	if m == nil {
		return nil, infer.Result{}, errors.New("analysis: trace: the model is missing")
	}
	if err := train.Runnable(solver, stop); err != nil {
		return nil, infer.Result{}, errors.WithMessage(err, "analysis: trace")
	}
	var moments []Moment
	r, err := infer.Run(solver, train.ProblemOf(m), m.State(), stop, func(now infer.Reading) {
		moments = append(moments, Moment{Reading: now, Terms: make([]float64, len(m.Terms()))})
		m.TermEnergies(moments[len(moments)-1].Terms)
	})
	return moments, r, err
}

// Slice is the energy along a line through the present activities z, F(z + s direction) for each s of at; direction is
// as long as the state. The activities stay as they are.
func Slice[T graph.Float](m *arch.Model[T], direction []T, at []float64) ([]float64, error) {
	if m == nil {
		return nil, errors.New("analysis: slice: the model is missing")
	}
	z := m.State()
	if len(direction) != len(z) {
		return nil, errors.Errorf("analysis: slice: a direction of %d numbers in a state of %d", len(direction), len(z))
	}
	point, grad := make([]T, len(z)), make([]T, len(z))
	energies := make([]float64, len(at))
	for i, s := range at {
		for k := range point {
			point[k] = z[k] + T(s)*direction[k]
		}
		f, err := m.StateGrad(grad, point)
		if err != nil {
			return nil, err
		}
		energies[i] = f
	}
	return energies, nil
}
