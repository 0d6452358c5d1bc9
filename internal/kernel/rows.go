package kernel

import "math"

// Kernels over the rows of a matrix: what calls of the kernels of one row would
// compute, to rounding, in one call.

// rowArgs is what they read; the generator knows its layout. Steps are in bytes.
type rowArgs[T Float] struct {
	vectorArgs[T] // of the first row; sums are numbers that are given
	rows          int
	grow          int // elements that each row has more than the one before
	full          int // elements to fill up to with zeros
	step          [4]int
}

// rowsOf are the arguments for rows that follow each other in all operands.
func rowsOf[T Float](a vectorArgs[T], rows, n, ld int) rowArgs[T] {
	step := ld * sizeOf[T]()
	a.n = n
	return rowArgs[T]{vectorArgs: a, rows: rows, step: [4]int{step, step, step, step}}
}

// SoftmaxRows computes Softmax of the first seen elements of the first of the
// rows [.., n], of grow more of each following one, and zeros behind them. dst
// may be logits.
func SoftmaxRows[T Float](dst, logits []T, n, seen, grow int) {
	same(len(dst), len(logits))
	rows := rowCount(len(dst), n, seen, grow)
	if rows == 0 {
		return
	}
	if active == setGo {
		for i := range rows {
			d := dst[i*n : (i+1)*n]
			k := seen + i*grow
			Softmax(d[:k], logits[i*n:i*n+k])
			clear(d[k:])
		}
		return
	}
	a := rowsOf(args2(dst, logits), rows, seen, n)
	a.grow, a.full = grow, n
	a.coef[0], a.sums[0] = T(math.Inf(-1)), 1
	runVector(opSoftmaxRows, &a.vectorArgs)
}

// SoftmaxBackRows computes SoftmaxBack of the parts of rows that SoftmaxRows
// computes, and zeros behind them. dst may be g, but not p.
func SoftmaxBackRows[T Float](dst, p, g []T, n, seen, grow int) {
	same(len(dst), len(p), len(g))
	rows := rowCount(len(dst), n, seen, grow)
	if rows == 0 {
		return
	}
	if active == setGo {
		for i := range rows {
			d := dst[i*n : (i+1)*n]
			k := seen + i*grow
			SoftmaxBack(d[:k], p[i*n:i*n+k], g[i*n:i*n+k])
			clear(d[k:])
		}
		return
	}
	a := rowsOf(args3(dst, p, g), rows, seen, n)
	a.grow, a.full = grow, n
	runVector(opSoftmaxBackRows, &a.vectorArgs)
}

// rowCount is the number of rows of n elements, of which the first seen and grow
// more in each row must be there.
func rowCount(elements, n, seen, grow int) int {
	if n == 0 {
		same(elements, 0)
		return 0
	}
	rows := elements / n
	same(elements, rows*n)
	if seen < 0 || grow < 0 || rows > 0 && seen+(rows-1)*grow > n {
		panic(badMatrix)
	}
	return rows
}

// StandardiseRows computes Standardise of each of the rows [.., n]. dst may be x.
func StandardiseRows[T Float](dst, x []T, n int, centre bool, eps float64) {
	same(len(dst), len(x))
	rows := rowCount(len(dst), n, n, 0)
	if rows == 0 {
		return
	}
	if active == setGo {
		for i := 0; i < len(dst); i += n {
			Standardise(dst[i:i+n], x[i:i+n], centre, eps)
		}
		return
	}
	a := rowsOf(args2(dst, x), rows, n, n)
	a.sums = standardNumbers(n, centre, eps)
	runVector(opStandardiseRows, &a.vectorArgs)
}

// StandardiseGradRows computes StandardiseGrad of each of the rows [.., n]. dst
// may be x, but not g.
func StandardiseGradRows[T Float](dst, x, g []T, n int, centre bool, eps float64) {
	same(len(dst), len(x), len(g))
	rows := rowCount(len(dst), n, n, 0)
	if rows == 0 {
		return
	}
	if active == setGo {
		for i := 0; i < len(dst); i += n {
			StandardiseGrad(dst[i:i+n], x[i:i+n], g[i:i+n], centre, eps)
		}
		return
	}
	a := rowsOf(args3(dst, x, g), rows, n, n)
	a.sums = standardNumbers(n, centre, eps)
	runVector(opStandardiseGradRows, &a.vectorArgs)
}

// standardNumbers are what the standardisation of rows of n is given.
func standardNumbers(n int, centre bool, eps float64) [4]float64 {
	v := [4]float64{1 / float64(n), eps, 1, 0}
	if centre {
		v[3] = v[0]
	}
	return v
}
