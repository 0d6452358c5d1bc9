package graph

import (
	"math"
	"strings"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
)

// refused fails unless err says all of parts.
func refused(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Fatalf("the error %q does not say %q", err, p)
		}
	}
}

func TestGrad_CanBeCalledAnyNumberOfTimes(t *testing.T) {
	n := build[float64](netSpec{batch: 3, widths: []int{3, 4, 2}, act: Tanh, bias: true})
	dz := must(Grad(n.energy, n.states...))(t)
	dw := must(Grad(n.energy, n.params...))(t)
	again := must(Grad(n.energy, n.free()...))(t)
	other := must(Grad(n.terms[0], n.states...))(t)
	vs := randomInputs(rng(6), n.b)
	got := evaluate[float64](t, n.b, vs, append(append(dz, dw...), other...)...)
	want := evaluate[float64](t, n.b, vs, again...)
	same(t, "in two calls", got[:len(want)], want)
	// the gradient of the first term by z is z - mu over the batch size, without what comes back from the second
	m := build[float64](netSpec{batch: 3, widths: []int{3, 4, 2}, act: Tanh, bias: true})
	e := m.b.Scale(m.b.Sub(m.states[0], m.preds[0]), 1./3)
	near(t, "second cost", got[len(want):], evaluate[float64](t, m.b, vs, e), 1e-15)
}

func TestGrad_ByANodeThatIsNoInput(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 2, 3)
	h := b.Act(Tanh, x)
	f := b.HalfSquare(h, 1, 1)
	vs := randomInputs(rng(7), b)
	out := evaluate[float64](t, b, vs, must(Grad(f, h))(t)[0], h)
	near(t, "df/dh", out[:1], out[1:], 1e-15)
}

func TestGrad_OfACostByItselfIsOne(t *testing.T) {
	b := NewBuilder[float64]()
	f := b.HalfSquare(b.Data("x", 2, 3), 1, 1)
	out := evaluate[float64](t, b, randomInputs(rng(7), b), must(Grad(f, f))(t)...)
	near(t, "df/df", out, [][]float64{{1}}, 0)
}

// A program computes a gradient into memory of the caller's, so it must be a node of its own.
func TestGrad_ResultsAreDistinctAndNoInputs(t *testing.T) {
	b := NewBuilder[float64]()
	x, y, v := b.Param("x", 2, 3), b.Param("y", 2, 3), b.Param("v", 2, 3)
	f := b.Add(b.Inner(x, v), b.Inner(y, v)) // df/dx = df/dy = v
	gs := must(Grad(f, x, y))(t)
	if gs[0] == gs[1] || gs[0] == v || gs[1] == v {
		t.Fatal("two gradients are one node, or one is an input")
	}
	vs := randomInputs(rng(8), b)
	p := must(Compile[float64](gs...))(t)
	first, second := make([]float64, 6), make([]float64, 6)
	p.Into(gs[0], first)
	p.Into(gs[1], second)
	set(p, b, vs)
	ok(t, p.Run(0))
	near(t, "gradients", [][]float64{first, second}, [][]float64{vs[2], vs[2]}, 0)

	h := must(Grad(b.Add(b.Inner(gs[0], x), b.HalfSquare(gs[1], 1, 1)), v))(t) // of copies: x + v
	got := evaluate[float64](t, b, vs, h[0])
	near(t, "through copies", got, [][]float64{each(func(a []float64) float64 { return a[0] + a[1] })([][]float64{vs[0], vs[2]})}, 1e-15)
}

func TestGrad_Refuses(t *testing.T) {
	b := NewBuilder[float64]()
	x, y := b.Data("x", 2, 3), b.Data("y", 2, 3)
	f := b.HalfSquare(b.Act(Tanh, x), 1, 1)
	_, err := Grad(b.Act(Tanh, x), x)
	refused(t, err, "only a scalar", "(2, 3)")
	_, err = Grad(f, y)
	refused(t, err, "does not depend on y")
	_, err = Grad(f, nil)
	refused(t, err, "missing node")
	_, err = Grad(nil, x)
	refused(t, err, "missing node")

	g := must(Grad(f, x))(t)[0]
	h := must(Grad(b.Inner(g, y), x))(t)[0]
	_, err = Grad(b.Inner(h, y), x)
	refused(t, err, "third derivatives of tanh")
	ok(t, b.Err())
}

// A comparison has a zero gradient, which must not hide a dependence elsewhere.
func TestGrad_PassesByComparisons(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 2, 3)
	relu := b.Do("relu", func() (*Node, error) { return gorgonia.Rectify(x) })
	f := b.HalfSquare(relu, 1, 1)
	checkSlopes(t, b, append([]*Node{f}, must(Grad(f, x))(t)...), []*Node{x})
	flat := b.Do("gt", func() (*Node, error) {
		return gorgonia.Gt(x, b.Data("y", 2, 3), true)
	})
	_, err := Grad(b.HalfSquare(flat, 1, 1), x)
	refused(t, err, "does not depend on x")
}

// TestGrad_DeepChainIsLinear: 512 layers take Gorgonia 3.6 s to compile; ours is linear in the depth. Four times the depth
// takes four times as long, sixteen times if something is quadratic; the limit lies between, for machines that are busy.
func TestGrad_DeepChainIsLinear(t *testing.T) {
	took := func(depth int) time.Duration {
		widths := make([]int, depth+1)
		for i := range widths {
			widths[i] = 8
		}
		start := time.Now()
		n := build[float64](netSpec{batch: 4, widths: widths, act: Tanh, skip: true})
		gs := must(Grad(n.energy, n.free()...))(t)
		p := must(CompilePlan[float64](Plan{Targets: [][]*Node{append([]*Node{n.energy}, gs...)}, Batched: batchedOf(n.b), Cache: true}))(t)
		passed := time.Since(start)
		load(p, n.b, randomInputs(rng(9), n.b))
		ok(t, p.Run(0))
		if f := p.Scalar(n.energy); math.IsNaN(f) || f <= 0 {
			t.Fatalf("energy %v", f)
		}
		return passed
	}
	shallow, deep := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 12 { // the fastest of each is the one that nothing came between
		shallow, deep = min(shallow, took(128)), min(deep, took(512))
		if deep < 8*shallow {
			break
		}
	}
	t.Logf("build, differentiate and compile: 128 layers %v, 512 layers %v", shallow, deep)
	if deep > 10*shallow {
		t.Fatalf("128 layers took %v, 512 layers %v", shallow, deep)
	}
}

// TestGradHolding_TakesNodesForConstants: d(x h)/dx with h = tanh x held is h, not h + x h'; and in two layers only the one
// above what is held has a gradient.
func TestGradHolding_TakesNodesForConstants(t *testing.T) {
	b := NewBuilder[float64]()
	x := b.Data("x", 2, 3)
	h := b.Act(Tanh, x)
	f := b.Inner(x, h)
	vs := randomInputs(rng(7), b)
	out := evaluate[float64](t, b, vs, must(GradHolding(f, []*Node{h}, x))(t)[0], h)
	near(t, "df/dx", out[:1], out[1:], 0)
	both := evaluate[float64](t, b, vs, must(GradHolding(f, []*Node{h}, x, h))(t)[1], x)
	near(t, "df/dh of a held h", both[:1], both[1:], 0)

	n := build[float64](netSpec{batch: 3, widths: []int{3, 4, 2}, act: Tanh})
	_, err := GradHolding(n.energy, n.preds, n.params...)
	refused(t, err, "does not depend on")
	_, err = GradHolding(n.energy, []*Node{nil}, n.params...)
	refused(t, err, "missing node")
	_, err = GradHolding(f, []*Node{b.Scale(x, 2)}, x)
	refused(t, err, "multiple of another node")
}
