package graph

import (
	"strings"
	"testing"
)

// Values agree to rounding: the GELU row of formulas holds difference quotients, good to 1e-7.
func tolOf(c opCase, tol float64) float64 {
	if strings.HasPrefix(c.name, "gelu ") {
		return max(tol, 1e-6)
	}
	if c.difference {
		return max(tol, 1e-8)
	}
	return tol
}

func TestOp_ValueIsThatOfPlainLoops(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			values64(t, c)
			values32(t, c)
		})
	}
}

func values64(t *testing.T, c opCase) {
	b := NewBuilder[float64]()
	_, y := c.add(b)
	vs := randomInputs(rng(1), b)
	want := [][]float64{c.want(vs)}
	near(t, "Compile, float64", evaluate[float64](t, b, vs, y), want, tolOf(c, 1e-13))
	near(t, "batched, float64", sharded[float64](t, b, vs, y), want, tolOf(c, 1e-13))
}

func values32(t *testing.T, c opCase) {
	b := NewBuilder[float32]()
	_, y := c.add(b)
	vs := randomInputs(rng(1), b)
	want := [][]float64{c.want(vs)}
	near(t, "Compile, float32", evaluate[float32](t, b, vs, y), want, 2e-6) // some 20 roundings of 6e-8
	near(t, "batched, float32", sharded[float32](t, b, vs, y), want, 2e-6)
}

// Every fused operation is an honest gorgonia.Op: Gorgonia's own machine gives its value and gradients too.
func TestOp_TapeMachineAgrees(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			tapeAgrees[float64](t, c, 1e-12)
			tapeAgrees[float32](t, c, 1e-4)
		})
	}
}

func tapeAgrees[T Float](t *testing.T, c opCase, tol float64) {
	make := func() (*Builder, []*Node) {
		b := NewBuilder[T]()
		xs, y := c.add(b)
		outs := []*Node{y}
		if wrt := pick(xs, c.first); len(wrt) > 0 {
			outs = append(outs, must(Grad(asScalar(b, y), wrt...))(t)...)
		}
		return b, outs
	}
	b, outs := make()
	vs := randomInputs(rng(2), b)
	ours := evaluate[T](t, b, vs, outs...)
	b, outs = make()
	near(t, "TapeMachine", tape[T](t, b, vs, outs...), ours, tol)
}

// asScalar is y itself or its inner product with a fixed function of it, so that every element counts differently.
func asScalar(b *Builder, y *Node) *Node {
	if y.IsScalar() {
		return y
	}
	return b.Inner(y, b.Param("probe", y.Shape()...))
}

func TestOp_FirstDerivativesAreDifferenceQuotients(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder[float64]()
			xs, y := c.add(b)
			wrt := pick(xs, c.first)
			if len(wrt) == 0 {
				if _, err := Grad(asScalar(b, y), xs[0]); err == nil {
					t.Fatal("a derivative that is not provided must be an error")
				}
				return
			}
			f := asScalar(b, y)
			outs := append([]*Node{f}, must(Grad(f, wrt...))(t)...)
			checkSlopes(t, b, outs, wrt)
		})
	}
}

// pick lists xs[i] for i in which, all for nil.
func pick(xs []*Node, which []int) []*Node {
	if which == nil {
		return xs
	}
	var ns []*Node
	for _, i := range which {
		ns = append(ns, xs[i])
	}
	return ns
}

// checkSlopes compares outs[1:] with the difference quotients of outs[0] by the inputs wrt.
func checkSlopes(t *testing.T, b *Builder, outs, wrt []*Node) {
	t.Helper()
	ok(t, b.Err())
	p := must(CompilePlan[float64](Plan{Targets: [][]*Node{outs, outs[:1]}}))(t)
	vs := randomInputs(rng(3), b)
	set(p, b, vs)
	ok(t, p.Run(0))
	got := read(p, outs[1:])
	for i := range got { // Run reuses the memory
		got[i] = append([]float64(nil), got[i]...)
	}
	var at [][]float64
	for _, n := range wrt {
		at = append(at, p.Value(n))
	}
	near(t, "gradient", got, slopes(at, func() float64 {
		ok(t, p.Run(1))
		return p.Scalar(outs[0])
	}), fdTol)
}

// A Hessian-vector product is the gradient of <gradient, v>.
func TestOp_SecondDerivativesAreDifferenceQuotientsOfTheGradient(t *testing.T) {
	for _, c := range cases() {
		if c.first != nil && len(c.first) == 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			b := NewBuilder[float64]()
			xs, y := c.add(b)
			// a square on top, so that operations that are linear have a second derivative too
			f := y
			if !y.IsScalar() {
				f = b.Add(b.HalfSquare(y, .5, 1), asScalar(b, y))
			}
			gs := must(Grad(f, pick(xs, c.first)...))(t)
			gv := innerWithProbes(b, gs)
			wrt := pick(xs, c.second)
			if len(wrt) == 0 {
				if _, err := Grad(gv, xs[0]); err == nil || !strings.Contains(err.Error(), "third derivatives") {
					t.Fatalf("third derivatives are not provided, which must be an error that says so; got %v", err)
				}
				return
			}
			hs, err := Grad(gv, wrt...)
			if err != nil {
				t.Fatal(err)
			}
			checkSlopes(t, b, append([]*Node{gv}, hs...), wrt)
		})
	}
}

// innerWithProbes is sum_i <g_i, v_i> for new inputs v_i.
func innerWithProbes(b *Builder, gs []*Node) *Node {
	ones, parts := make([]float64, len(gs)), make([]*Node, len(gs))
	for i, g := range gs {
		b.Within("v"+string(rune('a'+i)), func() { ones[i], parts[i] = 1, asScalarAlways(b, g) })
	}
	return b.Combine(ones, parts...)
}

func asScalarAlways(b *Builder, g *Node) *Node { return b.Inner(g, b.Param("probe", g.Shape()...)) }
