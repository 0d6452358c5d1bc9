package graph

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// HalfSquare is the scalar coef/2 sum x^2 / batch; batch 1 for what is not averaged.
func (b *Builder) HalfSquare(x *Node, coef float64, batch int) *Node {
	return b.add(halfSquare{coef: coef, batch: batch}, x)
}

// Inner is the scalar sum x y.
func (b *Builder) Inner(x, y *Node) *Node { return b.add(inner{coef: 1}, x, y) }

// CrossEntropy is the scalar -coef sum_ik y_ik log softmax(logits_i)_k / batch, stable for logits of any size.
func (b *Builder) CrossEntropy(y, logits *Node, coef float64, batch int) *Node {
	return b.add(crossEntropy{coef: coef, batch: batch}, y, logits)
}

// sumShape is the shape rule of sums of everything: a scalar.
func sumShape(what string, in []tensor.Shape) (tensor.Shape, error) {
	if _, err := sameShape(what, in); err != nil {
		return nil, err
	}
	return tensor.ScalarShape(), nil
}

// sumSplit is the split of sums of everything.
func sumSplit(batched []bool) split {
	if elementwise(batched) == rowwise {
		return reduce
	}
	return joint
}

// averagedOver checks a batch size.
func averagedOver(what string, batch int) error {
	if batch < 1 {
		return errors.Errorf("%s averaged over a batch of %d samples: want one or more", what, batch)
	}
	return nil
}

// eachRow stores f of each row of the first operand as that row's partial sum, or the sum over all of a joint call.
func eachRow[T Float](c *call[T], f func(lo, hi int) float64) {
	if c.partial == nil {
		c.dst[0] = T(f(0, len(c.src[0])))
		return
	}
	w := len(c.src[0]) / c.rows()
	for i := range c.rows() {
		c.partial[i] = f(i*w, (i+1)*w)
	}
}

// halfSquare is coef/2 sum x^2 / batch.
type halfSquare struct {
	coef  float64
	batch int
}

func (o halfSquare) String() string {
	return fmt.Sprintf("halfSquare(coef=%v batch=%d)", o.coef, o.batch)
}
func (o halfSquare) formula() string {
	return fmt.Sprintf("%v/2 sum a²%s", short(o.coef), over(o.batch))
}
func (o halfSquare) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.ScalarShape(), averagedOver("half square", o.batch)
}
func (o halfSquare) split(batched []bool) split { return sumSplit(batched) }

func (o halfSquare) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(weighted(g, in[0], o.coef, o.batch))
}

// weighted is g coef x / batch for a scalar node g. A constant g is folded in before the division, so that a cost
// multiplied by the batch size gives each sample's own gradient, with the same bits in a batch of any size.
func weighted(g, x *Node, coef float64, batch int) (*Node, error) {
	if v, ok := constant(g); ok {
		return scaled(x, coef*(v/float64(batch)))
	}
	x, err := scaled(x, coef/float64(batch))
	if err != nil {
		return nil, err
	}
	return scaledBy(g, x)
}

// weightedOp is g coef s(xs...) / batch for a scalar node g.
func weightedOp(g *Node, coef float64, batch int, s spec, xs ...*Node) (*Node, error) {
	x, err := apply("", s, xs...)
	if err != nil {
		return nil, err
	}
	return weighted(g, x, coef, batch)
}

func (o halfSquare) f32(c *call[float32]) { runHalfSquare(o, c) }
func (o halfSquare) f64(c *call[float64]) { runHalfSquare(o, c) }

func runHalfSquare[T Float](o halfSquare, c *call[T]) {
	if c.srcZero[0] {
		clear(c.partial)
		clear(c.dst)
		return
	}
	x, f := c.src[0], o.coef/2/float64(o.batch)
	eachRow(c, func(lo, hi int) float64 { return f * kernel.SumSquares(x[lo:hi]) })
}

// inner is coef sum x y.
type inner struct{ coef float64 }

func (o inner) String() string                                { return fmt.Sprintf("inner(coef=%v)", o.coef) }
func (o inner) formula() string                               { return factor(o.coef) + "sum a b" }
func (inner) symmetric() bool                                 { return true }
func (o inner) shape(in []tensor.Shape) (tensor.Shape, error) { return sumShape("inner product", in) }
func (o inner) split(batched []bool) split                    { return sumSplit(batched) }

func (o inner) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return weighted(g, in[1], o.coef, 1) },
		func() (*Node, error) { return weighted(g, in[0], o.coef, 1) })
}

func (o inner) f32(c *call[float32]) { runInner(o, c) }
func (o inner) f64(c *call[float64]) { runInner(o, c) }

func runInner[T Float](o inner, c *call[T]) {
	x, y := c.src[0], c.src[1]
	eachRow(c, func(lo, hi int) float64 { return o.coef * kernel.Dot(x[lo:hi], y[lo:hi]) })
}

// crossEntropy is -coef sum_ik y_ik log softmax(m_i)_k / batch, of targets y and logits m, softmax over the last axis.
type crossEntropy struct {
	coef  float64
	batch int
}

func (o crossEntropy) String() string {
	return fmt.Sprintf("crossEntropy(coef=%v batch=%d)", o.coef, o.batch)
}
func (o crossEntropy) formula() string { return factor(o.coef) + "cross-entropy" + over(o.batch) }

func (o crossEntropy) shape(in []tensor.Shape) (tensor.Shape, error) {
	if in[0].IsScalar() {
		return nil, errors.New("cross-entropy of a scalar: want at least one axis of classes")
	}
	if err := averagedOver("cross-entropy", o.batch); err != nil {
		return nil, err
	}
	return sumShape("cross-entropy", in)
}

func (o crossEntropy) split(batched []bool) split { return sumSplit(batched) }

func (o crossEntropy) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return weightedOp(g, -o.coef, o.batch, logSoftmax{}, in[1]) },
		func() (*Node, error) { return weightedOp(g, o.coef, o.batch, softmaxError{}, in...) })
}

func (o crossEntropy) f32(c *call[float32]) { runCrossEntropy(o, c) }
func (o crossEntropy) f64(c *call[float64]) { runCrossEntropy(o, c) }

func runCrossEntropy[T Float](o crossEntropy, c *call[T]) {
	y, m, f, k := c.src[0], c.src[1], o.coef/float64(o.batch), last(c.shapes[0])
	eachRow(c, func(lo, hi int) float64 {
		sum := 0.0
		for i := lo; i < hi; i += k {
			sum += kernel.LogSoftmaxNLL(y[i:i+k], m[i:i+k])
		}
		return f * sum
	})
}

// softmaxError is sum(y) softmax(m) - y: the gradient of the cross-entropy with respect to the logits m.
type softmaxError struct{}

func (softmaxError) String() string  { return "softmaxError" }
func (softmaxError) formula() string { return "softmax(b) - a" }
func (softmaxError) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape("softmax error", in)
}
func (softmaxError) split(batched []bool) split { return elementwise(batched) }

func (softmaxError) diff(in []*Node, _, g *Node, want []bool) ([]*Node, error) {
	return gradients(want,
		func() (*Node, error) { return apply("", softmaxShift{}, in[1], g) },
		func() (*Node, error) { return apply("", softmaxHess{}, in[0], in[1], g) })
}

func (o softmaxError) f32(c *call[float32]) { runSoftmaxError(c) }
func (o softmaxError) f64(c *call[float64]) { runSoftmaxError(c) }

func runSoftmaxError[T Float](c *call[T]) {
	y, m, k := piece(c, 0), piece(c, 1), last(c.shapes[0])
	for i := 0; i < len(c.dst); i += k {
		kernel.SoftmaxGrad(c.dst[i:i+k], y[i:i+k], m[i:i+k], 1)
	}
}

// logSoftmax is log softmax(m) over the last axis.
type logSoftmax struct{}

func (logSoftmax) String() string                                { return "logSoftmax" }
func (logSoftmax) formula() string                               { return "log softmax" }
func (logSoftmax) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (logSoftmax) split(batched []bool) split                    { return elementwise(batched) }

// diff: with s = softmax(m), the gradient of <g, log s> with respect to m is g - sum(g) s, the softmax error of g, negated.
func (logSoftmax) diff(in []*Node, _, g *Node, _ []bool) ([]*Node, error) {
	return only(scaledOp(-1, softmaxError{}, g, in[0]))
}

func (o logSoftmax) f32(c *call[float32]) { runLogSoftmax(c) }
func (o logSoftmax) f64(c *call[float64]) { runLogSoftmax(c) }

func runLogSoftmax[T Float](c *call[T]) {
	m, k := piece(c, 0), last(c.shapes[0])
	for i := 0; i < len(c.dst); i += k {
		kernel.LogSoftmax(c.dst[i:i+k], m[i:i+k])
	}
}

// softmaxShift is (s . v) 1 - v with s = softmax(m): the derivative of the softmax error with respect to its targets, times v.
type softmaxShift struct{}

func (softmaxShift) String() string { return "softmaxShift" }
func (softmaxShift) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape("softmax shift", in)
}
func (softmaxShift) split(batched []bool) split { return elementwise(batched) }
func (softmaxShift) diff([]*Node, *Node, *Node, []bool) ([]*Node, error) {
	return nil, errors.New("graph: third derivatives of the cross-entropy are not provided")
}

func (o softmaxShift) f32(c *call[float32]) { runSoftmaxShift(c) }
func (o softmaxShift) f64(c *call[float64]) { runSoftmaxShift(c) }

func runSoftmaxShift[T Float](c *call[T]) {
	m, v, k := piece(c, 0), piece(c, 1), last(c.shapes[0])
	for i := 0; i < len(c.dst); i += k {
		dst, vi := c.dst[i:i+k], v[i:i+k]
		softmax(dst, m[i:i+k])
		dot := T(kernel.Dot(dst, vi))
		for j := range dst {
			dst[j] = dot - vi[j]
		}
	}
}

// softmaxHess is sum(y) s (v - s . v) with s = softmax(m): the Hessian of the cross-entropy with respect to the logits, times v.
type softmaxHess struct{}

func (softmaxHess) String() string { return "softmaxHess" }
func (softmaxHess) shape(in []tensor.Shape) (tensor.Shape, error) {
	return sameShape("softmax Hessian", in)
}
func (softmaxHess) split(batched []bool) split { return elementwise(batched) }
func (softmaxHess) diff([]*Node, *Node, *Node, []bool) ([]*Node, error) {
	return nil, errors.New("graph: third derivatives of the cross-entropy are not provided")
}

func (o softmaxHess) f32(c *call[float32]) { runSoftmaxHess(c) }
func (o softmaxHess) f64(c *call[float64]) { runSoftmaxHess(c) }

func runSoftmaxHess[T Float](c *call[T]) {
	y, m, v, k := piece(c, 0), piece(c, 1), piece(c, 2), last(c.shapes[0])
	for i := 0; i < len(c.dst); i += k {
		dst, vi := c.dst[i:i+k], v[i:i+k]
		softmax(dst, m[i:i+k])
		dot, mass := T(kernel.Dot(dst, vi)), T(kernel.Sum(y[i:i+k]))
		for j := range dst {
			dst[j] *= mass * (vi[j] - dot)
		}
	}
}

// softmax of one row; used by second derivatives only.
func softmax[T Float](dst, m []T) {
	kernel.LogSoftmax(dst, m)
	for i, l := range dst {
		dst[i] = T(math.Exp(float64(l)))
	}
}
