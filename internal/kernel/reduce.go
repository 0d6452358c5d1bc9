package kernel

import (
	"math"
	"slices"
)

// The sums below are formed in float64 also for float32 slices, in an order
// that depends on the length and the kernel set alone, not on where the slice
// lies in memory.

// Dot returns sum_i x_i y_i.
func Dot[T Float](x, y []T) float64 {
	same(len(x), len(y))
	if active == setGo {
		return goDot(x, y)
	}
	a := args2(x, y)
	runVector(opDot, &a)
	return a.sums[0]
}

// SumSquares returns sum_i x_i^2.
func SumSquares[T Float](x []T) float64 { return Dot(x, x) }

// Sum returns sum_i x_i.
func Sum[T Float](x []T) float64 {
	if active == setGo {
		return goSum(x)
	}
	a := args1(x)
	runVector(opSum, &a)
	return a.sums[0]
}

// MaxAbs returns max_i |x_i|, NaN if any element is, and 0 for none.
func MaxAbs[T Float](x []T) float64 {
	if active == setGo {
		return float64(goMaxAbs(x))
	}
	a := args1(x)
	runVector(opMaxAbs, &a)
	return float64(a.first())
}

// SubSquares computes dst = x - y in one pass and returns the sum of squares of
// dst, and whether every element of dst is 0 or -0. dst may be x or y.
func SubSquares[T Float](dst, x, y []T) (ss float64, zero bool) {
	same(len(dst), len(x), len(y))
	if active == setGo {
		ss = goSubSquares(dst, x, y)
	} else {
		a := args3(dst, x, y)
		runVector(opSubSquares, &a)
		ss = a.sums[0]
	}
	// The square of a float32 does not underflow in float64; that of a float64 may.
	return ss, ss == 0 && (sizeOf[T]() == 4 || AllZero(dst))
}

// AllZero reports whether every element is 0 or -0. It stops soon after an
// element that is not.
func AllZero[T Float](x []T) bool {
	const piece = 256
	for ; len(x) > piece; x = x[piece:] {
		if MaxAbs(x[:piece]) != 0 {
			return false
		}
	}
	return MaxAbs(x) == 0
}

// AllFinite reports whether no element is NaN or infinite.
func AllFinite[T Float](x []T) bool { return MaxAbs(x) <= math.MaxFloat64 }

// FirstNonFinite returns the index of the first NaN or infinity, -1 if there is
// none.
func FirstNonFinite[T Float](x []T) int {
	if AllFinite(x) {
		return -1
	}
	return slices.IndexFunc(x, func(v T) bool { return v-v != 0 })
}

// ColSums computes dst[j] = alpha sum_i a[i,j] + beta dst[j] for a [m, n]. Each
// column is summed in T, downwards. With beta 0, dst is not read.
func ColSums[T Float](dst []T, a []T, m, n int, alpha, beta T) {
	same(n, len(dst))
	same(m*n, len(a))
	if n == 0 {
		return
	}
	one := [1]T{1} // the row of ones in ones A, with stride 0
	if active == setGo || m == 0 {
		goGemm(true, false, 1, n, m, alpha, one[:], 0, a, n, nil, beta, dst, n)
		return
	}
	tiledGemm(active, true, 1, n, m, alpha, one[:], 0, operandB[T]{data: a, ld: n}, nil, beta, dst, n)
}
