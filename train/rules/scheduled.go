package rules

import (
	"cmp"
	"math"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// A Schedule is the weight that the energy of a block has at a step of inference.
type Schedule interface {
	// Weight is that at a step, counted from 0, of so many, of a block which the output's error reaches at step arrival: the number of
	// blocks between it and the output. It counts from the arrival on, see Reached.
	Weight(step, steps, arrival int) float64
}

// Reached reports whether the error of the output has come to a block. Before, its energy has the weight 0 in Scheduled.
func Reached(step, arrival int) bool { return step >= arrival }

// Constant is the weight 1: predictive coding, to rounding.
type Constant struct{}

// Weight is 1.
func (Constant) Weight(_, _, _ int) float64 { return 1 }

// Spiking is the weight 1 at the step at which the error arrives, and Rest at all others: .001 in the paper.
type Spiking struct{ Rest float64 }

// Weight is 1 or Rest.
func (s Spiking) Weight(step, _, arrival int) float64 {
	if step == arrival {
		return 1
	}
	return s.Rest
}

// Validate reports a Rest that is negative or no number.
func (s Spiking) Validate() error {
	if !(s.Rest >= 0) || math.IsInf(s.Rest, 1) {
		return errors.Errorf("Spiking: Rest %g: want a finite number of zero or more", s.Rest)
	}
	return nil
}

// Decaying is the weight 1 at the step at which the error arrives, and k steps later
//
//	exp(-k) / (100 sum_{j=1}^{steps-1-arrival} exp(-j))
//
// so that the weights after the arrival add up to 1/100. (The range of the sum is our reading.)
type Decaying struct{}

// Weight is 0 before the arrival.
func (Decaying) Weight(step, steps, arrival int) float64 {
	k := step - arrival
	if k <= 0 {
		return float64(1 - min(1, -k))
	}
	sum := 0.
	for j := 1; j <= steps-1-arrival; j++ {
		sum += math.Exp(-float64(j))
	}
	return math.Exp(-float64(k)) / (100 * sum)
}

// An Update says which activities the weights of a block learn with.
type Update int

const (
	SettledUpdate Update = iota // those that inference came to: dF/dW
	ForwardUpdate               // those of the feedforward pass, towards the target that inference came to
)

// Scheduled is predictive coding whose energies have weights that change over the steps of inference (Qi, Forasassi, Lukasiewicz and
// Salvatori 2025, arXiv 2506.23800),
//
//	z <- z - rate d/dz sum_l w_l(t) E_l,      t = 0, 1, ..., Stop-1
//
// from the feedforward pass. The weights learn from the energies without w, by dF/dW, or by the forward update
//
//	d/dW_l 1/2 |z_l - f(z0_{l-1}; W_l)|^2     z where inference ended, z0 the feedforward pass
//
// The solver's step count is that of the schedule, so that momentum can be used. Residuals are of another energy at every step, and
// not compared.
type Scheduled[T graph.Float] struct {
	train.PC[T]          // the Model in the coordinates of activities, of any feedforward network; Stop is infer.Steps
	Schedule    Schedule // nil means Constant
	Update      Update

	weighted, linear *arch.Model[T]
	of               *arch.Model[T] // what they were compiled for
	sizes            map[int]*scheduled[T]
	now              *scheduled[T]
}

var _ train.Rule[float32] = (*Scheduled[float32])(nil)

// Validate reports what PC reports, networks and energies that the weights do not fit, solvers that mix gradients of several steps, and
// a Stop that does not say how many steps there are.
func (r *Scheduled[T]) Validate() error {
	if err := r.PC.Validate(); err != nil {
		return errors.WithMessage(err, "Scheduled")
	}
	switch r.Solver.(type) {
	case *infer.Descent[T]:
	default:
		return errors.Errorf("Scheduled: a solver of type %T mixes gradients of several steps, whose energies differ: use infer.Descent", r.Solver)
	}
	steps, is := r.Stop.(infer.Steps)
	switch {
	case !is || steps < 1:
		return errors.Errorf("Scheduled: Stop %T(%v): the schedule needs to know how many steps there are: want infer.Steps of one or more", r.Stop, r.Stop)
	case r.Start != nil:
		return errors.New("Scheduled: Start: the error's arrival is counted from the feedforward pass: leave it out")
	case r.Update != SettledUpdate && r.Update != ForwardUpdate:
		return errors.Errorf("Scheduled: unknown Update %d", int(r.Update))
	}
	if v, can := r.Schedule.(interface{ Validate() error }); can {
		if err := v.Validate(); err != nil {
			return errors.WithMessage(err, "Scheduled")
		}
	}
	err := noStart(r.Model.Network())
	if r.Update == ForwardUpdate {
		err = cmp.Or(err, unitHidden(r.Model.Plan().Energy))
	}
	if err != nil {
		return errors.WithMessage(err, "Scheduled (train.PC takes any network and energy)")
	}
	return r.compile()
}

// compile compiles the models of the weighted energy and of the forward update.
func (r *Scheduled[T]) compile() error {
	if r.of == r.Model {
		return nil
	}
	pc, err := gradientEnergy(r.Model)
	if err == nil {
		p := r.Model.Plan()
		p.Energy = withPart(p.Energy, weighted{pc})
		r.weighted, err = arch.Compile(r.Model.Network(), r.Model.Weights(), p)
	}
	if err == nil {
		r.linear, err = linearise(r.Model)
	}
	if err != nil {
		return errors.WithMessage(err, "Scheduled (train.PC takes any network and energy)")
	}
	r.of, r.sizes, r.now = r.Model, make(map[int]*scheduled[T]), nil
	return nil
}

// weighted is an energy with a weight for each sample at every prediction, w = v^2, with v [batch, 1] a state of its own, which is
// given and not moved.
type weighted struct{ of energy.PC }

const weightName = "scheduled"

// Terms are those of the energy.
func (f weighted) Terms(b *graph.Builder, l energy.Latents) []energy.Term {
	of := f.of
	of.Hidden, of.Output = rooted{of.Hidden}, rooted{of.Output}
	of.Blocks = make(map[string]energy.Likelihood)
	for name, lik := range f.of.Blocks {
		of.Blocks[name] = rooted{lik}
	}
	return of.Terms(b, l)
}

// rooted is a likelihood with the weights of weighted.
type rooted struct{ of energy.Likelihood }

// NegLog adds the likelihood of an error, or of a distribution, that is multiplied by the weights.
func (f rooted) NegLog(b *graph.Builder, p energy.Prediction, batch int) *graph.Node {
	v := b.State(weightName, batch, 1)
	switch lik := f.of.(type) {
	case nil, energy.Gaussian:
		if p.LogPrecision != nil {
			break
		}
		if p.Error == nil {
			p.Error = b.Sub(p.Activity, p.Mean)
		}
		g, _ := lik.(energy.Gaussian)
		p.Error = bySample(b, p.Error, v)
		return g.NegLog(b, p, batch)
	case energy.Categorical:
		p.Activity = bySample(b, bySample(b, p.Activity, v), v)
		return lik.NegLog(b, p, batch)
	}
	b.Fail(errors.Errorf("a likelihood %T, or a learned precision: weights of energies are for energy.Gaussian and energy.Categorical", f.of))
	return nil
}

// A scheduled is the models for one batch size.
type scheduled[T graph.Float] struct {
	m        *arch.Model[T] // of the weighted energy
	at, grad []T
	z        int        // activities in the state, before the weights
	weights  [][]T      // parts of at
	arrivals []int      // of the blocks of weights
	linear   *frozen[T] // of the forward update
	problem  infer.Problem[T]
	step     int
	steps    int
	schedule Schedule
	settings bool
}

// size is the models for a batch size.
func (r *Scheduled[T]) size(batch int) (*scheduled[T], error) {
	if s := r.sizes[batch]; s != nil {
		return s, nil
	}
	m, err := r.weighted.Resized(batch)
	if err != nil {
		return nil, err
	}
	l, err := r.linear.Resized(batch)
	if err != nil {
		return nil, err
	}
	s := &scheduled[T]{m: m, at: make([]T, len(m.State())), grad: make([]T, len(m.State())), settings: len(m.LayerInputs()) > 0 || noMask(m.Plan()) != nil}
	if s.linear, err = freeze(l); err != nil {
		return nil, err
	}
	own, err := r.Model.Resized(batch)
	if err != nil {
		return nil, err
	}
	s.z = len(own.State())
	arrival := arrivals(m.Network())
	v := m.StateVector()
	for i, f := range v.Fields() {
		if name, is := strings.CutSuffix(f.Name, "/"+weightName); is {
			s.weights, s.arrivals = append(s.weights, v.Part(s.at, i)), append(s.arrivals, arrival[name])
		} else if lo, _ := v.Span(i); lo >= s.z {
			return nil, errors.Errorf("Scheduled: the activity %s comes after the weights", f.Name)
		}
	}
	s.problem = infer.Problem[T]{Energy: s.field, Where: own.StateVector().Where}
	r.sizes[batch] = s
	return s, nil
}

// arrivals are the steps at which the output's error reaches blocks: their distance from an output. Without a way there it is beyond
// all steps.
func arrivals(n *arch.Network) map[string]int {
	at := make(map[string]int)
	for i, b := range n.Blocks {
		if at[b.Name] = math.MaxInt / 2; output(n, i) {
			at[b.Name] = 0
		}
	}
	for moved := true; moved; {
		moved = false
		for i, b := range n.Blocks {
			reads := n.From(i)
			for _, s := range b.Skips {
				reads = append(reads[:len(reads):len(reads)], s.From)
			}
			for _, site := range reads {
				if a, is := at[site]; is && at[b.Name]+1 < a {
					at[site], moved = at[b.Name]+1, true
				}
			}
		}
	}
	return at
}

// field is the gradient with the weights of the step, which is counted.
func (s *scheduled[T]) field(dst, z []T) (float64, error) {
	for i, v := range s.weights {
		w := 0.
		if Reached(s.step, s.arrivals[i]) {
			w = math.Sqrt(s.schedule.Weight(s.step, s.steps, s.arrivals[i]))
		}
		for k := range v {
			v[k] = T(w)
		}
	}
	copy(s.at, z)
	f, err := s.m.StateGrad(s.grad, s.at)
	copy(dst, s.grad)
	s.step = min(s.step+1, s.steps-1)
	return f, err
}

// Infer clamps a batch and relaxes the activities, those of Batch().Model(), from the feedforward pass; observe, which may be nil, is
// called as by infer.Run.
func (r *Scheduled[T]) Infer(x, y []T, batch int, observe func(infer.Reading)) (infer.Result, error) {
	if err := r.compile(); err != nil {
		return infer.Result{}, err
	}
	b, err := r.Begin(x, y, batch)
	if err != nil {
		return infer.Result{}, err
	}
	s, err := r.size(batch)
	if err != nil {
		return infer.Result{}, err
	}
	r.now = s
	for _, m := range []*arch.Model[T]{s.m, s.linear.m} {
		if s.settings {
			if err := m.SetAs(b.Model()); err != nil {
				return infer.Result{}, err
			}
		}
		if err := m.Clamp(x, y); err != nil {
			return infer.Result{}, err
		}
	}
	if s.schedule = r.Schedule; s.schedule == nil {
		s.schedule = Constant{}
	}
	steps, is := r.Stop.(infer.Steps)
	if !is {
		return infer.Result{}, errors.Errorf("Scheduled: Stop %T: want infer.Steps", r.Stop)
	}
	s.step, s.steps = 0, int(steps)
	result, err := infer.Run(r.Solver, s.problem, b.Model().State(), r.Stop, observe)
	result.Initial = 0
	return result, err
}

// Gradient relaxes the activities on the weighted energies and takes the gradient of the update.
func (r *Scheduled[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	result, err := r.Infer(x, y, batch, nil)
	if err != nil {
		return train.Report{}, err
	}
	report := train.Report{Loss: result.FirstEnergy, Inference: result}
	m := r.Batch().Model()
	if r.Update == SettledUpdate {
		report.Energy, err = m.ParamGrad(grad)
		return report, err
	}
	if report.Energy, err = m.Energy(); err != nil {
		return report, err
	}
	l := r.now.linear.m
	if err := l.Forward(); err != nil {
		return report, err
	}
	v, own := l.StateVector(), m.StateVector()
	for _, p := range r.now.linear.pairs {
		kernel.Axpby(v.Part(v.Data(), p[0]), 1, own.Part(own.Data(), p[1]), -1, v.Part(v.Data(), p[1]))
	}
	_, err = l.ParamGrad(grad)
	return report, err
}
