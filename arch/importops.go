package arch

import (
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/layers"
)

// importOps are the operations that are read.
var importOps map[string]func(im *importer, n *onnx.Node) (*flow, error)

// importActs are activations without parameters, or with those that they have here (checked by actOf).
var importActs = map[string]layers.Act{"Tanh": layers.Tanh, "Sigmoid": layers.Sigmoid, "Relu": layers.ReLU, "LeakyRelu": layers.LeakyReLU,
	"Gelu": layers.GELU, "Selu": layers.SELU, "Clip": layers.HardTanh}

func init() { // the table's functions call what reads the table
	importOps = map[string]func(im *importer, n *onnx.Node) (*flow, error){
		"Gemm": (*importer).gemm, "MatMul": (*importer).gemm, "Add": (*importer).add, "Sub": (*importer).add, "Mul": (*importer).mul, "Div": (*importer).mul,
		"Conv": (*importer).conv, "ConvTranspose": (*importer).conv, "MaxPool": (*importer).pool, "AveragePool": (*importer).pool,
		"GlobalAveragePool": (*importer).globalPool, "ReduceMean": (*importer).globalPool, "BatchNormalization": (*importer).batchNorm,
		"LayerNormalization": (*importer).layerNorm, "Gather": (*importer).gather, "Concat": (*importer).concat,
		"Flatten": (*importer).reshape, "Reshape": (*importer).reshape, "Squeeze": (*importer).reshape, "Unsqueeze": (*importer).reshape, "Transpose": (*importer).transpose,
		"Identity": (*importer).same, "Dropout": (*importer).same, "Cast": (*importer).same, "Softmax": (*importer).softmax, "LogSoftmax": (*importer).softmax,
	}
	for op := range importActs {
		importOps[op] = (*importer).act
	}
}

// Parameters of nodes.
func intOf(n *onnx.Node, name string, otherwise int) int {
	if a := n.Attr(name); a != nil {
		return int(a.Int)
	}
	return otherwise
}

func floatOf(n *onnx.Node, name string, otherwise float64) float64 {
	if a := n.Attr(name); a != nil {
		return float64(a.Float)
	}
	return otherwise
}

func intsOf(n *onnx.Node, name string, otherwise ...int) []int {
	a := n.Attr(name)
	if a == nil {
		return otherwise
	}
	v := make([]int, len(a.Ints))
	for i, x := range a.Ints {
		v[i] = int(x)
	}
	return v
}

// fold computes nodes of constants: reshapes, and the arithmetic of shapes that exporters write for a flatten of any batch.
func (im *importer) fold(n *onnx.Node) (bool, error) {
	give := func(c *constant) (bool, error) {
		im.constants[n.Out[0]] = c
		return true, nil
	}
	switch n.Op {
	case "Constant":
		switch a := n.Attr("value"); {
		case a != nil && a.Tensor != nil && a.Tensor.Data != nil:
			return give(constantOf(a.Tensor))
		case n.Attr("value_float") != nil:
			return give(&constant{v: []float64{floatOf(n, "value_float", 0)}})
		case n.Attr("value_int") != nil:
			return give(&constant{v: []float64{float64(intOf(n, "value_int", 0))}})
		case n.Attr("value_ints") != nil:
			v := widened(n.Attr("value_ints").Ints)
			return give(&constant{shape: []int{len(v)}, v: v})
		case n.Attr("value_floats") != nil:
			v := widened(n.Attr("value_floats").Floats)
			return give(&constant{shape: []int{len(v)}, v: v})
		}
		return false, errors.New("its value is of a kind that is not known")
	case "Shape":
		f, err := im.value(n, 0)
		if err != nil {
			return false, err
		}
		if n.Attr("start") != nil || n.Attr("end") != nil {
			return false, errors.New("parts of a shape are not known: simplify the model first")
		}
		v := []float64{0}
		for _, d := range f.outside() {
			v = append(v, float64(d))
		}
		return give(&constant{shape: []int{len(v)}, v: v})
	}
	for _, name := range n.In {
		if name != "" && im.constants[name] == nil {
			return false, nil
		}
	}
	if len(n.In) == 0 {
		return false, nil
	}
	c := im.constants[n.In[0]]
	if c == nil {
		return false, nil
	}
	switch n.Op {
	case "Identity", "Cast":
		return give(c)
	case "Transpose":
		perm := intsOf(n, "perm")
		if perm == nil {
			for i := range c.shape {
				perm = append(perm, len(c.shape)-1-i)
			}
		}
		if sorted := slices.Sorted(slices.Values(perm)); len(sorted) != len(c.shape) || slices.ContainsFunc(sorted, func(p int) bool { return p < 0 || p >= len(sorted) || sorted[p] != p }) {
			return false, errors.Errorf("axes %v of a constant of shape %v", perm, c.shape)
		}
		return give(c.transposed(perm))
	case "Reshape":
		to, err := im.constantIn(n, 1)
		if err != nil {
			return false, err
		}
		shape, err := reshaped(c.shape, to)
		if err != nil {
			return false, err
		}
		return give(&constant{shape: shape, v: c.v})
	case "Unsqueeze", "Squeeze":
		if len(c.v) == 1 {
			shape := []int{1}
			if n.Op == "Squeeze" {
				shape = nil
			}
			return give(&constant{shape: shape, v: c.v})
		}
	case "Gather":
		at, err := im.constantIn(n, 1)
		if err != nil {
			return false, err
		}
		if len(c.shape) == 1 && len(at.v) == 1 && math.Abs(at.v[0]) < float64(len(c.v)) {
			k := int(at.v[0])
			if k < 0 {
				k += len(c.v)
			}
			return give(&constant{shape: at.shape, v: c.v[k : k+1]})
		}
	case "Concat":
		var v []float64
		for _, name := range n.In {
			if len(im.constants[name].shape) != 1 || len(v) > 64 {
				return false, errors.New("a join of constants that are no short lists is not known")
			}
			v = append(v, im.constants[name].v...)
		}
		return give(&constant{shape: []int{len(v)}, v: v})
	}
	return false, nil
}

// reshaped is the shape that Reshape gives a constant.
func reshaped(shape []int, to *constant) ([]int, error) {
	size, open, rest := 1, -1, 1
	for _, d := range shape {
		size *= d
	}
	if len(to.v) > 8 {
		return nil, errors.Errorf("a reshape of %v to %d dimensions", shape, len(to.v))
	}
	out := make([]int, len(to.v))
	for i, d := range to.v {
		switch out[i] = int(d); {
		case d == 0 && i < len(shape):
			out[i] = shape[i]
		case d == -1 && open < 0:
			open = i
			continue
		case !(d > 0 && d < mostSide):
			return nil, errors.Errorf("a reshape of %v to %v", shape, to.v)
		}
		if rest *= out[i]; rest > size {
			return nil, errors.Errorf("a reshape of %v to %v", shape, to.v)
		}
	}
	if open >= 0 && rest > 0 {
		out[open], rest = size/rest, size/rest*rest
	}
	if rest != size {
		return nil, errors.Errorf("a reshape of %v to %v", shape, to.v)
	}
	return out, nil
}

// mostSide bounds a dimension.
const mostSide = 1 << 28

func (c *constant) transposed(perm []int) *constant {
	to, strides := make([]int, len(perm)), make([]int, len(perm))
	for i, n := len(perm)-1, 1; i >= 0; i-- {
		strides[i], n = n, n*c.shape[i]
	}
	for i, p := range perm {
		to[i] = c.shape[p]
	}
	out, at := make([]float64, len(c.v)), make([]int, len(to))
	for k := range out {
		from := 0
		for i, p := range perm {
			from += at[i] * strides[p]
		}
		out[k] = c.v[from]
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < to[i] {
				break
			}
			at[i] = 0
		}
	}
	return &constant{shape: to, v: out}
}

// outside is the shape of a sample as ONNX has it.
func (f *flow) outside() []int {
	switch {
	case f.first:
		return []int{f.shape[2], f.shape[0], f.shape[1]}
	case f.tail:
		return []int{f.shape[0], 1, 1}
	}
	return f.shape
}

// order is where the numbers of a vector flattened from [channels, height, width] come from when it is flattened from [height, width,
// channels]: element k here is element order[k] there.
func order(flat []int) []int {
	c, h, w := flat[0], flat[1], flat[2]
	at := make([]int, 0, c*h*w)
	for i := range h {
		for j := range w {
			for k := range c {
				at = append(at, (k*h+i)*w+j)
			}
		}
	}
	return at
}

// vector is a constant as one number for each of n features; a single number is repeated.
func (c *constant) vector(n int) ([]float64, bool) {
	if len(c.v) == 1 {
		return slices.Repeat(c.v, n), true
	}
	if len(c.v) != n {
		return nil, false
	}
	wide := 0
	for _, d := range c.shape {
		if d != 1 {
			wide++
		}
	}
	return c.v, wide == 1
}

// gemm is alpha A B + beta C, or A B, with a constant B.
func (im *importer) gemm(n *onnx.Node) (*flow, error) {
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	b, err := im.constantIn(n, 1)
	if err != nil {
		return nil, err
	}
	if f, err = im.ready(f); err != nil {
		return nil, err
	}
	if len(b.shape) != 2 || f.first || f.tail || n.Op == "Gemm" && len(f.shape) != 1 {
		return nil, errors.Errorf("a product of samples %v by %v: want features by a matrix", f.outside(), b.shape)
	}
	if intOf(n, "transA", 0) != 0 {
		return nil, errors.New("the transpose of its first operand is over the batch, which is not known")
	}
	if intOf(n, "transB", 0) != 0 {
		b = b.transposed([]int{1, 0})
	}
	in, out := b.shape[0], b.shape[1]
	if f.shape[len(f.shape)-1] != in {
		return nil, errors.Errorf("a product of samples %v by %v", f.outside(), b.shape)
	}
	w, alpha := slices.Clone(b.v), floatOf(n, "alpha", 1)
	if f.flat != nil {
		for k, from := range order(f.flat) {
			copy(w[k*out:(k+1)*out], b.v[from*out:(from+1)*out])
		}
	}
	for i := range w {
		w[i] *= alpha
	}
	s := step{layer: layers.Linear{In: in, Out: out}, weights: [][]float64{w}}
	if has(n, 2) && n.Op == "Gemm" {
		c, err := im.constantIn(n, 2)
		if err != nil {
			return nil, err
		}
		v, fits := c.vector(out)
		if !fits || len(c.shape) > 1 && c.shape[len(c.shape)-1] != out && len(c.v) > 1 {
			return nil, errors.Errorf("a bias of shape %v for %d features", c.shape, out)
		}
		s = biased(s, scaledBy(v, floatOf(n, "beta", 1)))
	}
	return im.linear(f, s, append(slices.Clone(f.shape[:len(f.shape)-1]), out)), nil
}

func scaledBy(v []float64, c float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = c * x
	}
	return out
}

// linear adds a linear map or convolution, which takes an activation in front of it as its own.
func (im *importer) linear(f *flow, s step, shape []int) *flow {
	g := *f
	g.flat, g.tail = nil, false
	if k := len(g.steps) - 1; k >= 0 {
		if a, is := g.steps[k].layer.(layers.Activate); is {
			switch l := s.layer.(type) {
			case layers.Linear:
				l.Act = a.Act
				s.layer = l
			case layers.Conv2D:
				l.Act = a.Act
				s.layer = l
			case layers.ConvTranspose2D:
				l.Act = a.Act
				s.layer = l
			}
			g.steps = g.steps[:k]
		}
	}
	return g.with(shape, s)
}

// biased is a linear step plus a vector over its outputs; its layer is nil if it is none.
func biased(s step, v []float64) step {
	had := len(s.weights) > 1
	switch l := s.layer.(type) {
	case layers.Linear:
		l.Bias = true
		s.layer = l
	case layers.Conv2D:
		l.Bias = true
		s.layer = l
	case layers.ConvTranspose2D:
		l.Bias = true
		s.layer = l
	case layers.LayerNorm:
		had = l.Bias
		l.Bias = true
		s.layer = l
	default:
		return step{}
	}
	v = slices.Clone(v)
	s.weights = slices.Clone(s.weights)
	if !had {
		s.weights = append(s.weights, v)
		return s
	}
	last := len(s.weights) - 1
	for i, b := range s.weights[last] {
		v[i] += b
	}
	s.weights[last] = v
	return s
}

// multiplied is a linear step times a vector over its outputs; its layer is nil if it is none.
func multiplied(s step, v []float64) step {
	s.weights = slices.Clone(s.weights)
	switch l := s.layer.(type) {
	case layers.Linear, layers.Conv2D: // the outputs are the last dimension of the weights
		for k, w := range s.weights {
			w = slices.Clone(w)
			for i := range w {
				w[i] *= v[i%len(v)]
			}
			s.weights[k] = w
		}
	case layers.ConvTranspose2D: // [kernel, out/groups, in]
		w, groups := slices.Clone(s.weights[0]), max(1, l.Groups)
		per, in := l.Out/groups, l.In
		for i := range w {
			group := i % in / (in / groups)
			w[i] *= v[group*per+i/in%per]
		}
		s.weights[0] = w
		if l.Bias {
			b := slices.Clone(s.weights[1])
			for i := range b {
				b[i] *= v[i]
			}
			s.weights[1] = b
		}
	case layers.LayerNorm:
		if !l.Gain {
			l.Gain = true
			s.layer = l
			s.weights = append([][]float64{slices.Repeat([]float64{1}, l.Width)}, s.weights...)
		}
		for k, w := range s.weights {
			w = slices.Clone(w)
			for i := range w {
				w[i] *= v[i]
			}
			s.weights[k] = w
		}
	default:
		return step{}
	}
	return s
}

// posted is a linear step with an activation behind it.
func posted(s step, a layers.Act) (step, bool) {
	switch l := s.layer.(type) {
	case layers.Linear:
		l.Post = a
		s.layer = l
		return s, true
	case layers.Conv2D:
		l.Post = a
		s.layer = l
		return s, true
	}
	return s, false
}

// affine applies a change over the last axis to the last step of a flow, if it is linear and its result is read by nothing else.
func affine(f *flow, v []float64, change func(step, []float64) step) *flow {
	k := len(f.steps) - 1
	if k < 0 || len(f.skips) > 0 {
		return nil
	}
	switch l := f.steps[k].layer.(type) {
	case layers.Linear:
		if l.Post != layers.LinearAct {
			return nil
		}
	case layers.Conv2D:
		if l.Post != layers.LinearAct {
			return nil
		}
	case layers.ConvTranspose2D, layers.LayerNorm: // without an activation behind
	default:
		return nil
	}
	if s := change(f.steps[k], v); s.layer != nil {
		return f.replaced(s)
	}
	return nil
}

// overChannels is a constant as a vector over the last axis of a flow.
func overChannels(f *flow, c *constant) ([]float64, bool) {
	n := f.shape[len(f.shape)-1]
	v, fits := c.vector(n)
	if !fits {
		return nil, false
	}
	if len(c.v) == 1 {
		return v, true
	}
	// which axis of ONNX's shape the numbers go along
	behind := 0
	for i := len(c.shape) - 1; i >= 0 && c.shape[i] == 1; i-- {
		behind++
	}
	want := 0
	if f.first || f.tail {
		want = 2
	}
	return v, behind == want
}

// add is a sum or difference: of a constant, which becomes a bias or a position, or of two branches.
func (im *importer) add(n *onnx.Node) (*flow, error) {
	if len(n.In) != 2 {
		return nil, errors.Errorf("%d operands: want 2", len(n.In))
	}
	sign := 1.
	if n.Op == "Sub" {
		sign = -1
	}
	for i := range 2 {
		c := im.constants[n.In[i]]
		if c == nil {
			continue
		}
		f, err := im.value(n, 1-i)
		if err != nil {
			return nil, err
		}
		if n.Op == "Sub" && i == 0 {
			return nil, errors.New("a constant minus a value is not known")
		}
		if v, fits := overChannels(f, c); fits {
			if g := affine(f, scaledBy(v, sign), biased); g != nil {
				return g, nil
			}
		}
		shape := c.shape
		for len(shape) > 2 && shape[0] == 1 {
			shape = shape[1:]
		}
		if len(f.shape) == 2 && slices.Equal(shape, f.shape) {
			if f, err = im.ready(f); err != nil {
				return nil, err
			}
			return f.with(f.shape, step{layer: layers.Position{Tokens: shape[0], Width: shape[1]}, weights: [][]float64{scaledBy(c.v, sign)}}), nil
		}
		return nil, errors.Errorf("a constant of shape %v added to samples %v that no linear map or normalisation gives is not known", c.shape, f.outside())
	}
	if n.Op == "Sub" {
		return nil, errors.New("a difference of two values is not known")
	}
	a, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	b, err := im.value(n, 1)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(a.shape, b.shape) || a.first != b.first || !slices.Equal(a.flat, b.flat) || a.tail != b.tail {
		return nil, errors.Errorf("a sum of samples %v and %v: want one shape", a.outside(), b.outside())
	}
	if len(b.skips) > 0 && len(a.skips) == 0 || b.weighty() && !a.weighty() {
		a, b = b, a // the one with weights is the layer, the other one its skip
	}
	if len(b.skips) > 0 || b.merge != nil {
		if b, err = im.cut(b); err != nil {
			return nil, err
		}
	}
	if !a.weighty() && !a.bare() && b.bare() {
		a, b = b, a
	}
	g := *a
	g.skips = append(slices.Clip(a.skips), *b)
	return &g, nil
}

// mul is a product with a constant, which goes into the weights before it, or x sigmoid(x).
func (im *importer) mul(n *onnx.Node) (*flow, error) {
	if len(n.In) != 2 {
		return nil, errors.Errorf("%d operands: want 2", len(n.In))
	}
	for i := range 2 {
		c := im.constants[n.In[i]]
		if c == nil {
			if s := im.by[n.In[i]]; n.Op == "Mul" && s != nil && s.Op == "Sigmoid" && s.In[0] == n.In[1-i] {
				return im.activated(n, 1-i, layers.SiLU)
			}
			continue
		}
		f, err := im.value(n, 1-i)
		if err != nil {
			return nil, err
		}
		v, fits := overChannels(f, c)
		if n.Op == "Div" {
			if i == 0 {
				return nil, errors.New("a constant divided by a value is not known")
			}
			v = slices.Clone(v)
			for k := range v {
				v[k] = 1 / v[k]
			}
		}
		if fits {
			if g := affine(f, v, multiplied); g != nil {
				return g, nil
			}
		}
		return nil, errors.Errorf("a factor of shape %v of samples %v that no linear map or normalisation gives is not known", c.shape, f.outside())
	}
	return nil, errors.New("a product or quotient of two values is not known, but for x times sigmoid(x)")
}

// act is an activation.
func (im *importer) act(n *onnx.Node) (*flow, error) {
	a := importActs[n.Op]
	switch n.Op {
	case "LeakyRelu":
		if s := floatOf(n, "alpha", .01); math.Abs(s-.01) > 1e-7 {
			return nil, errors.Errorf("its slope is %v: here it is 0.01", s)
		}
	case "Gelu":
		if a := n.Attr("approximate"); a == nil || a.String != "tanh" {
			return nil, errors.New("it is the form by the error function: here it is the one by tanh, which differs by up to 5e-4: train or export with approximate=\"tanh\"")
		}
	case "Selu":
		if alpha, gamma := floatOf(n, "alpha", 1.67326324), floatOf(n, "gamma", 1.05070098); math.Abs(alpha-1.67326324) > 1e-5 || math.Abs(gamma-1.05070098) > 1e-5 {
			return nil, errors.Errorf("its alpha and gamma are %v and %v: here they are 1.67326324 and 1.05070098", alpha, gamma)
		}
	case "Clip":
		lo, hi := floatOf(n, "min", math.Inf(-1)), floatOf(n, "max", math.Inf(1))
		for i, bound := range []*float64{&lo, &hi} {
			if has(n, 1+i) {
				c, err := im.constantIn(n, 1+i)
				if err != nil {
					return nil, err
				}
				if len(c.v) != 1 {
					return nil, errors.New("a bound that is no single number")
				}
				*bound = c.v[0]
			}
		}
		if lo != -1 || hi != 1 {
			return nil, errors.Errorf("its bounds are %v and %v: known is hard tanh, between -1 and 1", lo, hi)
		}
	}
	return im.activated(n, 0, a)
}

// activated is an activation of operand i.
func (im *importer) activated(n *onnx.Node, i int, a layers.Act) (*flow, error) {
	f, err := im.value(n, i)
	if err != nil {
		return nil, err
	}
	isOutput := slices.ContainsFunc(im.g.Outputs, func(v onnx.Value) bool { return v.Name == n.Out[0] })
	if isOutput && im.uses[n.Out[0]] == 1 && len(f.steps) > 0 && len(f.skips) == 0 {
		if s, can := posted(f.steps[len(f.steps)-1], a); can {
			return f.replaced(s), nil
		}
	}
	if f.weighty() {
		if f, err = im.cut(f); err != nil {
			return nil, err
		}
		im.values[n.In[i]] = f
	}
	return f.with(f.shape, step{layer: layers.Activate{Act: a}}), nil
}

// pairOf is two numbers of an attribute.
func pairOf(n *onnx.Node, name string, otherwise [2]int) ([2]int, error) {
	v := intsOf(n, name, otherwise[:]...)
	if len(v) != 2 || v[0] < 0 || v[1] < 0 || v[0] > mostSide || v[1] > mostSide {
		return otherwise, errors.Errorf("%s is %v: want two numbers", name, v)
	}
	return [2]int(v), nil
}

// padOf is the padding of a window, which must be the same on both sides.
func padOf(n *onnx.Node) ([2]int, error) {
	if a := n.Attr("auto_pad"); a != nil && a.String != "NOTSET" && a.String != "" && a.String != "VALID" {
		return [2]int{}, errors.Errorf("auto_pad is %s: want pads given by numbers", a.String)
	}
	p := intsOf(n, "pads", 0, 0, 0, 0)
	if len(p) != 4 || p[0] != p[2] || p[1] != p[3] || p[0] < 0 || p[1] < 0 || p[0] > mostSide || p[1] > mostSide {
		return [2]int{}, errors.Errorf("pads are %v: want the same on both sides", p)
	}
	return [2]int{p[0], p[1]}, nil
}

// image is operand 0, images in the order of ONNX.
func (im *importer) image(n *onnx.Node) (*flow, error) {
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	if !f.first {
		return nil, errors.Errorf("samples %v: want images [channels, height, width]", f.outside())
	}
	return im.ready(f)
}

// firstErr is the first error.
func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// conv is a convolution, or a transposed one.
func (im *importer) conv(n *onnx.Node) (*flow, error) {
	f, err := im.image(n)
	if err != nil {
		return nil, err
	}
	w, err := im.constantIn(n, 1)
	if err != nil {
		return nil, err
	}
	if len(w.shape) != 4 {
		return nil, errors.Errorf("weights of shape %v: want those of a convolution of images", w.shape)
	}
	pad, e1 := padOf(n)
	stride, e2 := pairOf(n, "strides", layers.Both(1))
	dilation, e3 := pairOf(n, "dilations", layers.Both(1))
	extra, e4 := pairOf(n, "output_padding", [2]int{})
	groups := intOf(n, "group", 1)
	if err := firstErr(e1, e2, e3, e4); err != nil {
		return nil, err
	}
	if n.Attr("output_shape") != nil || groups < 1 || groups > mostSide || stride[0]*stride[1]*dilation[0]*dilation[1] == 0 {
		return nil, errors.New("output_shape, or strides, dilations or groups of zero, are not known")
	}
	kernel := [2]int{w.shape[2], w.shape[3]}
	channels := f.shape[2]
	s := step{weights: [][]float64{w.transposed([]int{2, 3, 1, 0}).v}}
	var shape []int
	var out int
	if n.Op == "Conv" {
		out = w.shape[0]
		s.layer = layers.Conv2D{In: channels, Out: out, Kernel: kernel, Stride: stride, Pad: pad, Dilation: dilation, Groups: groups}
		if w.shape[1]*groups != channels || out%groups != 0 {
			return nil, errors.Errorf("weights of shape %v in %d groups for %d channels", w.shape, groups, channels)
		}
		for a := range 2 {
			shape = append(shape, (f.shape[a]+2*pad[a]-dilation[a]*(kernel[a]-1)-1)/stride[a]+1)
		}
	} else {
		out = w.shape[1] * groups
		s.layer = layers.ConvTranspose2D{In: channels, Out: out, Kernel: kernel, Stride: stride, Pad: pad, Dilation: dilation, Groups: groups, Extra: extra}
		if w.shape[0] != channels || channels%groups != 0 {
			return nil, errors.Errorf("weights of shape %v in %d groups for %d channels", w.shape, groups, channels)
		}
		for a := range 2 {
			shape = append(shape, (f.shape[a]-1)*stride[a]-2*pad[a]+dilation[a]*(kernel[a]-1)+1+extra[a])
		}
	}
	if shape[0] < 1 || shape[1] < 1 {
		return nil, errors.Errorf("images %v by a kernel %v: nothing is left", f.outside(), kernel)
	}
	if has(n, 2) {
		b, err := im.constantIn(n, 2)
		if err != nil {
			return nil, err
		}
		if len(b.v) != out {
			return nil, errors.Errorf("a bias of shape %v for %d channels", b.shape, out)
		}
		s = biased(s, b.v)
	}
	return im.linear(f, s, append(shape, out)), nil
}

// pool is a maximum or mean over windows.
func (im *importer) pool(n *onnx.Node) (*flow, error) {
	f, err := im.image(n)
	if err != nil {
		return nil, err
	}
	size, e1 := pairOf(n, "kernel_shape", [2]int{})
	stride, e2 := pairOf(n, "strides", layers.Both(1))
	dilation, e3 := pairOf(n, "dilations", layers.Both(1))
	pad, e4 := padOf(n)
	if err := firstErr(e1, e2, e3, e4); err != nil {
		return nil, err
	}
	shape := []int{0, 0, f.shape[2]}
	for a := range 2 {
		if size[a] < 1 || stride[a] < 1 || dilation[a] != 1 || f.shape[a]+2*pad[a] < size[a] {
			return nil, errors.Errorf("windows %v, strides %v, dilations %v, pads %v of images %v", size, stride, dilation, pad, f.outside())
		}
		shape[a] = (f.shape[a]+2*pad[a]-size[a])/stride[a] + 1
		if intOf(n, "ceil_mode", 0) != 0 && (f.shape[a]+2*pad[a]-size[a])%stride[a] != 0 {
			return nil, errors.New("ceil_mode is not known: pad or crop the images so that windows fit")
		}
	}
	if n.Op == "MaxPool" {
		return f.with(shape, step{layer: layers.MaxPool2D{Size: size, Stride: stride, Pad: pad}}), nil
	}
	if pad != [2]int{} && intOf(n, "count_include_pad", 0) == 0 {
		return nil, errors.New("a mean that does not count its padding is not known: count_include_pad")
	}
	return f.with(shape, step{layer: layers.AvgPool2D{Size: size, Stride: stride, Pad: pad}}), nil
}

// globalPool is the mean over all pixels.
func (im *importer) globalPool(n *onnx.Node) (*flow, error) {
	f, err := im.image(n)
	if err != nil {
		return nil, err
	}
	tail := true
	if n.Op == "ReduceMean" {
		axes := intsOf(n, "axes")
		if has(n, 1) {
			c, err := im.constantIn(n, 1)
			if err != nil {
				return nil, err
			}
			for _, a := range c.v {
				axes = append(axes, int(a))
			}
		}
		for i := range axes {
			if axes[i] < 0 {
				axes[i] += 4
			}
		}
		if slices.Sort(axes); !slices.Equal(axes, []int{2, 3}) {
			return nil, errors.Errorf("a mean over the axes %v is not known: want those of height and width", axes)
		}
		tail = intOf(n, "keepdims", 1) != 0
	}
	g := f.with(f.shape[2:], step{layer: layers.GlobalAvgPool2D{}})
	g.first, g.tail = false, tail
	return g, nil
}

// batchNorm is folded into the weights before it, or becomes a convolution of each channel with a kernel of one pixel.
func (im *importer) batchNorm(n *onnx.Node) (*flow, error) {
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	c := f.shape[len(f.shape)-1]
	var p [4][]float64
	for i := range p {
		v, err := im.constantIn(n, 1+i)
		if err != nil {
			return nil, err
		}
		if len(v.v) != c {
			return nil, errors.Errorf("operand %d has shape %v for %d channels", i+2, v.shape, c)
		}
		p[i] = v.v
	}
	if intOf(n, "training_mode", 0) != 0 || len(f.shape) == 2 {
		return nil, errors.New("training mode, or samples [channels, length], are not known: export for inference")
	}
	a, b := make([]float64, c), make([]float64, c)
	for i := range a {
		a[i] = p[0][i] / math.Sqrt(p[3][i]+floatOf(n, "epsilon", 1e-5))
		b[i] = p[1][i] - p[2][i]*a[i]
	}
	im.say("Batch normalisation is in the weights before it, with the running statistics of the file; it does not adapt any more.")
	if g := affine(f, a, multiplied); g != nil {
		return affine(g, b, biased), nil
	}
	if !f.first {
		return nil, errors.New("behind what is no linear map or convolution it is known for images only")
	}
	if f, err = im.ready(f); err != nil {
		return nil, err
	}
	return im.linear(f, step{layer: layers.Conv2D{In: c, Out: c, Kernel: layers.Both(1), Groups: c, Bias: true}, weights: [][]float64{a, b}}, f.shape), nil
}

// layerNorm is over the last axis.
func (im *importer) layerNorm(n *onnx.Node) (*flow, error) {
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	if f, err = im.ready(f); err != nil {
		return nil, err
	}
	axis, width := intOf(n, "axis", -1), f.shape[len(f.shape)-1]
	if axis != -1 && axis != len(f.shape) || f.first || f.tail {
		return nil, errors.Errorf("over axis %d of samples %v: known is the last axis, features", axis, f.outside())
	}
	l := layers.LayerNorm{Width: width, Eps: floatOf(n, "epsilon", 1e-5)}
	if !(l.Eps > 0) {
		return nil, errors.Errorf("epsilon is %v: want a positive number", l.Eps)
	}
	g := f.with(f.shape, step{layer: l})
	for i, change := range []func(step, []float64) step{multiplied, biased} {
		if !has(n, 1+i) {
			continue
		}
		c, err := im.constantIn(n, 1+i)
		if err != nil {
			return nil, err
		}
		v, fits := c.vector(width)
		if !fits {
			return nil, errors.Errorf("operand %d has shape %v for %d features", i+2, c.shape, width)
		}
		if i == 0 && !slices.ContainsFunc(v, func(x float64) bool { return x != 1 }) {
			continue // no gain
		}
		if f.flat != nil {
			p := make([]float64, len(v))
			for k, from := range order(f.flat) {
				p[k] = v[from]
			}
			v = p
		}
		g = affine(g, v, change)
	}
	return g, nil
}

// gather looks ids up in a table.
func (im *importer) gather(n *onnx.Node) (*flow, error) {
	table, err := im.constantIn(n, 0)
	if err != nil {
		return nil, err
	}
	f, err := im.value(n, 1)
	if err != nil {
		return nil, err
	}
	if len(table.shape) != 2 || intOf(n, "axis", 0) != 0 || len(f.shape) != 1 || !f.bare() {
		return nil, errors.Errorf("rows of a table %v by samples %v: known is an embedding of an input [N, tokens]", table.shape, f.outside())
	}
	return f.with([]int{f.shape[0], table.shape[1]}, step{layer: layers.Embedding{Vocab: table.shape[0], Width: table.shape[1]}, weights: [][]float64{table.v}}), nil
}

// concat joins sites along the features.
func (im *importer) concat(n *onnx.Node) (*flow, error) {
	g := &flow{merge: layers.Concat{}}
	for i := range n.In {
		f, err := im.value(n, i)
		if err != nil {
			return nil, err
		}
		if !f.bare() {
			if f, err = im.cut(f); err != nil {
				return nil, err
			}
		}
		rank, axis := len(f.shape), intOf(n, "axis", 1)
		if axis < 0 {
			axis += rank + 1
		}
		along := rank
		if f.first {
			along = 1
		}
		if f.flat != nil || f.tail || axis != along || i > 0 && (f.first != g.first || !slices.Equal(f.shape[:rank-1], g.shape[:len(g.shape)-1])) {
			return nil, errors.Errorf("a join of samples %v along axis %d is not known: want features or channels, of vectors, tokens or images", f.outside(), axis)
		}
		if i == 0 {
			g.shape, g.first = slices.Clone(f.shape), f.first
		} else {
			g.shape[rank-1] += f.shape[rank-1]
		}
		g.from = append(g.from, f.from[0])
	}
	if len(g.from) < 2 {
		return nil, errors.New("a join of fewer than two values")
	}
	return g, nil
}

// reshape gives each sample another shape.
func (im *importer) reshape(n *onnx.Node) (*flow, error) {
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	var to []int
	outside := f.outside()
	total := 1
	for _, d := range outside {
		total *= d
	}
	switch n.Op {
	case "Flatten":
		if axis := intOf(n, "axis", 1); axis != 1 && axis != -len(outside) {
			return nil, errors.Errorf("from axis %d on: want 1, what is behind the batch", axis)
		}
		to = []int{total}
	case "Squeeze", "Unsqueeze":
		axes := intsOf(n, "axes")
		if has(n, 1) {
			c, err := im.constantIn(n, 1)
			if err != nil {
				return nil, err
			}
			for _, a := range c.v {
				axes = append(axes, int(a))
			}
		}
		for i := range axes {
			if axes[i] < 0 {
				axes[i] += len(outside) + 1
			}
		}
		if slices.Sort(axes); !f.tail || n.Op != "Squeeze" || !slices.Equal(axes, []int{2, 3}) {
			return nil, errors.Errorf("of the axes %v of samples %v is not known: use Reshape or Flatten", axes, outside)
		}
		to = []int{total}
	default:
		c, err := im.constantIn(n, 1)
		if err != nil {
			return nil, err
		}
		if len(c.v) < 2 || len(c.v) > 4 || c.v[0] > 1 { // 1 is the batch of the example that the model was traced with
			return nil, errors.Errorf("to %v: want the batch in front (0 or -1) and one to three dimensions behind", c.v)
		}
		if c.v[0] == 1 {
			im.say("A reshape to a batch of one was taken for one of any batch.")
		}
		sample := &constant{v: slices.Clone(c.v[1:])}
		for i, d := range sample.v {
			if d == 0 && i < len(outside) {
				sample.v[i] = float64(outside[i])
			}
			if d == -1 && c.v[0] == -1 {
				return nil, errors.Errorf("to %v: two dimensions are open", c.v)
			}
		}
		if to, err = reshaped([]int{total}, sample); err != nil {
			return nil, err
		}
	}
	g, err := im.ready(f)
	if err != nil {
		return nil, err
	}
	copied := *g
	g = &copied
	switch {
	case f.tail:
		if len(to) != 1 {
			return nil, errors.Errorf("samples %v to %v: want features", outside, to)
		}
		g.tail = false
		return g, nil
	case slices.Equal(to, outside):
		return g, nil
	case f.first && len(to) == 1:
		if f.shape[2] > 1 && f.shape[0]*f.shape[1] > 1 {
			g.flat = outside
		}
		g.first = false
		return g.reshaped(to, layers.Flatten{}), nil
	case f.first || f.flat != nil && !slices.Equal(to, f.flat):
		return nil, errors.Errorf("samples %v with their channels in front to %v: known is flattening them", outside, to)
	case len(to) == 3 && !im.turned(n.Out[0]): // images in the order of ONNX
		shape := []int{to[1], to[2], to[0]}
		if to[0] > 1 && to[1]*to[2] > 1 && f.flat == nil {
			k := len(g.steps) - 1
			l, is := layers.Layer(nil), false
			if k >= 0 {
				l, is = g.steps[k].layer, true
			}
			lin, isLinear := l.(layers.Linear)
			if !is || !isLinear || len(f.shape) != 1 {
				return nil, errors.Errorf("samples %v to images %v with their channels in front: known is behind a linear map, whose outputs are then put into the order that is used here", outside, to)
			}
			s := g.steps[k]
			s.weights = slices.Clone(s.weights)
			for i, w := range s.weights {
				s.weights[i] = make([]float64, len(w))
				for k, from := range order(to) {
					for r := 0; r < len(w); r += lin.Out {
						s.weights[i][r+k] = w[r+from]
					}
				}
			}
			g = g.replaced(s)
		}
		g.first, g.flat = true, nil
		return g.reshaped(shape, layers.Reshape{To: shape}), nil
	}
	if len(to) == 1 {
		return g.reshaped(to, layers.Flatten{}), nil
	}
	return g.reshaped(to, layers.Reshape{To: to}), nil
}

// reshaped adds a layer that keeps all numbers in their order; an activation in front of it comes behind, where a linear map can take it.
func (f *flow) reshaped(shape []int, l layers.Layer) *flow {
	k := len(f.steps) - 1
	if k >= 0 {
		if _, is := f.steps[k].layer.(layers.Activate); is {
			g := *f
			g.shape = shape
			g.steps = append(slices.Clone(f.steps[:k]), step{layer: l}, f.steps[k])
			return &g
		}
	}
	return f.with(shape, step{layer: l})
}

// transpose changes the order of channels, of which nothing remains here.
func (im *importer) transpose(n *onnx.Node) (*flow, error) {
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	g := *f
	switch perm := intsOf(n, "perm"); {
	case len(f.shape) == 3 && !f.first && slices.Equal(perm, []int{0, 3, 1, 2}):
		g.first = true
	case f.first && slices.Equal(perm, []int{0, 2, 3, 1}):
		g.first = false
	default:
		return nil, errors.Errorf("of axes %v of samples %v is not known: want images, from channels behind to channels in front or back", perm, f.outside())
	}
	return &g, nil
}

// same passes a value on.
func (im *importer) same(n *onnx.Node) (*flow, error) {
	if n.Op == "Dropout" {
		im.say("Dropout is left out.")
	}
	return im.value(n, 0)
}

// softmax at the output is left out.
func (im *importer) softmax(n *onnx.Node) (*flow, error) {
	isOutput := slices.ContainsFunc(im.g.Outputs, func(v onnx.Value) bool { return v.Name == n.Out[0] })
	if !isOutput || im.uses[n.Out[0]] > 1 {
		return nil, errors.New("within the network it is not known")
	}
	f, err := im.value(n, 0)
	if err != nil {
		return nil, err
	}
	if axis := intOf(n, "axis", -1); axis != -1 && axis != len(f.shape) {
		return nil, errors.Errorf("over axis %d of samples %v: want the last one", axis, f.outside())
	}
	im.say("%s at the output %q is left out: outputs are logits here, trained by cross-entropy (energy.Categorical).", n.Op, n.Out[0])
	return f, nil
}
