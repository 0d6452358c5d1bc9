// Package layertest checks that a layer keeps the promises of package layers. The test of a layer is one call:
//
//	func TestLinear_Conforms(t *testing.T) {
//		layertest.Run(t, layers.Linear{In: 5, Out: 3, Act: layers.Tanh, Bias: true}, 5)
//	}
//
// The oracles are central differences in float64, the same layer in float32, and invariants: a sample's result depends
// on that sample alone, and equal input gives equal bits. It is not for what a layer computes: hold that against a plain
// loop beside the layer.
package layertest

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// Run checks a layer on samples of shape input, without the batch. Inputs and weights are drawn from N(0, 1) with a
// fixed seed; a layer with kinks is differentiable there, unless one of them lies within 1e-5 of a number drawn.
func Run(t *testing.T, l layers.Layer, input ...int) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(l, input); err != nil {
				t.Error(err)
			}
		})
	}
}

// RunIDs is Run for a layer whose input is ids, whole numbers from 0 to vocab-1, and that has no gradient with respect to them.
func RunIDs(t *testing.T, l layers.Layer, vocab int, input ...int) {
	t.Helper()
	Run(t, ofIDs{l, vocab}, input...)
}

// ofIDs marks a layer whose input is ids.
type ofIDs struct {
	layers.Layer
	vocab int
}

var checks = []struct {
	name  string
	check func(l layers.Layer, input []int) error
}{
	{"shapes", shapes},
	{"gradients against finite differences", gradients},
	{"Hessian-vector products against finite differences", curvature},
	{"float32 against float64", precision},
	{"equal input gives equal bits", deterministic},
	{"a sample depends on itself alone", perSample},
	{"a run allocates nothing", frugal},
}

const (
	step     = 1e-5 // of central differences: truncation and rounding are both some 1e-10
	diffTol  = 1e-7 // relative to the largest derivative
	floatTol = 2e-5 // float32 has an ulp of 1.2e-7; a layer sums some tens of products
	batch    = 3
)

// A probe is a layer compiled with the cost 1/2 |f(x)|^2 + <c, f(x)>, whose derivatives see every output.
type probe[T graph.Float] struct {
	x        *graph.Node
	vocab    int           // x is ids, if not 0
	vars     []*graph.Node // x, unless it is ids, then the weights
	masks    []*graph.Node // inputs that the layer adds
	c        *graph.Node
	v        []*graph.Node // directions of the Hessian-vector product
	out      *graph.Node
	cost     *graph.Node
	grads    []*graph.Node
	products []*graph.Node
	prog     *graph.Program[T]
}

func newProbe[T graph.Float](l layers.Layer, input []int, rows int) (*probe[T], error) {
	b := graph.NewBuilder[T]()
	p := &probe[T]{x: b.Data("x", append([]int{rows}, input...)...)}
	if ids, is := l.(ofIDs); is {
		p.vocab = ids.vocab
	} else {
		p.vars = append(p.vars, p.x)
	}
	var weights []*graph.Node
	known := 0
	b.Within("layer", func() {
		for _, w := range l.Params() {
			weights = append(weights, b.Param(w.Name, w.Shape...))
		}
		known = len(b.Inputs())
		if b.Err() == nil {
			p.out = l.Forward(b, weights, p.x)
		}
	})
	p.vars = append(p.vars, weights...)
	for _, in := range b.Inputs()[known:] {
		p.masks = append(p.masks, in.Node)
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	if p.out == nil {
		return nil, errors.New("Forward returned no node and no error")
	}
	p.c = b.Data("c", p.out.Shape()...)
	p.cost = b.Combine([]float64{1, 1}, b.HalfSquare(p.out, 1, 1), b.Inner(p.c, p.out))
	if err := b.Err(); err != nil {
		return nil, err
	}
	var err error
	if p.grads, err = graph.Grad(p.cost, p.vars...); err != nil {
		return nil, err
	}
	parts, ones := make([]*graph.Node, len(p.vars)), make([]float64, len(p.vars))
	for i, n := range p.vars {
		kind := b.Param
		if n == p.x {
			kind = b.Data
		}
		p.v = append(p.v, kind("direction "+n.Name(), n.Shape()...))
		parts[i], ones[i] = b.Inner(p.grads[i], p.v[i]), 1
	}
	slope := b.Combine(ones, parts...)
	if err := b.Err(); err != nil {
		return nil, err
	}
	if p.products, err = graph.Grad(slope, p.vars...); err != nil {
		return nil, err
	}
	outputs := append(append([]*graph.Node{p.out, p.cost}, p.grads...), p.products...)
	p.prog, err = graph.CompilePlan[T](graph.Plan{
		Targets: [][]*graph.Node{outputs},
		Batched: p.batched(),
	})
	if err != nil {
		return nil, err
	}
	p.draw()
	return p, nil
}

// batched are the inputs with a row per sample: the first is x.
func (p *probe[T]) batched() []*graph.Node {
	ns := append([]*graph.Node{p.x, p.c}, p.masks...)
	if p.vocab == 0 {
		ns = append(ns, p.v[0])
	}
	return ns
}

// draw fills all inputs: weights from one stream, and each sample from its own, so that batches share their samples.
// Masks are of zeros and ones.
func (p *probe[T]) draw() {
	weights := rand.New(rand.NewPCG(1, 1))
	for i, n := range p.vars {
		if n != p.x {
			normal(weights, p.prog.Value(n))
			normal(weights, p.prog.Value(p.v[i]))
		}
	}
	for k, n := range p.batched() {
		for r := range p.rows() {
			rng, row := rand.New(rand.NewPCG(uint64(r), uint64(k))), p.row(n, r)
			switch {
			case n == p.x && p.vocab > 0:
				whole(rng, row, p.vocab)
			case slices.Contains(p.masks, n):
				whole(rng, row, 2)
			default:
				normal(rng, row)
			}
		}
	}
}

// whole draws whole numbers below n.
func whole[T graph.Float](rng *rand.Rand, xs []T, n int) {
	for i := range xs {
		xs[i] = T(rng.IntN(n))
	}
}

// normal draws numbers that float32 represents, so that both types see the same.
func normal[T graph.Float](rng *rand.Rand, xs []T) {
	for i := range xs {
		xs[i] = T(float32(rng.NormFloat64()))
	}
}

func (p *probe[T]) rows() int { return p.x.Shape()[0] }

// row is sample r of a batched node.
func (p *probe[T]) row(n *graph.Node, r int) []T {
	v := p.prog.Value(n)
	w := len(v) / p.rows()
	return v[r*w : (r+1)*w]
}

// results are copies of everything computed.
func (p *probe[T]) results() ([][]T, error) {
	if err := p.prog.RunAll(); err != nil {
		return nil, err
	}
	rs := [][]T{slices.Clone(p.prog.Value(p.out))}
	for _, n := range append(slices.Clone(p.grads), p.products...) {
		rs = append(rs, slices.Clone(p.prog.Value(n)))
	}
	return rs, nil
}

// shapes checks the description and that the output keeps the batch.
func shapes(l layers.Layer, input []int) error {
	ps := l.Params()
	if !reflect.DeepEqual(ps, l.Params()) {
		return errors.New("Params gives another list the second time")
	}
	names := make(map[string]bool)
	for _, p := range ps {
		switch {
		case p.Name == "" || names[p.Name]:
			return errors.Errorf("weight name %q is empty or used twice", p.Name)
		case len(p.Shape) == 0 || slices.Min(p.Shape) < 1:
			return errors.Errorf("weight %s has shape %v", p.Name, p.Shape)
		case p.FanIn < 1 || p.FanOut < 1:
			return errors.Errorf("weight %s has fan-in %d and fan-out %d", p.Name, p.FanIn, p.FanOut)
		}
		names[p.Name] = true
	}
	var of []int // shape of one output
	for _, rows := range []int{1, 5} {
		p, err := newProbe[float64](l, input, rows)
		if err != nil {
			return err
		}
		s := p.out.Shape()
		if len(s) < 2 || s[0] != rows {
			return errors.Errorf("output of %d samples has shape %v: want [%d, ...]", rows, s, rows)
		}
		if of != nil && !slices.Equal(of, s[1:]) {
			return errors.Errorf("one output has shape %v in a batch of 1 and %v in a batch of %d", of, s[1:], rows)
		}
		of = slices.Clone(s[1:])
		for i, g := range p.grads {
			if !g.Shape().Eq(p.vars[i].Shape()) {
				return errors.Errorf("gradient with respect to %s of shape %v has shape %v", p.vars[i].Name(), p.vars[i].Shape(), g.Shape())
			}
		}
	}
	return nil
}

// gradients compares every derivative of the cost with a central difference.
func gradients(l layers.Layer, input []int) error {
	p, err := newProbe[float64](l, input, batch)
	if err != nil {
		return err
	}
	rs, err := p.results()
	if err != nil {
		return err
	}
	at := func() (float64, error) {
		err := p.prog.RunAll()
		return p.prog.Scalar(p.cost), err
	}
	for i, n := range p.vars {
		x, want := p.prog.Value(n), make([]float64, len(rs[1+i]))
		for j, center := range x {
			x[j] = center + step
			up, err := at()
			if err != nil {
				return err
			}
			x[j] = center - step
			down, err := at()
			if err != nil {
				return err
			}
			x[j] = center
			want[j] = (up - down) / (2 * step)
		}
		if err := near(rs[1+i], want, diffTol); err != nil {
			return errors.Wrapf(err, "gradient with respect to %s", n.Name())
		}
	}
	return nil
}

// curvature compares H v with a central difference of the gradient along v.
func curvature(l layers.Layer, input []int) error {
	p, err := newProbe[float64](l, input, batch)
	if err != nil {
		return err
	}
	rs, err := p.results()
	if err != nil {
		return err
	}
	move := func(by float64) {
		for i, n := range p.vars {
			x := p.prog.Value(n)
			for j, v := range p.prog.Value(p.v[i]) {
				x[j] += by * v
			}
		}
	}
	move(step)
	up, err := p.results()
	if err != nil {
		return err
	}
	move(-2 * step)
	down, err := p.results()
	if err != nil {
		return err
	}
	n := len(p.vars)
	for i := range p.vars {
		want := make([]float64, len(up[1+i]))
		for j := range want {
			want[j] = (up[1+i][j] - down[1+i][j]) / (2 * step)
		}
		if err := near(rs[1+n+i], want, diffTol); err != nil {
			return errors.Wrapf(err, "H v for %s", p.vars[i].Name())
		}
	}
	return nil
}

// precision compares everything computed in float32 with float64.
func precision(l layers.Layer, input []int) error {
	single, err := newProbe[float32](l, input, batch)
	if err != nil {
		return err
	}
	double, err := newProbe[float64](l, input, batch)
	if err != nil {
		return err
	}
	got, err := single.results()
	if err != nil {
		return err
	}
	want, err := double.results()
	if err != nil {
		return err
	}
	for i := range want {
		if err := near(got[i], want[i], floatTol); err != nil {
			return errors.Wrapf(err, "result %d (output, gradients, H v)", i)
		}
	}
	return nil
}

// near compares with a tolerance relative to the largest number.
func near[T graph.Float](got []T, want []float64, tol float64) error {
	scale := 1e-3
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*scale) {
			return errors.Errorf("element %d is %.10g, want %.10g: off by %.1e of the largest", i, float64(got[i]), w, d/scale)
		}
	}
	return nil
}
