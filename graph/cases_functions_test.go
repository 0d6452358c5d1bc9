package graph

import "math"

// functionCases are the functions for likelihoods of one's own. Operands of roots and logarithms are made positive by Exp.
func functionCases() []opCase {
	sign := func(x float64) float64 { return when(x > 0, 1, -1) }
	return []opCase{
		{name: "Abs", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Abs(x[0]) },
			want: each(func(x []float64) float64 { return math.Abs(x[0]) })},
		{name: "Abs of a weight of three dimensions", inputs: []in{weight(2, 3, 2)}, build: func(b *Builder, x []*Node) *Node { return b.Abs(x[0]) },
			want: each(func(x []float64) float64 { return math.Abs(x[0]) })},
		{name: "gradient of Abs", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.add(signed{}, x...) },
			want: each(func(x []float64) float64 { return sign(x[0]) * x[1] })},
		{name: "Sqrt", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Sqrt(b.Exp(x[0])) },
			want: each(func(x []float64) float64 { return math.Exp(x[0] / 2) })},
		{name: "Sqrt of tokens", inputs: []in{tokens(2, 3)}, build: func(b *Builder, x []*Node) *Node { return b.Sqrt(b.Exp(x[0])) },
			want: each(func(x []float64) float64 { return math.Exp(x[0] / 2) })},
		{name: "Log", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Log(b.Exp(x[0])) },
			want: each(func(x []float64) float64 { return x[0] })},
		{name: "Log of a square", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Log(b.Mul(x[0], x[0])) },
			want: each(func(x []float64) float64 { return 2 * math.Log(math.Abs(x[0])) })},
		{name: "gradient of Sum", inputs: []in{row(3), weight(2)}, first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node {
				return b.add(filledLike{-2}, x[0], b.HalfSquare(x[1], 1, 1))
			},
			want: func(x [][]float64) []float64 {
				return each(func([]float64) float64 { return -dot(x[1], x[1]) })(x[:1])
			}},
		{name: "Sum of a root", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Sum(b.Sqrt(b.Exp(x[0])), .3) },
			want: func(x [][]float64) []float64 {
				return []float64{.3 * total1(each(func(x []float64) float64 { return math.Exp(x[0] / 2) })(x))}
			}},
		{name: "power", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.add(power{-1.5}, b.Exp(x[0])) },
			want: each(func(x []float64) float64 { return math.Exp(-1.5 * x[0]) })},
		{name: "Log of one and a square", inputs: cells(3),
			build: func(b *Builder, x []*Node) *Node {
				return b.Log(b.AddRow(b.Mul(x[0], x[0]), b.Constant(1, 3)))
			},
			want: each(func(x []float64) float64 { return math.Log(1 + x[0]*x[0]) })},
		{name: "Sqrt of a constant and a square", inputs: cells(3),
			build: func(b *Builder, x []*Node) *Node {
				return b.Sqrt(b.AddRow(b.Mul(x[0], x[0]), b.Constant(.25, 3)))
			},
			want: each(func(x []float64) float64 { return math.Sqrt(.25 + x[0]*x[0]) })},
		{name: "Constant of a sample's shape", inputs: []in{tokens(2, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.MulRow(x[0], b.Constant(-1.75, 2, 3)) },
			want:  each(func(x []float64) float64 { return -1.75 * x[0] })},
	}
}
