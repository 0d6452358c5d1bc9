package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// drawConv draws any geometry that has a result of one pixel or more, with padding beyond the window's size too.
func drawConv(t *rapid.T) Conv {
	for {
		var c Conv
		c.Groups = rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "groups")
		c.In = c.Groups * rapid.SampledFrom([]int{1, 2, 3, 5, 16, 17}).Draw(t, "in per group")
		c.Out = c.Groups * rapid.SampledFrom([]int{1, 2, 7, 16, 20}).Draw(t, "out per group")
		for a := range 2 {
			c.Image[a] = rapid.IntRange(1, 20).Draw(t, "image")
			c.Kernel[a] = rapid.IntRange(1, 4).Draw(t, "kernel")
			c.Stride[a] = rapid.IntRange(1, 3).Draw(t, "stride")
			c.Pad[a] = rapid.IntRange(0, 4).Draw(t, "pad")
			c.Dilation[a] = rapid.IntRange(1, 3).Draw(t, "dilation")
		}
		if rapid.Bool().Draw(t, "ordinary") { // the paths that matter more often
			c.Stride, c.Dilation = [2]int{1, 1}, [2]int{1, 1}
		}
		room := true
		for a := range 2 {
			room = room && c.Image[a]+2*c.Pad[a] >= c.Dilation[a]*(c.Kernel[a]-1)+1
		}
		if room {
			return c
		}
	}
}

// eachTerm calls f for every product x[i] w[j] that is part of y[k].
func (c Conv) eachTerm(f func(i, j, k int)) {
	r := c.Result()
	ig, og := c.In/c.Groups, c.Out/c.Groups
	for y := range r[0] {
		for x := range r[1] {
			for kh := range c.Kernel[0] {
				for kw := range c.Kernel[1] {
					h, w := y*c.Stride[0]-c.Pad[0]+kh*c.Dilation[0], x*c.Stride[1]-c.Pad[1]+kw*c.Dilation[1]
					if h < 0 || w < 0 || h >= c.Image[0] || w >= c.Image[1] {
						continue
					}
					for o := range c.Out {
						for i := range ig {
							f((h*c.Image[1]+w)*c.In+o/og*ig+i, ((kh*c.Kernel[1]+kw)*ig+i)*c.Out+o, (y*r[1]+x)*c.Out+o)
						}
					}
				}
			}
		}
	}
}

func draw[T Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// dirty is room of exactly n elements, full of NaN.
func dirty[T Float](n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = nan[T]()
	}
	return x
}

// failer is *testing.T or *rapid.T.
type failer interface{ Fatalf(string, ...any) }

func closeTo[T Float](t failer, what string, got []T, want []float64) {
	tol, scale := 1e-13, 1.0
	if sizeOf[T]() == 4 {
		tol = 3e-6 // some hundred roundings of 6e-8, which mostly cancel
	}
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*scale) {
			t.Fatalf("%s: element %d of %d is %v, want %v", what, i, len(want), got[i], w)
		}
	}
}

func checkConv[T Float](t failer, c Conv, rng *rand.Rand) {
	x, w, g, bias := draw[T](rng, c.xLen()), draw[T](rng, c.wLen()), draw[T](rng, c.yLen()), draw[T](rng, c.Out)
	x2, g2 := draw[T](rng, c.xLen()), draw[T](rng, c.yLen()) // of a second image
	xBias := draw[T](rng, c.In)
	y, dx, dw := make([]float64, len(g)), make([]float64, len(x)), make([]float64, len(w))
	for k := range y {
		y[k] = float64(bias[k%c.Out])
	}
	for i := range dx {
		dx[i] = float64(xBias[i%c.In])
	}
	before := draw[T](rng, len(w))
	for j, v := range before {
		dw[j] = float64(v)
	}
	c.eachTerm(func(i, j, k int) {
		y[k] += float64(x[i]) * float64(w[j])
		dx[i] += float64(g[k]) * float64(w[j])
		dw[j] += float64(g[k])*float64(x[i]) + float64(g2[k])*float64(x2[i])
	})
	defer func(s kernelSet) { active = s }(active)
	for active = setGo; active <= best(); active++ {
		f, a, s := NewFilter[T](c), NewAdjoint[T](c), NewConvSum[T](c)
		f.Pack(w)
		a.Pack(w)
		got := dirty[T](len(y))
		f.Apply(got, x, bias, dirty[T](f.Room()))
		closeTo(t, Set()+": convolution", got, y)
		got = dirty[T](len(dx))
		a.Apply(got, g, xBias, dirty[T](a.Room()))
		closeTo(t, Set()+": gradient with respect to the image", got, dx)
		got = append([]T(nil), before...)
		sumRoom := dirty[T](s.Room())
		s.Start(got, sumRoom)
		s.Add(got, x, g, sumRoom)
		s.Add(got, x2, g2, sumRoom)
		s.Finish(got, sumRoom)
		closeTo(t, Set()+": gradient with respect to the weights", got, dw)
	}
}

// The oracle is the definition as six loops in float64.
func TestConv_IsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConv(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		checkConv[float32](t, c, rng)
		checkConv[float64](t, c, rng)
	})
}

// Geometries for which an image takes several bands, tiles and pieces of depth.
func TestConv_LargeImagesAndManyChannels(t *testing.T) {
	one, same := [2]int{1, 1}, [2]int{1, 1}
	for _, c := range []Conv{
		{Image: [2]int{70, 66}, In: 3, Out: 5, Kernel: [2]int{3, 3}, Stride: one, Pad: same, Dilation: one, Groups: 1},
		{Image: [2]int{40, 45}, In: 40, Out: 24, Kernel: [2]int{3, 3}, Stride: one, Pad: same, Dilation: one, Groups: 1},
		{Image: [2]int{40, 45}, In: 40, Out: 24, Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: same, Dilation: one, Groups: 1},
		{Image: [2]int{4, 14}, In: 600, Out: 33, Kernel: [2]int{2, 2}, Stride: one, Pad: [2]int{1, 0}, Dilation: one, Groups: 1},
		{Image: [2]int{4, 4}, In: 300, Out: 33, Kernel: [2]int{2, 2}, Stride: one, Pad: same, Dilation: one, Groups: 1},
		{Image: [2]int{9, 10}, In: 256, Out: 256, Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: same, Dilation: [2]int{1, 2}, Groups: 2},
		{Image: [2]int{5, 6}, In: 200, Out: 200, Kernel: [2]int{3, 3}, Stride: one, Pad: same, Dilation: [2]int{2, 1}, Groups: 1},
		{Image: [2]int{4, 30}, In: 300, Out: 3, Kernel: [2]int{3, 4}, Stride: one, Pad: same, Dilation: [2]int{1, 2}, Groups: 1},
		{Image: [2]int{2, 1500}, In: 1, Out: 2, Kernel: one, Stride: [2]int{1, 1}, Dilation: one, Groups: 1},
		{Image: [2]int{20, 60}, In: 33, Out: 40, Kernel: one, Stride: one, Dilation: one, Groups: 1},
		{Image: [2]int{60, 64}, In: 8, Out: 8, Kernel: [2]int{3, 3}, Stride: one, Pad: same, Dilation: one, Groups: 1},
		{Image: [2]int{60, 64}, In: 1, Out: 1, Kernel: [2]int{3, 5}, Stride: one, Pad: [2]int{1, 2}, Dilation: one, Groups: 1},
		{Image: [2]int{33, 61}, In: 2, Out: 3, Kernel: [2]int{3, 3}, Stride: [2]int{1, 3}, Pad: [2]int{1, 0}, Dilation: one, Groups: 1},
	} {
		checkConv[float32](t, c, rand.New(rand.NewPCG(1, 2)))
	}
}

func TestConv_AllocatesNothing(t *testing.T) {
	for _, stride := range []int{1, 2} {
		c := Conv{Image: [2]int{9, 9}, In: 4, Out: 6, Kernel: [2]int{3, 3}, Stride: [2]int{stride, stride}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 2}
		f, a, s := NewFilter[float32](c), NewAdjoint[float32](c), NewConvSum[float32](c)
		x, w, g := random[float32](c.xLen()), random[float32](c.wLen()), random[float32](c.yLen())
		room := make([]float32, max(f.Room(), a.Room(), s.Room()))
		if n := testing.AllocsPerRun(5, func() {
			f.Pack(w)
			a.Pack(w)
			f.Apply(g, x, nil, room)
			a.Apply(x, g, nil, room)
			s.Start(w, room)
			s.Add(w, x, g, room)
			s.Finish(w, room)
		}); n != 0 {
			t.Errorf("stride %d: %v allocations", stride, n)
		}
	}
}

// Pixels are computed beside each other where columns would stay empty, and only there. By hand for 3 x 3 on rows of 32
// with tiles of 16 columns: 8 outputs take 48 column steps a pixel, two at a time 16 * 4 / 2 = 32, four 32 * 6 / 4 = 48;
// 16 outputs take 48, two at a time 32 * 4 / 2 = 64.
func TestBeside_FillsColumns(t *testing.T) {
	defer func(s kernelSet) { active = s }(active)
	for _, s := range []struct {
		set         kernelSet
		out, pixels int
	}{{setGo, 8, 1}, {setAVX2, 8, 2}, {setAVX2, 16, 1}} {
		active = s.set
		c := Conv{Image: [2]int{32, 32}, In: 16, Out: s.out, Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
		if f := NewFilter[float32](c); f.beside != s.pixels {
			t.Errorf("%s, %d outputs: %d pixels beside each other, want %d", setNames[s.set], s.out, f.beside, s.pixels)
		}
	}
}
