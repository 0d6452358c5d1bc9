package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// vectorCase is a kernel over slices s of one length, s[0] being written, and
// with more than one output also s[1], .. It returns sums, if any.
type vectorCase[T Float] struct {
	name    string
	slices  int
	outputs int
	alias   []int // slices that s[0] may be
	rows    bool  // a row as a whole: not to be split
	run     func(s [][]T) [2]float64
}

func vectorCases[T Float]() []vectorCase[T] {
	const a, b, c = 0.7, -0.9, 0.3
	adam := AdamCoef[T]{Rate: 0.1, Beta1: 0.9, Beta2: 0.99, Eps: 0.1, Decay: 0.2, Correct1: 1.5, Correct2: 3}
	none := func(f func(s [][]T)) func([][]T) [2]float64 {
		return func(s [][]T) [2]float64 { f(s); return [2]float64{} }
	}
	flag := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	cases := []vectorCase[T]{
		{"Fill", 1, 1, nil, false, none(func(s [][]T) { Fill(s[0], a) })},
		{"Scale", 2, 1, []int{1}, false, none(func(s [][]T) { Scale(s[0], s[1], a) })},
		{"Add", 3, 1, []int{1, 2}, false, none(func(s [][]T) { Add(s[0], s[1], s[2]) })},
		{"Sub", 3, 1, []int{1, 2}, false, none(func(s [][]T) { Sub(s[0], s[1], s[2]) })},
		{"Mul", 3, 1, []int{1, 2}, false, none(func(s [][]T) { Mul(s[0], s[1], s[2]) })},
		{"Axpby", 3, 1, []int{1, 2}, false, none(func(s [][]T) { Axpby(s[0], a, s[1], b, s[2]) })},
		{"AddRow", 2, 1, nil, true, none(func(s [][]T) { AddRow(s[0], s[1], 1, len(s[0])) })},
		{"SGD", 2, 1, nil, false, none(func(s [][]T) { SGD(s[0], s[1], a, b) })},
		{"Momentum", 3, 2, nil, false, none(func(s [][]T) { Momentum(s[0], s[1], s[2], a, b, c, false) })},
		{"Nesterov", 3, 2, nil, false, none(func(s [][]T) { Momentum(s[0], s[1], s[2], a, b, c, true) })},
		{"Adam", 4, 3, nil, false, none(func(s [][]T) { Adam(s[0], s[1], s[2], s[3], adam) })},
		{"Dot", 2, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{Dot(s[0], s[1])} }},
		{"Sum", 1, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{Sum(s[0])} }},
		{"SumSquares", 1, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{SumSquares(s[0])} }},
		{"MaxAbs", 1, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{MaxAbs(s[0])} }},
		{"AllFinite", 1, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{flag(AllFinite(s[0]))} }},
		{"AllZero", 1, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{flag(AllZero(s[0]))} }},
		{"SubSquares", 3, 1, []int{1, 2}, true, func(s [][]T) [2]float64 {
			ss, zero := SubSquares(s[0], s[1], s[2])
			return [2]float64{ss, flag(zero)}
		}},
		{"LogSoftmaxNLL", 2, 0, nil, true, func(s [][]T) [2]float64 { return [2]float64{LogSoftmaxNLL(s[0], s[1])} }},
		{"LogSoftmax", 2, 1, []int{1}, true, none(func(s [][]T) { LogSoftmax(s[0], s[1]) })},
		{"SoftmaxGrad", 3, 1, []int{2}, true, none(func(s [][]T) { SoftmaxGrad(s[0], s[1], s[2], a) })},
		{"Softmax", 2, 1, []int{1}, true, none(func(s [][]T) { Softmax(s[0], s[1]) })},
		{"SoftmaxBack", 3, 1, []int{2}, true, none(func(s [][]T) { SoftmaxBack(s[0], s[1], s[2]) })},
		{"Standardise", 2, 1, []int{1}, true, func(s [][]T) [2]float64 {
			return [2]float64{Standardise(s[0], s[1], true, .1)}
		}},
		{"Standardise to unit mean square", 2, 1, []int{1}, true, func(s [][]T) [2]float64 {
			return [2]float64{Standardise(s[0], s[1], false, .1)}
		}},
		{"StandardiseGrad", 3, 1, []int{1}, true, none(func(s [][]T) { StandardiseGrad(s[0], s[1], s[2], true, .1) })},
		{"StandardiseHess", 4, 1, []int{1}, true, none(func(s [][]T) { StandardiseHess(s[0], s[1], s[2], s[3], true, .1) })},
		{"ColSums", 2, 1, nil, true, none(func(s [][]T) { ColSums(s[0], s[1], 1, len(s[0]), a, b) })},
	}
	for k := Linear; k < activations; k++ {
		cases = append(cases,
			vectorCase[T]{"Activate " + k.String(), 2, 1, []int{1}, false, none(func(s [][]T) { Activate(k, s[0], s[1]) })},
			vectorCase[T]{"ActivateGrad " + k.String(), 3, 1, []int{1, 2}, false, none(func(s [][]T) { ActivateGrad(k, s[0], s[1], s[2]) })},
			vectorCase[T]{"ActivateGradSum " + k.String(), 4, 1, []int{1, 2, 3}, false, none(func(s [][]T) { ActivateGradSum(k, s[0], s[1], a, s[2], s[3]) })},
			vectorCase[T]{"ActivateGrad2 " + k.String(), 4, 1, []int{1, 2, 3}, false, none(func(s [][]T) { ActivateGrad2(k, s[0], s[1], s[2], s[3]) })})
	}
	return cases
}

const room = 40 // elements of NaN around each slice

// placed copies the slices into rooms of NaN, at an offset from alignment.
func placed[T Float](s [][]T, offset int) (inner, whole [][]T) {
	for _, x := range s {
		all := aligned[T](len(x) + 2*room + offset)
		Fill(all, nan[T]())
		at := room + offset
		in := all[at : at+len(x) : at+len(x)]
		copy(in, x)
		inner, whole = append(inner, in), append(whole, all)
	}
	return inner, whole
}

func equal[T Float](x, y T) bool { return x == y || x != x && y != y }

func (c vectorCase[T]) check(t *testing.T, input [][]T, rng *rand.Rand, exact bool) {
	t.Helper()
	n, set := len(input[0]), active
	got, whole := placed(input, rng.IntN(17))
	sums := c.run(got)
	for i, all := range whole {
		for j, v := range all {
			at := j - (len(all) - room - n)
			if (at < 0 || at >= n) && v == v {
				t.Fatalf("%T %s: n=%d: wrote outside slice %d, at %d", v, c.name, n, i, at)
			}
		}
		if i >= c.outputs && CopyIfChanged(got[i], input[i]) {
			t.Fatalf("%s: n=%d: operand %d changed", c.name, n, i)
		}
	}

	// The same bits at another place in memory, in two pieces, and in place.
	again, _ := placed(input, rng.IntN(17))
	if cut := rng.IntN(n + 1); !c.rows {
		low, high := make([][]T, len(again)), make([][]T, len(again))
		for i, x := range again {
			low[i], high[i] = x[:cut], x[cut:]
		}
		c.run(low)
		c.run(high)
	} else {
		for i, v := range c.run(again) {
			if !equal(v, sums[i]) {
				t.Fatalf("%s: n=%d: sum %d depends on the place in memory: %v, %v", c.name, n, i, v, sums[i])
			}
		}
	}
	c.sameBits(t, "elsewhere or in pieces", again, got)
	for _, i := range c.alias {
		in, _ := placed(input, 3)
		in[0] = in[i]
		c.run(in)
		c.sameBits(t, fmt.Sprintf("with dst = operand %d", i), in, got)
	}

	// Go says nearly the same.
	active = setGo
	want, _ := placed(input, 0)
	wantSums := c.run(want)
	active = set
	eps := 1.2e-7
	if sizeOf[T]() == 8 {
		eps = 2.3e-16
	}
	var total float64
	slack := 30.0
	if c.name == "SoftmaxBack" { // adds an inner product of all to each
		slack *= math.Sqrt(float64(n) + 1)
	}
	spread := false // a huge element reaches all through sums and factors
	for _, x := range input {
		spread = spread || strings.HasPrefix(c.name, "Standardise") && !(MaxAbs(x) <= 1e30)
	}
	for i := range n {
		size, huge := 0.0, spread
		for j := range input {
			size += math.Abs(float64(input[j][i]))
			huge = huge || math.Abs(float64(input[j][i])) > 1e30
		}
		total += size * size * (1 + size)
		for j := range c.outputs {
			g, w := float64(got[j][i]), float64(want[j][i])
			if equal(g, w) {
				continue
			}
			// Overflow times a factor that underflows here but not there is NaN or Inf.
			if !exact && huge {
				continue
			}
			if exact && !(math.Abs(g-w) <= slack*eps*(size+math.Abs(w))) || (g != g) != (w != w) {
				t.Fatalf("%T %s: n=%d: output %d[%d] = %v, Go says %v", want[j][i], c.name, n, j, i, g, w)
			}
		}
	}
	for i, w := range wantSums {
		if equal(sums[i], w) {
			continue
		}
		if exact && !(math.Abs(sums[i]-w) <= 1e-6*eps/1.2e-7*total) || (sums[i] != sums[i]) != (w != w) {
			t.Fatalf("%s: n=%d: sum %d = %v, Go says %v", c.name, n, i, sums[i], w)
		}
	}
}

func (c vectorCase[T]) sameBits(t *testing.T, when string, x, y [][]T) {
	t.Helper()
	for j := range c.outputs {
		for i := range x[j] {
			if !equal(x[j][i], y[j][i]) {
				t.Fatalf("%T %s: n=%d: %s, output %d[%d] = %v, not %v", x[j][i], c.name, len(x[j]), when, j, i, x[j][i], y[j][i])
			}
		}
	}
}

// strange are the values where kernels go wrong.
var strange = []float64{0, math.Copysign(0, -1), 1, -1, math.NaN(), math.Inf(1), math.Inf(-1),
	1e-40, -1e-40, 5e-324, 1e-310, 3e38, -3e38, 1e-20, 88.8, -88.8, -103.5, 709.9, -745.2, 1000, -1000, 24.5}

// admit turns the second moments of Adam, which are not negative, positive.
func (c vectorCase[T]) admit(s [][]T) {
	if c.name == "Adam" {
		for i, v := range s[2] {
			s[2][i] = max(v, -v)
		}
	}
}

func testVector[T Float](t *testing.T, n int, rng *rand.Rand) {
	for _, c := range vectorCases[T]() {
		testVectorCase(t, c, n, rng)
	}
}

// testVectorCase checks one kernel on n numbers: drawn, zero and strange ones.
func testVectorCase[T Float](t *testing.T, c vectorCase[T], n int, rng *rand.Rand) {
	input := make([][]T, c.slices)
	fill := func(v func() float64) {
		for i := range input {
			input[i] = make([]T, n)
			for j := range input[i] {
				input[i][j] = T(v())
			}
		}
		c.admit(input)
	}
	fill(rng.NormFloat64)
	c.check(t, input, rng, true)
	fill(func() float64 { return 0 })
	c.check(t, input, rng, true)
	fill(func() float64 {
		if rng.IntN(4) > 0 {
			return rng.NormFloat64() * 3
		}
		return strange[rng.IntN(len(strange))]
	})
	c.check(t, input, rng, false)
}

func TestVector_AgreesWithGo(t *testing.T) {
	underEach(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 3))
		for n := range 34 { // every remainder of one and two vectors
			testVector[float32](t, n, rng)
			testVector[float64](t, n, rng)
		}
		for _, n := range []int{47, 48, 49, 63, 64, 65, 69, 127, 128, 129, 300, 784} { // around several vectors, and many
			testVector[float32](t, n, rng)
			testVector[float64](t, n, rng)
		}
	})
}

// FuzzVector is one kernel of one vector set in one type at a time.
func FuzzVector(f *testing.F) {
	single, double := vectorCases[float32](), vectorCases[float64]()
	for i := range single {
		f.Add(uint8(i), uint8(1), uint16(i), uint64(1))
	}
	f.Add(uint8(0), uint8(5), uint16(299), uint64(2))
	f.Fuzz(func(t *testing.T, kernel, flags uint8, n uint16, seed uint64) {
		defer func(s kernelSet) { active = s }(active)
		active = setGo + kernelSet(flags>>1)%(best()-setGo+1)
		rng := rand.New(rand.NewPCG(seed, 1))
		if flags&1 == 1 {
			testVectorCase(t, single[int(kernel)%len(single)], int(n%300), rng)
		} else {
			testVectorCase(t, double[int(kernel)%len(double)], int(n%300), rng)
		}
	})
}

// Each element alone decides: NaN anywhere is seen, whatever lane it falls in.
func TestReductions_SeeEveryLane(t *testing.T) {
	underEach(t, func(t *testing.T) {
		x, zeros := make([]float32, 200), make([]float32, 200)
		logits := make([]float64, 200)
		for i := range x {
			x[i], logits[i] = nan[float32](), math.NaN()
			if MaxAbs(x) == MaxAbs(x) || AllFinite(x) || AllZero(x) || Sum(x) == Sum(x) || Dot(x, zeros) == 0 {
				t.Errorf("NaN at %d is lost", i)
			}
			if v := LogSoftmaxNLL(logits, logits); v == v {
				t.Errorf("LogSoftmaxNLL lost NaN at %d", i)
			}
			x[i], logits[i] = -3, 0
			if MaxAbs(x) != 3 || !AllFinite(x) || AllZero(x) || Sum(x) != -3 || SumSquares(x) != 9 {
				t.Errorf("-3 at %d is lost", i)
			}
			if ss, zero := SubSquares(make([]float32, 200), x, zeros); ss != 9 || zero {
				t.Errorf("SubSquares at %d: %v, %v", i, ss, zero)
			}
			x[i] = 0
		}
		if _, zero := SubSquares(x, x, x); !zero || !AllZero(x) {
			t.Error("x - x is not all zero")
		}
		tiny := []float64{5e-324} // its square underflows
		if ss, zero := SubSquares(tiny, tiny, []float64{0}); ss != 0 || zero {
			t.Errorf("SubSquares of a denormal: %v, %v", ss, zero)
		}
	})
}

func TestSoftmax_LargeLogits(t *testing.T) {
	underEach(t, func(t *testing.T) {
		y, logits := []float32{0, 1, 0}, []float32{1000, -1000, 999}
		// log(1 + exp(-1)) + 2000
		if got, want := LogSoftmaxNLL(y, logits), 2000+math.Log1p(math.Exp(-1)); math.Abs(got-want) > 1e-3 {
			t.Errorf("NLL = %v, want %v", got, want)
		}
		g := make([]float32, 3)
		SoftmaxGrad(g, y, logits, 2)
		p := 1 / (1 + math.Exp(-1))
		for i, want := range []float64{2 * p, -2, 2 * (1 - p)} {
			if math.Abs(float64(g[i])-want) > 1e-6 {
				t.Errorf("gradient[%d] = %v, want %v", i, g[i], want)
			}
		}
	})
}

func TestColSums_SumsDownwards(t *testing.T) {
	underEach(t, func(t *testing.T) {
		const m, n = 1100, 37
		a, dst := make([]float64, m*n), make([]float64, n)
		for i := range a {
			a[i] = float64(i % 101)
		}
		Fill(dst, 2)
		ColSums(dst, a, m, n, 0.5, 3)
		for j := range n {
			want := 6.0
			for i := range m {
				want += 0.5 * a[i*n+j]
			}
			if dst[j] != want { // integers and halves: exact
				t.Errorf("column %d: %v, want %v", j, dst[j], want)
			}
		}
	})
}

func TestCopyIfChanged_ComparesBits(t *testing.T) {
	zero := []float64{0}
	if !CopyIfChanged(zero, []float64{math.Copysign(0, -1)}) || !math.Signbit(zero[0]) {
		t.Error("-0 is not 0 to the bit")
	}
	x := []float32{1, nan[float32]()}
	if CopyIfChanged(x, append([]float32(nil), x...)) {
		t.Error("the same NaN is no change")
	}
}

func TestNothingAllocates(t *testing.T) {
	underEach(t, func(t *testing.T) {
		allocates[float32](t)
		allocates[float64](t)
	})
}

func allocates[T Float](t *testing.T) {
	const n = 33
	for _, c := range vectorCases[T]() {
		s := make([][]T, c.slices)
		for i := range s {
			s[i] = random[T](n)
		}
		if got := testing.AllocsPerRun(10, func() { c.run(s) }); got != 0 {
			t.Errorf("%T %s: %v allocations", T(0), c.name, got)
		}
	}
	a, c, p := random[T](n*n), random[T](n*n), NewPacked[T](n, n)
	for _, trans := range []bool{false, true} {
		if got := testing.AllocsPerRun(10, func() {
			p.Pack(a, n, trans)
			GemmPacked(n, 1, a, n, p, a[:n], 0, c, n)
			Gemm(trans, trans, n, n, n, 1, a, n, a, n, 1, c, n)
		}); got != 0 {
			t.Errorf("%T products, transposed %v: %v allocations", T(0), trans, got)
		}
	}
}
