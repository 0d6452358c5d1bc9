package graph

import "slices"

// A target is what one group of outputs needs, stage by stage.
type target struct {
	stages []stage
	// The stages by rows that load inputs and copy outputs on the way; -1 if there is none, or if a stage over the whole batch
	// comes before and needs the inputs.
	first, last int
}

// A stage is everything that runs between two barriers: instructions that are taken shard by shard, or tasks over the whole batch.
type stage struct {
	byRows   bool
	static   bool
	instrs   []int
	tasks    []task
	work     float64 // of one evaluation, in floating-point operations
	parallel bool
}

// A task is the rows [lo, hi) of the result of one instruction over the whole batch.
type task struct{ instr, lo, hi int }

// parallelWork is the number of operations below which a stage is not worth a second core.
const parallelWork = 400e3

// schedule drops instructions that no target needs, such as those fused with another, gives stages to the rest and lists them by
// target.
func (c *code[T]) schedule(targets [][]*Node) {
	producer := make([]int, len(c.values))
	for i := range producer {
		producer[i] = -1
	}
	for i, ins := range c.instrs {
		producer[ins.out] = i
	}
	c.used = make([]bool, len(c.instrs))
	needed := make([][]int, len(targets))
	lastTarget := make([]int, len(c.instrs)) // by instruction, the last target, counted from 1, that is known to need it
	for t, nodes := range targets {
		var queue []int // instructions whose operands are still to be followed
		need := func(value int) {
			if i := producer[value]; i >= 0 && lastTarget[i] != t+1 {
				lastTarget[i], c.used[i] = t+1, true
				queue = append(queue, i)
			}
		}
		for _, n := range nodes {
			need(c.index[n])
		}
		for len(queue) > 0 {
			i := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			needed[t] = append(needed[t], i)
			for _, v := range c.instrs[i].in {
				need(v)
			}
		}
		slices.Sort(needed[t])
	}
	for i := range c.instrs {
		if c.used[i] {
			c.assignStage(&c.instrs[i])
		}
	}
	for i, ins := range c.instrs {
		if c.used[i] {
			c.materialise(ins)
		}
	}
	for t := range targets {
		c.targets = append(c.targets, c.newTarget(needed[t]))
	}
}

// materialise gives memory of their whole size to the result of ins, if it is no array by rows or an output, and to those of its
// operands that are computed in another stage; and it notes who depends on the operands.
func (c *code[T]) materialise(ins instr[T]) {
	if out := &c.values[ins.out]; ins.kind != rowwise || out.output {
		out.materialised = true
	}
	for _, v := range ins.in {
		in := &c.values[v]
		if in.batched && !in.input && in.stage != ins.stage {
			in.materialised = true
		}
		if ins.kind != joint {
			in.dependents = append(in.dependents, ins.out)
		}
	}
}

// Stages are numbered in the order in which they run: what depends on weights alone comes first, level by level (negative
// numbers); then work by shards of rows (even numbers) alternates with work over the whole batch (odd numbers).
const firstStage = -1 << 20

// assignStage gives an instruction the earliest stage that its operands allow.
func (c *code[T]) assignStage(ins *instr[T]) {
	out := &c.values[ins.out]
	switch {
	case out.static:
		ins.stage = firstStage
		for _, v := range ins.in {
			if in := c.values[v]; in.stage < -1 {
				ins.stage = max(ins.stage, in.stage+1)
			}
		}
	case ins.kind == joint: // the next odd number
		ins.stage = 1
		for _, v := range ins.in {
			if s := c.values[v].stage; s >= 0 {
				ins.stage = max(ins.stage, s+1+s%2)
			}
		}
	default: // the next even number
		ins.stage = 0
		for _, v := range ins.in {
			if s := c.values[v].stage; s >= 0 {
				ins.stage = max(ins.stage, s+s%2)
			}
		}
	}
	out.stage = ins.stage
	if ins.kind == reduce {
		out.stage++ // the total of a reduction is there one stage after its rows
	}
}

// newTarget lists the instructions of used, which are in ascending order, by stage.
func (c *code[T]) newTarget(used []int) target {
	byStage := make(map[int]*stage)
	var order []int
	for _, i := range used {
		ins := &c.instrs[i]
		st := byStage[ins.stage]
		if st == nil {
			st = &stage{byRows: ins.kind != joint, static: c.values[ins.out].static}
			byStage[ins.stage] = st
			order = append(order, ins.stage)
		}
		st.work += ins.work
		st.instrs = append(st.instrs, i)
		if ins.kind == joint {
			st.tasks = append(st.tasks, ins.divided(i)...)
		}
	}
	slices.Sort(order)
	t := target{first: -1, last: -1}
	for i, s := range order {
		st := byStage[s]
		st.parallel = st.work > parallelWork
		t.stages = append(t.stages, *st)
		if st.byRows {
			if t.last < 0 && (i == 0 || t.stages[i-1].static) {
				t.first = i
			}
			t.last = i
		}
	}
	return t
}

// divided is the tasks of joint instruction number i.
func (ins *instr[T]) divided(i int) (tasks []task) {
	for lo := 0; lo < ins.rows; {
		hi := ins.rows
		switch {
		case ins.work <= parallelWork:
		case ins.grain > 0:
			hi = min(ins.rows, lo+ins.grain)
		default:
			hi = min(ins.rows, lo+max(16, (ins.rows/4+7)&^7))
		}
		tasks = append(tasks, task{i, lo, hi})
		lo = hi
	}
	return tasks
}
