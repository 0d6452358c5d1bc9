package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Conv is the geometry of a convolution of images. Pairs are height, width. The zero value moves by one pixel, without
// padding, gaps or groups: a zero Stride or Dilation is 1, and so are zero Groups.
type Conv struct {
	Stride   [2]int
	Pad      [2]int // rows and columns of zeros on each side
	Dilation [2]int // distance of the pixels that neighbouring weights see
	Groups   int    // outputs of a group see the inputs of that group only
}

// or replaces the zeros of a pair.
func or(pair, instead [2]int) [2]int {
	for i, v := range pair {
		if v == 0 {
			pair[i] = instead[i]
		}
	}
	return pair
}

// geometry is the convolution of images of a size with weights of a shape.
func (c Conv) geometry(image [2]int, channels int, w tensor.Shape) (kernel.Conv, error) {
	if w.Dims() != 4 {
		return kernel.Conv{}, errors.Errorf("convolution with weights of shape %v: want [kernel height, kernel width, in/groups, out]", w)
	}
	k := kernel.Conv{
		Image: image, In: channels, Out: w[3], Kernel: [2]int{w[0], w[1]},
		Stride: or(c.Stride, [2]int{1, 1}), Pad: c.Pad, Dilation: or(c.Dilation, [2]int{1, 1}), Groups: max(c.Groups, 1),
	}
	for a, axis := range []string{"height", "width"} {
		switch {
		case k.Stride[a] < 0 || k.Dilation[a] < 0 || k.Pad[a] < 0 || c.Groups < 0:
			return k, errors.Errorf("convolution of stride %v, dilation %v, padding %v and %d groups: none may be negative", c.Stride, c.Dilation, c.Pad, c.Groups)
		case image[a]+2*k.Pad[a] < k.Dilation[a]*(k.Kernel[a]-1)+1:
			return k, errors.Errorf("convolution of images of %v by a kernel of %v: its %s spans %d pixels, padded images have %d: pad more, or make the kernel or the dilation smaller",
				image, k.Kernel, axis, k.Dilation[a]*(k.Kernel[a]-1)+1, image[a]+2*k.Pad[a])
		}
	}
	if k.In%k.Groups != 0 || k.Out%k.Groups != 0 {
		return k, errors.Errorf("convolution of %d to %d channels in %d groups: the groups must divide both", k.In, k.Out, k.Groups)
	}
	if w[2] != k.In/k.Groups {
		return k, errors.Errorf("convolution of %d channels in %d groups with weights of shape %v ([kernel height, kernel width, in/groups, out]): the third must be %d", k.In, k.Groups, w, k.In/k.Groups)
	}
	return k, nil
}

// images checks that there are none missing and x is [batch, height, width, channels].
func (b *Builder) images(what string, x *Node, others ...*Node) bool {
	if b.err != nil {
		return false
	}
	for _, n := range append(others, x) {
		if n == nil {
			b.Fail(errors.Errorf("%s with a missing operand", what))
			return false
		}
	}
	if x.Shape().Dims() != 4 {
		b.Fail(errors.Errorf("%s of shape %v: want images [batch, height, width, channels]; reshape first", what, x.Shape()))
		return false
	}
	return true
}

// Conv2D is the convolution (no kernel is flipped, as everywhere in machine learning)
//
//	y[b,i,j,o] = sum_{r,s,c} x[b, i S - P + r D, j S - P + s D, c] w[r,s,c,o] + bias[o]
//
// x [batch, height, width, channels], w [kernel height, kernel width, channels/groups, out], bias [out] or nil; the
// result is [batch, height', width', out] with height' = (height + 2 P - D (kernel height - 1) - 1) / S + 1, rounded
// down. Memory: patches are laid out for a few rows of one image at a time, never for the whole.
func (b *Builder) Conv2D(x, w, bias *Node, c Conv) *Node {
	if !b.images("convolution", x, w) {
		return nil
	}
	s := x.Shape()
	k, err := c.geometry([2]int{s[1], s[2]}, s[3], w.Shape())
	if err != nil {
		b.Fail(err)
		return nil
	}
	if bias == nil {
		return b.add(conv2d{c: k}, x, w)
	}
	return b.add(conv2d{c: k, bias: true}, x, w, bias)
}

// ConvTranspose2D is the transpose of Conv2D as a linear map of its images, plus a bias: every pixel of x, times the
// weights, is added where the window that would give it lies.
//
// x [batch, height, width, channels], w [kernel height, kernel width, out/groups, channels], bias [out] or nil; the
// result is [batch, height', width', out] with height' = (height - 1) S - 2 P + D (kernel height - 1) + 1 + extra.
// With a stride several sizes are mapped to one by Conv2D; extra, smaller than the stride, selects one of them.
func (b *Builder) ConvTranspose2D(x, w, bias *Node, c Conv, extra [2]int) *Node {
	if !b.images("transposed convolution", x, w) {
		return nil
	}
	k, err := c.transposed(x.Shape(), w.Shape(), extra)
	if err != nil {
		b.Fail(err)
		return nil
	}
	if bias == nil {
		return b.add(convInput{c: k}, x, w)
	}
	return b.add(convInput{c: k, bias: true}, x, w, bias)
}

// transposed is the convolution that a transposed one of images x is the transpose of.
func (c Conv) transposed(x, w tensor.Shape, extra [2]int) (kernel.Conv, error) {
	if w.Dims() != 4 || w[3] != x[3] {
		return kernel.Conv{}, errors.Errorf("transposed convolution of images %v with weights of shape %v: want [kernel height, kernel width, out/groups, %d]", x, w, x[3])
	}
	stride, dilation := or(c.Stride, [2]int{1, 1}), or(c.Dilation, [2]int{1, 1})
	var image [2]int
	for a := range image {
		image[a] = (x[1+a]-1)*stride[a] - 2*c.Pad[a] + dilation[a]*(w[a]-1) + 1 + extra[a]
		if extra[a] < 0 || extra[a] >= max(stride[a], 1) {
			return kernel.Conv{}, errors.Errorf("transposed convolution of stride %v with %v extra rows and columns: they must be fewer than the stride", stride, extra)
		}
	}
	if image[0] < 1 || image[1] < 1 {
		return kernel.Conv{}, errors.Errorf("transposed convolution of images %v with weights of shape %v, stride %v, padding %v: the result would be of size %v: pad less", x, w, stride, c.Pad, image)
	}
	return c.geometry(image, w[2]*max(c.Groups, 1), w)
}

// The three operations of a convolution are bilinear and each other's derivatives: with y = conv2d(x, w) and a
// gradient g like y, the gradient with respect to x is convInput(g, w) and with respect to w convWeight(x, g). Images are channels-last,
// [batch, height, width, channels], weights [kernel height, kernel width, in/groups, out].

// convName writes an operation with its geometry.
func convName(what string, c kernel.Conv, bias bool) string {
	return fmt.Sprintf("%s(image=%v in=%d out=%d kernel=%v stride=%v pad=%v dilation=%v groups=%d bias=%t)",
		what, c.Image, c.In, c.Out, c.Kernel, c.Stride, c.Pad, c.Dilation, c.Groups, bias)
}

// xShape, yShape and wShape are the shapes of its operands.
func xShape(c kernel.Conv, batch int) tensor.Shape {
	return tensor.Shape{batch, c.Image[0], c.Image[1], c.In}
}

func yShape(c kernel.Conv, batch int) tensor.Shape {
	r := c.Result()
	return tensor.Shape{batch, r[0], r[1], c.Out}
}

func wShape(c kernel.Conv) tensor.Shape {
	return tensor.Shape{c.Kernel[0], c.Kernel[1], c.In / c.Groups, c.Out}
}

// wantShape checks one operand of an operation that was made for fixed shapes.
func wantShape(what string, got, want tensor.Shape) error {
	if !got.Eq(want) {
		return errors.Errorf("%s of shape %v: want %v", what, got, want)
	}
	return nil
}

// firstError is the first of errs that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// batchOf is the leading dimension of images.
func batchOf(s tensor.Shape) int {
	if len(s) == 0 {
		return 0
	}
	return s[0]
}

// imageSplit is by images: weights and bias are whole.
func imageSplit(batched []bool) split {
	if !batched[0] {
		return joint
	}
	for _, b := range batched[1:] {
		if b {
			return joint
		}
	}
	return rowwise
}

// bilinear is s(a, b) for an operation that is linear in both operands, whose factors are taken out in front.
func bilinear(s spec, a, b *Node) (*Node, error) {
	a, ca := unscale(a)
	b, cb := unscale(b)
	return scaledOp(ca*cb, s, a, b)
}

// conv2d is the convolution of x with w, with bias [out] added to every pixel.
type conv2d struct {
	c    kernel.Conv
	bias bool
}

func (o conv2d) String() string  { return convName("conv2d", o.c, o.bias) }
func (o conv2d) formula() string { return biased("conv(a, b)", o.bias) }

func (o conv2d) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	errs := []error{wantShape("convolution of an image", in[0], xShape(o.c, n)), wantShape("convolution with weights", in[1], wShape(o.c))}
	if o.bias {
		errs = append(errs, wantShape("convolution with a bias", in[2], tensor.Shape{o.c.Out}))
	}
	return yShape(o.c, n), firstError(errs...)
}

func (o conv2d) split(batched []bool) split { return imageSplit(batched) }

func (o conv2d) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return diffConv(in, g, want, convInput{c: o.c}, func() (*Node, error) { return bilinear(convWeight{o.c}, in[0], g) })
}

// convInput is the transpose of conv2d as a linear map of x: the gradient with respect to x, or a transposed convolution with
// bias [in]. Its operands are g and w.
type convInput struct {
	c    kernel.Conv
	bias bool
}

func (o convInput) String() string  { return convName("convInput", o.c, o.bias) }
func (o convInput) formula() string { return biased("conv'(a, b)", o.bias) }

func (o convInput) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	errs := []error{wantShape("transposed convolution of an image", in[0], yShape(o.c, n)), wantShape("transposed convolution with weights", in[1], wShape(o.c))}
	if o.bias {
		errs = append(errs, wantShape("transposed convolution with a bias", in[2], tensor.Shape{o.c.In}))
	}
	return xShape(o.c, n), firstError(errs...)
}

func (o convInput) split(batched []bool) split { return imageSplit(batched) }

func (o convInput) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return diffConv(in, g, want, conv2d{c: o.c}, func() (*Node, error) { return bilinear(convWeight{o.c}, g, in[0]) })
}

// diffConv gives the gradients of conv2d or convInput: of the image it is the other one, of the weights toWeights.
func diffConv(in []*Node, g *Node, want []bool, other spec, toWeights func() (*Node, error)) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return bilinear(other, g, in[1]) },
		toWeights,
		func() (*Node, error) { return columnSums(g, 1) })
}

// convWeight is the gradient of <g, conv2d(x, w)> with respect to w, of operands x and g.
type convWeight struct{ c kernel.Conv }

func (o convWeight) String() string { return convName("convWeight", o.c, false) }
func (convWeight) formula() string  { return "correlation(a, b)" }

func (o convWeight) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return wShape(o.c), firstError(wantShape("correlation of an image", in[0], xShape(o.c, n)), wantShape("correlation with an image", in[1], yShape(o.c, n)))
}

func (o convWeight) split([]bool) split { return joint }

func (o convWeight) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return bilinear(convInput{c: o.c}, in[1], g) },
		func() (*Node, error) { return bilinear(conv2d{c: o.c}, in[0], g) })
}

// The methods below serve Gorgonia's machines and allocate; programs use what the compile methods make of them.

func (o conv2d) f32(c *call[float32])    { runFilter(kernel.NewFilter[float32](o.c), c) }
func (o conv2d) f64(c *call[float64])    { runFilter(kernel.NewFilter[float64](o.c), c) }
func (o convInput) f32(c *call[float32]) { runFilter(kernel.NewAdjoint[float32](o.c), c) }
func (o convInput) f64(c *call[float64]) { runFilter(kernel.NewAdjoint[float64](o.c), c) }

func runFilter[T Float](f *kernel.Filter[T], c *call[T]) {
	f.Pack(c.src[1])
	c.room = make([]T, f.Room())
	applyFilter(f, len(c.shapes) > 2, c)
}

// applyFilter takes the images of a call through a packed filter.
func applyFilter[T Float](f *kernel.Filter[T], bias bool, c *call[T]) {
	b, zero := addend(bias, c)
	if zero {
		c.markZero()
		return
	}
	x, n := piece(c, 0), c.rows()
	from, to := len(x)/n, len(c.dst)/n
	for i := range n {
		f.Apply(c.dst[i*to:(i+1)*to], x[i*from:(i+1)*from], b, c.room)
	}
}

func (o convWeight) f32(c *call[float32]) { runConvWeight(o, c) }
func (o convWeight) f64(c *call[float64]) { runConvWeight(o, c) }

func runConvWeight[T Float](o convWeight, c *call[T]) {
	f := kernel.NewConvSum[T](o.c)
	c.room = make([]T, f.Room())
	clear(c.dst)
	sumImages(f, c.dst, c, 0, c.shapes[0][0])
}

// sumImages adds the gradients of the images [lo, hi) to dst.
func sumImages[T Float](f *kernel.ConvSum[T], dst []T, c *call[T], lo, hi int) {
	n := c.shapes[0][0]
	x, g := len(c.src[0])/n, len(c.src[1])/n
	f.Start(dst, c.room)
	for i := lo; i < hi; i++ {
		f.Add(dst, c.src[0][i*x:(i+1)*x], c.src[1][i*g:(i+1)*g], c.room)
	}
	f.Finish(dst, c.room)
}

func (o conv2d) compile32(c *compiler[float32], ins *instr[float32], n *Node) {
	compileConv(c, ins, o.c, false, o.bias, n)
}
func (o convInput) compile32(c *compiler[float32], ins *instr[float32], n *Node) {
	compileConv(c, ins, o.c, true, o.bias, n)
}
func (o convWeight) compile32(c *compiler[float32], ins *instr[float32], n *Node) {
	compileConvWeight(o.c, c, ins, n)
}
func (o conv2d) compile64(c *compiler[float64], ins *instr[float64], n *Node) {
	compileConv(c, ins, o.c, false, o.bias, n)
}
func (o convInput) compile64(c *compiler[float64], ins *instr[float64], n *Node) {
	compileConv(c, ins, o.c, true, o.bias, n)
}
func (o convWeight) compile64(c *compiler[float64], ins *instr[float64], n *Node) {
	compileConvWeight(o.c, c, ins, n)
}

// mostSums bounds the partial sums of a convolution's weight gradient, and sumElements their memory, in elements.
const (
	mostSums    = 16
	fewestSums  = 4
	sumElements = 1 << 22
)

// compileConv makes a convolution or its transpose use a filter that is packed once per change of the weights.
func compileConv[T Float](c *compiler[T], ins *instr[T], conv kernel.Conv, adjoint, bias bool, n *Node) {
	ins.work = convWork(conv, n.Shape()[0])
	if ins.kind == joint {
		ins.rows, ins.grain = n.Shape()[0], 1
	}
	type key struct {
		weight  int
		conv    kernel.Conv
		adjoint bool
	}
	ins.packed = c.pack(key{ins.in[1], conv, adjoint}, ins.in[1],
		func(m *cell[T]) { m.filter = newFilter[T](conv, adjoint) },
		func(c *call[T]) { c.packed.filter.Pack(c.src[0]) })
	ins.in = append([]int{ins.in[0], ins.packed}, ins.in[2:]...)
	ins.room = newFilter[T](conv, adjoint).Room()
	ins.run = func(c *call[T]) { applyFilter(c.packed.filter, bias, c) }
}

func newFilter[T Float](conv kernel.Conv, adjoint bool) *kernel.Filter[T] {
	if adjoint {
		return kernel.NewAdjoint[T](conv)
	}
	return kernel.NewFilter[T](conv)
}

// convWork is the number of operations of a convolution of a batch.
func convWork(c kernel.Conv, batch int) float64 {
	return 2 * float64(yShape(c, batch).TotalSize()) * float64(c.Kernel[0]*c.Kernel[1]*c.In/c.Groups)
}

// compileConvWeight makes a weight gradient two instructions: partial sums over ranges of the batch, which are tasks of their
// own, and their sum. The ranges depend on the shapes alone.
func compileConvWeight[T Float](conv kernel.Conv, c *compiler[T], ins *instr[T], n *Node) {
	out, x, g := n.Shape(), &c.values[ins.in[0]], &c.values[ins.in[1]]
	batch, size := x.shape[0], out.TotalSize()
	parts := min(max(sumElements/size, fewestSums), mostSums, batch)
	sum := kernel.NewConvSum[T](conv)
	v := value{shape: tensor.Shape{parts, size}, static: x.static && g.static, materialised: true, slot: -1, stage: -1}
	id := c.append(v, instr[T]{
		name: "partial " + ins.name, in: ins.in, packed: -1, kind: joint, rows: parts, grain: 1, room: sum.Room(), work: convWork(conv, batch),
		run: func(c *call[T]) {
			clear(c.dst)
			if c.srcZero[0] || c.srcZero[1] {
				return
			}
			for k := range c.rows() {
				part := c.lo + k
				sumImages(sum, c.dst[k*size:(k+1)*size], c, batch*part/parts, batch*(part+1)/parts)
			}
		},
	})
	ins.in, ins.rows, ins.grain, ins.work = []int{id}, out[0], 1, float64(parts*size)
	rows := size / out[0]
	ins.run = func(c *call[T]) {
		lo, n := c.lo*rows, len(c.dst)
		copy(c.dst, c.src[0][lo:lo+n])
		for k := 1; k < parts; k++ {
			kernel.Add(c.dst, c.dst, c.src[0][k*size+lo:][:n])
		}
	}
}
