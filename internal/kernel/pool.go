package kernel

import "math"

// A Pool is the geometry of a pooling of images
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

// rows is the range of rows of the image that the windows of row y of the results see.
func (p Pool) rows(y int) (lo, hi int) { return p.inside(0, y) }

// column says which windows of a row of the results see column q of theirs inside
// the image: that many from col on, the first of them at element x of its row, the
// following ones a stride apart.
func (p Pool) column(q int) (x, col, windows int) {
	j := q - p.Pad[1]
	if j >= p.Image[1] {
		return 0, 0, 0
	}
	col = max(0, (p.Stride[1]-1-j)/p.Stride[1]) // of the first with j + col stride >= 0
	end := min((p.Image[1]-1-j)/p.Stride[1]+1, p.Result()[1])
	if end <= col {
		return 0, 0, 0
	}
	return (j + col*p.Stride[1]) * p.Channels, col * p.Channels, end - col
}

// fewChannels are so few that calls of kernels by pixel cost more than loops.
const fewChannels = 4

// plain reports whether pooling is done in loops.
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
	set := active
	if set == setAVX512 && p.Channels <= tileOf[T](setAVX2).lanes {
		set = setAVX2 // where they are a whole vector, or less is masked
	}
	runVectorOf(set, o, &r.vectorArgs)
}

// eachRow calls f for every row of the results of images in slices of n
// elements: its number, where its image starts, and where it starts itself.
func (p Pool) eachRow(n int, f func(y, image, at int)) {
	r, at := p.Result(), 0
	for image := 0; image < n; image += p.Image[0] * p.line() {
		for y := range r[0] {
			f(y, image, at)
			at += r[1] * p.Channels
		}
	}
}

// line is the elements of a row of the image, row those of a row of the results.
func (p Pool) line() int { return p.Image[1] * p.Channels }
func (p Pool) row() int  { return p.Result()[1] * p.Channels }

// Room is the room, in elements, that pooling needs. What it holds does not
// matter.
func (p Pool) Room() int { return p.line() + 2*p.row() }

// MaxPool computes the largest pixel of each window, by channel; NaN if one is.
func MaxPool[T Float](p Pool, dst, x, room []T) {
	p.check(len(x), len(dst))
	if p.plain() {
		goMaxPool(p, dst, x)
		return
	}
	p.eachRow(len(x), func(y, image, at int) { maxRow(p, dst[at:at+p.row()], x[image:], y, room) })
}

// maxRow is row y of MaxPool, of one image: first along the columns of windows,
// then along their rows.
func maxRow[T Float](p Pool, dst, x []T, y int, room []T) {
	n := p.line()
	lo, hi := p.rows(y)
	line := x[lo*n : (lo+1)*n]
	if hi > lo+1 {
		line = room[:n]
		copy(line, x[lo*n:])
	}
	for i := lo + 1; i < hi; i++ {
		a := rowsOf(args2(line, x[i*n:]), 1, n, n)
		runVector(opMaxRows, &a.vectorArgs)
	}
	Fill(dst, T(math.Inf(-1)))
	for q := range p.Size[1] {
		at, col, windows := p.column(q)
		overWindows(opMaxRows, p, windows, args2(dst[col:], line[at:]), 1)
	}
}

// MaxPoolGrad computes dst like x: g where the largest pixel of each window is,
// added up, and 0 elsewhere. Of equal pixels the first, row by row, counts.
func MaxPoolGrad[T Float](p Pool, dst, x, g, room []T) {
	p.check(len(x), len(g))
	same(len(dst), len(x))
	clear(dst)
	if p.plain() {
		goMaxPoolGrad(p, dst, x, g)
		return
	}
	n, row := p.line(), p.row()
	top, rest := room[n:n+row], room[n+row:n+2*row] // what has not found its pixel yet
	p.eachRow(len(x), func(y, image, from int) {
		maxRow(p, top, x[image:], y, room)
		copy(rest, g[from:])
		lo, hi := p.rows(y)
		for i := lo; i < hi; i++ {
			for q := range p.Size[1] {
				at, col, windows := p.column(q)
				at += image + i*n
				overWindows(opRouteRows, p, windows, args4(dst[at:], x[at:], top[col:], rest[col:]), 0, 1)
			}
		}
	})
}

// MaxPoolPick computes what v, like x, has where x has the largest pixel of
// each window: the transpose of MaxPoolGrad.
func MaxPoolPick[T Float](p Pool, dst, x, v, room []T) {
	p.check(len(x), len(dst))
	same(len(v), len(x))
	if p.plain() {
		goMaxPoolPick(p, dst, x, v)
		return
	}
	n := p.line()
	top := room[n : n+p.row()]
	p.eachRow(len(x), func(y, image, to int) {
		maxRow(p, top, x[image:], y, room)
		lo, hi := p.rows(y)
		for i := hi - 1; i >= lo; i-- { // the first pixel comes last and stays
			for q := p.Size[1] - 1; q >= 0; q-- {
				at, col, windows := p.column(q)
				at += image + i*n
				overWindows(opPickRows, p, windows, args4(dst[to+col:], x[at:], top[col:], v[at:]), 1, 3)
			}
		}
	})
}

// MeanPool computes the mean of each window, by channel. Padding counts as
// zeros: the sum is divided by the window's size everywhere.
func MeanPool[T Float](p Pool, dst, x, room []T) {
	p.check(len(x), len(dst))
	if p.plain() {
		goMeanPool(p, dst, x)
		return
	}
	n, f := p.line(), T(p.share())
	p.eachRow(len(x), func(y, image, to int) {
		lo, hi := p.rows(y)
		line := x[image+lo*n : image+(lo+1)*n] // the sum along the columns
		for i := lo + 1; i < hi; i++ {
			Add(room[:n], line, x[image+i*n:image+(i+1)*n])
			line = room[:n]
		}
		d, first := dst[to:to+p.row()], 0
		if p.Size[1] > 1 && p.Pad[1] == 0 { // every window has two columns
			a := args3(d, line, line[p.Channels:])
			a.coef[0], a.coef[1] = f, f
			overWindows(opAxpbyRows, p, len(d)/p.Channels, a, 1, 2)
			first = 2
		} else {
			clear(d)
		}
		for q := first; q < p.Size[1]; q++ {
			at, col, windows := p.column(q)
			a := args2(d[col:], line[at:])
			a.coef[0] = f
			overWindows(opAddRows, p, windows, a, 1)
		}
	})
}

// MeanPoolGrad computes dst like x: every window's g over its size, added up.
func MeanPoolGrad[T Float](p Pool, dst, g, room []T) {
	p.check(len(dst), len(g))
	clear(dst)
	if p.plain() {
		goMeanPoolGrad(p, dst, g)
		return
	}
	n := p.line()
	line := room[:n]
	p.eachRow(len(dst), func(y, image, from int) {
		clear(line)
		for q := range p.Size[1] {
			at, col, windows := p.column(q)
			a := args2(line[at:], g[from+col:])
			a.coef[0] = T(p.share())
			overWindows(opAddRows, p, windows, a, 0)
		}
		lo, hi := p.rows(y)
		for i := lo; i < hi; i++ {
			d := dst[image+i*n : image+(i+1)*n]
			Add(d, d, line)
		}
	})
}

// share is a pixel's part of a mean.
func (p Pool) share() float64 { return 1 / float64(p.Size[0]*p.Size[1]) }
