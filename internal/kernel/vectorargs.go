package kernel

import "unsafe"

// vectorArgs is what the kernels over plain slices read; the generator knows
// its layout. Slot 0 is the destination, if there is one.
type vectorArgs[T Float] struct {
	slot [5]unsafe.Pointer
	n    int
	sums [4]float64
	coef [9]T
}

func args1[T Float](x []T) vectorArgs[T] {
	return vectorArgs[T]{n: len(x), slot: [5]unsafe.Pointer{pointer(x)}}
}

func args2[T Float](x, y []T) vectorArgs[T] {
	return vectorArgs[T]{n: len(x), slot: [5]unsafe.Pointer{pointer(x), pointer(y)}}
}

func args3[T Float](x, y, z []T) vectorArgs[T] {
	return vectorArgs[T]{n: len(x), slot: [5]unsafe.Pointer{pointer(x), pointer(y), pointer(z)}}
}

func args4[T Float](x, y, z, w []T) vectorArgs[T] {
	return vectorArgs[T]{n: len(x), slot: [5]unsafe.Pointer{pointer(x), pointer(y), pointer(z), pointer(w)}}
}

func pointer[T Float](x []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// first is the result of a kernel whose result is an element.
func (a *vectorArgs[T]) first() T { return *(*T)(unsafe.Pointer(&a.sums[0])) }
