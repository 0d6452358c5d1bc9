// Package onnxtest evaluates models of package onnx by plain loops in float64, for tests: the operations that package graph exports and
// those that arch imports. It is slow and shares no code with what it tests.
package onnxtest

import (
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph/onnx"
)

// An array is any tensor: whole numbers and truth values are numbers too.
type array struct {
	shape []int
	v     []float64
}

func newArray(shape ...int) array { return array{shape: shape, v: make([]float64, size(shape))} }

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Check reports what is wrong with a model's structure: a name that is given twice or read before it is given, a node without a
// result, tensors that have not their shape's size.
func Check(m *onnx.Model) error {
	given := make(map[string]bool)
	give := func(name, by string) error {
		if name == "" || given[name] {
			return errors.Errorf("%s gives %q, which is given already or empty", by, name)
		}
		given[name] = true
		return nil
	}
	for _, in := range m.Graph.Inputs {
		if err := give(in.Name, "an input"); err != nil {
			return err
		}
	}
	for i := range m.Graph.Tensors {
		t := &m.Graph.Tensors[i]
		if err := give(t.Name, "a tensor"); err != nil {
			return err
		}
		if len(of(t).v) != size(t.Shape) {
			return errors.Errorf("tensor %q has shape %v and %d elements", t.Name, t.Shape, len(of(t).v))
		}
	}
	used, names := make(map[string]bool), make(map[string]bool)
	for i := range m.Graph.Nodes {
		n := &m.Graph.Nodes[i]
		if names[n.Name] {
			return errors.Errorf("two nodes are named %q", n.Name)
		}
		names[n.Name] = true
		for _, name := range n.In {
			if name != "" && !given[name] {
				return errors.Errorf("%s reads %q before it is given", n, name)
			}
			used[name] = true
		}
		for _, name := range n.Out {
			if err := give(name, n.String()); err != nil {
				return err
			}
		}
	}
	for _, out := range m.Graph.Outputs {
		if !given[out.Name] {
			return errors.Errorf("the output %q is not given", out.Name)
		}
		used[out.Name] = true
	}
	for i := range m.Graph.Nodes {
		if n := &m.Graph.Nodes[i]; !used[n.Out[0]] {
			return errors.Errorf("nothing reads %s", n)
		}
	}
	for _, t := range m.Graph.Tensors {
		if !used[t.Name] {
			return errors.Errorf("nothing reads the tensor %s", t.Name)
		}
	}
	return nil
}

func of(t *onnx.Tensor) array {
	a := array{shape: t.Shape}
	switch d := t.Data.(type) {
	case []float32:
		for _, v := range d {
			a.v = append(a.v, float64(v))
		}
	case []float64:
		a.v = d
	case []int32:
		for _, v := range d {
			a.v = append(a.v, float64(v))
		}
	case []int64:
		for _, v := range d {
			a.v = append(a.v, float64(v))
		}
	case []bool:
		for _, v := range d {
			if v {
				a.v = append(a.v, 1)
			} else {
				a.v = append(a.v, 0)
			}
		}
	}
	return a
}

// Run evaluates a model for a batch, and returns its outputs in order.
func Run(m *onnx.Model, feeds map[string][]float32, batch int) (outs [][]float64, err error) {
	values := make(map[string]array)
	for _, in := range m.Graph.Inputs {
		shape := make([]int, len(in.Shape))
		for i, d := range in.Shape {
			if shape[i] = int(d.Size); d.Name != "" {
				shape[i] = batch
			}
		}
		a := newArray(shape...)
		if len(feeds[in.Name]) != len(a.v) {
			return nil, errors.Errorf("input %q of shape %v is given %d numbers", in.Name, shape, len(feeds[in.Name]))
		}
		for i, v := range feeds[in.Name] {
			a.v[i] = float64(v)
		}
		values[in.Name] = a
	}
	for i := range m.Graph.Tensors {
		values[m.Graph.Tensors[i].Name] = of(&m.Graph.Tensors[i])
	}
	for i := range m.Graph.Nodes {
		n := &m.Graph.Nodes[i]
		r := runner{n: n}
		for _, name := range n.In {
			r.in = append(r.in, values[name])
		}
		y, err := r.run()
		if err != nil {
			return nil, errors.WithMessage(err, n.String())
		}
		values[n.Out[0]] = y
	}
	for _, out := range m.Graph.Outputs {
		a := values[out.Name]
		if len(a.shape) != len(out.Shape) || out.Shape[0].Name != "" && a.shape[0] != batch {
			return nil, errors.Errorf("output %q has shape %v, want %v", out.Name, a.shape, out.Shape)
		}
		for i, d := range out.Shape {
			if d.Name == "" && int(d.Size) != a.shape[i] {
				return nil, errors.Errorf("output %q has shape %v, want %v", out.Name, a.shape, out.Shape)
			}
		}
		outs = append(outs, a.v)
	}
	return outs, nil
}

// A runner evaluates one node.
type runner struct {
	n  *onnx.Node
	in []array
}

func (r runner) ints(name string, otherwise ...int) []int {
	a := r.n.Attr(name)
	if a == nil {
		return otherwise
	}
	var v []int
	for _, i := range a.Ints {
		v = append(v, int(i))
	}
	return v
}

func (r runner) int(name string, otherwise int) int {
	if a := r.n.Attr(name); a != nil {
		return int(a.Int)
	}
	return otherwise
}

func (r runner) float(name string, otherwise float64) float64 {
	if a := r.n.Attr(name); a != nil {
		return float64(a.Float)
	}
	return otherwise
}

// has reports whether operand i is there.
func (r runner) has(i int) bool { return i < len(r.in) && r.in[i].v != nil }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (r runner) run() (array, error) {
	unary := func(f func(float64) float64) (array, error) {
		y := newArray(r.in[0].shape...)
		for i, x := range r.in[0].v {
			y.v[i] = f(x)
		}
		return y, nil
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	switch r.n.Op {
	case "Tanh":
		return unary(math.Tanh)
	case "Sigmoid":
		return unary(sigmoid)
	case "Relu":
		return unary(func(x float64) float64 { return max(x, 0) })
	case "LeakyRelu":
		a := r.float("alpha", .01)
		return unary(func(x float64) float64 { return max(x, 0) + a*min(x, 0) })
	case "Selu":
		a, g := r.float("alpha", 1.67326319217681884765625), r.float("gamma", 1.05070102214813232421875)
		return unary(func(x float64) float64 {
			if x > 0 {
				return g * x
			}
			return g * a * math.Expm1(x)
		})
	case "Gelu":
		if a := r.n.Attr("approximate"); a == nil || a.String != "tanh" {
			return unary(func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) })
		}
		return unary(func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
		})
	case "Clip":
		lo, hi := r.in[1].v[0], r.in[2].v[0]
		return unary(func(x float64) float64 { return max(lo, min(hi, x)) })
	case "Exp":
		return unary(math.Exp)
	case "Log":
		return unary(math.Log)
	case "Sqrt":
		return unary(math.Sqrt)
	case "Abs":
		return unary(math.Abs)
	case "Identity", "Dropout":
		return r.in[0], nil
	case "Cast":
		switch onnx.Type(r.int("to", 0)) {
		case onnx.Bool:
			return unary(func(x float64) float64 { return truth(x != 0) })
		case onnx.Int64:
			return unary(math.Trunc)
		}
		return r.in[0], nil
	case "Add":
		return r.broadcast(func(a, b, _ float64) float64 { return a + b })
	case "Sub":
		return r.broadcast(func(a, b, _ float64) float64 { return a - b })
	case "Mul":
		return r.broadcast(func(a, b, _ float64) float64 { return a * b })
	case "Div":
		return r.broadcast(func(a, b, _ float64) float64 { return a / b })
	case "Pow":
		return r.broadcast(func(a, b, _ float64) float64 { return math.Pow(a, b) })
	case "Greater":
		return r.broadcast(func(a, b, _ float64) float64 { return truth(a > b) })
	case "Or":
		return r.broadcast(func(a, b, _ float64) float64 { return truth(a != 0 || b != 0) })
	case "Where":
		return r.broadcast(func(c, a, b float64) float64 {
			if c != 0 {
				return a
			}
			return b
		})
	case "Gemm":
		return r.gemm(), nil
	case "MatMul":
		return matmul(r.in[0], r.in[1]), nil
	case "Transpose":
		return transpose(r.in[0], r.ints("perm")), nil
	case "Reshape", "Flatten":
		return r.reshape(), nil
	case "Slice":
		return r.slice(), nil
	case "Concat":
		return r.concat(), nil
	case "Softmax", "LogSoftmax":
		return r.softmax(r.n.Op == "LogSoftmax"), nil
	case "Gather":
		table, ids := r.in[0], r.in[1]
		y, w := array{shape: slices.Concat(ids.shape, table.shape[1:])}, size(table.shape[1:])
		for _, id := range ids.v {
			y.v = append(y.v, table.v[int(id)*w:(int(id)+1)*w]...)
		}
		return y, nil
	case "LayerNormalization":
		return r.layerNorm(), nil
	case "ReduceMean", "ReduceSum":
		return r.reduce(r.n.Op == "ReduceMean"), nil
	case "Shape":
		y := array{}
		for _, d := range r.in[0].shape[r.int("start", 0):r.int("end", len(r.in[0].shape))] {
			y.v = append(y.v, float64(d))
		}
		y.shape = []int{len(y.v)}
		return y, nil
	case "ConstantOfShape":
		var shape []int
		for _, d := range r.in[0].v {
			shape = append(shape, int(d))
		}
		return newArray(shape...), nil
	case "Conv", "ConvTranspose":
		return r.conv(r.n.Op == "ConvTranspose"), nil
	case "MaxPool", "AveragePool":
		return r.pool(r.n.Op == "MaxPool"), nil
	case "GlobalAveragePool":
		s := r.in[0].shape
		r.n = &onnx.Node{Op: "AveragePool", Attrs: []onnx.Attr{onnx.Ints("kernel_shape", s[2:]...)}}
		return r.pool(false), nil
	case "BatchNormalization":
		return r.batchNorm(), nil
	}
	return array{}, errors.Errorf("the operation %s is not known here", r.n.Op)
}

// index is the place of coordinates in an array, whose dimensions of 1 are repeated, aligned at the last one.
func (a array) index(at []int) int {
	k := 0
	for i, d := range a.shape {
		c := at[len(at)-len(a.shape)+i]
		if d == 1 {
			c = 0
		}
		k = k*d + c
	}
	return k
}

// each calls f with all coordinates of a shape.
func each(shape []int, f func(k int, at []int)) {
	at := make([]int, len(shape))
	for k := range size(shape) {
		for i, left := len(shape)-1, k; i >= 0; i-- {
			at[i], left = left%shape[i], left/shape[i]
		}
		f(k, at)
	}
}

func (r runner) broadcast(f func(a, b, c float64) float64) (array, error) {
	rank := 0
	for _, a := range r.in {
		rank = max(rank, len(a.shape))
	}
	shape := slices.Repeat([]int{1}, rank)
	for _, a := range r.in {
		for i, d := range a.shape {
			at := rank - len(a.shape) + i
			if shape[at] != d && shape[at] != 1 && d != 1 {
				return array{}, errors.Errorf("shapes %v cannot be broadcast to %v", a.shape, shape)
			}
			shape[at] = max(shape[at], d)
		}
	}
	y := newArray(shape...)
	each(shape, func(k int, at []int) {
		var v [3]float64
		for i, a := range r.in {
			v[i] = a.v[a.index(at)]
		}
		y.v[k] = f(v[0], v[1], v[2])
	})
	return y, nil
}

func (r runner) gemm() array {
	a, b := r.in[0], r.in[1]
	if r.int("transA", 0) == 1 {
		a = transpose(a, []int{1, 0})
	}
	if r.int("transB", 0) == 1 {
		b = transpose(b, []int{1, 0})
	}
	y := matmul(a, b)
	for i := range y.v {
		y.v[i] *= r.float("alpha", 1)
	}
	if r.has(2) {
		each(y.shape, func(k int, at []int) { y.v[k] += r.float("beta", 1) * r.in[2].v[r.in[2].index(at)] })
	}
	return y
}

// matmul multiplies the last two dimensions; the others of b are those of a, or none.
func matmul(a, b array) array {
	k, n := a.shape[len(a.shape)-1], b.shape[len(b.shape)-1]
	y := newArray(append(slices.Clone(a.shape[:len(a.shape)-1]), n)...)
	each(y.shape, func(i int, at []int) {
		x, w := slices.Clone(at), slices.Clone(at)
		for j := range k {
			x[len(x)-1], w[len(w)-2], w[len(w)-1] = j, j, at[len(at)-1]
			y.v[i] += a.v[a.index(x)] * b.v[b.index(w)]
		}
	})
	return y
}

func transpose(a array, perm []int) array {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = a.shape[p]
	}
	y := newArray(shape...)
	each(shape, func(k int, at []int) {
		from := make([]int, len(at))
		for i, p := range perm {
			from[p] = at[i]
		}
		y.v[k] = a.v[a.index(from)]
	})
	return y
}

func (r runner) reshape() array {
	x := r.in[0]
	if r.n.Op == "Flatten" {
		return array{shape: []int{x.shape[0], size(x.shape[1:])}, v: x.v}
	}
	shape, open := make([]int, len(r.in[1].v)), -1
	for i, d := range r.in[1].v {
		switch shape[i] = int(d); {
		case d == 0:
			shape[i] = x.shape[i]
		case d < 0:
			shape[i], open = 1, i
		}
	}
	if open >= 0 {
		shape[open] = len(x.v) / size(shape)
	}
	return array{shape: shape, v: x.v}
}

// axis is that of an attribute or number, counted from the end if it is negative.
func axis(a, rank int) int {
	if a < 0 {
		return a + rank
	}
	return a
}

func (r runner) slice() array {
	x := r.in[0]
	lo, hi, along := int(r.in[1].v[0]), int(r.in[2].v[0]), axis(int(r.in[3].v[0]), len(x.shape))
	shape := slices.Clone(x.shape)
	shape[along] = min(hi, shape[along]) - lo
	y := newArray(shape...)
	each(shape, func(k int, at []int) {
		from := slices.Clone(at)
		from[along] += lo
		y.v[k] = x.v[x.index(from)]
	})
	return y
}

func (r runner) concat() array {
	along := axis(r.int("axis", 0), len(r.in[0].shape))
	shape := slices.Clone(r.in[0].shape)
	shape[along] = 0
	for _, x := range r.in {
		shape[along] += x.shape[along]
	}
	y := newArray(shape...)
	each(shape, func(k int, at []int) {
		from := slices.Clone(at)
		for _, x := range r.in {
			if from[along] < x.shape[along] {
				j := 0
				for i, d := range x.shape {
					j = j*d + from[i]
				}
				y.v[k] = x.v[j]
				return
			}
			from[along] -= x.shape[along]
		}
	})
	return y
}

// rows calls f for every row along the last axis.
func rows(a array, f func(row []float64)) {
	n := a.shape[len(a.shape)-1]
	for i := 0; i < len(a.v); i += n {
		f(a.v[i : i+n])
	}
}

func (r runner) softmax(logarithm bool) array {
	y := array{shape: r.in[0].shape, v: slices.Clone(r.in[0].v)}
	rows(y, func(row []float64) {
		most, sum := slices.Max(row), 0.
		for i := range row {
			row[i] -= most
			sum += math.Exp(row[i])
		}
		for i := range row {
			if row[i] -= math.Log(sum); !logarithm {
				row[i] = math.Exp(row[i])
			}
		}
	})
	return y
}

func (r runner) layerNorm() array {
	y := array{shape: r.in[0].shape, v: slices.Clone(r.in[0].v)}
	rows(y, func(row []float64) {
		mean, square := 0., 0.
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(len(row))
		}
		for i := range row {
			row[i] = (row[i] - mean) / math.Sqrt(square+r.float("epsilon", 1e-5)) * r.in[1].v[i]
			if r.has(2) {
				row[i] += r.in[2].v[i]
			}
		}
	})
	return y
}

// reduce sums, or averages, over axes.
func (r runner) reduce(mean bool) array {
	x := r.in[0]
	over := make([]bool, len(x.shape))
	axes := r.ints("axes")
	if r.has(1) {
		for _, a := range r.in[1].v {
			axes = append(axes, int(a))
		}
	}
	for _, a := range axes {
		over[axis(a, len(x.shape))] = true
	}
	var kept, full []int
	count := 1
	for i, d := range x.shape {
		switch {
		case !over[i]:
			kept, full = append(kept, d), append(full, d)
		default:
			count *= d
			full = append(full, 1)
			if r.int("keepdims", 1) == 1 {
				kept = append(kept, 1)
			}
		}
	}
	y := newArray(full...)
	each(x.shape, func(k int, at []int) {
		if mean {
			y.v[y.index(at)] += x.v[k] / float64(count)
		} else {
			y.v[y.index(at)] += x.v[k]
		}
	})
	y.shape = kept
	return y
}

// conv is the convolution of images [n, channels, height, width], or its transpose.
func (r runner) conv(transposed bool) array {
	x, w := r.in[0], r.in[1]
	stride, dilation, pads, groups := r.ints("strides", 1, 1), r.ints("dilations", 1, 1), r.ints("pads", 0, 0, 0, 0), r.int("group", 1)
	kernel := w.shape[2:]
	extra := r.ints("output_padding", 0, 0)
	var out [2]int
	for a := range out {
		reach := dilation[a]*(kernel[a]-1) + 1
		if transposed {
			out[a] = (x.shape[2+a]-1)*stride[a] - pads[a] - pads[2+a] + reach + extra[a]
		} else {
			out[a] = (x.shape[2+a]+pads[a]+pads[2+a]-reach)/stride[a] + 1
		}
	}
	channels := w.shape[0]
	if transposed {
		channels = w.shape[1] * groups
	}
	y := newArray(x.shape[0], channels, out[0], out[1])
	if r.has(2) {
		each(y.shape, func(k int, at []int) { y.v[k] = r.in[2].v[at[1]] })
	}
	// every weight joins pixels of the small side (index s) and of the large one (s stride - pad + kernel index dilation)
	small, large := y, x
	if transposed {
		small, large = x, y
	}
	perIn := w.shape[1]
	each(small.shape, func(ks int, at []int) {
		group := at[1] / (small.shape[1] / groups)
		for c := range perIn {
			for i := range kernel[0] {
				for j := range kernel[1] {
					h, v := at[2]*stride[0]-pads[0]+i*dilation[0], at[3]*stride[1]-pads[1]+j*dilation[1]
					if h < 0 || v < 0 || h >= large.shape[2] || v >= large.shape[3] {
						continue
					}
					kl := ((at[0]*large.shape[1]+group*perIn+c)*large.shape[2]+h)*large.shape[3] + v
					weight := w.v[((at[1]*perIn+c)*kernel[0]+i)*kernel[1]+j]
					if transposed {
						y.v[kl] += weight * x.v[ks]
					} else {
						y.v[ks] += weight * x.v[kl]
					}
				}
			}
		}
	})
	return y
}

// pool is the maximum or mean over windows.
func (r runner) pool(maximum bool) array {
	x, kernel := r.in[0], r.ints("kernel_shape")
	stride, pads := r.ints("strides", 1, 1), r.ints("pads", 0, 0, 0, 0)
	y := newArray(x.shape[0], x.shape[1], (x.shape[2]+pads[0]+pads[2]-kernel[0])/stride[0]+1, (x.shape[3]+pads[1]+pads[3]-kernel[1])/stride[1]+1)
	each(y.shape, func(k int, at []int) {
		sum, most, n := 0., math.Inf(-1), 0
		for i := range kernel[0] {
			for j := range kernel[1] {
				h, v := at[2]*stride[0]-pads[0]+i, at[3]*stride[1]-pads[1]+j
				if h < 0 || v < 0 || h >= x.shape[2] || v >= x.shape[3] {
					continue
				}
				pixel := x.v[((at[0]*x.shape[1]+at[1])*x.shape[2]+h)*x.shape[3]+v]
				sum, most, n = sum+pixel, max(most, pixel), n+1
			}
		}
		if r.int("count_include_pad", 0) == 1 {
			n = kernel[0] * kernel[1]
		}
		if y.v[k] = sum / float64(n); maximum {
			y.v[k] = most
		}
	})
	return y
}

func (r runner) batchNorm() array {
	x := r.in[0]
	y := newArray(x.shape...)
	each(x.shape, func(k int, at []int) {
		c := at[1]
		y.v[k] = (x.v[k]-r.in[3].v[c])/math.Sqrt(r.in[4].v[c]+r.float("epsilon", 1e-5))*r.in[1].v[c] + r.in[2].v[c]
	})
	return y
}
