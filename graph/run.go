package graph

import (
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// runShard is the round's work on one shard.
func (p *Program[T]) runShard(worker, s int) {
	ctx, sh := &p.contexts[worker], &p.shards[s]
	if p.now.looking {
		for _, id := range p.pending {
			v := &p.values[id]
			if !kernel.AllFinite(v.load[sh.lo*v.width : sh.hi*v.width]) {
				p.bad.Store(true)
			}
		}
		return
	}
	if p.now.first {
		for _, id := range p.pending {
			p.loadRows(sh, id, p.values[id].load)
		}
	}
	if p.now.chain != nil {
		for i := range p.now.chain {
			l := &p.now.chain[i]
			if l.stage != nil {
				p.runRows(ctx, sh, l.stage.instrs, true)
			}
			from := p.rowsOf(ctx, sh, l.from)
			p.loadRowsFrom(sh, l.to, from)
			if l.Copy != nil {
				w := p.values[l.to].width
				copy(l.Copy[sh.lo*w:sh.hi*w], from)
			}
		}
		return
	}
	if p.now.descent != nil {
		if p.now.stage != nil {
			p.descendRows(ctx, sh, s)
		} else {
			p.finishRows(ctx, sh)
		}
		return
	}
	if p.now.stage == nil {
		return // loading was all
	}
	p.runRows(ctx, sh, p.now.stage.instrs, true)
	if p.now.last {
		for _, id := range p.storing {
			v := &p.values[id]
			if !v.batched {
				continue
			}
			copy(v.store[sh.lo*v.width:sh.hi*v.width], v.buf[sh.lo*v.width:sh.hi*v.width])
		}
	}
}

// loadRows reads the rows of one input from src, which holds the whole input.
func (p *Program[T]) loadRows(sh *shard, id int, src []T) {
	w := p.values[id].width
	p.loadRowsFrom(sh, id, src[sh.lo*w:sh.hi*w])
}

// loadRowsFrom reads the rows of one input; if any bit differs, what was computed from it is out of date.
func (p *Program[T]) loadRowsFrom(sh *shard, id int, src []T) {
	v := &p.values[id]
	dst := v.buf[sh.lo*v.width : sh.hi*v.width]
	if len(dst) > 0 && &dst[0] == &src[0] {
		p.invalidate(sh, id)
		return
	}
	if kernel.CopyIfChanged(dst, src) {
		p.invalidate(sh, id)
	}
}

// invalidate marks what was computed from a value. A value that is not clean has no clean users.
func (p *Program[T]) invalidate(sh *shard, id int) {
	for _, u := range p.values[id].users {
		if sh.clean[u] {
			sh.clean[u] = false
			p.invalidate(sh, u)
		}
	}
}

// loadSerially loads all rows of inputs.
func (p *Program[T]) loadSerially() {
	for s := range p.shards {
		for _, id := range p.pending {
			p.loadRows(&p.shards[s], id, p.values[id].load)
		}
	}
}

// storeSerially copies the outputs of a target that has no work by rows: they are inputs.
func (p *Program[T]) storeSerially() {
	for _, id := range p.storing {
		if v := &p.values[id]; v.batched {
			copy(v.store, v.buf)
		}
	}
}

// runRows brings the shard's values that instrs compute up to date; without sums, all but reductions.
func (p *Program[T]) runRows(ctx *context[T], sh *shard, instrs []int, sums bool) {
	for i := len(instrs) - 1; i >= 0; i-- {
		ins := &p.instrs[instrs[i]]
		if p.values[ins.out].kept && (sums || ins.kind != reduce) {
			sh.need[ins.out] = !sh.clean[ins.out] || p.values[ins.out].restless
		}
		if !sh.need[ins.out] {
			continue
		}
		for _, v := range ins.in {
			if !p.values[v].kept {
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
		p.exec(ctx, sh, ins)
		sh.clean[ins.out] = true
	}
}

// rowsOf is the memory of the shard's rows of a value.
func (p *Program[T]) rowsOf(ctx *context[T], sh *shard, id int) []T {
	v := &p.values[id]
	if v.kept {
		return v.buf[sh.lo*v.width : sh.hi*v.width]
	}
	at := p.slots[v.slot]
	return ctx.arena[at : at+(sh.hi-sh.lo)*v.width]
}

// exec runs one instruction on one shard.
func (p *Program[T]) exec(ctx *context[T], sh *shard, ins *instr[T]) {
	c := &ctx.call
	c.src, c.shapes, c.srcZero = c.src[:0], c.shapes[:0], c.srcZero[:0]
	for _, id := range ins.in {
		v := &p.values[id]
		if v.batched {
			c.src = append(c.src, p.rowsOf(ctx, sh, id))
			c.srcZero = append(c.srcZero, sh.zero[id])
		} else {
			c.src = append(c.src, v.buf)
			c.srcZero = append(c.srcZero, p.zero[id])
		}
		c.shapes = append(c.shapes, v.shape)
	}
	c.lo, c.hi, c.rowsOnly = sh.lo, sh.hi, true
	out := &p.values[ins.out]
	sh.zero[ins.out] = false
	c.dstZero = &sh.zero[ins.out]
	if ins.kind == reduce {
		c.dst, c.partial = nil, out.part[sh.lo:sh.hi]
	} else {
		c.dst, c.partial = p.rowsOf(ctx, sh, ins.out), nil
	}
	ins.run(c)
	p.check(c, ins)
}

// check keeps the first error of a stage.
func (p *Program[T]) check(c *call[T], ins *instr[T]) {
	if c.err != nil {
		err := errors.Wrapf(c.err, "graph: run %s", label(p.values[ins.out].node))
		p.failed.CompareAndSwap(nil, &err)
		c.err = nil
	}
}

// failure is the error of the stage that has run, if any. Nothing computed is then known to be right.
func (p *Program[T]) failure() error {
	failed := p.failed.Swap(nil)
	if failed == nil {
		return nil
	}
	p.touch()
	return *failed
}

// runJoint runs a stage over the whole batch.
func (p *Program[T]) runJoint(st *stage) error {
	if st.static && p.allFresh(st) {
		return nil
	}
	p.now = round[T]{stage: st}
	for _, i := range st.instrs {
		p.zero[p.instrs[i].out] = false
	}
	limit := 1
	if st.parallel {
		limit = len(p.contexts)
	}
	workers.do(len(st.tasks), limit, p.jointTask)
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

// runTask runs some rows of one instruction over the whole batch.
func (p *Program[T]) runTask(worker, t int) {
	tk := p.now.stage.tasks[t]
	ins := &p.instrs[tk.instr]
	if p.now.stage.static && p.fresh[ins.out] {
		return
	}
	ctx := &p.contexts[worker]
	c := &ctx.call
	c.src, c.shapes, c.srcZero = c.src[:0], c.shapes[:0], c.srcZero[:0]
	for _, id := range ins.in {
		v := &p.values[id]
		c.src = append(c.src, v.buf)
		c.shapes = append(c.shapes, v.shape)
		c.srcZero = append(c.srcZero, p.zeroEverywhere(id))
	}
	out := &p.values[ins.out]
	c.partial, c.rowsOnly = nil, false
	ctx.zero = false
	c.dstZero = &ctx.zero
	if ins.rows > 1 {
		w := len(out.buf) / ins.rows
		c.lo, c.hi, c.dst = tk.lo, tk.hi, out.buf[tk.lo*w:tk.hi*w]
	} else {
		c.lo, c.hi, c.dst = 0, 1, out.buf
		if len(out.shape) > 0 {
			c.hi = out.shape[0]
		}
	}
	ins.run(c)
	p.check(c, ins)
	if tk.lo == 0 && tk.hi == ins.rows {
		p.zero[ins.out] = ctx.zero
	}
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

// foreign makes an operation of Gorgonia's own an instruction over the whole batch. It allocates.
func foreign[T Float](n *Node) func(*call[T]) {
	return func(c *call[T]) {
		c.err = runForeign(n.Op(), c)
	}
}

func runForeign[T Float](o gorgonia.Op, c *call[T]) (err error) {
	defer func() { // on a worker's goroutine a panic would end the process
		if r := recover(); r != nil {
			err = errors.Errorf("panic: %v", r)
		}
	}()
	vs := make([]gorgonia.Value, len(c.src))
	for i, s := range c.src {
		if c.shapes[i].IsScalar() {
			vs[i] = scalarCell([]T{s[0]})
			continue
		}
		// a copy: some operations write to their operands
		vs[i] = tensor.New(tensor.WithShape(c.shapes[i]...), tensor.WithBacking(append([]T(nil), s...)))
	}
	v, err := o.Do(vs...)
	if err != nil {
		return err
	}
	if t, ok := v.(tensor.Tensor); ok && !t.IsScalar() && (t.RequiresIterator() || t.DataOrder().IsColMajor()) {
		m, isDense := t.(*tensor.Dense)
		if !isDense {
			return errors.New("a result that is no dense tensor")
		}
		v = m.Materialize().(gorgonia.Value)
	}
	result := elements[T](v)
	if len(result) != len(c.dst) {
		return errors.Errorf("a result of %d elements where its shape promises %d", len(result), len(c.dst))
	}
	copy(c.dst, result)
	return nil
}

// scalarCell is a Gorgonia scalar that shares the memory of buf[0].
func scalarCell[T Float](buf []T) gorgonia.Value {
	if dtypeOf[T]() == tensor.Float32 {
		return (*gorgonia.F32)(unsafe.Pointer(&buf[0]))
	}
	return (*gorgonia.F64)(unsafe.Pointer(&buf[0]))
}
