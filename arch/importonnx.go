package arch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/layers"
)

// An Imported is a network that came from a file, with its weights.
type Imported[T graph.Float] struct {
	Network *Network
	Weights *graph.Vector[T]
	Notes   []string // what was decided that the file does not say, in sentences
}

// ImportONNX reads an ONNX model as a network whose feedforward pass computes what the model does, so that a network trained elsewhere
// goes on here under predictive coding.
//
// Blocks end where weights do: at the sums that a linear map or convolution gives, before the next activation, so that a chain
// Gemm, Relu, Gemm becomes two blocks, the second one with the activation in front of its weights. A sum of two branches is one block
// with skips. Pools, normalisations and reshapes are parts of the block of the weights before them, or behind if an
// activation comes first. Images are channels-last here: those of a model that wants [N, channels, height, width] are to be given as
// [N, height, width, channels], which the Notes say; weights behind a flattened image are put into that order.
//
// It knows Gemm, MatMul, Add, Sub, Mul, Conv, ConvTranspose, MaxPool, AveragePool, GlobalAveragePool, ReduceMean over images, BatchNormalization
// (folded into the weights before it), LayerNormalization, Gather (an Embedding), Concat, Flatten, Reshape, Transpose between orders of
// channels, the activations of package layers, Dropout (left out), and Softmax at the output (left out: outputs are logits here). Errors name the
// node and the reason.
func ImportONNX[T graph.Float](path string) (*Imported[T], error) {
	m, err := onnx.ReadFile(path)
	if err != nil {
		return nil, errors.WithMessage(err, "arch: import")
	}
	in, err := FromONNX[T](m)
	return in, errors.WithMessagef(err, "arch: import %s", path)
}

// FromONNX is ImportONNX of a model that was read.
func FromONNX[T graph.Float](m *onnx.Model) (*Imported[T], error) {
	im := &importer{g: &m.Graph, n: &Network{}, values: make(map[string]*flow), constants: make(map[string]*constant), by: make(map[string]*onnx.Node), uses: make(map[string]int), readers: make(map[string][]*onnx.Node)}
	if err := im.run(); err != nil {
		return nil, err
	}
	if err := im.n.Validate(); err != nil {
		return nil, err
	}
	w, err := NewWeights[T](im.n, rand.New(rand.NewPCG(0, 0)))
	if err != nil {
		return nil, err
	}
	if len(w.Fields()) != len(im.weights) {
		return nil, errors.Errorf("%d weights for a network of %d", len(im.weights), len(w.Fields()))
	}
	for i, f := range w.Fields() {
		part := w.Part(w.Data(), i)
		first, _ := w.Span(i)
		if len(part) != len(im.weights[i]) {
			return nil, errors.Errorf("%d numbers for the weight %s %v", len(im.weights[i]), f.Name, f.Shape)
		}
		for j, v := range im.weights[i] {
			if part[j] = T(v); part[j]-part[j] != 0 {
				return nil, errors.Errorf("weight %s is %v: the training that it comes from went wrong", w.Where(first+j), v)
			}
		}
	}
	w.Touch()
	if _, err := Compile(im.n, w, Plan{Batch: 1, Coordinates: Feedforward}); err != nil {
		return nil, err
	}
	return &Imported[T]{Network: im.n, Weights: w, Notes: im.notes}, nil
}

// String lists the blocks of the network, one a line.
func (in *Imported[T]) String() string {
	return strings.Join(in.Network.lines(), "\n")
}

// An importer turns a graph into a network, node by node.
type importer struct {
	g         *onnx.Graph
	n         *Network
	values    map[string]*flow
	constants map[string]*constant
	by        map[string]*onnx.Node // that gives a value
	uses      map[string]int
	readers   map[string][]*onnx.Node
	weights   [][]float64 // in the order of the network's slab
	size      int         // numbers in weights and in the activities of a sample
	notes     []string
}

// A constant is a tensor that depends on no input. In the shape of a value with a batch, the batch is 0, as Reshape has it.
type constant struct {
	shape []int
	v     []float64
}

// A step is a layer with its weights in the order of its Params.
type step struct {
	layer   layers.Layer
	weights [][]float64
}

// A flow is a value of the graph: what layers that are no block yet make of sites.
type flow struct {
	from  []string
	merge layers.Merge // of several
	steps []step
	skips []flow // added, without skips of their own

	shape []int // of a sample, as it is here
	first bool  // for ONNX the shape is [channels, height, width]
	flat  []int // a vector that is, for ONNX, flattened from this shape [channels, height, width]; nil
	tail  bool  // for ONNX there are two more dimensions, of size 1
}

// weighty reports whether the flow has weights, or is a sum: what becomes a site before an activation.
func (f *flow) weighty() bool {
	return len(f.skips) > 0 || f.merge != nil || slices.ContainsFunc(f.steps, func(s step) bool { return len(s.weights) > 0 })
}

// bare reports whether the flow is a site itself.
func (f *flow) bare() bool { return len(f.steps) == 0 && len(f.skips) == 0 && f.merge == nil }

// with is the flow with one more step, of a sample shape.
func (f *flow) with(shape []int, s step) *flow {
	g := *f
	g.shape, g.steps = shape, append(slices.Clip(f.steps), s)
	return &g
}

// replaced is the flow with another last step.
func (f *flow) replaced(s step) *flow {
	g := *f
	g.steps = append(slices.Clone(f.steps[:len(f.steps)-1]), s)
	return &g
}

// say adds a note, once.
func (im *importer) say(format string, args ...any) {
	if note := fmt.Sprintf(format, args...); !slices.Contains(im.notes, note) {
		im.notes = append(im.notes, note)
	}
}

// What a file can make at most: blocks, and numbers in weights and in the activities of a sample.
const (
	mostImported = 1 << 14
	mostNumbers  = 1 << 28
)

func (im *importer) run() error {
	for i := range im.g.Tensors {
		t := &im.g.Tensors[i]
		if im.constants[t.Name] != nil {
			return errors.Errorf("two tensors are named %q", t.Name)
		}
		im.constants[t.Name] = constantOf(t)
	}
	for i := range im.g.Nodes {
		for _, name := range im.g.Nodes[i].In {
			im.uses[name]++
			im.readers[name] = append(im.readers[name], &im.g.Nodes[i])
		}
	}
	for _, out := range im.g.Outputs {
		im.uses[out.Name]++
	}
	if err := im.inputs(); err != nil {
		return err
	}
	for i := range im.g.Nodes {
		n := &im.g.Nodes[i]
		if err := im.node(n); err != nil {
			return errors.WithMessagef(err, "node %d, %s", i+1, n)
		}
	}
	return im.outputs()
}

// inputs adds those that are no tensors.
func (im *importer) inputs() error {
	var free []onnx.Value
	for _, in := range im.g.Inputs {
		if im.constants[in.Name] == nil {
			free = append(free, in)
		}
	}
	if len(free) == 0 {
		return errors.New("the graph has no input")
	}
	for _, in := range free {
		switch in.Type {
		case onnx.Float32, onnx.Float64, onnx.Int64, onnx.Int32:
		default:
			return errors.Errorf("input %q is of type %s: want float, or int64 for ids of an embedding", in.Name, in.Type)
		}
		if im.values[in.Name] != nil {
			return errors.Errorf("two inputs are named %q", in.Name)
		}
		if len(in.Shape) < 2 || len(in.Shape) > 4 {
			return errors.Errorf("input %q has %d dimensions: want [N, features], [N, tokens, features] or [N, channels, height, width]", in.Name, len(in.Shape))
		}
		var shape []int
		for _, d := range in.Shape[1:] {
			if d.Name != "" || d.Size < 1 || d.Size > graph.MaxElements {
				return errors.Errorf("input %q has a dimension %q of size %d behind the batch: only the batch may be open: export it with fixed sizes", in.Name, d.Name, d.Size)
			}
			shape = append(shape, int(d.Size))
		}
		if n, fits := graph.Elements(shape); !fits || n > mostNumbers {
			return errors.Errorf("input %q of shape %v is too large", in.Name, shape)
		}
		name := InputName
		if len(free) > 1 {
			name = plainName(in.Name)
		}
		f := &flow{from: []string{name}, shape: shape}
		if len(shape) == 3 && !im.turned(in.Name) {
			f.shape, f.first = []int{shape[1], shape[2], shape[0]}, true
			if shape[0] > 1 {
				im.say("Input %q is [N, channels, height, width] = [N, %d, %d, %d] in the file: give images as [height, width, channels].", in.Name, shape[0], shape[1], shape[2])
			}
		}
		im.values[in.Name] = f
		if len(free) == 1 {
			im.n.Input = f.shape
		} else {
			im.n.Inputs = append(im.n.Inputs, Input{Name: name, Shape: f.shape})
		}
	}
	return nil
}

// plainName is a name for a site.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == ':' || r < ' ' {
			return '_'
		}
		return r
	}, name)
}

// turned reports whether a value of four dimensions has its channels behind: Transpose puts it into the order of ONNX, perhaps behind
// activations.
func (im *importer) turned(name string) bool {
	for range 8 {
		next := ""
		for _, n := range im.readers[name] {
			if a := n.Attr("perm"); n.Op == "Transpose" && a != nil && slices.Equal(a.Ints, []int64{0, 3, 1, 2}) {
				return true
			}
			if _, is := importActs[n.Op]; is && len(n.Out) > 0 {
				next = n.Out[0]
			}
		}
		name = next
	}
	return false
}

// outputs ends the network.
func (im *importer) outputs() error {
	if len(im.g.Outputs) == 0 {
		return errors.New("the graph has no output")
	}
	for _, out := range im.g.Outputs {
		f := im.values[out.Name]
		if f == nil {
			return errors.Errorf("the output %q is given by no node that depends on an input", out.Name)
		}
		if f.flat != nil || f.first && f.shape[2] > 1 {
			im.say("Output %q has its channels in front in the file, and behind here.", out.Name)
		}
		isInput := func(name string) bool {
			return name == InputName && im.n.Input != nil || slices.ContainsFunc(im.n.Inputs, func(i Input) bool { return i.Name == name })
		}
		if !f.bare() || isInput(f.from[0]) {
			var err error
			if f, err = im.cut(f); err != nil {
				return errors.WithMessagef(err, "output %q", out.Name)
			}
		}
		for i := range im.n.Blocks {
			if im.n.Blocks[i].Name == f.from[0] {
				im.n.Blocks[i].Output = true
			}
		}
	}
	if len(im.g.Outputs) == 1 && im.n.Blocks[len(im.n.Blocks)-1].Output {
		im.n.Blocks[len(im.n.Blocks)-1].Output = false // which is what the last one is anyway
	}
	return nil
}

// composed is the layer of several steps.
func composed(steps []step) layers.Layer {
	switch len(steps) {
	case 0:
		return layers.Identity{}
	case 1:
		return steps[0].layer
	}
	var c layers.Compose
	for _, s := range steps {
		c = append(c, s.layer)
	}
	return c
}

// cut makes a block of a flow, and returns its site.
func (im *importer) cut(f *flow) (*flow, error) {
	if len(im.n.Blocks) >= mostImported {
		return nil, errors.Errorf("more than %d blocks", mostImported)
	}
	b := Block{Name: "block" + strconv.Itoa(len(im.n.Blocks)+1), Layer: composed(f.steps), From: f.from, Merge: f.merge}
	before := InputName
	if k := len(im.n.Blocks); k > 0 {
		before = im.n.Blocks[k-1].Name
	}
	if len(b.From) == 1 && b.From[0] == before && b.Merge == nil && (before != InputName || im.n.Input != nil) {
		b.From = nil
	}
	for _, s := range f.steps {
		im.weights = append(im.weights, s.weights...)
	}
	for _, s := range f.skips {
		skip := Skip{From: s.from[0], Layer: composed(s.steps)}
		if f.merge == nil && skip.From == f.from[0] {
			skip.From = ""
		}
		b.Skips = append(b.Skips, skip)
		for _, s := range s.steps {
			im.weights = append(im.weights, s.weights...)
		}
	}
	im.n.Blocks = append(im.n.Blocks, b)
	return &flow{from: []string{b.Name}, shape: f.shape, first: f.first, flat: f.flat, tail: f.tail}, nil
}

// ready is a flow that a layer can be added to: a sum with skips becomes a site first.
func (im *importer) ready(f *flow) (*flow, error) {
	if len(f.skips) > 0 {
		return im.cut(f)
	}
	return f, nil
}

// value is operand i of a node.
func (im *importer) value(n *onnx.Node, i int) (*flow, error) {
	if i >= len(n.In) || n.In[i] == "" {
		return nil, errors.Errorf("operand %d is missing", i+1)
	}
	name := n.In[i]
	if f := im.values[name]; f != nil {
		return f, nil
	}
	if im.constants[name] != nil {
		return nil, errors.Errorf("operand %d, %q, is a constant where a value that depends on an input is known here", i+1, name)
	}
	return nil, errors.Errorf("operand %q is given by no node before it: the nodes are out of order, or in a cycle", name)
}

// constantIn is operand i of a node, which must be a constant.
func (im *importer) constantIn(n *onnx.Node, i int) (*constant, error) {
	if i >= len(n.In) || n.In[i] == "" {
		return nil, errors.Errorf("operand %d is missing", i+1)
	}
	c := im.constants[n.In[i]]
	if c == nil {
		return nil, errors.Errorf("operand %d, %q, depends on an input, and only a constant is known here", i+1, n.In[i])
	}
	return c, nil
}

// has reports whether a node has operand i.
func has(n *onnx.Node, i int) bool { return i < len(n.In) && n.In[i] != "" }

func constantOf(t *onnx.Tensor) *constant {
	c := &constant{shape: t.Shape}
	switch d := t.Data.(type) {
	case []float32:
		c.v = widened(d)
	case []float64:
		c.v = d
	case []int32:
		c.v = widened(d)
	case []int64:
		c.v = widened(d)
	case []bool:
		c.v = make([]float64, len(d))
		for i, b := range d {
			if b {
				c.v[i] = 1
			}
		}
	}
	return c
}

func widened[V float32 | int32 | int64](d []V) []float64 {
	v := make([]float64, len(d))
	for i, x := range d {
		v[i] = float64(x)
	}
	return v
}

// node adds what a node gives.
func (im *importer) node(n *onnx.Node) error {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return errors.Errorf("it is of the domain %q, which is not known", n.Domain)
	}
	if len(n.Out) == 0 || n.Out[0] == "" {
		return errors.New("it gives nothing")
	}
	for _, out := range n.Out {
		if out != "" && (im.values[out] != nil || im.constants[out] != nil) {
			return errors.Errorf("it gives %q, which is given already", out)
		}
	}
	for _, a := range n.Attrs {
		if a.Type == onnx.GraphAttr {
			return errors.Errorf("it holds a graph (%s), which is not known", a.Name)
		}
	}
	if done, err := im.fold(n); done || err != nil {
		return err
	}
	op, known := importOps[n.Op]
	if !known {
		return errors.Errorf("the operation is not known: there are %s", strings.Join(slices.Sorted(maps.Keys(importOps)), ", "))
	}
	for _, out := range n.Out[1:] {
		if im.uses[out] > 0 {
			return errors.Errorf("its second result %q is used, which is not known", out)
		}
	}
	im.by[n.Out[0]] = n
	f, err := op(im, n)
	if err != nil {
		return err
	}
	total := 1
	for _, d := range f.shape {
		if total *= d; total > mostNumbers {
			return errors.Errorf("samples %v are too large", f.shape)
		}
	}
	if k := len(f.steps) - 1; k >= 0 {
		for _, w := range f.steps[k].weights {
			total += len(w)
		}
	}
	if im.size += total; im.size > mostNumbers {
		return errors.Errorf("with it, weights and activities of a sample are more than %d numbers", mostNumbers)
	}
	if im.uses[n.Out[0]] > 1 && f.weighty() {
		if f, err = im.cut(f); err != nil {
			return err
		}
	}
	im.values[n.Out[0]] = f
	return nil
}
