package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Tape is Gorgonia's own tape machine for outputs: the same graph with nothing of ours but its operations, to hold
// programs against. Inputs without a value are given zeros; write to their memory, n.Value().Data(). After RunAll an
// output's Value is the result; Reset before RunAll is called again, and Close in the end.
func Tape(b *Builder, outputs ...*Node) (gorgonia.VM, error) {
	if b.err != nil {
		return nil, b.err
	}
	if len(outputs) == 0 {
		return nil, errors.New("graph: nothing for a tape machine: no outputs given")
	}
	reached := make(map[*Node]bool)
	for _, n := range topological(outputs...) {
		reached[n] = true
	}
	var inputs gorgonia.Nodes
	for _, in := range b.inputs {
		if !reached[in.Node] {
			continue // Gorgonia refuses inputs that nothing depends on
		}
		if in.Node.Value() == nil {
			if err := gorgonia.Let(in.Node, tensor.New(tensor.WithShape(in.Node.Shape()...), tensor.Of(in.Node.Dtype()))); err != nil {
				return nil, errors.Wrapf(err, "graph: tape machine: %s", in.Name)
			}
		}
		inputs = append(inputs, in.Node)
	}
	prog, locations, err := gorgonia.CompileFunction(b.g, inputs, outputs)
	if err != nil {
		return nil, errors.Wrap(err, "graph: tape machine")
	}
	return gorgonia.NewTapeMachine(b.g, gorgonia.WithPrecompiled(prog, locations)), nil
}
