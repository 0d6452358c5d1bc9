package graph

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// bindTasks makes the tasks that workers run. A stage by rows loads inputs if it is the first of its target and copies outputs if it
// is the last.
func (p *Program[T]) bindTasks() {
	p.check = func(_, s int) { p.checkFinite(&p.shards[s]) }
	p.load = func(_, s int) { p.loadShard(&p.shards[s]) }
	p.run = make([][]shardTask, len(p.targets))
	p.divided = make([][]*division, len(p.targets))
	for t := range p.targets {
		p.divided[t] = p.divideTarget(t)
		tg := &p.targets[t]
		for i := range tg.stages {
			st := &tg.stages[i]
			task := func(worker, k int) { p.runTask(&p.contexts[worker], st, st.tasks[k]) }
			if st.byRows {
				task = func(worker, s int) {
					ctx, sh := &p.contexts[worker], &p.shards[s]
					if i == tg.first {
						p.loadShard(sh)
					}
					p.runRows(ctx, sh, st.instrs, true)
					if i == tg.last {
						p.storeShard(sh)
					}
				}
			}
			p.run[t] = append(p.run[t], task)
		}
	}
}

// overShards runs a task on every shard, on all cores or on one.
func (p *Program[T]) overShards(parallel bool, task shardTask) {
	p.onWorkers(len(p.shards), parallel, task)
}

func (p *Program[T]) onWorkers(n int, parallel bool, task shardTask) {
	limit := 1
	if parallel {
		limit = len(p.contexts)
	}
	workers.do(n, limit, task)
}

// runTarget runs the stages of a target. Fused steps, which are by rows, take the place of the first such stage.
func (p *Program[T]) runTarget(t int, d *FusedSteps[T]) error {
	tg := &p.targets[t]
	if tg.first < 0 {
		for s := range p.shards {
			p.loadShard(&p.shards[s])
		}
	}
	if tg.last < 0 { // the outputs are inputs
		for s := range p.shards {
			p.storeShard(&p.shards[s])
		}
	}
	if !p.cache {
		p.touch()
	}
	for i := 0; i < len(tg.stages); i++ {
		st := &tg.stages[i]
		switch {
		case d == nil && p.divided[t][i] != nil:
			if err := p.runDivided(tg, i, p.divided[t][i]); err != nil {
				return err
			}
			i++ // the stage behind is done too
			continue
		case !st.byRows:
			if err := p.runJoint(st, p.run[t][i]); err != nil {
				return err
			}
			continue
		case d != nil && i == tg.first:
			p.overShards(st.work*float64(d.moves) > parallelWork, d.run)
		default:
			p.overShards(st.parallel, p.run[t][i])
		}
		if err := p.failure(); err != nil {
			return err
		}
		p.reduce(st)
	}
	return nil
}

// reduce adds up the partial sums of a stage's reductions.
func (p *Program[T]) reduce(st *stage) {
	for _, i := range st.instrs {
		if ins := &p.instrs[i]; ins.kind == reduce {
			m := &p.cells[ins.out]
			m.buf[0] = T(total(m.part))
		}
	}
}

// runJoint runs a stage over the whole batch.
func (p *Program[T]) runJoint(st *stage, task shardTask) error {
	if st.static && p.allFresh(st) {
		return nil
	}
	for _, i := range st.instrs {
		p.zero[p.instrs[i].out] = false
	}
	p.onWorkers(len(st.tasks), st.parallel, task)
	if err := p.failure(); err != nil {
		return err
	}
	if st.static {
		for _, i := range st.instrs {
			p.fresh[p.instrs[i].out] = true
		}
	}
	return nil
}

func (p *Program[T]) allFresh(st *stage) bool {
	for _, i := range st.instrs {
		if !p.fresh[p.instrs[i].out] {
			return false
		}
	}
	return true
}

// checkFinite looks for numbers to be loaded that are not finite.
func (p *Program[T]) checkFinite(sh *shard) {
	for _, id := range p.pending {
		w := p.values[id].width
		if !kernel.AllFinite(p.cells[id].load[sh.lo*w : sh.hi*w]) {
			p.bad.Store(true)
		}
	}
}

// loadShard reads the shard's rows of the inputs that are to be loaded.
func (p *Program[T]) loadShard(sh *shard) {
	for _, id := range p.pending {
		w := p.values[id].width
		p.loadRows(sh, id, p.cells[id].load[sh.lo*w:sh.hi*w])
	}
}

// loadRows reads the rows of one input; if any bit differs, what was computed from it is out of date.
func (p *Program[T]) loadRows(sh *shard, id int, src []T) {
	w := p.values[id].width
	dst := p.cells[id].buf[sh.lo*w : sh.hi*w]
	if len(dst) > 0 && &dst[0] == &src[0] {
		p.invalidate(sh, id)
		return
	}
	if kernel.CopyIfChanged(dst, src) {
		p.invalidate(sh, id)
	}
}

// storeShard copies the shard's rows of the outputs that are to be stored.
func (p *Program[T]) storeShard(sh *shard) {
	for _, id := range p.storing {
		if v, m := &p.values[id], &p.cells[id]; v.batched {
			copy(m.store[sh.lo*v.width:sh.hi*v.width], m.buf[sh.lo*v.width:sh.hi*v.width])
		}
	}
}

// runLink computes one link of a chain and makes it an input.
func (p *Program[T]) runLink(ctx *context[T], sh *shard, l *Link[T]) {
	p.runRows(ctx, sh, l.instrs, true)
	from := p.rowsOf(ctx, sh, l.from)
	p.loadRows(sh, l.to, from)
	if l.Copy != nil {
		w := p.values[l.to].width
		copy(l.Copy[sh.lo*w:sh.hi*w], from)
	}
}

// invalidate marks what was computed from a value. A value that is not clean has no clean dependents.
func (p *Program[T]) invalidate(sh *shard, id int) {
	for _, u := range p.values[id].dependents {
		if sh.clean[u] {
			sh.clean[u] = false
			p.invalidate(sh, u)
		}
	}
}

// runRows brings the shard's values that instrs compute up to date; without sums, all but reductions.
func (p *Program[T]) runRows(ctx *context[T], sh *shard, instrs []int, sums bool) {
	for i := len(instrs) - 1; i >= 0; i-- {
		ins := &p.instrs[instrs[i]]
		if v := &p.values[ins.out]; v.materialised && (sums || ins.kind != reduce) {
			sh.need[ins.out] = !sh.clean[ins.out] || v.untracked
		}
		if !sh.need[ins.out] {
			continue
		}
		for _, v := range ins.in {
			if !p.values[v].materialised {
				sh.need[v] = true
			}
		}
	}
	for _, i := range instrs {
		ins := &p.instrs[i]
		if !sh.need[ins.out] {
			continue
		}
		sh.need[ins.out] = false
		p.runShard(ctx, sh, ins)
		sh.clean[ins.out] = true
	}
}

// rowsOf is the memory of the shard's rows of a value.
func (p *Program[T]) rowsOf(ctx *context[T], sh *shard, id int) []T {
	v := &p.values[id]
	if v.materialised {
		return p.cells[id].buf[sh.lo*v.width : sh.hi*v.width]
	}
	at := p.memory.perWorker[v.slot]
	return ctx.shard[at : at+(sh.hi-sh.lo)*v.width]
}

// runShard runs one instruction on one shard.
func (p *Program[T]) runShard(ctx *context[T], sh *shard, ins *instr[T]) {
	c := &ctx.call
	c.src, c.shapes, c.srcZero = c.src[:0], c.shapes[:0], c.srcZero[:0]
	for _, id := range ins.in {
		v := &p.values[id]
		if v.batched {
			c.src = append(c.src, p.rowsOf(ctx, sh, id))
			c.srcZero = append(c.srcZero, sh.zero[id])
		} else {
			c.src = append(c.src, p.cells[id].buf)
			c.srcZero = append(c.srcZero, p.zero[id])
		}
		c.shapes = append(c.shapes, v.shape)
	}
	c.lo, c.hi, c.rowsOnly = sh.lo, sh.hi, true
	sh.zero[ins.out] = false
	c.dstZero = &sh.zero[ins.out]
	if ins.kind == reduce {
		c.dst, c.partial = nil, p.cells[ins.out].part[sh.lo:sh.hi]
	} else {
		c.dst, c.partial = p.rowsOf(ctx, sh, ins.out), nil
	}
	p.exec(c, ins)
}

// runTask runs some rows of one instruction over the whole batch.
func (p *Program[T]) runTask(ctx *context[T], st *stage, tk task) {
	ins := &p.instrs[tk.instr]
	if st.static && p.fresh[ins.out] {
		return
	}
	c := &ctx.call
	c.src, c.shapes, c.srcZero = c.src[:0], c.shapes[:0], c.srcZero[:0]
	for _, id := range ins.in {
		c.src = append(c.src, p.cells[id].buf)
		c.shapes = append(c.shapes, p.values[id].shape)
		c.srcZero = append(c.srcZero, p.zeroEverywhere(id))
	}
	buf, shape := p.cells[ins.out].buf, p.values[ins.out].shape
	c.partial, c.rowsOnly = nil, false
	ctx.zero = false
	c.dstZero = &ctx.zero
	if ins.rows > 1 {
		w := len(buf) / ins.rows
		c.lo, c.hi, c.dst = tk.lo, tk.hi, buf[tk.lo*w:tk.hi*w]
	} else {
		c.lo, c.hi, c.dst = 0, 1, buf
		if len(shape) > 0 {
			c.hi = shape[0]
		}
	}
	p.exec(c, ins)
	if tk.lo == 0 && tk.hi == ins.rows {
		p.zero[ins.out] = ctx.zero
	}
}

// exec runs an instruction and keeps the first error of its stage.
func (p *Program[T]) exec(c *call[T], ins *instr[T]) {
	if ins.packed >= 0 {
		c.packed = &p.cells[ins.packed]
	}
	ins.run(c)
	if c.err != nil {
		err := errors.Wrapf(c.err, "graph: run %s", label(p.values[ins.out].node))
		p.failed.CompareAndSwap(nil, &err)
		c.err = nil
	}
}

// failure is the error of the stage that has run, if any. Nothing computed is then known to be right.
func (p *Program[T]) failure() error {
	failed := p.failed.Load()
	if failed == nil {
		return nil
	}
	p.failed.Store(nil)
	p.touch()
	return *failed
}

func (p *Program[T]) zeroEverywhere(id int) bool {
	if !p.values[id].batched {
		return p.zero[id]
	}
	for s := range p.shards {
		if !p.shards[s].zero[id] {
			return false
		}
	}
	return true
}
