package rules

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// A Nudge says what beta does.
type Nudge int

const (
	// NudgedTarget clamps the output to mu + beta (y - mu), mu being its feedforward prediction: the nudging of the pcx
	// benchmark (arXiv 2407.01163, section 3). As beta goes to 0 the gradient goes to that of predictive coding on the
	// linearised network, for linear ones PC's own at every beta but for activities, and not to backprop's.
	NudgedTarget Nudge = iota
	// NudgedCost multiplies the output's term of the energy by beta: equilibrium propagation (Scellier and Bengio 2017)
	// with the hidden terms as its energy. As beta goes to 0 the gradient goes to backprop's.
	NudgedCost
)

// A Sign says which signs of beta a gradient is made of.
type Sign int

const (
	Positive   Sign = iota // towards the target
	Negative               // away from it
	Centred                // half of each: the error is of second order in beta, for two inferences
	RandomSign             // one of both for each batch, by chance: unbiased to first order, for one inference
)

// Nudged is predictive coding with an output that is only nudged towards its target, or away from it. The gradient is
//
//	1/beta dF_beta/dW       at the equilibrium of F_beta, the energy at nudging beta
//
// for beta of either sign, or the mean of both. F_beta is 0 at the feedforward pass for beta = 0, so no free phase is
// needed. Outputs must be Gaussian for NudgedTarget. The Report's Loss is that of the target itself.
// NudgedTarget allocates the prediction of each batch.
type Nudged[T graph.Float] struct {
	train.PC[T] // its Seed is that of RandomSign too
	Nudge       Nudge
	Beta        float64 // above 0; 1 and NudgedTarget is PC
	Sign        Sign

	signs  train.Random
	target []T
	other  []T
	last   *train.BatchModel[T] // whose energy was computed last
	phases [2]*train.PC[T]      // towards the target and away from it
	made   [2]nudging[T]        // what the phases were made for
}

// A nudging is what the model of a phase depends on.
type nudging[T graph.Float] struct {
	model *arch.Model[T]
	nudge Nudge
	beta  float64
}

var _ train.Rule[float32] = (*Nudged[float32])(nil)

// Validate reports what PC reports, a start at the inference before, a beta that is not above 0, and outputs that cannot be moved.
func (r *Nudged[T]) Validate() error {
	if err := r.PC.Validate(); err != nil {
		return errors.WithMessage(err, "Nudged")
	}
	switch r.Start.(type) {
	case *train.Previous[T], *train.Average[T], *train.Recall[T]:
		return errors.Errorf("Nudged: Start: between two batches the model makes the feedforward pass, and a %T would go on from that: leave it out", r.Start)
	}
	switch {
	case !(r.Beta > 0) || math.IsInf(float64(T(r.Beta)), 1) || math.IsInf(float64(T(1/r.Beta)), 1) || T(1/r.Beta) == 0:
		return errors.Errorf("Nudged: Beta %g: want a number above 0 that is finite as a %T, as its inverse is; Sign says its sign", r.Beta, T(0))
	case r.Nudge != NudgedTarget && r.Nudge != NudgedCost:
		return errors.Errorf("Nudged: unknown Nudge %d", int(r.Nudge))
	case r.Sign < Positive || r.Sign > RandomSign:
		return errors.Errorf("Nudged: unknown Sign %d", int(r.Sign))
	}
	if r.Nudge == NudgedCost {
		_, err := r.towards(0)
		return err
	}
	pc, err := chainEnergy(r.Model.Plan().Energy)
	if err != nil {
		return errors.WithMessage(err, "Nudged")
	}
	for _, lik := range append(likelihoods(pc.Blocks), pc.Output) {
		if _, categorical := lik.(energy.Categorical); categorical {
			return errors.New("Nudged: NudgedTarget moves the output between prediction and target, and a categorical prediction is logits: use NudgedCost, or a Gaussian output")
		}
	}
	return nil
}

// Gradient relaxes once, or twice if Centred.
func (r *Nudged[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	r.last = r.Batch()
	whole, err := r.last.Load(r.Model, x, y, batch, r.Seed)
	if err != nil {
		return train.Report{}, err
	}
	if err := whole.Forward(); err != nil {
		return train.Report{}, err
	}
	loss, err := whole.Energy()
	if err != nil {
		return train.Report{}, err
	}
	first, both := 0, false
	switch r.Sign {
	case Negative:
		first = 1
	case Centred:
		both = true
	case RandomSign:
		first = r.signs.From(r.Seed, signStream).IntN(2)
	}
	report, err := r.phase(grad, x, y, batch, first)
	report.Loss = loss
	if err != nil || !both || report.Inference.Status == infer.Diverged {
		return report, err
	}
	if len(r.other) != len(grad) {
		r.other = make([]T, len(grad))
	}
	second, err := r.phase(r.other, x, y, batch, 1)
	kernel.Axpby(grad, .5, grad, .5, r.other)
	a, b := report.Inference, second.Inference
	b.Step, b.Evals, b.Rejected, b.Time, b.Elapsed = a.Step+b.Step, a.Evals+b.Evals, a.Rejected+b.Rejected, a.Time+b.Time, a.Elapsed+b.Elapsed
	if a.Status != infer.Converged && b.Status == infer.Converged {
		b.Status = a.Status
	}
	return train.Report{Loss: loss, Energy: second.Energy, Inference: b}, err
}

// Subject is the model. The terms are those of the energy of the last phase.
func (r *Nudged[T]) Subject() train.Subject[T] {
	s := train.SubjectOf(r.Model, func() *arch.Model[T] {
		if r.last == nil {
			return nil
		}
		return r.last.Model()
	})
	s.Solver = r.Solver
	return s
}

// Memory is that of PC, and where the random signs are.
func (r *Nudged[T]) Memory() train.Memory {
	ms := r.PC.Memory().(train.Memories)
	ms["signs"] = &r.signs
	return ms
}

// signStream is the second half of the seed of random signs.
const signStream = 7

// phase is the gradient at one beta: away 0 for towards the target, 1 for away from it.
func (r *Nudged[T]) phase(grad, x, y []T, batch, away int) (train.Report, error) {
	pc, err := r.towards(away)
	if err != nil {
		return train.Report{}, err
	}
	beta := r.beta(away)
	pc.Batch().RepeatNoise(r.Batch()) // both phases see what the loss has seen
	if r.Nudge == NudgedTarget {
		mu, err := r.feedforward(x, batch)
		if err != nil {
			return train.Report{}, err
		}
		if len(r.target) < len(y) {
			r.target = make([]T, len(y))
		}
		target := r.target[:len(y)]
		kernel.Axpby(target, T(1-beta), mu, T(beta), y)
		y = target
	}
	if pc.Model != r.Model {
		m, err := pc.Model.Resized(batch)
		if err != nil {
			return train.Report{}, err
		}
		whole, err := r.Model.Resized(batch)
		if err != nil {
			return train.Report{}, err
		}
		if err := m.SetAs(whole); err != nil {
			return train.Report{}, err
		}
	}
	report, err := pc.Gradient(grad, x, y, batch)
	r.last = pc.Batch()
	kernel.Scale(grad, grad, T(1/beta))
	return report, err
}

// feedforward is the output before inference, with the random numbers that layers had.
func (r *Nudged[T]) feedforward(x []T, batch int) ([]T, error) {
	m, err := r.Model.Resized(batch)
	if err != nil {
		return nil, err
	}
	var inputs map[string][]T
	for i, f := range m.LayerInputs() {
		if i == 0 {
			inputs = make(map[string][]T)
		}
		inputs[f.Name] = m.LayerInput(f.Name)
	}
	return m.PredictWith(x, inputs)
}

// beta has its sign.
func (r *Nudged[T]) beta(away int) float64 { return r.Beta * float64(1-2*away) }

// towards is the inference of a phase; nudging the cost, its model is one whose output's term is multiplied by beta.
func (r *Nudged[T]) towards(away int) (*train.PC[T], error) {
	want := nudging[T]{r.Model, r.Nudge, r.beta(away)}
	if pc := r.phases[away]; pc != nil && r.made[away] == want {
		pc.Solver, pc.Stop, pc.Seed, pc.Start = r.Solver, r.Stop, r.Seed, r.Start
		return pc, nil
	}
	pc := &train.PC[T]{Model: r.Model, Solver: r.Solver, Stop: r.Stop, Seed: r.Seed, Start: r.Start}
	if r.Nudge == NudgedCost {
		p := r.Model.Plan()
		if p.Energy == nil {
			p.Energy = energy.PC{}
		}
		p.Energy = energy.Outputs{Of: p.Energy, Factor: r.beta(away)}
		m, err := arch.Compile(r.Model.Network(), r.Model.Weights(), p)
		if err != nil {
			return nil, errors.WithMessage(err, "Nudged")
		}
		pc.Model = m
	}
	r.phases[away], r.made[away] = pc, want
	return pc, nil
}
