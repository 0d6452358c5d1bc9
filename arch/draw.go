package arch

import (
	"io"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A View is a part of a model's graph to look at.
type View int

const (
	EnergyView View = iota // the energy's terms
	StateView              // with each sample's gradient by the free activities
	ParamView              // with the gradient by the weights
)

// Dot writes a part of the model's graph as a Graphviz graph, see graph.Builder.Dot.
func (m *Model[T]) Dot(w io.Writer, v View) error {
	m.there("Dot")
	var outputs []*graph.Node
	for _, t := range m.terms {
		outputs = append(outputs, t.Node)
	}
	switch v {
	case EnergyView:
	case StateView:
		outputs = append(outputs, m.dz...)
	case ParamView:
		outputs = append(outputs, seen(m.dw)...)
	default:
		return errors.Errorf("arch: no view %d of a model", int(v))
	}
	return m.u.b.Dot(w, outputs...)
}
