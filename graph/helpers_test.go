package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// seeds of the tests are printed by their failures: everything random comes from rng.
func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// random gives n numbers in [-2, 2] that keep .02 away from -1, 0 and 1, where activations have kinks.
func random(r *rand.Rand, n int) []float64 {
	xs := make([]float64, n)
	for i := range xs {
		for {
			xs[i] = 4*r.Float64() - 2
			if d := math.Abs(xs[i] - math.Round(xs[i])); d > .02 {
				break
			}
		}
	}
	return xs
}

// randomInputs gives a value to every input of b.
func randomInputs(r *rand.Rand, b *Builder) [][]float64 {
	var vs [][]float64
	for _, in := range b.Inputs() {
		v := random(r, in.Node.Shape().TotalSize())
		if strings.HasPrefix(in.Name, idsName) {
			for i := range v {
				v[i] = float64(r.IntN(3))
			}
		}
		vs = append(vs, v)
	}
	return vs
}

func convert[T Float](xs []float64) []T {
	ts := make([]T, len(xs))
	for i, x := range xs {
		ts[i] = T(x)
	}
	return ts
}

func widen[T Float](xs []T) []float64 {
	ds := make([]float64, len(xs))
	for i, x := range xs {
		ds[i] = float64(x)
	}
	return ds
}

// tb is what helpers need of *testing.T and *rapid.T.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// ok stops the test on an error.
func ok(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[V any](v V, err error) func(t tb) V {
	return func(t tb) V {
		t.Helper()
		ok(t, err)
		return v
	}
}

// evaluate computes outs by Compile, with the inputs of b set to values.
func evaluate[T Float](t tb, b *Builder, values [][]float64, outs ...*Node) [][]float64 {
	t.Helper()
	ok(t, b.Err())
	p := must(Compile[T](outs...))(t)
	set(p, b, values)
	ok(t, p.Run(0))
	return read(p, outs)
}

// set writes the inputs' memory.
func set[T Float](p *Program[T], b *Builder, values [][]float64) {
	for i, in := range b.Inputs() {
		if _, used := p.index[in.Node]; used {
			copy(p.Value(in.Node), convert[T](values[i]))
		}
	}
	p.Touch()
}

// load hands the batched inputs to the next run and writes the others' memory.
func load[T Float](p *Program[T], b *Builder, values [][]float64) {
	for i, in := range b.Inputs() {
		if id, used := p.index[in.Node]; used && p.values[id].batched {
			p.Load(in.Node, convert[T](values[i]))
		} else if used {
			copy(p.Value(in.Node), convert[T](values[i]))
		}
	}
}

func read[T Float](p *Program[T], outs []*Node) [][]float64 {
	var rs [][]float64
	for _, n := range outs {
		if n.IsScalar() {
			rs = append(rs, []float64{p.Scalar(n)})
			continue
		}
		rs = append(rs, widen(p.Value(n)))
	}
	return rs
}

// sharded computes outs by a plan whose Data and State inputs are batched.
func sharded[T Float](t tb, b *Builder, values [][]float64, outs ...*Node) [][]float64 {
	t.Helper()
	ok(t, b.Err())
	p := must(CompilePlan[T](Plan{Targets: [][]*Node{outs}, Batched: batchedOf(b)}))(t)
	load(p, b, values)
	p.Touch()
	ok(t, p.Run(0))
	return read(p, outs)
}

func batchedOf(b *Builder) []*Node {
	var ns []*Node
	for _, in := range b.Inputs() {
		if in.Kind != Param {
			ns = append(ns, in.Node)
		}
	}
	return ns
}

// tape computes outs by Gorgonia's TapeMachine.
func tape[T Float](t tb, b *Builder, values [][]float64, outs ...*Node) [][]float64 {
	t.Helper()
	ok(t, b.Err())
	for i, in := range b.Inputs() {
		ok(t, gorgonia.Let(in.Node, denseOf(convert[T](values[i]), in.Node.Shape())))
	}
	m := must(Tape(b, outs...))(t)
	defer m.Close()
	ok(t, m.RunAll())
	var rs [][]float64
	for _, n := range outs {
		rs = append(rs, widen(elements[T](n.Value())))
	}
	return rs
}

// near fails unless a and b agree to tol relative to the largest number of each part of b, or to 1.
func near(t tb, what string, got, want [][]float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d parts, want %d", what, len(got), len(want))
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%s: part %d has %d numbers, want %d", what, i, len(got[i]), len(want[i]))
		}
		scale := 1.0
		for _, w := range want[i] {
			scale = max(scale, math.Abs(w))
		}
		for j, w := range want[i] {
			if d := math.Abs(got[i][j] - w); !(d <= tol*scale) {
				t.Fatalf("%s: part %d, element %d is %v, want %v: off by %.2g of %.2g", what, i, j, got[i][j], w, d, tol*scale)
			}
		}
	}
}

// same fails unless a and b are equal, up to the sign of zero.
func same(t tb, what string, got, want [][]float64) {
	t.Helper()
	for i := range want {
		for j, w := range want[i] {
			if g := got[i][j]; g != w && !(g != g && w != w) {
				t.Fatalf("%s: part %d, element %d is %v, want the same bits as %v", what, i, j, g, w)
			}
		}
	}
}

// slopes gives the derivative of f by every element of every part of at, by central differences.
func slopes(at [][]float64, f func() float64) [][]float64 {
	const h = 1e-5
	var ds [][]float64
	for _, xs := range at {
		d := make([]float64, len(xs))
		for i, x := range xs {
			xs[i] = x + h
			up := f()
			xs[i] = x - h
			down := f()
			xs[i] = x
			d[i] = (up - down) / (2 * h)
		}
		ds = append(ds, d)
	}
	return ds
}

// fdTol: central differences of step 1e-5 are off by h^2 f”'/6 ~ 1e-10 f”' and by rounding, 1e-16 f / 1e-5 ~ 1e-11 f,
// where f and f”' are of order up to 100 here.
const fdTol = 1e-7

// net is a small predictive coding network for tests: its energy and what it is a function of.
type net struct {
	b      *Builder
	energy *Node
	terms  []*Node
	states []*Node
	params []*Node
	preds  []*Node
}

type netSpec struct {
	batch  int
	widths []int
	act    Activation
	bias   bool
	skip   bool
	logits bool // cross-entropy at the output
}

// build makes F = 1/B sum_l |z_l - f(z_{l-1}) W_l - c_l|^2 / 2.
func build[T Float](s netSpec) net {
	b := NewBuilder[T]()
	n := net{b: b}
	x := b.Data("x", s.batch, s.widths[0])
	last := len(s.widths) - 1
	for l := 1; l <= last; l++ {
		b.Within(fmt.Sprintf("block%d", l), func() {
			w := b.Param("W", s.widths[l-1], s.widths[l])
			n.params = append(n.params, w)
			var c *Node
			if s.bias {
				c = b.Param("b", s.widths[l])
				n.params = append(n.params, c)
			}
			in := x
			if l > 1 {
				in = b.Act(s.act, x)
			}
			mu := b.Linear(in, w, c, .5)
			if s.skip && s.widths[l] == s.widths[l-1] {
				mu = b.Add(mu, x)
			}
			n.preds = append(n.preds, mu)
			if l == last {
				x = b.Data("y", s.batch, s.widths[l])
			} else {
				x = b.State("z", s.batch, s.widths[l])
				n.states = append(n.states, x)
			}
			if l == last && s.logits {
				n.terms = append(n.terms, b.CrossEntropy(x, mu, .7, s.batch))
			} else {
				n.terms = append(n.terms, b.HalfSquare(b.Sub(x, mu), 1, s.batch))
			}
		})
	}
	ones := make([]float64, len(n.terms))
	for i := range ones {
		ones[i] = 1
	}
	n.energy = b.Combine(ones, n.terms...)
	return n
}

func denseOf[T Float](data []T, shape []int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}
