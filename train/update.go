package train

import (
	"fmt"
	"sync/atomic"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/optim"
)

// updatePiece is how many weights one core moves at a time.
const updatePiece = 1 << 14

// An Update moves the weights by an optimiser, on all cores if the optimiser can, with the same bits on any number.
type Update[T graph.Float] struct {
	Optimizer optim.Optimizer[T]

	w, grad  []T
	pieces   optim.Piecewise[T]
	bad      atomic.Bool
	look, at func(worker, piece int)
}

// Finite says whether every element of grad is finite.
func (u *Update[T]) Finite(grad []T) bool {
	u.grad = grad
	if u.look == nil {
		u.look = func(_, piece int) {
			if lo, hi := u.piece(piece); !kernel.AllFinite(u.grad[lo:hi]) {
				u.bad.Store(true)
			}
		}
	}
	u.bad.Store(false)
	graph.OnCores((len(grad)+updatePiece-1)/updatePiece, u.look)
	return !u.bad.Load()
}

// Step moves w and says so to the models that were compiled over it.
//
// It panics, and names both lengths, when grad is not as long as the weights, and without an Optimizer.
func (u *Update[T]) Step(w *graph.Vector[T], grad []T) {
	if u.Optimizer == nil {
		panic("train: Update.Step without an Optimizer")
	}
	if n := len(w.Data()); n != len(grad) {
		panic(fmt.Sprintf("train: Update.Step: a gradient of %d numbers for %d weights", len(grad), n))
	}
	defer w.Touch()
	p, ok := u.Optimizer.(optim.Piecewise[T])
	if !ok {
		u.Optimizer.Step(w.Data(), grad)
		return
	}
	u.w, u.grad, u.pieces = w.Data(), grad, p
	if u.at == nil {
		u.at = func(_, piece int) {
			lo, hi := u.piece(piece)
			u.pieces.Piece(u.w, u.grad, lo, hi)
		}
	}
	p.Begin(u.w, grad)
	graph.OnCores((len(grad)+updatePiece-1)/updatePiece, u.at)
}

// piece is the range of a piece.
func (u *Update[T]) piece(i int) (lo, hi int) {
	return i * updatePiece, min(len(u.grad), (i+1)*updatePiece)
}
