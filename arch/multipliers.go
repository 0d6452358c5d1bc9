package arch

import (
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// multipliers are the Lagrange multipliers of a model's energy, see energy.AugmentedLagrangian.
type multipliers[T graph.Float] struct {
	*graph.Vector[T]
	nodes, grads []*graph.Node
	rates        []T
	residuals    []T // the last gradients, as long as the vector
}

// multipliersOf finds the multipliers of a graph; nil if there are none.
func multipliersOf[T graph.Float](u *unrolled) *multipliers[T] {
	var fields []graph.Field
	l := &multipliers[T]{}
	for _, in := range u.b.Inputs() {
		if in.Kind == graph.Multiplier {
			l.nodes, l.rates = append(l.nodes, in.Node), append(l.rates, T(in.Rate))
			fields = append(fields, graph.Field{Name: in.Name, Shape: in.Node.Shape()})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	l.Vector = graph.NewVector[T](fields...)
	l.residuals = make([]T, len(l.Data()))
	return l
}

// load hands the multipliers to the next run.
func (l *multipliers[T]) load(p *graph.Program[T]) {
	if l == nil {
		return
	}
	for i, n := range l.nodes {
		p.Load(n, l.Part(l.Data(), i))
	}
}

// store has the next run write the residuals.
func (l *multipliers[T]) store(p *graph.Program[T]) {
	if l == nil {
		return
	}
	for i, n := range l.grads {
		p.Store(n, l.Part(l.residuals, i))
	}
}

// moved are the fields of fused steps.
func (l *multipliers[T]) moved() []graph.Moved[T] {
	if l == nil {
		return nil
	}
	var fields []graph.Moved[T]
	for i, n := range l.nodes {
		if l.rates[i] != 0 {
			fields = append(fields, graph.Moved[T]{Input: n, Grad: l.grads[i], Ascent: l.rates[i]})
		}
	}
	return fields
}

// Multipliers are the Lagrange multipliers of the model's energy, one field for each: "block1/multiplier" [batch, ...]; nil if it has
// none. The slab is live: what is written to it counts from the next evaluation on. Forward sets it to zero.
func (m *Model[T]) Multipliers() *graph.Vector[T] {
	m.there("Multipliers")
	if m.multipliers == nil {
		return nil
	}
	return m.multipliers.Vector
}

// Ascend moves the multipliers along the gradients of the last StateGrad, each at its own rate,
//
//	lambda <- lambda + rate dF_i/dlambda_i
//
// It does nothing in a model without multipliers.
func (m *Model[T]) Ascend() {
	m.enter("Ascend")
	defer m.leave()
	l := m.multipliers
	if l == nil {
		return
	}
	for i, rate := range l.rates {
		kernel.SGD(l.Part(l.Data(), i), l.Part(l.residuals, i), -rate, 0)
	}
}
