package kernel

// Packed is the right operand op(B) [k, n] of a product, laid out for the
// micro-kernel: packed once, used in many products.
type Packed[T Float] struct {
	k, n int
	set  kernelSet // whose micro-kernel the layout is for
	data []T       // panels for a tile's columns, or in Go [k, n] as it is
}

// NewPacked returns a Packed of zeros with room for [k, n].
func NewPacked[T Float](k, n int) *Packed[T] {
	if k < 0 || n < 0 {
		panic(badMatrix)
	}
	p := &Packed[T]{k: k, n: n, set: tilesFor[T](n, k)}
	columns := n
	if p.set != setGo {
		lanes := tileOf[T](p.set).lanes
		columns = (n + lanes - 1) / lanes * lanes
	}
	p.data = aligned[T](k * columns)
	return p
}

// Dims returns the shape [k, n] of the packed operand.
func (p *Packed[T]) Dims() (k, n int) { return p.k, p.n }

// Bytes is the memory that p holds.
func (p *Packed[T]) Bytes() int { return len(p.data) * sizeOf[T]() }

// Pack copies B [k, n] into p; with trans B is [n, k] and its transpose is
// packed. p does not refer to b afterwards.
func (p *Packed[T]) Pack(b []T, ldb int, trans bool) { p.PackPart(b, ldb, trans, 0, 1) }

// PackPart does one of parts disjoint pieces of Pack; the pieces may run
// concurrently.
func (p *Packed[T]) PackPart(b []T, ldb int, trans bool, part, parts int) {
	if part < 0 || part >= parts {
		panic(badPart)
	}
	if trans {
		fits(len(b), p.n, p.k, ldb)
	} else {
		fits(len(b), p.k, p.n, ldb)
	}
	if p.k == 0 || p.n == 0 {
		return
	}
	if p.set == setGo {
		goPack(p.data, b, ldb, trans, p.n, p.k*part/parts, p.k*(part+1)/parts)
		return
	}
	cols := tileOf[T](p.set).cols
	panels := (p.n + cols - 1) / cols
	for i := panels * part / parts; i < panels*(part+1)/parts; i++ {
		packPanel(p.set, p.data[i*cols*p.k:], b, ldb, trans, i*cols, p.k, p.n)
	}
}

// goPack copies the rows [lo, hi) of op(B) [.., n].
func goPack[T Float](dst, b []T, ldb int, trans bool, n, lo, hi int) {
	for i := lo; i < hi; i++ {
		row := dst[i*n : (i+1)*n]
		if !trans {
			copy(row, b[i*ldb:])
			continue
		}
		for j := range row {
			row[j] = b[j*ldb+i]
		}
	}
}

// GemmPacked computes
//
//	C = alpha (A P + bias) + beta C,  A [m, k], P [k, n], bias [n], C [m, n]
//
// with the bias added to every row; nil is no bias. With beta 0, C is written
// and never read. The rules of Gemm on order of summation hold here too.
func GemmPacked[T Float](m int, alpha T, a []T, lda int, p *Packed[T], bias []T, beta T, c []T, ldc int) {
	fits(len(a), m, p.k, lda)
	fits(len(c), m, p.n, ldc)
	if bias != nil {
		same(p.n, len(bias))
	}
	if m == 0 || p.n == 0 {
		return
	}
	if p.set == setGo || p.k == 0 {
		goGemm(false, false, m, p.n, p.k, alpha, a, lda, p.data, p.n, bias, beta, c, ldc)
		return
	}
	b := operandB[T]{data: p.data, panels: true, k: p.k}
	tiledGemm(p.set, false, m, p.n, p.k, alpha, a, lda, b, bias, beta, c, ldc)
}
