package arch

import "github.com/pcgraph/pcgraph/graph"

// A viewer computes the activities of a model in any coordinates.
type viewer[T graph.Float] struct {
	u      *unrolled
	prog   *graph.Program[T]
	states []*graph.Node
	sites  *graph.Vector[T]
	nodes  []*graph.Node // what the fields of sites are
}

// Activities are the present activities of the blocks' sites [batch, ...], by name, in any coordinates: in those of errors
// z = mu + e, in those of backprop the predictions. Clamped sites, the output mostly, have their data. The slab is valid
// until the next call; the first call compiles a program.
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
	for i, n := range v.states {
		v.prog.Load(n, m.state.Part(m.state.Data(), i))
	}
	for i, at := range v.u.places {
		if at.data != nil {
			v.prog.Load(at.data, m.prog.Value(m.u.places[i].data))
		}
		if at.mask != nil {
			v.prog.Load(at.mask, m.prog.Value(m.u.places[i].mask))
		}
	}
	for i, e := range v.u.extras {
		v.prog.Load(e.Node, m.extras[i].values)
	}
	v.prog.Touch()
	if err := v.prog.Run(0); err != nil {
		return nil, err
	}
	for i, n := range v.nodes {
		copy(v.sites.Part(v.sites.Data(), i), v.prog.Value(n))
	}
	return v.sites, nil
}

// newViewer compiles the activities.
func (m *Model[T]) newViewer() (*viewer[T], error) {
	u, err := unroll(m.net, m.weights, m.plan)
	if err != nil {
		return nil, err
	}
	v := &viewer[T]{u: u}
	for _, in := range u.b.Inputs() {
		if in.Kind == graph.State {
			v.states = append(v.states, in.Node)
		}
	}
	var fields []graph.Field
	for _, at := range u.places {
		if !at.input {
			v.nodes = append(v.nodes, at.activity)
			fields = append(fields, graph.Field{Name: at.name, Shape: at.activity.Shape()})
		}
	}
	v.sites = graph.NewVector[T](fields...)
	v.prog, err = graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{v.nodes}, Batched: u.batched()})
	return v, err
}
