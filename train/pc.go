package train

import (
	"cmp"

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

	batch BatchModel[T]
}

var (
	_ Rule[float32] = (*PC[float32])(nil)
	_ Resumable     = (*PC[float32])(nil)
)

// Validate reports a missing model or solver, a model in other coordinates or with free ends, and what the solver and the
// stop rule report.
func (r *PC[T]) Validate() error {
	switch {
	case r.Model == nil:
		return errors.New("PC: Model is missing")
	case r.Model.Plan().Coordinates == arch.Feedforward:
		return errors.New("PC: a model in feedforward coordinates has no activities to relax: compile it in arch.Activities or arch.Errors, or use Backprop")
	case Missing(r.Solver):
		return errors.New("PC: Solver is missing")
	}
	if err := r.Model.TakesBatches(); err != nil {
		return errors.WithMessage(err, "PC")
	}
	if err := ValidateStart(r.Start, r.Model); err != nil {
		return errors.WithMessage(err, "PC")
	}
	return errors.WithMessage(ValidateInference(r.Solver, r.Stop), "PC")
}

// ValidateInference reports a solver and a stop rule that may never end, and what they report themselves.
func ValidateInference[T graph.Float](solver infer.Solver[T], stop infer.Stop) error {
	if err := cmp.Or(Runnable(solver, stop), isNil("Stop", stop)); err != nil {
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
	CheckGradient(grad, r.Model.Weights())
	b, err := r.Begin(x, y, batch)
	if err != nil {
		return Report{}, err
	}
	return b.Relax(grad, r.Solver, r.Stop)
}

// Begin clamps a batch, sets the activities to where inference begins, and returns the model. It is for rules that infer in another
// way than PC.Gradient.
func (r *PC[T]) Begin(x, y []T, batch int) (*BatchModel[T], error) {
	m, err := r.batch.Load(r.Model, x, y, batch, r.Seed)
	if err != nil {
		return nil, err
	}
	return &r.batch, Begin(r.Start, m, x, y)
}

// Batch is the model of the last batch.
func (r *PC[T]) Batch() *BatchModel[T] { return &r.batch }

// Subject returns the model as what is trained. Its TermEnergies are those at the activities where the last gradient was taken.
func (r *PC[T]) Subject() Subject[T] {
	s := r.batch.Subject(r.Model)
	s.Solver = r.Solver
	return s
}

// Memory is the number of batches and what solver and start remember. A Previous cannot be kept: it goes on from activities,
// which a Checkpoint does not have.
func (r *PC[T]) Memory() Memory {
	return Memories{"noise": &r.batch, "solver": SolverMemory(r.Solver), "start": StartMemory(r.Start)}
}
