package kernel

// Gemm computes
//
//	C = alpha op(A) op(B) + beta C,  op(A) [m, k], op(B) [k, n], C [m, n]
//
// where op(A) is A, or with transA the transpose of A [k, m]; the same for B,
// which is [n, k] with transB. With beta 0, C is written and never read. C
// overlaps neither A nor B.
//
// Every element is a sum over k in ascending order in one chain of
// multiply-adds, whichever tile computes it. So a row of C has the same bits
// alone, in any block of rows, and as a product with a Packed B.
func Gemm[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	if transA {
		fits(len(a), k, m, lda)
	} else {
		fits(len(a), m, k, lda)
	}
	if transB {
		fits(len(b), n, k, ldb)
	} else {
		fits(len(b), k, n, ldb)
	}
	fits(len(c), m, n, ldc)
	if m == 0 || n == 0 {
		return
	}
	switch {
	case active == setGo || k == 0:
		goGemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, nil, beta, c, ldc)
	case transB || m >= manyRows && !InPlace[T](ldb):
		tiledGemmCopy(tilesFor[T](n, k), transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	default:
		tiledGemm(tilesFor[T](n, k), transA, m, n, k, alpha, a, lda, operandB[T]{data: b, ld: ldb}, nil, beta, c, ldc)
	}
}

// GemmBias computes
//
//	C = alpha (A B + bias) + beta C,  A [m, k], B [k, n], bias [n], C [m, n]
//
// with the bias added to every row; nil is no bias. It is GemmPacked with B in
// place, as fast where InPlace says so.
func GemmBias[T Float](m, n, k int, alpha T, a []T, lda int, b []T, ldb int, bias []T, beta T, c []T, ldc int) {
	fits(len(a), m, k, lda)
	fits(len(b), k, n, ldb)
	fits(len(c), m, n, ldc)
	if bias != nil {
		same(n, len(bias))
	}
	switch {
	case m == 0 || n == 0:
	case active == setGo || k == 0:
		goGemm(false, false, m, n, k, alpha, a, lda, b, ldb, bias, beta, c, ldc)
	default:
		tiledGemm(tilesFor[T](n, k), false, m, n, k, alpha, a, lda, operandB[T]{data: b, ld: ldb}, bias, beta, c, ldc)
	}
}

// InPlace reports whether rows of B [k, ldb] lie well in the caches as they are, so
// that packing does not pay.
func InPlace[T Float](ldb int) bool { return ldb*sizeOf[T]()%badStride != 0 }

// Rows of B at a multiple of badStride bytes compete for the same few places in
// the caches; copying B pays if manyRows or more use it.
const (
	badStride = 2048
	manyRows  = 64
)
