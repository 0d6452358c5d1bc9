package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// The three operations of a convolution are bilinear and each other's derivatives: with y = conv2d(x, w) and a
// gradient g like y, the gradient by x is convInput(g, w) and that by w is convWeight(x, g). Images are channels-last,
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

// bilinear applies s to operands whose factors are drawn out in front.
func bilinear(s spec, a, b *Node) (*Node, error) {
	a, ca := unscale(a)
	b, cb := unscale(b)
	n, err := apply("", s, a, b)
	if err != nil {
		return nil, err
	}
	return scaled(n, ca*cb)
}

// conv2d is the convolution of x with w, with bias [out] added to every pixel.
type conv2d struct {
	c    kernel.Conv
	bias bool
}

func (o conv2d) String() string { return convName("conv2d", o.c, o.bias) }

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

// convInput is the transpose of conv2d as a linear map of x: the gradient by x, or a transposed convolution with
// bias [in]. Its operands are g and w.
type convInput struct {
	c    kernel.Conv
	bias bool
}

func (o convInput) String() string { return convName("convInput", o.c, o.bias) }

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

// diffConv gives the gradients of conv2d or convInput: by the image it is the other one, by the weights byWeights.
func diffConv(in []*Node, g *Node, want []bool, other spec, byWeights func() (*Node, error)) ([]*Node, error) {
	ds := make([]*Node, len(in))
	var err error
	if want[0] {
		if ds[0], err = bilinear(other, g, in[1]); err != nil {
			return nil, err
		}
	}
	if want[1] {
		if ds[1], err = byWeights(); err != nil {
			return nil, err
		}
	}
	if len(in) > 2 && want[2] {
		ds[2], err = columnSums(g, 1)
	}
	return ds, err
}

// convWeight is the gradient of <g, conv2d(x, w)> by w, of operands x and g.
type convWeight struct{ c kernel.Conv }

func (o convWeight) String() string { return convName("convWeight", o.c, false) }

func (o convWeight) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return wShape(o.c), firstError(wantShape("correlation of an image", in[0], xShape(o.c, n)), wantShape("correlation with an image", in[1], yShape(o.c, n)))
}

func (o convWeight) split([]bool) split { return joint }

func (o convWeight) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds := make([]*Node, 2)
	var err error
	if want[0] {
		if ds[0], err = bilinear(convInput{c: o.c}, in[1], g); err != nil {
			return nil, err
		}
	}
	if want[1] {
		ds[1], err = bilinear(conv2d{c: o.c}, in[0], g)
	}
	return ds, err
}

// The methods below serve Gorgonia's machines and allocate; programs use what plan_conv.go makes of them.

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
	var b []T
	if bias {
		b = c.src[2]
	} else if c.srcZero[0] {
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
