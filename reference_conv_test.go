package pcgraph_test

import (
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/reference"
	"github.com/pcgraph/pcgraph/layers"
)

// imageLayers check the cases of kind "layer" on images, which are stored [batch, channels, height, width], with
// weights [out, in, height, width].
var imageLayers = map[string]func(*testing.T, *refCase){
	"conv2d": func(t *testing.T, c *refCase) {
		w := c.Arrays["w"].Shape
		checkImages(t, c, layers.Conv2D{
			In: c.Arrays["x"].Shape[1], Out: w[0], Kernel: [2]int{w[2], w[3]}, Stride: layers.Both(c.Stride), Pad: layers.Both(c.Padding),
			Dilation: layers.Both(c.Dilation), Groups: c.Groups, Bias: true,
		})
	},
	"maxpool": func(t *testing.T, c *refCase) {
		checkImages(t, c, layers.MaxPool2D{Size: layers.Both(c.Size), Stride: layers.Both(c.Stride)})
	},
	"avgpool": func(t *testing.T, c *refCase) {
		checkImages(t, c, layers.AvgPool2D{Size: layers.Both(c.Size), Stride: layers.Both(c.Stride)})
	},
	"globalavgpool": func(t *testing.T, c *refCase) { checkImages(t, c, layers.GlobalAvgPool2D{}) },
}

// moved is an array with its axes in another order: axis i of the result is axis order[i] of a.
func (c *refCase) moved(t *testing.T, name string, order []int) (shape []int, data []float64) {
	t.Helper()
	from := c.array(t, name)
	s := c.Arrays[name].Shape
	if len(s) != len(order) {
		return s, from
	}
	step := make([]int, len(s))
	for i, n := len(s)-1, 1; i >= 0; i-- {
		step[i], n = n, n*s[i]
	}
	shape, data = make([]int, len(s)), make([]float64, len(from))
	for i, a := range order {
		shape[i] = s[a]
	}
	for k := range data {
		at, rest := 0, k
		for i := len(order) - 1; i >= 0; i-- {
			at += rest % shape[i] * step[order[i]]
			rest /= shape[i]
		}
		data[k] = from[at]
	}
	return shape, data
}

var (
	channelsLast = []int{0, 2, 3, 1}
	inOutLast    = []int{2, 3, 1, 0}
)

// checkImages compares a layer's value and vector-Jacobian products.
func checkImages(t *testing.T, c *refCase, l layers.Layer) {
	b := graph.NewBuilder[float64]()
	shape, x := c.moved(t, "x", channelsLast)
	vars, values := []*graph.Node{b.Data("x", shape...)}, [][]float64{x}
	names, orders := []string{"x", "w", "b"}, [][]int{channelsLast, inOutLast, {0}}
	for i, p := range l.Params() {
		vars = append(vars, b.Param(p.Name, p.Shape...))
		_, w := c.moved(t, names[i+1], orders[i+1])
		values = append(values, w)
	}
	out := l.Forward(b, vars[1:], vars[0])
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g := b.Data("cotangent", out.Shape()...)
	grads, err := graph.Grad(b.Inner(out, g), vars...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := graph.CompilePlan[float64](graph.Plan{Targets: [][]*graph.Node{append([]*graph.Node{out}, grads...)}, Batched: []*graph.Node{vars[0], g}})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vars {
		copy(p.Value(v), values[i])
	}
	_, cotangent := c.moved(t, "cotangent", channelsLast)
	copy(p.Value(g), cotangent)
	p.Touch()
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
	_, want := c.moved(t, "out", channelsLast)
	reference.Near(t, "value", p.Value(out), want, referenceTol)
	for i := range vars {
		_, want := c.moved(t, "d_"+names[i], orders[i])
		reference.Near(t, "gradient with respect to "+names[i], p.Value(grads[i]), want, referenceTol)
	}
}
