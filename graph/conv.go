package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Conv says how a convolution slides over images. Pairs are height, width. The zero value moves by one pixel, without
// padding, gaps or groups: a zero Stride or Dilation is 1, and so are zero Groups.
type Conv struct {
	Stride   [2]int
	Pad      [2]int // rows and columns of zeros on each side
	Dilation [2]int // distance of the pixels that neighbouring weights see
	Groups   int    // outputs of a group see the inputs of that group only
}

// Pool says how the window of a pooling slides over images. Pairs are height, width; a zero Stride is the Size.
type Pool struct {
	Size   [2]int
	Stride [2]int
	Pad    [2]int // on each side; smaller than Size
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
// With a stride several sizes are mapped to one by Conv2D; extra, smaller than the stride, tells which is meant.
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

// geometry is the pooling of images of shape x.
func (p Pool) geometry(what string, x tensor.Shape) (kernel.Pool, error) {
	k := kernel.Pool{Image: [2]int{x[1], x[2]}, Channels: x[3], Size: p.Size, Stride: or(p.Stride, p.Size), Pad: p.Pad}
	for a := range k.Size {
		switch {
		case k.Size[a] < 1 || k.Stride[a] < 1:
			return k, errors.Errorf("%s over windows of %v with stride %v: both must be positive", what, p.Size, p.Stride)
		case k.Pad[a] < 0 || k.Pad[a] >= k.Size[a]:
			return k, errors.Errorf("%s over windows of %v with padding %v: it must be smaller than the window, and not negative", what, p.Size, p.Pad)
		case k.Image[a]+2*k.Pad[a] < k.Size[a]:
			return k, errors.Errorf("%s of images %v, padded by %v, over windows of %v: the window is larger: make it smaller", what, x, p.Pad, p.Size)
		}
	}
	return k, nil
}

// MaxPool2D is the largest pixel of each window, by channel: x [batch, height, width, channels] to [batch, height',
// width', channels] with height' = (height + 2 pad - size) / stride + 1, rounded down. Padding is never the largest.
// The gradient goes to the first of equal pixels, row by row, as in JAX.
func (b *Builder) MaxPool2D(x *Node, p Pool) *Node {
	if !b.images("maximum over windows", x) {
		return nil
	}
	k, err := p.geometry("maximum", x.Shape())
	if err != nil {
		b.Fail(err)
		return nil
	}
	return b.add(maxPool{k}, x)
}

// AvgPool2D is the mean of each window, by channel, with shapes as in MaxPool2D. Padding counts as zeros: sums are
// divided by the size of the window everywhere.
func (b *Builder) AvgPool2D(x *Node, p Pool) *Node {
	if !b.images("mean over windows", x) {
		return nil
	}
	k, err := p.geometry("mean", x.Shape())
	if err != nil {
		b.Fail(err)
		return nil
	}
	return b.add(meanPool{k}, x)
}

// GlobalAvgPool2D is the mean over all pixels: [batch, height, width, channels] -> [batch, channels].
func (b *Builder) GlobalAvgPool2D(x *Node) *Node {
	if !b.images("mean over images", x) {
		return nil
	}
	s := x.Shape()
	return b.Reshape(b.AvgPool2D(x, Pool{Size: [2]int{s[1], s[2]}}), s[3])
}

// Reshape gives each sample another shape of as many elements, [batch, ...] -> [batch, shape...], in the order in
// which they lie in memory. It copies.
func (b *Builder) Reshape(x *Node, shape ...int) *Node {
	if b.err != nil {
		return nil
	}
	if x == nil || x.IsScalar() {
		b.Fail(errors.New("reshape of what has no batch in front"))
		return nil
	}
	for _, d := range shape {
		if d < 1 {
			b.Fail(errors.Errorf("reshape of %v to a shape of %v per sample: every dimension must be positive", x.Shape(), shape))
			return nil
		}
	}
	return b.add(reshape{to: append(tensor.Shape{x.Shape()[0]}, shape...)}, x)
}
