package arch

import (
	"fmt"
	"unsafe"

	"github.com/pcgraph/pcgraph/graph"
)

// enter marks the model as used by a call until leave. Public methods call it, and call no other public method of the same
// model that does.
func (m *Model[T]) enter(method string) {
	m.there(method)
	if !m.busy.CompareAndSwap(false, true) {
		panic("arch: Model." + method + ": another call of the same Model has not returned: a Model is used by one goroutine at a time. Compile one per goroutine over the same weights, or guard it with a sync.Mutex")
	}
}

// leave ends what enter began.
func (m *Model[T]) leave() { m.busy.Store(false) }

// there panics on a nil Model.
func (m *Model[T]) there(method string) {
	if m == nil {
		panic("arch: Model." + method + " of a nil Model: look at the error that Compile returned with it")
	}
}

// sized panics if a slice has not the length of what it goes with.
func sized(method, name string, got, want int, of string) {
	if got != want {
		panic(fmt.Sprintf("arch: %s: %s has %d numbers: want %d, as many as %s", method, name, got, want, of))
	}
}

// stateSized is sized for slices as long as State.
func (m *Model[T]) stateSized(method, name string, xs []T) {
	sized(method, name, len(xs), len(m.state.Data()), "State")
}

// apart panics if two slices share memory.
func apart[T graph.Float](method, name string, xs []T, other string, ys []T) {
	if len(xs) == 0 || len(ys) == 0 {
		return
	}
	x, y := uintptr(unsafe.Pointer(&xs[0])), uintptr(unsafe.Pointer(&ys[0]))
	size := unsafe.Sizeof(xs[0])
	if x < y+size*uintptr(len(ys)) && y < x+size*uintptr(len(xs)) {
		panic("arch: " + method + ": " + name + " shares memory with " + other + ", which it would overwrite: give it memory of its own")
	}
}
