package kernel

import "unsafe"

//go:generate go run ./gen -to .

// runGemm calls the micro-kernel of the set and type.
func runGemm[T Float](s kernelSet, args *gemmArgs[T]) {
	p := (*byte)(unsafe.Pointer(args))
	switch {
	case sizeOf[T]() == 4 && s == setAVX512:
		gemmF32AVX512(p)
	case sizeOf[T]() == 4:
		gemmF32AVX2(p)
	case s == setAVX512:
		gemmF64AVX512(p)
	default:
		gemmF64AVX2(p)
	}
}

// runTurn calls the transposing copy of the type, which is the same in all sets.
func runTurn[T Float](args *turnArgs) {
	if sizeOf[T]() == 4 {
		turnF32AVX2((*byte)(unsafe.Pointer(args)))
		return
	}
	turnF64AVX2((*byte)(unsafe.Pointer(args)))
}

// runCopy calls the copy into panels of the set; to it, all types are bytes.
func runCopy(s kernelSet, args *turnArgs) {
	if s == setAVX512 {
		copyF32AVX512((*byte)(unsafe.Pointer(args)))
		return
	}
	copyF32AVX2((*byte)(unsafe.Pointer(args)))
}

// runPeak does turns of peakSums vectors of multiply-adds in registers and
// returns how many elements a vector has.
func runPeak[T Float](s kernelSet, turns int) (lanes int) {
	p := (*byte)(unsafe.Pointer(&turns))
	switch {
	case sizeOf[T]() == 4 && s == setAVX512:
		peakF32AVX512(p)
	case sizeOf[T]() == 4:
		peakF32AVX2(p)
	case s == setAVX512:
		peakF64AVX512(p)
	default:
		peakF64AVX2(p)
	}
	return tileOf[T](s).lanes
}

// runVector calls the kernel o of the set in use and the type.
func runVector[T Float](o vectorOp, args *vectorArgs[T]) { runVectorOf(active, o, args) }

// runVectorOf calls that of a set.
func runVectorOf[T Float](s kernelSet, o vectorOp, args *vectorArgs[T]) {
	p := (*byte)(unsafe.Pointer(args))
	switch {
	case sizeOf[T]() == 4 && s == setAVX512:
		vectorF32AVX512(o, p)
	case sizeOf[T]() == 4:
		vectorF32AVX2(o, p)
	case s == setAVX512:
		vectorF64AVX512(o, p)
	default:
		vectorF64AVX2(o, p)
	}
}
