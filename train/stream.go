package train

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
)

// A Stream is temporal predictive coding: the input of the network is its own activity z at Site a step ago, so that
//
//	F_t = -log p(z_t | z_{t-1}) - log p(y_t | z_t)
//
// predicts the activity from the one before, and what is seen, y_t, from the activity. z_{t-1} is what inference came to
// and stays; each step starts at the prediction. It needs no memory of the past beyond z and no error that travels back
// in time. (Millidge et al. 2024, "Predictive coding networks for temporal prediction", PLoS Comput. Biol. 20.)
type Stream[T graph.Float] struct {
	Model     *arch.Model[T] // of as many streams as its batch, in the coordinates of activities; its input is as wide as Site
	Site      string
	Solver    infer.Solver[T]
	Stop      infer.Stop         // nil if the solver ends by itself
	Start     Start[T]           // nil means Feedforward, the prediction
	Optimizer optim.Optimizer[T] // of the weights, one step per Observe; nil: they stay

	z, ahead, grad []T
	carried        []T // the part of the model's state that z is taken from
	problem        infer.Problem[T]
	update         Update[T]
}

// Validate reports missing parts and a model whose input is not as wide as Site.
func (s *Stream[T]) Validate() error {
	if s.Model == nil || missing(s.Solver) {
		return errors.New("train: stream: Model or Solver is missing")
	}
	if s.Model.Plan().Coordinates != arch.Activities {
		return errors.Errorf("train: stream: the model is in the coordinates of %v: compile it in those of activities", s.Model.Plan().Coordinates)
	}
	if err := s.Model.TakesBatches(); err != nil {
		return errors.WithMessage(err, "train: stream")
	}
	k := field(s.Model, s.Site)
	if k < 0 {
		return errors.Errorf("train: stream: %q has no activity that is inferred: name a hidden block", s.Site)
	}
	in, _ := s.Model.Sizes()
	if have := len(s.Model.StateVector().Part(s.Model.State(), k)) / s.Model.Plan().Batch; in != have {
		return errors.Errorf("train: stream: the network's input has %d units and %q, which it is to take, %d: make them equal", in, s.Site, have)
	}
	if err := first(isNil("Start", s.Start), isNil("Optimizer", s.Optimizer)); err != nil {
		return errors.WithMessage(err, "train: stream")
	}
	if s.Optimizer != nil {
		if err := first(notShared(s.Optimizer, s.Solver), optim.Fits(s.Optimizer, len(s.Model.Weights().Data()))); err != nil {
			return errors.WithMessage(err, "train: stream")
		}
	}
	for _, part := range []any{s.Start, s.Optimizer} {
		if v, ok := part.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return errors.WithMessage(err, "train: stream")
			}
		}
	}
	return errors.WithMessage(validateInference(s.Solver, s.Stop), "train: stream")
}

// Reset begins new streams: the activity before the first step is zero.
func (s *Stream[T]) Reset() { clear(s.z) }

// Activity is z_t [batch, units], valid until the next call.
func (s *Stream[T]) Activity() []T { return s.memory() }

// memory allocates z once.
func (s *Stream[T]) memory() []T {
	if s.z == nil {
		in, _ := s.Model.Sizes()
		s.carried, s.problem = s.Model.StateVector().Part(s.Model.State(), field(s.Model, s.Site)), ProblemOf(s.Model)
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

// Observe goes one step on: it infers z_t of what is seen, y [batch, out], and learns. The report's Loss is the energy at
// the start. Inference that diverges is a DivergenceError.
func (s *Stream[T]) Observe(y []T) (Report, error) {
	z := s.memory()
	if err := s.Model.Clamp(z, y); err != nil {
		return Report{}, err
	}
	if err := begin(s.Start, s.Model, z, y); err != nil {
		return Report{}, err
	}
	result, err := infer.Run(s.Solver, s.problem, s.Model.State(), s.Stop, nil)
	if err != nil {
		return Report{}, err
	}
	if result.Status == infer.Diverged {
		return Report{}, errors.WithMessage(inferenceDiverged(result), "train: stream")
	}
	r := Report{Loss: result.FirstEnergy, Inference: result}
	if s.Optimizer == nil {
		r.Energy, err = s.Model.Energy()
	} else {
		w := s.Model.Weights()
		if s.grad == nil {
			s.grad, s.update.Optimizer = make([]T, len(w.Data())), s.Optimizer
		}
		if r.Energy, err = s.Model.ParamGrad(s.grad); err == nil && !s.update.Finite(s.grad) {
			err = errors.WithMessage(&DivergenceError{Where: "a weight gradient is not finite"}, "train: stream")
		}
		if err == nil {
			s.update.Step(w, s.grad)
		}
	}
	if result.Evals == 0 {
		r.Loss = r.Energy
	}
	copy(z, s.carried)
	return r, err
}
