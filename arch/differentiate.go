package arch

import (
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// stateGradients adds dF_i/dz_i to the graph, the gradient of each sample's own energy with respect to the free activities:
// perSample is sum_i F_i. With Plan.Dendrites it is what the activities follow instead.
func (m *Model[T]) stateGradients(perSample *graph.Node) ([]*graph.Node, error) {
	if m.plan.Dendrites != nil {
		return m.dendriticGradients(perSample)
	}
	return graph.Grad(perSample, m.states...)
}

// differentiate adds the gradients to the graph and compiles the program.
func (m *Model[T]) differentiate() error {
	u, b := m.u, m.u.b
	coefs, nodes := make([]float64, len(m.terms)), make([]*graph.Node, len(m.terms))
	for i, t := range m.terms {
		coefs[i], nodes[i] = 1, t.Node
	}
	total := b.Combine(coefs, nodes...)
	perSample := b.Scale(total, float64(m.plan.Batch))
	if err := b.Err(); err != nil {
		return err
	}
	var fields []graph.Field
	at := make(map[*graph.Node]int) // states by field
	for _, in := range u.states() {
		at[in.Node] = len(fields)
		m.states = append(m.states, in.Node)
		fields = append(fields, graph.Field{Name: in.Name, Shape: in.Node.Shape()})
	}
	m.state = graph.NewVector[T](fields...)
	var err error
	if len(m.states) > 0 {
		if m.dz, err = m.stateGradients(perSample); err != nil {
			return err
		}
	}
	if err := m.differentiateWeights(total); err != nil {
		return err
	}
	var residuals []*graph.Node
	if m.multipliers = multipliersOf[T](u); m.multipliers != nil {
		if residuals, err = graph.Grad(perSample, m.multipliers.nodes...); err != nil {
			return err
		}
		m.multipliers.grads = residuals
	}
	targets := [][]*graph.Node{
		slices.Concat(m.dz, residuals, nodes), // gradients first: each is then computed while its layer is in the cache
		append(append([]*graph.Node(nil), nodes...), seen(m.dw)...),
		nodes,
	}
	links, more := m.links(at, len(targets))
	targets = append(targets, more...)
	if m.prog, err = graph.CompilePlan[T](graph.Plan{Targets: targets, Batched: u.batched(), Cache: true}); err != nil {
		return err
	}
	if len(links) > 0 {
		if m.pass, err = m.prog.Chain(links); err != nil {
			m.whole = links // an operation of Gorgonia's own wants the whole batch at once: one prediction after the other
		}
	}
	moved := make([]graph.Moved[T], len(m.states))
	for i, n := range m.states {
		moved[i] = graph.Moved[T]{Input: n, Grad: m.dz[i]}
	}
	m.hold(at)
	m.layerInputs = layerInputsOf(u, m.prog)
	m.fused, _ = m.prog.FuseSteps(stateTarget, append(moved, m.multipliers.moved()...))
	return nil
}

// differentiateWeights adds dF/dW to the graph, the gradient with respect to the weights.
func (m *Model[T]) differentiateWeights(total *graph.Node) error {
	if m.plan.Dendrites != nil {
		return m.dendriticWeightGradients()
	}
	var by []*graph.Node
	for i, w := range m.u.params {
		if !m.u.unseen(i) {
			by = append(by, w)
		}
	}
	if len(by) == 0 {
		return nil
	}
	dw, err := graph.Grad(total, by...)
	if err != nil {
		return m.withoutEffect(total, by, err)
	}
	for i := range m.u.params {
		if m.u.unseen(i) {
			m.dw = append(m.dw, nil)
			continue
		}
		m.dw, dw = append(m.dw, dw[0]), dw[1:]
	}
	return nil
}

// withoutEffect explains err, of the gradient of cost with respect to weights, if one of them has no effect.
func (m *Model[T]) withoutEffect(cost *graph.Node, by []*graph.Node, err error) error {
	without := graph.Independent(cost, by...)
	if len(without) == 0 {
		return err
	}
	name := m.u.weights[slices.Index(m.u.params, without[0])].Name
	if block, is := strings.CutSuffix(name, "/"+precisionName); is {
		return errors.Errorf("block %q learns its precision (Block.Precision) and its likelihood does not use it, so that %s has no gradient: make NegLog of the likelihood use Prediction.LogPrecision, as energy.Gaussian does, or leave Precision out", block, name)
	}
	return errors.Errorf("the energy does not depend on the weight %s, which therefore has no gradient: make Forward of its layer use it, or leave it out of Params", name)
}

// seen returns ns without nils.
func seen(ns []*graph.Node) []*graph.Node {
	return slices.DeleteFunc(slices.Clone(ns), func(n *graph.Node) bool { return n == nil })
}

// links is the feedforward pass, one prediction after the other, each a target of its own, numbered from first.
func (m *Model[T]) links(at map[*graph.Node]int, first int) (links []graph.Link[T], targets [][]*graph.Node) {
	m.passed = make([]bool, len(m.states))
	if m.u.loop != nil {
		return nil, nil
	}
	for _, i := range m.u.order {
		p := m.u.site(m.u.n.target(i))
		if p.block != i || p.initial == nil {
			continue
		}
		m.passed[at[p.state]] = true
		links = append(links, graph.Link[T]{Target: first + len(links), From: p.initial, To: p.state, Copy: m.state.Part(m.state.Data(), at[p.state])})
		targets = append(targets, []*graph.Node{p.initial})
	}
	return links, targets
}
