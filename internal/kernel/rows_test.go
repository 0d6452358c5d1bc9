package kernel

import (
	"math"
	"testing"
)

// rowCases are the kernels over rows with those of one row that they stand for. operands follow dst; alias is the one
// that dst may be.
type rowCase[T Float] struct {
	name     string
	operands int
	alias    int
	grows    bool // rows may have different lengths
	all      func(dst []T, x [][]T, n, seen, grow int)
	one      func(dst []T, x [][]T)
}

func rowCases[T Float]() []rowCase[T] {
	cases := []rowCase[T]{
		{"SoftmaxRows", 1, 0, true, func(d []T, x [][]T, n, seen, grow int) { SoftmaxRows(d, x[0], n, seen, grow) }, func(d []T, x [][]T) { Softmax(d, x[0]) }},
		{"SoftmaxBackRows", 2, 1, true, func(d []T, x [][]T, n, seen, grow int) { SoftmaxBackRows(d, x[0], x[1], n, seen, grow) }, func(d []T, x [][]T) { SoftmaxBack(d, x[0], x[1]) }},
	}
	for _, centre := range []bool{false, true} {
		cases = append(cases,
			rowCase[T]{"StandardiseRows", 1, 0, false, func(d []T, x [][]T, n, _, _ int) { StandardiseRows(d, x[0], n, centre, .1) }, func(d []T, x [][]T) { Standardise(d, x[0], centre, .1) }},
			rowCase[T]{"StandardiseGradRows", 2, 0, false, func(d []T, x [][]T, n, _, _ int) { StandardiseGradRows(d, x[0], x[1], n, centre, .1) }, func(d []T, x [][]T) { StandardiseGrad(d, x[0], x[1], centre, .1) }})
	}
	return cases
}

// testRows holds each row against the kernel of one row in plain Go: some dozen roundings of numbers around 1, n of them
// in the sums. dst is also one of the operands, with the same bits.
func testRows[T Float](t *testing.T, rows, n, seen, grow int) {
	eps := 1.2e-7
	if sizeOf[T]() == 8 {
		eps = 2.3e-16
	}
	for _, c := range rowCases[T]() {
		if !c.grows && (seen != n || grow != 0) {
			continue
		}
		var x [][]T
		for i := range c.operands {
			x = append(x, random[T](rows*n + i)[i:])
		}
		dst := random[T](rows * n)
		set := active
		c.all(dst, x, n, seen, grow)
		for i := range rows {
			k := seen + i*grow
			want, of := make([]T, k), make([][]T, c.operands)
			for j := range of {
				of[j] = x[j][i*n:][:k]
			}
			active = setGo
			c.one(want, of)
			active = set
			for j, v := range dst[i*n:][:n] {
				w := 0.0
				if j < k {
					w = float64(want[j])
				}
				if tol := eps * (30 + 2*float64(n)) * (1 + math.Abs(w)); !(math.Abs(float64(v)-w) <= tol) || j >= k && v != 0 {
					t.Fatalf("%T %s, rows of %d, %d and %d more each: row %d, element %d is %v, want %v", v, c.name, n, seen, grow, i, j, v, w)
				}
			}
		}
		c.all(x[c.alias], x, n, seen, grow)
		if CopyIfChanged(dst, x[c.alias]) {
			t.Fatalf("%s, rows of %d: other numbers in place", c.name, n)
		}
		if a := testing.AllocsPerRun(2, func() { c.all(dst, x, n, seen, grow) }); a != 0 {
			t.Errorf("%s: %v allocations", c.name, a)
		}
	}
}

func TestRows_AreWhatTheKernelsOfOneRowCompute(t *testing.T) {
	underEach(t, func(t *testing.T) {
		for _, c := range [][4]int{{1, 1, 1, 0}, {3, 5, 5, 0}, {2, 8, 8, 0}, {5, 16, 16, 0}, {3, 33, 33, 0}, {2, 64, 64, 0}, {2, 127, 127, 0}, {1, 300, 300, 0},
			{1, 1, 1, 1}, {7, 7, 1, 1}, {32, 32, 1, 1}, {20, 45, 3, 2}, {4, 100, 97, 1}, {3, 40, 9, 0}, {16, 48, 33, 1}} {
			testRows[float32](t, c[0], c[1], c[2], c[3])
			testRows[float64](t, c[0], c[1], c[2], c[3])
		}
		SoftmaxRows[float32](nil, nil, 0, 0, 0)
		StandardiseRows[float32](nil, nil, 3, true, 1)
	})
}

// One bad number spoils its own row, and only that.
func TestRows_KeepNaNToItsRow(t *testing.T) {
	underEach(t, func(t *testing.T) {
		const rows, n = 5, 37
		for at := range n {
			for _, c := range rowCases[float32]() {
				for spoilt := range c.operands {
					var x [][]float32
					for range c.operands {
						x = append(x, random[float32](rows*n))
					}
					x[spoilt][2*n+at] = nan[float32]()
					dst := make([]float32, rows*n)
					c.all(dst, x, n, n, 0)
					if v := dst[2*n+at]; v == v {
						t.Fatalf("%s lost NaN at %d of operand %d", c.name, at, spoilt)
					}
					if !AllFinite(dst[:2*n]) || !AllFinite(dst[3*n:]) {
						t.Fatalf("%s let NaN into another row", c.name)
					}
				}
			}
		}
	})
}
