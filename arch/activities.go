package arch

import "github.com/pcgraph/pcgraph/graph"

// A viewer computes the activities of a model in any coordinates.
type viewer[T graph.Float] struct {
	*lowered[T]
	nodes []*graph.Node
	slab  *graph.Vector[T] // their values
}

// Activities returns the present activities of the blocks' sites [batch, ...], by name, in any coordinates: in those of errors
// z = mu + e, in those of backpropagation the predictions. Clamped sites, such as the output, have their data. The slab is valid
// until the next call. The first call compiles a program.
func (m *Model[T]) Activities() (*graph.Vector[T], error) {
	m.enter("Activities")
	defer m.leave()
	if m.view == nil {
		v, err := m.newViewer()
		if err != nil {
			return nil, err
		}
		m.view = v
	}
	v := m.view
	m.ready()
	v.sync(m.state.Data())
	if err := v.prog.Run(0); err != nil {
		return nil, err
	}
	for i, n := range v.nodes {
		copy(v.slab.Part(v.slab.Data(), i), v.prog.Value(n))
	}
	return v.slab, nil
}

// newViewer compiles the activities.
func (m *Model[T]) newViewer() (*viewer[T], error) {
	v := &viewer[T]{}
	var fields []graph.Field
	var err error
	v.lowered, err = m.lower(m.plan, false, func(u *unrolled) ([][]*graph.Node, error) {
		for _, at := range u.sites {
			if !at.input {
				v.nodes = append(v.nodes, at.activity)
				fields = append(fields, graph.Field{Name: at.name, Shape: at.activity.Shape()})
			}
		}
		return [][]*graph.Node{v.nodes}, nil
	})
	v.slab = graph.NewVector[T](fields...)
	return v, err
}
