package graph

import "math"

// siteCases are the operations that sites need: choices by a mask, learned precisions, merges of several inputs.
func siteCases() []opCase {
	flat := func(x [][]float64, n int, f func(i, k int) float64) []float64 { // by row and column
		var y []float64
		for i := range len(x[0]) / n {
			for k := range n {
				y = append(y, f(i, k))
			}
		}
		return y
	}
	squares := func(x [][]float64, n int) float64 {
		return total1(flat(x, n, func(i, k int) float64 { return x[1][k] * x[0][i*n+k] * x[0][i*n+k] }))
	}
	return []opCase{
		{name: "Choose", inputs: three(3), first: []int{1, 2}, second: []int{1, 2},
			build: func(b *Builder, x []*Node) *Node { return b.Choose(b.Act(ReLU, x[0]), x[1], x[2]) },
			want:  each(func(x []float64) float64 { return when(x[0] > 0, x[1], x[2]) })},
		{name: "whereFree", inputs: two(3), first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node { return b.add(masked{}, b.Act(ReLU, x[0]), x[1]) },
			want:  each(func(x []float64) float64 { return when(x[0] > 0, 0, x[1]) })},
		{name: "whereClamped", inputs: two(3), first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node { return b.add(masked{clamped: true}, b.Act(ReLU, x[0]), x[1]) },
			want:  each(func(x []float64) float64 { return when(x[0] > 0, x[1], 0) })},
		{name: "Exp", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Exp(x[0]) },
			want: each(func(x []float64) float64 { return math.Exp(x[0]) })},
		{name: "WeightedSquare", inputs: []in{row(3), weight(3)},
			build: func(b *Builder, x []*Node) *Node { return b.WeightedSquare(x[0], x[1], .6, 5) },
			want:  func(x [][]float64) []float64 { return []float64{.3 / 5 * squares(x, 3)} }},
		{name: "WeightedSquare of three dimensions", inputs: []in{{[]int{5, 2, 3}, true, false}, weight(2, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.WeightedSquare(x[0], x[1], 1, 1) },
			want:  func(x [][]float64) []float64 { return []float64{squares(x, 6) / 2} }},
		{name: "WeightedSquare by a precision", inputs: []in{row(3), weight(3)},
			build: func(b *Builder, x []*Node) *Node {
				return b.Combine([]float64{1, -.5}, b.WeightedSquare(x[0], b.Exp(x[1]), 1, 5), b.Sum(x[1], 1))
			},
			want: func(x [][]float64) []float64 {
				w := make([]float64, 3)
				for k, s := range x[1] {
					w[k] = math.Exp(s)
				}
				return []float64{squares([][]float64{x[0], w}, 3)/10 - total1(x[1])/2}
			}},
		{name: "Sum", inputs: cells(3), build: func(b *Builder, x []*Node) *Node { return b.Sum(b.Mul(x[0], x[0]), -.3) },
			want: func(x [][]float64) []float64 { return []float64{-.3 * dot(x[0], x[0])} }},
		{name: "Spread", inputs: []in{weight(1)}, build: func(b *Builder, x []*Node) *Node { return b.Spread(b.Sum(x[0], 1), 2, 3) },
			want: func(x [][]float64) []float64 {
				v := x[0][0]
				return []float64{v, v, v, v, v, v}
			}},
		{name: "Join", inputs: []in{row(2), row(1), row(3)}, build: func(b *Builder, x []*Node) *Node { return b.Join(x...) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for i := range rowsOfCases {
					y = append(append(append(y, x[0][2*i:2*i+2]...), x[1][i]), x[2][3*i:3*i+3]...)
				}
				return y
			}},
		{name: "Join of one operand twice", inputs: []in{{[]int{5, 2, 2}, true, false}}, build: func(b *Builder, x []*Node) *Node { return b.Join(x[0], x[0]) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for i := 0; i < len(x[0]); i += 2 {
					y = append(append(y, x[0][i:i+2]...), x[0][i:i+2]...)
				}
				return y
			}},
		{name: "Columns", inputs: cells(4), build: func(b *Builder, x []*Node) *Node { return b.Columns(x[0], 1, 3) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for i := 0; i < len(x[0]); i += 4 {
					y = append(y, x[0][i+1:i+3]...)
				}
				return y
			}},
		{name: "padded", inputs: cells(2), build: func(b *Builder, x []*Node) *Node { return b.add(padded{lo: 1, n: 4}, x...) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for i := 0; i < len(x[0]); i += 2 {
					y = append(y, 0, x[0][i], x[0][i+1], 0)
				}
				return y
			}},
		{name: "TimesColumn", inputs: []in{row(3), row(1)}, build: func(b *Builder, x []*Node) *Node { return b.TimesColumn(x[0], x[1]) },
			want: func(x [][]float64) []float64 {
				return flat(x, 3, func(i, k int) float64 { return x[0][3*i+k] * x[1][i] })
			}},
		{name: "rowDots", inputs: two(3), build: func(b *Builder, x []*Node) *Node { return b.add(rowDots{}, x...) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for i := 0; i < len(x[0]); i += 3 {
					y = append(y, dot(x[0][i:i+3], x[1][i:i+3]))
				}
				return y
			}},
		{name: "OffDiagonal", inputs: []in{weight(4, 4)}, build: func(b *Builder, x []*Node) *Node { return b.OffDiagonal(x[0]) },
			want: func(x [][]float64) []float64 {
				return flat(x, 4, func(i, k int) float64 { return when(i == k, 0, x[0][4*i+k]) })
			}},
		{name: "Linear by scaled weights", inputs: []in{row(3), weight(3, 4), weight(4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], b.Scale(x[1], 3), b.Scale(x[2], 3), .3) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, false, .9, x[2]) }},
		{name: "Linear by scaled weights alone", inputs: []in{row(3), weight(3, 4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], b.Scale(x[1], 3), nil, .3) },
			want:  func(x [][]float64) []float64 { return plainProduct(x[0], x[1], 5, 3, 4, false, false, .9, nil) }},
		{name: "Linear by a scaled weight and a bias", inputs: []in{row(3), weight(3, 4), weight(4)},
			build: func(b *Builder, x []*Node) *Node { return b.Linear(x[0], b.Scale(x[1], 3), x[2], .5) },
			want: func(x [][]float64) []float64 {
				half := make([]float64, 4)
				for k, v := range x[2] {
					half[k] = v / 3
				}
				return plainProduct(x[0], x[1], 5, 3, 4, false, false, 1.5, half)
			}},
	}
}
