package icl

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// A leaf is a layer of an arch block, with its weights among those of the block's layer.
type leaf struct {
	layer layers.Layer
	block int // of the network
	first int // index of its first weight
}

// A branch is layers one after the other, with or without their input added to the result.
type branch struct {
	leaves   []leaf
	residual bool
	factor   float64 // of what the leaves give, if residual; otherwise 1
}

// A structure is a transformer block as the theorem reads it: u = attention of the tokens (+ residual), v = what the first
// matrix of the feed-forward part multiplies, out = the rest of that part (+ u).
type structure struct {
	name   string // of the arch block that holds the feed-forward part
	site   string // whose activity is the block's input
	attend branch // up to the attention
	norm   []leaf // between u and v, token by token
	feed   []leaf // the feed-forward part
	out    branch // residual and factor of the feed-forward part; no leaves
}

// branches lists what the layer of arch block i is made of.
func branches(n *arch.Network, i int) ([]branch, error) {
	blk := n.Blocks[i]
	var list []branch
	var walk func(l layers.Layer, first int, inside *branch) error
	walk = func(l layers.Layer, first int, inside *branch) error {
		switch l := l.(type) {
		case layers.Compose:
			for _, part := range l {
				if err := walk(part, first, inside); err != nil {
					return err
				}
				first += len(part.Params())
			}
		case layers.Residual:
			if inside != nil {
				return errors.Errorf("block %q has a residual branch within another: only branches one after the other are known", blk.Name)
			}
			factor := l.Factor
			if factor == 0 {
				factor = 1
			}
			in := branch{residual: true, factor: factor}
			if err := walk(l.Inner, first, &in); err != nil {
				return err
			}
			list = append(list, in)
		default:
			at := leaf{l, i, first}
			switch {
			case inside != nil:
				inside.leaves = append(inside.leaves, at)
			case len(list) > 0 && !list[len(list)-1].residual:
				list[len(list)-1].leaves = append(list[len(list)-1].leaves, at)
			default:
				list = append(list, branch{leaves: []leaf{at}, factor: 1})
			}
		}
		return nil
	}
	if err := walk(blk.Layer, 0, nil); err != nil {
		return nil, err
	}
	if len(blk.Skips) == 0 {
		return list, nil
	}
	if len(blk.Skips) == 1 && blk.Skips[0].From == "" && len(list) == 1 && !list[0].residual {
		if _, plain := blk.Skips[0].Layer.(layers.Identity); plain {
			list[0].residual = true
			return list, nil
		}
	}
	return nil, errors.Errorf("block %q has skips that are no plain residual connection of one branch: write them as layers.Residual", blk.Name)
}

// hasAttention reports whether a branch attends, and with which leaf.
func (b branch) attention() int {
	for k, l := range b.leaves {
		if _, is := l.layer.(layers.Attention); is {
			return k
		}
	}
	return -1
}

// structures finds the transformer blocks of a network.
func structures(n *arch.Network) ([]structure, error) {
	var found []structure
	lists := make([][]branch, len(n.Blocks))
	for i := range n.Blocks {
		attends := false
		list, err := branches(n, i)
		for _, b := range list {
			attends = attends || b.attention() >= 0
		}
		if err != nil && (attends || containsAttention(n.Blocks[i].Layer)) {
			return nil, err
		}
		lists[i] = list
	}
	for i := range n.Blocks {
		for k, b := range lists[i] {
			at := b.attention()
			if at < 0 {
				continue
			}
			s, err := structureAt(n, lists, i, k, at)
			if err != nil {
				return nil, err
			}
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the network has no block with layers.Attention: implicit updates are those of transformer blocks")
	}
	return found, nil
}

// containsAttention looks into layers that branches could not read.
func containsAttention(l layers.Layer) bool {
	switch l := l.(type) {
	case layers.Compose:
		for _, part := range l {
			if containsAttention(part) {
				return true
			}
		}
	case layers.Residual:
		return containsAttention(l.Inner)
	case layers.Attention:
		return true
	}
	return false
}

// structureAt is the transformer block whose attention is leaf at of branch k of arch block i.
func structureAt(n *arch.Network, lists [][]branch, i, k, at int) (structure, error) {
	name := n.Blocks[i].Name
	if k > 0 {
		return structure{}, errors.Errorf("block %q does not begin with its attention: make a block of its own of what stands before it", name)
	}
	from := n.From(i)
	if len(from) != 1 || n.Blocks[i].Merge != nil {
		return structure{}, errors.Errorf("block %q reads several sites: want one, that of its tokens", name)
	}
	b := lists[i][k]
	s := structure{name: name, site: from[0], attend: branch{b.leaves[:at+1], b.residual, b.factor}}
	missing := errors.Errorf("block %q has attention without a feed-forward part behind it: the context changes the first matrix of that part, and there is none. "+
		"Add layers.FeedForward (or layers.Linear, layers.GatedFeedForward) to the block, or as the next block", name)
	var rest branch
	switch {
	case at+1 < len(b.leaves) && b.residual:
		return structure{}, errors.Errorf("block %q has layers behind the attention within one residual branch: give the feed-forward part a branch of its own", name)
	case at+1 < len(b.leaves):
		rest = branch{b.leaves[at+1:], false, 1}
	case k+1 < len(lists[i]):
		rest = lists[i][k+1]
	default: // the feed-forward part is the next block
		next := i + 1
		if next == len(n.Blocks) || len(n.From(next)) != 1 || n.From(next)[0] != name || len(lists[next]) == 0 {
			return structure{}, missing
		}
		rest, s.name = lists[next][0], n.Blocks[next].Name
	}
	s.out = branch{residual: rest.residual, factor: rest.factor}
	j := 0
	for j < len(rest.leaves) && !first(rest.leaves[j].layer) {
		if _, again := rest.leaves[j].layer.(layers.Attention); again || mixes(rest.leaves[j].layer) {
			return structure{}, missing
		}
		j++
	}
	if j == len(rest.leaves) {
		return structure{}, missing
	}
	s.norm = rest.leaves[:j]
	end := j + 1
	for _, whole := rest.leaves[j].layer.(layers.Linear); whole && end < len(rest.leaves); end++ {
		if _, linear := rest.leaves[end].layer.(layers.Linear); !linear {
			break
		}
	}
	if rest.residual && end < len(rest.leaves) {
		return structure{}, errors.Errorf("block %q has a %T behind its feed-forward part, within the residual branch: put it behind the branch", s.name, rest.leaves[end].layer)
	}
	s.feed = rest.leaves[j:end]
	if l, linear := s.feed[len(s.feed)-1].layer.(layers.Linear); linear && l.Post != layers.LinearAct && s.out.residual {
		return structure{}, errors.Errorf("block %q has an activation behind its last matrix: with a residual connection the context changes that matrix's bias, so set Post to linear", s.name)
	}
	return s, nil
}

// first reports whether a layer can begin a feed-forward part.
func first(l layers.Layer) bool {
	switch l.(type) {
	case layers.FeedForward, layers.Linear, layers.GatedFeedForward:
		return true
	}
	return false
}

// mixes reports whether a layer makes something else than tokens of tokens.
func mixes(l layers.Layer) bool {
	switch l.(type) {
	case layers.Flatten, layers.Reshape, layers.Columns:
		return true
	}
	return false
}

// apply adds leaves to a graph; params gives the weights of a leaf.
func apply(b *graph.Builder, leaves []leaf, params func(leaf) []*graph.Node, x *graph.Node) *graph.Node {
	for _, l := range leaves {
		if b.Err() != nil {
			return nil
		}
		x = l.layer.Forward(b, params(l), x)
	}
	return x
}

// join adds what a branch gives to its input.
func (br branch) join(b *graph.Builder, x, y *graph.Node) *graph.Node {
	if !br.residual {
		return y
	}
	return b.Combine([]float64{1, br.factor}, x, y)
}

// post is the activation behind a feed-forward part of a single matrix.
func (s structure) post() layers.Act {
	l, _ := s.feed[len(s.feed)-1].layer.(layers.Linear)
	return l.Post
}

// A feed is the feed-forward part of a block cut behind its first matrix (or matrices, if it is gated).
type feed struct {
	act    layers.Act                                          // between v and the first matrix: Linear's Act is before its weight
	firsts []*graph.Node                                       // [width, hidden] each
	biases []*graph.Node                                       // of the first matrices; nil where there is none
	hidden func(b *graph.Builder, s []*graph.Node) *graph.Node // what the last matrix multiplies; nil if the first matrix is the last
	last   func(b *graph.Builder, h *graph.Node) *graph.Node   // the last matrix
	biased bool                                                // the last matrix has a bias
}

// cut reads the feed-forward part.
func cut(leaves []leaf, params func(leaf) []*graph.Node) feed {
	p := params(leaves[0])
	switch l := leaves[0].layer.(type) {
	case layers.FeedForward:
		f := feed{firsts: p[:1], biases: []*graph.Node{nil}, biased: l.Bias}
		rest := p[1:]
		if l.Bias {
			f.biases, rest = p[1:2], p[2:]
		}
		f.hidden = func(b *graph.Builder, s []*graph.Node) *graph.Node { return b.Act(l.Act, s[0]) }
		f.last = func(b *graph.Builder, h *graph.Node) *graph.Node { return linear(b, h, rest) }
		return f
	case layers.GatedFeedForward:
		return feed{firsts: p[:2], biases: []*graph.Node{nil, nil},
			hidden: func(b *graph.Builder, s []*graph.Node) *graph.Node { return l.Hide(b, s[0], s[1]) },
			last:   func(b *graph.Builder, h *graph.Node) *graph.Node { return linear(b, h, p[2:]) }}
	}
	head := leaves[0].layer.(layers.Linear)
	f := feed{act: head.Act, firsts: p[:1], biases: []*graph.Node{nil}, biased: head.Bias}
	if head.Bias {
		f.biases = p[1:2]
	}
	if len(leaves) == 1 {
		return f
	}
	end := leaves[len(leaves)-1]
	tail := end.layer.(layers.Linear)
	f.biased = tail.Bias
	f.hidden = func(b *graph.Builder, s []*graph.Node) *graph.Node {
		return b.Act(tail.Act, apply(b, leaves[1:len(leaves)-1], params, b.Act(head.Post, s[0])))
	}
	f.last = func(b *graph.Builder, h *graph.Node) *graph.Node { return b.Act(tail.Post, linear(b, h, params(end))) }
	return f
}

// linear is x W (+ b).
func linear(b *graph.Builder, x *graph.Node, p []*graph.Node) *graph.Node {
	if len(p) > 1 {
		return b.Linear(x, p[0], p[1], 1)
	}
	return b.Linear(x, p[0], nil, 1)
}
