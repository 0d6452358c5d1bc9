package rules

import (
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// FixedPrediction is predictive coding under the fixed prediction assumption (Millidge, Tschantz and Buckley 2020, arXiv
// 2006.04182, section 2): predictions and their Jacobians stay those of the feedforward pass while the errors relax,
//
//	de_l/dt = -e_l + sum over what reads l of J^T e      J at the feedforward activities
//
// with the output's error fixed, and the weight gradient is -e_l dmu_l/dW. At the equilibrium it is backprop's, for any
// feedforward network; plain descent at rate 1 is there after as many steps as the network is deep. Hidden likelihoods do
// not matter: an error is measured in the energy's gradient with respect to it.
//
// Its energy is sum_l |e_l|^2/2 and the output's term, which does not change.
type FixedPrediction[T graph.Float] struct {
	train.PC[T] // the Model in the coordinates of activities; Solver and Stop relax the errors

	frozen  *arch.Model[T]
	of      *arch.Model[T] // what frozen was compiled for
	fixed   map[int]*frozen[T]
	now     *frozen[T]
	current infer.Problem[T]
}

var _ train.Rule[float32] = (*FixedPrediction[float32])(nil)

// Validate reports what PC reports, other coordinates, networks and energies that have no backprop, and solvers that search along
// an energy.
func (r *FixedPrediction[T]) Validate() error {
	if err := r.PC.Validate(); err != nil {
		return errors.WithMessage(err, "FixedPrediction")
	}
	if r.Start != nil {
		return errors.New("FixedPrediction: Start: errors relax from the feedforward pass: leave it out")
	}
	if err := noStart(r.Model.Network()); err != nil {
		return errors.WithMessage(err, "FixedPrediction")
	}
	switch r.Solver.(type) {
	case *infer.LBFGS[T], *infer.Newton[T]:
		return errors.Errorf("FixedPrediction: a solver of type %T searches along an energy, and how the errors relax is the gradient of none: use infer.Descent or infer.Flow", r.Solver)
	}
	_, err := r.model()
	return err
}

// model compiles the network with the energy linearised in the errors.
func (r *FixedPrediction[T]) model() (*arch.Model[T], error) {
	if r.frozen != nil && r.of == r.Model {
		return r.frozen, nil
	}
	m, err := linearise(r.Model)
	if err != nil {
		return nil, errors.WithMessage(err, "FixedPrediction")
	}
	r.frozen, r.of, r.fixed, r.now = m, r.Model, nil, nil
	return m, nil
}

// linearise compiles a second model over the weights of a feedforward network, whose energy is linearised in the errors.
func linearise[T graph.Float](of *arch.Model[T]) (*arch.Model[T], error) {
	p := of.Plan()
	pc, err := gradientEnergy(of)
	if err != nil {
		return nil, err
	}
	p.Energy = withPart(p.Energy, linearised{pc})
	return arch.Compile(of.Network(), of.Weights(), p)
}

// linearised is sum_l -<e_l, mu_l(z)> + the output's term, whose gradients with respect to z and W at the feedforward z are what the
// errors e, states of their own, make of them.
type linearised struct{ of energy.PC }

// Terms are one per site.
func (f linearised) Terms(b *graph.Builder, l energy.Latents) []energy.Term {
	var ts []energy.Term
	outputs := l
	outputs.Predictions = nil
	for _, s := range l.Predictions {
		if s.Output {
			outputs.Predictions = append(outputs.Predictions, s)
			continue
		}
		b.Within(s.Name, func() {
			e := b.State(errorName, s.Mean.Shape()...)
			ts = append(ts, energy.Term{Name: s.Name, Node: b.Scale(b.Inner(e, s.Mean), -1/float64(l.Batch))})
		})
	}
	of := f.of
	of.Blocks = make(map[string]energy.Likelihood) // those of hidden blocks have no site to be of
	for _, s := range outputs.Predictions {
		if lik := f.of.Blocks[s.Name]; lik != nil {
			of.Blocks[s.Name] = lik
		}
	}
	return append(ts, of.Terms(b, outputs)...)
}

const errorName = "fixed"

// A frozen is a linearised model of one batch size with the places of its errors.
type frozen[T graph.Float] struct {
	m        *arch.Model[T]
	at, grad []T      // a point and its gradient, as long as the state
	lo       int      // where the errors begin in the state: behind the activities
	pairs    [][2]int // fields of an error and its activity
	terms    []float64
	settings bool // the rule's model has inputs of layers or masks, which this one takes over
}

// freeze finds the errors in a model's state.
func freeze[T graph.Float](m *arch.Model[T]) (*frozen[T], error) {
	v := m.StateVector()
	f := &frozen[T]{m: m, settings: len(m.LayerInputs()) > 0 || noMask(m.Plan()) != nil, at: make([]T, len(v.Data())), grad: make([]T, len(v.Data())), lo: -1, terms: make([]float64, len(m.Terms()))}
	fields := v.Fields()
	for i, e := range fields {
		name, isError := strings.CutSuffix(e.Name, "/"+errorName)
		if !isError {
			if f.lo >= 0 {
				return nil, errors.Errorf("FixedPrediction: the activity %s comes after the errors", e.Name)
			}
			continue
		}
		if f.lo < 0 {
			f.lo, _ = v.Span(i)
		}
		for j, z := range fields {
			if z.Name == name+"/z" {
				f.pairs = append(f.pairs, [2]int{i, j})
			}
		}
	}
	if f.lo < 0 {
		f.lo = len(v.Data())
	}
	return f, nil
}

// field writes e_l - sum J^T e to dst and returns sum |e|^2/2 per sample.
func (f *frozen[T]) field(dst, e []T) (float64, error) {
	copy(f.at[f.lo:], e)
	if _, err := f.m.StateGrad(f.grad, f.at); err != nil {
		return 0, err
	}
	v := f.m.StateVector()
	for _, p := range f.pairs {
		out, own, through := v.Part(f.grad, p[0]), v.Part(f.at, p[0]), v.Part(f.grad, p[1])
		for i := range out {
			out[i] = own[i] + through[i]
		}
	}
	copy(dst, f.grad[f.lo:])
	return kernel.SumSquares(e) / 2 / float64(f.m.Plan().Batch), nil
}

// where names an element of the errors.
func (f *frozen[T]) where(i int) string { return f.m.StateVector().Where(f.lo + i) }

// Gradient relaxes the errors from zero and takes the gradient there.
func (r *FixedPrediction[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	whole, err := r.model()
	if err != nil {
		return train.Report{}, err
	}
	m, err := whole.Resized(batch)
	if err != nil {
		return train.Report{}, err
	}
	if r.now == nil || r.now.m != m {
		if r.now = r.fixed[batch]; r.now == nil {
			if r.now, err = freeze(m); err != nil {
				return train.Report{}, err
			}
			if r.fixed == nil {
				r.fixed = make(map[int]*frozen[T])
			}
			r.fixed[batch] = r.now
		}
		r.current = infer.Problem[T]{Energy: r.now.field, Where: r.now.where}
	}
	f := r.now
	if f.settings {
		own, err := r.Model.Resized(batch)
		if err != nil {
			return train.Report{}, err
		}
		if err := m.SetAs(own); err != nil {
			return train.Report{}, err
		}
	}
	if _, err := r.Batch().Load(whole, x, y, batch, r.Seed); err != nil {
		return train.Report{}, err
	}
	if err := m.Forward(); err != nil {
		return train.Report{}, err
	}
	errs := m.State()[f.lo:]
	clear(errs)
	copy(f.at, m.State())
	result, err := infer.Run(r.Solver, r.current, errs, r.Stop, nil)
	if err != nil {
		return train.Report{}, err
	}
	if _, err := m.ParamGrad(grad); err != nil {
		return train.Report{}, err
	}
	loss := 0.0
	m.TermEnergies(f.terms)
	for _, e := range f.terms[len(f.pairs):] {
		loss += e
	}
	return train.Report{Loss: loss, Energy: loss + kernel.SumSquares(errs)/2/float64(batch), Inference: result}, nil
}

// Errors are those of a hidden site [batch, ...] at the last gradient, valid until the next; nil for other sites and before the first.
func (r *FixedPrediction[T]) Errors(site string) []T {
	if r.now == nil {
		return nil
	}
	v := r.now.m.StateVector()
	for i, f := range v.Fields() {
		if f.Name == site+"/"+errorName {
			return v.Part(v.Data(), i)
		}
	}
	return nil
}

// Subject is the model, with the terms sum |e_l|^2/2 of the errors, and those of the output.
func (r *FixedPrediction[T]) Subject() train.Subject[T] {
	s := r.PC.Subject()
	s.Terms = nil
	if m, err := r.model(); err == nil { // Validate says so otherwise
		s.Terms = m.Terms()
	}
	s.TermEnergies = func(dst []float64) {
		if r.now == nil {
			clear(dst)
			return
		}
		m := r.now.m
		m.TermEnergies(dst)
		v := m.StateVector()
		for i, p := range r.now.pairs {
			dst[i] = kernel.SumSquares(v.Part(v.Data(), p[0])) / 2 / float64(m.Plan().Batch)
		}
	}
	return s
}
