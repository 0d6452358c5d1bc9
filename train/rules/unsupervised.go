package rules

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// Unsupervised is predictive coding of a network whose input is not data: it learns to make the samples of a set of causes
// that inference finds. What a sample of the set has as input is the network's output; its targets are not looked at.
// With a free input that is the cause, without a prior (JPC, arXiv 2412.03676, "unsupervised"). With a constant input the
// first block is a prior: it predicts the activity behind it, the cause, to be the same for every sample, up to a normal
// deviation.
type Unsupervised[T graph.Float] struct {
	Model   *arch.Model[T] // in the coordinates of activities, with FreeInput unless Input is given
	Input   []T            // constant, of one sample; nil: free
	Solver  infer.Solver[T]
	Stop    infer.Stop     // nil if the solver ends by itself
	Start   train.Start[T] // of every batch: Gaussian
	Targets int            // numbers per target of the set
	Seed    uint64         // of what layers draw at random for every batch, layers.Dropout

	batch  train.BatchModel[T]
	inputs []T // of a batch
}

var _ train.Rule[float32] = (*Unsupervised[float32])(nil)

// Validate reports missing parts, and a model that has no free input or lacks data beside its outputs.
func (r *Unsupervised[T]) Validate() error {
	switch {
	case r.Model == nil || train.Missing(r.Solver) || train.Missing(r.Start):
		return errors.New("unsupervised: Model, Solver or Start is missing")
	case r.Model.Plan().Coordinates != arch.Activities:
		return errors.Errorf("unsupervised: the model is in the coordinates of %v: compile it in those of activities", r.Model.Plan().Coordinates)
	case r.Targets < 0:
		return errors.Errorf("unsupervised: Targets is %d: want zero or more", r.Targets)
	}
	if err := r.validateSites(); err != nil {
		return err
	}
	if v, ok := r.Start.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return errors.WithMessage(err, "unsupervised")
		}
	}
	if i := kernel.FirstNonFinite(r.Input); i >= 0 {
		return errors.Errorf("unsupervised: Input[%d] is %v: want finite numbers", i, r.Input[i])
	}
	if in, _ := r.Model.Sizes(); r.Input != nil && len(r.Input) != in {
		return errors.Errorf("unsupervised: Input has %d numbers, the network takes %d", len(r.Input), in)
	}
	return errors.WithMessage(train.ValidateInference(r.Solver, r.Stop), "unsupervised")
}

// validateSites reports sites that are not held as the rule has them: outputs are data, inputs are all free or all constant, and
// the rest is free.
func (r *Unsupervised[T]) validateSites() error {
	n := r.Model.Network()
	inputs, outputs := n.Ends()
	free := make(map[string]bool)
	for _, name := range r.Model.Free() {
		free[name] = r.Model.Plan().Hold[name] != arch.Masked
	}
	for _, name := range inputs {
		if free[name] == (r.Input != nil) || r.Model.Plan().Hold[name] == arch.Masked {
			return errors.Errorf("unsupervised: either the model's input, %q, is free, arch.Plan.FreeInput, or Input is what it is clamped to: give one of them", name)
		}
	}
	for _, b := range n.Blocks {
		switch output := slices.Contains(outputs, b.Name); {
		case b.Predicts != "":
		case output && free[b.Name]:
			return errors.Errorf("unsupervised: the output %q is free, and samples are what outputs are clamped to: compile it clamped", b.Name)
		case !output && !free[b.Name]:
			return errors.Errorf("unsupervised: %q is clamped or masked and needs more data than a sample: compile it free", b.Name)
		}
	}
	return nil
}

// Gradient relaxes all activities with x as output and takes dF/dW there. Report.Loss is the energy of the start.
func (r *Unsupervised[T]) Gradient(grad, x, _ []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	if n := batch * len(r.Input); n > len(r.inputs) {
		r.inputs = train.Repeat(r.Input, batch)
	}
	in := r.inputs[:batch*len(r.Input)]
	m, err := r.batch.Load(r.Model, in, x, batch, r.Seed)
	if err != nil {
		return train.Report{}, err
	}
	if err := r.Start.Begin(m, in, x); err != nil {
		return train.Report{}, err
	}
	return r.batch.Relax(grad, r.Solver, r.Stop)
}

// Subject is the model, with a sample's inputs as its outputs. Predict is an error: the targets are not learned.
func (r *Unsupervised[T]) Subject() train.Subject[T] {
	s := r.batch.Subject(r.Model)
	s.In, s.Out, s.Solver = s.Out, r.Targets, r.Solver
	s.Predict = func([]T) ([]T, error) {
		return nil, errors.New("unsupervised: the targets of the set were not learned: ask the network with a Query")
	}
	return s
}

// Memory is that of PC.
func (r *Unsupervised[T]) Memory() train.Memory {
	return train.Memories{"noise": &r.batch, "solver": train.SolverMemory(r.Solver), "start": train.StartMemory(r.Start)}
}
