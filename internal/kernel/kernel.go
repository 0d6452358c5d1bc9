// Package kernel holds the loops that take the time: matrix products with
// optionally packed operands, activation functions with their first and second
// derivatives, elementwise arithmetic, softmax rows, and optimiser steps, over
// plain slices of float32 or float64.
//
// On amd64 they run in assembly written by the generator in the folder gen, for
// AVX-512 or for AVX2 with FMA, chosen once at start (see Set); elsewhere, and
// as the reference the assembly is tested against, in Go.
//
// The package knows no shapes beyond its arguments, no graph and no goroutines:
// a caller who wants several cores splits rows. That changes no bit of a
// result, since an output row of a product depends on its own inputs alone,
// never on how many rows the call has or in which block of rows it lies.
//
// Conventions. Matrices are row-major; a stride (lda) counts elements between
// rows. The destination comes first. A destination may be exactly one of the
// operands where the function says so, and may otherwise not overlap them.
// Slices of wrong length panic with a constant message. NaN and Inf are never
// skipped. Nothing allocates, except NewPacked.
package kernel

// Float is what every kernel works in.
type Float interface{ float32 | float64 }

const (
	badLength = "kernel: slices have different lengths"
	badMatrix = "kernel: slice too short for its rows, columns and stride"
	badPart   = "kernel: part is not in [0, parts)"
)

// same panics unless all lengths equal n.
func same(n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			panic(badLength)
		}
	}
}

// fits panics unless a slice of length l holds rows x cols elements with the
// given stride.
func fits(l, rows, cols, stride int) {
	if rows < 0 || cols < 0 {
		panic(badMatrix)
	}
	if rows == 0 || cols == 0 {
		return
	}
	if stride < cols || l < (rows-1)*stride+cols {
		panic(badMatrix)
	}
}
