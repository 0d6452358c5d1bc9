// Package icl computes what the context of a transformer does to its weights. The output of a transformer block at any position
// of a sequence is that of the same block on the query token alone, with a rank-one change of the first matrix of its feed-forward
// part and, if that has a residual connection, a change of its last bias ("A Simple Generalisation of the Implicit Dynamics of
// In-Context Learning", arXiv 2512.11255; Dherin et al., "Learning without training", arXiv 2507.16003).
//
// A block computes, for the tokens z_1 ... z_T, the last of which is the query x = z_T,
//
//	u_i = attention(z)_i (+ z_i)     v_i = norm(u_i)     out_i = mlp(v_i) (+ u_i)
//
// and u_x, v_x are those of the query alone, a sequence of one token. With W the first matrix of mlp, [width, hidden], the update is
//
//	dW_i = v_x c_i^T / |v_x|^2,   c_i = (v_i - v_x) W      db_i = u_i - u_x
//
// so that the block with W + dW_i and b + db_i gives out_i for the query alone, exactly, whatever the attention, the norm and the
// rest of the feed-forward part are. Only c_i, v_x and db_i are kept: dW [samples, positions, width, hidden] is never made.
//
// A [Reader] finds the blocks in an arch.Network that is made of the layers of package layers. It is for measurements, not for
// training.
package icl

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
)

// A Reader computes the implicit updates of a network's transformer blocks, over the network's weights: they are read anew by
// Forward and At. It is for use by one goroutine at a time.
type Reader[T graph.Float] struct {
	net     *arch.Network
	weights *graph.Vector[T]
	batch   int
	blocks  []*block[T]
	pass    *graph.Program[T]
	input   *graph.Node
	sites   []*graph.Node // what each block reads, in the feedforward pass
	set     bool
}

// A block is a transformer block with its programs.
type block[T graph.Float] struct {
	structure
	tokens, width int // of what it reads
	out           int // features of its output
	hidden        int // of all first matrices together
	widths        []int
	inner         int  // of what the last matrix multiplies; 0 if the first is the last
	byBias        bool // the residual's change goes into the last bias; otherwise into the last matrix
	feeds         int  // features of v

	prog                      *graph.Program[T]
	z, q, diff, us, extra     *graph.Node
	u, v, y, ux, vx, tail, h  *graph.Node
	wvx, left, sums           []*graph.Node
	context                   []T // z [batch, tokens, width]
	outputs                   []T // [batch, tokens, out]
	streams, inputs           []T // u [batch, tokens, width], v [batch, tokens, feeds]
	queryStreams, queryInputs []T // u_x [batch, width], v_x [batch, feeds]
}

// Targets of a block's program.
const (
	contextTarget = iota
	queryTarget
	leftTarget
	tailTarget
)

// New returns a reader of batches of sequences. A transformer block is an arch.Block that begins with layers.Attention, alone or
// behind normalisations, plain or within layers.Residual, and then, in the same block or as the next one, has
// layers.FeedForward, layers.GatedFeedForward or several layers.Linear, likewise. Padding and dropout are off.
//
// It reports a network without such a block, a block with attention but without a feed-forward part, and other layers where it
// cannot tell what the context changes; errors name the block.
func New[T graph.Float](n *arch.Network, w *graph.Vector[T], batch int) (*Reader[T], error) {
	r, err := newReader(n, w, batch)
	return r, errors.WithMessage(err, "icl")
}

func newReader[T graph.Float](n *arch.Network, w *graph.Vector[T], batch int) (*Reader[T], error) {
	if batch < 1 {
		return nil, errors.Errorf("a batch of %d: want 1 or more", batch)
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	found, err := structures(n)
	if err != nil {
		return nil, err
	}
	if len(n.Inputs) > 0 {
		return nil, errors.New("a network of several inputs: want one sequence, as Input")
	}
	r := &Reader[T]{net: n, weights: w, batch: batch}
	b := graph.NewBuilder[T]()
	s, err := arch.NewBlocks(b, n, w)
	if err != nil {
		return nil, err
	}
	in, _ := n.Ends()
	r.input = b.Data("x", append([]int{batch}, n.Input...)...)
	at := map[string]*graph.Node{in[0]: r.input}
	if _, err := s.Pass(at); err != nil {
		return nil, err
	}
	for _, st := range found {
		r.sites = append(r.sites, at[st.site])
	}
	if r.pass, err = graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{r.sites}, Batched: batched(b)}); err != nil {
		return nil, err
	}
	for i, st := range found {
		shape := r.sites[i].Shape()
		if len(shape) != 3 {
			return nil, errors.Errorf("block %q reads shape %v: want [batch, tokens, features]", st.name, []int(shape))
		}
		k := &block[T]{structure: st, tokens: shape[1], width: shape[2]}
		if err := k.build(r); err != nil {
			return nil, errors.WithMessagef(err, "block %q", st.name)
		}
		r.blocks = append(r.blocks, k)
	}
	return r, nil
}

// batched are the data of a builder.
func batched(b *graph.Builder) []*graph.Node {
	var list []*graph.Node
	for _, in := range b.Inputs() {
		if in.Kind == graph.Data {
			list = append(list, in.Node)
		}
	}
	return list
}

// params returns what gives the weights of a leaf, times their forward factors.
func params[T graph.Float](b *graph.Builder, n *arch.Network, w *graph.Vector[T]) (func(leaf) []*graph.Node, error) {
	s, err := arch.NewBlocks(b, n, w)
	if err != nil {
		return nil, err
	}
	all := n.Weights()
	return func(l leaf) []*graph.Node {
		nodes, fields := s.Params(l.block)
		var ps []*graph.Node
		for i := range l.layer.Params() {
			ps = append(ps, b.Scale(nodes[l.first+i], all[fields[l.first+i]].Factors.Forward))
		}
		return ps
	}, nil
}

// build compiles the programs of a block.
func (k *block[T]) build(r *Reader[T]) error {
	b := graph.NewBuilder[T]()
	of, err := params(b, r.net, r.weights)
	if err != nil {
		return err
	}
	f := cut(k.feed, of)
	k.z = b.Data("context", r.batch, k.tokens, k.width)
	k.q = b.Data("query", r.batch, 1, k.width)
	before := func(z *graph.Node) (u, v *graph.Node) {
		u = k.attend.join(b, z, apply(b, k.attend.leaves, of, z))
		return u, b.Act(f.act, apply(b, k.norm, of, u))
	}
	b.Within("whole", func() { k.u, k.v = before(k.z) })
	b.Within("alone", func() { k.ux, k.vx = before(k.q) })
	if b.Err() != nil {
		return b.Err()
	}
	k.feeds = k.v.Shape()[2]
	k.diff = b.Data("difference", r.batch, k.tokens, k.feeds)
	var whole []*graph.Node
	for i, w := range f.firsts {
		whole = append(whole, b.Linear(k.v, w, f.biases[i], 1))
		k.wvx = append(k.wvx, b.Linear(k.vx, w, nil, 1))
		k.left = append(k.left, b.Linear(k.diff, w, nil, 1))
		width := w.Shape()[1]
		k.widths, k.hidden = append(k.widths, width), k.hidden+width
	}
	after := func(s []*graph.Node) (m, h *graph.Node) {
		if f.hidden == nil {
			return b.Act(k.post(), s[0]), nil
		}
		h = f.hidden(b, s)
		return f.last(b, h), h
	}
	var m *graph.Node
	b.Within("whole", func() { m, _ = after(whole) })
	k.y = k.joined(b, k.u, m)
	var biased []*graph.Node
	for i, width := range k.widths {
		s := b.Data("preactivation"+string(rune('1'+i)), r.batch, k.tokens, width)
		k.sums = append(k.sums, s)
		if f.biases[i] != nil {
			s = b.AddRow(s, f.biases[i])
		}
		biased = append(biased, s)
	}
	b.Within("updated", func() { m, k.h = after(biased) })
	if b.Err() != nil {
		return b.Err()
	}
	k.out = m.Shape()[2]
	k.us = b.Data("stream", r.batch, k.tokens, k.u.Shape()[2])
	k.extra = b.Data("bias", r.batch, k.tokens, k.out)
	k.tail = k.joined(b, k.us, b.Add(m, k.extra))
	k.byBias = f.biased || k.h == nil
	last := []*graph.Node{k.tail}
	if k.h != nil {
		k.inner = k.h.Shape()[2]
		last = append(last, k.h)
	}
	if b.Err() != nil {
		return b.Err()
	}
	k.prog, err = graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{
		contextTarget: {k.u, k.v, k.y}, queryTarget: append([]*graph.Node{k.ux, k.vx}, k.wvx...), leftTarget: k.left, tailTarget: last,
	}, Batched: batched(b)})
	return err
}

// joined adds the feed-forward part's result to its stream, if there is a residual connection.
func (k *block[T]) joined(b *graph.Builder, u, m *graph.Node) *graph.Node {
	return k.structure.out.join(b, u, m)
}

// Blocks are the names of the transformer blocks, from the input on: of the arch block that has the feed-forward part.
func (r *Reader[T]) Blocks() []string {
	var names []string
	for _, k := range r.blocks {
		names = append(names, k.name)
	}
	return names
}

// Forward takes the contexts of all blocks from the feedforward pass of x [batch, tokens, features].
func (r *Reader[T]) Forward(x []T) error {
	if len(x) != r.input.Shape().TotalSize() {
		return errors.Errorf("icl: x has %d numbers, want %v", len(x), []int(r.input.Shape()))
	}
	r.pass.Load(r.input, x)
	r.pass.Touch()
	if err := r.pass.Run(0); err != nil {
		return errors.WithMessage(err, "icl")
	}
	for i, k := range r.blocks {
		if err := k.read(r, r.pass.Value(r.sites[i])); err != nil {
			return errors.WithMessagef(err, "icl: block %q", k.name)
		}
	}
	r.set = true
	return nil
}

// At takes the contexts from the input x [batch, tokens, features] and activities z by site, as arch.Model.Activities gives them:
// those that inference came to. The outputs are then the predictions of predictive coding.
func (r *Reader[T]) At(x []T, z *graph.Vector[T]) error {
	if len(x) != r.input.Shape().TotalSize() {
		return errors.Errorf("icl: x has %d numbers, want %v", len(x), []int(r.input.Shape()))
	}
	in, _ := r.net.Ends()
	for _, k := range r.blocks {
		values := x
		if k.site != in[0] {
			values = nil
			for i, f := range z.Fields() {
				if f.Name == k.site {
					values = z.Part(z.Data(), i)
				}
			}
		}
		if len(values) != r.batch*k.tokens*k.width {
			return errors.Errorf("icl: block %q reads site %q, of which z has %d numbers: want %d, a model of batch %d of the same network", k.name, k.site, len(values), r.batch*k.tokens*k.width, r.batch)
		}
		if err := k.read(r, values); err != nil {
			return errors.WithMessagef(err, "icl: block %q", k.name)
		}
	}
	r.set = true
	return nil
}

// read runs a block on its context and on the query alone.
func (k *block[T]) read(r *Reader[T], z []T) error {
	k.context = append(k.context[:0], z...)
	k.prog.Load(k.z, k.context)
	k.prog.Touch()
	if err := k.prog.Run(contextTarget); err != nil {
		return err
	}
	k.outputs = append(k.outputs[:0], k.prog.Value(k.y)...)
	k.streams = append(k.streams[:0], k.prog.Value(k.u)...)
	k.inputs = append(k.inputs[:0], k.prog.Value(k.v)...)
	if err := k.alone(k.queries(r.batch)); err != nil {
		return err
	}
	k.queryStreams = append(k.queryStreams[:0], k.prog.Value(k.ux)...)
	k.queryInputs = append(k.queryInputs[:0], k.prog.Value(k.vx)...)
	return nil
}

// queries are the last tokens of the contexts, [batch, width].
func (k *block[T]) queries(batch int) []T {
	var q []T
	for s := range batch {
		end := (s + 1) * k.tokens * k.width
		q = append(q, k.context[end-k.width:end]...)
	}
	return q
}

// alone runs a block on tokens [batch, width], each alone, up to its first matrix.
func (k *block[T]) alone(q []T) error {
	k.prog.Load(k.q, q)
	return k.prog.Run(queryTarget)
}

// at is block i; it panics if there is none, or before the first Forward or At.
func (r *Reader[T]) at(i int) *block[T] {
	if i < 0 || i >= len(r.blocks) {
		panic("icl: there is no such block")
	}
	if !r.set {
		panic("icl: no contexts: call Forward or At first")
	}
	return r.blocks[i]
}

// Output returns the outputs of block i (from 0) in its context, [batch, tokens, features]. They are valid until the next Forward
// or At, as those of Query are.
func (r *Reader[T]) Output(i int) []T { return r.at(i).outputs }

// Query returns the query tokens of block i, the last of each sequence, [batch, features].
func (r *Reader[T]) Query(i int) []T { return r.at(i).queries(r.batch) }

// Streams returns u [batch, tokens, features] and v [batch, tokens, ...] of block i in its context, and u_x and v_x of the query
// alone, [batch, ...].
func (r *Reader[T]) Streams(i int) (u, v, ux, vx []T) {
	k := r.at(i)
	return k.streams, k.inputs, k.queryStreams, k.queryInputs
}

// Update returns the implicit updates of block i at every position. It reports a query that gives the feed-forward part zero.
func (r *Reader[T]) Update(i int) (*Update[T], error) {
	k := r.at(i)
	u := &Update[T]{Block: k.name, Batch: r.batch, Positions: k.tokens, Width: k.feeds, Hidden: k.hidden, Matrices: k.widths}
	u.Right = append([]T(nil), k.queryInputs...)
	for s := range r.batch {
		if n := square(u.right(s)); n == 0 || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, errors.Errorf("icl: block %q, sample %d: the query alone gives the feed-forward part a vector of length %g, and a change of the first matrix acts on that vector alone: "+
				"normalise with a bias (layers.LayerNorm{Bias: true}), add a bias to the attention, or give the query token a number that is not zero", k.name, s, math.Sqrt(n))
		}
	}
	diff := make([]T, len(k.inputs))
	for s := range r.batch {
		vx := u.right(s)
		for j := range k.tokens * k.feeds {
			diff[s*k.tokens*k.feeds+j] = k.inputs[s*k.tokens*k.feeds+j] - vx[j%k.feeds]
		}
	}
	k.prog.Load(k.diff, diff)
	if err := k.prog.Run(leftTarget); err != nil {
		return nil, errors.WithMessagef(err, "icl: block %q", k.name)
	}
	u.Left = k.gather(k.left, r.batch*k.tokens)
	if !k.structure.out.residual {
		return u, nil
	}
	u.Bias = make([]T, len(k.streams))
	wide := len(k.queryStreams) / r.batch
	for j := range u.Bias {
		s := j / (k.tokens * wide)
		u.Bias[j] = (k.streams[j] - k.queryStreams[s*wide+j%wide]) / T(k.structure.out.factor)
	}
	if k.byBias {
		return u, nil
	}
	if _, err := r.apply(k, u, k.queries(r.batch), nil); err != nil { // for h
		return nil, err
	}
	u.LastRight = append([]T(nil), k.prog.Value(k.h)...)
	for p := range r.batch * k.tokens {
		if square(u.LastRight[p*k.inner:(p+1)*k.inner]) == 0 && square(u.Bias[p*wide:(p+1)*wide]) > 0 {
			return nil, errors.Errorf("icl: block %q, sample %d, position %d: its last matrix has no bias and is given zero, so that no change of it can carry the residual connection's change: "+
				"give the feed-forward part a bias", k.name, p/k.tokens, p%k.tokens)
		}
	}
	return u, nil
}

// gather puts the values of nodes [rows, width] each side by side.
func (k *block[T]) gather(nodes []*graph.Node, rows int) []T {
	all := make([]T, 0, rows*k.hidden)
	for row := range rows {
		for i, n := range nodes {
			all = append(all, k.prog.Value(n)[row*k.widths[i]:(row+1)*k.widths[i]]...)
		}
	}
	return all
}

// Apply returns what block i gives on tokens alone, query [batch, features], with the update of each position,
// [batch, positions, features]. On the block's own Query that is its Output, which is the theorem.
func (r *Reader[T]) Apply(i int, u *Update[T], query []T) ([]T, error) {
	k := r.at(i)
	if len(query) != r.batch*k.width {
		return nil, errors.Errorf("icl: block %q: query has %d numbers, want [%d %d]", k.name, len(query), r.batch, k.width)
	}
	if u.LastRight == nil {
		out, err := r.apply(k, u, query, u.Bias)
		return out, errors.WithMessagef(err, "icl: block %q", k.name)
	}
	if _, err := r.apply(k, u, query, nil); err != nil { // what the last matrix is given
		return nil, errors.WithMessagef(err, "icl: block %q", k.name)
	}
	extra, h := make([]T, len(u.Bias)), k.prog.Value(k.h)
	for p := range r.batch * k.tokens {
		at := u.LastRight[p*k.inner : (p+1)*k.inner]
		c := dot(at, h[p*k.inner:(p+1)*k.inner]) / max(square(at), math.SmallestNonzeroFloat64)
		for j := p * k.out; j < (p+1)*k.out; j++ {
			extra[j] = T(c) * u.Bias[j]
		}
	}
	out, err := r.apply(k, u, query, extra)
	return out, errors.WithMessagef(err, "icl: block %q", k.name)
}

// apply runs the feed-forward part on queries with the first matrix changed, and adds extra [batch, tokens, out] to its result.
func (r *Reader[T]) apply(k *block[T], u *Update[T], query, extra []T) ([]T, error) {
	if err := k.alone(query); err != nil {
		return nil, err
	}
	rows, wvx := r.batch*k.tokens, k.gather(k.wvx, r.batch)
	ux, vx := k.prog.Value(k.ux), k.prog.Value(k.vx)
	wide := len(ux) / r.batch
	streams := make([]T, rows*wide)
	sums := make([][]T, len(k.widths))
	for s := range r.batch {
		c := T(dot(u.right(s), vx[s*k.feeds:(s+1)*k.feeds]) / square(u.right(s)))
		for p := s * k.tokens; p < (s+1)*k.tokens; p++ {
			copy(streams[p*wide:], ux[s*wide:(s+1)*wide])
			at := 0
			for m, width := range k.widths {
				for j := range width {
					sums[m] = append(sums[m], wvx[s*k.hidden+at+j]+c*u.Left[p*k.hidden+at+j])
				}
				at += width
			}
		}
	}
	if extra == nil {
		extra = make([]T, rows*k.out)
	}
	for m, n := range k.sums {
		k.prog.Load(n, sums[m])
	}
	k.prog.Load(k.us, streams)
	k.prog.Load(k.extra, extra)
	if err := k.prog.Run(tailTarget); err != nil {
		return nil, err
	}
	return append([]T(nil), k.prog.Value(k.tail)...), nil
}

// Chain runs the first block's query alone through all blocks with the updates of the last position, updates[i] being that of
// block i: [batch, features] of the last block. After Forward that is its output at the query, with the whole stack's context.
// It reports blocks that do not read each other.
func (r *Reader[T]) Chain(updates []*Update[T]) ([]T, error) {
	if len(updates) != len(r.blocks) {
		return nil, errors.Errorf("icl: %d updates for %d blocks", len(updates), len(r.blocks))
	}
	query := r.Query(0)
	for i, k := range r.blocks {
		if i > 0 && k.site != r.blocks[i-1].name {
			return nil, errors.Errorf("icl: block %q does not read block %q: their updates do not follow each other", k.name, r.blocks[i-1].name)
		}
		all, err := r.Apply(i, updates[i], query)
		if err != nil {
			return nil, err
		}
		query = query[:0:0]
		for s := range r.batch {
			end := (s + 1) * k.tokens * k.out
			query = append(query, all[end-k.out:end]...)
		}
	}
	return query, nil
}
