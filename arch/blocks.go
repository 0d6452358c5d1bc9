package arch

import (
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// Blocks are a network's blocks as functions on the nodes of one graph, over one slab of weights. A Model is made of them,
// and so are learning rules whose gradient is not that of one energy.
type Blocks struct {
	b           *graph.Builder
	n           *Network
	weights     []Weight
	params      []*graph.Node  // in the order of the weights
	weight      map[string]int // index of a name in weights
	census      census
	layerInputs []graph.Input // inputs that layers add beside the data
}

// NewBlocks adds the weights w of a network to the graph of b. The error says what is wrong with the network or with the slab.
func NewBlocks[T graph.Float](b *graph.Builder, n *Network, w *graph.Vector[T]) (*Blocks, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if err := checkWeights(n, w); err != nil {
		return nil, err
	}
	return newBlocks(b, n, w), nil
}

// newBlocks is NewBlocks of what has been checked.
func newBlocks[T graph.Float](b *graph.Builder, n *Network, w *graph.Vector[T]) *Blocks {
	s := &Blocks{b: b, n: n, weights: n.Weights(), weight: make(map[string]int), census: n.census()}
	for i, of := range s.weights {
		s.weight[of.Name] = i
		s.params = append(s.params, graph.ParamOf(b, w, i))
	}
	return s
}

// Predict adds the prediction of block i (from 0), [batch, ...], of what it reads; read gives the node of a site. It is nil
// if the builder has an error.
func (s *Blocks) Predict(i int, read func(site string) *graph.Node) *graph.Node {
	b, blk := s.b, s.n.Blocks[i]
	var xs []*graph.Node
	for _, name := range s.n.From(i) {
		xs = append(xs, read(name))
	}
	skips := make([]*graph.Node, len(blk.Skips))
	for j, skip := range blk.Skips {
		if skip.From != "" {
			skips[j] = read(skip.From)
		}
	}
	if b.Err() != nil {
		return nil
	}
	var mu *graph.Node
	known := len(b.Inputs())
	b.Within(blk.Name, func() {
		parts := s.n.parts(i)
		x := xs[0]
		if blk.Merge != nil {
			b.Within("merge", func() { x = checked(b, blk.Merge, xs[0], blk.Merge.Merge(b, s.factored(i, parts[len(parts)-1]), xs)) })
		}
		if b.Err() != nil {
			return
		}
		mu = checked(b, blk.Layer, x, blk.Layer.Forward(b, s.factored(i, parts[0]), x))
		for j, skip := range blk.Skips {
			from := skips[j]
			if from == nil {
				from = x
			}
			if b.Err() != nil {
				return
			}
			var d *graph.Node
			b.Within("skip"+strconv.Itoa(j+1), func() { d = checked(b, skip.Layer, from, skip.Layer.Forward(b, s.factored(i, parts[j+1]), from)) })
			if b.Err() == nil && !d.Shape().Eq(mu.Shape()) {
				b.Fail(errors.Errorf("a skip gives shape %v where the layer gives %v: make them equal", []int(d.Shape()), []int(mu.Shape())))
			}
			mu = b.Add(mu, d)
		}
	})
	for _, in := range b.Inputs()[known:] {
		if in.Kind == graph.Data {
			s.layerInputs = append(s.layerInputs, in)
		}
	}
	if b.Err() != nil {
		return nil
	}
	return mu
}

// checked returns y, what a layer or merge returned for x. If it is nil, or its leading dimension is not that of x, the builder
// gets an error.
func checked(b *graph.Builder, by any, x, y *graph.Node) *graph.Node {
	switch {
	case b.Err() != nil:
		return nil
	case y == nil:
		b.Fail(errors.Errorf("a %T gave no node and no error: return what the graph's builder gives, or say why there is none with its Fail", by))
	case y.Dims() == 0 || y.Shape()[0] != x.Shape()[0]:
		b.Fail(errors.Errorf("a %T made shape %v of %v: the samples of the batch must stay in front", by, []int(y.Shape()), []int(x.Shape())))
	default:
		return y
	}
	return nil
}

// Pass adds the feedforward pass to at, which holds the nodes of the inputs by site: the predictions of all blocks that have a
// site of their own, each read by those behind it. order are these blocks as they were added.
func (s *Blocks) Pass(at map[string]*graph.Node) (order []int, err error) {
	all, loop := s.n.order(func(string) bool { return false })
	if loop != nil {
		return nil, errors.Errorf("arch: blocks predict each other in a loop, %s: there is no feedforward pass", arrows(loop))
	}
	for _, i := range all {
		if s.n.Blocks[i].Predicts != "" {
			continue
		}
		at[s.n.Blocks[i].Name] = s.Predict(i, func(site string) *graph.Node { return at[site] })
		order = append(order, i)
	}
	return order, errors.WithMessage(s.b.Err(), "arch: pass")
}

// factored gives the weights of a part of block i, times their forward factors.
func (s *Blocks) factored(i int, of part) []*graph.Node {
	var ps []*graph.Node
	for _, p := range of.params {
		ps = append(ps, s.b.Scale(s.params[s.weight[of.prefix+p.Name]], s.census.factors(i, of, p).Forward))
	}
	return ps
}

// Params are the weights that block i reads, layer, skips and merge, and their fields in the slab.
func (s *Blocks) Params(i int) (nodes []*graph.Node, fields []int) {
	for _, part := range s.n.parts(i) {
		for _, p := range part.params {
			at := s.weight[part.prefix+p.Name]
			nodes, fields = append(nodes, s.params[at]), append(fields, at)
		}
	}
	return nodes, fields
}

// Regular are the weights that regularisers act on.
func (s *Blocks) Regular() []energy.Named {
	var ws []energy.Named
	for i, w := range s.weights {
		if !w.Param.Bias && w.Param.Role != layers.GainRole {
			ws = append(ws, energy.Named{Name: w.Name, Node: s.params[i]})
		}
	}
	return ws
}
