package icl

import (
	"math"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
)

// Consumed is what a block's query sees as its context grows token by token: v_k is what the feed-forward part is given at the query
// after the context's first k tokens, k = 0 ... n. It reads the update as gradient descent (Dherin et al., arXiv 2507.16003,
// proposition 3.1):
//
//	W_{k+1} = W_k - h D_k,   D_k = v_0 ((v_k - v_{k+1}) W_0)^T,   h = 1 / |v_0|^2
//
// a step at the rate h on the loss tr(D_k^T W). After the last token the sum of the steps is the update of the whole context.
type Consumed[T graph.Float] struct {
	Tokens, Width, Hidden int
	Rate                  float64 // h
	Inputs                []T     // v_k [Tokens+1, Width]
	Products              []T     // v_k W_0 without bias, [Tokens+1, Hidden]
}

// Step makes D_k, [Width, Hidden].
func (c *Consumed[T]) Step(k int) []T {
	return c.outer(c.difference(k, k+1))
}

// Weight makes W_k - W_0, [Width, Hidden], as the sum of the first k steps.
func (c *Consumed[T]) Weight(k int) []T {
	sum := make([]T, c.Width*c.Hidden)
	for j := range k {
		for i, d := range c.Step(j) {
			sum[i] -= T(c.Rate) * d
		}
	}
	return sum
}

// StepNorm is |W_{k+1} - W_k|, Frobenius.
func (c *Consumed[T]) StepNorm(k int) float64 {
	return math.Sqrt(square(c.difference(k, k+1)) * c.Rate)
}

// difference is (v_j - v_k) W_0.
func (c *Consumed[T]) difference(j, k int) []T {
	d := make([]T, c.Hidden)
	for i := range d {
		d[i] = c.Products[j*c.Hidden+i] - c.Products[k*c.Hidden+i]
	}
	return d
}

// outer is v_0 d^T.
func (c *Consumed[T]) outer(d []T) []T {
	m := make([]T, 0, c.Width*c.Hidden)
	for _, v := range c.Inputs[:c.Width] {
		for _, x := range d {
			m = append(m, v*x)
		}
	}
	return m
}

// Consume runs block i on the query of one sample behind the first k tokens of its context, for every k at once.
func (r *Reader[T]) Consume(i, sample int) (*Consumed[T], error) {
	k := r.at(i)
	n := k.tokens - 1
	hide := make([]T, (n+1)*k.tokens)
	for seen := range n + 1 {
		for t := seen; t < n; t++ {
			hide[seen*k.tokens+t] = 1
		}
	}
	v, products, err := r.hidden(k, sample, n+1, hide)
	if err != nil {
		return nil, err
	}
	c := &Consumed[T]{Tokens: n, Width: k.feeds, Hidden: k.hidden, Inputs: v, Products: products}
	c.Rate = 1 / square(v[:k.feeds])
	if math.IsInf(c.Rate, 0) || math.IsNaN(c.Rate) {
		return nil, errors.Errorf("icl: block %q, sample %d: the query alone gives the feed-forward part zero: there is no update", k.name, sample)
	}
	return c, nil
}

// Chunk returns the update by a part of the context, tokens from <= t < to of a sample of block i, at the query (Dherin et al.,
// theorem 2.2):
//
//	dW(Y) = right left^T / |right|^2,   left = (v(C) - v(C without Y)) W,   right = v(C without Y)
//
// The block without Y and with this change gives the same at the query as with Y, but for the residual connection. It reports a part
// that is none, and a zero right.
func (r *Reader[T]) Chunk(i, sample, from, to int) (left, right []T, err error) {
	k := r.at(i)
	if from < 0 || to <= from || to >= k.tokens {
		return nil, nil, errors.Errorf("icl: tokens from %d to below %d of a context of %d: want a part of it", from, to, k.tokens-1)
	}
	hide := make([]T, 2*k.tokens)
	for t := from; t < to; t++ {
		hide[k.tokens+t] = 1
	}
	v, products, err := r.hidden(k, sample, 2, hide)
	if err != nil {
		return nil, nil, err
	}
	right = v[k.feeds:]
	if square(right) == 0 {
		return nil, nil, errors.Errorf("icl: block %q, sample %d: without the tokens from %d to below %d the feed-forward part is given zero: there is no update", k.name, sample, from, to)
	}
	left = products[:k.hidden]
	for j := range left {
		left[j] -= products[k.hidden+j]
	}
	return left, right, nil
}

// hidden runs a block on copies of one context with tokens hidden from all, hide [copies, tokens], and returns v [copies, feeds] and
// v W at the query.
func (r *Reader[T]) hidden(k *block[T], sample, copies int, hide []T) (v, products []T, err error) {
	if sample < 0 || sample >= r.batch {
		return nil, nil, errors.Errorf("icl: there is no sample %d in a batch of %d", sample, r.batch)
	}
	b := graph.NewBuilder[T]()
	of, err := params(b, r.net, r.weights)
	if err != nil {
		return nil, nil, errors.WithMessage(err, "icl")
	}
	f := cut(k.feed, of)
	z := b.Data("context", copies, k.tokens, k.width)
	leaves := append([]leaf(nil), k.attend.leaves...)
	end := &leaves[len(leaves)-1]
	attention := end.layer.(layers.Attention)
	attention.Padding = true
	end.layer = attention
	u := k.attend.join(b, z, apply(b, leaves, of, z))
	x := b.Act(f.act, apply(b, k.norm, of, u))
	outs := []*graph.Node{x}
	for _, w := range f.firsts {
		outs = append(outs, b.Linear(x, w, nil, 1))
	}
	if b.Err() != nil {
		return nil, nil, errors.WithMessagef(b.Err(), "icl: block %q", k.name)
	}
	p, err := graph.CompilePlan[T](graph.Plan{Targets: [][]*graph.Node{outs}, Batched: batched(b)})
	if err != nil {
		return nil, nil, errors.WithMessagef(err, "icl: block %q", k.name)
	}
	size := k.tokens * k.width
	var tokens []T
	for range copies {
		tokens = append(tokens, k.context[sample*size:(sample+1)*size]...)
	}
	for _, in := range b.Inputs() {
		switch {
		case in.Node == z:
			p.Load(z, tokens)
		case strings.HasSuffix(in.Name, "padding"):
			p.Load(in.Node, hide)
		}
	}
	if err := p.Run(0); err != nil {
		return nil, nil, errors.WithMessagef(err, "icl: block %q", k.name)
	}
	for c := range copies {
		row := (c+1)*k.tokens - 1
		for i, n := range outs {
			wide := n.Shape()[2]
			part := p.Value(n)[row*wide : (row+1)*wide]
			if i == 0 {
				v = append(v, part...)
			} else {
				products = append(products, part...)
			}
		}
	}
	return v, products, nil
}
