package kernel

import "unsafe"

// sizeOf is the bytes of an element.
func sizeOf[T Float]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

// raw is the memory of x as bytes.
func raw[T Float](x []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*sizeOf[T]())
}

// aligned returns n zeros that start at a cache line: vectors read across two
// lines cost twice as much.
func aligned[T Float](n int) []T {
	const line = 64
	size := sizeOf[T]()
	x := make([]T, n+line/size-1)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(x)))%line) / size
	return x[off : off+n : off+n]
}
