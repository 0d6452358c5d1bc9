// Package energytest checks that a functional or a likelihood keeps the promises of package energy. The test of one is
// one call:
//
//	func TestWeightDecay_Conforms(t *testing.T) { energytest.Run(t, energy.WeightDecay{Rate: .3}) }
//
// The oracles are central differences in float64, by predictions, activities and weights alike, and invariants: the
// energy is a mean over samples that do not see each other, and sums add up. It is not for what a functional computes:
// hold that against a plain loop beside it.
package energytest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// Run checks a functional on three sites, the last one the output, of 3, 4 and 3 units, the first of which brings its
// error as a node, and on the weights of three layers. All numbers are drawn from N(0, 1) with a fixed seed.
func Run(t *testing.T, f energy.Functional) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(f); err != nil {
				t.Error(err)
			}
		})
	}
}

// RunLikelihood checks a likelihood, at hidden sites and at the output.
func RunLikelihood(t *testing.T, l energy.Likelihood) {
	t.Helper()
	Run(t, energy.PC{Hidden: l, Output: l})
}

var checks = []struct {
	name  string
	check func(f energy.Functional) error
}{
	{"terms", terms},
	{"gradients against finite differences", gradients},
	{"Hessian-vector products against finite differences", curvature},
	{"float32 against float64", precision},
	{"a batch has the mean energy of its samples", batchMean},
	{"sums add up", additive},
}

const (
	step     = 1e-5 // of central differences: truncation and rounding are both some 1e-10
	diffTol  = 1e-7 // relative to the largest derivative
	floatTol = 1e-5 // float32 has an ulp of 1.2e-7; an energy sums some tens of products
	batch    = 4
)

// A probe is a functional's energy E compiled with 1/2 |v|^2 added for every variable v, so that each has a gradient
// and a curvature whether E depends on it or not.
type probe[T graph.Float] struct {
	vars     []*graph.Node // activities and predictions by site, then weights
	batched  int           // how many of them carry the batch
	dirs     []*graph.Node
	terms    []energy.Term
	grads    []*graph.Node
	products []*graph.Node
	cost     *graph.Node
	prog     *graph.Program[T]
}

func newProbe[T graph.Float](f energy.Functional, rows int) (*probe[T], error) {
	b := graph.NewBuilder[T]()
	p := new(probe[T])
	l := energy.Latents{Batch: rows}
	add := func(n *graph.Node) *graph.Node { p.vars = append(p.vars, n); return n }
	for i, width := range []int{3, 4, 3} {
		name := []string{"first", "second", "out"}[i]
		z, mu := add(b.State("z/"+name, rows, width)), add(b.State("mu/"+name, rows, width))
		s := energy.Prediction{Name: name, Mean: mu, Activity: z, Output: i == 2}
		if i == 0 { // as in error coordinates: the error is free and the activity follows
			s.Error, s.Activity = z, b.Add(mu, z)
		}
		l.Predictions = append(l.Predictions, s)
		if !s.Output {
			l.Free = append(l.Free, energy.Named{Name: name, Node: s.Activity})
		}
	}
	p.batched = len(p.vars)
	for i, shape := range [][]int{{3, 4}, {4, 3}, {2, 3, 2}} {
		name := []string{"A/W", "B/W", "C/kernel"}[i]
		l.Weights = append(l.Weights, energy.Named{Name: name, Node: add(b.Param(name, shape...))})
	}
	p.terms = f.Terms(b, l)
	if err := b.Err(); err != nil {
		return nil, err
	}
	var parts, outputs []*graph.Node
	for _, t := range p.terms {
		if t.Node == nil || !t.Node.IsScalar() {
			return nil, errors.Errorf("term %q is not a scalar", t.Name)
		}
		parts = append(parts, t.Node)
	}
	outputs = append(outputs, parts...)
	for _, v := range p.vars {
		parts = append(parts, b.HalfSquare(v, 1, 1))
	}
	p.cost = b.Combine(ones(len(parts)), parts...)
	if err := b.Err(); err != nil {
		return nil, err
	}
	var err error
	if p.grads, err = graph.Grad(p.cost, p.vars...); err != nil {
		return nil, err
	}
	slopes, inputs := make([]*graph.Node, len(p.vars)), []*graph.Node{}
	for i, n := range p.vars {
		d := b.State("direction/"+n.Name(), n.Shape()...)
		slopes[i] = b.Inner(p.grads[i], d)
		p.dirs = append(p.dirs, d)
		if i < p.batched {
			inputs = append(inputs, n, d)
		}
	}
	slope := b.Combine(ones(len(slopes)), slopes...)
	if err := b.Err(); err != nil {
		return nil, err
	}
	if p.products, err = graph.Grad(slope, p.vars...); err != nil {
		return nil, err
	}
	outputs = append(append(append(outputs, p.cost), p.grads...), p.products...)
	if p.prog, err = graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{outputs}, Batched: inputs}); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, nodes := range [][]*graph.Node{p.vars, p.dirs} {
		for _, n := range nodes {
			xs := p.prog.Value(n)
			for i := range xs {
				xs[i] = T(float32(rng.NormFloat64()))
			}
		}
	}
	return p, nil
}

func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// energy is the sum of the terms.
func (p *probe[T]) energy() (float64, error) {
	if err := p.prog.RunAll(); err != nil {
		return 0, err
	}
	f := 0.0
	for _, t := range p.terms {
		f += p.prog.Scalar(t.Node)
	}
	return f, nil
}

// copies runs the program and copies the values of nodes.
func (p *probe[T]) copies(nodes []*graph.Node) ([][]T, error) {
	if err := p.prog.RunAll(); err != nil {
		return nil, err
	}
	var vs [][]T
	for _, n := range nodes {
		vs = append(vs, append([]T(nil), p.prog.Value(n)...))
	}
	return vs, nil
}

// terms checks that terms have names and finite values.
func terms(f energy.Functional) error {
	p, err := newProbe[float64](f, batch)
	if err != nil {
		return err
	}
	if len(p.terms) == 0 {
		return errors.New("no terms")
	}
	if _, err := p.energy(); err != nil {
		return err
	}
	for _, t := range p.terms {
		if e := p.prog.Scalar(t.Node); t.Name == "" || e-e != 0 {
			return errors.Errorf("term %q is %v", t.Name, e)
		}
	}
	return nil
}

// gradients compares every derivative with a central difference.
func gradients(f energy.Functional) error {
	p, err := newProbe[float64](f, batch)
	if err != nil {
		return err
	}
	grads, err := p.copies(p.grads)
	if err != nil {
		return err
	}
	for i, n := range p.vars {
		x, want := p.prog.Value(n), make([]float64, len(grads[i]))
		for j, center := range x {
			var at [2]float64
			for k, by := range []float64{-step, step} {
				x[j] = center + by
				if err := p.prog.RunAll(); err != nil {
					return err
				}
				at[k] = p.prog.Scalar(p.cost)
			}
			x[j] = center
			want[j] = (at[1] - at[0]) / (2 * step)
		}
		if err := near(grads[i], want, diffTol); err != nil {
			return errors.Wrapf(err, "gradient with respect to %s", n.Name())
		}
	}
	return nil
}

// curvature compares H v with a central difference of the gradient along v.
func curvature(f energy.Functional) error {
	p, err := newProbe[float64](f, batch)
	if err != nil {
		return err
	}
	products, err := p.copies(p.products)
	if err != nil {
		return err
	}
	move := func(by float64) ([][]float64, error) {
		for i, n := range p.vars {
			x := p.prog.Value(n)
			for j, d := range p.prog.Value(p.dirs[i]) {
				x[j] += by * d
			}
		}
		return p.copies(p.grads)
	}
	up, err := move(step)
	if err != nil {
		return err
	}
	down, err := move(-2 * step)
	if err != nil {
		return err
	}
	for i := range p.vars {
		want := make([]float64, len(up[i]))
		for j := range want {
			want[j] = (up[i][j] - down[i][j]) / (2 * step)
		}
		if err := near(products[i], want, diffTol); err != nil {
			return errors.Wrapf(err, "H v for %s", p.vars[i].Name())
		}
	}
	return nil
}

// precision compares energy and gradients in float32 with float64.
func precision(f energy.Functional) error {
	single, err := newProbe[float32](f, batch)
	if err != nil {
		return err
	}
	double, err := newProbe[float64](f, batch)
	if err != nil {
		return err
	}
	got, err := single.copies(single.grads)
	if err != nil {
		return err
	}
	want, err := double.copies(double.grads)
	if err != nil {
		return err
	}
	for i := range want {
		if err := near(got[i], want[i], floatTol); err != nil {
			return errors.Wrapf(err, "gradient with respect to %s", double.vars[i].Name())
		}
	}
	a, err := single.energy()
	if err != nil {
		return err
	}
	b, err := double.energy()
	if err != nil {
		return err
	}
	return errors.Wrap(near([]float64{a}, []float64{b}, floatTol), "energy")
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
