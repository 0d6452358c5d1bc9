package rules

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
)

// Hybrid is hybrid predictive coding (Tschantz et al. 2023, PLOS Computational Biology 19(8); JPC's make_hpc_step): a generator,
// from a cause to an observation, and an amortiser, from the observation to guesses of the generator's activities A_k and of
// the cause. The generator's inference begins at the guesses and ends at z*, where its weight gradient is taken as in PC; the
// amortiser learns to guess where it ended, each block by itself with A_{k-1} a constant:
//
//	E = sum_k -log p(z*_k | g_k(A_{k-1}))    the amortiser's Plan.Energy; JPC's |z* - g(A)|^2 is energy.Gaussian{Precision: 2}
//
// The batch is x, the observation, which is the generator's output, and y: the cause, the generator's input. If the generator's
// input is free (Plan.FreeInput) the rule is unsupervised: the cause is inferred, the amortiser learns to guess that, and y is
// the observation that the generator is to give, usually x itself. Predict is the amortiser's guess of the cause, or, unsupervised,
// the generator's output for it.
//
// Both slabs are parts of one, which arch.NewWeightsTogether allocates, so that one optimiser trains both.
type Hybrid[T graph.Float] struct {
	Generator *arch.Model[T] // in arch.Activities coordinates
	Amortiser *arch.Model[T] // in arch.Feedforward coordinates, see Amortised
	Solver    infer.Solver[T]
	Stop      infer.Stop // nil if the solver ends by itself
	Seed      uint64     // of what layers of the generator draw at random for every batch, layers.Dropout

	start Amortised[T]
	g     *guess[T]           // of the last batch's size
	free  bool                // the cause is
	of    *arch.Model[T]      // the generator of which free is known
	batch train.BatchModel[T] // the generator
}

var _ train.Rule[float32] = (*Hybrid[float32])(nil)

// Validate reports missing parts, networks that do not fit each other, masked units, and weights that are no parts of one slab.
func (r *Hybrid[T]) Validate() error {
	switch {
	case r.Generator == nil:
		return errors.New("Hybrid: Generator is missing")
	case r.Amortiser == nil:
		return errors.New("Hybrid: Amortiser is missing")
	case train.Missing(r.Solver):
		return errors.New("Hybrid: Solver is missing")
	}
	if err := noMask(r.Generator.Plan()); err != nil {
		return errors.WithMessage(err, "Hybrid: generator")
	}
	r.start.Amortiser = r.Amortiser
	if err := r.start.ValidateFor(r.Generator); err != nil {
		return errors.WithMessage(err, "Hybrid")
	}
	inputs, outputs := r.Generator.Network().Ends()
	if n := r.Amortiser.Network(); n.Inputs[0].Name != outputs[0] {
		return errors.Errorf("Hybrid: the amortiser reads %q: want the generator's output, %q", n.Inputs[0].Name, outputs[0])
	} else if !slices.ContainsFunc(n.Blocks, func(b arch.Block) bool { return b.Name == inputs[0] }) {
		return errors.Errorf("Hybrid: the amortiser has no block %q: it is to guess the cause", inputs[0])
	}
	whole, lo := r.Generator.Weights().Whole()
	other, at := r.Amortiser.Weights().Whole()
	n, k := len(r.Generator.Weights().Data()), len(r.Amortiser.Weights().Data())
	if whole != other || n+k != len(whole.Data()) || lo+n > at && at+k > lo {
		return errors.New("Hybrid: the weights of generator and amortiser are not the two parts of one slab: allocate them with arch.NewWeightsTogether")
	}
	return errors.WithMessage(train.ValidateInference(r.Solver, r.Stop), "Hybrid")
}

// supervised reports whether the cause is given.
func (r *Hybrid[T]) supervised() bool {
	inputs, _ := r.Generator.Network().Ends()
	return !slices.Contains(r.Generator.Free(), inputs[0])
}

// Gradient infers from the amortiser's guesses and takes both networks' gradients where that ends. Loss is the generator's
// energy at the guesses, Energy that of both where the gradients are taken. An inference that diverges is reported, not an error.
func (r *Hybrid[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.weights())
	if r.of != r.Generator {
		r.of, r.free = r.Generator, !r.supervised()
	}
	cause, seen := y, x
	if r.free {
		cause, seen = nil, y
	}
	m, err := r.batch.Load(r.Generator, cause, seen, batch, r.Seed)
	if err != nil {
		return train.Report{}, err
	}
	r.start.Amortiser = r.Amortiser
	if r.g, err = r.start.begin(m, cause, x); err != nil {
		return train.Report{}, err
	}
	_, lo := r.Generator.Weights().Whole()
	report, err := r.batch.Relax(grad[lo:lo+len(r.Generator.Weights().Data())], r.Solver, r.Stop)
	if err != nil {
		return train.Report{}, err
	}
	state := m.StateVector()
	for k := range r.g.sites {
		target := cause
		if i := slices.Index(r.g.fields, k); i >= 0 {
			target = state.Part(state.Data(), i)
		}
		r.g.load(k+1, target)
	}
	_, lo = r.Amortiser.Weights().Whole()
	e, err := r.g.gradient(grad[lo : lo+len(r.Amortiser.Weights().Data())])
	report.Energy += e
	return report, err
}

// Subject is the slab of both networks, with the terms of both energies.
func (r *Hybrid[T]) Subject() train.Subject[T] {
	s := train.Subject[T]{Weights: r.weights(), TermEnergies: r.termEnergies, Predict: r.Predict, Locate: r.locate, Solver: r.Solver}
	s.Out, s.In = r.Generator.Sizes()
	if !r.supervised() {
		s.Out = s.In
	}
	for _, t := range r.Generator.Terms() {
		s.Terms = append(s.Terms, "generator/"+t)
	}
	r.start.Amortiser = r.Amortiser
	if g, err := r.start.guess(r.Generator); err == nil {
		for _, t := range g.names() {
			s.Terms = append(s.Terms, "amortiser/"+t)
		}
	}
	return s
}

// Memory is the number of batches, and what the solver remembers.
func (r *Hybrid[T]) Memory() train.Memory {
	return train.Memories{"noise": &r.batch, "solver": train.SolverMemory(r.Solver)}
}

func (r *Hybrid[T]) termEnergies(dst []float64) {
	if r.g == nil {
		clear(dst)
		return
	}
	n := len(dst) - len(r.g.terms)
	if n < 0 {
		checkTerms(dst, len(r.Subject().Terms))
	}
	r.batch.Model().TermEnergies(dst[:n])
	r.g.energies(dst[n:])
}

// weights are both networks' slab.
func (r *Hybrid[T]) weights() *graph.Vector[T] {
	whole, _ := r.Generator.Weights().Whole()
	return whole
}

// Predict is the amortiser's guess of the cause; unsupervised, the observation that the generator makes of it.
func (r *Hybrid[T]) Predict(x []T) ([]T, error) {
	guess, err := r.Amortiser.Predict(x)
	if err != nil || r.supervised() {
		return guess, err
	}
	return r.Generator.Predict(guess)
}

func (r *Hybrid[T]) locate() string {
	if r.g == nil {
		return ""
	}
	if at := r.batch.Model().Locate(); at != "" {
		return "generator: " + at
	}
	if at := r.g.locate(); at != "" {
		return "amortiser: " + at
	}
	return ""
}
