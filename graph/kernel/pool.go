package kernel

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

// each calls f for every pixel of the results of images in a slice of n
// elements: at is where the pixel starts, and the pixels of its window that lie
// in the image start at rows of columns from first, row elements apart.
func (p Pool) each(n int, f func(at int, w window)) {
	r, c, at := p.Result(), p.Channels, 0
	row := p.Image[1] * c
	for image := 0; image < n; image += p.Image[0] * row {
		for y := range r[0] {
			top, bottom := p.inside(0, y)
			for x := range r[1] {
				left, right := p.inside(1, x)
				f(at, window{first: image + top*row + left*c, rows: bottom - top, cols: right - left, row: row})
				at += c
			}
		}
	}
}

// window is the part of a window that lies in the image: first is the element
// where it starts, row the elements of a row of the image.
type window struct{ first, rows, cols, row int }

// inside is the range of pixels along an axis that window number i sees.
func (p Pool) inside(axis, i int) (lo, hi int) {
	lo = i*p.Stride[axis] - p.Pad[axis]
	return max(lo, 0), min(lo+p.Size[axis], p.Image[axis])
}

// MaxPool computes the largest pixel of each window, by channel; NaN if one is.
func MaxPool[T Float](p Pool, dst, x []T) {
	p.check(len(x), len(dst))
	c := p.Channels
	p.each(len(x), func(at int, w window) {
		d := dst[at : at+c]
		copy(d, x[w.first:])
		for r := range w.rows {
			for q := range w.cols {
				for k, v := range x[w.first+r*w.row+q*c:][:len(d)] {
					d[k] = max(d[k], v)
				}
			}
		}
	})
}

// winner is where in x channel k of the largest pixel of a window is: the first
// of equal ones, row by row; the first NaN if there is one.
func winner[T Float](p Pool, x []T, w window, k int) int {
	best := w.first + k
	for r := range w.rows {
		for q := range w.cols {
			i := w.first + r*w.row + q*p.Channels + k
			if b := x[best]; x[i] > b || x[i] != x[i] && b == b {
				best = i
			}
		}
	}
	return best
}

// MaxPoolGrad computes dst like x: g where the largest pixel of each window is,
// added up, and 0 elsewhere. Of equal pixels the first, row by row, counts.
func MaxPoolGrad[T Float](p Pool, dst, x, g []T) {
	p.check(len(x), len(g))
	same(len(dst), len(x))
	clear(dst)
	p.each(len(x), func(at int, w window) {
		for k, v := range g[at : at+p.Channels] {
			dst[winner(p, x, w, k)] += v
		}
	})
}

// MaxPoolPick computes what v, like x, has where x has the largest pixel of
// each window: the transpose of MaxPoolGrad.
func MaxPoolPick[T Float](p Pool, dst, x, v []T) {
	p.check(len(x), len(dst))
	same(len(v), len(x))
	p.each(len(x), func(at int, w window) {
		d := dst[at : at+p.Channels]
		for k := range d {
			d[k] = v[winner(p, x, w, k)]
		}
	})
}

// MeanPool computes the mean of each window, by channel. Padding counts as
// zeros: the sum is divided by the window's size everywhere.
func MeanPool[T Float](p Pool, dst, x []T) {
	p.check(len(x), len(dst))
	c, f := p.Channels, T(1/float64(p.Size[0]*p.Size[1]))
	p.each(len(x), func(at int, w window) {
		d := dst[at : at+c]
		clear(d)
		for r := range w.rows {
			for q := range w.cols {
				for k, v := range x[w.first+r*w.row+q*c:][:len(d)] {
					d[k] += v
				}
			}
		}
		for k := range d {
			d[k] *= f
		}
	})
}

// MeanPoolGrad computes dst like x: every window's g over its size, added up.
func MeanPoolGrad[T Float](p Pool, dst, g []T) {
	p.check(len(dst), len(g))
	clear(dst)
	c, f := p.Channels, T(1/float64(p.Size[0]*p.Size[1]))
	p.each(len(dst), func(at int, w window) {
		from := g[at : at+c]
		for r := range w.rows {
			for q := range w.cols {
				to := dst[w.first+r*w.row+q*c:][:len(from)]
				for k, v := range from {
					to[k] += T(f * v)
				}
			}
		}
	})
}
