package graph

import (
	"cmp"
	"slices"
)

// Parts of a stage by rows are groups of its instructions that have no result in common: the layers of a network whose activities are
// given, since the error of each layer depends on the activities beside it alone. What the next stage computes over the whole
// batch from one part alone, the gradient of that layer's weights, can follow at once on the core that computed the part,
// without a barrier and while errors and activations are in its cache; and each weight is read by one core instead of by all.
//
// No bit depends on it: every instruction gets the operands, and sums in the order, that it has when stages follow each other.

// A part is a group of instructions of a stage by rows, and those of the next stage that need nothing else of it.
type part struct {
	rows, joint []int
	work        float64
}

// A partition is a stage by rows and the one over the whole batch behind it, divided.
type partition struct {
	parts []part // largest first
	rest  []int  // instructions by rows of what is too large for one core
	tasks []task // of the stage over the whole batch, what no part does
}

// partOfWork bounds a part: with w workers none has more than this fraction of 1/w of the work, so that all end at about the same time.
const partOfWork = .5

// partition divides stages i and i+1 of a target among so many workers. It is nil if that gains nothing: fewer than two parts
// are small enough.
func (c *code[T]) partition(tg *target, i, workers int) *partition {
	if i+1 >= len(tg.stages) || !tg.stages[i].byRows || tg.stages[i+1].byRows || tg.stages[i+1].static || c.rows == 1 {
		return nil
	}
	rows, joint := &tg.stages[i], &tg.stages[i+1]
	if c.instrs[joint.instrs[0]].stage != c.instrs[rows.instrs[0]].stage+1 {
		return nil // it waits for totals
	}
	groups := make(map[int]int, len(rows.instrs)) // union-find over the values of the stage
	var find func(v int) int
	find = func(v int) int {
		if groups[v] != v {
			groups[v] = find(groups[v])
		}
		return groups[v]
	}
	for _, k := range rows.instrs {
		ins := &c.instrs[k]
		groups[ins.out] = ins.out
		for _, v := range ins.in {
			if _, here := groups[v]; here {
				groups[find(v)] = find(ins.out)
			}
		}
	}
	home := func(k int) int { // the part that a joint instruction needs; -1 if it needs none, and what it needs becomes one
		at := -1
		for _, v := range c.instrs[k].in {
			if _, here := groups[v]; !here {
				continue
			}
			if at >= 0 {
				groups[find(v)] = at
			}
			at = find(v)
		}
		return at
	}
	for _, k := range joint.instrs {
		home(k)
	}
	byGroup := make(map[int]*part)
	of := func(k, group int) *part {
		if byGroup[group] == nil {
			byGroup[group] = &part{}
		}
		byGroup[group].work += c.instrs[k].work
		return byGroup[group]
	}
	for _, k := range rows.instrs {
		p := of(k, find(c.instrs[k].out))
		p.rows = append(p.rows, k)
	}
	alone := make(map[int]bool)
	for _, k := range joint.instrs {
		if at := home(k); at >= 0 {
			p := of(k, at)
			p.joint = append(p.joint, k)
		} else {
			alone[k] = true
		}
	}
	d := &partition{}
	most := partOfWork * (rows.work + joint.work) / float64(workers)
	for _, p := range byGroup {
		if len(p.joint) > 0 && p.work <= most {
			d.parts = append(d.parts, *p)
			continue
		}
		d.rest = append(d.rest, p.rows...)
		for _, k := range p.joint {
			alone[k] = true
		}
	}
	if len(d.parts) < 2 {
		return nil
	}
	slices.SortFunc(d.parts, func(a, b part) int { return cmp.Or(cmp.Compare(b.work, a.work), a.rows[0]-b.rows[0]) })
	slices.Sort(d.rest)
	for _, t := range joint.tasks {
		if alone[t.instr] {
			d.tasks = append(d.tasks, t)
		}
	}
	return d
}

// A division is a partition with its tasks bound.
type division struct {
	*partition
	first, second shardTask // the parts and then the shards of the rest; the tasks that no part does
}

// divideTarget binds the partitions of a target's stages.
func (p *Program[T]) divideTarget(t int) []*division {
	tg := &p.targets[t]
	list := make([]*division, len(tg.stages))
	for i := range tg.stages {
		d := p.partition(tg, i, len(p.contexts))
		if d == nil {
			continue
		}
		joint := &tg.stages[i+1]
		list[i] = &division{partition: d,
			first: func(worker, k int) {
				if ctx := &p.contexts[worker]; k < len(d.parts) {
					p.runPart(ctx, joint, &d.parts[k])
				} else {
					p.runRows(ctx, &p.shards[k-len(d.parts)], d.rest, true)
				}
			},
			second: func(worker, k int) { p.runTask(&p.contexts[worker], joint, d.tasks[k]) },
		}
	}
	return list
}

// runPart computes a part on all shards, and then what needs nothing else.
func (p *Program[T]) runPart(ctx *context[T], joint *stage, d *part) {
	for s := range p.shards {
		p.runRows(ctx, &p.shards[s], d.rows, true)
	}
	for _, k := range d.joint {
		p.runTask(ctx, joint, task{k, 0, p.instrs[k].rows})
	}
}

// runDivided runs stages i and i+1 of a target by their parts.
func (p *Program[T]) runDivided(tg *target, i int, d *division) error {
	st, joint := &tg.stages[i], &tg.stages[i+1]
	if i == tg.first && len(p.pending) > 0 {
		p.overShards(st.parallel, p.load)
	}
	for _, k := range joint.instrs {
		p.zero[p.instrs[k].out] = false
	}
	n := len(d.parts)
	if len(d.rest) > 0 {
		n += len(p.shards)
	}
	p.onWorkers(n, st.work+joint.work > parallelWork, d.first)
	if err := p.failure(); err != nil {
		return err
	}
	p.reduce(st)
	if i == tg.last {
		for s := range p.shards {
			p.storeShard(&p.shards[s])
		}
	}
	p.onWorkers(len(d.tasks), joint.parallel, d.second)
	return p.failure()
}
