package graph

import (
	"math"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
)

// atPoints evaluates an operation and its first two derivatives at points.
func atPoints[T Float](t *testing.T, build func(b *Builder, x *Node) *Node, xs ...float64) (f, d, d2 []float64) {
	t.Helper()
	b := NewBuilder[T]()
	x := b.State("x", len(xs), 1)
	y := build(b, x)
	dx := must(Grad(b.Sum(y, 1), x))(t)[0]
	ddx := must(Grad(b.Sum(dx, 1), x))(t)[0]
	out := evaluate[T](t, b, [][]float64{xs}, y, dx, ddx)
	return out[0], out[1], out[2]
}

// TestAbs_AtZero: the derivative is sign(x) with sign(0) = 0, the second one is zero; NaN stays NaN.
func TestAbs_AtZero(t *testing.T) {
	abs := func(b *Builder, x *Node) *Node { return b.Abs(x) }
	check := func(t *testing.T, f, d, d2 []float64) {
		near(t, "value, derivative and second derivative", [][]float64{f[:4], d[:4], d2[:4]}, [][]float64{{0, 0, 3, 2}, {0, 0, 1, -1}, {0, 0, 0, 0}}, 0)
		if f[4] == f[4] || d[4] == d[4] {
			t.Errorf("of NaN: %v, derivative %v", f[4], d[4])
		}
	}
	xs := []float64{0, math.Copysign(0, -1), 3, -2, math.NaN()}
	f, d, d2 := atPoints[float64](t, abs, xs...)
	check(t, f, d, d2)
	f, d, d2 = atPoints[float32](t, abs, xs...)
	check(t, f, d, d2)
}

// TestLogAndSqrt_OutsideTheirDomain: NaN below zero, and what the limits are at zero.
func TestLogAndSqrt_OutsideTheirDomain(t *testing.T) {
	xs := []float64{-1, 0, 4}
	f, d, d2 := atPoints[float64](t, func(b *Builder, x *Node) *Node { return b.Sqrt(x) }, xs...)
	if f[0] == f[0] || d[0] == d[0] || f[1] != 0 || !math.IsInf(d[1], 1) || f[2] != 2 || d[2] != .25 || math.Abs(d2[2]+1./32) > 1e-16 {
		t.Errorf("square root at %v: %v, derivative %v, second %v", xs, f, d, d2)
	}
	f, d, d2 = atPoints[float64](t, func(b *Builder, x *Node) *Node { return b.Log(x) }, xs...)
	if f[0] == f[0] || !math.IsInf(f[1], -1) || !math.IsInf(d[1], 1) || f[2] != math.Log(4) || d[2] != .25 || math.Abs(d2[2]+1./16) > 1e-16 {
		t.Errorf("logarithm at %v: %v, derivative %v, second %v", xs, f, d, d2)
	}
}

// TestConstant: it has the builder's element type, so that Gorgonia's own operations take it in both; numbers that differ in the
// last bit are two constants, and what is no number of the type is refused.
func TestConstant(t *testing.T) {
	plus := func(b *Builder, x *Node) *Node {
		return b.Do("plus", func() (*Node, error) { return gorgonia.Add(x, b.Constant(1.5)) })
	}
	out := func(b *Builder) *Node { return plus(b, b.State("x", 1, 2)) }
	b64, b32 := NewBuilder[float64](), NewBuilder[float32]()
	near(t, "float64", evaluate[float64](t, b64, [][]float64{{1, 2}}, out(b64)), [][]float64{{2.5, 3.5}}, 0)
	near(t, "float32", evaluate[float32](t, b32, [][]float64{{1, 2}}, out(b32)), [][]float64{{2.5, 3.5}}, 0)

	b := NewBuilder[float64]()
	next := math.Nextafter(1, 2)
	one, two := b.Constant(1), b.Constant(next)
	if one == two {
		t.Error("1 and the next number are one constant")
	}
	x := b.State("x", 1, 1)
	near(t, "two constants", evaluate[float64](t, b, [][]float64{{0}}, b.AddRow(x, b.Constant(1, 1)), b.AddRow(x, b.Constant(next, 1))), [][]float64{{1}, {next}}, 0)

	for _, test := range []struct {
		build func(b *Builder)
		want  string
	}{
		{func(b *Builder) { b.Constant(math.NaN()) }, "want a finite number"},
		{func(b *Builder) { b.Constant(math.Inf(-1), 3) }, "want a finite number"},
		{func(b *Builder) { b.Constant(1e300) }, "want a finite number"},
		{func(b *Builder) { b.Constant(1, 1<<30, 1<<30) }, "elements"},
		{func(b *Builder) { b.Constant(1, 2, -1) }, "dimensions"},
		{func(b *Builder) { b.Constant(1, 2, 0) }, "dimensions"},
	} {
		b := NewBuilder[float32]()
		if test.build(b); b.Err() == nil || !strings.Contains(b.Err().Error(), test.want) {
			t.Errorf("error %v, want one that says %q", b.Err(), test.want)
		}
	}
}
