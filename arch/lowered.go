package arch

import "github.com/pcgraph/pcgraph/graph"

// A lowered is a second program of a model's network over the same weights: predictions, activities in other coordinates, second
// derivatives. It has a graph of its own.
type lowered[T graph.Float] struct {
	m      *Model[T]
	u      *unrolled
	prog   *graph.Program[T]
	states []*graph.Node // in the order of u's inputs
	fields []int         // of the model's state, one for each of states
}

// lower unrolls the network by a plan and compiles targets of that graph.
func (m *Model[T]) lower(p Plan, cache bool, targets func(u *unrolled) ([][]*graph.Node, error)) (*lowered[T], error) {
	u, err := unroll(m.net, m.weights, p)
	if err != nil {
		return nil, err
	}
	nodes, err := targets(u)
	if err != nil {
		return nil, err
	}
	if err := u.b.Err(); err != nil {
		return nil, err
	}
	l := &lowered[T]{m: m, u: u}
	if l.prog, err = graph.CompilePlan[T](graph.Plan{Targets: nodes, Batched: u.batched(), Cache: cache}); err != nil {
		return nil, err
	}
	field := make(map[string]int)
	for i, f := range m.state.Fields() {
		field[f.Name] = i
	}
	for _, in := range u.states() {
		l.states, l.fields = append(l.states, in.Node), append(l.fields, field[in.Name])
	}
	return l, nil
}

// stateGradients adds the plan's energy to the graph and returns the free activities z_i with each sample's own gradients dF_i/dz_i.
func (u *unrolled) stateGradients() (z, dz []*graph.Node, err error) {
	perSample, err := u.energyTimes(float64(u.plan.Batch))
	if err != nil {
		return nil, nil, err
	}
	for _, in := range u.states() {
		z = append(z, in.Node)
	}
	dz, err = graph.Grad(perSample, z...)
	return z, dz, err
}

// sync loads the activities z, and the model's data, masks and layer inputs, by name, and has the program read the weights anew.
// The plan must have had the model's batch and Hold.
func (l *lowered[T]) sync(z []T) {
	m := l.m
	for i, n := range l.states {
		l.prog.Load(n, m.state.Part(z, l.fields[i]))
	}
	for _, at := range l.u.sites {
		from := m.u.site(at.name)
		if at.data != nil {
			l.prog.Load(at.data, m.prog.Value(from.data))
		}
		if at.mask != nil {
			l.prog.Load(at.mask, m.prog.Value(from.mask))
		}
	}
	for i, in := range l.u.layerInputs {
		l.prog.Load(in.Node, m.layerInputs[i].values)
	}
	if m.multipliers != nil {
		at := 0
		for _, in := range l.u.b.Inputs() {
			if in.Kind == graph.Multiplier {
				l.prog.Load(in.Node, m.multipliers.Part(m.multipliers.Data(), at))
				at++
			}
		}
	}
	l.prog.Touch()
}
