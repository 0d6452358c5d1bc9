package arch

import (
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A predictor is the feedforward pass of a model's network for one number of samples.
type predictor[T graph.Float] struct {
	prog        *graph.Program[T]
	inputs      []*graph.Node
	rows        [][]T // of each input
	outs        []*graph.Node
	layerInputs []*layerInput[T]
	filled      bool // layerInputs are not zero
}

// Predict returns the outputs [n, out] of the feedforward pass for inputs x [n, in], for any number n of samples. Several inputs or
// outputs of a network stand side by side in a row. If x is empty or nil, so is the result.
//
// It changes neither the model's data nor its activities. Sites that the model clamps beside its inputs are predicted too. Inputs of
// layers are zero, so that dropout drops nothing and attention hides nothing (see PredictWith). The first call with a new number of
// samples compiles a program: one for whole batches, one for the rest.
//
// It returns an error if x is not whole samples, if a number is not finite, or if blocks predict each other in a loop.
func (m *Model[T]) Predict(x []T) ([]T, error) { return m.PredictWith(x, nil) }

// PredictWith is Predict with inputs of layers, by name: "block2/padding" [n, tokens].
func (m *Model[T]) PredictWith(x []T, layerInputs map[string][]T) ([]T, error) {
	m.enter("Predict")
	defer m.leave()
	in, _ := m.Sizes()
	if len(x)%in != 0 {
		return nil, errors.Errorf("arch: predict: x has %d numbers: want a multiple of %d, those of one sample", len(x), in)
	}
	if i := kernel.FirstNonFinite(x); i >= 0 {
		return nil, errors.Errorf("arch: predict: x of sample %d, element %d is %v: clean the data", i/in, i%in, x[i])
	}
	for _, name := range slices.Sorted(maps.Keys(layerInputs)) {
		e := m.layerInput(name)
		if e == nil {
			return nil, errors.Errorf("arch: predict: %q is no input of a layer: there are %s", name, names(m.layerInputs))
		}
		if err := e.check(layerInputs[name], len(x)/in); err != nil {
			return nil, err
		}
	}
	var out []T
	for done := 0; len(x) > 0; {
		rows := min(m.plan.Batch, len(x)/in)
		p, err := m.predictor(rows)
		if err != nil {
			return nil, err
		}
		p.fill(layerInputs, done)
		done += rows
		if out, err = p.run(out, x[:rows*in], rows); err != nil {
			return nil, err
		}
		x = x[rows*in:]
	}
	return out, nil
}

// Sizes returns how many numbers one sample has in all inputs together, and in all outputs together.
func (m *Model[T]) Sizes() (in, out int) {
	m.there("Sizes")
	for _, i := range m.net.inputs() {
		in += graph.Field{Shape: i.Shape}.Size()
	}
	for _, n := range m.u.outputs() {
		out += n.Shape().TotalSize() / m.plan.Batch
	}
	return in, out
}

// fill sets the inputs of layers to those of samples from first on, zero where none are given.
func (p *predictor[T]) fill(layerInputs map[string][]T, first int) {
	if len(layerInputs) == 0 && !p.filled {
		return
	}
	p.filled = len(layerInputs) > 0
	for _, e := range p.layerInputs {
		clear(e.values)
		if given := layerInputs[e.name]; given != nil {
			copy(e.values, given[first*len(e.values)/e.node.Shape()[0]:])
		}
		e.load(p.prog)
	}
}

// run appends the outputs for rows of inputs.
func (p *predictor[T]) run(out, x []T, rows int) ([]T, error) {
	lo, in := 0, len(x)/rows
	for i, n := range p.inputs {
		w := len(p.rows[i]) / rows
		for r := range rows {
			copy(p.rows[i][r*w:(r+1)*w], x[r*in+lo:])
		}
		lo += w
		p.prog.Load(n, p.rows[i])
	}
	if err := p.prog.Run(0); err != nil {
		return nil, err
	}
	for r := range rows {
		for _, n := range p.outs {
			v := p.prog.Value(n)
			w := len(v) / rows
			out = append(out, v[r*w:(r+1)*w]...)
		}
	}
	return out, nil
}

// predictor compiles the feedforward pass for a number of samples, once.
func (m *Model[T]) predictor(rows int) (*predictor[T], error) {
	if p := m.predictors[rows]; p != nil {
		return p, nil
	}
	p := &predictor[T]{}
	low, err := m.lower(Plan{Batch: rows, Coordinates: Feedforward, FreeOutput: true}, false, func(u *unrolled) ([][]*graph.Node, error) {
		if p.outs = u.outputs(); len(p.outs) == 0 {
			return nil, errors.New("arch: predict: the network has no output: every block predicts an input")
		}
		for _, at := range u.sites {
			if at.input {
				p.inputs = append(p.inputs, at.data)
				p.rows = append(p.rows, make([]T, at.data.Shape().TotalSize()))
			}
		}
		return [][]*graph.Node{p.outs}, nil
	})
	if err != nil {
		return nil, err
	}
	p.prog, p.layerInputs = low.prog, layerInputsOf(low.u, low.prog)
	m.predictors[rows] = p
	return p, nil
}
