package arch

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A WeightHessian holds the second derivatives of a model's energy that have to do with the weights, as operators,
//
//	F_WW [weights, weights],  F_zW [state, weights]
//
// a program of its own over the model's weights: the graph is differentiated twice, in reverse mode. They are partial derivatives: F_WW
// is the curvature at fixed activities. What the weights see once the activities follow them is
//
//	F_WW - F_Wz F_zz^-1 F_zW
//
// for which StateHessian has F_zz, and train/analysis.Curvature puts them together. In the coordinates of Feedforward nothing is free
// and F_WW is the Hessian of backprop's loss. Weights are in the order of the model's slab.
type WeightHessian[T graph.Float] struct {
	low        *lowered[T]
	direction  *graph.Vector[T] // of the weights, a weight of the program
	v          []*graph.Node    // direction of the activities, one per field of the model's state
	hz, hw     []*graph.Node    // F_zW v by field, F_WW v + F_Wz u by weight; nil where it is zero
	set, moved bool
}

// Targets of the program.
const (
	crossTarget = iota
	weightTarget
)

// WeightHessian compiles the operators. It refuses a network with a free end, with blocks that predict each other in a loop, or with
// Plan.Dendrites: the energy at equilibrium is then no landscape to be held against a feedforward loss. Its error names the block, or
// the operation without a second derivative.
func (m *Model[T]) WeightHessian() (*WeightHessian[T], error) {
	m.there("WeightHessian")
	h := &WeightHessian[T]{}
	var err error
	switch {
	case m.plan.Dendrites != nil:
		err = errors.New("dendrites: the weights do not follow the gradient of the energy: compile the model without Plan.Dendrites")
	case len(m.weights.Data()) == 0:
		err = errors.New("the network has no weights")
	default:
		if err = m.u.closed(); err == nil {
			h.low, err = m.lower(m.plan, true, h.differentiate)
		}
	}
	if err != nil {
		h = nil
	}
	return h, errors.WithMessage(err, "arch: weight Hessian")
}

// closed reports an end that is free, and blocks in a loop, which inference may begin at a Start in.
func (u *unrolled) closed() error {
	if _, loop := u.n.order(func(name string) bool { return u.site(name).hold == Clamped }); loop != nil {
		return errors.Errorf("blocks predict each other in a loop, %s: there is no feedforward pass and no loss of one: leave out a block of the loop, or make it read another site", arrows(loop))
	}
	for _, at := range u.sites {
		if (at.input || at.output) && at.hold == Free {
			return errors.Errorf("%q is an end of the network and free: clamp it (Plan.FreeInput, Plan.FreeOutput, Plan.Hold), since without data at both ends there is no loss", at.name)
		}
	}
	return nil
}

// differentiate adds the gradient of the slope along a direction of the weights and of the activities.
func (h *WeightHessian[T]) differentiate(u *unrolled) ([][]*graph.Node, error) {
	b := u.b
	total, err := u.energyTimes(1)
	if err != nil {
		return nil, err
	}
	ins := u.states()
	z := make([]*graph.Node, len(ins))
	for i, in := range ins {
		z[i] = in.Node
	}
	free := graph.Independent(total, u.params...) // precisions of sites that cost nothing
	var by []*graph.Node
	for _, w := range u.params {
		if !slices.Contains(free, w) {
			by = append(by, w)
		}
	}
	grads, err := graph.Grad(total, slices.Concat(by, z)...)
	if err != nil {
		return nil, err
	}
	dw, dz := grads[:len(by)], grads[len(by):]
	var fields []graph.Field
	for _, w := range u.weights {
		fields = append(fields, graph.Field{Name: w.Name, Shape: w.Param.Shape})
	}
	h.direction = graph.NewVector[T](fields...)
	var along, also []*graph.Node
	b.Within("direction", func() {
		for i, w := range u.params {
			d := graph.ParamOf(b, h.direction, i)
			if at := slices.Index(by, w); at >= 0 {
				along = append(along, b.Inner(dw[at], d))
			}
		}
		for i, g := range dz {
			h.v = append(h.v, b.Data(ins[i].Name, g.Shape()...))
			also = append(also, b.Inner(g, h.v[i]))
		}
	})
	ones := func(n int) []float64 { return slices.Repeat([]float64{1}, n) }
	weights := b.Combine(ones(len(along)), along...) // slope of F along the direction of the weights
	slope := b.Combine(ones(len(along)+len(also)), slices.Concat(along, also)...)
	if err := b.Err(); err != nil {
		return nil, err
	}
	if h.hz, err = gradOrZero(weights, z); err != nil {
		return nil, err
	}
	if h.hw, err = gradOrZero(slope, u.params); err != nil {
		return nil, err
	}
	return [][]*graph.Node{seen(h.hz), seen(h.hw)}, nil
}

// gradOrZero is the gradient, with nil for what cost does not depend on.
func gradOrZero(cost *graph.Node, wrt []*graph.Node) ([]*graph.Node, error) {
	none := graph.Independent(cost, wrt...)
	var by []*graph.Node
	for _, n := range wrt {
		if !slices.Contains(none, n) {
			by = append(by, n)
		}
	}
	list := make([]*graph.Node, len(wrt))
	if len(by) == 0 {
		return list, nil
	}
	grads, err := graph.Grad(cost, by...)
	if err != nil {
		return nil, errors.WithMessage(err, "second derivative")
	}
	for i, n := range wrt {
		if at := slices.Index(by, n); at >= 0 {
			list[i] = grads[at]
		}
	}
	return list, nil
}

// Dim returns the number of weights.
func (h *WeightHessian[T]) Dim() int { return len(h.direction.Data()) }

// Bytes returns the memory of the operators' program, beside the model's.
func (h *WeightHessian[T]) Bytes() int { return h.low.prog.Bytes() }

// At moves the operators to the activities z, as long as the model's State, and to the weights, data, masks and layer inputs that the
// model has now. It refuses activities that are not finite, and panics if z has another length.
func (h *WeightHessian[T]) At(z []T) error {
	m := h.low.m
	m.enter("WeightHessian.At")
	defer m.leave()
	m.stateSized("WeightHessian.At", "z", z)
	m.ready()
	h.low.sync(z)
	if h.set = h.low.prog.LoadNow(); !h.set {
		return errors.Errorf("arch: weight Hessian: %s is not finite: inference has diverged", m.state.Where(max(0, kernel.FirstNonFinite(z))))
	}
	return nil
}

// Cross writes F_zW v to dst, the change of each sample's own gradient dF_i/dz_i along the direction v of the weights. It panics if v
// is not as long as the weights or dst not as long as State, and before At.
func (h *WeightHessian[T]) Cross(dst, v []T) error {
	h.along("WeightHessian.Cross", v)
	m := h.low.m
	m.stateSized("WeightHessian.Cross", "dst", dst)
	for i, n := range h.hz {
		if n == nil {
			clear(m.state.Part(dst, i))
			continue
		}
		h.low.prog.Store(n, m.state.Part(dst, i))
	}
	if err := h.low.prog.Run(crossTarget); err != nil {
		return err
	}
	kernel.Scale(dst, dst, T(m.plan.Batch))
	return nil
}

// Mul writes F_WW v + F_Wz u to dst, the change of dF/dW along the directions v of the weights and u of the activities; u as long as
// State. It panics if lengths differ or dst shares memory with v, and before At.
func (h *WeightHessian[T]) Mul(dst, v, u []T) error {
	h.along("WeightHessian.Mul", v)
	m := h.low.m
	sized("WeightHessian.Mul", "dst", len(dst), h.Dim(), "the weights")
	m.stateSized("WeightHessian.Mul", "u", u)
	apart("WeightHessian.Mul", "dst", dst, "v", v)
	for i, n := range h.v {
		h.low.prog.Load(n, m.state.Part(u, i))
	}
	if err := h.low.prog.Run(weightTarget); err != nil {
		return err
	}
	for i, n := range h.hw {
		part := h.direction.Part(dst, i)
		if n == nil {
			clear(part)
			continue
		}
		copy(part, h.low.prog.Value(n))
	}
	return nil
}

// along sets the direction of the weights.
func (h *WeightHessian[T]) along(method string, v []T) {
	sized(method, "v", len(v), h.Dim(), "the weights")
	if !h.set {
		panic("arch: WeightHessian is multiplied before At gave it activities")
	}
	if h.moved && slices.Equal(v, h.direction.Data()) {
		return
	}
	copy(h.direction.Data(), v)
	h.low.prog.Touch()
	h.moved = true
}
