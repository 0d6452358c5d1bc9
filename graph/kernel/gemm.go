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
	case transB || m >= manyRows && ldb*sizeOf[T]()%badStride == 0:
		tiledGemmCopy(active, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
	default:
		tiledGemm(active, transA, m, n, k, alpha, a, lda, operandB[T]{data: b, ld: ldb}, nil, beta, c, ldc)
	}
}

// Rows of B at a multiple of badStride bytes compete for the same few places in
// the caches; copying B pays if manyRows or more use it.
const (
	badStride = 2048
	manyRows  = 64
)
