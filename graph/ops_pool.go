package graph

import (
	"fmt"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Pooling of images [batch, height, width, channels], by channel.

// Pool is the geometry of a pooling of images. Pairs are height, width; a zero Stride is the Size.
type Pool struct {
	Size   [2]int
	Stride [2]int
	Pad    [2]int // on each side; smaller than Size
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

func poolName(what string, p kernel.Pool) string {
	return fmt.Sprintf("%s(image=%v channels=%d size=%v stride=%v pad=%v)", what, p.Image, p.Channels, p.Size, p.Stride, p.Pad)
}

// imagesOf and pooledOf are the shapes of its operand and result.
func imagesOf(p kernel.Pool, batch int) tensor.Shape {
	return tensor.Shape{batch, p.Image[0], p.Image[1], p.Channels}
}

func pooledOf(p kernel.Pool, batch int) tensor.Shape {
	r := p.Result()
	return tensor.Shape{batch, r[0], r[1], p.Channels}
}

// maxPool is the largest pixel of each window.
type maxPool struct{ p kernel.Pool }

func (o maxPool) String() string  { return poolName("maxPool", o.p) }
func (o maxPool) formula() string { return fmt.Sprintf("max over %v", o.p.Size) }
func (o maxPool) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return pooledOf(o.p, n), wantShape("maximum of images", in[0], imagesOf(o.p, n))
}
func (o maxPool) split(batched []bool) split { return elementwise(batched) }
func (o maxPool) room([]tensor.Shape) int    { return o.p.Room() }

func (o maxPool) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(linearly(maxPoolGrad(o), in[0], g))
}

func (o maxPool) f32(c *call[float32]) { kernel.MaxPool(o.p, c.dst, piece(c, 0), c.room) }
func (o maxPool) f64(c *call[float64]) { kernel.MaxPool(o.p, c.dst, piece(c, 0), c.room) }

// maxPoolGrad puts g where x has the largest pixel of each window, the first of equal ones: the gradient of maxPool.
type maxPoolGrad struct{ p kernel.Pool }

func (o maxPoolGrad) String() string { return poolName("maxPoolGrad", o.p) }
func (maxPoolGrad) formula() string  { return "b where a is the maximum" }
func (o maxPoolGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return in[0].Clone(), firstError(wantShape("maximum of images", in[0], imagesOf(o.p, n)), wantShape("gradient of a maximum of images", in[1], pooledOf(o.p, n)))
}
func (o maxPoolGrad) split(batched []bool) split { return elementwise(batched) }
func (o maxPoolGrad) room([]tensor.Shape) int    { return o.p.Room() }

// diff: where the largest pixel is does not change with x, almost everywhere; so x has no gradient.
func (o maxPoolGrad) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		nil,
		func() (*Node, error) { return linearly(maxPoolPick(o), in[0], g) })
}

func (o maxPoolGrad) f32(c *call[float32]) { runMaxPoolGrad(o, c) }
func (o maxPoolGrad) f64(c *call[float64]) { runMaxPoolGrad(o, c) }

func runMaxPoolGrad[T Float](o maxPoolGrad, c *call[T]) {
	if c.srcZero[1] {
		c.markZero()
		return
	}
	kernel.MaxPoolGrad(o.p, c.dst, piece(c, 0), piece(c, 1), c.room)
}

// maxPoolPick takes v where x has the largest pixel of each window: the transpose of maxPoolGrad.
type maxPoolPick struct{ p kernel.Pool }

func (o maxPoolPick) String() string { return poolName("maxPoolPick", o.p) }
func (maxPoolPick) formula() string  { return "b at the maximum of a" }
func (o maxPoolPick) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return pooledOf(o.p, n), firstError(wantShape("maximum of images", in[0], imagesOf(o.p, n)), wantShape("choice of pixels", in[1], imagesOf(o.p, n)))
}
func (o maxPoolPick) split(batched []bool) split { return elementwise(batched) }
func (o maxPoolPick) room([]tensor.Shape) int    { return o.p.Room() }

func (o maxPoolPick) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		nil,
		func() (*Node, error) { return linearly(maxPoolGrad(o), in[0], g) })
}

func (o maxPoolPick) f32(c *call[float32]) {
	kernel.MaxPoolPick(o.p, c.dst, piece(c, 0), piece(c, 1), c.room)
}
func (o maxPoolPick) f64(c *call[float64]) {
	kernel.MaxPoolPick(o.p, c.dst, piece(c, 0), piece(c, 1), c.room)
}

// meanPool is the mean of each window.
type meanPool struct{ p kernel.Pool }

func (o meanPool) String() string  { return poolName("meanPool", o.p) }
func (o meanPool) formula() string { return fmt.Sprintf("mean over %v", o.p.Size) }
func (o meanPool) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return pooledOf(o.p, n), wantShape("mean of images", in[0], imagesOf(o.p, n))
}
func (o meanPool) split(batched []bool) split { return elementwise(batched) }
func (o meanPool) room([]tensor.Shape) int    { return o.p.Room() }

func (o meanPool) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(linearly(meanPoolGrad(o), g))
}

func (o meanPool) f32(c *call[float32]) { kernel.MeanPool(o.p, c.dst, piece(c, 0), c.room) }
func (o meanPool) f64(c *call[float64]) { kernel.MeanPool(o.p, c.dst, piece(c, 0), c.room) }

// meanPoolGrad spreads g evenly over each window: the gradient of meanPool, and its transpose.
type meanPoolGrad struct{ p kernel.Pool }

func (o meanPoolGrad) String() string { return poolName("meanPoolGrad", o.p) }
func (o meanPoolGrad) formula() string {
	return fmt.Sprintf("a / %d over %v", o.p.Size[0]*o.p.Size[1], o.p.Size)
}
func (o meanPoolGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return imagesOf(o.p, n), wantShape("gradient of a mean of images", in[0], pooledOf(o.p, n))
}
func (o meanPoolGrad) split(batched []bool) split { return elementwise(batched) }
func (o meanPoolGrad) room([]tensor.Shape) int    { return o.p.Room() }

func (o meanPoolGrad) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(linearly(meanPool(o), g))
}

func (o meanPoolGrad) f32(c *call[float32]) { runMeanPoolGrad(o, c) }
func (o meanPoolGrad) f64(c *call[float64]) { runMeanPoolGrad(o, c) }

func runMeanPoolGrad[T Float](o meanPoolGrad, c *call[T]) {
	if c.srcZero[0] {
		c.markZero()
		return
	}
	kernel.MeanPoolGrad(o.p, c.dst, piece(c, 0), c.room)
}
