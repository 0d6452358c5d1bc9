package graph

import (
	"github.com/pcgraph/pcgraph/internal/kernel"
)

// terms calls f for every product x[i] w[j] that is part of y[k], of a batch of images.
func terms(c kernel.Conv, batch int, f func(i, j, k int)) {
	r, ig, og := c.Result(), c.In/c.Groups, c.Out/c.Groups
	for k := range batch * r[0] * r[1] * c.Out {
		o, col, row, n := k%c.Out, k/c.Out%r[1], k/c.Out/r[1]%r[0], k/c.Out/r[1]/r[0]
		for j := range c.Kernel[0] * c.Kernel[1] * ig {
			ch, s, t := j%ig, j/ig%c.Kernel[1], j/ig/c.Kernel[1]
			h, w := row*c.Stride[0]-c.Pad[0]+t*c.Dilation[0], col*c.Stride[1]-c.Pad[1]+s*c.Dilation[1]
			if h >= 0 && w >= 0 && h < c.Image[0] && w < c.Image[1] {
				f(((n*c.Image[0]+h)*c.Image[1]+w)*c.In+o/og*ig+ch, j*c.Out+o, k)
			}
		}
	}
}

// convCases are the three operations of one convolution.
func convCases(name string, c kernel.Conv) []opCase {
	const n = rowsOfCases
	x, y, w := in{xShape(c, n), true, false}, in{yShape(c, n), true, false}, in{wShape(c), false, false}
	size := func(i in) int {
		s := 1
		for _, d := range i.shape {
			s *= d
		}
		return s
	}
	conf := Conv{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Groups: c.Groups}
	plainBias := func(bias []float64, size int) []float64 {
		out := make([]float64, size)
		for i := range out {
			out[i] = bias[i%len(bias)]
		}
		return out
	}
	return []opCase{
		{name: "Conv2D " + name, inputs: []in{x, w},
			build: func(b *Builder, x []*Node) *Node { return b.Conv2D(x[0], x[1], nil, conf) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, size(y))
				terms(c, n, func(i, j, k int) { out[k] += v[0][i] * v[1][j] })
				return out
			}},
		{name: "Conv2D with bias " + name, inputs: []in{x, w, weight(c.Out)},
			build: func(b *Builder, x []*Node) *Node { return b.Conv2D(x[0], x[1], x[2], conf) },
			want: func(v [][]float64) []float64 {
				out := plainBias(v[2], size(y))
				terms(c, n, func(i, j, k int) { out[k] += v[0][i] * v[1][j] })
				return out
			}},
		{name: "ConvTranspose2D with bias " + name, inputs: []in{y, w, weight(c.In)},
			build: func(b *Builder, x []*Node) *Node { return b.add(convInput{c, true}, x...) },
			want: func(v [][]float64) []float64 {
				out := plainBias(v[2], size(x))
				terms(c, n, func(i, j, k int) { out[i] += v[0][k] * v[1][j] })
				return out
			}},
		{name: "convWeight " + name, inputs: []in{x, y},
			build: func(b *Builder, x []*Node) *Node { return b.add(convWeight{c}, x...) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, size(w))
				terms(c, n, func(i, j, k int) { out[j] += v[0][i] * v[1][k] })
				return out
			}},
	}
}

// poolCases are the five operations of one pooling.
func poolCases(name string, p kernel.Pool) []opCase {
	const n = rowsOfCases
	x, y := in{imagesOf(p, n), true, false}, in{pooledOf(p, n), true, false}
	// windows calls f for every pixel i of every window k.
	windows := func(f func(i, k int)) {
		r, ch := p.Result(), p.Channels
		for k := range n * r[0] * r[1] * ch {
			c, col, row, image := k%ch, k/ch%r[1], k/ch/r[1]%r[0], k/ch/r[1]/r[0]
			for q := range p.Size[0] * p.Size[1] {
				h, w := row*p.Stride[0]-p.Pad[0]+q/p.Size[1], col*p.Stride[1]-p.Pad[1]+q%p.Size[1]
				if h >= 0 && w >= 0 && h < p.Image[0] && w < p.Image[1] {
					f(((image*p.Image[0]+h)*p.Image[1]+w)*ch+c, k)
				}
			}
		}
	}
	size := func(s []int) int { return s[0] * s[1] * s[2] * s[3] }
	// winners gives the pixel that each window takes.
	winners := func(x []float64) []int {
		at := make([]int, size(y.shape))
		for k := range at {
			at[k] = -1
		}
		windows(func(i, k int) {
			if at[k] < 0 || x[i] > x[at[k]] {
				at[k] = i
			}
		})
		return at
	}
	conf := Pool{Size: p.Size, Stride: p.Stride, Pad: p.Pad}
	area := float64(p.Size[0] * p.Size[1])
	pick := func(x, v []float64) []float64 {
		out := make([]float64, size(y.shape))
		for k, i := range winners(x) {
			out[k] = v[i]
		}
		return out
	}
	return []opCase{
		{name: "MaxPool2D " + name, inputs: []in{x},
			build: func(b *Builder, x []*Node) *Node { return b.MaxPool2D(x[0], conf) },
			want:  func(v [][]float64) []float64 { return pick(v[0], v[0]) }},
		{name: "maxPoolGrad " + name, inputs: []in{x, y}, first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node { return b.add(maxPoolGrad{p}, x...) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, size(x.shape))
				for k, i := range winners(v[0]) {
					out[i] += v[1][k]
				}
				return out
			}},
		{name: "maxPoolPick " + name, inputs: []in{x, x}, first: []int{1}, second: []int{1},
			build: func(b *Builder, x []*Node) *Node { return b.add(maxPoolPick{p}, x...) },
			want:  func(v [][]float64) []float64 { return pick(v[0], v[1]) }},
		{name: "AvgPool2D " + name, inputs: []in{x},
			build: func(b *Builder, x []*Node) *Node { return b.AvgPool2D(x[0], conf) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, size(y.shape))
				windows(func(i, k int) { out[k] += v[0][i] / area })
				return out
			}},
		{name: "meanPoolGrad " + name, inputs: []in{y},
			build: func(b *Builder, x []*Node) *Node { return b.add(meanPoolGrad{p}, x...) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, size(x.shape))
				windows(func(i, k int) { out[i] += v[0][k] / area })
				return out
			}},
	}
}

// imageCases are the operations on images.
func imageCases() (cs []opCase) {
	pair := func(h, w int) [2]int { return [2]int{h, w} }
	one := pair(1, 1)
	cs = append(cs, convCases("3x3 same", kernel.Conv{Image: pair(4, 5), In: 2, Out: 3, Kernel: pair(3, 3), Stride: one, Pad: one, Dilation: one, Groups: 1})...)
	cs = append(cs, convCases("2x3 strides", kernel.Conv{Image: pair(5, 6), In: 2, Out: 1, Kernel: pair(2, 3), Stride: pair(2, 3), Pad: pair(1, 2), Dilation: one, Groups: 1})...)
	cs = append(cs, convCases("dilated groups", kernel.Conv{Image: pair(4, 5), In: 4, Out: 2, Kernel: pair(2, 2), Stride: one, Pad: pair(0, 1), Dilation: pair(2, 3), Groups: 2})...)
	cs = append(cs, convCases("1x1", kernel.Conv{Image: pair(2, 2), In: 3, Out: 2, Kernel: one, Stride: one, Dilation: one, Groups: 1})...)
	cs = append(cs, poolCases("2x2", kernel.Pool{Image: pair(5, 4), Channels: 2, Size: pair(2, 2), Stride: pair(2, 2)})...)
	cs = append(cs, poolCases("overlapping", kernel.Pool{Image: pair(4, 3), Channels: 2, Size: pair(3, 2), Stride: pair(1, 1), Pad: pair(1, 1)})...)
	images := in{[]int{rowsOfCases, 2, 3, 2}, true, false}
	return append(cs,
		opCase{name: "GlobalAvgPool2D", inputs: []in{images},
			build: func(b *Builder, x []*Node) *Node { return b.GlobalAvgPool2D(x[0]) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, rowsOfCases*2)
				for i, x := range v[0] {
					out[i/12*2+i%2] += x / 6
				}
				return out
			}},
		opCase{name: "Reshape", inputs: []in{images},
			build: func(b *Builder, x []*Node) *Node { return b.Reshape(x[0], 4, 3) },
			want:  func(v [][]float64) []float64 { return v[0] }},
		opCase{name: "colSums of images", inputs: []in{images},
			build: func(b *Builder, x []*Node) *Node { return b.add(colSums{alpha: -2}, x[0]) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, 2)
				for i, x := range v[0] {
					out[i%2] -= 2 * x
				}
				return out
			}},
		opCase{name: "repeat to images", inputs: []in{weight(3)},
			build: func(b *Builder, x []*Node) *Node { return b.add(repeat{lead: []int{2, 2, 1}}, x[0]) },
			want: func(v [][]float64) []float64 {
				out := make([]float64, 12)
				for i := range out {
					out[i] = v[0][i%3]
				}
				return out
			}},
	)
}
