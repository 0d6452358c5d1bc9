package kernel

import "math"

// A Pool says how the window of a pooling slides over images
// [height, width, channels]. Pairs are height, width. Padding must be smaller
// than the window, so that every window sees a pixel.
type Pool struct {
	Image             [2]int
	Channels          int
	Size, Stride, Pad [2]int
}

// Result is the height and width of the result.
func (p Pool) Result() (size [2]int) {
	for a := range size {
		size[a] = (p.Image[a]+2*p.Pad[a]-p.Size[a])/p.Stride[a] + 1
	}
	return size
}

// check panics unless x holds images and y results, as many of each.
func (p Pool) check(x, y int) {
	r, c := p.Result(), p.Channels
	same(x*r[0]*r[1]*c, y*p.Image[0]*p.Image[1]*c)
}

// taps is the number of pixels of a window, which are counted row by row.
func (p Pool) taps() int { return p.Size[0] * p.Size[1] }

// tap says which windows of row y of the results see pixel number t of theirs
// inside the image: that many from column col on, the first of them at element x,
// the following ones a stride apart.
func (p Pool) tap(y, t int) (x, col, windows int) {
	i, j := y*p.Stride[0]-p.Pad[0]+t/p.Size[1], t%p.Size[1]-p.Pad[1]
	if i < 0 || i >= p.Image[0] || j >= p.Image[1] {
		return 0, 0, 0
	}
	col = max(0, (p.Stride[1]-1-j)/p.Stride[1]) // of the first with j + col stride >= 0
	end := min((p.Image[1]-1-j)/p.Stride[1]+1, p.Result()[1])
	if end <= col {
		return 0, 0, 0
	}
	return (i*p.Image[1] + j + col*p.Stride[1]) * p.Channels, col, end - col
}

// fewChannels are so few that calls of kernels by pixel cost more than loops.
const fewChannels = 4

// plain says whether pooling is done in loops.
func (p Pool) plain() bool { return active == setGo || p.Channels < fewChannels }

// overWindows calls a kernel over rows, a row being the channels of a pixel, for
// so many windows. Slots of images move on by a stride, the others by a pixel.
func overWindows[T Float](o vectorOp, p Pool, windows int, a vectorArgs[T], images ...int) {
	if windows == 0 {
		return
	}
	r := rowsOf(a, windows, p.Channels, p.Channels)
	for _, i := range images {
		r.step[i] *= p.Stride[1]
	}
	runVector(o, &r.vectorArgs)
}

// eachRow calls f for every row of the results of images in slices of n
// elements: where its image starts, its number, and where it starts itself.
func (p Pool) eachRow(n int, f func(image, y, at int)) {
	r, at := p.Result(), 0
	for image := 0; image < n; image += p.Image[0] * p.Image[1] * p.Channels {
		for y := range r[0] {
			f(image, y, at)
			at += r[1] * p.Channels
		}
	}
}

// row is the elements of a row of the results.
func (p Pool) row() int { return p.Result()[1] * p.Channels }

// MaxPool computes the largest pixel of each window, by channel; NaN if one is.
func MaxPool[T Float](p Pool, dst, x []T) {
	p.check(len(x), len(dst))
	if p.plain() {
		goMaxPool(p, dst, x)
		return
	}
	p.eachRow(len(x), func(image, y, at int) { maxRow(p, dst[at:at+p.row()], x[image:], y) })
}

// maxRow is a row of MaxPool, of one image.
func maxRow[T Float](p Pool, dst, x []T, y int) {
	Fill(dst, T(math.Inf(-1)))
	for t := range p.taps() {
		at, col, n := p.tap(y, t)
		overWindows(opMaxRows, p, n, args2(dst[col*p.Channels:], x[at:]), 1)
	}
}

// PoolRoom is the room that the gradient and the choice of the largest need.
func (p Pool) PoolRoom() int { return 2 * p.row() }

// MaxPoolGrad computes dst like x: g where the largest pixel of each window is,
// added up, and 0 elsewhere. Of equal pixels the first, row by row, counts. What
// room, PoolRoom elements or more, holds does not matter.
func MaxPoolGrad[T Float](p Pool, dst, x, g, room []T) {
	p.check(len(x), len(g))
	same(len(dst), len(x))
	clear(dst)
	if p.plain() {
		goMaxPoolGrad(p, dst, x, g)
		return
	}
	row := p.row()
	top, rest := room[:row], room[row:2*row] // what has not found its pixel yet
	p.eachRow(len(x), func(image, y, from int) {
		maxRow(p, top, x[image:], y)
		copy(rest, g[from:])
		for t := range p.taps() {
			at, col, n := p.tap(y, t)
			c := col * p.Channels
			overWindows(opRouteRows, p, n, args4(dst[image+at:], x[image+at:], top[c:], rest[c:]), 0, 1)
		}
	})
}

// MaxPoolPick computes what v, like x, has where x has the largest pixel of
// each window: the transpose of MaxPoolGrad, with the same room.
func MaxPoolPick[T Float](p Pool, dst, x, v, room []T) {
	p.check(len(x), len(dst))
	same(len(v), len(x))
	if p.plain() {
		goMaxPoolPick(p, dst, x, v)
		return
	}
	row := p.row()
	top := room[:row]
	p.eachRow(len(x), func(image, y, to int) {
		maxRow(p, top, x[image:], y)
		for t := p.taps() - 1; t >= 0; t-- { // the first comes last and stays
			at, col, n := p.tap(y, t)
			c := col * p.Channels
			overWindows(opPickRows, p, n, args4(dst[to+c:], x[image+at:], top[c:], v[image+at:]), 1, 3)
		}
	})
}

// MeanPool computes the mean of each window, by channel. Padding counts as
// zeros: the sum is divided by the window's size everywhere.
func MeanPool[T Float](p Pool, dst, x []T) {
	p.check(len(x), len(dst))
	if p.plain() {
		goMeanPool(p, dst, x)
		return
	}
	p.eachRow(len(x), func(image, y, to int) {
		d := dst[to : to+p.row()]
		clear(d)
		for t := range p.taps() {
			at, col, n := p.tap(y, t)
			a := args2(d[col*p.Channels:], x[image+at:])
			a.coef[0] = 1
			overWindows(opAddRows, p, n, a, 1)
		}
		Scale(d, d, T(p.share()))
	})
}

// MeanPoolGrad computes dst like x: every window's g over its size, added up.
func MeanPoolGrad[T Float](p Pool, dst, g []T) {
	p.check(len(dst), len(g))
	clear(dst)
	if p.plain() {
		goMeanPoolGrad(p, dst, g)
		return
	}
	p.eachRow(len(dst), func(image, y, from int) {
		for t := range p.taps() {
			at, col, n := p.tap(y, t)
			a := args2(dst[image+at:], g[from+col*p.Channels:])
			a.coef[0] = T(p.share())
			overWindows(opAddRows, p, n, a, 0)
		}
	})
}

// share is a pixel's part of a mean.
func (p Pool) share() float64 { return 1 / float64(p.taps()) }
