package rules

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
)

// A Stream is temporal predictive coding: the input of the network is its own activity z at Site a step ago, so that
//
//	F_t = -log p(z_t | z_{t-1}) - log p(y_t | z_t)
//
// predicts the activity from the one before, and what is seen, y_t, from the activity. z_{t-1} is what inference came to
// and stays; each step starts at the prediction. It needs no memory of the past beyond z and no error that travels back
// in time. (Millidge et al. 2024, "Predictive coding networks for temporal prediction", PLoS Comput. Biol. 20.)
type Stream[T graph.Float] struct {
	Model  *arch.Model[T] // of as many streams as its batch, in the coordinates of activities; its input is as wide as Site
	Site   string
	Solver infer.Solver[T]
	Stop   infer.Stop     // nil if the solver ends by itself
	Start  train.Start[T] // nil means Feedforward, the prediction

	batch    train.BatchModel[T]
	z, ahead []T
	carried  []T // the part of the model's state that z is taken from
}

var _ train.Rule[float32] = (*Stream[float32])(nil)

// Validate reports missing parts and a model whose input is not as wide as Site.
func (s *Stream[T]) Validate() error {
	if s.Model == nil || train.Missing(s.Solver) {
		return errors.New("rules: stream: Model or Solver is missing")
	}
	if s.Model.Plan().Coordinates != arch.Activities {
		return errors.Errorf("rules: stream: the model is in the coordinates of %v: compile it in those of activities", s.Model.Plan().Coordinates)
	}
	if err := s.Model.TakesBatches(); err != nil {
		return errors.WithMessage(err, "rules: stream")
	}
	k := slices.Index(s.Model.Free(), s.Site)
	if k < 0 {
		return errors.Errorf("rules: stream: %q has no activity that is inferred: name a hidden block", s.Site)
	}
	in, _ := s.Model.Sizes()
	if have := len(s.Model.StateVector().Part(s.Model.State(), k)) / s.Model.Plan().Batch; in != have {
		return errors.Errorf("rules: stream: the network's input has %d units and %q, which it is to take, %d: make them equal", in, s.Site, have)
	}
	if err := train.ValidateStart(s.Start, s.Model); err != nil {
		return errors.WithMessage(err, "rules: stream")
	}
	return errors.WithMessage(train.ValidateInference(s.Solver, s.Stop), "rules: stream")
}

// Reset begins new streams: the activity before the first step is zero.
func (s *Stream[T]) Reset() { clear(s.z) }

// Activity is z_t [batch, units], valid until the next call.
func (s *Stream[T]) Activity() []T { return s.memory() }

// memory allocates z once.
func (s *Stream[T]) memory() []T {
	if s.z == nil {
		in, _ := s.Model.Sizes()
		s.carried = s.Model.StateVector().Part(s.Model.State(), slices.Index(s.Model.Free(), s.Site))
		s.z, s.ahead = make([]T, s.Model.Plan().Batch*in), make([]T, s.Model.Plan().Batch*in)
	}
	return s.z
}

// Expect is what is expected to be seen in the n next steps, [n][batch, out], by prediction of prediction: nothing is
// observed or learned, and the stream stays where it is.
func (s *Stream[T]) Expect(n int) ([][]T, error) {
	copy(s.ahead, s.memory())
	here := slices.Clone(s.Model.State()) // where a Previous goes on
	defer func() { copy(s.Model.State(), here) }()
	seen := make([][]T, n)
	for i := range seen {
		y, err := s.Model.Predict(s.ahead)
		if err != nil {
			return nil, err
		}
		seen[i] = y
		if err := s.Model.Clamp(s.ahead, y); err != nil {
			return nil, err
		}
		if err := s.Model.Forward(); err != nil {
			return nil, err
		}
		copy(s.ahead, s.carried)
	}
	return seen, nil
}

// Observe goes one step on without learning: it infers z_t of what is seen, y [batch, out]. The report's Loss is the energy at
// the start. Inference that diverges is a DivergenceError.
func (s *Stream[T]) Observe(y []T) (train.Report, error) {
	if err := s.begin(y); err != nil {
		return train.Report{}, err
	}
	result, err := s.batch.Infer(s.Solver, s.Stop, nil)
	if err != nil {
		return train.Report{}, err
	}
	if result.Status == infer.Diverged {
		return train.Report{}, errors.WithMessage(train.InferenceDiverged(result), "rules: stream")
	}
	r := train.Report{Loss: result.FirstEnergy, Inference: result}
	if r.Energy, err = s.Model.Energy(); result.Evals == 0 {
		r.Loss = r.Energy
	}
	copy(s.z, s.carried)
	return r, err
}

// begin clamps what is seen and sets the activities to where inference begins.
func (s *Stream[T]) begin(y []T) error {
	z := s.memory()
	m, err := s.batch.Load(s.Model, z, y, s.Model.Plan().Batch, 0)
	if err != nil {
		return err
	}
	return train.Begin(s.Start, m, z, y)
}

// Gradient goes one step on and takes dF/dW there: a Trainer with a Feed of what is seen, y [batch, out], and no x, learns from
// the stream.
func (s *Stream[T]) Gradient(grad, _, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, s.Model.Weights())
	if want := s.Model.Plan().Batch; batch != want {
		return train.Report{}, errors.Errorf("stream: %d samples, and there are %d streams", batch, want)
	}
	if err := s.begin(y); err != nil {
		return train.Report{}, err
	}
	r, err := s.batch.Relax(grad, s.Solver, s.Stop)
	copy(s.z, s.carried)
	return r, err
}

// Subject is the model, which takes no inputs but what it has inferred. Predict is an error: see Expect.
func (s *Stream[T]) Subject() train.Subject[T] {
	of := s.batch.Subject(s.Model)
	of.In, of.Solver = 0, s.Solver
	of.Predict = func([]T) ([]T, error) { return nil, errors.New("stream: ask what is expected by Expect") }
	return of
}
