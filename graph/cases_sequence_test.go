package graph

import (
	"fmt"
	"math"
	"slices"
)

// dual is a number with its change in one direction: what plain loops compute with it has both, exactly.
type dual struct{ v, d float64 }

func (a dual) plus(b dual) dual         { return dual{a.v + b.v, a.d + b.d} }
func (a dual) times(b dual) dual        { return dual{a.v * b.v, a.d*b.v + a.v*b.d} }
func (a dual) power(p float64) dual     { return dual{math.Pow(a.v, p), p * math.Pow(a.v, p-1) * a.d} }
func (a dual) exp() dual                { return dual{math.Exp(a.v), math.Exp(a.v) * a.d} }
func (a dual) timesReal(c float64) dual { return dual{a.v * c, a.d * c} }
func duals(x, d []float64) (z []dual) {
	for i := range x {
		z = append(z, dual{v: x[i]})
		if d != nil {
			z[i].d = d[i]
		}
	}
	return z
}

func values(z []dual) (x []float64) {
	for _, a := range z {
		x = append(x, a.v)
	}
	return x
}

func changes(z []dual) (d []float64) {
	for _, a := range z {
		d = append(d, a.d)
	}
	return d
}

// pulled is J^T g of a plain function at x, one direction at a time.
func pulled(f func(x []dual) []dual, x, g []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		e := make([]float64, len(x))
		e[i] = 1
		out[i] = dot(g, changes(f(duals(x, e))))
	}
	return out
}

// bent is the gradient with respect to x of g^T J(x) v, by differences of exact slopes.
func bent(f func(x []dual) []dual, x, g, v []float64) []float64 {
	x = slices.Clone(x)
	return slopes([][]float64{x}, func() float64 { return dot(g, changes(f(duals(x, v)))) })[0]
}

// plainNorm standardises rows of n.
func plainNorm(n int, centre bool, eps float64) func([]dual) []dual {
	return func(x []dual) []dual {
		var y []dual
		for row := range slices.Chunk(x, n) {
			var mean, ms dual
			if centre {
				for _, a := range row {
					mean = mean.plus(a.timesReal(1 / float64(n)))
				}
			}
			for _, a := range row {
				c := a.plus(mean.timesReal(-1))
				ms = ms.plus(c.times(c).timesReal(1 / float64(n)))
			}
			r := ms.plus(dual{v: eps}).power(-.5)
			for _, a := range row {
				y = append(y, a.plus(mean.timesReal(-1)).times(r))
			}
		}
		return y
	}
}

// plainAttention is attention on [batch, t, 3 n], the mask [batch, t] or nil.
func plainAttention(t, n, heads int, scale float64, causal bool, mask []float64) func([]dual) []dual {
	return func(x []dual) []dual {
		d := n / heads
		out := make([]dual, len(x)/3)
		for s := range len(x) / (t * 3 * n) {
			at := func(third, i, h, k int) dual { return x[(s*t+i)*3*n+third*n+h*d+k] }
			for h := range heads {
				for i := range t {
					var es []dual
					var mass dual
					for j := range t {
						var e dual
						if (!causal || j <= i) && (mask == nil || mask[s*t+j] <= 0) {
							for k := range d {
								e = e.plus(at(0, i, h, k).times(at(1, j, h, k)).timesReal(scale))
							}
							e = e.exp()
						}
						es = append(es, e)
						mass = mass.plus(e)
					}
					if mass.v == 0 {
						continue // nothing to see
					}
					for j, e := range es {
						for k := range d {
							o := &out[(s*t+i)*n+h*d+k]
							*o = o.plus(e.times(mass.power(-1)).times(at(2, j, h, k)))
						}
					}
				}
			}
		}
		return out
	}
}

// sequenceCases are the operations on tokens.
func sequenceCases() []opCase {
	var cs []opCase
	for _, centre := range []bool{true, false} {
		s := standard{centre: centre, eps: .1}
		f := plainNorm(4, centre, .1)
		x := []in{tokens(2, 4)}
		cs = append(cs,
			opCase{name: s.name(), inputs: x,
				build: func(b *Builder, x []*Node) *Node {
					if centre {
						return b.LayerNorm(x[0], .1)
					}
					return b.RMSNorm(x[0], .1)
				},
				want: func(x [][]float64) []float64 { return values(f(duals(x[0], nil))) }},
			opCase{name: s.name() + " of rows", inputs: cells(4), build: func(b *Builder, x []*Node) *Node { return b.add(standardise{s}, x...) },
				want: func(x [][]float64) []float64 { return values(f(duals(x[0], nil))) }},
			opCase{name: s.name() + " gradient", inputs: slices.Repeat(x, 2), second: none(),
				build: func(b *Builder, x []*Node) *Node { return b.add(standardiseGrad{s}, x...) },
				want:  func(x [][]float64) []float64 { return pulled(f, x[0], x[1]) }},
			opCase{name: s.name() + " second derivative", inputs: slices.Repeat(x, 3), first: none(), difference: true,
				build: func(b *Builder, x []*Node) *Node { return b.add(standardiseHess{s}, x...) },
				want:  func(x [][]float64) []float64 { return bent(f, x[0], x[1], x[2]) }},
		)
	}
	const t, n = 3, 4
	for _, o := range []multiHead{{2, .7, false, false}, {1, .5, true, false}, {4, 1, true, true}, {2, .25, false, true}} {
		x, g := tokens(t, 3*n), tokens(t, n)
		build := func(s func(multiHead) spec) func(*Builder, []*Node) *Node {
			return func(b *Builder, x []*Node) *Node { return b.add(s(o), x...) }
		}
		// want applies w to the plain loops and the operands other than the mask
		want := func(w func(f func([]dual) []dual, x [][]float64) []float64) func([][]float64) []float64 {
			return func(x [][]float64) []float64 {
				var mask []float64
				if o.masked {
					x, mask = x[:len(x)-1], x[len(x)-1]
				}
				return w(plainAttention(t, n, o.heads, o.scale, o.causal, mask), x)
			}
		}
		add := func(c opCase, by ...int) {
			c.name += o.params()
			if o.masked {
				c.inputs = append(slices.Clone(c.inputs), in{[]int{rowsOfCases, t}, true, true})
				if c.first == nil {
					c.first = by
				}
				if c.second == nil {
					c.second = by
				}
			}
			cs = append(cs, c)
		}
		add(opCase{name: "attention", inputs: []in{x},
			build: func(b *Builder, x []*Node) *Node {
				return b.Attention(x[0], append(x, nil)[1], o.heads, o.scale, o.causal)
			},
			want: want(func(f func([]dual) []dual, x [][]float64) []float64 { return values(f(duals(x[0], nil))) })}, 0)
		add(opCase{name: "attentionGrad", inputs: []in{x, g}, second: none(),
			build: build(func(o multiHead) spec { return attentionGrad{o} }),
			want:  want(func(f func([]dual) []dual, x [][]float64) []float64 { return pulled(f, x[0], x[1]) })}, 0, 1)
		add(opCase{name: "attentionSlope", inputs: []in{x, x}, second: none(),
			build: build(func(o multiHead) spec { return attentionSlope{o} }),
			want:  want(func(f func([]dual) []dual, x [][]float64) []float64 { return changes(f(duals(x[0], x[1]))) })}, 0, 1)
		add(opCase{name: "attentionHess", inputs: []in{x, g, x}, first: none(), difference: true,
			build: build(func(o multiHead) spec { return attentionHess{o} }),
			want:  want(func(f func([]dual) []dual, x [][]float64) []float64 { return bent(f, x[0], x[1], x[2]) })})
	}
	row := func(f func(x, p float64) float64) func([][]float64) []float64 {
		return func(in [][]float64) []float64 {
			y := make([]float64, len(in[0]))
			for i, x := range in[0] {
				y[i] = f(x, in[1][i%len(in[1])])
			}
			return y
		}
	}
	for _, ins := range [][]in{
		{tokens(2, 3), weight(3)}, {tokens(2, 3), weight(2, 3)}, {row2(3), weight(3)}, {weight(2, 4), weight(4)},
		{weight(2, rowsOfCases, 3), row2(3)},
	} {
		at := fmt.Sprintf("%v by %v", ins[0].shape, ins[1].shape)
		cs = append(cs,
			opCase{name: "AddRow " + at, inputs: ins, build: func(b *Builder, x []*Node) *Node { return b.AddRow(x[0], x[1]) },
				want: row(func(x, p float64) float64 { return x + p })},
			opCase{name: "MulRow " + at, inputs: ins, build: func(b *Builder, x []*Node) *Node { return b.MulRow(x[0], x[1]) },
				want: row(func(x, p float64) float64 { return x * p })},
		)
	}
	ids := in{[]int{rowsOfCases, 2}, true, true}
	return append(cs,
		opCase{name: "colSums that keep two dimensions", inputs: []in{tokens(2, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.add(colSums{alpha: -2, keep: 2}, x[0]) },
			want: func(x [][]float64) []float64 {
				s := make([]float64, 6)
				for i, v := range x[0] {
					s[i%6] -= 2 * v
				}
				return s
			}},
		opCase{name: "repeat of a matrix", inputs: []in{weight(2, 3)},
			build: func(b *Builder, x []*Node) *Node { return b.add(repeat{lead: []int{4}}, x[0]) },
			want:  func(x [][]float64) []float64 { return slices.Repeat(x[0], 4) }},
		opCase{name: "Lookup", inputs: []in{ids, weight(3, 4)}, first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node { return b.Lookup(x[0], x[1]) },
			want: func(x [][]float64) []float64 {
				var y []float64
				for _, id := range x[0] {
					y = append(y, x[1][4*int(id):4*int(id)+4]...)
				}
				return y
			}},
		opCase{name: "scatter", inputs: []in{ids, tokens(2, 4)}, first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node { return b.add(scatter{rows: 3}, x...) },
			want: func(x [][]float64) []float64 {
				y := make([]float64, 12)
				for i, v := range x[1] {
					y[4*int(x[0][i/4])+i%4] += v
				}
				return y
			}},
	)
}

func row2(n int) in { return in{[]int{rowsOfCases, n}, true, false} }
