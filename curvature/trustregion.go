package curvature

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/theory"
)

// A Metric is what a trust-region step on the activities is measured by.
type Metric int

// The metrics.
const (
	// ExactHessian is d^2F_i/dz_i^2 at the feedforward pass.
	ExactHessian Metric = iota
	// Fisher is the Fisher information of the network's generative model at the feedforward pass: of unit Gaussians I + J^T J, the
	// Gauss-Newton part of the Hessian. It leaves out what is proportional to the output's residual, sum_k r_k d^2f_k/dz^2, and so is the
	// Hessian of the same energy with the prediction as its target, where the residual is zero; that is how it is computed.
	Fisher
)

// String is the metric's name.
func (m Metric) String() string { return []string{"exact Hessian", "Fisher"}[m] }

// A TrustRegion is each sample's energy around the feedforward pass zhat, as a function of its free activities,
//
//	F_i(zhat + dz) = L_i + g dz + 1/2 dz A dz      step = -A^-1 g
//
// with A in one of two metrics ("Understanding Predictive Coding as an Adaptive Trust-Region Method", arXiv 2305.18188, equations 4
// to 6). For a linear network both are the same and the step ends at the equilibrium. It holds for networks of any blocks.
type TrustRegion struct {
	Feedforward []float64 // zhat, in the layout of the model's State, as the others
	Gradient    []float64 // g, dF_i/dz_i at zhat: zero but where the output reads
	Loss        float64   // mean over the batch

	m        *arch.Model[float64]
	hessians *arch.StateHessian[float64]
	exact    []*mat.SymDense
	fisher   []*mat.SymDense
}

// mostHessian bounds the memory of all samples' matrices, in numbers.
const mostHessian = 1 << 26

// NewTrustRegion looks at a model in the coordinates of activities around its feedforward pass of x [batch, in], with targets y
// [batch, out], and leaves the model there. Every sample gets two dense matrices over its activities.
//
// It reports models in which nothing is free, other coordinates than those of activities, an output likelihood other than
// energy.Gaussian and energy.Categorical, networks without a feedforward pass, and matrices of more than 2^26 numbers together.
func NewTrustRegion(m *arch.Model[float64], x, y []float64) (*TrustRegion, error) {
	t, err := newTrustRegion(m, x, y)
	return t, errors.WithMessage(err, "curvature: trust region")
}

func newTrustRegion(m *arch.Model[float64], x, y []float64) (*TrustRegion, error) {
	if c := m.Plan().Coordinates; c != arch.Activities {
		return nil, errors.Errorf("a model in the coordinates of %v: compile it in arch.Activities, whose step this is", c)
	}
	pc, is := m.Plan().Energy.(energy.PC)
	if !is && m.Plan().Energy != nil {
		return nil, errors.Errorf("an energy of type %T: want energy.PC", m.Plan().Energy)
	}
	softmax := false
	switch pc.Output.(type) {
	case nil, energy.Gaussian:
	case energy.Categorical:
		softmax = true
	default:
		return nil, errors.Errorf("an output likelihood of type %T: want energy.Gaussian or energy.Categorical", pc.Output)
	}
	batch := m.Plan().Batch
	if dim := len(m.State()) / batch; dim*dim*batch > mostHessian {
		return nil, errors.Errorf("%d samples of %d activities each: their matrices would have %d numbers, more than %d: use a smaller batch or network", batch, dim, dim*dim*batch, mostHessian)
	}
	t := &TrustRegion{m: m}
	var err error
	if t.hessians, err = m.StateHessian(); err != nil {
		return nil, err
	}
	target, err := m.Predict(x)
	if err != nil {
		return nil, err
	}
	if softmax {
		_, out := m.Sizes()
		for s := range batch {
			probabilities(target[s*out : (s+1)*out])
		}
	}
	for _, pass := range []struct {
		y    []float64
		into *[]*mat.SymDense
	}{{target, &t.fisher}, {y, &t.exact}} {
		if err := m.Clamp(x, pass.y); err != nil {
			return nil, err
		}
		if err := m.Forward(); err != nil {
			return nil, err
		}
		if *pass.into, err = t.at(m.State()); err != nil {
			return nil, err
		}
	}
	t.Feedforward = append([]float64(nil), m.State()...)
	t.Gradient = make([]float64, len(t.Feedforward))
	t.Loss, err = m.StateGrad(t.Gradient, m.State())
	return t, err
}

// probabilities makes a softmax of logits in place.
func probabilities(logits []float64) {
	v := mat.NewVecDense(len(logits), logits)
	top := mat.Max(v)
	for i, x := range logits {
		logits[i] = math.Exp(x - top)
	}
	v.ScaleVec(1/mat.Sum(v), v)
}

// at returns each sample's Hessian at activities z: one product of the operator per activity of a sample, for all samples at once.
func (t *TrustRegion) at(z []float64) ([]*mat.SymDense, error) {
	if err := t.hessians.At(z); err != nil {
		return nil, err
	}
	batch := t.m.Plan().Batch
	dim := len(z) / batch
	columns := make([]*mat.Dense, batch)
	for s := range columns {
		columns[s] = mat.NewDense(dim, dim, nil)
	}
	unit, product := make([]float64, len(z)), make([]float64, len(z))
	for j := range dim {
		for s := range batch {
			unit[t.index(s, j)] = 1
		}
		if err := t.hessians.Mul(product, unit); err != nil {
			return nil, err
		}
		for s := range batch {
			unit[t.index(s, j)] = 0
			for i := range dim {
				columns[s].Set(i, j, product[t.index(s, i)])
			}
		}
	}
	all := make([]*mat.SymDense, batch)
	for s, c := range columns {
		h, err := theory.Assemble(dim, func(dst, v []float64) error {
			mat.NewVecDense(dim, dst).MulVec(c, mat.NewVecDense(dim, v))
			return nil
		})
		if err != nil {
			return nil, errors.WithMessagef(err, "sample %d", s)
		}
		all[s] = h
	}
	return all, nil
}

// index is where activity j of a sample is in the model's state.
func (t *TrustRegion) index(sample, j int) int {
	v, batch := t.m.StateVector(), t.m.Plan().Batch
	for i := range v.Fields() {
		lo, hi := v.Span(i)
		width := (hi - lo) / batch
		if j < width {
			return lo + sample*width + j
		}
		j -= width
	}
	panic("curvature: an activity that a sample does not have")
}

// sample copies what belongs to a sample from or, if back, to the layout of the model's state.
func (t *TrustRegion) sample(own, state []float64, sample int, back bool) {
	for j := range own {
		if back {
			state[t.index(sample, j)] = own[j]
		} else {
			own[j] = state[t.index(sample, j)]
		}
	}
}

// Hessian is A of a sample in a metric, over its activities in the order of the model's state.
func (t *TrustRegion) Hessian(metric Metric, sample int) *mat.SymDense {
	if metric == Fisher {
		return t.fisher[sample]
	}
	return t.exact[sample]
}

// Step returns -A^-1 g of all samples. Far from the target the exact Hessian need not be positive definite: the step then leads to the
// model's saddle. It reports a matrix that is singular.
func (t *TrustRegion) Step(metric Metric) ([]float64, error) {
	step := make([]float64, len(t.Gradient))
	err := t.solve(step, t.Gradient, func(s int) *mat.SymDense { return t.Hessian(metric, s) })
	for i := range step {
		step[i] = -step[i]
	}
	return step, errors.WithMessagef(err, "curvature: trust region, %v", metric)
}

// solve writes A^-1 b, sample by sample.
func (t *TrustRegion) solve(dst, b []float64, a func(sample int) *mat.SymDense) error {
	dim := len(b) / t.m.Plan().Batch
	own := make([]float64, dim)
	for s := range t.m.Plan().Batch {
		t.sample(own, b, s, false)
		var x mat.VecDense
		if err := x.SolveVec(a(s), mat.NewVecDense(dim, append([]float64(nil), own...))); err != nil {
			return errors.Wrapf(err, "sample %d: the curvature cannot be inverted", s)
		}
		t.sample(x.RawVector().Data, dst, s, true)
	}
	return nil
}

// Quadratic returns F_i(zhat) + g dz + 1/2 dz A dz less F_i(zhat), sample by sample: what the model says that dz changes.
func (t *TrustRegion) Quadratic(metric Metric, dz []float64) []float64 {
	batch := t.m.Plan().Batch
	dim := len(dz) / batch
	own, g, changes := make([]float64, dim), make([]float64, dim), make([]float64, batch)
	for s := range changes {
		t.sample(own, dz, s, false)
		t.sample(g, t.Gradient, s, false)
		v := mat.NewVecDense(dim, own)
		changes[s] = mat.Dot(mat.NewVecDense(dim, g), v) + mat.Inner(v, t.Hessian(metric, s), v)/2
	}
	return changes
}

// Newton is the step of infer.Problem that solves with the exact Hessian at any activities z of the model: with it infer.Newton comes to
// the equilibrium of a nonlinear network to rounding.
func (t *TrustRegion) Newton(step, grad, z []float64) (evals int, err error) {
	at, err := t.at(z)
	if err != nil {
		return 0, err
	}
	return len(z) / t.m.Plan().Batch, t.solve(step, grad, func(s int) *mat.SymDense { return at[s] })
}

// A Decomposition is predictive coding's weight gradient as backprop's and what the trust-region step adds (arXiv 2305.18188, equation 7),
// as slabs of the weights.
type Decomposition struct {
	PC          []float64 // dF/dW at the equilibrium given
	BP          []float64 // dL/dW
	TrustRegion []float64 // PC - BP
	// Literal are the two terms of the equation as it is written. The one is the gradient at the end of one step, zhat - A^-1 g, less that at zhat: of a
	// weight that reads data it is (dzhat/dW)^T A^-1 g to the last bit. The other, Partial, is the gradient at zhat: of the output's weights,
	// zero for all others.
	Literal, Partial []float64
}

// Decompose splits the weight gradient at the equilibrium z of the model's data. backprop is the same network in arch.Feedforward over the
// same weights. It leaves the model's activities at z.
func (t *TrustRegion) Decompose(backprop *arch.Model[float64], x, y, z []float64, metric Metric) (*Decomposition, error) {
	if backprop.Plan().Coordinates != arch.Feedforward || backprop.Weights() != t.m.Weights() {
		return nil, errors.New("curvature: decomposition: backprop must be a model in arch.Feedforward over the same weights")
	}
	step, err := t.Step(metric)
	if err != nil {
		return nil, err
	}
	size := len(t.m.Weights().Data())
	d := &Decomposition{PC: make([]float64, size), BP: make([]float64, size), TrustRegion: make([]float64, size), Literal: make([]float64, size), Partial: make([]float64, size)}
	if err := backprop.Clamp(x, y); err != nil {
		return nil, err
	}
	if _, err := backprop.ParamGrad(d.BP); err != nil {
		return nil, err
	}
	if err := t.m.Clamp(x, y); err != nil {
		return nil, err
	}
	for i := range step {
		step[i] += t.Feedforward[i]
	}
	for _, at := range []struct{ z, grad []float64 }{{step, d.Literal}, {t.Feedforward, d.Partial}, {z, d.PC}} {
		copy(t.m.State(), at.z)
		if _, err := t.m.ParamGrad(at.grad); err != nil {
			return nil, err
		}
	}
	for i := range d.PC {
		d.TrustRegion[i] = d.PC[i] - d.BP[i]
		d.Literal[i] -= d.Partial[i]
	}
	return d, nil
}
