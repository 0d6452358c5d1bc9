package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// nan fills the room around an operand: reading it would show in the result.
func nan[T Float]() T { return T(math.NaN()) }

// matrix is rows x cols with a stride, inside NaN on all sides.
type matrix[T Float] struct {
	all            []T
	at, rows, cols int
	stride         int
}

func newMatrix[T Float](rng *rand.Rand, rows, cols int) matrix[T] {
	m := matrix[T]{at: 1 + rng.IntN(20), rows: rows, cols: cols, stride: cols + rng.IntN(3)}
	m.all = make([]T, m.at+rows*m.stride+40)
	Fill(m.all, nan[T]())
	for i := range rows {
		for j := range cols {
			m.all[m.at+i*m.stride+j] = T(rng.NormFloat64())
		}
	}
	return m
}

// data is the shortest slice that holds the matrix.
func (m matrix[T]) data() []T {
	if m.rows == 0 || m.cols == 0 {
		return nil
	}
	end := m.at + (m.rows-1)*m.stride + m.cols
	return m.all[m.at:end:end]
}

func (m matrix[T]) get(i, j int, trans bool) float64 {
	if trans {
		i, j = j, i
	}
	return float64(m.all[m.at+i*m.stride+j])
}

// checkRoom fails if anything outside the matrix is no longer NaN.
func (m matrix[T]) checkRoom(t *testing.T) {
	t.Helper()
	for i, v := range m.all {
		k := i - m.at
		inside := k >= 0 && m.stride > 0 && k/m.stride < m.rows && k%m.stride < m.cols
		if !inside && v == v {
			t.Fatalf("element %d outside [%d,%d] was written: %v", k, m.rows, m.cols, v)
		}
	}
}

type product struct {
	transA, transB, packed bool
	m, n, k                int
	alpha, beta            float64
	bias                   bool
}

// check compares one product with the definition in float64, and each of its
// rows alone with the same row of the whole, bit for bit.
func checkProduct[T Float](t *testing.T, p product, rng *rand.Rand) {
	t.Helper()
	shape := func(trans bool, rows, cols int) matrix[T] {
		if trans {
			rows, cols = cols, rows
		}
		return newMatrix[T](rng, rows, cols)
	}
	a, b, c := shape(p.transA, p.m, p.k), shape(p.transB, p.k, p.n), newMatrix[T](rng, p.m, p.n)
	var bias matrix[T]
	if p.bias {
		bias = newMatrix[T](rng, 1, p.n)
	}
	want, size := make([]float64, p.m*p.n), make([]float64, p.m*p.n)
	for i := range p.m {
		for j := range p.n {
			var sum, abs float64
			if p.bias {
				sum = bias.get(0, j, false)
				abs = math.Abs(sum)
			}
			for q := range p.k {
				x := a.get(i, q, p.transA) * b.get(q, j, p.transB)
				sum += x
				abs += math.Abs(x)
			}
			sum, abs = p.alpha*sum, math.Abs(p.alpha)*abs
			if p.beta != 0 {
				sum += p.beta * c.get(i, j, false)
				abs += math.Abs(p.beta * c.get(i, j, false))
			}
			want[i*p.n+j], size[i*p.n+j] = sum, abs
		}
	}
	if p.beta == 0 { // C may hold NaN
		Fill(c.data(), nan[T]())
	}
	before := append([]T(nil), c.all...)
	run := func(c matrix[T], i, rows int) {
		if rows == 0 {
			return
		}
		partA := a.data()
		if i > 0 && len(partA) > 0 {
			if p.transA {
				partA = partA[i:]
			} else {
				partA = partA[i*a.stride:]
			}
		}
		partC := c.data()
		if len(partC) > 0 {
			partC = partC[i*c.stride:]
		}
		alpha, beta := T(p.alpha), T(p.beta)
		if !p.packed {
			Gemm(p.transA, p.transB, rows, p.n, p.k, alpha, partA, a.stride, b.data(), b.stride, beta, partC, c.stride)
			return
		}
		packed := NewPacked[T](p.k, p.n)
		Fill(packed.data, nan[T]())
		for part := range 3 {
			packed.PackPart(b.data(), b.stride, p.transB, part, 3)
		}
		GemmPacked(rows, alpha, partA, a.stride, packed, bias.data(), beta, partC, c.stride)
	}
	run(c, 0, p.m)
	c.checkRoom(t)
	eps := 1.2e-7
	if sizeOf[T]() == 8 {
		eps = 2.3e-16
	}
	for i := range p.m {
		for j := range p.n {
			// Each of k+3 roundings errs by at most eps/2 of the sum of magnitudes.
			got, at := c.get(i, j, false), i*p.n+j
			if !(math.Abs(got-want[at]) <= eps*float64(p.k+3)*size[at]) {
				t.Fatalf("%T %+v: C[%d,%d] = %v, want %v", T(0), p, i, j, got, want[at])
			}
		}
	}
	alone := c
	alone.all = before
	for i := 0; i < p.m; {
		rows := min(1+rng.IntN(9), p.m-i)
		run(alone, i, rows)
		i += rows
	}
	for i, v := range c.all {
		if v != alone.all[i] && (v == v || alone.all[i] == alone.all[i]) {
			t.Fatalf("%T %+v: rows computed apart differ at %d: %v, %v", T(0), p, i-c.at, v, alone.all[i])
		}
	}
}

func TestGemm_IsItsDefinition(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 5, 8, 9, 13, 16, 17, 31, 32, 33, 50}
	underEach(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 7))
		one := func() int { return sizes[rng.IntN(len(sizes))] }
		for range 1500 {
			p := product{m: one(), n: one(), k: one(), alpha: 1}
			p.packed, p.transB = rng.IntN(2) == 0, rng.IntN(2) == 0
			p.transA = !p.packed && rng.IntN(2) == 0
			p.bias = p.packed && rng.IntN(2) == 0
			if rng.IntN(2) == 0 {
				p.alpha = rng.NormFloat64()
			}
			p.beta = []float64{0, 1, -0.7}[rng.IntN(3)]
			checkProduct[float32](t, p, rng)
			checkProduct[float64](t, p, rng)
		}
		for _, trans := range []bool{false, true} { // deeper than one pass, wider than a panel's cache
			checkProduct[float32](t, product{trans, trans, false, 7, 70, 2*maxDepth + 9, 1, 1, false}, rng)
			checkProduct[float32](t, product{trans, trans, false, 70, 7, maxDepth + 1, -1, 0, false}, rng)
			checkProduct[float64](t, product{false, trans, true, 5, 40, maxDepth + 3, 0.5, 0, true}, rng)
			checkProduct[float32](t, product{trans, trans, false, 40, 700, 40, 2, 0.5, false}, rng)
		}
	})
}

func TestGemm_SameBitsPackedTransposedAndInPlace(t *testing.T) {
	underEach(t, func(t *testing.T) {
		const m, n, k = 19, 77, 130
		a, b := random[float32](m*k), random[float32](k*n)
		at, bt := transposed(a, m, k), transposed(b, k, n)
		want, got := make([]float32, m*n), make([]float32, m*n)
		Gemm(false, false, m, n, k, 0.3, a, k, b, n, 0, want, n)
		check := func(name string) {
			t.Helper()
			if CopyIfChanged(got, want) {
				t.Errorf("%s differs from the product in place", name)
			}
		}
		Gemm(true, false, m, n, k, 0.3, at, m, b, n, 0, got, n)
		check("transA")
		Gemm(false, true, m, n, k, 0.3, a, k, bt, k, 0, got, n)
		check("transB")
		Gemm(true, true, m, n, k, 0.3, at, m, bt, k, 0, got, n)
		check("both")
		p := NewPacked[float32](k, n)
		p.Pack(b, n, false)
		GemmPacked(m, 0.3, a, k, p, nil, 0, got, n)
		check("packed")
		p.Pack(bt, k, true)
		GemmPacked(m, 0.3, a, k, p, make([]float32, n), 0, got, n)
		check("packed transposed with a zero bias")
	})
}

func transposed[T Float](a []T, rows, cols int) []T {
	out := make([]T, len(a))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = a[i*cols+j]
		}
	}
	return out
}

func TestGemm_KeepsNaNAndInf(t *testing.T) {
	underEach(t, func(t *testing.T) {
		const n = 9
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			a, b, c := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
			b[4*n+7] = bad // zero times bad is NaN in all of column 7
			Gemm(false, false, n, n, n, 1, a, n, b, n, 0, c, n)
			for i, v := range c {
				if math.IsNaN(v) != (i%n == 7) {
					t.Fatalf("bad %v: C[%d,%d] = %v", bad, i/n, i%n, v)
				}
			}
		}
	})
}

func TestGemm_PanicsOnShortSlices(t *testing.T) {
	x := make([]float32, 100)
	for name, f := range map[string]func(){
		"a":      func() { Gemm(false, false, 10, 10, 10, 1, x[:99], 10, x, 10, 0, x, 10) },
		"b":      func() { Gemm(false, false, 10, 10, 10, 1, x, 10, x[:99], 10, 0, x, 10) },
		"c":      func() { Gemm(false, false, 10, 10, 10, 1, x, 10, x, 10, 0, x[:99], 10) },
		"stride": func() { Gemm(true, true, 10, 10, 10, 1, x, 9, x, 10, 0, x, 10) },
		"bias":   func() { GemmPacked(10, 1, x, 10, NewPacked[float32](10, 10), x[:9], 0, x, 10) },
		"part":   func() { NewPacked[float32](10, 10).PackPart(x, 10, false, 2, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(3), uint8(5), uint8(7), uint8(0), uint64(1))
	f.Add(uint8(32), uint8(10), uint8(128), uint8(31), uint64(2))
	f.Fuzz(func(t *testing.T, m, n, k, flags uint8, seed uint64) {
		bit := func(i int) bool { return flags>>i&1 == 1 }
		p := product{m: int(m % 26), n: int(n % 70), k: int(k % 40), alpha: 1, beta: 0} // twice a kernel and a rest; TestGemm has the large ones
		p.packed, p.transB = bit(0), bit(1)
		p.transA, p.bias = bit(2) && !p.packed, bit(2) && p.packed
		if bit(3) {
			p.alpha, p.beta = -0.3, 0.6
		}
		defer func(s kernelSet) { active = s }(active)
		active = setGo + kernelSet(flags>>5)%(best()-setGo+1)
		rng := rand.New(rand.NewPCG(seed, 0))
		if bit(4) {
			checkProduct[float32](t, p, rng)
		} else {
			checkProduct[float64](t, p, rng)
		}
	})
}

func TestGemm_VectorSetsAgreeToTheBit(t *testing.T) {
	if best() < setAVX512 {
		t.Skip("one vector set only")
	}
	defer func(s kernelSet) { active = s }(active)
	const m, n, k = 21, 75, 300
	a, b := random[float64](m*k), random[float64](k*n)
	x, y := make([]float64, m*n), make([]float64, m*n)
	active = setAVX512
	Gemm(false, false, m, n, k, 1, a, k, b, n, 0, x, n)
	active = setAVX2
	Gemm(false, false, m, n, k, 1, a, k, b, n, 0, y, n)
	if CopyIfChanged(x, y) {
		t.Error("one chain of multiply-adds per element should not depend on the width of a vector")
	}
}

func TestPeak_IsAboveTheProducts(t *testing.T) {
	const d = 5 * time.Millisecond
	for range 20 { // on a busy machine, try again
		if fma, gemm := Peak[float32](d), GemmPeak[float32](d); gemm > 0 && fma > 0.9*gemm {
			return
		}
	}
	t.Error("no measurement has multiply-adds alone faster than a product of them")
}
