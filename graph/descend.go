package graph

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph/kernel"
)

// A Descent moves inputs against their gradients, sample by sample. Given the weights, the samples of a batch have
// nothing to do with each other, so each shard is taken through all steps at once: what it works on stays in the cache
// of its core, and the cores meet once instead of at every step.
type Descent[T Float] struct {
	Target int // computes the gradients, and whatever else is wanted at the last evaluation
	Fields []Moved[T]

	rate   T
	moves  int
	finite []bool // by shard
}

// Moved is one input that a Descent moves.
type Moved[T Float] struct {
	Input, Grad *Node

	input, grad int
	from        []T // where the start is read and the end written
	last        []T // where the last gradient is written
}

// Descent resolves a descent once. It reports gradients that need more than their own sample and the weights.
func (p *Program[T]) Descent(target int, fields []Moved[T]) (*Descent[T], error) {
	d := &Descent[T]{Target: target, Fields: fields, finite: make([]bool, len(p.shards))}
	var rows *stage
	for i := range p.targets[target].stages {
		st := &p.targets[target].stages[i]
		if st.byRows {
			rows = st
			break
		}
		if !st.static {
			return nil, errors.New("graph: a descent needs something that is computed over the whole batch")
		}
	}
	inRows := make(map[int]bool)
	if rows != nil {
		for _, i := range rows.instrs {
			inRows[p.instrs[i].out] = true
		}
	}
	for i := range fields {
		f := &fields[i]
		f.input, f.grad = p.visible(f.Input), p.visible(f.Grad)
		if !inRows[f.grad] || p.values[f.grad].restless {
			return nil, errors.Errorf("graph: the gradient by %s cannot be computed sample by sample", label(f.Input))
		}
	}
	return d, nil
}

// Bind says where the rows of field i start and end, and where the last gradient goes. Both are as long as the input.
func (d *Descent[T]) Bind(i int, z, grad []T) { d.Fields[i].from, d.Fields[i].last = z, grad }

// Descend makes moves steps, one or more, of
//
//	z <- z - rate dz
//
// from the bound points, with dz evaluated before each, and computes the rest of the target where the last dz was taken.
// The bits are those of running the target and moving the inputs in turn. It says whether the last gradients and the sums
// over rows are finite; if they are not, the bound memory is left as it was.
func (p *Program[T]) Descend(d *Descent[T], rate T, moves int) (finite bool, err error) {
	for _, f := range d.Fields {
		p.Load(f.Input, f.from)
	}
	d.rate, d.moves = rate, moves
	err = p.runTarget(&p.targets[d.Target], d)
	p.pending = p.forget(p.pending)
	if err != nil || slices.Contains(d.finite, false) {
		return false, err
	}
	p.now = round[T]{descent: d}
	p.overShards(true)
	return true, nil
}

// descendRows takes one shard through the evaluations and all moves but the last.
func (p *Program[T]) descendRows(ctx *context[T], sh *shard, s int) {
	d, st := p.now.descent, p.now.stage
	for i := range d.moves {
		p.runRows(ctx, sh, st, i == d.moves-1)
		if i == d.moves-1 {
			break
		}
		for k := range d.Fields {
			f := &d.Fields[k]
			if sh.zero[f.grad] {
				continue
			}
			kernel.SGD(p.rowsOf(ctx, sh, f.input), p.rowsOf(ctx, sh, f.grad), d.rate, 0)
			p.invalidate(sh, f.input)
		}
	}
	d.finite[s] = p.finiteRows(ctx, sh, st, d)
}

// finiteRows looks at the last gradients and the sums of one shard.
func (p *Program[T]) finiteRows(ctx *context[T], sh *shard, st *stage, d *Descent[T]) bool {
	for k := range d.Fields {
		if !kernel.AllFinite(p.rowsOf(ctx, sh, d.Fields[k].grad)) {
			return false
		}
	}
	for _, i := range st.instrs {
		if part := p.values[p.instrs[i].out].part; part != nil && !kernel.AllFinite(part[sh.lo:sh.hi]) {
			return false
		}
	}
	return true
}

// finishRows makes the last move of one shard in the bound memory.
func (p *Program[T]) finishRows(ctx *context[T], sh *shard) {
	d := p.now.descent
	for k := range d.Fields {
		f := &d.Fields[k]
		w := p.values[f.input].width
		z, grad := f.from[sh.lo*w:sh.hi*w], p.rowsOf(ctx, sh, f.grad)
		copy(z, p.rowsOf(ctx, sh, f.input))
		copy(f.last[sh.lo*w:sh.hi*w], grad)
		kernel.SGD(z, grad, d.rate, 0)
	}
}
