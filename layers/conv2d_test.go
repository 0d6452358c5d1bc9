package layers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/layers/layertest"
)

func TestConv2D_Conforms(t *testing.T) {
	for _, l := range []layers.Conv2D{
		{In: 2, Out: 3, Kernel: layers.Both(3), Pad: layers.Both(1), Act: layers.Tanh, Bias: true},
		{In: 2, Out: 3, Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [2]int{1, 0}, Post: layers.SiLU},
		{In: 4, Out: 2, Kernel: layers.Both(2), Dilation: layers.Both(2), Groups: 2, Act: layers.GELU, Bias: true},
		{In: 3, Out: 2, Kernel: layers.Both(1)},
	} {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) { layertest.Run(t, l, 4, 5, l.In) })
	}
}

func TestConvTranspose2D_Conforms(t *testing.T) {
	for _, l := range []layers.ConvTranspose2D{
		{In: 2, Out: 3, Kernel: layers.Both(3), Pad: layers.Both(1), Act: layers.Tanh, Bias: true},
		{In: 2, Out: 1, Kernel: layers.Both(2), Stride: layers.Both(2), Extra: [2]int{1, 0}, Post: layers.Sigmoid, Bias: true},
		{In: 4, Out: 2, Kernel: [2]int{2, 3}, Stride: [2]int{1, 2}, Groups: 2, Act: layers.GELU},
	} {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) { layertest.Run(t, l, 3, 2, l.In) })
	}
}

// The formulas of the sizes are PyTorch's, worked out by hand here.
func TestConv2D_GivesTheSizeItPromises(t *testing.T) {
	conv := layers.Conv2D{In: 3, Out: 8, Kernel: layers.Both(3), Stride: layers.Both(2), Pad: layers.Both(1)}
	back := layers.ConvTranspose2D{In: 8, Out: 3, Kernel: layers.Both(3), Stride: layers.Both(2), Pad: layers.Both(1), Extra: [2]int{1, 0}}
	b := graph.NewBuilder[float32]()
	y := conv.Forward(b, params(b, "conv", conv), b.Data("x", 2, 32, 31, 3))
	z := back.Forward(b, params(b, "back", back), y)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if got := fmt.Sprint(y.Shape(), z.Shape()); got != "(2, 16, 16, 8) (2, 32, 31, 3)" {
		t.Errorf("shapes %s", got)
	}
}

func params(b *graph.Builder, scope string, l layers.Layer) (ps []*graph.Node) {
	b.Within(scope, func() {
		for _, p := range l.Params() {
			ps = append(ps, b.Param(p.Name, p.Shape...))
		}
	})
	return ps
}

// A transposed convolution is the transpose: <conv(x), y> = <x, convTranspose(y)> for the same weights.
func TestConvTranspose2D_IsTheTransposeOfConv2D(t *testing.T) {
	conv := layers.Conv2D{In: 4, Out: 6, Kernel: [2]int{3, 2}, Stride: [2]int{2, 3}, Pad: [2]int{1, 0}, Groups: 2}
	back := layers.ConvTranspose2D{In: 6, Out: 4, Kernel: conv.Kernel, Stride: conv.Stride, Pad: conv.Pad, Groups: 2, Extra: [2]int{0, 1}}
	b := graph.NewBuilder[float64]()
	x, w := b.Data("x", 2, 5, 6, 4), b.Param("W", 3, 2, 2, 6)
	fx := conv.Forward(b, []*graph.Node{w}, x)
	y := b.Data("y", 2, 3, 2, 6)
	gap := b.Sub(b.Inner(fx, y), b.Inner(x, back.Forward(b, []*graph.Node{w}, y)))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	p, err := graph.Compile[float64](gap)
	if err != nil {
		t.Fatal(err)
	}
	for k, n := range []*graph.Node{x, w, y} {
		for i := range p.Value(n) {
			p.Value(n)[i] = float64((i*i*31+i*7+k*13)%17) - 8 // whole numbers: the sums are exact
		}
	}
	if err := p.RunAll(); err != nil {
		t.Fatal(err)
	}
	if got := p.Scalar(gap); got != 0 {
		t.Errorf("<conv x, y> - <x, conv' y> = %v", got)
	}
}

func TestConv2D_FansCountTheWindow(t *testing.T) {
	l := layers.Conv2D{In: 4, Out: 6, Kernel: [2]int{3, 2}, Groups: 2, Bias: true}
	for _, p := range l.Params() {
		if p.FanIn != 3*2*4/2 || p.FanOut != 3*2*6/2 {
			t.Errorf("%s: fan-in %d, fan-out %d", p.Name, p.FanIn, p.FanOut)
		}
	}
}

// Every refusal names the block, the shapes and what to do.
func TestImageLayers_RefuseImpossibleGeometry(t *testing.T) {
	tests := []struct {
		layer  layers.Layer
		shape  []int
		want   []string
		reason string
	}{
		{layers.Conv2D{In: 3, Out: 2, Kernel: layers.Both(3)}, []int{2, 8, 8, 4}, []string{"3 channels", "2 8 8 4", "In"}, "another number of channels"},
		{layers.Conv2D{In: 3, Out: 2, Kernel: layers.Both(3)}, []int{2, 24}, []string{"[2 24]", "reshape"}, "flat"},
		{layers.Conv2D{In: 3, Out: 2, Kernel: layers.Both(5)}, []int{2, 4, 8, 3}, []string{"[4 8]", "height spans 5", "pad more"}, "kernel larger than the image"},
		{layers.Conv2D{In: 3, Out: 2, Kernel: layers.Both(3), Dilation: [2]int{1, 4}}, []int{2, 8, 8, 3}, []string{"width spans 9"}, "dilated kernel larger than the image"},
		{layers.Conv2D{In: 4, Out: 3, Kernel: layers.Both(3), Groups: 2}, []int{2, 8, 8, 4}, []string{"4 to 3 channels in 2 groups", "divide"}, "groups do not divide the outputs"},
		{layers.Conv2D{In: 4, Out: 3, Kernel: layers.Both(3), Groups: 3}, []int{2, 8, 8, 4}, []string{"4 to 3 channels in 3 groups", "divide"}, "groups do not divide the inputs"},
		{layers.Conv2D{In: 4, Out: 3, Kernel: layers.Both(3), Stride: [2]int{-1, 1}}, []int{2, 8, 8, 4}, []string{"stride [-1 1]", "negative"}, "negative stride"},
		{layers.Conv2D{In: 4, Out: 3, Kernel: layers.Both(3), Pad: [2]int{0, -1}}, []int{2, 8, 8, 4}, []string{"padding [0 -1]", "negative"}, "negative padding"},
		{layers.ConvTranspose2D{In: 4, Out: 3, Kernel: layers.Both(2), Stride: layers.Both(2), Extra: layers.Both(2)}, []int{2, 8, 8, 4}, []string{"extra", "fewer than the stride"}, "extra rows that a pixel more would give"},
		{layers.ConvTranspose2D{In: 4, Out: 3, Kernel: layers.Both(1), Pad: layers.Both(2)}, []int{2, 3, 3, 4}, []string{"[-1 -1]", "pad less"}, "nothing is left"},
		{layers.ConvTranspose2D{In: 4, Out: 4, Kernel: layers.Both(1), Stride: layers.Both(-2)}, []int{2, 3, 3, 4}, []string{"stride [-2 -2]"}, "negative stride of a transpose"},
		{layers.MaxPool2D{Size: layers.Both(3)}, []int{2, 2, 4, 3}, []string{"(2, 2, 4, 3)", "window is larger"}, "window larger than the image"},
		{layers.MaxPool2D{Size: layers.Both(2), Pad: layers.Both(2)}, []int{2, 4, 4, 3}, []string{"padding [2 2]", "smaller than the window"}, "windows of padding alone"},
		{layers.AvgPool2D{}, []int{2, 4, 4, 3}, []string{"[0 0]", "positive"}, "no size"},
		{layers.AvgPool2D{Size: layers.Both(2)}, []int{2, 4}, []string{"(2, 4)", "reshape"}, "flat"},
		{layers.GlobalAvgPool2D{}, []int{2, 4}, []string{"(2, 4)", "reshape"}, "flat"},
		{layers.Reshape{To: []int{3, 5}}, []int{2, 4, 4}, []string{"(2, 4, 4)", "(2, 3, 5)", "same"}, "another number of elements"},
		{layers.Reshape{}, []int{2, 4}, []string{"To"}, "no shape"},
		{layers.Reshape{To: []int{4, 0}}, []int{2, 4}, []string{"positive"}, "an empty dimension"},
	}
	for _, test := range tests {
		b := graph.NewBuilder[float64]()
		x := b.Data("x", test.shape...)
		b.Within("block7", func() {
			var ps []*graph.Node
			for _, p := range test.layer.Params() {
				ps = append(ps, b.Param(p.Name, p.Shape...))
			}
			if n := test.layer.Forward(b, ps, x); n != nil {
				t.Errorf("%s: a node is returned", test.reason)
			}
		})
		for _, want := range append(test.want, "block7") {
			if err := b.Err(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q, want %q in it", test.reason, fmt.Sprint(err), want)
			}
		}
	}
}
