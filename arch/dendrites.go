package arch

import (
	"maps"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Dendrites make a model one of predictive dendrites (JPC's PDM): an activity feels the errors of the predictions of it and not
// those of the predictions that it makes, and a block learns from its own term of the energy. With the energy of a
// Bidirectional, hidden site l moves by
//
//	Forward (z_l - block_l(z_{l-1})) + Backward (z_l - back_{l+1}(z_{l+1}))
//
// in which predictions are constants: nothing is sent back through a weight's transpose. Weight gradients are those of the
// energy, unless it is energy.Coupled: an error that joins a term is a constant to it, too. It is no gradient of an energy that
// activities then follow, so the energy need not fall.
type Dendrites struct {
	Mix float64 // of the energy's gradient: what activities follow is (1-Mix) that above + Mix dF_i/dz_i; 0 is PDM, 1 predictive coding
}

// validate reports a mix that is no number, and plans and networks that dendrites do not go with.
func (d *Dendrites) validate(n *Network, p Plan) error {
	if d == nil {
		return nil
	}
	if math.IsNaN(d.Mix) || math.IsInf(d.Mix, 0) {
		return errors.Errorf("arch: Dendrites: Mix %v: want a finite number", d.Mix)
	}
	if p.Coordinates != Activities {
		return errors.Errorf("arch: Dendrites in the coordinates of %v: what they feel are errors of activities: use arch.Activities", p.Coordinates)
	}
	for _, b := range n.Blocks {
		if b.Shares != "" {
			return errors.Errorf("arch: Dendrites: block %q shares its weights with %q, and each block is to learn from its own errors alone: leave Shares out", b.Name, b.Shares)
		}
	}
	for _, s := range n.sites() {
		if s.input && p.hold(s) != Clamped && !n.predicted(s.name) {
			return errors.Errorf("arch: Dendrites: %q is free and no block predicts it, so that it feels nothing: clamp it, or add a block that Predicts it", s.name)
		}
	}
	return nil
}

// predicted reports whether a block predicts a site.
func (n *Network) predicted(name string) bool {
	for i := range n.Blocks {
		if n.target(i) == name {
			return true
		}
	}
	return false
}

// dendriticGradients adds what the activities follow to the graph: of each the gradient of its own terms, with predictions held
// constant, mixed with the gradient of the energy.
func (m *Model[T]) dendriticGradients(perSample *graph.Node) ([]*graph.Node, error) {
	d := m.plan.Dendrites
	held, err := graph.Hold(slices.Collect(maps.Values(m.u.means()))...)
	if err != nil {
		return nil, err
	}
	terms := m.termsByBlock()
	by := make(map[string][]int) // blocks by the site that they predict
	for i := range m.net.Blocks {
		by[m.net.target(i)] = append(by[m.net.target(i)], i)
	}
	own := make([]*graph.Node, len(m.states))
	for i, name := range m.Free() {
		cost := m.u.b.Scale(m.termsOf(terms, by[name]...), float64(m.plan.Batch))
		if err := m.u.b.Err(); err != nil {
			return nil, err
		}
		gs, err := held.Grad(cost, m.states[i])
		if err != nil {
			return nil, err
		}
		own[i] = gs[0]
	}
	if d.Mix == 0 {
		return own, nil
	}
	full, err := graph.Grad(perSample, m.states...)
	if err != nil {
		return nil, err
	}
	for i := range own {
		own[i] = m.u.b.Combine([]float64{1 - d.Mix, d.Mix}, own[i], full[i])
	}
	return own, m.u.b.Err()
}

// dendriticWeightGradients adds, for each block, the gradient of its own term, and of those that are no block's, with respect to
// its weights.
func (m *Model[T]) dendriticWeightGradients() error {
	m.dw = make([]*graph.Node, len(m.u.params))
	predictions := m.u.means()
	held, err := graph.Hold(slices.Collect(maps.Values(predictions))...)
	if err != nil {
		return err
	}
	terms := m.termsByBlock()
	for i, blk := range m.net.Blocks {
		nodes, fields := m.u.Params(i)
		if blk.Precision != FixedPrecision {
			at := m.u.weight[blk.Name+"/"+precisionName]
			nodes, fields = append(nodes, m.u.params[at]), append(fields, at)
		}
		if len(nodes) == 0 {
			continue
		}
		cost := m.termsOf(terms, i)
		if err := m.u.b.Err(); err != nil {
			return err
		}
		own, has := predictions[blk.Name]
		held[own] = false
		gs, err := held.Grad(cost, nodes...)
		held[own] = has
		if err != nil {
			return m.withoutEffect(cost, nodes, err)
		}
		for j, g := range gs {
			m.dw[fields[j]] = g
		}
	}
	return nil
}

// termsByBlock lists the indices of the energy's terms by block, and those of terms that are no block's under -1.
func (m *Model[T]) termsByBlock() map[int][]int {
	block := make(map[string]int)
	for i, b := range m.net.Blocks {
		block[b.Name] = i
	}
	terms := make(map[int][]int)
	for at, t := range m.terms {
		i, is := block[t.Name]
		if !is {
			i = -1
		}
		terms[i] = append(terms[i], at)
	}
	return terms
}

// termsOf is the sum of the terms of some blocks and of those that are no block's.
func (m *Model[T]) termsOf(byBlock map[int][]int, blocks ...int) *graph.Node {
	at := slices.Clone(byBlock[-1])
	for _, i := range blocks {
		at = append(at, byBlock[i]...)
	}
	slices.Sort(at)
	nodes := make([]*graph.Node, len(at))
	for i, t := range at {
		nodes[i] = m.terms[t].Node
	}
	return m.u.b.Combine(slices.Repeat([]float64{1}, len(at)), nodes...)
}

// predictions are those of all blocks, by block.
func (u *unrolled) means() map[string]*graph.Node {
	ns := make(map[string]*graph.Node)
	for _, s := range u.predictions {
		ns[s.Name] = s.Mean
	}
	return ns
}
