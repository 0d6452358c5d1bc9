package kernel

// Pooling in loops, pixel by pixel.

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

func goMaxPool[T Float](p Pool, dst, x []T) {
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

func goMaxPoolGrad[T Float](p Pool, dst, x, g []T) {
	p.each(len(x), func(at int, w window) {
		for k, v := range g[at : at+p.Channels] {
			dst[winner(p, x, w, k)] += v
		}
	})
}

func goMaxPoolPick[T Float](p Pool, dst, x, v []T) {
	p.each(len(x), func(at int, w window) {
		d := dst[at : at+p.Channels]
		for k := range d {
			d[k] = v[winner(p, x, w, k)]
		}
	})
}

func goMeanPool[T Float](p Pool, dst, x []T) {
	c, f := p.Channels, T(p.share())
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

func goMeanPoolGrad[T Float](p Pool, dst, g []T) {
	c, f := p.Channels, T(p.share())
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
