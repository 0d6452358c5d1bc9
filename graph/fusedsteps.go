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

	chunks  []chunk
	others  []int // values of other targets that depend on the moved inputs
	overlap int   // steps under way at a time
	elems   int   // moved
	rate    T
	moves   int
	finite  []bool // by shard

	run, finish shardTask // all moves but the last; the last one
}

// A chunk is a piece of one step: instructions, and the fields that can move after them.
type chunk struct{ instrs, moves []int }

// Moved is one input that FusedSteps move.
type Moved[T Float] struct {
	Input, Grad *Node
	Ascent      T // not 0: the input moves along its gradient at this rate, and not against it at that of RunSteps

	input, grad int
	from        []T // where the start is read and the end written
	last        []T // where the last gradient is written
}

// FuseSteps prepares fused steps once. It is an error if a gradient needs more than its own sample and the weights.
func (p *Program[T]) FuseSteps(target int, fields []Moved[T]) (*FusedSteps[T], error) {
	d := &FusedSteps[T]{Target: target, Fields: fields, finite: make([]bool, len(p.shards))}
	var instrs []int
	for _, st := range p.targets[target].stages {
		if st.byRows {
			instrs = st.instrs
			break
		}
		if !st.static {
			return nil, errors.New("graph: fused steps are not possible: the gradient needs something that is computed over the whole batch")
		}
	}
	inRows := make(map[int]bool)
	for _, i := range instrs {
		inRows[p.instrs[i].out] = true
	}
	for i := range fields {
		f := &fields[i]
		f.input, f.grad = p.visible(f.Input), p.visible(f.Grad)
		d.elems += len(p.cells[f.input].buf)
		if !inRows[f.grad] || p.values[f.grad].untracked {
			return nil, errors.Errorf("graph: the gradient with respect to %s cannot be computed sample by sample", label(f.Input))
		}
	}
	p.divide(d, instrs)
	seen := make(map[int]bool)
	var follow func(id int)
	follow = func(id int) {
		for _, u := range p.values[id].dependents {
			if seen[u] {
				continue
			}
			seen[u] = true
			if !inRows[u] {
				d.others = append(d.others, u)
			}
			follow(u)
		}
	}
	for _, f := range fields {
		follow(f.input)
	}
	d.run = func(worker, s int) {
		ctx, sh := &p.contexts[worker], &p.shards[s]
		p.loadShard(sh)
		p.stepShard(ctx, sh, d)
		d.finite[s] = p.finiteRows(ctx, sh, instrs, d)
	}
	d.finish = func(worker, s int) { p.finishShard(&p.contexts[worker], &p.shards[s], d) }
	return d, nil
}

// cachedBytes is how much of a step's memory stays in a core's caches while several steps work on it, and smallStep the
// memory of a whole step that stays there by itself.
const (
	cachedBytes = 4 << 20
	smallStep   = 1 << 19
)

// divide cuts one step into chunks for a wavefront schedule, also called time skewing: chunk c of step t+1 may run once chunk c+1 of
// step t is done. Steps then follow each other closely through the network, and what a chunk needs, weights above all, is brought
// into the cache once for several steps.
//
// Chunks are as small as these conditions allow: values without memory of their own do not outlive a chunk; an input has been moved
// before it is read (read after write); and whoever reads in step t what step t+1 writes has done so (no write-after-read hazard).
func (p *Program[T]) divide(d *FusedSteps[T], instrs []int) {
	producer, reader := make(map[int]int), make(map[int]int) // positions, of values: first and last
	for at, i := range instrs {
		ins := &p.instrs[i]
		producer[ins.out] = at
		for _, v := range ins.in {
			if ins.kind != reduce || !p.values[v].materialised { // sums are formed in the last step only
				reader[v] = at
			}
		}
	}
	behind := make([]int, len(instrs)) // by position, how far the step before must have come
	moved := make([]int, len(d.Fields))
	fieldOf := make(map[int]int, len(d.Fields)) // by moved input
	movable := make([][]int, len(instrs))       // by position, the fields that can move after it
	for k, f := range d.Fields {
		fieldOf[f.input] = k
		moved[k] = max(producer[f.grad], reader[f.input])
		movable[moved[k]] = append(movable[moved[k]], k)
		behind[producer[f.grad]] = max(behind[producer[f.grad]], moved[k])
	}
	births := make([]int, len(instrs)+1) // by position, values without memory that live across it, as differences
	for at, i := range instrs {
		ins := &p.instrs[i]
		behind[at] = max(behind[at], reader[ins.out])
		for _, v := range ins.in {
			if k, is := fieldOf[v]; is {
				behind[at] = max(behind[at], moved[k])
			}
		}
		if last := reader[ins.out]; !p.values[ins.out].materialised && last > at {
			births[at+1]++
			births[last+1]--
		}
	}
	bytes, seen := 0, make(map[int]bool)
	live, reach, next := 0, 0, 0 // reach: where the chunk being formed must end at the earliest; next: the one after it
	c := chunk{}
	for at, i := range instrs {
		c.instrs = append(c.instrs, i)
		next = max(next, behind[at]+1)
		for _, v := range append(p.instrs[i].in, p.instrs[i].out) {
			if !seen[v] {
				seen[v] = true
				bytes += p.bytesOf(v)
			}
		}
		live += births[at+1]
		if at+1 < len(instrs) && (live > 0 || at+1 < reach) {
			continue
		}
		for _, fields := range movable[at+1-len(c.instrs) : at+1] {
			c.moves = append(c.moves, fields...)
		}
		slices.Sort(c.moves)
		d.chunks = append(d.chunks, c)
		c, reach, next = chunk{}, next, 0
	}
	d.overlap = 1
	if bytes > smallStep {
		d.overlap = max(1, cachedBytes*len(d.chunks)/bytes)
	}
}

// bytesOf is the memory that one shard touches of a value.
func (p *Program[T]) bytesOf(id int) int {
	size := int(dtypeOf[T]().Size())
	switch v, m := &p.values[id], &p.cells[id]; {
	case m.matrix != nil:
		return m.matrix.Bytes()
	case v.batched:
		return size * v.width * min(shardRows, p.rows)
	default:
		return size * len(m.buf)
	}
}

// Bind sets where the rows of field i start and end, and where the last gradient goes, nil for nowhere. Both are as long as the input.
func (d *FusedSteps[T]) Bind(i int, z, grad []T) { d.Fields[i].from, d.Fields[i].last = z, grad }

// RunSteps makes moves steps, one or more, of
//
//	z <- z - rate dz      or z <- z + Ascent dz
//
// from the bound points, with dz evaluated before each, and computes the rest of the target where the last dz was taken.
// The bits are those of running the target and moving the inputs in turn. It reports whether the last gradients and the sums
// over rows are finite; if they are not, the bound memory is left as it was.
func (p *Program[T]) RunSteps(d *FusedSteps[T], rate T, moves int) (finite bool, err error) {
	p.enter("RunSteps")
	defer p.leave()
	for _, f := range d.Fields {
		p.loadFrom(f.Input, f.from)
	}
	d.rate, d.moves = rate, moves
	err = p.runTarget(d.Target, d)
	p.pending = p.forget(p.pending)
	if err != nil || slices.Contains(d.finite, false) {
		return false, err
	}
	p.overShards(d.elems > parallelCopy, d.finish)
	return true, nil
}

// stepShard takes one shard through the evaluations and all moves but the last, overlap steps at a time: of those, each
// follows one chunk behind the step before it.
func (p *Program[T]) stepShard(ctx *context[T], sh *shard, d *FusedSteps[T]) {
	for first := 0; first < d.moves; first += d.overlap {
		steps := min(d.overlap, d.moves-first)
		for wave := range len(d.chunks) + steps - 1 {
			for step := max(0, wave-len(d.chunks)+1); step < steps && step <= wave; step++ {
				p.runChunk(ctx, sh, d, &d.chunks[wave-step], first+step == d.moves-1)
			}
		}
	}
	for _, v := range d.others {
		sh.clean[v] = false
	}
}

// runChunk runs a chunk of one step; the last step forms sums and does not move.
func (p *Program[T]) runChunk(ctx *context[T], sh *shard, d *FusedSteps[T], c *chunk, last bool) {
	for _, i := range c.instrs {
		if out := p.instrs[i].out; !sh.clean[out] {
			p.stale(sh, out)
		}
	}
	p.runRows(ctx, sh, c.instrs, last)
	if last {
		return
	}
	for _, k := range c.moves {
		f := &d.Fields[k]
		if !sh.zero[f.grad] {
			kernel.SGD(p.rowsOf(ctx, sh, f.input), p.rowsOf(ctx, sh, f.grad), d.rateOf(f), 0)
			p.stale(sh, f.input)
		}
	}
}

// stale marks what is computed directly from a value that changes. It is invalidate for a step of which a part has not
// been done: what is further down is marked when its turn comes.
func (p *Program[T]) stale(sh *shard, id int) {
	for _, u := range p.values[id].dependents {
		sh.clean[u] = false
	}
}

// finiteRows reports whether the last gradients and the sums of one shard are finite.
func (p *Program[T]) finiteRows(ctx *context[T], sh *shard, instrs []int, d *FusedSteps[T]) bool {
	for k := range d.Fields {
		if !kernel.AllFinite(p.rowsOf(ctx, sh, d.Fields[k].grad)) {
			return false
		}
	}
	for _, i := range instrs {
		if part := p.cells[p.instrs[i].out].part; part != nil && !kernel.AllFinite(part[sh.lo:sh.hi]) {
			return false
		}
	}
	return true
}

// finishShard makes the last move of one shard in the bound memory.
func (p *Program[T]) finishShard(ctx *context[T], sh *shard, d *FusedSteps[T]) {
	for k := range d.Fields {
		f := &d.Fields[k]
		w := p.values[f.input].width
		z, grad := f.from[sh.lo*w:sh.hi*w], p.rowsOf(ctx, sh, f.grad)
		copy(z, p.rowsOf(ctx, sh, f.input))
		if f.last != nil {
			copy(f.last[sh.lo*w:sh.hi*w], grad)
		}
		kernel.SGD(z, grad, d.rateOf(f), 0)
	}
}

// rateOf is the rate at which a field descends.
func (d *FusedSteps[T]) rateOf(f *Moved[T]) T {
	if f.Ascent != 0 {
		return -f.Ascent
	}
	return d.rate
}
