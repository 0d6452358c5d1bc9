package layers

import "github.com/pcgraph/pcgraph/graph"

// MaxPool2D is the largest pixel of each window, by channel:
//
//	f(x)[i,j,c] = max_{r,s} x[i Stride - Pad + r, j Stride - Pad + s, c]    x [batch, height, width, channels]
//
// Pairs are height, width; a zero Stride is the Size. Padding is never the largest. The gradient goes to the first of
// equal pixels, row by row, as in JAX.
type MaxPool2D struct {
	Size   [2]int
	Stride [2]int
	Pad    [2]int // on each side; smaller than Size
}

var _ Layer = MaxPool2D{}

// Params is empty.
func (MaxPool2D) Params() []Param { return nil }

// Forward returns the maxima, [batch, height, width, channels] -> [batch, height', width', channels] with
// height' = (height + 2 Pad - Size) / Stride + 1, rounded down.
func (l MaxPool2D) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.MaxPool2D(x, graph.Pool(l))
}

// AvgPool2D is the mean of each window, by channel:
//
//	f(x)[i,j,c] = 1/(Size[0] Size[1]) sum_{r,s} x[i Stride - Pad + r, j Stride - Pad + s, c]
//
// with x [batch, height, width, channels], zero where it is padded. Pairs are height, width; a zero Stride is the Size.
type AvgPool2D struct {
	Size   [2]int
	Stride [2]int
	Pad    [2]int // on each side; smaller than Size
}

var _ Layer = AvgPool2D{}

// Params is empty.
func (AvgPool2D) Params() []Param { return nil }

// Forward returns the means, of the shape that MaxPool2D gives.
func (l AvgPool2D) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.AvgPool2D(x, graph.Pool(l))
}

// GlobalAvgPool2D is the mean over all pixels, by channel.
type GlobalAvgPool2D struct{}

var _ Layer = GlobalAvgPool2D{}

// Params is empty.
func (GlobalAvgPool2D) Params() []Param { return nil }

// Forward returns the means, [batch, height, width, channels] -> [batch, channels].
func (GlobalAvgPool2D) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	return b.GlobalAvgPool2D(x)
}
