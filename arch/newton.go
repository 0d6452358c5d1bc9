package arch

import (
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Newton writes to step what solves, sample by sample,
//
//	(D + A^T H A) step = grad       A = dyhat/de [d_y, all errors], H = d^2 C/dyhat^2
//
// at the errors z: the Gauss-Newton curvature of the energy in the coordinates of errors, where D holds the precisions of
// the hidden sites and C is the output's likelihood. For a linear network that is the whole curvature, and one step from
// anywhere is the equilibrium.
//
// Instead of a matrix over all activities it factorises one over the outputs, by Woodbury's formula:
//
//	step = D^-1 (grad - A^T w),   (I + H K) w = H A D^-1 grad,   K = A D^-1 A^T [d_y, d_y]
//
// For a chain with unit precisions K = sum_{l=2..L} P_l^T P_l, so that I/lambda + K is theory's S: the exact solve in O(L)
// products of the linear theory, made of every sample's own Jacobians. Any feedforward network will do. A takes d_y backward
// passes over the batch, which evals counts as d_y evaluations, and d_y times the memory of the errors; where A depends on no activity,
// as in linear networks, one pass over a batch of d_y samples does for all (evals 1).
//
// It reports models that it is not for: other coordinates, free or further sites, learned precisions, other energies, more
// than one output, and Jacobians of more than 2^27 numbers. It panics if the lengths are not that of State, or if step shares
// memory with grad, z or State.
func (m *Model[T]) Newton(step, grad, z []T) (evals int, err error) {
	m.enter("Newton")
	defer m.leave()
	m.stateSized("Newton", "step", step)
	m.stateSized("Newton", "grad", grad)
	m.stateSized("Newton", "z", z)
	if m.newton == nil {
		if m.newton, err = m.newNewton(); err != nil {
			return 0, errors.WithMessage(err, "arch: Newton")
		}
	}
	apart("Newton", "step", step, "grad", grad)
	apart("Newton", "step", step, "z", z)
	apart("Newton", "step", step, "State", m.state.Data())
	return m.newton.solve(step, grad, z)
}

// TakesNewton reports why there are no Newton steps of the model; nil if there are.
func (m *Model[T]) TakesNewton() error {
	m.there("TakesNewton")
	n := &newton[T]{m: m}
	return errors.WithMessage(n.suits(), "arch: Newton")
}

// A newton is the memory of Gauss-Newton steps.
type newton[T graph.Float] struct {
	*lowered[T]
	m         *Model[T]
	cotangent *graph.Node
	rows      []*graph.Node // cotangent dyhat/de, field by field
	output    *graph.Node   // yhat [batch, d_y]
	dy        int
	shared    bool      // one A for all samples
	hidden    []float64 // precision by field
	starts    []int     // where fields begin in a shared A
	precision float64   // of the output
	softmax   bool

	unit  []T         // cotangents
	jac   [][]T       // A, output by output, each as long as the state; if shared one slab, [d_y, width] in each field
	work  [][]float64 // of a sample: K, v, p
	whole []float64   // if shared: (I + H K)^-1 H
	task  func(worker, sample int)

	step, grad []T
}

// mostJacobian bounds the memory of a Jacobian, in numbers.
const mostJacobian = 1 << 27

// Targets of a newton's program.
const (
	outputTarget = iota
	rowTarget
)

// newNewton builds the graph of the Jacobian of the output.
func (m *Model[T]) newNewton() (*newton[T], error) {
	n := &newton[T]{m: m}
	if err := n.suits(); err != nil {
		return nil, err
	}
	if err := n.build(m.plan.Batch); err != nil {
		return nil, err
	}
	n.shared = !n.softmax && !graph.DependsAny(n.rows, n.inputs()...)
	if n.shared {
		if err := n.build(n.dy); err != nil {
			return nil, err
		}
	}
	size := len(m.state.Data()) / m.plan.Batch
	if !n.shared && n.dy*len(m.state.Data()) > mostJacobian {
		return nil, errors.Errorf("the Jacobian of %d outputs by %d errors would have %d numbers, more than %d: use a smaller batch, or infer.LBFGS", n.dy, len(m.state.Data()), n.dy*len(m.state.Data()), mostJacobian)
	}
	if n.shared {
		n.jac = [][]T{make([]T, n.dy*size)}
	} else {
		n.jac = make([][]T, n.dy)
		for i := range n.jac {
			n.jac[i] = make([]T, len(m.state.Data()))
		}
	}
	at := 0
	for f := range n.rows {
		n.starts = append(n.starts, at)
		at += n.width(f) * n.dy
	}
	n.work = make([][]float64, m.plan.Batch+1)
	for i := range n.work {
		n.work[i] = make([]float64, n.dy*n.dy+2*n.dy)
	}
	n.whole = make([]float64, n.dy*n.dy)
	n.task = n.sample
	return n, nil
}

// suits reports what the model is not suited for by, and reads its precisions.
func (n *newton[T]) suits() error {
	m := n.m
	pc, isPC := m.plan.Energy.(energy.PC)
	switch {
	case m.plan.Coordinates != Errors:
		return errors.Errorf("a model in the coordinates of %v: compile it in arch.Errors", m.plan.Coordinates)
	case !isPC:
		return errors.Errorf("an energy of type %T: want energy.PC", m.plan.Energy)
	case m.plan.Dendrites != nil:
		return errors.New("dendrites: their steps are not the gradient of the energy")
	case m.fused == nil && len(m.states) > 0:
		return errors.New("samples depend on each other: there is no curvature by sample")
	}
	if err := m.TakesBatches(); err != nil {
		return err
	}
	outputs := 0
	hidden := make(map[string]float64)
	for _, b := range m.net.Blocks {
		if b.Predicts != "" || b.Precision != FixedPrecision {
			return errors.Errorf("block %q is a further prediction, or has a learned precision: neither is allowed", b.Name)
		}
		lik := pc.Hidden
		at := m.u.site(b.Name)
		if at.output {
			lik = pc.Output
			outputs++
		}
		if own := pc.Blocks[b.Name]; own != nil {
			lik = own
		}
		precision := 0.
		switch lik := lik.(type) {
		case nil:
		case energy.Gaussian:
			precision = lik.Precision
		case energy.Categorical:
			if !at.output || len(at.shape) != 2 {
				return errors.Errorf("block %q is categorical: only an output of one axis may be", b.Name)
			}
			precision, n.softmax = lik.Precision, true
		default:
			return errors.Errorf("block %q has a likelihood of type %T: want Gaussian or Categorical", b.Name, lik)
		}
		if precision == 0 {
			precision = 1
		}
		if at.output {
			n.precision = precision
		} else {
			hidden[b.Name+"/e"] = precision
		}
	}
	if outputs != 1 {
		return errors.Errorf("%d outputs: want one", outputs)
	}
	for _, f := range m.state.Fields() {
		n.hidden = append(n.hidden, hidden[f.Name])
	}
	return nil
}

// build compiles the rows of the Jacobian for a batch.
func (n *newton[T]) build(batch int) (err error) {
	p := n.m.plan
	p.Batch = batch
	n.lowered, err = n.m.lower(p, true, func(u *unrolled) ([][]*graph.Node, error) {
		n.output = u.outputs()[0]
		n.dy = n.output.Shape().TotalSize() / batch
		n.cotangent = u.b.Data("cotangent", n.output.Shape()...)
		total := u.b.Inner(n.cotangent, n.output)
		if err := u.b.Err(); err != nil {
			return nil, err
		}
		states := u.states()
		errs := make([]*graph.Node, len(states))
		for i, in := range states {
			errs[i] = in.Node
		}
		var err error
		n.rows, err = graph.Grad(total, errs...)
		return [][]*graph.Node{{n.output}, n.rows}, err
	})
	if err == nil {
		n.unit = make([]T, n.cotangent.Shape().TotalSize())
	}
	return err
}

// inputs are what the output may depend on beside weights: errors, data and layer inputs.
func (n *newton[T]) inputs() []*graph.Node {
	return slices.DeleteFunc(n.u.batched(), func(of *graph.Node) bool { return of == n.cotangent })
}

// solve is Model.Newton.
func (n *newton[T]) solve(step, grad, z []T) (evals int, err error) {
	if n.shared {
		n.prog.Touch() // the weights may have changed
		for k := range n.dy {
			n.unit[k*n.dy+k] = 1
		}
		n.prog.Load(n.cotangent, n.unit)
		if err := n.run(n.jac[0], n.dy); err != nil {
			return 0, err
		}
		evals = 1
	} else if err := n.jacobian(z); err != nil {
		return 0, err
	} else {
		evals = n.dy
	}
	if n.softmax {
		if err := n.prog.Run(outputTarget); err != nil {
			return evals, err
		}
	}
	n.step, n.grad = step, grad
	if n.shared {
		n.factorise()
	}
	graph.OnCores(n.m.plan.Batch, n.task)
	return evals, nil
}

// jacobian computes A of every sample, one output after the other.
func (n *newton[T]) jacobian(z []T) error {
	n.sync(z)
	for k := range n.dy {
		for i := range n.unit {
			n.unit[i] = 0
			if i%n.dy == k {
				n.unit[i] = 1
			}
		}
		n.prog.Load(n.cotangent, n.unit)
		if err := n.run(n.jac[k], n.m.plan.Batch); err != nil {
			return err
		}
	}
	return nil
}

// run computes the rows for the cotangents loaded.
func (n *newton[T]) run(dst []T, batch int) error {
	at := 0
	for i, r := range n.rows {
		size := n.width(i) * batch
		n.prog.Store(r, dst[at:at+size])
		at += size
	}
	return n.prog.Run(rowTarget)
}

// width is the number of errors of a sample in field i.
func (n *newton[T]) width(i int) int {
	lo, hi := n.m.state.Span(i)
	return (hi - lo) / n.m.plan.Batch
}

// row is row a of a sample's A in a field.
func (n *newton[T]) row(a, field, sample int) []T {
	width := n.width(field)
	if n.shared {
		lo := n.starts[field] + a*width
		return n.jac[0][lo : lo+width]
	}
	return n.part(n.jac[a], field, sample)
}

// part is a sample's piece of a field of a slab like State.
func (n *newton[T]) part(slab []T, field, sample int) []T {
	lo, _ := n.m.state.Span(field)
	width := n.width(field)
	return slab[lo+sample*width : lo+(sample+1)*width]
}

// gram is K of a sample.
func (n *newton[T]) gram(k []float64, sample int) {
	d := n.dy
	clear(k)
	for f := range n.rows {
		inverse := 1 / n.hidden[f]
		for a := range d {
			row := n.row(a, f, sample)
			for b := range a + 1 {
				k[a*d+b] += inverse * kernel.Dot(row, n.row(b, f, sample))
			}
		}
	}
	for a := range d {
		for b := range a {
			k[b*d+a] = k[a*d+b]
		}
	}
}

// factorise makes (I + H K)^-1 H of an A that all samples share.
func (n *newton[T]) factorise() {
	k := n.work[len(n.work)-1][:n.dy*n.dy]
	n.gram(k, 0)
	clear(n.whole)
	for a := range n.dy {
		n.whole[a*n.dy+a] = 1
	}
	weigh(k, n.whole, nil, n.dy, n.precision)
	eliminate(k, n.whole, n.dy)
}

// sample solves for one sample.
func (n *newton[T]) sample(_, i int) {
	d := n.dy
	k, v, p := n.work[i][:d*d], n.work[i][d*d:d*d+d], n.work[i][d*d+d:]
	clear(v)
	for f := range n.rows {
		g, inverse := n.part(n.grad, f, i), 1/n.hidden[f]
		for a := range d {
			v[a] += inverse * kernel.Dot(n.row(a, f, i), g)
		}
	}
	if n.shared {
		for a := range d {
			p[a] = kernel.Dot(n.whole[a*d:(a+1)*d], v)
		}
		v = p
	} else {
		if n.gram(k, i); n.softmax {
			softmax(p, n.prog.Value(n.output)[i*d:(i+1)*d])
		} else {
			p = nil
		}
		weigh(k, v, p, d, n.precision)
		eliminate(k, v, d)
	}
	for f := range n.rows {
		out := n.part(n.step, f, i)
		copy(out, n.part(n.grad, f, i))
		for a := range d {
			kernel.Axpby(out, 1, out, -T(v[a]), n.row(a, f, i))
		}
		kernel.Scale(out, out, T(1/n.hidden[f]))
	}
}

// softmax writes the probabilities of logits.
func softmax[T graph.Float](p []float64, logits []T) {
	top, sum := math.Inf(-1), 0.0
	for _, x := range logits {
		top = math.Max(top, float64(x))
	}
	for i, x := range logits {
		p[i] = math.Exp(float64(x) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}

// weigh makes I + H K of K, and H V of V [d, columns]. H is the precision, times diag(p) - p p^T if there is a p.
func weigh(k, v, p []float64, d int, precision float64) {
	for _, xs := range [][]float64{k, v} {
		columns := len(xs) / d
		for c := range columns {
			mean := 0.0
			for a := range p {
				mean += p[a] * xs[a*columns+c]
			}
			for a := range p {
				xs[a*columns+c] = p[a] * (xs[a*columns+c] - mean)
			}
		}
	}
	kernel.Scale(k, k, precision)
	kernel.Scale(v, v, precision)
	for a := range d {
		k[a*d+a]++
	}
}

// eliminate solves K X = V for V [d, columns] in place, with partial pivoting; K is destroyed.
func eliminate(k, v []float64, d int) {
	columns := len(v) / d
	for a := range d {
		best := a
		for b := a + 1; b < d; b++ {
			if math.Abs(k[b*d+a]) > math.Abs(k[best*d+a]) {
				best = b
			}
		}
		if best != a {
			for c := range d {
				k[a*d+c], k[best*d+c] = k[best*d+c], k[a*d+c]
			}
			for c := range columns {
				v[a*columns+c], v[best*columns+c] = v[best*columns+c], v[a*columns+c]
			}
		}
		for b := a + 1; b < d; b++ {
			f := k[b*d+a] / k[a*d+a]
			if f == 0 {
				continue
			}
			for c := a; c < d; c++ {
				k[b*d+c] -= f * k[a*d+c]
			}
			for c := range columns {
				v[b*columns+c] -= f * v[a*columns+c]
			}
		}
	}
	for a := d - 1; a >= 0; a-- {
		for c := range columns {
			x := v[a*columns+c]
			for b := a + 1; b < d; b++ {
				x -= k[a*d+b] * v[b*columns+c]
			}
			v[a*columns+c] = x / k[a*d+a]
		}
	}
}
