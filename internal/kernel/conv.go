package kernel

// A Conv is the geometry of a convolution (a cross-correlation, as everywhere in machine
// learning), which slides its window over images with zero padding:
//
//	y[i,j,o] = sum_{r,s,c} x[i S - P + r D, j S - P + s D, c] w[r,s,c,o]
//
// Images are channels-last, [height, width, channels]; weights are
// [kernel height, kernel width, In/Groups, Out], so a patch of the image times
// the weights as a matrix is a product of matrices. With Groups, outputs
// [g Out/Groups, (g+1) Out/Groups) see the inputs of the same group only.
// Pairs are height, width. Every number is positive, Pad may be 0 or negative:
// a negative one crops.
type Conv struct {
	Image                         [2]int
	In, Out                       int
	Kernel, Stride, Pad, Dilation [2]int
	Groups                        int
}

// Result is the height and width of y.
func (c Conv) Result() (size [2]int) {
	for a := range size {
		size[a] = (c.Image[a]+2*c.Pad[a]-c.Dilation[a]*(c.Kernel[a]-1)-1)/c.Stride[a] + 1
	}
	return size
}

// xLen, yLen and wLen are the elements of an image, a result and the weights.
func (c Conv) xLen() int { return c.Image[0] * c.Image[1] * c.In }
func (c Conv) yLen() int { r := c.Result(); return r[0] * r[1] * c.Out }
func (c Conv) wLen() int { return c.Kernel[0] * c.Kernel[1] * c.In / c.Groups * c.Out }

// turned is the convolution of y that gives the gradient with respect to x, with the weights
// turned around: for Stride 1 only.
func (c Conv) turned() Conv {
	t := c
	t.Image, t.In, t.Out = c.Result(), c.Out, c.In
	for a := range t.Pad {
		t.Pad[a] = c.Dilation[a]*(c.Kernel[a]-1) - c.Pad[a]
	}
	return t
}

// Patches are never laid out for a whole image. A band of its rows is copied
// beside zeros into room for few rows, unless there is no padding; a row of the
// result is then one product, of a matrix whose rows overlap in the band and
// whose columns come in taps. Only where rows are too short for large weights to
// be used often enough are patches gathered, to a tile of several rows.
const (
	bandBytes    = 48 << 10  // of a band: it stays in the first or second cache
	largeWeights = 128 << 10 // bytes of weights that the caches do not keep for the next row
	shortRow     = 24        // pixels of a row that is not worth reading them
	tileRows     = 48        // pixels of a tile of patches
)

// sliding is a Conv with what follows from it.
type sliding struct {
	Conv
	out      [2]int
	ig, og   int  // channels per group
	direct   bool // no padding: the image is its own band
	pitch    int  // elements of a row of the band
	band     int  // rows of the result that a band is for
	gather   bool
	tile     int   // rows of the result that a tile of patches is for
	taps     []int // where each tap starts in the band
	depth    int   // elements of a tap
	run      int   // so many taps follow each other at equal distances
	patchLen int
}

func newSliding[T Float](c Conv) sliding {
	if c.Kernel == [2]int{1, 1} && c.Stride == [2]int{1, 1} && c.Pad == [2]int{} {
		c.Image = [2]int{1, c.Image[0] * c.Image[1]} // the map is by pixel
	}
	s := sliding{Conv: c, out: c.Result(), ig: c.In / c.Groups, og: c.Out / c.Groups, direct: c.Pad == [2]int{}}
	s.patchLen = c.Kernel[0] * c.Kernel[1] * s.ig
	if s.direct {
		s.pitch, s.band = c.Image[1]*c.In, s.out[0]
	} else {
		s.pitch = ((s.out[1]-1)*c.Stride[1] + c.Dilation[1]*(c.Kernel[1]-1) + 1) * c.In
		fit := bandBytes/(s.pitch*sizeOf[T]()) - c.Dilation[0]*(c.Kernel[0]-1) - 1
		s.band = min(max(fit, 0)/c.Stride[0]+1, s.out[0])
	}
	s.depth = s.ig
	if c.Groups == 1 && (c.Dilation[1] == 1 || c.Kernel[1] == 1) {
		s.depth *= c.Kernel[1]
	}
	for r := range c.Kernel[0] {
		for q := 0; q < c.Kernel[1]*s.ig; q += s.depth {
			s.taps = append(s.taps, r*c.Dilation[0]*s.pitch+q/s.ig*c.Dilation[1]*c.In)
		}
	}
	line := c.Kernel[1] // taps at equal distances: of a row of the window, or of a column of rows
	if s.depth > s.ig || line == 1 {
		line = c.Kernel[0]
	}
	s.run = min(line, max(1, maxDepth/s.depth))
	for line%s.run != 0 {
		s.run--
	}
	s.tile = 1
	return s
}

// gathering is s with tiles of patches where they pay.
func (s sliding) gathering(size int) sliding {
	s.gather = len(s.taps) > 1 && s.out[1] < shortRow && s.patchLen*s.og*size > largeWeights
	if s.gather {
		s.tile = min(max(1, tileRows/s.out[1]), s.band)
	}
	return s
}

// bandLen is the room for a band, for rows of the result.
func (s *sliding) bandLen(rows int) int {
	if s.direct {
		return 0
	}
	return ((rows-1)*s.Stride[0] + s.Dilation[0]*(s.Kernel[0]-1) + 1) * s.pitch
}

// tileLen is the room for a tile of patches.
func (s *sliding) tileLen() int {
	if !s.gather {
		return 0
	}
	return s.tile * s.out[1] * s.patchLen
}

// bandOf is the part of x that rows [y, y+rows) of the result see, with its
// zeros, in room if it must be copied.
func bandOf[T Float](s *sliding, room, x []T, y, rows int) []T {
	if s.direct {
		return x[y*s.Stride[0]*s.pitch:]
	}
	room = room[:s.bandLen(rows)]
	width := s.Image[1] * s.In
	left := min(max(s.Pad[1]*s.In, 0), s.pitch)
	skip := max(-s.Pad[1]*s.In, 0)
	for i, k := y*s.Stride[0]-s.Pad[0], 0; k < len(room); i, k = i+1, k+s.pitch {
		row := room[k : k+s.pitch]
		if i < 0 || i >= s.Image[0] {
			clear(row)
			continue
		}
		clear(row[:left])
		n := left
		if skip < width {
			n += copy(row[left:], x[i*width+skip:(i+1)*width])
		}
		clear(row[n:])
	}
	return room
}

// gatherPatches copies the patches of rows of the result in group g, one after another.
func gatherPatches[T Float](s *sliding, patches, band []T, g, rows int) {
	n := s.depth
	for i := range rows {
		for j := range s.out[1] {
			at := band[i*s.Stride[0]*s.pitch+j*s.Stride[1]*s.In+g*s.ig:]
			for _, tap := range s.taps {
				copy(patches[:n], at[tap:])
				patches = patches[n:]
			}
		}
	}
}

// A Filter is the weights of a Conv, packed for Apply.
type Filter[T Float] struct {
	s       sliding
	conv    Conv // as it was given
	adjoint bool
	scatter bool
	parts   []*Packed[T] // by group
	turn    []T          // weights of a group, turned around
	beside  int          // pixels of the result that are computed as one
	wide    []T          // weights of as many, if there are several
}

// NewFilter returns a Filter of zeros for the convolution itself, x to y.
func NewFilter[T Float](c Conv) *Filter[T] {
	f := &Filter[T]{conv: c}
	f.slide(c)
	return f
}

// slide prepares f to apply c, which is what it was given for or that turned
// around.
func (f *Filter[T]) slide(c Conv) {
	wide, r := c.beside(mapCost[T])
	f.s, f.beside = newSliding[T](wide).gathering(sizeOf[T]()), r
	f.newParts(f.s.patchLen, f.s.og)
	if r > 1 {
		f.wide = make([]T, wide.wLen())
	}
}

// NewAdjoint returns a Filter of zeros for the transpose of the convolution as
// a linear map of x: it takes images like y to images like x, and is the
// gradient with respect to x. With Stride 1 it is a convolution with the weights turned
// around; otherwise the products of pixels with all weights are added up where
// their patches lie.
func NewAdjoint[T Float](c Conv) *Filter[T] {
	f := &Filter[T]{conv: c, adjoint: true, scatter: c.Stride != [2]int{1, 1}}
	if f.scatter {
		f.s = newSliding[T](c)
		f.newParts(f.s.og, f.s.patchLen)
		return f
	}
	f.slide(c.turned())
	f.turn = make([]T, c.wLen()/c.Groups)
	return f
}

func (f *Filter[T]) newParts(k, n int) {
	for range f.conv.Groups {
		f.parts = append(f.parts, NewPacked[T](k, n))
	}
}

// Bytes is the memory that f holds.
func (f *Filter[T]) Bytes() int {
	n := (len(f.turn) + len(f.wide)) * sizeOf[T]()
	for _, p := range f.parts {
		n += p.Bytes()
	}
	return n
}

// Pack copies the weights w [kernel height, kernel width, In/Groups, Out] into f.
func (f *Filter[T]) Pack(w []T) {
	same(f.conv.wLen(), len(w))
	out, og := f.conv.Out, f.conv.Out/f.conv.Groups
	for g, p := range f.parts {
		switch {
		case f.scatter:
			p.Pack(w[g*og:], out, true)
		case f.adjoint:
			taps, ig := f.conv.Kernel[0]*f.conv.Kernel[1], f.conv.In/f.conv.Groups
			for t := range taps {
				from, to := w[(taps-1-t)*ig*out+g*og:], f.turn[t*og*ig:]
				for i := range ig {
					for o, v := range from[i*out:][:og] {
						to[o*ig+i] = v
					}
				}
			}
			f.pack(p, f.conv.turned(), f.turn, ig)
		default:
			f.pack(p, f.conv, w[g*og:], out)
		}
	}
}

// pack packs the weights w of c, of a group, whose rows are ld apart.
func (f *Filter[T]) pack(p *Packed[T], c Conv, w []T, ld int) {
	if f.beside > 1 {
		ld = c.Out * f.beside
		c.eachBeside(f.beside, func(narrow, wide int) { copy(f.wide[wide:wide+c.Out], w[narrow:]) })
		w = f.wide
	}
	p.Pack(w, ld, false)
}

// Room is the number of elements of room that Apply needs.
func (f *Filter[T]) Room() int {
	if f.scatter {
		return f.s.out[1] * f.s.patchLen
	}
	return f.s.bandLen(f.s.band) + f.s.tileLen() + f.biasLen()
}

// biasLen is the room for the bias of pixels beside each other.
func (f *Filter[T]) biasLen() int {
	if f.beside == 1 {
		return 0
	}
	return f.s.Out
}

// Apply computes dst = f(x) + bias for one image, with bias added to every
// pixel; nil is no bias. What room holds does not matter.
func (f *Filter[T]) Apply(dst, x, bias, room []T) {
	from, to, channels := f.conv.xLen(), f.conv.yLen(), f.conv.Out
	if f.adjoint {
		from, to, channels = to, from, f.conv.In
	}
	same(from, len(x))
	same(to, len(dst))
	if bias != nil {
		same(channels, len(bias))
	}
	if len(room) < f.Room() {
		panic(badLength)
	}
	if f.scatter {
		f.applyScatter(dst, x, bias, room)
		return
	}
	f.applySliding(dst, x, bias, room)
}

func (f *Filter[T]) applySliding(dst, x, bias, room []T) {
	s := &f.s
	width := s.out[1]
	patches := room[s.bandLen(s.band):]
	if f.beside > 1 && bias != nil {
		all := room[s.bandLen(s.band)+s.tileLen():][:s.Out]
		for i := 0; i < len(all); i += len(bias) {
			copy(all[i:], bias)
		}
		bias = all
	}
	for y := 0; y < s.out[0]; y += s.band {
		rows := min(s.band, s.out[0]-y)
		band := bandOf(s, room, x, y, rows)
		for g, p := range f.parts {
			var b []T
			if bias != nil {
				b = bias[g*s.og : (g+1)*s.og]
			}
			for i := 0; i < rows; i += s.tile {
				n := min(s.tile, rows-i)
				a, c := band[i*s.Stride[0]*s.pitch:], dst[(y+i)*width*s.Out+g*s.og:]
				if s.gather {
					gatherPatches(s, patches, a, g, n)
					GemmPacked(n*width, 1, patches, s.patchLen, p, b, 0, c, s.Out)
					continue
				}
				gemmTaps(s, width, a[g*s.ig:], s.Stride[1]*s.In, p, b, c)
			}
		}
	}
}

// gemmTaps computes C = sum_t A_t P_t + bias, where the m rows of A_t start at
// a[taps[t]], stride apart (they may overlap), and P_t is the next depth rows of P.
func gemmTaps[T Float](s *sliding, m int, a []T, stride int, p *Packed[T], bias []T, c []T) {
	fits(len(c), m, p.n, s.Out)
	if len(a) < s.taps[len(s.taps)-1]+(m-1)*stride+s.depth {
		panic(badMatrix)
	}
	var beta T
	for t := 0; t < len(s.taps); t += s.run {
		at, skip := s.taps[t], 0
		if s.run > 1 {
			skip = s.taps[t+1] - at - s.depth
		}
		switch {
		case p.set == setGo:
			for r := range s.run {
				goGemm(false, false, m, p.n, s.depth, 1, a[s.taps[t+r]:], stride, p.data[(t+r)*s.depth*p.n:], p.n, bias, beta, c, s.Out)
				bias, beta = nil, 1
			}
		case s.depth <= maxDepth:
			opA := operandA[T]{data: a[at:], ld: stride, taps: s.run, skip: skip}
			tiledColumns(p.set, m, p.n, t*s.depth, s.depth, 1, opA, operandB[T]{data: p.data, panels: true, k: p.k}, bias, beta, c, s.Out)
		default:
			for q := 0; q < s.depth; q += maxDepth {
				opA := operandA[T]{data: a[at+q:], ld: stride, taps: 1}
				tiledColumns(p.set, m, p.n, t*s.depth+q, min(maxDepth, s.depth-q), 1, opA, operandB[T]{data: p.data, panels: true, k: p.k}, bias, beta, c, s.Out)
				bias, beta = nil, 1
			}
		}
		bias, beta = nil, 1
	}
}

func (f *Filter[T]) applyScatter(dst, x, bias, room []T) {
	s := &f.s
	if bias == nil {
		clear(dst)
	} else {
		for i := 0; i < len(dst); i += len(bias) {
			copy(dst[i:], bias)
		}
	}
	width := s.out[1]
	products := room[:width*s.patchLen]
	row := s.Image[1] * s.In
	for y := range s.out[0] {
		for g, p := range f.parts {
			GemmPacked(width, 1, x[y*width*s.Out+g*s.og:], s.Out, p, nil, 0, products, s.patchLen)
			for r := range s.Kernel[0] {
				i := y*s.Stride[0] - s.Pad[0] + r*s.Dilation[0]
				if i < 0 || i >= s.Image[0] {
					continue
				}
				addTaps(s, dst[i*row:(i+1)*row], products[r*s.Kernel[1]*s.ig:], g)
			}
		}
	}
}

// addTaps adds one row of the window, of every patch of a row of the result, to
// the row of the image where it lies.
func addTaps[T Float](s *sliding, row, products []T, g int) {
	across, step := s.Kernel[1], 1
	if s.depth == s.Kernel[1]*s.ig { // the row of the window is one piece
		across, step = 1, s.Kernel[1]
	}
	for j := range s.out[1] {
		for q := range across {
			at := j*s.Stride[1] - s.Pad[1] + q*s.Dilation[1]
			lo, hi := max(0, -at), min(step, s.Image[1]-at) // pixels inside the image
			if lo >= hi {
				continue
			}
			from := products[j*s.patchLen+q*s.ig:][lo*s.ig : hi*s.ig]
			to := row[(at+lo)*s.In+g*s.ig:][:len(from)]
			for k, v := range from {
				to[k] += v
			}
		}
	}
}

// A ConvSum computes gradients with respect to the weights of a Conv, over any number of
// images: Start, then Add for each, then Finish, all with the same room.
type ConvSum[T Float] struct {
	s      sliding
	conv   Conv // as it was given
	beside int  // pixels of the result that are taken as one
}

// NewConvSum returns a ConvSum for c.
func NewConvSum[T Float](c Conv) *ConvSum[T] {
	wide, r := c.beside(sumCost[T])
	s := newSliding[T](wide)
	if s.direct { // bands are for the caches here too
		s.band = min(max(1, bandBytes/(s.pitch*sizeOf[T]()*s.Stride[0])), s.out[0])
	}
	return &ConvSum[T]{s: s, conv: c, beside: r}
}

// Room is the number of elements of room that is needed.
func (f *ConvSum[T]) Room() int { return f.s.bandLen(f.s.band) + f.wideLen() }

// wideLen is the room for the sums of pixels beside each other.
func (f *ConvSum[T]) wideLen() int {
	if f.beside == 1 {
		return 0
	}
	return f.s.wLen()
}

// sums is where Add adds to.
func (f *ConvSum[T]) sums(dst, room []T) []T {
	same(f.conv.wLen(), len(dst))
	if len(room) < f.Room() {
		panic(badLength)
	}
	if f.beside == 1 {
		return dst
	}
	return room[f.s.bandLen(f.s.band):f.Room()]
}

// Start begins a gradient that is to be added to dst. What room holds does not
// matter.
func (f *ConvSum[T]) Start(dst, room []T) {
	if f.beside > 1 {
		clear(f.sums(dst, room))
	}
}

// Finish completes dst.
func (f *ConvSum[T]) Finish(dst, room []T) {
	if f.beside == 1 {
		return
	}
	sums, n := f.sums(dst, room), f.conv.Out
	f.conv.eachBeside(f.beside, func(narrow, wide int) {
		to := dst[narrow : narrow+n]
		for i, v := range sums[wide:][:n] {
			to[i] += v
		}
	})
}

// Add adds the gradient of <g, y> by the weights, for one image x and g like y.
// dst is incomplete until Finish.
func (f *ConvSum[T]) Add(dst, x, g, room []T) {
	s := &f.s
	dst = f.sums(dst, room)
	same(s.xLen(), len(x))
	same(s.yLen(), len(g))
	width := s.out[1]
	for y := 0; y < s.out[0]; y += s.band {
		rows := min(s.band, s.out[0]-y)
		band := bandOf(s, room, x, y, rows)
		gs := g[y*width*s.Out : (y+rows)*width*s.Out]
		for group := range s.Groups {
			for t, tap := range s.taps {
				gemmT(s.depth, s.og, rows, width, band[tap+group*s.ig:], s.Stride[1]*s.In, s.Stride[0]*s.pitch,
					gs[group*s.og:], s.Out, dst[t*s.depth*s.Out+group*s.og:])
			}
		}
	}
}

// gemmT computes C += A^T B with A [rows k, m], B [rows k, n] and C [m, n]. The
// rows of A start lda apart (they may overlap), and after k of them the next
// start a pitch behind the first; ld is the stride of B and C.
func gemmT[T Float](m, n, rows, k int, a []T, lda, pitch int, b []T, ld int, c []T) {
	fits(len(b), rows*k, n, ld)
	fits(len(c), m, n, ld)
	if len(a) < (rows-1)*pitch+(k-1)*lda+m {
		panic(badMatrix)
	}
	if active == setGo {
		for i := range rows {
			goGemm(true, false, m, n, k, 1, a[i*pitch:], lda, b[i*k*ld:], ld, nil, 1, c, ld)
		}
		return
	}
	set := tilesFor[T](n, rows*k)
	for i := 0; i < rows; i += max(1, maxDepth/k) {
		taps := min(max(1, maxDepth/k), rows-i)
		for q := 0; q < k; q += maxDepth { // more than once only for long rows, one by one
			opA := operandA[T]{data: a[i*pitch+q*lda:], ld: lda, trans: true, taps: taps, skip: pitch - k*lda}
			tiledColumns(set, m, n, i*k+q, min(maxDepth, k-q), 1, opA, operandB[T]{data: b, ld: ld}, nil, 1, c, ld)
		}
	}
}
