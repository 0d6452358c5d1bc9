package graph

import (
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// shardRows is the number of rows that one worker takes through a program at a time: few enough that what it
// computes stays in its cache, enough for the matrix product to run at speed. A sample is one row, or as many as it has
// tokens. Images bring rows enough each: their values have up to shardBytes in a shard. No bit of a result depends on
// either.
const (
	shardRows  = 32
	shardBytes = 256 << 10
)

// layout says where values lie, in elements.
type layout struct {
	samples    int   // of a shard
	perWorker  []int // offsets of the slots in a worker's memory
	workerSize int
	shared     []int // offsets of the slots in the memory that materialised values share
	sharedSize int
	room       int // scratch memory of a worker
	arity      int // operands of an instruction, at most
}

// allocate finds a slot for every value by linear-scan allocation: instructions are walked in the order in which they run, and a
// slot is free again as soon as the last reader of its value is done (liveness).
//
// Values of one shard that are dead at the end of their stage live in a small memory of each worker, so that what a shard computes
// stays in that worker's cache; their liveness is counted in instructions. Materialised values have memory for the whole batch;
// unless the program caches them or they are outputs, that memory too is shared by values whose lives, counted in stages, do not
// overlap.
func (c *code[T]) allocate() {
	m := &c.memory
	m.samples, m.arity = c.perShard(), 1
	var order []int // instructions by stage and then in order: as they run
	for i := range c.instrs {
		if c.used[i] {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return c.instrs[a].stage - c.instrs[b].stage })
	lastReader, lastStage := c.liveness(order)
	var perWorker, shared allocator
	for at, i := range order {
		ins := &c.instrs[i]
		m.arity, m.room = max(m.arity, len(ins.in)), max(m.room, ins.room)
		v := &c.values[ins.out]
		switch {
		case v.packed || v.materialised && (v.output || c.cache && (v.static || v.batched)):
		case v.materialised:
			shared.expire(ins.begins())
			v.slot = shared.take(v.size(c.rows), lastStage[ins.out])
		default:
			perWorker.expire(at)
			v.slot = perWorker.take(m.samples*v.width, lastReader[ins.out])
		}
	}
	m.perWorker, m.workerSize = perWorker.layout()
	m.shared, m.sharedSize = shared.layout()
}

// begins is the stage in which an instruction may run at the earliest: one over the whole batch together with the rows before it,
// see partition.
func (ins *instr[T]) begins() int {
	if ins.kind == joint && ins.stage > 0 {
		return ins.stage - 1
	}
	return ins.stage
}

// perShard is the number of samples of a shard: as many as make shardRows rows of the program's largest product, and of
// images no more than shardBytes of its largest value.
func (c *code[T]) perShard() int {
	each, image := 1, 0
	for i := range c.instrs {
		if !c.used[i] {
			continue
		}
		each = max(each, c.instrs[i].each)
		if v := &c.values[c.instrs[i].out]; v.batched && v.shape.Dims() == 4 {
			image = max(image, v.width)
		}
	}
	samples := max(1, shardRows/each)
	for samples > 1 && samples*image*int(dtypeOf[T]().Size()) > shardBytes {
		samples /= 2
	}
	return min(samples, c.rows)
}

// liveness is, by value, the last place in order and the last stage at which it is written or read.
func (c *code[T]) liveness(order []int) (lastReader, lastStage []int) {
	lastReader, lastStage = make([]int, len(c.values)), make([]int, len(c.values))
	for id := range lastStage {
		lastStage[id] = firstStage
	}
	for at, i := range order {
		ins := &c.instrs[i]
		lastReader[ins.out] = max(lastReader[ins.out], at)
		lastStage[ins.out] = max(lastStage[ins.out], c.values[ins.out].stage)
		for _, v := range ins.in {
			lastReader[v] = max(lastReader[v], at)
			lastStage[v] = max(lastStage[v], ins.stage)
		}
	}
	return lastReader, lastStage
}

// An allocator gives values of known liveness as few slots as it finds.
type allocator struct {
	sizes []int
	until []int // time of the last reader; free after it
}

const free = firstStage - 1

// expire frees the slots whose last reader ran before now.
func (a *allocator) expire(now int) {
	for s := range a.until {
		if a.until[s] < now {
			a.until[s] = free
		}
	}
}

// take finds a slot of at least size elements that is in use up to the time last.
func (a *allocator) take(size, last int) int {
	best := -1
	for s, u := range a.until {
		if u != free {
			continue
		}
		switch {
		case best < 0:
			best = s
		case a.sizes[best] < size: // too small: take the largest
			if a.sizes[s] > a.sizes[best] {
				best = s
			}
		case a.sizes[s] >= size && a.sizes[s] < a.sizes[best]:
			best = s
		}
	}
	if best < 0 {
		best = len(a.sizes)
		a.sizes = append(a.sizes, 0)
		a.until = append(a.until, free)
	}
	a.sizes[best] = max(a.sizes[best], size)
	a.until[best] = last
	return best
}

// layout gives the slots' offsets and the size of all, each slot on a boundary of 16 elements.
func (a *allocator) layout() (offsets []int, size int) {
	for _, s := range a.sizes {
		offsets = append(offsets, size)
		size += (s + 15) &^ 15
	}
	return offsets, size
}

// A cell is the memory of one value.
type cell[T Float] struct {
	buf    []T       // all of it, if it is materialised
	part   []float64 // sums by row, of a reduction
	matrix *kernel.Packed[T]
	filter *kernel.Filter[T]
	load   []T // where an input's rows come from at the next run
	store  []T // where an output's rows are copied to
}

// A shard is a range of the batch and what is known about its values.
type shard struct {
	lo, hi int
	clean  []bool // the value is what its operands give
	zero   []bool // the value is exactly zero
	need   []bool // scratch
}

// A context is the memory of one worker.
type context[T Float] struct {
	call  call[T]
	zero  bool // of a task: its result is exactly zero
	shard []T  // values of the shard that is computed
}

// newProgram gives code its memory and binds the tasks that workers run.
func newProgram[T Float](c *code[T]) (*Program[T], error) {
	n := len(c.values)
	p := &Program[T]{code: c, cells: make([]cell[T], n), fresh: make([]bool, n), zero: make([]bool, n)}
	for id := range c.values {
		if err := p.bindInput(id); err != nil {
			return nil, errors.Wrapf(err, "graph: compile %s", label(c.values[id].node))
		}
	}
	shared := make([]T, c.memory.sharedSize)
	for i, ins := range c.instrs {
		if !c.used[i] {
			continue
		}
		v, m := &c.values[ins.out], &p.cells[ins.out]
		switch size := v.size(c.rows); {
		case v.packed:
			ins.alloc(m)
		case v.materialised && v.slot >= 0:
			m.buf = shared[c.memory.shared[v.slot]:][:size]
		case v.materialised:
			m.buf = make([]T, size)
		}
		if ins.kind == reduce {
			m.part = make([]float64, c.rows)
		}
	}
	for lo := 0; lo < c.rows; lo += c.memory.samples {
		p.shards = append(p.shards, shard{
			lo: lo, hi: min(lo+c.memory.samples, c.rows),
			clean: make([]bool, n), zero: make([]bool, n), need: make([]bool, n),
		})
	}
	p.contexts = make([]context[T], min(maxWorkers(), max(len(p.shards), 4)))
	for w := range p.contexts {
		p.contexts[w] = context[T]{shard: make([]T, c.memory.workerSize), call: call[T]{
			room:    make([]T, c.memory.room),
			src:     make([][]T, 0, c.memory.arity),
			srcZero: make([]bool, 0, c.memory.arity),
			shapes:  make([]tensor.Shape, 0, c.memory.arity),
		}}
	}
	p.bindTasks()
	return p, nil
}

// bindInput makes the memory of an input's Gorgonia value that of the program, or gives it one, and stores a constant.
func (p *Program[T]) bindInput(id int) error {
	n := p.values[id].node
	switch {
	case n == nil:
	case n.Op() == nil:
		if n.Value() == nil {
			if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.Of(n.Dtype()))); err != nil {
				return err
			}
		}
		data, ok := n.Value().Data().([]T)
		if !ok {
			return errors.Errorf("its value holds %T", n.Value().Data())
		}
		p.cells[id].buf = data
	default:
		if k, is := constant(n); is {
			p.cells[id].buf = []T{T(k)}
		}
	}
	return nil
}

// Bytes is the memory of the program: values, scratch and packed weights.
func (p *Program[T]) Bytes() int {
	elems, bytes := 0, 0
	seen := make(map[*T]bool)
	for i := range p.cells {
		m := &p.cells[i]
		if len(m.buf) > 0 && !seen[&m.buf[0]] {
			seen[&m.buf[0]] = true
			elems += len(m.buf)
		}
		bytes += m.packedBytes() + 8*len(m.part)
	}
	for w := range p.contexts {
		elems += len(p.contexts[w].shard) + len(p.contexts[w].call.room)
	}
	return bytes + int(dtypeOf[T]().Size())*elems
}

// packedBytes is the memory of a packed weight.
func (m *cell[T]) packedBytes() int {
	switch {
	case m.matrix != nil:
		return m.matrix.Bytes()
	case m.filter != nil:
		return m.filter.Bytes()
	}
	return 0
}
