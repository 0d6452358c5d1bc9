package train

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
)

// PC is predictive coding: the activities start at the feedforward pass, or at a Start, and relax on the energy, then the
// weight gradient is taken at the activities they came to. (Whittington and Bogacz 2017; JPC, arXiv 2412.03676, section 2.)
type PC[T graph.Float] struct {
	Model  *arch.Model[T] // in the coordinates of activities or errors
	Solver infer.Solver[T]
	Stop   infer.Stop // nil if the solver ends by itself
	Start  Start[T]   // where inference begins; nil for the feedforward pass
	Seed   uint64     // of what layers draw at random for every batch, layers.Dropout: Backprop of the same seed draws the same

	m       *arch.Model[T] // of the last batch's size
	noise   noise
	problem infer.Problem[T]
}

var _ Rule[float32] = (*PC[float32])(nil)

// Validate reports a missing model or solver, a model in other coordinates or with free ends, and what the solver and the
// stop rule report.
func (r *PC[T]) Validate() error {
	switch {
	case r.Model == nil:
		return errors.New("PC: Model is missing")
	case r.Model.Plan().Coordinates == arch.Feedforward:
		return errors.New("PC: a model in feedforward coordinates has no activities to relax: compile it in arch.Activities or arch.Errors, or use Backprop")
	case missing(r.Solver):
		return errors.New("PC: Solver is missing")
	}
	if err := r.Model.TakesBatches(); err != nil {
		return errors.WithMessage(err, "PC")
	}
	if err := validateStart(r.Start, r.Model); err != nil {
		return errors.WithMessage(err, "PC")
	}
	return errors.WithMessage(validateInference(r.Solver, r.Stop), "PC")
}

// validateInference reports a solver and a stop rule that may never end, and what they report themselves.
func validateInference[T graph.Float](solver infer.Solver[T], stop infer.Stop) error {
	if err := first(runnable(solver, stop), isNil("Stop", stop)); err != nil {
		return err
	}
	if _, ends := solver.(infer.Stop); !ends && !infer.Bounded(stop) {
		return errors.New("Stop waits for a small gradient alone, maybe forever: add a limit, infer.Any{..., infer.Steps(500)}")
	}
	for _, part := range []any{solver, stop} {
		if v, ok := part.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Gradient relaxes the activities and takes dF/dW there. An inference that diverges is reported, not an error.
func (r *PC[T]) Gradient(grad, x, y []T, batch int) (Report, error) {
	checkGradient(grad, r.Model.Weights())
	m, err := r.start(x, y, batch)
	if err != nil {
		return Report{}, err
	}
	result, err := infer.Run(r.Solver, r.problem, m.State(), r.Stop, nil)
	if err != nil {
		return Report{}, err
	}
	f, err := m.ParamGrad(grad)
	loss := result.FirstEnergy
	if result.Evals == 0 {
		loss = f
	}
	return Report{Loss: loss, Energy: f, Inference: result}, err
}

// start clamps a batch and sets the activities to where inference begins, in the model of the batch's size.
func (r *PC[T]) start(x, y []T, batch int) (*arch.Model[T], error) {
	m, err := r.Model.Resized(batch)
	if err != nil {
		return nil, err
	}
	if r.m != m {
		r.m = m
		r.problem = ProblemOf(m)
	}
	if err := m.Clamp(x, y); err != nil {
		return nil, err
	}
	drawNoise(&r.noise, m, r.Seed)
	return m, begin(r.Start, m, x, y)
}

// Terms names the terms of the energy.
func (r *PC[T]) Terms() []string { return r.Model.Terms() }

// TermEnergies writes the terms of the energy where the last gradient was taken; zeros before the first.
func (r *PC[T]) TermEnergies(dst []float64) { termEnergies(r.m, dst) }

// Weights is the model's slab.
func (r *PC[T]) Weights() *graph.Vector[T] { return r.Model.Weights() }

// Sizes are the numbers of one sample's inputs and outputs.
func (r *PC[T]) Sizes() (in, out int) { return r.Model.Sizes() }

// Predict is the feedforward pass.
func (r *PC[T]) Predict(x []T) ([]T, error) { return r.Model.Predict(x) }

// Locate names what went wrong in the last gradient; nothing before the first.
func (r *PC[T]) Locate() string { return locate(r.m) }
