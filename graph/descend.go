package graph

import (
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// FusedSteps move inputs against their gradients, sample by sample. Given the weights, the samples of a batch have
// nothing to do with each other, so each shard is taken through all steps at once: what it works on stays in the cache
// of its core, and the cores meet once instead of at every step.
type FusedSteps[T Float] struct {
	Target int // computes the gradients, and whatever else is wanted at the last evaluation
	Fields []Moved[T]

	chunks []chunk
	after  []int // values of other targets that depend on the moved inputs
	ahead  int   // steps under way at a time
	elems  int   // moved
	rate   T
	moves  int
	finite []bool // by shard
}

// A chunk is a piece of one step: instructions, and the fields that can move after them.
type chunk struct{ instrs, moves []int }

// Moved is one input that FusedSteps move.
type Moved[T Float] struct {
	Input, Grad *Node

	input, grad int
	from        []T // where the start is read and the end written
	last        []T // where the last gradient is written
}

// FuseSteps prepares fused steps once. It reports gradients that need more than their own sample and the weights.
func (p *Program[T]) FuseSteps(target int, fields []Moved[T]) (*FusedSteps[T], error) {
	d := &FusedSteps[T]{Target: target, Fields: fields, finite: make([]bool, len(p.shards))}
	var rows *stage
	for i := range p.targets[target].stages {
		st := &p.targets[target].stages[i]
		if st.byRows {
			rows = st
			break
		}
		if !st.static {
			return nil, errors.New("graph: fused steps are not possible: the gradient needs something that is computed over the whole batch")
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
		d.elems += len(p.values[f.input].buf)
		if !inRows[f.grad] || p.values[f.grad].restless {
			return nil, errors.Errorf("graph: the gradient by %s cannot be computed sample by sample", label(f.Input))
		}
	}
	if rows != nil {
		p.cut(d, rows.instrs)
	}
	seen := make(map[int]bool)
	var follow func(id int)
	follow = func(id int) {
		for _, u := range p.values[id].users {
			if seen[u] {
				continue
			}
			seen[u] = true
			if !inRows[u] {
				d.after = append(d.after, u)
			}
			follow(u)
		}
	}
	for _, f := range fields {
		follow(f.input)
	}
	return d, nil
}

// cachedBytes is how much of a step's memory stays in a core's caches while several steps work on it, and smallStep the
// memory of a whole step that stays there by itself.
const (
	cachedBytes = 4 << 20
	smallStep   = 1 << 19
)

// cut divides one step into chunks such that a step can do chunk c as soon as the step before it has done chunk c+1. Steps
// then follow each other closely through the network, and what a chunk needs, weights above all, is brought into the cache
// once for several steps.
//
// The conditions are that values without memory of their own do not outlive a chunk; that a moved input has been moved; and
// that whoever reads what is written, in the step before, has done so.
func (p *Program[T]) cut(d *FusedSteps[T], instrs []int) {
	producer, reader := make(map[int]int), make(map[int]int) // positions, of values: first and last
	for at, i := range instrs {
		ins := &p.instrs[i]
		producer[ins.out] = at
		for _, v := range ins.in {
			if ins.kind != reduce || !p.values[v].kept { // sums are formed in the last step only
				reader[v] = at
			}
		}
	}
	far := make([]int, len(instrs)) // how far the step before must have come
	moved := make([]int, len(d.Fields))
	fieldOf := make(map[int]int, len(d.Fields)) // by moved input
	due := make([][]int, len(instrs))           // by position, the fields that can move after it
	for k, f := range d.Fields {
		fieldOf[f.input] = k
		moved[k] = max(producer[f.grad], reader[f.input])
		due[moved[k]] = append(due[moved[k]], k)
		far[producer[f.grad]] = max(far[producer[f.grad]], moved[k])
	}
	open := make([]int, len(instrs)+1) // values without memory that live across a position, as differences
	for at, i := range instrs {
		ins := &p.instrs[i]
		far[at] = max(far[at], reader[ins.out])
		for _, v := range ins.in {
			if k, is := fieldOf[v]; is {
				far[at] = max(far[at], moved[k])
			}
		}
		if last := reader[ins.out]; !p.values[ins.out].kept && last > at {
			open[at+1]++
			open[last+1]--
		}
	}
	bytes, seen := 0, make(map[int]bool)
	live, need, next := 0, 0, 0 // need: where the chunk being formed must reach; next: the one after it
	c := chunk{}
	for at, i := range instrs {
		c.instrs = append(c.instrs, i)
		next = max(next, far[at]+1)
		for _, v := range append(p.instrs[i].in, p.instrs[i].out) {
			if !seen[v] {
				seen[v] = true
				bytes += p.bytesOf(v)
			}
		}
		live += open[at+1]
		if at+1 < len(instrs) && (live > 0 || at+1 < need) {
			continue
		}
		for _, fields := range due[at+1-len(c.instrs) : at+1] {
			c.moves = append(c.moves, fields...)
		}
		slices.Sort(c.moves)
		d.chunks = append(d.chunks, c)
		c, need, next = chunk{}, next, 0
	}
	d.ahead = 1
	if bytes > smallStep {
		d.ahead = max(1, cachedBytes*len(d.chunks)/bytes)
	}
}

// bytesOf is the memory that one shard touches of a value.
func (p *Program[T]) bytesOf(id int) int {
	v := &p.values[id]
	size := 8
	if dtypeOf[T]() == dtypeOf[float32]() {
		size = 4
	}
	switch {
	case v.packed != nil:
		return v.packed.Bytes()
	case v.batched:
		return size * v.width * min(shardRows, p.rows)
	}
	return size * len(v.buf)
}

// Bind says where the rows of field i start and end, and where the last gradient goes. Both are as long as the input.
func (d *FusedSteps[T]) Bind(i int, z, grad []T) { d.Fields[i].from, d.Fields[i].last = z, grad }

// RunSteps makes moves steps, one or more, of
//
//	z <- z - rate dz
//
// from the bound points, with dz evaluated before each, and computes the rest of the target where the last dz was taken.
// The bits are those of running the target and moving the inputs in turn. It says whether the last gradients and the sums
// over rows are finite; if they are not, the bound memory is left as it was.
func (p *Program[T]) RunSteps(d *FusedSteps[T], rate T, moves int) (finite bool, err error) {
	p.enter("RunSteps")
	defer p.leave()
	for _, f := range d.Fields {
		p.load(f.Input, f.from)
	}
	d.rate, d.moves = rate, moves
	err = p.runTarget(&p.targets[d.Target], d)
	p.pending = p.forget(p.pending)
	if err != nil || slices.Contains(d.finite, false) {
		return false, err
	}
	p.now = round[T]{descent: d}
	p.overShards(d.elems > parallelCopy)
	return true, nil
}

// descendRows takes one shard through the evaluations and all moves but the last, a few steps at a time: of those, each
// follows one chunk behind the step before it.
func (p *Program[T]) descendRows(ctx *context[T], sh *shard, s int) {
	d := p.now.descent
	for first := 0; first < d.moves; first += d.ahead {
		steps := min(d.ahead, d.moves-first)
		for wave := range len(d.chunks) + steps - 1 {
			for step := max(0, wave-len(d.chunks)+1); step < steps && step <= wave; step++ {
				last := first+step == d.moves-1
				c := &d.chunks[wave-step]
				for _, i := range c.instrs {
					if out := p.instrs[i].out; !sh.clean[out] {
						p.stale(sh, out)
					}
				}
				p.runRows(ctx, sh, c.instrs, last)
				if last {
					continue
				}
				for _, k := range c.moves {
					f := &d.Fields[k]
					if !sh.zero[f.grad] {
						kernel.SGD(p.rowsOf(ctx, sh, f.input), p.rowsOf(ctx, sh, f.grad), d.rate, 0)
						p.stale(sh, f.input)
					}
				}
			}
		}
	}
	for _, v := range d.after {
		sh.clean[v] = false
	}
	d.finite[s] = p.finiteRows(ctx, sh, p.now.stage, d)
}

// stale marks what is computed directly from a value that changes. It is invalidate for a step of which a part has not
// been done: what is further down is marked when its turn comes.
func (p *Program[T]) stale(sh *shard, id int) {
	for _, u := range p.values[id].users {
		sh.clean[u] = false
	}
}

// finiteRows looks at the last gradients and the sums of one shard.
func (p *Program[T]) finiteRows(ctx *context[T], sh *shard, st *stage, d *FusedSteps[T]) bool {
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
