package curvature

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/theory"
)

// An inner solves with F_zz, the Hessian of each sample's own energy with respect to its activities.
type inner struct {
	m     *arch.Model[float64]
	cg    theory.CG
	state *arch.StateHessian[float64]
	exact *theory.Hessian // of a linear chain, nil for others
	back  []float64       // F_zz u
}

func newInner(m *arch.Model[float64], o Options) (*inner, error) {
	in := &inner{m: m, cg: o.Solve, back: make([]float64, len(m.State()))}
	var err error
	in.state, err = m.StateHessian()
	return in, err
}

// at moves to the activities z and to the present weights.
func (in *inner) at(z []float64) error {
	in.exact = nil
	if n, is := linear(in.m); is {
		var err error
		if in.exact, err = n.Hessian(); err != nil {
			return err
		}
	}
	return in.state.At(z)
}

// solve writes F_zz^-1 b to u, and returns the steps of conjugate gradients and the relative residual.
func (in *inner) solve(u, b []float64) (steps int, off float64, err error) {
	size := floats.Norm(b, 2)
	if size == 0 {
		clear(u)
		return 0, 0, nil
	}
	if in.exact != nil {
		err = in.rows(u, b)
	} else {
		steps, err = in.cg.Solve(u, b, in.state.Mul)
	}
	if err != nil {
		return steps, 0, err
	}
	if err := in.state.Mul(in.back, u); err != nil {
		return steps, 0, err
	}
	floats.Sub(in.back, b)
	return steps, floats.Norm(in.back, 2) / size, nil
}

// rows solves exactly, sample by sample at once.
func (in *inner) rows(u, b []float64) error {
	batch := in.m.Plan().Batch
	rows := mat.NewDense(batch, in.exact.Dim(), nil)
	in.exchange(rows, b, func(row, field []float64) { copy(row, field) })
	if err := in.exact.SolveRows(rows); err != nil {
		return err
	}
	in.exchange(rows, u, func(row, field []float64) { copy(field, row) })
	return nil
}

// exchange pairs each sample's part of every field of a slab like State with its place in a row of all its activities.
func (in *inner) exchange(rows *mat.Dense, slab []float64, move func(row, field []float64)) {
	batch, at := in.m.Plan().Batch, 0
	for f := range in.m.StateVector().Fields() {
		part := in.m.StateVector().Part(slab, f)
		width := len(part) / batch
		for i := range batch {
			move(rows.RawRowView(i)[at:at+width], part[i*width:(i+1)*width])
		}
		at += width
	}
}

// linear is the theory's network of a chain of linear layers in the coordinates of activities, with an energy of unit precisions but for
// that of the output. Biases do not enter the activity Hessian.
func linear(m *arch.Model[float64]) (n theory.Linear, is bool) {
	plan, net := m.Plan(), m.Network()
	pc, isPC := plan.Energy.(energy.PC)
	if plan.Coordinates != arch.Activities || !isPC || len(pc.Blocks) > 0 || len(plan.Hold) > 0 || len(net.Blocks) != len(m.Free())+1 {
		return n, false
	}
	precision := func(l energy.Likelihood) (float64, bool) {
		g, gaussian := l.(energy.Gaussian)
		if l != nil && !gaussian {
			return 0, false
		}
		if g.Precision == 0 {
			return 1, true
		}
		return g.Precision, true
	}
	var output, hidden float64
	if hidden, is = precision(pc.Hidden); !is || hidden != 1 {
		return n, false
	}
	if output, is = precision(pc.Output); !is {
		return n, false
	}
	n.Precision = output
	for i, b := range net.Blocks {
		l, dense := b.Layer.(layers.Linear)
		if !dense || l.Act != layers.LinearAct || l.Post != layers.LinearAct || b.Merge != nil || b.Predicts != "" || b.Shares != "" || b.Precision != arch.FixedPrecision || b.Start != nil ||
			b.Output && i < len(net.Blocks)-1 {
			return n, false
		}
		if from := net.From(i); i > 0 && (len(from) != 1 || from[0] != net.Blocks[i-1].Name) {
			return n, false
		}
		skip := false
		for _, s := range b.Skips {
			if _, identity := s.Layer.(layers.Identity); s.From != "" || s.Layer != nil && !identity || skip {
				return n, false
			}
			skip = true
		}
		n.Skips = append(n.Skips, skip)
	}
	values := m.Weights()
	for i, w := range net.Weights() {
		if w.Param.Name != "W" {
			continue
		}
		shape := w.Param.Shape
		n.Weights = append(n.Weights, mat.NewDense(shape[0], shape[1], values.Part(values.Data(), i)))
		n.Factors = append(n.Factors, w.Factors.Forward)
	}
	return n, len(n.Weights) == len(net.Blocks) && n.Validate() == nil
}
