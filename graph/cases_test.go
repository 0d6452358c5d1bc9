package graph

import (
	"fmt"
	"math"
	"slices"
)

// An opCase is one fused operation with what it must give, written as plain loops over float64.
type opCase struct {
	name   string
	inputs []in
	build  func(b *Builder, x []*Node) *Node
	want   func(x [][]float64) []float64
	// first and second list the operands by which derivatives of that order are provided; nil means all.
	first, second []int
	difference    bool // want holds difference quotients, good to 1e-8
}

// idsName starts the names of inputs of whole numbers.
const idsName = "ids"

// in is an operand: batched or not, and of whole numbers from 0 to 2 or not.
type in struct {
	shape   []int
	batched bool
	ids     bool
}

const rowsOfCases = 5 // batch of the cases

func row(n int) in       { return in{[]int{rowsOfCases, n}, true, false} }
func weight(s ...int) in { return in{s, false, false} }
func tokens(t, n int) in { return in{[]int{rowsOfCases, t, n}, true, false} }
func none() []int        { return []int{} }
func cells(n int) []in   { return []in{row(n)} }
func two(n int) []in     { return []in{row(n), row(n)} }
func three(n int) []in   { return []in{row(n), row(n), row(n)} }

// add makes the inputs of a case and applies it.
func (o opCase) add(b *Builder) (xs []*Node, y *Node) {
	for i, s := range o.inputs {
		kind, name := b.Param, "x"
		if s.batched {
			kind = b.Data
		}
		if s.ids {
			name = idsName
		}
		xs = append(xs, kind(fmt.Sprintf("%s%d", name, i), s.shape...))
	}
	return xs, o.build(b, xs)
}

func each(f func(x []float64) float64) func([][]float64) []float64 {
	return func(in [][]float64) []float64 {
		out := make([]float64, len(in[0]))
		x := make([]float64, len(in))
		for i := range out {
			for k := range in {
				x[k] = in[k][i]
			}
			out[i] = f(x)
		}
		return out
	}
}

// byRow applies f to each row of all operands.
func byRow(f func(out []float64, x ...[]float64)) func([][]float64) []float64 {
	return func(in [][]float64) []float64 {
		n := len(in[0]) / rowsOfCases
		out := make([]float64, len(in[0]))
		for i := range rowsOfCases {
			var rows [][]float64
			for _, x := range in {
				rows = append(rows, x[i*n:(i+1)*n])
			}
			f(out[i*n:(i+1)*n], rows...)
		}
		return out
	}
}

func plainProduct(a, b []float64, m, k, n int, ta, tb bool, alpha float64, bias []float64) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for j := range n {
			s := 0.0
			for p := range k {
				x, y := a[i*k+p], 0.0
				if ta {
					x = a[p*m+i]
				}
				if y = b[p*n+j]; tb {
					y = b[j*k+p]
				}
				s += x * y
			}
			if bias != nil {
				s += bias[j]
			}
			c[i*n+j] = alpha * s
		}
	}
	return c
}

func plainSoftmax(m []float64) []float64 {
	s, sum := make([]float64, len(m)), 0.0
	for i, x := range m {
		s[i] = math.Exp(x)
		sum += s[i]
	}
	for i := range s {
		s[i] /= sum
	}
	return s
}

func dot(x, y []float64) float64 {
	s := 0.0
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

func total1(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

// formulas of the activations with their derivatives, independent of the kernels.
var formulas = map[Activation]struct {
	f, d, d2 func(x float64) float64
	smooth   bool
}{
	Tanh: {math.Tanh, func(x float64) float64 { return 1 / math.Pow(math.Cosh(x), 2) },
		func(x float64) float64 { return -2 * math.Sinh(x) / math.Pow(math.Cosh(x), 3) }, true},
	HardTanh:  {func(x float64) float64 { return max(-1, min(1, x)) }, func(x float64) float64 { return when(x*x <= 1, 1, 0) }, zero, false},
	Sigmoid:   {logistic, func(x float64) float64 { return logistic(x) * logistic(-x) }, func(x float64) float64 { return logistic(x) * logistic(-x) * (logistic(-x) - logistic(x)) }, true},
	ReLU:      {func(x float64) float64 { return max(0, x) }, func(x float64) float64 { return when(x > 0, 1, 0) }, zero, false},
	LeakyReLU: {func(x float64) float64 { return when(x > 0, x, x/100) }, func(x float64) float64 { return when(x > 0, 1, .01) }, zero, false},
	GELU: {gelu, func(x float64) float64 { return (gelu(x+1e-5) - gelu(x-1e-5)) / 2e-5 },
		func(x float64) float64 { return (gelu(x+1e-4) - 2*gelu(x) + gelu(x-1e-4)) / 1e-8 }, true},
	SELU: {func(x float64) float64 { return seluScale * when(x > 0, x, seluAlpha*(math.Exp(x)-1)) },
		func(x float64) float64 { return seluScale * when(x > 0, 1, seluAlpha*math.Exp(x)) },
		func(x float64) float64 { return seluScale * when(x > 0, 0, seluAlpha*math.Exp(x)) }, true},
	SiLU: {func(x float64) float64 { return x * logistic(x) }, func(x float64) float64 { return logistic(x) * (1 + x*logistic(-x)) },
		func(x float64) float64 { return logistic(x) * logistic(-x) * (2 + x*(logistic(-x)-logistic(x))) }, true},
}

const seluScale, seluAlpha = 1.0507009873554805, 1.6732632423543773

func zero(float64) float64       { return 0 }
func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
func gelu(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
}
func when(c bool, a, b float64) float64 {
	if c {
		return a
	}
	return b
}

// cases are all fused operations.
func cases() []opCase {
	cs := []opCase{
		{name: "Linear without bias", inputs: []in{row(3), weight(3, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], x[1], nil, .3) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, false, .3, nil) }},
		{name: "Linear with bias", inputs: []in{row(3), weight(3, 4), weight(4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], x[1], x[2], .3) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, false, .3, x[2]) }},
		{name: "Linear of width 1", inputs: []in{row(1), weight(1, 1), weight(1)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], x[1], x[2], 1) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 1, 1, false, false, 1, x[2]) }},
		{name: "MatMul", inputs: []in{row(3), weight(3, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[1], false, false) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, false, 1, nil) }},
		{name: "MatMul transX", inputs: []in{row(3), row(4)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[1], true, false) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 3, 5, 4, true, false, 1, nil) }},
		{name: "MatMul transY", inputs: []in{row(3), weight(4, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[1], false, true) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, true, 1, nil) }},
		{name: "MatMul transX transY", inputs: []in{row(3), weight(4, 5)}, first: none(),
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[1], true, true) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 3, 5, 4, true, true, 1, nil) }},
		{name: "MatMul of a weight by itself", inputs: []in{weight(4, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[0], false, true) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[0], 4, 3, 4, false, true, 1, nil) }},
		{name: "MatMul of scaled operands", inputs: []in{row(3), weight(3, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(b.Scale(x[0], 3), b.Scale(x[1], -.5), false, false) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, false, -1.5, nil) }},
		{name: "Linear of tokens", inputs: []in{tokens(2, 3), weight(3, 4), weight(4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], x[1], x[2], .3) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 10, 3, 4, false, false, .3, x[2]) }},
		{name: "Linear of an image", inputs: []in{{[]int{5, 2, 2, 3}, true, false}, weight(3, 4), weight(4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], x[1], x[2], 1) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 20, 3, 4, false, false, 1, x[2]) }},
		{name: "Linear of a weight of three dimensions", inputs: []in{weight(2, 2, 3), weight(3, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], x[1], nil, 1) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 4, 3, 4, false, false, 1, nil) }},
		{name: "MatMul transX of tokens", inputs: []in{tokens(2, 3), tokens(2, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[1], true, false) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 3, 10, 4, true, false, 1, nil) }},
		{name: "MatMul transY of tokens", inputs: []in{tokens(2, 3), weight(4, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.MatMul(x[0], x[1], false, true) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 10, 3, 4, false, true, 1, nil) }},
		{name: "Scale", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Scale(x[0], -2.5) },
			want: each(func(x []float64) float64 { return -2.5 * x[0] })},
		{name: "Sub", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.Sub(x[0], x[1]) },
			want: each(func(x []float64) float64 { return x[0] - x[1] })},
		{name: "Add", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.Add(x[0], x[1]) },
			want: each(func(x []float64) float64 { return x[0] + x[1] })},
		{name: "Add of one operand twice", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Add(x[0], x[0]) },
			want: each(func(x []float64) float64 { return 2 * x[0] })},
		{name: "Combine of three", inputs: three(3),
			build: func(b *Builder, x []*Node) *Node { return b.Combine([]float64{2, -3, .5}, x...) },
			want:  each(func(x []float64) float64 { return 2*x[0] - 3*x[1] + .5*x[2] })},
		{name: "Combine of three dimensions", inputs: []in{{[]int{5, 2, 3}, true, false}, {[]int{5, 2, 3}, true, false}},
			build: func(b *Builder, x []*Node) *Node { return b.Combine([]float64{2, -3}, x...) },
			want:  each(func(x []float64) float64 { return 2*x[0] - 3*x[1] })},
		{name: "Mul", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.Mul(x[0], x[1]) },
			want: each(func(x []float64) float64 { return x[0] * x[1] })},
		{name: "Mul by itself", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Mul(x[0], x[0]) },
			want: each(func(x []float64) float64 { return x[0] * x[0] })},
		{name: "SubIdentity", inputs: []in{weight(4, 4)}, build: func(b *Builder, x []*Node) *Node { return b.SubIdentity(x[0]) },
			want: func(x [][]float64) []float64 {
				y := append([]float64(nil), x[0]...)
				for i := range 4 {
					y[5*i]--
				}
				return y
			}},
		{name: "HalfSquare", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.HalfSquare(x[0], 3, 5) },
			want: func(x [][]float64) []float64 { return []float64{3. / 2 * dot(x[0], x[0]) / 5} }},
		{name: "HalfSquare of a weight", inputs: []in{weight(3)}, build: func(b *Builder, x []*Node) *Node { return b.HalfSquare(x[0], 3, 1) },
			want: func(x [][]float64) []float64 { return []float64{3. / 2 * dot(x[0], x[0])} }},
		{name: "HalfSquare of a sum of scalars", inputs: two(3),
			build: func(b *Builder, x []*Node) *Node {
				return b.HalfSquare(b.Sub(b.Inner(x[0], x[1]), b.HalfSquare(x[0], 1, 1)), .1, 1)
			},
			want: func(x [][]float64) []float64 {
				s := dot(x[0], x[1]) - dot(x[0], x[0])/2
				return []float64{.05 * s * s}
			}},
		{name: "Inner", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.Inner(x[0], x[1]) },
			want: func(x [][]float64) []float64 { return []float64{dot(x[0], x[1])} }},
		{name: "CrossEntropy", inputs: two(4), build: func(b *Builder, x []*Node) *Node { return b.CrossEntropy(x[0], x[1], .7, 5) },
			want: func(x [][]float64) []float64 {
				s := total1(byRow(func(out []float64, r ...[]float64) {
					for i, p := range plainSoftmax(r[1]) {
						out[i] = -.7 / 5 * r[0][i] * math.Log(p)
					}
				})(x))
				return []float64{s}
			}},
		{name: "CrossEntropy of tokens", inputs: []in{tokens(2, 4), tokens(2, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.CrossEntropy(x[0], x[1], .7, 5) },
			want: func(x [][]float64) []float64 {
				s := 0.0
				for i := 0; i < len(x[0]); i += 4 {
					for k, p := range plainSoftmax(x[1][i : i+4]) {
						s -= .7 / 5 * x[0][i+k] * math.Log(p)
					}
				}
				return []float64{s}
			}},
		{name: "scaleBy", inputs: []in{row(3), weight(2)},
			build: func(b *Builder, x []*Node) *Node { return b.add(scaleBy{}, b.HalfSquare(x[1], 1, 1), x[0]) },
			want: func(x [][]float64) []float64 {
				return each(func(y []float64) float64 { return dot(x[1], x[1]) / 2 * y[0] })(x[:1])
			}},
		{name: "scaleBy of a sum over the batch", inputs: two(3),
			build: func(b *Builder, x []*Node) *Node { return b.add(scaleBy{}, b.Inner(x[0], x[1]), x[0]) },
			want: func(x [][]float64) []float64 {
				return each(func(y []float64) float64 { return dot(x[0], x[1]) * y[0] })(x[:1])
			}},
		{name: "colSums", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.add(colSums{alpha: -2}, x[0]) },
			want: func(x [][]float64) []float64 {
				s := make([]float64, 3)
				for i, v := range x[0] {
					s[i%3] -= 2 * v
				}
				return s
			}},
		{name: "repeat", inputs: []in{weight(3)}, build: func(b *Builder, x []*Node) *Node { return b.add(repeat{lead: []int{4}}, x[0]) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for range 4 {
					y = append(y, x[0]...)
				}
				return y
			}},
		{name: "colSums of tokens", inputs: []in{tokens(2, 3)}, build: func(b *Builder, x []*Node) *Node { return b.add(colSums{alpha: -2}, x[0]) },
			want: func(x [][]float64) []float64 {
				s := make([]float64, 3)
				for i, v := range x[0] {
					s[i%3] -= 2 * v
				}
				return s
			}},
		{name: "repeat over tokens", inputs: []in{weight(3)}, build: func(b *Builder, x []*Node) *Node { return b.add(repeat{lead: []int{2, 2}}, x[0]) },
			want: func(x [][]float64) []float64 { return slices.Repeat(x[0], 4) }},
		{name: "copied", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.add(copied{1}, x[0]) },
			want: each(func(x []float64) float64 { return x[0] })},
		{name: "softmaxError", inputs: two(4), build: func(b *Builder, x []*Node) *Node { return b.add(softmaxError{}, x...) },
			second: none(),
			want: byRow(func(out []float64, r ...[]float64) {
				for i, p := range plainSoftmax(r[1]) {
					out[i] = total1(r[0])*p - r[0][i]
				}
			})},
		{name: "logSoftmax", inputs: cells(4), build: func(b *Builder, x []*Node) *Node { return b.add(logSoftmax{}, x...) },
			want: byRow(func(out []float64, r ...[]float64) {
				for i, p := range plainSoftmax(r[0]) {
					out[i] = math.Log(p)
				}
			})},
		{name: "softmaxShift", inputs: two(4), build: func(b *Builder, x []*Node) *Node { return b.add(softmaxShift{}, x...) },
			first: none(),
			want: byRow(func(out []float64, r ...[]float64) {
				d := dot(plainSoftmax(r[0]), r[1])
				for i := range out {
					out[i] = d - r[1][i]
				}
			})},
		{name: "softmaxHess", inputs: three(4), build: func(b *Builder, x []*Node) *Node { return b.add(softmaxHess{}, x...) },
			first: none(),
			want: byRow(func(out []float64, r ...[]float64) {
				s := plainSoftmax(r[1])
				d := dot(s, r[2])
				for i := range out {
					out[i] = total1(r[0]) * s[i] * (r[2][i] - d)
				}
			})},
	}
	cs = append(cs, siteCases()...)
	cs = append(cs, functionCases()...)
	cs = append(cs, sequenceCases()...)
	for f, is := range formulas {
		cs = append(cs,
			opCase{name: f.String(), inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Act(f, x[0]) },
				want: each(func(x []float64) float64 { return is.f(x[0]) })},
			opCase{name: f.String() + " gradient", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.add(activateGrad{f}, x...) },
				want: each(func(x []float64) float64 { return is.d(x[0]) * x[1] }), second: none()},
			opCase{name: f.String() + " second derivative", inputs: three(3), build: func(b *Builder, x []*Node) *Node { return b.add(activateGrad2{f}, x...) },
				want: each(func(x []float64) float64 { return is.d2(x[0]) * x[1] * x[2] }), first: []int{1, 2}, second: none()},
		)
	}
	return append(cs, imageCases()...)
}
