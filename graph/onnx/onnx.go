// Package onnx reads and writes models in the ONNX format (Open Neural Network Exchange, onnx.ai), which other frameworks and runtimes
// read and write: a graph of named operations, its inputs and outputs, and the weights.
//
// It knows the part of the format that graphs of tensors need, in protobuf's own encoding and without code made by a generator:
// models, graphs, nodes, attributes that are numbers, text or tensors, and tensors of float, double, int32, int64 and bool. Weights are
// within the file, or in a file beside it. Training information, functions, sparse tensors and sequences are not read; an attribute that
// holds a graph (of If or Loop) is read as being there and no more.
//
// What a file promises is held against what there is before memory is reserved. Files are written whole or not at all.
//
// The package is not for: what operations mean (package graph writes them, arch reads them).
package onnx

import (
	"slices"

	"github.com/pkg/errors"
)

// What Write says of the format: operations are those of opset 20, in which Gelu came; IR version 9 belongs to it.
const (
	Opset     = 20
	IRVersion = 9
)

// A Model is a file.
type Model struct {
	IR       int64
	Opset    int64 // of ONNX's own operations
	Producer string
	Version  string // of the producer
	Doc      string
	Meta     map[string]string
	Graph    Graph

	domains map[string]int64 // opsets of other domains, as read
}

// A Graph is operations in topological order.
type Graph struct {
	Name    string
	Nodes   []Node
	Inputs  []Value
	Outputs []Value
	Tensors []Tensor // weights and constants ("initializers")
}

// A Node is an operation. An operand that is left out is the empty name.
type Node struct {
	Name, Op, Domain string
	In, Out          []string
	Attrs            []Attr
}

// An AttrType says which field of an Attr holds its value.
type AttrType int64

// The types of attributes; others are read without their value.
const (
	FloatAttr  AttrType = 1
	IntAttr    AttrType = 2
	StringAttr AttrType = 3
	TensorAttr AttrType = 4
	GraphAttr  AttrType = 5
	FloatsAttr AttrType = 6
	IntsAttr   AttrType = 7
)

// An Attr is a parameter of a node.
type Attr struct {
	Name   string
	Type   AttrType
	Float  float32
	Int    int64
	String string
	Tensor *Tensor
	Floats []float32
	Ints   []int64
}

// Float, Int, Ints and Text are attributes.
func Float(name string, v float64) Attr {
	return Attr{Name: name, Type: FloatAttr, Float: float32(v)}
}
func Int(name string, v int) Attr { return Attr{Name: name, Type: IntAttr, Int: int64(v)} }
func Ints(name string, v ...int) Attr {
	a := Attr{Name: name, Type: IntsAttr}
	for _, i := range v {
		a.Ints = append(a.Ints, int64(i))
	}
	return a
}
func Text(name, v string) Attr { return Attr{Name: name, Type: StringAttr, String: v} }

// Attr is the attribute of a name; nil if the node has none.
func (n *Node) Attr(name string) *Attr {
	i := slices.IndexFunc(n.Attrs, func(a Attr) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return &n.Attrs[i]
}

// A Type is the type of a tensor's elements.
type Type int64

// The types that are known.
const (
	Float32 Type = 1
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
	Float64 Type = 11
)

var typeNames = map[Type]string{Float32: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", Int32: "int32", Int64: "int64", 8: "string", Bool: "bool",
	10: "float16", Float64: "double", 12: "uint32", 13: "uint64", 16: "bfloat16"}

func (t Type) String() string {
	if s, known := typeNames[t]; known {
		return s
	}
	return "an unknown type"
}

// A Value is an input or output of the graph.
type Value struct {
	Name  string
	Type  Type
	Shape []Dim
}

// A Dim is a dimension: a size, or a name where any size will do ("N").
type Dim struct {
	Name string
	Size int64
}

// A Tensor is a constant array.
type Tensor struct {
	Name  string
	Shape []int
	Data  any // row-major []float32, []float64, []int32, []int64 or []bool

	beside *location // where the data are, of a file with weights beside it
}

// Tensor is the tensor of a name; nil if there is none.
func (g *Graph) Tensor(name string) *Tensor {
	i := slices.IndexFunc(g.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &g.Tensors[i]
}

// Type is that of the elements.
func (t *Tensor) Type() Type {
	switch t.Data.(type) {
	case []float32:
		return Float32
	case []float64:
		return Float64
	case []int32:
		return Int32
	case []int64:
		return Int64
	case []bool:
		return Bool
	}
	return 0
}

// size is the number of bytes of an element; 0 of a type that is not known.
func (t Type) size() int {
	switch t {
	case Float32, Int32:
		return 4
	case Float64, Int64:
		return 8
	case Bool:
		return 1
	}
	return 0
}

// maxElements bounds a tensor.
const maxElements = 1 << 31

// elements is how many elements a shape has.
func elements(shape []int64) (int64, error) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > maxElements || n*d > maxElements {
			return 0, errors.Errorf("shape %v: want dimensions of zero or more and at most %d elements", shape, int64(maxElements))
		}
		n *= d
	}
	return n, nil
}
