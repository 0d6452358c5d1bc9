package onnx

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/protobuf"
)

// Numbers of fields, as onnx.proto has them.
const (
	modelIR, modelProducer, modelVersion, modelDoc, modelGraph, modelOpset, modelMeta, modelFunctions                   = 1, 2, 3, 6, 7, 8, 14, 25
	graphNode, graphName, graphTensor, graphInput, graphOutput, graphSparse                                             = 1, 2, 5, 11, 12, 15
	nodeIn, nodeOut, nodeName, nodeOp, nodeAttr, nodeDomain                                                             = 1, 2, 3, 4, 5, 7
	attrName, attrFloat, attrInt, attrString, attrTensor, attrFloats, attrInts, attrType                                = 1, 2, 3, 4, 5, 7, 8, 20
	tensorDims, tensorType, tensorFloats, tensorInt32s, tensorInt64s, tensorName, tensorRaw, tensorDoubles, tensorPlace = 1, 2, 4, 5, 7, 8, 9, 10, 13
	tensorBeside                                                                                                        = 14
	valueName, valueType, typeTensor, typeElem, typeShape, shapeDim, dimSize, dimName                                   = 1, 2, 1, 1, 2, 1, 1, 2
	pairKey, pairValue                                                                                                  = 1, 2
)

// pair adds a key and a value.
func pair(m *protobuf.Message, field int, key, value string) {
	m.In(field, func(m *protobuf.Message) {
		m.Text(pairKey, key)
		m.Text(pairValue, value)
	})
}

// Marshal is the model's encoding. The same model gives the same bytes. Tensors that cannot be encoded are errors.
func Marshal(model *Model) ([]byte, error) {
	for i := range model.Graph.Tensors {
		if err := model.Graph.Tensors[i].check(); err != nil {
			return nil, err
		}
	}
	var m protobuf.Message
	m.Int(modelIR, model.IR)
	m.Text(modelProducer, model.Producer)
	m.Text(modelVersion, model.Version)
	m.Text(modelDoc, model.Doc)
	m.In(modelGraph, func(m *protobuf.Message) { marshalGraph(m, &model.Graph) })
	m.In(modelOpset, func(m *protobuf.Message) { m.Int(pairValue, model.Opset) })
	for _, key := range slices.Sorted(maps.Keys(model.Meta)) {
		pair(&m, modelMeta, key, model.Meta[key])
	}
	return m, nil
}

func marshalGraph(m *protobuf.Message, g *Graph) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		m.In(graphNode, func(m *protobuf.Message) {
			for _, name := range n.In {
				m.Bytes(nodeIn, []byte(name)) // an empty one too: an operand that is left out
			}
			for _, name := range n.Out {
				m.Bytes(nodeOut, []byte(name))
			}
			m.Text(nodeName, n.Name)
			m.Text(nodeOp, n.Op)
			for _, a := range n.Attrs {
				m.In(nodeAttr, func(m *protobuf.Message) { marshalAttr(m, a) })
			}
			m.Text(nodeDomain, n.Domain)
		})
	}
	m.Text(graphName, g.Name)
	for i := range g.Tensors {
		m.In(graphTensor, func(m *protobuf.Message) { g.Tensors[i].marshal(m) })
	}
	for _, v := range g.Inputs {
		m.In(graphInput, func(m *protobuf.Message) { marshalValue(m, v) })
	}
	for _, v := range g.Outputs {
		m.In(graphOutput, func(m *protobuf.Message) { marshalValue(m, v) })
	}
}

func marshalAttr(m *protobuf.Message, a Attr) {
	m.Text(attrName, a.Name)
	switch a.Type {
	case FloatAttr:
		m.Float(attrFloat, a.Float)
	case IntAttr:
		m.Int(attrInt, a.Int)
	case StringAttr:
		m.Bytes(attrString, []byte(a.String))
	case TensorAttr:
		m.In(attrTensor, a.Tensor.marshal)
	case FloatsAttr:
		for _, v := range a.Floats {
			m.Float(attrFloats, v)
		}
	case IntsAttr:
		for _, v := range a.Ints {
			m.Int(attrInts, v)
		}
	}
	m.Int(attrType, int64(a.Type))
}

func marshalValue(m *protobuf.Message, v Value) {
	m.Text(valueName, v.Name)
	m.In(valueType, func(m *protobuf.Message) {
		m.In(typeTensor, func(m *protobuf.Message) {
			m.Int(typeElem, int64(v.Type))
			m.In(typeShape, func(m *protobuf.Message) {
				for _, d := range v.Shape {
					m.In(shapeDim, func(m *protobuf.Message) {
						if d.Name != "" {
							m.Text(dimName, d.Name)
						} else {
							m.Int(dimSize, d.Size)
						}
					})
				}
			})
		})
	})
}

// check reports data that are not those of the shape.
func (t *Tensor) check() error {
	dims := make([]int64, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = int64(d)
	}
	n, err := elements(dims)
	if err != nil {
		return errors.Errorf("onnx: tensor %q: %v", t.Name, err)
	}
	if t.Type() == 0 || int64(t.len()) != n {
		return errors.Errorf("onnx: tensor %q of shape %v: want as many elements of []float32, []float64, []int32, []int64 or []bool, and there are %d in a %T", t.Name, t.Shape, t.len(), t.Data)
	}
	return nil
}

func (t *Tensor) len() int {
	switch d := t.Data.(type) {
	case []float32:
		return len(d)
	case []float64:
		return len(d)
	case []int32:
		return len(d)
	case []int64:
		return len(d)
	case []bool:
		return len(d)
	}
	return 0
}

func (t *Tensor) marshal(m *protobuf.Message) {
	for _, d := range t.Shape {
		m.Int(tensorDims, int64(d))
	}
	m.Int(tensorType, int64(t.Type()))
	m.Text(tensorName, t.Name)
	if t.beside == nil {
		m.Bytes(tensorRaw, t.raw())
		return
	}
	for _, p := range t.beside.pairs() {
		pair(m, tensorPlace, p[0], p[1])
	}
	m.Int(tensorBeside, 1)
}

// raw is the data, little-endian.
func (t *Tensor) raw() []byte {
	raw := make([]byte, 0, t.len()*t.Type().size())
	switch d := t.Data.(type) {
	case []float32:
		for _, v := range d {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
	case []float64:
		for _, v := range d {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
		}
	case []int32:
		for _, v := range d {
			raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
		}
	case []int64:
		for _, v := range d {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
		}
	case []bool:
		for _, v := range d {
			b := byte(0)
			if v {
				b = 1
			}
			raw = append(raw, b)
		}
	}
	return raw
}

// A field is one field of a message that is read.
type field struct {
	number int
	wire   int
	number64
	bytes []byte // of wire type 2
}

// number64 is a varint or what was fixed.
type number64 uint64

var errCut = errors.New("the file is cut off or damaged, or no ONNX model")

// fields calls f for every field of a message.
func fields(m []byte, f func(field) error) error {
	for len(m) > 0 {
		key, n := binary.Uvarint(m)
		if n <= 0 || key>>3 == 0 || key>>3 > math.MaxInt32 {
			return errCut
		}
		m = m[n:]
		e := field{number: int(key >> 3), wire: int(key & 7)}
		switch e.wire {
		case 0:
			v, n := binary.Uvarint(m)
			if n <= 0 {
				return errCut
			}
			e.number64, m = number64(v), m[n:]
		case 1:
			if len(m) < 8 {
				return errCut
			}
			e.number64, m = number64(binary.LittleEndian.Uint64(m)), m[8:]
		case 2:
			size, n := binary.Uvarint(m)
			if n <= 0 || size > uint64(len(m)-n) {
				return errCut
			}
			e.bytes, m = m[n:n+int(size)], m[n+int(size):]
		case 5:
			if len(m) < 4 {
				return errCut
			}
			e.number64, m = number64(binary.LittleEndian.Uint32(m)), m[4:]
		default:
			return errCut
		}
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// name is text, which must be UTF-8.
func (f field) name() (string, error) {
	if f.wire != 2 || !utf8.Valid(f.bytes) {
		return "", errCut
	}
	return string(f.bytes), nil
}

func (f field) into(s *string) (err error) {
	*s, err = f.name()
	return err
}

func (f field) int(v *int64) error {
	if f.wire != 0 {
		return errCut
	}
	*v = int64(f.number64)
	return nil
}

// ints appends whole numbers, packed or one by one.
func (f field) ints(v *[]int64) error {
	if f.wire == 0 {
		*v = append(*v, int64(f.number64))
		return nil
	}
	if f.wire != 2 {
		return errCut
	}
	for m := f.bytes; len(m) > 0; {
		i, n := binary.Uvarint(m)
		if n <= 0 {
			return errCut
		}
		*v, m = append(*v, int64(i)), m[n:]
	}
	return nil
}

// floats appends numbers of four bytes, packed or one by one.
func (f field) floats(v *[]float32) error {
	if f.wire == 5 {
		*v = append(*v, math.Float32frombits(uint32(f.number64)))
		return nil
	}
	if f.wire != 2 || len(f.bytes)%4 != 0 {
		return errCut
	}
	for m := f.bytes; len(m) > 0; m = m[4:] {
		*v = append(*v, math.Float32frombits(binary.LittleEndian.Uint32(m)))
	}
	return nil
}

func (f field) doubles(v *[]float64) error {
	if f.wire == 1 {
		*v = append(*v, math.Float64frombits(uint64(f.number64)))
		return nil
	}
	if f.wire != 2 || len(f.bytes)%8 != 0 {
		return errCut
	}
	for m := f.bytes; len(m) > 0; m = m[8:] {
		*v = append(*v, math.Float64frombits(binary.LittleEndian.Uint64(m)))
	}
	return nil
}

// message reads a message.
func (f field) message(read func(field) error) error {
	if f.wire != 2 {
		return errCut
	}
	return fields(f.bytes, read)
}

// Unmarshal reads a model whose weights are within. Errors name the node or tensor that they are about.
func Unmarshal(data []byte) (*Model, error) {
	m, err := unmarshal(data)
	if err != nil {
		return nil, errors.WithMessage(err, "onnx")
	}
	for i := range m.Graph.Tensors {
		if t := &m.Graph.Tensors[i]; t.beside != nil {
			return nil, errors.Errorf("onnx: tensor %q is in the file %q beside the model: read it with ReadFile", t.Name, t.beside.file)
		}
	}
	return m, nil
}

func unmarshal(data []byte) (*Model, error) {
	m := &Model{Meta: make(map[string]string), domains: make(map[string]int64)}
	graphs := 0
	err := fields(data, func(f field) error {
		switch f.number {
		case modelIR:
			return f.int(&m.IR)
		case modelProducer:
			return f.into(&m.Producer)
		case modelVersion:
			return f.into(&m.Version)
		case modelDoc:
			return f.into(&m.Doc)
		case modelGraph:
			graphs++
			return f.message(m.Graph.read)
		case modelOpset:
			var domain string
			var version int64
			err := f.message(func(f field) error {
				if f.number == pairKey {
					return f.into(&domain)
				}
				return f.int(&version)
			})
			if domain == "" || domain == "ai.onnx" {
				m.Opset = version
			} else {
				m.domains[domain] = version
			}
			return err
		case modelMeta:
			key, value, err := f.pair()
			m.Meta[key] = value
			return err
		case modelFunctions:
			return errors.New("the model defines functions, which are not read: export it with its functions inlined")
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case graphs != 1:
		return nil, errors.Errorf("%d graphs where a model has one: %v", graphs, errCut)
	}
	return m, nil
}

// pair reads a key and a value.
func (f field) pair() (key, value string, err error) {
	err = f.message(func(f field) error {
		switch f.number {
		case pairKey:
			return f.into(&key)
		case pairValue:
			return f.into(&value)
		}
		return nil
	})
	return key, value, err
}

// maxParts bounds how many nodes, tensors, inputs and outputs a graph has.
const maxParts = 1 << 20

func (g *Graph) read(f field) error {
	if len(g.Nodes)+len(g.Tensors)+len(g.Inputs)+len(g.Outputs) > maxParts {
		return errors.Errorf("more than %d nodes and tensors", maxParts)
	}
	switch f.number {
	case graphNode:
		var n Node
		if err := f.message(n.read); err != nil {
			return errors.WithMessagef(err, "node %d %s", len(g.Nodes)+1, n.label())
		}
		g.Nodes = append(g.Nodes, n)
	case graphName:
		return f.into(&g.Name)
	case graphTensor:
		t, err := readTensor(f)
		if err != nil {
			return err
		}
		g.Tensors = append(g.Tensors, *t)
	case graphInput, graphOutput:
		v := Value{}
		if err := f.message(v.read); err != nil {
			return errors.WithMessagef(err, "input or output %q", v.Name)
		}
		if f.number == graphInput {
			g.Inputs = append(g.Inputs, v)
		} else {
			g.Outputs = append(g.Outputs, v)
		}
	case graphSparse:
		return errors.New("the model has sparse tensors, which are not read")
	}
	return nil
}

// label names a node in errors.
func (n *Node) label() string {
	switch {
	case n.Name != "":
		return n.Op + " " + n.Name
	case len(n.Out) > 0:
		return n.Op + " of " + n.Out[0]
	}
	return n.Op
}

// String names the node: its operation with its name, or with what it gives.
func (n *Node) String() string { return n.label() }

func (n *Node) read(f field) error {
	switch f.number {
	case nodeIn, nodeOut:
		name, err := f.name()
		if f.number == nodeIn {
			n.In = append(n.In, name)
		} else {
			n.Out = append(n.Out, name)
		}
		return err
	case nodeName:
		return f.into(&n.Name)
	case nodeOp:
		return f.into(&n.Op)
	case nodeDomain:
		return f.into(&n.Domain)
	case nodeAttr:
		var a Attr
		err := f.message(a.read)
		n.Attrs = append(n.Attrs, a)
		return errors.WithMessagef(err, "attribute %q", a.Name)
	}
	return nil
}

func (a *Attr) read(f field) error {
	switch f.number {
	case attrName:
		return f.into(&a.Name)
	case attrFloat:
		if f.wire != 5 {
			return errCut
		}
		a.Float = math.Float32frombits(uint32(f.number64))
	case attrInt:
		return f.int(&a.Int)
	case attrString:
		if f.wire != 2 {
			return errCut
		}
		a.String = string(f.bytes)
	case attrTensor:
		var err error
		a.Tensor, err = readTensor(f)
		return err
	case attrFloats:
		return f.floats(&a.Floats)
	case attrInts:
		return f.ints(&a.Ints)
	case attrType:
		return f.int((*int64)(&a.Type))
	}
	return nil
}

func (v *Value) read(f field) error {
	switch f.number {
	case valueName:
		return f.into(&v.Name)
	case valueType:
		return f.message(func(f field) error {
			if f.number != typeTensor {
				return nil
			}
			return f.message(func(f field) error {
				switch f.number {
				case typeElem:
					return f.int((*int64)(&v.Type))
				case typeShape:
					return f.message(func(f field) error {
						if f.number != shapeDim {
							return nil
						}
						var d Dim
						err := f.message(func(f field) error {
							switch f.number {
							case dimSize:
								return f.int(&d.Size)
							case dimName:
								return f.into(&d.Name)
							}
							return nil
						})
						v.Shape = append(v.Shape, d)
						return err
					})
				}
				return nil
			})
		})
	}
	return nil
}

// readTensor reads a tensor, whose data may be raw, typed, or beside the model.
func readTensor(f field) (*Tensor, error) {
	t := &Tensor{}
	var dims, beside, ints []int64
	var kind int64
	var raw []byte
	var hasRaw bool
	var floats []float32
	var doubles []float64
	place := make(map[string]string)
	err := f.message(func(f field) error {
		switch f.number {
		case tensorDims:
			return f.ints(&dims)
		case tensorType:
			return f.int(&kind)
		case tensorName:
			return f.into(&t.Name)
		case tensorRaw:
			if f.wire != 2 {
				return errCut
			}
			raw, hasRaw = f.bytes, true
		case tensorFloats:
			return f.floats(&floats)
		case tensorDoubles:
			return f.doubles(&doubles)
		case tensorInt32s, tensorInt64s:
			return f.ints(&ints)
		case tensorPlace:
			key, value, err := f.pair()
			place[key] = value
			return err
		case tensorBeside:
			return f.ints(&beside)
		}
		return nil
	})
	if err == nil {
		err = t.fill(Type(kind), dims, raw, hasRaw, floats, doubles, ints, place, len(beside) > 0 && beside[len(beside)-1] == 1)
	}
	return t, errors.WithMessagef(err, "tensor %q", t.Name)
}

// fill gives the tensor its shape and data.
func (t *Tensor) fill(kind Type, dims []int64, raw []byte, hasRaw bool, floats []float32, doubles []float64, ints []int64, place map[string]string, beside bool) error {
	if len(dims) > 16 {
		return errors.Errorf("%d dimensions: %v", len(dims), errCut)
	}
	n, err := elements(dims)
	if err != nil {
		return err
	}
	for _, d := range dims {
		t.Shape = append(t.Shape, int(d))
	}
	size := kind.size()
	if size == 0 {
		return errors.Errorf("elements of type %s (%d): want float, double, int32, int64 or bool: convert it first", kind, int64(kind))
	}
	if beside {
		t.beside, err = locationOf(place, kind, n*int64(size))
		return err
	}
	if hasRaw {
		if int64(len(raw)) != n*int64(size) {
			return errors.Errorf("%d bytes of data where %v of %s takes %d", len(raw), dims, kind, n*int64(size))
		}
		t.Data = decode(kind, raw)
		return nil
	}
	switch kind {
	case Float32:
		t.Data = floats
	case Float64:
		t.Data = doubles
	case Int64:
		t.Data = ints
	case Int32:
		d := make([]int32, len(ints))
		for i, v := range ints {
			d[i] = int32(v)
		}
		t.Data = d
	case Bool:
		d := make([]bool, len(ints))
		for i, v := range ints {
			d[i] = v != 0
		}
		t.Data = d
	}
	if int64(t.len()) != n {
		return errors.Errorf("%d numbers where shape %v has %d", t.len(), dims, n)
	}
	return nil
}

// decode turns raw data into numbers.
func decode(kind Type, raw []byte) any {
	n := len(raw) / kind.size()
	switch kind {
	case Float32:
		d := make([]float32, n)
		for i := range d {
			d[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return d
	case Float64:
		d := make([]float64, n)
		for i := range d {
			d[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return d
	case Int32:
		d := make([]int32, n)
		for i := range d {
			d[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		return d
	case Int64:
		d := make([]int64, n)
		for i := range d {
			d[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return d
	default:
		d := make([]bool, n)
		for i := range d {
			d[i] = raw[i] != 0
		}
		return d
	}
}
