package arch

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A StateHessian is the second derivative of each sample's own energy by its free activities, d^2F_i/dz_i^2, as an operator:
// a program of its own over the model's weights. The graph is differentiated twice, so a product costs about what two
// evaluations of StateGrad do. The matrix is symmetric, and block diagonal by samples:
// to look at one sample, compile a model of batch 1 (Model.Resized). Where units are masked it has zero rows.
type StateHessian[T graph.Float] struct {
	m          *Model[T]
	prog       *graph.Program[T]
	state      *graph.Vector[T]
	z, v, hv   []*graph.Node // one per field of state
	data, mask []*graph.Node // one per clamp of the model, nil where it has none
	extra      []*graph.Node // one per input of a layer
	set        bool
}

// StateHessian compiles the operator. It reports a model in which nothing is free or the energy is linear in an activity, and
// names an operation that has no second derivative, or a wrong one (some of Gorgonia's own), with what to use instead.
func (m *Model[T]) StateHessian() (*StateHessian[T], error) {
	m.there("StateHessian")
	h, err := newStateHessian(m)
	return h, errors.WithMessage(err, "arch: state Hessian")
}

func newStateHessian[T graph.Float](m *Model[T]) (*StateHessian[T], error) {
	if len(m.states) == 0 {
		return nil, errors.New("nothing is free: compile the model with free activities (coordinates of activities or errors)")
	}
	u, err := unroll(m.net, m.weights, m.plan)
	if err != nil {
		return nil, err
	}
	b := u.b
	terms := m.plan.Energy.Terms(b, u.latents())
	coefs, nodes := make([]float64, len(terms)), make([]*graph.Node, len(terms))
	for i, t := range terms {
		coefs[i], nodes[i] = float64(m.plan.Batch), t.Node
	}
	perSample := b.Combine(coefs, nodes...)
	h := &StateHessian[T]{m: m, state: m.state}
	for _, in := range b.Inputs() {
		if in.Kind == graph.State {
			h.z = append(h.z, in.Node)
		}
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	grads, err := graph.Grad(perSample, h.z...)
	if err != nil {
		return nil, err
	}
	parts := make([]*graph.Node, len(grads))
	b.Within("direction", func() {
		for i, g := range grads {
			h.v = append(h.v, b.Data(m.state.Fields()[i].Name, g.Shape()...))
			parts[i] = b.Inner(g, h.v[i])
		}
	})
	slope := b.Combine(slices.Repeat([]float64{1}, len(parts)), parts...) // of F along v
	if err := b.Err(); err != nil {
		return nil, err
	}
	if h.hv, err = graph.Grad(slope, h.z...); err != nil {
		return nil, errors.WithMessage(err, "second derivative (an energy that is linear in an activity has none)")
	}
	for _, c := range m.clamps {
		at := u.place(c.name)
		h.data, h.mask = append(h.data, at.data), append(h.mask, at.mask)
	}
	for _, e := range u.extras {
		h.extra = append(h.extra, e.Node)
	}
	if h.prog, err = graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{h.hv}, Batched: u.batched(), Cache: true}); err != nil {
		return nil, err
	}
	return h, nil
}

// Dim is the number of rows, that of the model's State.
func (h *StateHessian[T]) Dim() int { return len(h.state.Data()) }

// Bytes is the memory of the operator's program, beside the model's.
func (h *StateHessian[T]) Bytes() int { return h.prog.Bytes() }

// At moves the operator to the activities z, as long as the model's State, and to the weights, data, masks and inputs of layers
// that the model has now. It copies them, and refuses activities that are not finite. It panics if z has another length.
func (h *StateHessian[T]) At(z []T) error {
	h.m.enter("StateHessian.At")
	defer h.m.leave()
	h.m.stateSized("StateHessian.At", "z", z)
	h.m.ready()
	for i, n := range h.z {
		h.prog.Load(n, h.state.Part(z, i))
	}
	for i, c := range h.m.clamps {
		h.prog.Load(h.data[i], h.m.prog.Value(c.place.data))
		if c.mask != nil {
			h.prog.Load(h.mask[i], c.mask)
		}
	}
	for i, n := range h.extra {
		h.prog.Load(n, h.m.extras[i].values)
	}
	h.prog.Touch()
	if h.set = h.prog.LoadNow(); !h.set {
		return errors.Errorf("arch: state Hessian: %s is not finite: inference has diverged", h.state.Where(max(0, kernel.FirstNonFinite(z))))
	}
	return nil
}

// Mul writes the Hessian at the activities given to At times v to dst, which are as long as the model's State and do not
// overlap: it panics otherwise, and before At. It allocates nothing.
func (h *StateHessian[T]) Mul(dst, v []T) error {
	h.m.stateSized("StateHessian.Mul", "dst", dst)
	h.m.stateSized("StateHessian.Mul", "v", v)
	apart("StateHessian.Mul", "dst", dst, "v", v)
	if !h.set {
		panic("arch: StateHessian is multiplied before At gave it activities")
	}
	for i, n := range h.v {
		h.prog.Load(n, h.state.Part(v, i))
		h.prog.Store(h.hv[i], h.state.Part(dst, i))
	}
	return h.prog.Run(0)
}
