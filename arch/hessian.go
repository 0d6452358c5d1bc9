package arch

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A StateHessian is the second derivative of each sample's own energy with respect to its free activities, d^2F_i/dz_i^2, as an
// operator: a program of its own over the model's weights. The graph is differentiated twice, so that a product costs about as much
// as two evaluations of StateGrad. The matrix is symmetric and block diagonal by samples: to look at one sample, compile a model of
// batch 1 (Model.Resized). Rows of masked units are zero.
type StateHessian[T graph.Float] struct {
	low   *lowered[T]
	v, hv []*graph.Node // one per field of the model's state
	set   bool
}

// StateHessian compiles the operator. Its error names a model in which nothing is free, an energy that is linear in an activity, and
// an operation that has no second derivative, or a wrong one (some of Gorgonia's own), with what to use instead.
func (m *Model[T]) StateHessian() (*StateHessian[T], error) {
	m.there("StateHessian")
	h := &StateHessian[T]{}
	var err error
	if len(m.states) == 0 {
		err = errors.New("nothing is free: compile the model with free activities (coordinates of activities or errors)")
	} else {
		h.low, err = m.lower(m.plan, true, h.differentiate)
	}
	if err != nil {
		return nil, errors.WithMessage(err, "arch: state Hessian")
	}
	return h, nil
}

// differentiate adds the product of the Hessian with a direction to the graph: the gradient of the slope along it.
func (h *StateHessian[T]) differentiate(u *unrolled) ([][]*graph.Node, error) {
	b, ins := u.b, u.states()
	z, grads, err := u.stateGradients()
	if err != nil {
		return nil, err
	}
	parts := make([]*graph.Node, len(grads))
	b.Within("direction", func() {
		for i, g := range grads {
			h.v = append(h.v, b.Data(ins[i].Name, g.Shape()...))
			parts[i] = b.Inner(g, h.v[i])
		}
	})
	slope := b.Combine(slices.Repeat([]float64{1}, len(parts)), parts...) // of F along v
	if err := b.Err(); err != nil {
		return nil, err
	}
	if h.hv, err = graph.Grad(slope, z...); err != nil {
		return nil, errors.WithMessage(err, "second derivative (an energy that is linear in an activity has none)")
	}
	return [][]*graph.Node{h.hv}, nil
}

// energyTimes adds c times the energy to the graph.
func (u *unrolled) energyTimes(c float64) (*graph.Node, error) {
	terms := u.plan.Energy.Terms(u.b, u.latents())
	coefs, nodes := make([]float64, len(terms)), make([]*graph.Node, len(terms))
	for i, t := range terms {
		coefs[i], nodes[i] = c, t.Node
	}
	sum := u.b.Combine(coefs, nodes...)
	return sum, u.b.Err()
}

// Dim returns the number of rows, that of the model's State.
func (h *StateHessian[T]) Dim() int { return len(h.low.m.state.Data()) }

// Bytes returns the memory of the operator's program, beside the model's.
func (h *StateHessian[T]) Bytes() int { return h.low.prog.Bytes() }

// At moves the operator to the activities z, as long as the model's State, and to the weights, data, masks and layer inputs that
// the model has now. It copies them, and refuses activities that are not finite. It panics if z has another length.
func (h *StateHessian[T]) At(z []T) error {
	m := h.low.m
	m.enter("StateHessian.At")
	defer m.leave()
	m.stateSized("StateHessian.At", "z", z)
	m.ready()
	h.low.sync(z)
	if h.set = h.low.prog.LoadNow(); !h.set {
		return errors.Errorf("arch: state Hessian: %s is not finite: inference has diverged", m.state.Where(max(0, kernel.FirstNonFinite(z))))
	}
	return nil
}

// Mul writes the Hessian at the activities given to At times v to dst, which are as long as the model's State and do not
// overlap: it panics otherwise, and before At. It allocates nothing.
func (h *StateHessian[T]) Mul(dst, v []T) error {
	m := h.low.m
	m.stateSized("StateHessian.Mul", "dst", dst)
	m.stateSized("StateHessian.Mul", "v", v)
	apart("StateHessian.Mul", "dst", dst, "v", v)
	if !h.set {
		panic("arch: StateHessian is multiplied before At gave it activities")
	}
	for i, n := range h.v {
		h.low.prog.Load(n, m.state.Part(v, i))
		h.low.prog.Store(h.hv[i], m.state.Part(dst, i))
	}
	return h.low.prog.Run(0)
}
