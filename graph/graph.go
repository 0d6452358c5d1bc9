// Package graph builds expression graphs, differentiates them symbolically and compiles them to programs that run without
// allocating. It is the only package that imports Gorgonia.
//
// A Builder adds nodes; its operations are few and fused (Linear, Act, HalfSquare, CrossEntropy, ...). Each of them is a complete
// gorgonia.SDOp, so that the same graph also runs in Gorgonia's own machines and gives equal numbers. Grad differentiates in reverse
// mode, any number of times and also its own result.
//
// Compile and CompilePlan turn nodes into a Program: a flat list of instructions over preallocated storage that implements
// gorgonia.VM. The compiler puts the instructions into stages, fuses some of them with their operands (operator fusion), packs
// weights once per change, and gives values memory by linear-scan allocation. A stage runs in shards of the batch on a work-sharing
// pool. FusedSteps run several steps of gradient descent on a shard in a wavefront schedule.
//
// It is not a network library: it knows neither layers nor energies nor learning (layers, energy, arch, train), and
// it holds no numerical kernels (internal/kernel).
package graph

import (
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Float is the element type of a compiled program.
type Float = kernel.Float

// Node is a node of the expression graph, Gorgonia's own type.
type Node = gorgonia.Node

// dtypeOf is Gorgonia's element type of T.
func dtypeOf[T Float]() tensor.Dtype {
	var t T
	if _, single := any(t).(float32); single {
		return tensor.Float32
	}
	return tensor.Float64
}

// children lists the operands of n in order, repeated operands included.
func children(n *Node) []*Node {
	if o, fused := n.Op().(*op); fused {
		return o.kids
	}
	checkIndex(n)
	var kids []*Node
	for it := n.Graph().From(n.ID()); it.Next(); {
		kids = append(kids, it.Node().(*Node))
	}
	return kids
}

// constant returns the value of a constant scalar node.
func constant(n *Node) (float64, bool) {
	if n.Op() == nil || n.Op().Arity() != 0 || !n.IsScalar() || n.Value() == nil {
		return 0, false
	}
	switch v := n.Value().Data().(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// constantLike returns the scalar constant v of like's graph and element type.
func constantLike(like *Node, v float64) (*Node, error) {
	var value gorgonia.Value
	switch dt := like.Dtype(); dt {
	case tensor.Float32:
		value = gorgonia.NewF32(float32(v))
	case tensor.Float64:
		value = gorgonia.NewF64(v)
	default:
		return nil, errors.Errorf("graph: %s has element type %v, want float32 or float64", label(like), dt)
	}
	indexAhead(like.Graph())
	return like.Graph().Constant(value), nil
}

// label names n in errors and pictures: its scope and operation, or its name.
func label(n *Node) string {
	if o, fused := n.Op().(*op); fused {
		if o.scope == "" {
			return o.spec.String()
		}
		return o.scope + "/" + o.spec.String()
	}
	return n.Name()
}

// scopeOf is the scope that an input or a fused operation was added in, "block2" for the input "block2/W".
func scopeOf(n *Node) string {
	if o, fused := n.Op().(*op); fused {
		return o.scope
	}
	if n.Op() != nil {
		return ""
	}
	return n.Name()[:max(0, strings.LastIndexByte(n.Name(), '/'))]
}
