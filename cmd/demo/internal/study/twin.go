package study

import (
	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
)

// LinearTwin is a model's network in the linear theory, with the targets that it has there: the theory knows no biases, and
// those of a linear network shift its output by a constant, which the targets are moved by. ok is false for what is not a
// linear chain with a squared error.
func LinearTwin[T graph.Float](m *arch.Model[T], x, y []T, flags cli.NetFlags) (l theory.Linear, targets *mat.Dense, ok bool, err error) {
	if flags.Kind() != "mlp" || flags.Act.Act != layers.LinearAct || flags.Loss.CE {
		return l, nil, false, nil
	}
	l, err = linearOf(m.Network(), m.Weights())
	if err != nil {
		return l, nil, false, err
	}
	l.Precision = flags.Precision
	if flags.Skips {
		l.Skips = theory.HiddenSkips(len(l.Weights))
	}
	in, out := m.Sizes()
	batch := len(x) / in
	shift, err := m.Predict(make([]T, in))
	if err != nil {
		return l, nil, false, err
	}
	targets = DenseOf(y, batch)
	for i := range batch {
		for k := range out {
			targets.Set(i, k, targets.At(i, k)-float64(shift[k]))
		}
	}
	return l, targets, len(l.Weights) > 1, nil
}

// linearOf is a linear network's weights in theory, without biases.
func linearOf[T graph.Float](net *arch.Network, w *graph.Vector[T]) (theory.Linear, error) {
	var l theory.Linear
	for i, weight := range net.Weights() {
		if weight.Param.Bias {
			continue
		}
		shape := weight.Param.Shape
		if len(shape) != 2 {
			return l, errors.Errorf("weight %s has shape %v: closed forms are of linear layers", weight.Name, shape)
		}
		l.Weights = append(l.Weights, mat.NewDense(shape[0], shape[1], float64s(w.Part(w.Data(), i))))
		l.Factors = append(l.Factors, weight.Factors.Forward)
	}
	return l, nil
}

// DenseOf is a slab [rows, ...] as a matrix.
func DenseOf[T graph.Float](xs []T, rows int) *mat.Dense {
	return mat.NewDense(rows, len(xs)/rows, float64s(xs))
}

func float64s[T graph.Float](xs []T) []float64 {
	d := make([]float64, len(xs))
	for i, x := range xs {
		d[i] = float64(x)
	}
	return d
}
