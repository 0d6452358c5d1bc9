package kernel

// goGemm is the product in Go: C = alpha (op(A) op(B) + bias) + beta C. A
// stretch of an output row is summed in a local array, in ascending k, and
// then written once. The conversions of products keep the compiler from fusing
// some of them with the sum, which would make results depend on the loop.
func goGemm[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, bias []T, beta T, c []T, ldc int) {
	row, step := lda, 1
	if transA {
		row, step = 1, lda
	}
	var local [128]T
	for j := 0; j < n && m > 0; j += len(local) {
		acc := local[:min(len(local), n-j)]
		for i := range m {
			clear(acc)
			if bias != nil {
				copy(acc, bias[j:])
			}
			switch {
			case k == 0:
			case transB:
				addDots(acc, a[i*row:], step, b[j*ldb:], ldb, k)
			default:
				addRows(acc, a[i*row:], step, b[j:], ldb, k)
			}
			finish(c[i*ldc+j:][:len(acc)], acc, alpha, beta)
		}
	}
}

// addRows computes acc += x B with x of k elements, step apart, and B [k, n].
func addRows[T Float](acc, x []T, step int, b []T, ldb, k int) {
	n, p := len(acc), 0
	for ; p+4 <= k; p += 4 {
		x0, x1, x2, x3 := x[p*step], x[(p+1)*step], x[(p+2)*step], x[(p+3)*step]
		b0, b1, b2, b3 := b[p*ldb:][:n], b[(p+1)*ldb:][:n], b[(p+2)*ldb:][:n], b[(p+3)*ldb:][:n]
		for q, s := range acc {
			s += T(x0 * b0[q])
			s += T(x1 * b1[q])
			s += T(x2 * b2[q])
			s += T(x3 * b3[q])
			acc[q] = s
		}
	}
	for ; p < k; p++ {
		x0, b0 := x[p*step], b[p*ldb:][:n]
		for q := range acc {
			acc[q] += T(x0 * b0[q])
		}
	}
}

// addDots computes acc += x B^T with x of k elements, step apart, and B [n, k].
func addDots[T Float](acc, x []T, step int, b []T, ldb, k int) {
	q := 0
	for ; q+4 <= len(acc); q += 4 {
		b0, b1, b2, b3 := b[q*ldb:][:k], b[(q+1)*ldb:][:k], b[(q+2)*ldb:][:k], b[(q+3)*ldb:][:k]
		s0, s1, s2, s3 := acc[q], acc[q+1], acc[q+2], acc[q+3]
		for p := range b0 {
			v := x[p*step]
			s0 += T(v * b0[p])
			s1 += T(v * b1[p])
			s2 += T(v * b2[p])
			s3 += T(v * b3[p])
		}
		acc[q], acc[q+1], acc[q+2], acc[q+3] = s0, s1, s2, s3
	}
	for ; q < len(acc); q++ {
		for p, y := range b[q*ldb:][:k] {
			acc[q] += T(x[p*step] * y)
		}
	}
}

// finish writes c = alpha acc + beta c, not reading c when beta is 0.
func finish[T Float](c, acc []T, alpha, beta T) {
	if beta == 0 {
		for q, s := range acc {
			c[q] = alpha * s
		}
		return
	}
	for q, s := range acc {
		c[q] = T(alpha*s) + T(beta*c[q])
	}
}
