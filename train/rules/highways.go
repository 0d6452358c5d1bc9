package rules

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// Highways is predictive coding with error highways (Mohammadi and Ororbia 2026, arXiv 2606.22744): the output's error reaches every
// hidden activity at once, by a matrix of its own that never changes,
//
//	dz_l/dt = -dF/dz_l + Strength e_L V_l      e_L = -dC/dmu_L, y - mu_L for squares;  V_l [out, width of l]
//
// with the elements of V_l drawn from N(0, Std^2). So the error does not fade with the distance from the output. The weights learn from
// the energy of predictive coding. What activities follow is the gradient of no energy.
type Highways[T graph.Float] struct {
	train.PC[T]         // the Model in the coordinates of activities, of a feedforward network with one output
	Strength    float64 // above 0; .01 to 1 in the paper
	Std         float64 // above 0; .001 in the paper
	Draw        uint64  // seed of the matrices

	tapped *arch.Model[T]
	of     *arch.Model[T] // what tapped was compiled for
	roads  *graph.Vector[T]
	sizes  map[int]*highways[T]
}

var _ train.Rule[float32] = (*Highways[float32])(nil)

// Validate reports what PC reports, networks and energies without one output's error, options out of range, and solvers that search
// along an energy.
func (r *Highways[T]) Validate() error {
	if err := r.PC.Validate(); err != nil {
		return errors.WithMessage(err, "Highways")
	}
	switch r.Solver.(type) {
	case *infer.LBFGS[T], *infer.Newton[T]:
		return errors.Errorf("Highways: a solver of type %T searches along an energy, and what activities follow is the gradient of none: use infer.Descent or infer.Flow", r.Solver)
	}
	for name, v := range map[string]float64{"Strength": r.Strength, "Std": r.Std} {
		if !(v > 0) || math.IsInf(float64(T(v)), 1) {
			return errors.Errorf("Highways: %s %v: want a finite number above 0", name, v)
		}
	}
	return r.compile()
}

// compile compiles the model that the output's error can be read from.
func (r *Highways[T]) compile() error {
	if r.of == r.Model {
		return nil
	}
	pc, err := gradientEnergy(r.Model)
	if _, outputs := r.Model.Network().Ends(); err == nil && len(outputs) != 1 {
		err = errors.Errorf("a network of %d outputs: want one", len(outputs))
	}
	if err == nil {
		p := r.Model.Plan()
		p.Energy = withPart(p.Energy, tapped{pc})
		r.tapped, err = arch.Compile(r.Model.Network(), r.Model.Weights(), p)
	}
	if err != nil {
		return errors.WithMessage(err, "Highways (train.PC takes any network and energy)")
	}
	r.of, r.roads, r.sizes = r.Model, nil, make(map[int]*highways[T])
	return nil
}

// tapped is an energy with a state of zeros that is added to the output's prediction: the gradient with respect to it is dC/dmu.
type tapped struct{ of energy.PC }

const tapName = "tap"

// Terms are those of the energy.
func (f tapped) Terms(b *graph.Builder, l energy.Latents) []energy.Term {
	predictions := l.Predictions
	l.Predictions = nil
	for _, p := range predictions {
		if p.Output {
			b.Within(p.Name, func() { p.Mean, p.Error = b.Add(p.Mean, b.State(tapName, p.Mean.Shape()...)), nil })
		}
		l.Predictions = append(l.Predictions, p)
	}
	return f.of.Terms(b, l)
}

// Matrices are V_l [out, width], by the name of their site.
func (r *Highways[T]) Matrices() (*graph.Vector[T], error) {
	if err := r.compile(); err != nil {
		return nil, err
	}
	if r.roads != nil {
		return r.roads, nil
	}
	_, out := r.Model.Sizes()
	v := r.Model.StateVector()
	var fields []graph.Field
	for i, site := range r.Model.Free() {
		fields = append(fields, graph.Field{Name: site, Shape: []int{out, len(v.Part(v.Data(), i)) / r.Model.Plan().Batch}})
	}
	r.roads = graph.NewVector[T](fields...)
	rng := rand.New(rand.NewPCG(r.Draw, highwayStream))
	for i := range r.roads.Data() {
		r.roads.Data()[i] = T(r.Std * rng.NormFloat64())
	}
	return r.roads, nil
}

// highwayStream is the second half of the seed of the matrices.
const highwayStream = 11

// A highways is the models for one batch size.
type highways[T graph.Float] struct {
	m        *arch.Model[T]
	roads    *graph.Vector[T]
	strength T
	at, grad []T
	problem  infer.Problem[T]
	settings bool
}

// size is the models for a batch size.
func (r *Highways[T]) size(batch int) (*highways[T], error) {
	if s := r.sizes[batch]; s != nil {
		return s, nil
	}
	roads, err := r.Matrices()
	if err != nil {
		return nil, err
	}
	m, err := r.tapped.Resized(batch)
	if err != nil {
		return nil, err
	}
	own, err := r.Model.Resized(batch)
	if err != nil {
		return nil, err
	}
	s := &highways[T]{m: m, roads: roads, at: make([]T, len(m.State())), grad: make([]T, len(m.State())), settings: len(m.LayerInputs()) > 0 || noMask(m.Plan()) != nil}
	s.problem = infer.Problem[T]{Energy: s.field, Where: own.StateVector().Where}
	r.sizes[batch] = s
	return s, nil
}

// field is the gradient with what comes by the highways.
func (s *highways[T]) field(dst, z []T) (float64, error) {
	copy(s.at, z)
	f, err := s.m.StateGrad(s.grad, s.at)
	if err != nil {
		return 0, err
	}
	copy(dst, s.grad)
	batch, v := s.m.Plan().Batch, s.m.StateVector()
	error := s.grad[len(z):]
	out := len(error) / batch
	for i := range s.roads.Fields() {
		lo, hi := v.Span(i)
		width := (hi - lo) / batch
		kernel.Gemm(false, false, batch, width, out, s.strength, error, out, s.roads.Part(s.roads.Data(), i), width, 1, dst[lo:hi], width)
	}
	return f, nil
}

// Gradient relaxes the activities with the highways and takes dF/dW there.
func (r *Highways[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	train.CheckGradient(grad, r.Model.Weights())
	if err := r.compile(); err != nil {
		return train.Report{}, err
	}
	b, err := r.Begin(x, y, batch)
	if err != nil {
		return train.Report{}, err
	}
	s, err := r.size(batch)
	if err != nil {
		return train.Report{}, err
	}
	s.strength = T(r.Strength)
	if s.settings {
		if err := s.m.SetAs(b.Model()); err != nil {
			return train.Report{}, err
		}
	}
	if err := s.m.Clamp(x, y); err != nil {
		return train.Report{}, err
	}
	result, err := infer.Run(r.Solver, s.problem, b.Model().State(), r.Stop, nil)
	if err != nil {
		return train.Report{}, err
	}
	f, err := b.Model().ParamGrad(grad)
	loss := result.FirstEnergy
	if result.Evals == 0 {
		loss = f
	}
	return train.Report{Loss: loss, Energy: f, Inference: result}, err
}
