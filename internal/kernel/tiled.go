package kernel

import "unsafe"

// The product in assembly. An output is cut into tiles of a few rows by two
// vectors of columns, each one call of the micro-kernel, which keeps the tile's
// sums in registers for the whole depth k. A is read in place, transposed or
// not; B is read in place or in panels, a panel being the columns of one tile,
// contiguous in the order of use.

// gemmArgs is what a micro-kernel reads; the generator knows its layout.
// Strides are in bytes.
type gemmArgs[T Float] struct {
	a, b, c, bias unsafe.Pointer
	rowA, stepA   int // from row to row of op(A), from k to k+1
	stepB         int // from k to k+1
	rowC          int
	k             int // of a tap
	variant       int // rows and kind of column edge, see tileShape.variant
	last          int // columns in the last vector of the tile
	readC         int // 0 when beta is
	tiles         int // of whole width, one after the other to the right
	nextB, nextC  int // from one to the next
	ahead         int // from B to what is fetched into the second cache meanwhile
	taps, skip    int // pieces of the depth, and the step in A from the end of one to the next
	alpha, beta   T
}

// turnArgs is what the copies into panels read; the generator knows its layout.
type turnArgs struct {
	src, dst unsafe.Pointer
	step     int    // bytes between rows: of dst when transposing, else of src
	count    int    // square tiles, or rows
	row      [8]int // offset of each row of a tile in src, bytes
}

const (
	maxDepth  = 1024     // larger k is summed in pieces of so many, through C
	cacheB    = 24 << 10 // bytes of B that stay in the first cache beside A
	turnBytes = 32       // side of a tile of the transposing copy
)

// tileShape is the micro-kernel's tile in elements.
type tileShape struct{ rows, cols, lanes int }

func tileOf[T Float](s kernelSet) tileShape {
	if s == setAVX512 {
		lanes := 64 / sizeOf[T]()
		return tileShape{8, 2 * lanes, lanes}
	}
	lanes := 32 / sizeOf[T]()
	return tileShape{6, 2 * lanes, lanes}
}

// tilesFor is the set whose tiles a product of n columns and depth k is cut into:
// the one in use, but with AVX-512 one vector or less is done by AVX2 as two. A
// multiply-add for every number of A that is read is fewer than what the core can
// do (on Zen 4, 77 GFLOP/s become 102 with 16 columns), unless there are so few
// that larger tiles matter more. The order of summation is the same.
func tilesFor[T Float](n, k int) kernelSet {
	const shallow = 48
	if active == setAVX512 && n <= tileOf[T](setAVX512).lanes && k >= shallow {
		return setAVX2
	}
	return active
}

// variant numbers the micro-kernel for a tile and says how many columns its
// last vector has.
func (t tileShape) variant(rows, cols int) (variant, last int) {
	switch {
	case cols == t.cols:
		return rows - 1, t.lanes
	case cols > t.lanes:
		return t.rows + rows - 1, cols - t.lanes
	}
	return 2*t.rows + rows - 1, cols
}

// panel returns the width in elements that the panel holding column j has in
// packed form: the last one is cut to whole vectors.
func (t tileShape) panel(j, n int) int {
	rest := n - j
	return min(t.cols, (rest+t.lanes-1)/t.lanes*t.lanes)
}

// operandB is where the micro-kernel finds op(B): in place, or in panels.
type operandB[T Float] struct {
	data   []T
	ld     int  // stride in place
	panels bool // data holds panels of depth k, one after another
	k      int
}

func (b operandB[T]) at(t tileShape, p, j, n int) (first unsafe.Pointer, step int) {
	if !b.panels {
		return unsafe.Pointer(&b.data[p*b.ld+j]), b.ld * sizeOf[T]()
	}
	width := t.panel(j, n)
	return unsafe.Pointer(&b.data[j*b.k+p*width]), width * sizeOf[T]()
}

// operandA is where the micro-kernel finds op(A), in place.
type operandA[T Float] struct {
	data  []T
	ld    int
	trans bool
	// The depth may come in taps, pieces of equal length that do not follow each
	// other; skip is the step from the end of one to the next. One tap is all of it.
	taps, skip int
}

// from is a from column p of op(A) on.
func (a operandA[T]) from(p int) operandA[T] {
	if a.trans {
		p *= a.ld
	}
	a.data = a.data[p:]
	return a
}

// tiledGemm is Gemm and GemmPacked in assembly; m, n, k > 0.
func tiledGemm[T Float](s kernelSet, transA bool, m, n, k int, alpha T, a []T, lda int, b operandB[T], bias []T, beta T, c []T, ldc int) {
	opA := operandA[T]{data: a, ld: lda, trans: transA, taps: 1}
	for p := 0; p < k; p += maxDepth {
		tiledColumns(s, m, n, p, min(maxDepth, k-p), alpha, opA.from(p), b, bias, beta, c, ldc)
		bias, beta = nil, 1
	}
}

// tiledColumns adds the depths of B from p on, of which each tap of A has so
// many. A few panels at a time stay in cache while all rows pass.
func tiledColumns[T Float](s kernelSet, m, n, p, depth int, alpha T, a operandA[T], b operandB[T], bias []T, beta T, c []T, ldc int) {
	t, size := tileOf[T](s), sizeOf[T]()
	args := gemmArgs[T]{rowA: a.ld * size, stepA: size, rowC: ldc * size, k: depth, taps: a.taps, skip: a.skip * size, alpha: alpha, beta: beta}
	if a.trans {
		args.rowA, args.stepA = args.stepA, args.rowA
	}
	args.nextB, args.nextC = t.cols*size, t.cols*size
	if b.panels {
		args.nextB *= b.k
		args.ahead = args.nextB
	}
	if beta != 0 {
		args.readC = 1
	}
	firstA := unsafe.Pointer(unsafe.SliceData(a.data))
	width := max(1, cacheB/(depth*a.taps*t.cols*size)) * t.cols
	blocks := (m + t.rows - 1) / t.rows
	for left := 0; left < n; left += width {
		right := min(n, left+width)
		for block := range blocks {
			i, next := m*block/blocks, m*(block+1)/blocks
			args.a = unsafe.Add(firstA, i*args.rowA)
			for j := left; j < right; {
				args.tiles = max(1, (right-j)/t.cols)
				cols := min(args.tiles*t.cols, n-j)
				args.b, args.stepB = b.at(t, p, j, n)
				args.variant, args.last = t.variant(next-i, min(t.cols, n-j))
				args.c = unsafe.Pointer(&c[i*ldc+j])
				if bias != nil {
					args.bias = unsafe.Pointer(&bias[j])
				}
				runGemm(s, &args)
				j += cols
			}
		}
	}
}

// tiledGemmCopy is Gemm in assembly where B is copied into panels on the way,
// because it is to be transposed, or because its stride is bad for the caches.
func tiledGemmCopy[T Float](s kernelSet, transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	scratch := takeScratch()
	defer scratch.release()
	room := scratchOf[T](scratch)
	t := tileOf[T](s)
	for p := 0; p < k; p += maxDepth {
		depth := min(maxDepth, k-p)
		width := max(1, cacheB/(depth*t.cols*sizeOf[T]())) * t.cols
		firstA := p
		if transA {
			firstA = p * lda
		}
		for j := 0; j < n; j += width {
			cols := min(width, n-j)
			firstB := p*ldb + j
			if transB {
				firstB = j*ldb + p
			}
			for q := 0; q < cols; q += t.cols {
				packPanel(s, room[q*depth:], b[firstB:], ldb, transB, q, depth, cols)
			}
			packed := operandB[T]{data: room, panels: true, k: depth}
			tiledGemm(s, transA, m, cols, depth, alpha, a[firstA:], lda, packed, nil, beta, c[j:], ldc)
		}
		beta = 1
	}
}

// packPanel copies the panel that starts at column j of op(B) [k, n] to dst.
func packPanel[T Float](s kernelSet, dst, b []T, ldb int, trans bool, j, k, n int) {
	t := tileOf[T](s)
	width, cols := t.panel(j, n), min(t.cols, n-j)
	if !trans {
		copyPanel(s, dst, b[j:], ldb, k, width, cols)
		return
	}
	side := turnBytes / sizeOf[T]()
	if k < side {
		for q := range cols {
			for p, v := range b[(j+q)*ldb:][:k] {
				dst[p*width+q] = v
			}
		}
		return
	}
	args := turnArgs{step: width * sizeOf[T]()}
	for q := 0; q < cols; q += side {
		for i := range side {
			args.row[i] = min(i, cols-q-1) * ldb * sizeOf[T]()
		}
		src := b[(j+q)*ldb:]
		args.src, args.dst, args.count = unsafe.Pointer(&src[0]), unsafe.Pointer(&dst[q]), k/side
		runTurn[T](&args)
		if k%side != 0 { // the last tile overlaps the one before
			p := k - side
			args.src, args.dst, args.count = unsafe.Pointer(&src[p]), unsafe.Pointer(&dst[p*width+q]), 1
			runTurn[T](&args)
		}
	}
}

// copyPanel copies k rows of cols elements to rows of width.
func copyPanel[T Float](s kernelSet, dst, b []T, ldb, k, width, cols int) {
	if cols == tileOf[T](s).cols {
		runCopy(s, &turnArgs{
			src: unsafe.Pointer(&b[0]), dst: unsafe.Pointer(&dst[0]),
			step: ldb * sizeOf[T](), count: k,
		})
		return
	}
	for p := range k {
		copy(dst[p*width:][:cols], b[p*ldb:])
	}
}
