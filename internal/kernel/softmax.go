package kernel

import "math"

// LogSoftmaxNLL returns the cross-entropy of one row,
//
//	-sum_k y_k log softmax(logits)_k
//
// The largest logit is subtracted first, so logits of any finite size are safe.
func LogSoftmaxNLL[T Float](y, logits []T) float64 {
	same(len(y), len(logits))
	mass, weight, dot := nll(y, logits, maximum(logits))
	return weight*math.Log(mass) - dot
}

// SoftmaxGrad computes for one row the gradient of c LogSoftmaxNLL with respect
// to the logits,
//
//	dst = c (sum(y) softmax(logits) - y)
//
// dst may be logits, but not y.
func SoftmaxGrad[T Float](dst, y, logits []T, c T) {
	same(len(dst), len(y), len(logits))
	top := maximum(logits)
	var mass, weight float64
	if active == setGo {
		mass, weight = goSoftmax(dst, y, logits, top)
	} else {
		a := args3(dst, logits, y)
		a.coef[0] = top
		runVector(opSoftmax, &a)
		mass, weight = a.sums[0], a.sums[1]
	}
	Axpby(dst, T(float64(c)*weight/mass), dst, -c, y)
}

// LogSoftmax computes dst = logits - log sum_k exp(logits_k) of one row. dst
// may be logits.
func LogSoftmax[T Float](dst, logits []T) {
	same(len(dst), len(logits))
	top := maximum(logits)
	mass, _, _ := nll(logits, logits, top)
	shift(dst, logits, top, T(math.Log(mass)))
}

// Softmax computes dst = exp(logits) / sum_k exp(logits_k) of one row, with the
// largest logit subtracted first. dst may be logits.
func Softmax[T Float](dst, logits []T) {
	same(len(dst), len(logits))
	top := maximum(logits)
	var mass float64
	if active == setGo {
		mass, _ = goSoftmax(dst, logits, logits, top)
	} else {
		a := args3(dst, logits, logits) // the sum of the last is of no use here
		a.coef[0] = top
		runVector(opSoftmax, &a)
		mass = a.sums[0]
	}
	Scale(dst, dst, T(1/mass))
}

// SoftmaxBack computes dst = p (g - p . g), elementwise, of one row: the
// gradient with respect to the logits whose softmax is p, from the gradient g with respect to p. dst may
// be g, but not p.
func SoftmaxBack[T Float](dst, p, g []T) {
	same(len(dst), len(p), len(g))
	shift(dst, g, T(Dot(p, g)), 0)
	Mul(dst, dst, p)
}

// nll returns the sums over k of exp(d), y and y d, with d = logits - top.
func nll[T Float](y, logits []T, top T) (mass, weight, dot float64) {
	if active == setGo {
		return goNLL(y, logits, top)
	}
	a := args2(logits, y)
	a.coef[0] = top
	runVector(opNll, &a)
	return a.sums[0], a.sums[1], a.sums[2]
}

// maximum is the largest element, -Inf of none. NaN may be lost: what follows
// finds it again.
func maximum[T Float](x []T) T {
	if active == setGo {
		return goMaximum(x)
	}
	a := args1(x)
	a.coef[0] = T(math.Inf(-1))
	runVector(opMaximum, &a)
	return a.first()
}
