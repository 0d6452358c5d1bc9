package graph

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// Pooling of images [batch, height, width, channels], by channel.

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

// linearly applies s, which is linear in its last operand, whose factor is drawn out in front.
func linearly(s spec, xs ...*Node) (*Node, error) {
	last := len(xs) - 1
	base, c := unscale(xs[last])
	xs[last] = base
	n, err := apply("", s, xs...)
	if err != nil {
		return nil, err
	}
	return scaled(n, c)
}

// maxPool is the largest pixel of each window.
type maxPool struct{ p kernel.Pool }

func (o maxPool) String() string { return poolName("maxPool", o.p) }
func (o maxPool) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return pooledOf(o.p, n), wantShape("maximum of images", in[0], imagesOf(o.p, n))
}
func (o maxPool) split(batched []bool) split { return elementwise(batched) }
func (o maxPool) room([]tensor.Shape) int    { return o.p.Room() }

func (o maxPool) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	d, err := linearly(maxPoolGrad(o), in[0], g)
	return []*Node{d}, err
}

func (o maxPool) f32(c *call[float32]) { kernel.MaxPool(o.p, c.dst, piece(c, 0), c.room) }
func (o maxPool) f64(c *call[float64]) { kernel.MaxPool(o.p, c.dst, piece(c, 0), c.room) }

// maxPoolGrad puts g where x has the largest pixel of each window, the first of equal ones: the gradient of maxPool.
type maxPoolGrad struct{ p kernel.Pool }

func (o maxPoolGrad) String() string { return poolName("maxPoolGrad", o.p) }
func (o maxPoolGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return in[0].Clone(), firstError(wantShape("maximum of images", in[0], imagesOf(o.p, n)), wantShape("gradient of a maximum of images", in[1], pooledOf(o.p, n)))
}
func (o maxPoolGrad) split(batched []bool) split { return elementwise(batched) }
func (o maxPoolGrad) room([]tensor.Shape) int    { return o.p.Room() }

// diff: where the largest pixel is does not change with x, almost everywhere; so there is no gradient by x.
func (o maxPoolGrad) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds := make([]*Node, 2)
	var err error
	if want[1] {
		ds[1], err = linearly(maxPoolPick(o), in[0], g)
	}
	return ds, err
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
func (o maxPoolPick) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return pooledOf(o.p, n), firstError(wantShape("maximum of images", in[0], imagesOf(o.p, n)), wantShape("choice of pixels", in[1], imagesOf(o.p, n)))
}
func (o maxPoolPick) split(batched []bool) split { return elementwise(batched) }
func (o maxPoolPick) room([]tensor.Shape) int    { return o.p.Room() }

func (o maxPoolPick) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	ds := make([]*Node, 2)
	var err error
	if want[1] {
		ds[1], err = linearly(maxPoolGrad(o), in[0], g)
	}
	return ds, err
}

func (o maxPoolPick) f32(c *call[float32]) {
	kernel.MaxPoolPick(o.p, c.dst, piece(c, 0), piece(c, 1), c.room)
}
func (o maxPoolPick) f64(c *call[float64]) {
	kernel.MaxPoolPick(o.p, c.dst, piece(c, 0), piece(c, 1), c.room)
}

// meanPool is the mean of each window.
type meanPool struct{ p kernel.Pool }

func (o meanPool) String() string { return poolName("meanPool", o.p) }
func (o meanPool) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return pooledOf(o.p, n), wantShape("mean of images", in[0], imagesOf(o.p, n))
}
func (o meanPool) split(batched []bool) split { return elementwise(batched) }
func (o meanPool) room([]tensor.Shape) int    { return o.p.Room() }

func (o meanPool) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	d, err := linearly(meanPoolGrad(o), g)
	return []*Node{d}, err
}

func (o meanPool) f32(c *call[float32]) { kernel.MeanPool(o.p, c.dst, piece(c, 0), c.room) }
func (o meanPool) f64(c *call[float64]) { kernel.MeanPool(o.p, c.dst, piece(c, 0), c.room) }

// meanPoolGrad spreads g evenly over each window: the gradient of meanPool, and its transpose.
type meanPoolGrad struct{ p kernel.Pool }

func (o meanPoolGrad) String() string { return poolName("meanPoolGrad", o.p) }
func (o meanPoolGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	n := batchOf(in[0])
	return imagesOf(o.p, n), wantShape("gradient of a mean of images", in[0], pooledOf(o.p, n))
}
func (o meanPoolGrad) split(batched []bool) split { return elementwise(batched) }
func (o meanPoolGrad) room([]tensor.Shape) int    { return o.p.Room() }

func (o meanPoolGrad) diff(_ []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	d, err := linearly(meanPool(o), g)
	return []*Node{d}, err
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
