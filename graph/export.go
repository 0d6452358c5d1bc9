package graph

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/graph/onnx"
)

// An exportable operation has a counterpart in operations of ONNX, for batches of any size. The rows of its result depend on rows of
// batched operands alone; what depends on weights alone is computed when it is exported, and needs none.
type exportable interface {
	// export adds the counterpart and returns the name of its result.
	export(w *onnxWriter, in []*exported) string
}

// An exported node is one with its name in the ONNX graph.
type exported struct {
	node    *Node
	batched bool
	zero    bool // it is zero throughout, and has no name
	name    string
}

func (o *exported) shape() tensor.Shape { return o.node.Shape() }

// A Named is a node with the name that it has outside.
type Named struct {
	Name string
	Node *Node
}

// ONNX translates what outputs depend on into operations of ONNX (opset 20) for batches of any size, "N", in float32. inputs, whose
// leading dimension is the batch, become the inputs of the graph. Inputs in zero, such as masks of dropout, are left out as if they
// were zero. What depends on weights and constants alone is computed now and becomes a constant.
//
// Errors name the operation, with its scope: one without a counterpart, one that works over the batch as a whole, or an input
// that is in neither list.
func ONNX[T Float](inputs, outputs []Named, zero []*Node) (*onnx.Graph, error) {
	w := &onnxWriter{g: &onnx.Graph{Name: "prediction"}, values: make(map[*Node]*exported), taken: make(map[string]bool), constants: make(map[string]string)}
	g, err := exportONNX[T](w, inputs, outputs, zero)
	return g, errors.WithMessage(err, "graph: export to ONNX")
}

func exportONNX[T Float](w *onnxWriter, inputs, outputs []Named, zero []*Node) (*onnx.Graph, error) {
	for _, io := range slices.Concat(inputs, outputs) {
		if io.Node == nil || io.Node.Shape().Dims() == 0 {
			return nil, errors.Errorf("%q has no node [batch, ...]: look at the Builder's Err first", io.Name)
		}
		if w.taken[io.Name] || io.Name == "" {
			return nil, errors.Errorf("two inputs or outputs are named %q, or one has no name", io.Name)
		}
		w.taken[io.Name] = true
	}
	for _, in := range inputs {
		w.values[in.Node] = &exported{node: in.Node, batched: true, name: in.Name}
		w.g.Inputs = append(w.g.Inputs, onnxValue(in))
	}
	for _, n := range zero {
		w.values[n] = &exported{node: n, batched: true, zero: true}
	}
	var nodes []*Node
	for _, out := range outputs {
		nodes = append(nodes, out.Node)
	}
	order := topological(nodes...)
	if err := w.mark(order); err != nil {
		return nil, err
	}
	if err := weigh[T](w, order, nodes); err != nil {
		return nil, err
	}
	for i, n := range order {
		if o := w.values[n]; o.batched && n.Op() != nil && !o.zero {
			if err := w.translate(n, o); err != nil {
				return nil, errors.WithMessage(err, placeOf(order, i))
			}
		}
	}
	for _, out := range outputs {
		o := w.values[out.Node]
		if !o.batched {
			return nil, errors.Errorf("the output %q depends on no input", out.Name)
		}
		w.end(w.nameOf(o), out.Name)
		w.g.Outputs = append(w.g.Outputs, onnxValue(out))
	}
	return w.g, nil
}

// onnxValue describes an input or output.
func onnxValue(v Named) onnx.Value {
	io := onnx.Value{Name: v.Name, Type: onnx.Float32, Shape: []onnx.Dim{{Name: "N"}}}
	for _, d := range v.Node.Shape()[1:] {
		io.Shape = append(io.Shape, onnx.Dim{Size: int64(d)})
	}
	return io
}

// An onnxWriter is an ONNX graph under construction.
type onnxWriter struct {
	g         *onnx.Graph
	values    map[*Node]*exported
	taken     map[string]bool
	constants map[string]string   // names by content
	numbers   map[*Node][]float32 // of what depends on weights alone
	scope     string              // of the operation that is being translated
	failed    error
}

// mark finds out which nodes carry the batch.
func (w *onnxWriter) mark(order []*Node) error {
	for at, n := range order {
		if w.values[n] != nil {
			continue
		}
		o := &exported{node: n}
		w.values[n] = o
		if n.Op() == nil || isConstant(n) {
			if n.Value() == nil {
				return errors.Errorf("the input %q is none of those that are exported", n.Name())
			}
			continue
		}
		kids := children(n)
		batched, any := make([]bool, len(kids)), false
		for i, k := range kids {
			batched[i] = w.values[k].batched
			any = any || batched[i]
		}
		if !any {
			continue
		}
		f, fused := n.Op().(*op)
		switch {
		case !fused:
			return errors.Errorf("%s: %s, Gorgonia's own, has no counterpart in ONNX here: express it by operations of the Builder", placeOf(order, at), n.Op())
		case f.spec.split(batched) != rowwise:
			return errors.Errorf("%s: %s works over the batch as a whole: a model for batches of any size has samples apart", placeOf(order, at), n.Op())
		}
		if o.batched = true; w.zero(n, kids) {
			o.zero = true
		}
	}
	return nil
}

// placeOf is the scope of node i of a topological order: its own, or that of the first one that depends on it, or that of an operand.
func placeOf(order []*Node, i int) string {
	if s := scopeOf(order[i]); s != "" {
		return s
	}
	after := map[*Node]bool{order[i]: true}
	for _, n := range order[i+1:] {
		if slices.ContainsFunc(children(n), func(k *Node) bool { return after[k] }) {
			if s := scopeOf(n); s != "" {
				return s
			}
			after[n] = true
		}
	}
	for _, n := range slices.Backward(order[:i]) {
		if s := scopeOf(n); s != "" {
			return s
		}
	}
	return "the graph"
}

// zero reports whether a result is zero for its operands that are zero.
func (w *onnxWriter) zero(n *Node, kids []*Node) bool {
	switch n.Op().(*op).spec.(type) {
	case hadamard, rowMul, timesColumn:
		return slices.ContainsFunc(kids, func(k *Node) bool { return w.values[k].zero })
	case combine:
		return !slices.ContainsFunc(kids, func(k *Node) bool { return !w.values[k].zero })
	case copied, reshape:
		return w.values[kids[0]].zero
	}
	return false
}

// weigh computes the numbers of weights, and of what depends on weights alone and is read by what does not.
func weigh[T Float](w *onnxWriter, order, outputs []*Node) error {
	w.numbers = make(map[*Node][]float32)
	var computed []*Node
	keep := func(n *Node, v []T) {
		d := make([]float32, len(v))
		for i, x := range v {
			d[i] = float32(x)
		}
		w.numbers[n] = d
	}
	for _, n := range order {
		if !w.values[n].batched || n.Op() == nil {
			continue
		}
		for _, k := range children(n) {
			switch {
			case w.values[k].batched || w.numbers[k] != nil || slices.Contains(computed, k):
			case k.Op() == nil || isConstant(k):
				keep(k, elements[T](k.Value()))
			default:
				computed = append(computed, k)
			}
		}
	}
	if len(computed) == 0 {
		return nil
	}
	p, err := Compile[T](computed...)
	if err != nil {
		return err
	}
	if err := p.RunAll(); err != nil {
		return err
	}
	for _, n := range computed {
		keep(n, p.Value(n))
	}
	return nil
}

// translate adds the counterpart of a node.
func (w *onnxWriter) translate(n *Node, o *exported) error {
	f := n.Op().(*op)
	s, can := f.spec.(exportable)
	if !can {
		return errors.Errorf("%s has no counterpart in ONNX here", n.Op())
	}
	w.scope = f.scope
	in := make([]*exported, len(f.kids))
	for i, k := range f.kids {
		in[i] = w.values[k]
	}
	o.name = s.export(w, in)
	return w.failed
}

// unique is a name that nothing else has.
func (w *onnxWriter) unique(name string) string {
	free := name
	for i := 2; w.taken[free]; i++ {
		free = name + "_" + strconv.Itoa(i)
	}
	w.taken[free] = true
	return free
}

// add adds an operation of one result to the graph and returns the result's name.
func (w *onnxWriter) add(kind string, in []string, attrs ...onnx.Attr) string {
	name := kind
	if w.scope != "" {
		name = w.scope + "/" + kind
	}
	name = w.unique(name)
	w.g.Nodes = append(w.g.Nodes, onnx.Node{Name: name, Op: kind, In: in, Out: []string{name}, Attrs: attrs})
	return name
}

// end gives a result its name as an output of the graph.
func (w *onnxWriter) end(name, outer string) {
	isOutput := slices.ContainsFunc(w.g.Outputs, func(v onnx.Value) bool { return v.Name == name })
	at := slices.IndexFunc(w.g.Nodes, func(n onnx.Node) bool { return n.Out[0] == name })
	if at < 0 || isOutput { // an input, or an output under another name
		w.scope = ""
		w.g.Nodes = append(w.g.Nodes, onnx.Node{Name: w.unique(outer + "/Identity"), Op: "Identity", In: []string{name}, Out: []string{outer}})
		return
	}
	for _, o := range w.values {
		if o.name == name {
			o.name = outer
		}
	}
	for i := at; i < len(w.g.Nodes); i++ {
		n := &w.g.Nodes[i]
		for j := range n.In {
			if n.In[j] == name {
				n.In[j] = outer
			}
		}
		for j := range n.Out {
			if n.Out[j] == name {
				n.Out[j] = outer
			}
		}
	}
}

// nameOf is the name of an operand, which becomes a constant if it is none yet.
func (w *onnxWriter) nameOf(o *exported) string {
	switch {
	case o.name != "":
	case o.zero:
		o.name = w.zeros(o.shape()[1:])
	default:
		o.name = w.weight(o, o.shape(), nil)
	}
	return o.name
}

// names are those of operands.
func (w *onnxWriter) names(os ...*exported) []string {
	var ns []string
	for _, o := range os {
		ns = append(ns, w.nameOf(o))
	}
	return ns
}

// weight is a constant of a shape that the weights o, with axes in the order of perm, have as a constant of the graph; nil perm for
// the order that they have.
func (w *onnxWriter) weight(o *exported, shape tensor.Shape, perm []int) string {
	data, is := w.numbers[o.node]
	if !is {
		if w.failed == nil {
			w.failed = errors.Errorf("%s is no weight", label(o.node))
		}
		return "?"
	}
	if perm != nil {
		data, shape = permuted(data, shape, perm)
	}
	key := fmt.Sprintf("%d %v %v", o.node.ID(), shape, perm)
	if name, have := w.constants[key]; have {
		return name
	}
	name := label(o.node)
	if f, fused := o.node.Op().(*op); fused {
		if c, is := f.spec.(combine); is && len(c.coefs) == 1 && f.kids[0].Op() == nil { // a weight times its factor
			name = f.kids[0].Name()
		} else if name = "constant"; f.scope != "" {
			name = f.scope + "/constant"
		}
	}
	name = w.unique(name)
	w.constants[key] = name
	w.g.Tensors = append(w.g.Tensors, onnx.Tensor{Name: name, Shape: slices.Clone([]int(shape)), Data: data})
	return name
}

// permuted is an array with its axes in another order: axis i of the result is axis perm[i] of the operand.
func permuted(data []float32, shape tensor.Shape, perm []int) ([]float32, tensor.Shape) {
	to, strides := make(tensor.Shape, len(perm)), make([]int, len(shape))
	for i, n := len(shape)-1, 1; i >= 0; i-- {
		strides[i] = n
		n *= shape[i]
	}
	for i, p := range perm {
		to[i] = shape[p]
	}
	out := make([]float32, len(data))
	at := make([]int, len(to))
	for k := range out {
		from := 0
		for i, p := range perm {
			from += at[i] * strides[p]
		}
		out[k] = data[from]
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < to[i] {
				break
			}
			at[i] = 0
		}
	}
	return out, to
}

// constant is a constant of the graph, one for equal ones.
func (w *onnxWriter) constant(name string, shape []int, data any) string {
	key := fmt.Sprint(shape, data)
	if have, is := w.constants[key]; is {
		return have
	}
	name = w.unique(name)
	w.constants[key] = name
	w.g.Tensors = append(w.g.Tensors, onnx.Tensor{Name: name, Shape: shape, Data: data})
	return name
}

// number is a scalar.
func (w *onnxWriter) number(v float64) string {
	return w.constant("number "+strconv.FormatFloat(v, 'g', -1, 32), nil, []float32{float32(v)})
}

// list is a list of whole numbers.
func (w *onnxWriter) list(v ...int) string {
	d := make([]int64, len(v))
	for i, n := range v {
		d[i] = int64(n)
	}
	return w.constant("list "+strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]"), []int{len(v)}, d)
}

// reshape gives each sample another shape.
func (w *onnxWriter) reshape(x string, sample ...int) string {
	return w.add("Reshape", []string{x, w.list(append([]int{0}, sample...)...)})
}

// zeros is an array of zeros with the batch of the first input.
func (w *onnxWriter) zeros(sample tensor.Shape) string {
	batch := w.add("Shape", []string{w.g.Inputs[0].Name}, onnx.Int("start", 0), onnx.Int("end", 1))
	to := w.add("Concat", []string{batch, w.list(sample...)}, onnx.Int("axis", 0))
	return w.add("ConstantOfShape", []string{to})
}

// times is c x.
func (w *onnxWriter) times(x string, c float64) string {
	if c == 1 {
		return x
	}
	return w.add("Mul", []string{x, w.number(c)})
}

// toChannels and fromChannels are images with channels in front, which ONNX has, and behind, which we have.
func (w *onnxWriter) toChannels(x string) string {
	return w.add("Transpose", []string{x}, onnx.Ints("perm", 0, 3, 1, 2))
}
func (w *onnxWriter) fromChannels(x string) string {
	return w.add("Transpose", []string{x}, onnx.Ints("perm", 0, 2, 3, 1))
}

func (o activate) export(w *onnxWriter, in []*exported) string {
	x := w.nameOf(in[0])
	one := []string{x}
	switch o.f {
	case Tanh:
		return w.add("Tanh", one)
	case HardTanh:
		return w.add("Clip", []string{x, w.number(-1), w.number(1)})
	case Sigmoid:
		return w.add("Sigmoid", one)
	case ReLU:
		return w.add("Relu", one)
	case LeakyReLU:
		return w.add("LeakyRelu", one, onnx.Float("alpha", .01))
	case GELU:
		return w.add("Gelu", one, onnx.Text("approximate", "tanh"))
	case SELU:
		return w.add("Selu", one)
	case SiLU:
		return w.add("Mul", []string{x, w.add("Sigmoid", one)})
	}
	if w.failed == nil {
		w.failed = errors.Errorf("the activation %s has no counterpart in ONNX here", o.f)
	}
	return "?"
}

// export of a product takes Gemm for matrices, which keeps the weight as it is.
func (o matmul) export(w *onnxWriter, in []*exported) string {
	x := w.nameOf(in[0])
	if in[0].shape().Dims() == 2 {
		attrs := []onnx.Attr{onnx.Float("alpha", o.alpha)}
		if o.bias {
			attrs = append(attrs, onnx.Float("beta", o.alpha))
		}
		if o.transB {
			attrs = append(attrs, onnx.Int("transB", 1))
		}
		return w.add("Gemm", append([]string{x}, w.names(in[1:]...)...), attrs...)
	}
	var perm []int
	if o.transB {
		perm = []int{1, 0}
	}
	y := w.add("MatMul", []string{x, w.weight(in[1], in[1].shape(), perm)})
	if o.bias {
		y = w.add("Add", []string{y, w.nameOf(in[2])})
	}
	return w.times(y, o.alpha)
}

func (rowAdd) export(w *onnxWriter, in []*exported) string { return w.add("Add", w.names(in...)) }
func (rowMul) export(w *onnxWriter, in []*exported) string { return w.add("Mul", w.names(in...)) }

// export of a linear combination leaves out what is zero.
func (o combine) export(w *onnxWriter, in []*exported) string {
	y, sign := "", 1.
	for i, x := range in {
		c := o.coefs[i]
		switch {
		case x.zero || c == 0 && y != "":
		case y == "":
			y = w.times(w.nameOf(x), c)
		default:
			kind := "Add"
			if sign = 1; c == -1 {
				kind, sign = "Sub", -1
			}
			y = w.add(kind, []string{y, w.times(w.nameOf(x), sign*c)})
		}
	}
	return y
}

func (hadamard) export(w *onnxWriter, in []*exported) string    { return w.add("Mul", w.names(in...)) }
func (scaleBy) export(w *onnxWriter, in []*exported) string     { return w.add("Mul", w.names(in...)) }
func (timesColumn) export(w *onnxWriter, in []*exported) string { return w.add("Mul", w.names(in...)) }
func (copied) export(w *onnxWriter, in []*exported) string      { return w.nameOf(in[0]) }

func (o chosen) export(w *onnxWriter, in []*exported) string {
	return w.add("Where", []string{w.isSet(in[0]), w.nameOf(in[1]), w.nameOf(in[2])})
}

func (o masked) export(w *onnxWriter, in []*exported) string {
	x, zero := w.nameOf(in[1]), w.number(0)
	if o.clamped {
		return w.add("Where", []string{w.isSet(in[0]), x, zero})
	}
	return w.add("Where", []string{w.isSet(in[0]), zero, x})
}

// isSet is a mask as truth values.
func (w *onnxWriter) isSet(mask *exported) string {
	return w.add("Cast", []string{w.nameOf(mask)}, onnx.Int("to", int(onnx.Bool)))
}

// hidden is what stands for minus infinity in logits: its exponential is zero beside that of any number that is not near it, and a row of
// nothing else gives no NaN.
const hidden = -math.MaxFloat32

// export of attention is what multiHead says, head by head in a dimension of its own.
func (o attention) export(w *onnxWriter, in []*exported) string {
	s := in[0].shape()
	t, n := s[1], s[2]/3
	d := n / o.heads
	part := func(k int, perm ...int) string { // [N, heads, t, d], or transposed
		x := w.add("Slice", []string{w.nameOf(in[0]), w.list(k * n), w.list((k + 1) * n), w.list(2)})
		return w.add("Transpose", []string{w.reshape(x, t, o.heads, d)}, onnx.Ints("perm", perm...))
	}
	a := w.times(w.add("MatMul", []string{part(0, 0, 2, 1, 3), part(1, 0, 2, 3, 1)}), o.scale)
	hide := ""
	if o.causal && t > 1 {
		late := make([]bool, t*t)
		for i := range t {
			for j := i + 1; j < t; j++ {
				late[i*t+j] = true
			}
		}
		hide = w.constant("later tokens", []int{1, 1, t, t}, late)
	}
	if o.masked {
		padding := w.reshape(w.add("Greater", []string{w.nameOf(in[1]), w.number(0)}), 1, 1, t)
		if hide == "" {
			hide = padding
		} else {
			hide = w.add("Or", []string{hide, padding})
		}
	}
	if hide != "" {
		a = w.add("Where", []string{hide, w.number(hidden), a})
	}
	a = w.add("Softmax", []string{a}, onnx.Int("axis", -1))
	if o.masked { // a token that sees none gives zeros
		a = w.add("Where", []string{hide, w.number(0), a})
	}
	y := w.add("Transpose", []string{w.add("MatMul", []string{a, part(2, 0, 2, 1, 3)})}, onnx.Ints("perm", 0, 2, 1, 3))
	return w.reshape(y, t, n)
}

func (lookup) export(w *onnxWriter, in []*exported) string {
	ids := w.add("Cast", []string{w.nameOf(in[0])}, onnx.Int("to", int(onnx.Int64)))
	return w.add("Gather", []string{w.nameOf(in[1]), ids}, onnx.Int("axis", 0))
}

func (o standardise) export(w *onnxWriter, in []*exported) string {
	x, n := w.nameOf(in[0]), last(in[0].shape())
	if o.centre {
		ones := make([]float32, n)
		for i := range ones {
			ones[i] = 1
		}
		return w.add("LayerNormalization", []string{x, w.constant("ones", []int{n}, ones)}, onnx.Int("axis", -1), onnx.Float("epsilon", o.eps))
	}
	square := w.add("ReduceMean", []string{w.add("Mul", []string{x, x}), w.list(-1)}, onnx.Int("keepdims", 1))
	return w.add("Div", []string{x, w.add("Sqrt", []string{w.add("Add", []string{square, w.number(o.eps)})})})
}

func (o conv2d) export(w *onnxWriter, in []*exported) string {
	c := o.c
	attrs := []onnx.Attr{onnx.Ints("kernel_shape", c.Kernel[:]...), onnx.Ints("strides", c.Stride[:]...), onnx.Ints("pads", c.Pad[0], c.Pad[1], c.Pad[0], c.Pad[1]),
		onnx.Ints("dilations", c.Dilation[:]...), onnx.Int("group", c.Groups)}
	ops := []string{w.toChannels(w.nameOf(in[0])), w.weight(in[1], in[1].shape(), []int{3, 2, 0, 1})}
	return w.fromChannels(w.add("Conv", append(ops, w.names(in[2:]...)...), attrs...))
}

// export of a transposed convolution: what the size of the result is beyond the smallest is output_padding.
func (o convInput) export(w *onnxWriter, in []*exported) string {
	c := o.c
	extra := make([]int, 2)
	for a := range extra {
		extra[a] = c.Image[a] - ((in[0].shape()[1+a]-1)*c.Stride[a] - 2*c.Pad[a] + c.Dilation[a]*(c.Kernel[a]-1) + 1)
	}
	attrs := []onnx.Attr{onnx.Ints("kernel_shape", c.Kernel[:]...), onnx.Ints("strides", c.Stride[:]...), onnx.Ints("pads", c.Pad[0], c.Pad[1], c.Pad[0], c.Pad[1]),
		onnx.Ints("dilations", c.Dilation[:]...), onnx.Int("group", c.Groups), onnx.Ints("output_padding", extra...)}
	ops := []string{w.toChannels(w.nameOf(in[0])), w.weight(in[1], in[1].shape(), []int{3, 2, 0, 1})}
	return w.fromChannels(w.add("ConvTranspose", append(ops, w.names(in[2:]...)...), attrs...))
}

// pooled adds a pooling of images.
func (w *onnxWriter) pooled(kind string, x *exported, size, stride, pad [2]int, attrs ...onnx.Attr) string {
	attrs = append(attrs, onnx.Ints("kernel_shape", size[:]...), onnx.Ints("strides", stride[:]...), onnx.Ints("pads", pad[0], pad[1], pad[0], pad[1]))
	return w.fromChannels(w.add(kind, []string{w.toChannels(w.nameOf(x))}, attrs...))
}

func (o maxPool) export(w *onnxWriter, in []*exported) string {
	return w.pooled("MaxPool", in[0], o.p.Size, o.p.Stride, o.p.Pad)
}

func (o meanPool) export(w *onnxWriter, in []*exported) string {
	return w.pooled("AveragePool", in[0], o.p.Size, o.p.Stride, o.p.Pad, onnx.Int("count_include_pad", 1))
}

func (o reshape) export(w *onnxWriter, in []*exported) string {
	return w.reshape(w.nameOf(in[0]), o.to[1:]...)
}

func (joined) export(w *onnxWriter, in []*exported) string {
	return w.add("Concat", w.names(in...), onnx.Int("axis", -1))
}

func (o columns) export(w *onnxWriter, in []*exported) string {
	return w.add("Slice", []string{w.nameOf(in[0]), w.list(o.lo), w.list(o.hi), w.list(-1)})
}

func (logSoftmax) export(w *onnxWriter, in []*exported) string {
	return w.add("LogSoftmax", w.names(in...), onnx.Int("axis", -1))
}

func (rowDots) export(w *onnxWriter, in []*exported) string {
	return w.add("ReduceSum", []string{w.add("Mul", w.names(in...)), w.list(-1)}, onnx.Int("keepdims", 1))
}

func (elementExp) export(w *onnxWriter, in []*exported) string { return w.add("Exp", w.names(in...)) }
func (elementLog) export(w *onnxWriter, in []*exported) string { return w.add("Log", w.names(in...)) }
func (absolute) export(w *onnxWriter, in []*exported) string   { return w.add("Abs", w.names(in...)) }

func (o power) export(w *onnxWriter, in []*exported) string {
	return w.add("Pow", []string{w.nameOf(in[0]), w.number(o.p)})
}
