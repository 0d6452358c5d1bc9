package layers

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Reshape gives each sample another shape of as many elements, in the order in which they lie in memory: images are
// [height, width, channels].
type Reshape struct {
	To []int // of one sample
}

var _ Layer = Reshape{}

// Params is empty.
func (Reshape) Params() []Param { return nil }

// Forward returns x as [batch, To...].
func (l Reshape) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() == nil && len(l.To) == 0 {
		b.Fail(errors.New("a Reshape layer without a shape: set To, or use Flatten"))
	}
	return b.Reshape(x, l.To...)
}

// Flatten makes a vector of each sample: channels last, so neighbouring elements are the channels of one pixel.
type Flatten struct{}

var _ Layer = Flatten{}

// Params is empty.
func (Flatten) Params() []Param { return nil }

// Forward returns x [batch, ...] as [batch, features].
func (Flatten) Forward(b *graph.Builder, _ []*graph.Node, x *graph.Node) *graph.Node {
	if b.Err() != nil {
		return nil
	}
	return b.Reshape(x, x.Shape().TotalSize()/x.Shape()[0])
}
