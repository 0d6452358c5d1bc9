package data

import "math"

// Turn writes the picture src, rotated around its middle by an angle in radians, counterclockwise, to dst. Both are laid
// out [height, width, channels] as shape says; pixels between pixels are interpolated linearly, and those from outside are
// blank. It panics when a length does not fit.
func Turn[T Float](dst, src []T, shape Shape, angle float64, blank T) {
	h, w, c := shape.Height, shape.Width, shape.Channels
	if len(dst) != h*w*c || len(src) != len(dst) {
		panic("data: Turn: a picture whose length is not that of its shape")
	}
	sin, cos := math.Sincos(angle)
	my, mx := float64(h-1)/2, float64(w-1)/2
	at := func(y, x, k int) float64 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return float64(blank)
		}
		return float64(src[(y*w+x)*c+k])
	}
	for y := range h {
		for x := range w {
			dy, dx := float64(y)-my, float64(x)-mx
			sy, sx := my+cos*dy+sin*dx, mx-sin*dy+cos*dx // where this pixel comes from; y points down
			y0, x0 := math.Floor(sy), math.Floor(sx)
			fy, fx := sy-y0, sx-x0
			i, j := int(y0), int(x0)
			for k := range c {
				top := (1-fx)*at(i, j, k) + fx*at(i, j+1, k)
				bottom := (1-fx)*at(i+1, j, k) + fx*at(i+1, j+1, k)
				dst[(y*w+x)*c+k] = T((1-fy)*top + fy*bottom)
			}
		}
	}
}
