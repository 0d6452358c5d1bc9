package kernel

import (
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns n elements, a copy of x, that end where unreadable memory
// begins: reading one too many is a fault, not merely a wrong value.
func guarded[T Float](t *testing.T, x []T) []T {
	t.Helper()
	page := syscall.Getpagesize()
	size := len(x) * sizeOf[T]()
	pages := (size + page - 1) / page
	all, err := syscall.Mmap(-1, 0, (pages+1)*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(all) })
	if err := syscall.Mprotect(all[pages*page:], syscall.PROT_NONE); err != nil {
		t.Skip(err)
	}
	if len(x) == 0 {
		return nil
	}
	in := unsafe.Slice((*T)(unsafe.Pointer(&all[pages*page-size])), len(x))
	copy(in, x)
	return in
}

func TestNoReadBeyondTheEnd(t *testing.T) {
	underEach(t, func(t *testing.T) {
		testGuarded[float32](t)
		testGuarded[float64](t)
	})
}

func testGuarded[T Float](t *testing.T) {
	for _, n := range []int{0, 1, 3, 7, 8, 13, 16, 31, 33} {
		x := random[T](n)
		for _, c := range vectorCases[T]() {
			s := make([][]T, c.slices)
			for i := range s {
				s[i] = guarded(t, x)
			}
			c.run(s)
		}
		for _, c := range rowCases[T]() {
			const rows = 3
			s := make([][]T, c.operands)
			for i := range s {
				s[i] = guarded(t, random[T](rows*n))
			}
			c.all(guarded(t, random[T](rows*n)), s, n, n, 0)
			if c.grows && n >= rows {
				c.all(guarded(t, random[T](rows*n)), s, n, n-rows, 1)
			}
		}
		for _, k := range []int{1, 5, 12} {
			for _, trans := range []bool{false, true} {
				const m = 5
				a, b, c := guarded(t, random[T](m*k)), guarded(t, random[T](k*n)), guarded(t, random[T](m*n))
				lda, ldb := k, n
				if trans {
					lda, ldb = m, k
				}
				Gemm(trans, trans, m, n, k, 1, a, lda, b, ldb, 1, c, n)
				p := NewPacked[T](k, n)
				p.Pack(b, ldb, trans)
				GemmPacked(m, 1, a, k, p, guarded(t, x), 0, c, n)
			}
		}
	}
}
