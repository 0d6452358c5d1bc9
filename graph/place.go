package graph

import (
	"slices"

	"gorgonia.org/tensor"
)

// place gives every value its memory.
//
// Values of one shard that are used up within their stage live in a small arena of each worker, where a place is taken
// over as soon as its last reader is done: what a shard computes stays in that worker's cache. Other values have
// memory for the whole batch; unless the program caches or they are outputs, that memory too is shared by values
// whose lives, counted in stages, do not overlap.
func (p *Program[T]) place() {
	n := len(p.values)
	p.fresh, p.zero = make([]bool, n), make([]bool, n)
	samples := p.perShard()
	for lo := 0; lo < p.rows; lo += samples {
		p.shards = append(p.shards, shard{
			lo: lo, hi: min(lo+samples, p.rows),
			clean: make([]bool, n), zero: make([]bool, n), need: make([]bool, n),
		})
	}
	var arena, slab allocator
	producer, lastArena, lastSlab := p.lives()
	// by stage and then in order: as they run
	order := make([]int, 0, len(p.instrs))
	for i := range p.instrs {
		if p.used[i] {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return p.instrs[a].stage - p.instrs[b].stage })
	at := make([]int, len(p.instrs)) // position in order
	for k, i := range order {
		at[i] = k
	}
	maxRows := min(samples, p.rows)
	arity, room := 1, 0
	for k, i := range order {
		ins := &p.instrs[i]
		arity, room = max(arity, len(ins.in)), max(room, ins.room)
		v := &p.values[ins.out]
		switch {
		case v.packed != nil || v.filter != nil:
		case v.kept && (v.output || p.cache && (v.static || v.batched)):
			v.buf = make([]T, v.size(p.rows))
		case v.kept:
			slab.expire(ins.stage)
			v.slot = slab.take(v.size(p.rows), lastSlab[ins.out])
		default:
			arena.expire(k)
			last := k
			for _, r := range lastArena[ins.out] {
				last = max(last, at[r])
			}
			v.slot = arena.take(maxRows*v.width, last)
		}
	}
	offsets, size := slab.layout()
	memory := make([]T, size)
	for id := range p.values {
		if v := &p.values[id]; v.kept && v.slot >= 0 && producer[id] >= 0 {
			v.buf = memory[offsets[v.slot]:][:v.size(p.rows)]
		}
	}
	p.slots, size = arena.layout()
	p.contexts = make([]context[T], min(maxWorkers(), max(len(p.shards), 4)))
	for w := range p.contexts {
		ctx := &p.contexts[w]
		ctx.arena = make([]T, size)
		ctx.call.room = make([]T, room)
		ctx.call.src = make([][]T, 0, arity)
		ctx.call.srcZero = make([]bool, 0, arity)
		ctx.call.shapes = make([]tensor.Shape, 0, arity)
	}
	p.shardTask, p.jointTask = p.runShard, p.runTask
}

// perShard is the number of samples of a shard: as many as make shardRows rows of the program's largest product, and of
// images no more than shardBytes of its largest value.
func (p *Program[T]) perShard() int {
	each, image := 1, 0
	for i := range p.instrs {
		if !p.used[i] {
			continue
		}
		each = max(each, p.instrs[i].each)
		if v := &p.values[p.instrs[i].out]; v.batched && v.shape.Dims() == 4 {
			image = max(image, v.width)
		}
	}
	samples := max(1, shardRows/each)
	for samples > 1 && samples*image*int(dtypeOf[T]().Size()) > shardBytes {
		samples /= 2
	}
	return samples
}

// size is the number of elements of a value.
func (v *value[T]) size(rows int) int {
	if v.batched {
		return rows * v.width
	}
	return max(1, v.shape.TotalSize())
}

// lives tells who produces each value, which instructions read it, and the last stage in which it is read.
func (p *Program[T]) lives() (producer []int, readers [][]int, lastStage []int) {
	producer, readers, lastStage = make([]int, len(p.values)), make([][]int, len(p.values)), make([]int, len(p.values))
	for id := range producer {
		producer[id], lastStage[id] = -1, firstStage
	}
	for i, ins := range p.instrs {
		if !p.used[i] {
			continue
		}
		producer[ins.out] = i
		lastStage[ins.out] = max(lastStage[ins.out], p.values[ins.out].stage)
		for _, v := range ins.in {
			readers[v] = append(readers[v], i)
			lastStage[v] = max(lastStage[v], ins.stage)
		}
	}
	return producer, readers, lastStage
}

// allocator places values of known lives in as few slots as it finds.
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

// Bytes is the memory of the program: values, arenas, scratch and packed weights.
func (p *Program[T]) Bytes() int {
	elems, bytes := 0, 0
	seen := make(map[*T]bool)
	for i := range p.values {
		v := &p.values[i]
		if len(v.buf) > 0 && !seen[&v.buf[0]] {
			seen[&v.buf[0]] = true
			elems += len(v.buf)
		}
		if v.packed != nil {
			bytes += v.packed.Bytes()
		}
		if v.filter != nil {
			bytes += v.filter.Bytes()
		}
		bytes += 8 * len(v.part)
	}
	for w := range p.contexts {
		elems += len(p.contexts[w].arena) + len(p.contexts[w].call.room)
	}
	if dtypeOf[T]() == dtypeOf[float32]() {
		return bytes + 4*elems
	}
	return bytes + 8*elems
}
