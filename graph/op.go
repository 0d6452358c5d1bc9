package graph

import (
	"fmt"
	"hash"
	"hash/fnv"
	"slices"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A spec describes a fused operation: one type per operation, in one file with its Builder method, its derivative and its kernel. An op
// makes a gorgonia.Op of it. Further abilities are the optional methods of roomy, costly, formulaic, commutative and compiled.
type spec interface {
	// String names the operation with every parameter: two specs that print alike are the same operation.
	String() string
	// shape checks the operands' shapes and gives the result's.
	shape(in []tensor.Shape) (tensor.Shape, error)
	// split is how the work may be divided, given which operands carry the batch in their leading dimension.
	split(batched []bool) split
	// diff adds the gradients of the wanted operands to the graph: vector-Jacobian products of the gradient g of the result.
	diff(in []*Node, out, g *Node, want []bool) ([]*Node, error)
	// f32 and f64 compute; both call the one generic kernel of the operation.
	f32(c *call[float32])
	f64(c *call[float64])
}

// A roomy operation needs scratch memory.
type roomy interface {
	// room is the number of elements that one call needs at a time.
	room(in []tensor.Shape) int
}

// roomOf is the room of any operation.
func roomOf(s spec, in []tensor.Shape) int {
	if r, ok := s.(roomy); ok {
		return r.room(in)
	}
	return 0
}

// A costly operation takes far more floating-point operations than its result has elements.
type costly interface {
	work(in []tensor.Shape) float64
}

// A formulaic operation is drawn as a formula of its operands a, b, c; any other by its String.
type formulaic interface{ formula() string }

// A commutative operation may report that its operands can be exchanged, so that pictures need not tell them apart.
type commutative interface{ symmetric() bool }

// A compiled operation changes its instruction after the compiler has made it from the methods of spec: it gives the work and the
// rows that may be divided, packs weights, or is fused with an operand. Both methods call one generic function, as f32 and f64 do.
type compiled interface {
	compile32(c *compiler[float32], ins *instr[float32], n *Node)
	compile64(c *compiler[float64], ins *instr[float64], n *Node)
}

// A split is how an operation may be divided.
type split uint8

const (
	joint   split = iota // needs all rows of its operands; rows of the result may still be computed apart
	rowwise              // row i of the result needs row i of the batched operands only
	reduce               // a scalar that is a sum over rows: one partial sum per row, then their sum
)

// A call is one execution of an operation, on all rows of the result or on some.
type call[T Float] struct {
	dst      []T   // the rows [lo, hi) of the result; nil for a reduction
	src      [][]T // operands: the same rows of batched ones, all of the others
	shapes   []tensor.Shape
	lo, hi   int       // rows of the result (of the batch, for a reduction)
	rowsOnly bool      // operands are cut to [lo, hi), see split
	partial  []float64 // reductions: one sum per row, or one in all
	srcZero  []bool    // operands known to be exactly zero
	dstZero  *bool     // set when the result is known to be exactly zero
	room     []T       // scratch memory of a roomy operation or a convolution: at least as much as it asked for
	packed   *cell[T]  // the packed weight that the instruction reads or writes
	err      error     // of an operation of Gorgonia's own, or one that checks its data
}

func (c *call[T]) rows() int { return c.hi - c.lo }

// markZero fills the result with zeros and marks it as exactly zero.
func (c *call[T]) markZero() {
	clear(c.dst)
	*c.dstZero = true
}

// op makes a gorgonia.Op and gorgonia.SDOp of a spec for operands of fixed shapes and one element type.
type op struct {
	spec  spec
	kids  []*Node
	scope string
	out   tensor.Shape
	dt    tensor.Dtype
	salt  int    // makes it distinct from a node of equal 32-bit hash, see apply
	grad  bool   // added by Grad
	by    string // the node whose gradient it is, if it is a result of Grad
}

var (
	_ gorgonia.SDOp            = (*op)(nil)
	_ gorgonia.UsePreallocDoer = (*op)(nil)
)

// apply adds the node spec(kids...) to the graph, or finds it there. Gorgonia takes nodes of equal 32-bit hash for
// equal without comparing their operands; apply compares them, and tries again under another hash when they differ.
func apply(scope string, s spec, kids ...*Node) (*Node, error) {
	shapes := make([]tensor.Shape, len(kids))
	for i, k := range kids {
		if k == nil {
			return nil, errors.Errorf("%s: operand %d is missing", s, i)
		}
		if k.Dtype() != kids[0].Dtype() {
			return nil, errors.Errorf("%s: operand %s is %v, %s is %v: use one element type", s, label(k), k.Dtype(), label(kids[0]), kids[0].Dtype())
		}
		shapes[i] = k.Shape()
	}
	out, err := s.shape(shapes)
	if err != nil {
		return nil, err
	}
	if _, fits := Elements(out); !fits {
		return nil, errors.Errorf("%s of shapes %v has a result of shape %v, more than %d elements: look at the dimensions", s, shapes, []int(out), int64(MaxElements))
	}
	indexAhead(kids[0].Graph())
	for salt := 0; ; salt++ {
		o := &op{spec: s, kids: kids, scope: scope, out: out, dt: kids[0].Dtype(), salt: salt}
		n, err := gorgonia.ApplyOp(o, kids...)
		if err != nil {
			return nil, errors.Wrapf(err, "%s", s)
		}
		if same, fused := n.Op().(*op); fused && (same == o || slices.Equal(same.kids, kids) && same.spec.String() == s.String()) {
			return n, nil
		}
	}
}

// gradients calls the rules of the operands whose gradients are wanted: vector-Jacobian products of the gradient of the result. A nil
// rule stands for an operand whose gradient is zero almost everywhere.
func gradients(want []bool, rules ...func() (*Node, error)) ([]*Node, error) {
	ds := make([]*Node, len(want))
	for i := range want {
		if !want[i] || rules[i] == nil {
			continue
		}
		var err error
		if ds[i], err = rules[i](); err != nil {
			return nil, err
		}
	}
	return ds, nil
}

// only is the gradient of an operation of one operand.
func only(d *Node, err error) ([]*Node, error) { return []*Node{d}, err }

// scaledOp is c s(xs...).
func scaledOp(c float64, s spec, xs ...*Node) (*Node, error) {
	n, err := apply("", s, xs...)
	if err != nil {
		return nil, err
	}
	return scaled(n, c)
}

// linearly is s(xs...) for an operation that is linear in its last operand, whose factor is taken out in front.
func linearly(s spec, xs ...*Node) (*Node, error) {
	last := len(xs) - 1
	base, c := unscale(xs[last])
	xs[last] = base
	return scaledOp(c, s, xs...)
}

// shapes are those of the operands.
func (o *op) shapes() []tensor.Shape {
	ss := make([]tensor.Shape, len(o.kids))
	for i, k := range o.kids {
		ss[i] = k.Shape()
	}
	return ss
}

func (o *op) Arity() int { return len(o.kids) }

func (o *op) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.kids)+1)
	for _, k := range o.kids {
		ts = append(ts, k.Type())
	}
	if o.out.IsScalar() {
		return hm.NewFnType(append(ts, o.dt)...)
	}
	return hm.NewFnType(append(ts, gorgonia.TensorType{Dims: o.out.Dims(), Of: o.dt})...)
}

func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.Clone(), nil }
func (o *op) ReturnsPtr() bool                                      { return !o.out.IsScalar() }
func (o *op) CallsExtern() bool                                     { return false }
func (o *op) OverwritesInput() int                                  { return -1 }
func (o *op) String() string                                        { return o.spec.String() }
func (o *op) WriteHash(h hash.Hash)                                 { fmt.Fprintf(h, "pcgraph %s %v %d", o.spec, o.out, o.salt) }

func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *op) DiffWRT(inputs int) []bool { return all(inputs) }

// SymDiff serves Gorgonia's own differentiation; Grad asks the spec directly for the gradients that it needs.
func (o *op) SymDiff(inputs gorgonia.Nodes, output, grad *Node) (gorgonia.Nodes, error) {
	return o.spec.diff(inputs, output, grad, all(len(inputs)))
}

func all(n int) []bool {
	want := make([]bool, n)
	for i := range want {
		want[i] = true
	}
	return want
}

// Do serves Gorgonia's machines; our own programs call the kernels without it.
func (o *op) Do(vs ...gorgonia.Value) (gorgonia.Value, error) {
	if o.dt == tensor.Float32 {
		return do(o, vs, o.spec.f32, nil)
	}
	return do(o, vs, o.spec.f64, nil)
}

// UsePreallocDo is Do into memory that the caller owns.
func (o *op) UsePreallocDo(prealloc gorgonia.Value, vs ...gorgonia.Value) (gorgonia.Value, error) {
	if o.dt == tensor.Float32 {
		return do(o, vs, o.spec.f32, prealloc)
	}
	return do(o, vs, o.spec.f64, prealloc)
}

// do runs one operation on Gorgonia values, all rows at once.
func do[T Float](o *op, vs []gorgonia.Value, run func(*call[T]), prealloc gorgonia.Value) (gorgonia.Value, error) {
	c := &call[T]{src: make([][]T, len(vs)), shapes: make([]tensor.Shape, len(vs)), srcZero: make([]bool, len(vs)), dstZero: new(bool)}
	for i, v := range vs {
		c.src[i] = elements[T](v)
		c.shapes[i] = v.Shape()
	}
	c.room = make([]T, roomOf(o.spec, c.shapes))
	if o.out.IsScalar() {
		c.dst, c.hi = make([]T, 1), 1
		run(c)
		if c.err != nil {
			return nil, errors.Wrapf(c.err, "%s", o)
		}
		if s, single := any(c.dst[0]).(float32); single {
			return gorgonia.NewF32(s), nil
		}
		return gorgonia.NewF64(float64(c.dst[0])), nil
	}
	if prealloc == nil {
		prealloc = tensor.New(tensor.WithShape(o.out...), tensor.Of(o.dt))
	}
	c.dst, c.hi = elements[T](prealloc), o.out[0]
	run(c)
	if c.err != nil {
		return nil, errors.Wrapf(c.err, "%s", o)
	}
	return prealloc, nil
}

// elements is the memory of a value; a scalar's is copied.
func elements[T Float](v gorgonia.Value) []T {
	switch d := v.Data().(type) {
	case []T:
		return d
	case T:
		return []T{d}
	}
	panic("graph: a value of another element type than its node's")
}
