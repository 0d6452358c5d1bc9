package kernel

import "bytes"

// Fill sets every element of dst to v.
func Fill[T Float](dst []T, v T) {
	if active == setGo {
		goFill(dst, v)
		return
	}
	a := args1(dst)
	a.coef[0] = v
	runVector(opFill, &a)
}

// Scale computes dst = c x. dst may be x.
func Scale[T Float](dst, x []T, c T) {
	same(len(dst), len(x))
	if active == setGo {
		goScale(dst, x, c)
		return
	}
	a := args2(dst, x)
	a.coef[0] = c
	runVector(opScale, &a)
}

// Add computes dst = x + y. dst may be x or y.
func Add[T Float](dst, x, y []T) {
	same(len(dst), len(x), len(y))
	if active == setGo {
		goAdd(dst, x, y)
		return
	}
	a := args3(dst, x, y)
	runVector(opAdd, &a)
}

// Sub computes dst = x - y. dst may be x or y.
func Sub[T Float](dst, x, y []T) {
	same(len(dst), len(x), len(y))
	if active == setGo {
		goSub(dst, x, y)
		return
	}
	a := args3(dst, x, y)
	runVector(opSub, &a)
}

// Mul computes dst = x y, elementwise. dst may be x or y.
func Mul[T Float](dst, x, y []T) {
	same(len(dst), len(x), len(y))
	if active == setGo {
		goMul(dst, x, y)
		return
	}
	a := args3(dst, x, y)
	runVector(opMul, &a)
}

// Axpby computes dst = a x + b y. dst may be x or y.
func Axpby[T Float](dst []T, a T, x []T, b T, y []T) {
	same(len(dst), len(x), len(y))
	if active == setGo {
		goAxpby(dst, a, x, b, y)
		return
	}
	v := args3(dst, x, y)
	v.coef[0], v.coef[1] = a, b
	runVector(opAxpby, &v)
}

// shift computes dst = (x - a) - b. dst may be x.
func shift[T Float](dst, x []T, a, b T) {
	if active == setGo {
		goShift(dst, x, a, b)
		return
	}
	v := args2(dst, x)
	v.coef[0], v.coef[1] = a, b
	runVector(opShift, &v)
}

// AddRow adds row [n] to each of the m rows of dst [m, n].
func AddRow[T Float](dst []T, row []T, m, n int) {
	same(n, len(row))
	same(m*n, len(dst))
	for i := range m {
		d := dst[i*n : (i+1)*n]
		Add(d, d, row)
	}
}

// CopyIfChanged sets dst = src and reports whether any bit differed, so NaN
// equals itself and -0 differs from 0.
func CopyIfChanged[T Float](dst, src []T) bool {
	same(len(dst), len(src))
	if bytes.Equal(raw(dst), raw(src)) {
		return false
	}
	copy(dst, src)
	return true
}
