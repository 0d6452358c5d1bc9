package graph

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Field is a named, shaped part of a Vector.
type Field struct {
	Name  string
	Shape []int
}

// Size is the number of elements of f.
func (f Field) Size() int { return tensor.Shape(f.Shape).TotalSize() }

// MaxElements bounds the numbers of an array, and of all weights of a network: 2^36, 256 GB of float32 (on a machine of 32 bits,
// what an int holds).
const MaxElements = min(1<<36, math.MaxInt)

// Elements is the number of elements of a shape. fits is false if that is more than MaxElements or a dimension is negative.
func Elements(shape []int) (n int64, fits bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || int64(d) > MaxElements || d > 0 && n > MaxElements/int64(d) {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}

// A Vector is one array that holds named, shaped fields one after another. Fields alias the array, so that a solver or an
// optimiser that moves Data moves every field. Whoever changes the values by hand calls Touch afterwards, or models that were clamped before the
// change go on with what they derived from the old values. Clamping reads everything anew in any case.
type Vector[T Float] struct {
	data    []T
	fields  []Field
	offset  map[string]int // index into fields
	starts  []int
	version *uint64
	whole   *Vector[T] // of which this is a part; itself if it is none
	at      int        // where in the whole
}

// NewVector allocates zeros for fields, in their order. It panics on two fields of one name, on dimensions that are negative,
// and on more than MaxElements numbers in all.
func NewVector[T Float](fields ...Field) *Vector[T] {
	v := lay[T](fields)
	v.data = make([]T, v.starts[len(fields)])
	return v
}

// lay is a Vector without its array.
func lay[T Float](fields []Field) *Vector[T] {
	v := &Vector[T]{fields: fields, offset: make(map[string]int, len(fields)), starts: make([]int, len(fields)+1), version: new(uint64)}
	v.whole = v
	for i, f := range fields {
		if _, twice := v.offset[f.Name]; twice {
			panic(fmt.Sprintf("graph: two fields of a Vector are named %q", f.Name))
		}
		v.offset[f.Name] = i
		size, fits := Elements(f.Shape)
		if !fits || int64(v.starts[i])+size > MaxElements {
			panic(fmt.Sprintf("graph: field %q of shape %v makes a Vector of more than %d numbers, or has a negative dimension", f.Name, f.Shape, int64(MaxElements)))
		}
		v.starts[i+1] = v.starts[i] + int(size)
	}
	return v
}

// Sub is the fields [lo, hi) of v as a Vector of their own, under the names that rename gives them: the same memory, and
// Touch of either is Touch of both. The weights of networks that are trained together are parts of one Vector.
func (v *Vector[T]) Sub(lo, hi int, rename func(name string) string) *Vector[T] {
	fields := make([]Field, hi-lo)
	for i := range fields {
		fields[i] = Field{Name: rename(v.fields[lo+i].Name), Shape: v.fields[lo+i].Shape}
	}
	s := lay[T](fields)
	s.data = v.data[v.starts[lo]:v.starts[hi]:v.starts[hi]]
	s.version, s.whole, s.at = v.version, v.whole, v.at+v.starts[lo]
	return s
}

// Whole returns the Vector that v is a part of, and at which element of it v begins; v itself and 0 if v is no part.
func (v *Vector[T]) Whole() (whole *Vector[T], at int) { return v.whole, v.at }

// Data is the array of all fields.
func (v *Vector[T]) Data() []T { return v.data }

// Field returns the values of the field of that name, row-major, as a view; nil if there is none.
func (v *Vector[T]) Field(name string) []T {
	i, ok := v.offset[name]
	if !ok {
		return nil
	}
	return v.part(v.data, i)
}

// Fields lists names and shapes in their order.
func (v *Vector[T]) Fields() []Field { return v.fields }

// Part returns the part of data that belongs to field i. Data is any slice as long as v.Data(), such as a gradient.
func (v *Vector[T]) Part(data []T, i int) []T { return v.part(data, i) }

func (v *Vector[T]) part(data []T, i int) []T {
	return data[v.starts[i]:v.starts[i+1]:v.starts[i+1]]
}

// Span is the half-open range of elements of Data that belongs to field i.
func (v *Vector[T]) Span(i int) (lo, hi int) { return v.starts[i], v.starts[i+1] }

// Where names element i of Data: its field and the indices within the field.
func (v *Vector[T]) Where(i int) string {
	for f := range v.fields {
		if i < v.starts[f+1] {
			at := i - v.starts[f]
			shape := v.fields[f].Shape
			idx := make([]int, len(shape))
			for d := len(shape) - 1; d >= 0; d-- {
				idx[d], at = at%shape[d], at/shape[d]
			}
			return fmt.Sprintf("%s%v", v.fields[f].Name, idx)
		}
	}
	return fmt.Sprintf("element %d", i)
}

// Touch marks the values as changed.
func (v *Vector[T]) Touch() { *v.version++ }

// Version counts the calls of Touch.
func (v *Vector[T]) Version() uint64 { return *v.version }

// ParamOf adds field i of v to the graph as a weight that shares its memory.
func ParamOf[T Float](b *Builder, v *Vector[T], i int) *Node {
	f := v.fields[i]
	n := b.Param(f.Name, f.Shape...)
	if b.err != nil {
		return nil
	}
	b.Fail(gorgonia.Let(n, tensor.New(tensor.WithShape(f.Shape...), tensor.WithBacking(v.part(v.data, i)))))
	return n
}
