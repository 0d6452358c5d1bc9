package train

import (
	"fmt"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
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
	Stop    infer.Stop // nil if the solver ends by itself
	Start   Start[T]   // of every batch: Gaussian
	Targets int        // numbers per target of the set
	Seed    uint64     // of what layers draw at random for every batch, layers.Dropout

	m       *arch.Model[T] // of the last batch's size
	noise   noise
	inputs  []T // of a batch
	problem infer.Problem[T]
}

var _ Rule[float32] = (*Unsupervised[float32])(nil)

// Validate reports missing parts, and a model that has no free input or lacks data beside its outputs.
func (r *Unsupervised[T]) Validate() error {
	switch {
	case r.Model == nil || missing(r.Solver) || missing(r.Start):
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
	return errors.WithMessage(validateInference(r.Solver, r.Stop), "unsupervised")
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
func (r *Unsupervised[T]) Gradient(grad, x, _ []T, batch int) (Report, error) {
	checkGradient(grad, r.Model.Weights())
	m, err := r.Model.Resized(batch)
	if err != nil {
		return Report{}, err
	}
	if r.m != m {
		r.m, r.problem = m, ProblemOf(m)
	}
	if n := batch * len(r.Input); n > len(r.inputs) {
		r.inputs = Repeat(r.Input, batch)
	}
	in := r.inputs[:batch*len(r.Input)]
	if err := r.m.Clamp(in, x); err != nil {
		return Report{}, err
	}
	drawNoise(&r.noise, r.m, r.Seed)
	if err := r.Start.Begin(r.m, in, x); err != nil {
		return Report{}, err
	}
	result, err := infer.Run(r.Solver, r.problem, r.m.State(), r.Stop, nil)
	if err != nil {
		return Report{}, err
	}
	f, err := r.m.ParamGrad(grad)
	loss := result.FirstEnergy
	if result.Evals == 0 {
		loss = f
	}
	return Report{Loss: loss, Energy: f, Inference: result}, err
}

// Terms names the terms of the energy.
func (r *Unsupervised[T]) Terms() []string { return r.Model.Terms() }

// TermEnergies writes the terms of the energy where the last gradient was taken; zeros before the first.
func (r *Unsupervised[T]) TermEnergies(dst []float64) { termEnergies(r.m, dst) }

// Weights is the model's slab.
func (r *Unsupervised[T]) Weights() *graph.Vector[T] { return r.Model.Weights() }

// Sizes are those of a sample of the set: the network's outputs, and the targets.
func (r *Unsupervised[T]) Sizes() (in, out int) {
	_, in = r.Model.Sizes()
	return in, r.Targets
}

// Predict is an error: the targets were not learned.
func (r *Unsupervised[T]) Predict([]T) ([]T, error) {
	return nil, errors.New("unsupervised: the targets of the set were not learned: ask the network with a Query")
}

// Locate names what went wrong in the last gradient; nothing before the first.
func (r *Unsupervised[T]) Locate() string { return locate(r.m) }

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
