package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Conv2D is a convolution behind an activation, the order of predictive coding:
//
//	f(x) = post(act(x) * W + c)    x [batch, height, width, In], W [kernel height, kernel width, In/Groups, Out], c [Out]
//
// Images are channels-last; W is not flipped, as everywhere in machine learning. Pairs are height, width (Both(3) is
// 3, 3). A zero Stride or Dilation is 1, zero Groups are 1, a zero Pad is none; the zero Act and Post are linear, and
// without Bias there is no c. The result is [batch, height', width', Out] with
// height' = (height + 2 Pad - Dilation (Kernel - 1) - 1) / Stride + 1, rounded down.
type Conv2D struct {
	In, Out  int
	Kernel   [2]int
	Stride   [2]int
	Pad      [2]int // rows and columns of zeros on each side
	Dilation [2]int
	Groups   int // outputs of a group see the inputs of that group only
	Act      Act // applied to the input
	Post     Act // applied to the result
	Bias     bool
}

var _ Layer = Conv2D{}

// Both is the pair n, n.
func Both(n int) [2]int { return [2]int{n, n} }

// Params are W and, with Bias, b.
func (l Conv2D) Params() []Param { return convParams(l.Kernel, l.In, l.Out, l.Groups, l.Bias, false) }

// convParams describes weights of any convolution: inputs of a group meet in an output through every pixel of the
// window.
func convParams(kernel [2]int, in, out, groups int, bias, transposed bool) []Param {
	g := max(groups, 1)
	w := Param{Name: "W", Shape: []int{kernel[0], kernel[1], in / g, out}, FanIn: kernel[0] * kernel[1] * in / g, FanOut: kernel[0] * kernel[1] * out / g}
	if transposed {
		w.Shape = []int{kernel[0], kernel[1], out / g, in}
	}
	if !bias {
		return []Param{w}
	}
	return []Param{w, {Name: "b", Shape: []int{out}, FanIn: w.FanIn, FanOut: w.FanOut, Bias: true}}
}

// Forward returns post(act(x) * W + c), [batch, height, width, In] -> [batch, height', width', Out].
func (l Conv2D) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !imagesOf(b, x, "convolution", l.In) {
		return nil
	}
	c := graph.Conv{Stride: l.Stride, Pad: l.Pad, Dilation: l.Dilation, Groups: l.Groups}
	return b.Act(l.Post, b.Conv2D(b.Act(l.Act, x), p[0], biasOf(p), c))
}

// imagesOf checks that x is images of so many channels.
func imagesOf(b *graph.Builder, x *graph.Node, what string, channels int) bool {
	if b.Err() != nil {
		return false
	}
	if s := x.Shape(); len(s) != 4 || s[3] != channels {
		b.Fail(errors.Errorf("a %s of %d channels is given shape %v (want [batch, height, width, channels]): make In what the block before it gives, or reshape", what, channels, []int(s)))
		return false
	}
	return true
}

// biasOf is the second weight, if there is one.
func biasOf(p []*graph.Node) *graph.Node {
	if len(p) < 2 {
		return nil
	}
	return p[1]
}

// ConvTranspose2D is the transpose of a convolution behind an activation; with a stride it enlarges:
//
//	f(x) = post(act(x) *' W + c)    x [batch, height, width, In], W [kernel height, kernel width, Out/Groups, In], c [Out]
//
// where u *' W adds each pixel of u, times the weights, where the window of Conv2D that gives that pixel lies. The
// result is [batch, height', width', Out] with height' = (height - 1) Stride - 2 Pad + Dilation (Kernel - 1) + 1 +
// Extra; Extra must be smaller than Stride. Zero values are as in Conv2D.
type ConvTranspose2D struct {
	In, Out  int
	Kernel   [2]int
	Stride   [2]int
	Pad      [2]int // rows and columns of the result cut off on each side
	Extra    [2]int // rows and columns added at the end
	Dilation [2]int
	Groups   int
	Act      Act // applied to the input
	Post     Act // applied to the result
	Bias     bool
}

var _ Layer = ConvTranspose2D{}

// Params are W and, with Bias, b. The fan-in counts all weights of an output channel, as for Conv2D; with a stride only
// some of them, on average one in Stride[0] Stride[1], meet in any one pixel.
func (l ConvTranspose2D) Params() []Param {
	return convParams(l.Kernel, l.In, l.Out, l.Groups, l.Bias, true)
}

// Forward returns post(act(x) *' W + c), [batch, height, width, In] -> [batch, height', width', Out].
func (l ConvTranspose2D) Forward(b *graph.Builder, p []*graph.Node, x *graph.Node) *graph.Node {
	if !imagesOf(b, x, "transposed convolution", l.In) {
		return nil
	}
	c := graph.Conv{Stride: l.Stride, Pad: l.Pad, Dilation: l.Dilation, Groups: l.Groups}
	return b.Act(l.Post, b.ConvTranspose2D(b.Act(l.Act, x), p[0], biasOf(p), c, l.Extra))
}
