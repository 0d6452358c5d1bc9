package kernel

// With few outputs most of a tile's columns would stay empty. Then r pixels
// beside each other in a row of the result are computed as one with r Out
// outputs: their windows together are a window of K' = (r-1) S + K columns, in
// which each of them has its weights at its place and zeros elsewhere. That is
// again a convolution, of stride r S, whose result lies in memory as that of the
// first does. It has K'/K times as many products, in columns that are used.

// beside is the cheapest such convolution, and its r; 1 if that is c itself.
func (c Conv) beside(cost func(Conv) int) (wide Conv, r int) {
	wide, r = c, 1
	width := c.Result()[1]
	if active == setGo || c.Groups != 1 || c.Kernel[1] == 1 || c.Dilation[1] != 1 {
		return wide, r
	}
	best := cost(c)
	for n := 2; n <= width; n++ {
		if width%n != 0 {
			continue
		}
		w := c
		w.Out, w.Stride[1], w.Kernel[1] = n*c.Out, n*c.Stride[1], (n-1)*c.Stride[1]+c.Kernel[1]
		if now := cost(w); now < best {
			best, wide, r = now, w, n
		}
	}
	return wide, r
}

// mapCost is what a row of the result costs.
func mapCost[T Float](c Conv) int {
	k := c.Kernel[1] * c.In
	return tileCost[T](c.Result()[1], c.Out, k*c.Kernel[0]) * k
}

// sumCost is what a row of the result costs in the gradient with respect to the weights.
func sumCost[T Float](c Conv) int {
	size := c.Result()
	return tileCost[T](c.Kernel[1]*c.In, c.Out, size[0]*size[1]) * size[1]
}

// tileCost is what one step of depth costs a product of m rows, n columns and
// depth k: rows times columns of all tiles, where a tile of few rows takes as
// long as one of four, waiting for its sums.
func tileCost[T Float](m, n, k int) int {
	t := tileOf[T](tilesFor[T](n, k))
	blocks := (m + t.rows - 1) / t.rows
	return blocks * max((m+blocks-1)/blocks, 4) * ((n + t.cols - 1) / t.cols * t.cols)
}

// eachBeside calls f for every place where Out weights of c, from narrow on, stand
// among those of the convolution of r pixels beside each other, from wide on.
func (c Conv) eachBeside(r int, f func(narrow, wide int)) {
	columns := (r-1)*c.Stride[1] + c.Kernel[1]
	for row := range c.Kernel[0] {
		for p := range r {
			for q := range c.Kernel[1] {
				for i := range c.In {
					f(((row*c.Kernel[1]+q)*c.In+i)*c.Out, ((row*columns+p*c.Stride[1]+q)*c.In+i)*r*c.Out+p*c.Out)
				}
			}
		}
	}
}
