package kernel

import (
	"sync/atomic"
	"unsafe"
)

// scratch is room for the panels of B that a product copies on the way.
type scratch [scratchBytes]byte

// scratchBytes is a panel of maxDepth, in every set and type.
const scratchBytes = 128 << 10

// spare keeps scratch between calls. Unlike a sync.Pool it survives garbage
// collection, so that products do not allocate once each core has done one;
// beyond len(spare) callers at a time they do.
var spare [64]atomic.Pointer[scratch]

func takeScratch() *scratch {
	for i := range spare {
		if s := spare[i].Swap(nil); s != nil {
			return s
		}
	}
	return new(scratch)
}

func (s *scratch) release() {
	for i := range spare {
		if spare[i].CompareAndSwap(nil, s) {
			return
		}
	}
}

// scratchOf is s as elements.
func scratchOf[T Float](s *scratch) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(s)), scratchBytes/sizeOf[T]())
}
