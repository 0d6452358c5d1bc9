package rules

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A Sweep says in which order PCALM moves the activities of one step.
type Sweep int

const (
	Together  Sweep = iota // all from the same point (Jacobi)
	Backwards              // from the last block to the first, each with the newest neighbours (Gauss-Seidel)
	Forwards               // from the first block to the last
)

// A DualMode says at which multipliers PCALM takes the weight gradient.
type DualMode int

const (
	BeforeLast DualMode = iota // those that the last step of the activities saw: the paper's default
	AfterLast                  // those after the last ascent
)

// PCALM is predictive coding by the method of multipliers (PC-ALM; Seely and Gould 2026, arXiv 2605.31022): the hidden predictions
// are constraints z_l = mu_l, whose multipliers lambda_l carry the error signal. From the feedforward pass and lambda = 0 it makes
// Steps times
//
//	Inner times   z_l <- z_l - Rate dL_i/dz_l
//	then          lambda_l <- lambda_l + Ascent c_l,     c_l = z_l - mu_l
//
// on the augmented Lagrangian L of energy.AugmentedLagrangian, then takes dL/dW. Where it converges, z is the feedforward pass,
// -lambda backprop's adjoint and dL/dW backprop's gradient, unlike at the equilibrium of predictive coding, which Ascent 0 is to the
// bit. The signal of the output reaches the first of H hidden sites after about H/sqrt(Ascent Rate lambda_max) steps.
//
// Together and Inner 1, the ascent needs no evaluation of its own: the step that follows it has the gradient of the Lagrangian of
// penalty Penalty + Ascent at the multipliers before it,
//
//	Penalty c + (lambda + Ascent c) = (Penalty + Ascent) c + lambda
//
// so that activities and multipliers move at once, in fused steps.
//
// Report.Energy is L; PC-ALM's own is larger by 1/2B sum |lambda|^2/Penalty.
type PCALM[T graph.Float] struct {
	Model   *arch.Model[T] // in the coordinates of activities
	Steps   int            // the budget, T; 0 means twice the number of blocks
	Inner   int            // steps of the activities for each of the multipliers; 0 means 1
	Rate    float64        // of the activities, eta; 0 means 1 / the largest curvature of the energy at Penalty, measured at every Refresh-th batch
	Penalty float64        // rho; 0 means 1
	Ascent  float64        // alpha; the paper's is 1
	Sweep   Sweep
	Dual    DualMode
	Refresh int    // batches from one measurement of the rate to the next; 0 means 100
	Seed    uint64 // of what layers draw at random for every batch, as in PC

	whole  train.BatchModel[T] // Model itself, for its curvature and its size
	ahead  train.BatchModel[T] // penalty Penalty + Ascent
	level  train.BatchModel[T] // penalty Penalty
	made   pcalmModels[T]
	solver infer.Descent[T]
	sgd    optim.SGD[T]
	order  []int
	move   func(site int, z, grad []T) // a step of sgd, bound once
	grad   []T                         // with respect to the activities
	terms  []float64
	pace   infer.Pace[T]
}

// pcalmModels are the models of a PCALM with what they were made of.
type pcalmModels[T graph.Float] struct {
	of              *arch.Model[T]
	penalty, ascent float64
	sweep           Sweep
	ahead, level    *arch.Model[T]
}

var (
	_ train.Rule[float32] = (*PCALM[float32])(nil)
	_ train.Resumable     = (*PCALM[float32])(nil)
)

func (r *PCALM[T]) penalty() float64 {
	if r.Penalty == 0 {
		return 1
	}
	return r.Penalty
}

// stableMargin is how far beyond the limit of stability a setting is refused: the curvature, which counts the output's term too, is an
// upper bound of what decides.
const stableMargin = 1.1

// limit is the Ascent below which steps at a rate are stable, for a largest curvature c: each singular value s of the constraints needs
// rate s^2 (2 Penalty + Ascent) < 4, and Penalty s^2 is c at most.
func (r *PCALM[T]) limit(rate, c float64) float64 {
	rho := r.penalty()
	return rho * (4/(rate*c) - 2)
}

// Validate reports a missing model, other coordinates, models with free ends or dendrites, settings out of range, and an Ascent that is
// unstable at the rate that is measured.
func (r *PCALM[T]) Validate() error {
	if r.Model == nil {
		return errors.New("PCALM: Model is missing")
	}
	if c := r.Model.Plan().Coordinates; c != arch.Activities {
		return errors.Errorf("PCALM: a model in the coordinates of %v: compile it in arch.Activities, whose predictions are the constraints", c)
	}
	if r.Model.Plan().Dendrites != nil {
		return errors.New("PCALM: a model with dendrites does not follow the gradient of an energy: compile it without")
	}
	switch {
	case r.Steps < 0 || r.Inner < 0 || r.Refresh < 0:
		return errors.Errorf("PCALM: Steps %d, Inner %d, Refresh %d: want none below 0", r.Steps, r.Inner, r.Refresh)
	case r.Sweep < Together || r.Sweep > Forwards:
		return errors.Errorf("PCALM: unknown Sweep %d", int(r.Sweep))
	case r.Dual != BeforeLast && r.Dual != AfterLast:
		return errors.Errorf("PCALM: unknown Dual %d", int(r.Dual))
	case !finite(r.Rate) || r.Rate < 0:
		return errors.Errorf("PCALM: Rate %g: want a positive number, or 0 for one that is measured", r.Rate)
	case !finite(r.Penalty) || r.Penalty < 0:
		return errors.Errorf("PCALM: Penalty %g: want a positive number, or 0 for 1", r.Penalty)
	case !finite(r.Ascent) || r.Ascent < 0:
		return errors.Errorf("PCALM: Ascent %g: want a number that is not negative", r.Ascent)
	}
	if max := r.limit(1, 1); r.Rate == 0 && r.Sweep == Together && r.Ascent >= max {
		return errors.Errorf("PCALM: Ascent %g is unstable: at a rate of 1 / the largest curvature it must be below twice the Penalty, %g", r.Ascent, max)
	}
	return errors.WithMessage(r.Model.TakesBatches(), "PCALM")
}

// Gradient is dL/dW after Steps. It is an error if Rate and Ascent are unstable at the curvature of the first batch.
func (r *PCALM[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	if err := r.compile(); err != nil {
		return train.Report{}, err
	}
	var err error
	if r.sgd.Rate, err = r.rate(x, y, batch); err != nil {
		return train.Report{}, err
	}
	if r.solver.Optimizer == nil {
		r.solver.Optimizer = &r.sgd
		r.move = func(_ int, z, grad []T) { kernel.SGD(z, grad, T(r.sgd.Rate), 0) }
	}
	steps, inner := r.Steps, max(1, r.Inner)
	if steps == 0 {
		steps = 2 * len(r.Model.Network().Blocks)
	}
	var result infer.Result
	if r.Sweep == Together {
		result, err = r.together(x, y, batch, steps, inner)
	} else {
		result, err = r.sweeps(x, y, batch, steps, inner)
	}
	if err != nil {
		return train.Report{}, err
	}
	f, err := r.level.Model().ParamGrad(grad)
	return train.Report{Loss: result.FirstEnergy, Energy: f, Inference: result}, err
}

// compile makes the models, once for each Model, Penalty and Ascent.
func (r *PCALM[T]) compile() error {
	want := pcalmModels[T]{of: r.Model, penalty: r.penalty(), ascent: r.Ascent, sweep: r.Sweep, ahead: r.made.ahead, level: r.made.level}
	if r.made.of != nil && r.made == want {
		return nil
	}
	of := func(penalty, ascent float64) (*arch.Model[T], error) {
		p := r.Model.Plan()
		p.Energy = energy.AugmentedLagrangian{Of: p.Energy, Penalty: penalty, Ascent: ascent}
		m, err := arch.Compile(r.Model.Network(), r.Model.Weights(), p)
		return m, errors.WithMessage(err, "PCALM")
	}
	still := r.Ascent
	if r.Sweep == Together {
		still = 0
	}
	var err error
	if want.level, err = of(want.penalty, still); err != nil {
		return err
	}
	if want.ahead = want.level; still != r.Ascent {
		if want.ahead, err = of(want.penalty+r.Ascent, r.Ascent); err != nil {
			return err
		}
	}
	r.made = want
	return nil
}

// rate is Rate, or what the curvature of a batch says. The curvature is measured at the feedforward pass and lambda = 0; at a given
// Rate once, to see that it is stable.
func (r *PCALM[T]) rate(x, y []T, batch int) (float64, error) {
	r.pace.Refresh = cmp.Or(r.Refresh, 100)
	known := r.pace.Curvature() > 0
	if r.Rate > 0 && known {
		return r.Rate, nil
	}
	var z []T
	var p infer.Problem[T]
	if r.pace.Due() {
		m, err := r.start(&r.whole, r.made.level, x, y, batch)
		if err != nil {
			return 0, err
		}
		p.Energy, z = m.StateGrad, m.State()
	}
	c, _, err := r.pace.Use(p, z)
	switch {
	case err != nil:
		return 0, err
	case c == 0:
		return 0, errors.New("PCALM: the curvature of the energy is not finite: the weights or the data are too large")
	case r.Rate == 0:
		return 1 / c, nil
	}
	if r.Sweep == Together && r.Rate*c*(2+r.Ascent/r.penalty()) > 4*stableMargin {
		advice := fmt.Sprintf("Rate must be below %.3g", 4/(c*(2+r.Ascent/r.penalty())))
		if most := r.limit(r.Rate, c); most > 0 {
			advice += fmt.Sprintf(", or Ascent below %.3g", most)
		}
		return 0, errors.Errorf("PCALM: Rate %.3g, Penalty %.3g and Ascent %.3g are unstable where the largest curvature is %.3g: %s; Rate 0 measures one that fits",
			r.Rate, r.penalty(), r.Ascent, c, advice)
	}
	return r.Rate, nil
}

// together moves all activities at once.
func (r *PCALM[T]) together(x, y []T, batch, steps, inner int) (infer.Result, error) {
	level, err := r.start(&r.level, r.made.level, x, y, batch)
	if err != nil {
		return infer.Result{}, err
	}
	if r.made.level == r.made.ahead {
		return r.level.Infer(&r.solver, infer.Steps(steps*inner), nil)
	}
	ahead, err := r.start(&r.ahead, r.made.ahead, x, y, batch)
	if err != nil {
		return infer.Result{}, err
	}
	if err := level.SetAs(ahead); err != nil {
		return infer.Result{}, err
	}
	give := func() {
		copy(level.State(), ahead.State())
		copy(level.Multipliers().Data(), ahead.Multipliers().Data())
	}
	var result infer.Result
	if inner == 1 {
		result, err = r.ahead.Infer(&r.solver, infer.Steps(steps), nil)
	}
	for step := 0; step < steps && inner > 1 && err == nil && result.Status != infer.Diverged; step++ {
		var first, others infer.Result
		if first, err = r.ahead.Infer(&r.solver, infer.Steps(1), nil); err == nil {
			give()
			others, err = r.level.Infer(&r.solver, infer.Steps(inner-1), nil)
			copy(ahead.State(), level.State())
			result = joined(joined(result, first), others)
		}
	}
	if err == nil && r.Dual == AfterLast {
		_, err = ahead.StateGrad(r.sized(), ahead.State())
		ahead.Ascend()
	}
	give()
	return result, err
}

// start loads a batch into a model and sets the activities to the feedforward pass, the multipliers to zero.
func (r *PCALM[T]) start(into *train.BatchModel[T], model *arch.Model[T], x, y []T, batch int) (*arch.Model[T], error) {
	m, err := into.Load(model, x, y, batch, r.Seed)
	if err != nil {
		return nil, err
	}
	return m, m.Forward()
}

// sized is memory for a gradient with respect to the activities.
func (r *PCALM[T]) sized() []T {
	if n := len(r.level.Model().State()); len(r.grad) != n {
		r.grad = make([]T, n)
	}
	return r.grad
}

// sweeps moves the activities of one site after the other.
func (r *PCALM[T]) sweeps(x, y []T, batch, steps, inner int) (infer.Result, error) {
	m, err := r.start(&r.level, r.made.level, x, y, batch)
	if err != nil {
		return infer.Result{}, err
	}
	r.order = r.order[:0]
	for i := range m.Free() {
		r.order = append(r.order, i)
	}
	if r.Sweep == Backwards {
		slices.Reverse(r.order)
	}
	g := r.sized()
	result := infer.Result{Status: infer.StepLimit}
	for step := range steps {
		f, err := m.StateGrad(g, m.State())
		if err != nil {
			return result, err
		}
		result.Energy, result.Residual = f, infer.RMS(g)
		if step == 0 {
			result.FirstEnergy, result.Initial = result.Energy, result.Residual
		} else {
			m.Ascend() // by the residuals after the step before
		}
		if !finite(result.Energy) || !finite(result.Residual) {
			result.Status, result.Detail = infer.Diverged, m.Locate()
			return result, nil
		}
		for range inner {
			if err := m.Sweep(r.order, r.move); err != nil {
				return result, err
			}
		}
		result.Step, result.Evals = result.Step+inner, result.Evals+1+inner
	}
	if r.Dual == AfterLast {
		if _, err := m.StateGrad(g, m.State()); err != nil {
			return result, err
		}
		m.Ascend()
	}
	return result, nil
}

// joined is the result of two inferences, one after the other.
func joined(a, b infer.Result) infer.Result {
	if a.Evals == 0 {
		return b
	}
	b.Step, b.Evals, b.Rejected, b.Time, b.Elapsed = a.Step+b.Step, a.Evals+b.Evals, a.Rejected+b.Rejected, a.Time+b.Time, a.Elapsed+b.Elapsed
	b.FirstEnergy, b.Initial = a.FirstEnergy, a.Initial
	return b
}

// Subject is the model. Its TermEnergies are those of the Lagrangian where the last gradient was taken, without the multipliers'.
func (r *PCALM[T]) Subject() train.Subject[T] {
	s := train.SubjectOf(r.Model, r.level.Model)
	count, all := len(s.Terms), s.TermEnergies
	s.TermEnergies = func(dst []float64) {
		checkTerms(dst, count)
		clear(dst)
		if m := r.level.Model(); m != nil {
			if n := len(m.Terms()); len(r.terms) != n {
				r.terms = make([]float64, n)
			}
			all(r.terms)
			copy(dst, r.terms) // those of the multipliers come last
		}
	}
	return s
}

// Batch is the model of the last batch: the Lagrangian of penalty Penalty, with the activities and the multipliers of the last
// gradient.
func (r *PCALM[T]) Batch() *train.BatchModel[T] { return &r.level }

// Memory is the number of batches, and the curvature that the rate comes from.
func (r *PCALM[T]) Memory() train.Memory {
	return train.Memories{"whole": &r.whole, "ahead": &r.ahead, "level": &r.level, "curvature": &r.pace}
}

// finite reports whether v is a number.
func finite(v float64) bool { return v-v == 0 }
