package arch

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A predictor is the feedforward pass of a model's network for one number of samples.
type predictor[T graph.Float] struct {
	in, out *graph.Node
	prog    *graph.Program[T]
}

// Predict is the output of the feedforward pass for any number of samples x [n, in...]. It leaves what is clamped and
// the activities alone. The first call for a number of samples (the batch, and what is left over) compiles a program.
func (m *Model[T]) Predict(x []T) ([]T, error) {
	in := 1
	for _, d := range m.net.Input {
		in *= d
	}
	if len(x)%in != 0 {
		return nil, errors.Errorf("arch: predict: %d numbers are no whole samples of %d", len(x), in)
	}
	var out []T
	for len(x) > 0 {
		rows := min(m.plan.Batch, len(x)/in)
		p, err := m.predictor(rows)
		if err != nil {
			return nil, err
		}
		p.prog.Load(p.in, x[:rows*in])
		if err := p.prog.Run(0); err != nil {
			return nil, err
		}
		out = append(out, p.prog.Value(p.out)...)
		x = x[rows*in:]
	}
	return out, nil
}

// predictor compiles the feedforward pass for a number of samples, once.
func (m *Model[T]) predictor(rows int) (*predictor[T], error) {
	if p := m.predictors[rows]; p != nil {
		return p, nil
	}
	u, err := unroll(m.net, m.weights, Plan{Batch: rows, Coordinates: Feedforward})
	if err != nil {
		return nil, err
	}
	prog, err := graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{{u.predict}}, Batched: []*graph.Node{u.in, u.out}})
	if err != nil {
		return nil, err
	}
	p := &predictor[T]{in: u.in, out: u.predict, prog: prog}
	m.predictors[rows] = p
	return p, nil
}
