package graph

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Program computes the nodes it was compiled for. It is a flat list of instructions over preallocated storage; it
// implements gorgonia.VM and allocates nothing per run (operations of Gorgonia's own, added by Builder.Do, excepted).
//
// Outputs are valid until the next Run. A Program spreads its own work over the cores, and the result is the same to the last
// bit on any number of them. It is used by one goroutine at a time: Run, RunAll, RunChain, RunSteps, Load, LoadNow, Store, Into
// and Touch panic if another call of these is under way, because the numbers of both would be wrong. They panic on a nil Program,
// too, and where a slice has not the length of its node or a node is none of the program's.
type Program[T Float] struct {
	values  []value[T]
	instrs  []instr[T]
	used    []bool // instructions that some target needs
	targets []target
	index   map[*Node]int
	rows    int
	cache   bool

	shards   []shard
	contexts []context[T] // one per worker
	slots    []int        // arena: offsets of slots, in elements
	fresh    []bool       // static values that are up to date
	zero     []bool       // joint values that are exactly zero
	pending  []int        // inputs with rows to load
	storing  []int        // values with rows to copy out
	now      round[T]     // what the workers are doing
	failed   atomic.Pointer[error]
	bad      atomic.Bool // a number to be loaded is not finite
	busy     atomic.Bool // a call is under way, see enter

	shardTask, jointTask func(worker, task int) // runShard and runTask, bound once
}

var _ gorgonia.VM = (*Program[float32])(nil)

// A target is what one group of outputs needs, stage by stage.
type target struct {
	stages []stage
}

// A stage is work that needs no result of its own: instructions by shard of rows, or tasks over the whole batch.
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
	arena []T
}

// round is what one parallel piece of work is about.
type round[T Float] struct {
	stage   *stage
	looking bool // at what is to be loaded
	first   bool // the stage that loads inputs
	last    bool // the stage that copies outputs
	chain   []Link[T]
	descent *FusedSteps[T] // with a stage, its steps; without, writing out where they came to
}

// parallelWork is the number of operations below which a stage is not worth a second core.
const parallelWork = 400e3

// parallelCopy is the same for elements that are copied.
const parallelCopy = 1 << 16

// enter marks the program as used by a call until leave. Public methods call it, and call no other public method that does.
func (p *Program[T]) enter(method string) {
	if p == nil {
		panic("graph: Program." + method + " of a nil Program: look at the error that compiling it returned")
	}
	if !p.busy.CompareAndSwap(false, true) {
		panic("graph: Program." + method + ": another call of the same Program has not returned: a Program is used by one goroutine at a time. Compile one for each, or guard it with a sync.Mutex")
	}
}

// leave ends what enter began.
func (p *Program[T]) leave() { p.busy.Store(false) }

// newTarget lists the instructions of used, which are in ascending order, by stage.
func (p *Program[T]) newTarget(used []int) target {
	byStage := make(map[int]*stage)
	var order []int
	for _, i := range used {
		ins := &p.instrs[i]
		st := byStage[ins.stage]
		if st == nil {
			st = &stage{byRows: ins.kind != joint, static: p.values[ins.out].static}
			byStage[ins.stage] = st
			order = append(order, ins.stage)
		}
		st.work += ins.work
		st.instrs = append(st.instrs, i)
		if ins.kind != joint {
			continue
		}
		for lo := 0; lo < ins.rows; {
			hi := ins.rows
			switch {
			case ins.work <= parallelWork:
			case ins.grain > 0:
				hi = min(ins.rows, lo+ins.grain)
			default:
				hi = min(ins.rows, lo+max(16, (ins.rows/4+7)&^7))
			}
			st.tasks = append(st.tasks, task{i, lo, hi})
			lo = hi
		}
	}
	slices.Sort(order)
	t := target{}
	for _, s := range order {
		byStage[s].parallel = byStage[s].work > parallelWork
		t.stages = append(t.stages, *byStage[s])
	}
	return t
}

// Rows is the batch size, 1 if nothing is batched.
func (p *Program[T]) Rows() int { return p.rows }

// Load says that the rows of a batched input are to be read from src, as long as the whole input, at the next run.
// With Plan.Cache, what depends on rows that have not changed is not computed again.
func (p *Program[T]) Load(n *Node, src []T) {
	p.enter("Load")
	defer p.leave()
	p.load(n, src)
}

func (p *Program[T]) load(n *Node, src []T) {
	id, ok := p.index[n]
	if !ok {
		return // no target depends on this input
	}
	v := &p.values[id]
	if len(src) != len(v.buf) {
		panic(fmt.Sprintf("graph: Load of %d numbers for %s, which has %d", len(src), label(n), len(v.buf)))
	}
	if v.load == nil {
		p.pending = append(p.pending, id)
	}
	v.load = src
}

// LoadNow reads what is to be loaded, rather than at the next run: the slices may then be used again. If a number is not
// finite it reads nothing and says so.
func (p *Program[T]) LoadNow() (finite bool) {
	p.enter("LoadNow")
	defer p.leave()
	p.bad.Store(false)
	elems := 0
	for _, id := range p.pending {
		elems += len(p.values[id].buf)
	}
	p.now = round[T]{looking: true}
	p.overShards(elems > parallelCopy)
	if !p.bad.Load() {
		p.now = round[T]{first: true}
		p.overShards(elems > parallelCopy)
	}
	p.pending = p.forget(p.pending)
	return !p.bad.Load()
}

// visible is the value of an output or input: only those have memory that a caller may look at.
func (p *Program[T]) visible(n *Node) int {
	id, ok := p.index[n]
	if v := &p.values[id]; !ok || !v.output && !v.input {
		panic("graph: a node is asked for that is no output or input of the program")
	}
	return id
}

// Store says that an output is to be copied to dst, as long as all of it, during the next run.
func (p *Program[T]) Store(n *Node, dst []T) {
	p.enter("Store")
	defer p.leave()
	id := p.visible(n)
	v := &p.values[id]
	if len(dst) != len(v.buf) {
		panic(fmt.Sprintf("graph: Store of %s, which has %d numbers, to a slice of %d", label(n), len(v.buf), len(dst)))
	}
	if v.store == nil {
		p.storing = append(p.storing, id)
	}
	v.store = dst
}

// Into says that an output that is not batched is to be computed in dst from now on.
func (p *Program[T]) Into(n *Node, dst []T) {
	p.enter("Into")
	defer p.leave()
	id := p.visible(n)
	v := &p.values[id]
	if v.input || isConstant(n) {
		panic("graph: Into of a node that is not computed")
	}
	if len(dst) != len(v.buf) {
		panic(fmt.Sprintf("graph: Into a slice of %d numbers for %s, which has %d", len(dst), label(n), len(v.buf)))
	}
	v.buf = dst
	p.fresh[id] = false
}

// Touch says that any weight may have changed.
func (p *Program[T]) Touch() {
	p.enter("Touch")
	defer p.leave()
	p.touch()
}

func (p *Program[T]) touch() {
	clear(p.fresh)
	for s := range p.shards {
		clear(p.shards[s].clean)
	}
}

// Value is the memory of an output or input.
func (p *Program[T]) Value(n *Node) []T { return p.values[p.visible(n)].buf }

// Scalar is the value of a scalar output.
func (p *Program[T]) Scalar(n *Node) float64 {
	v := &p.values[p.visible(n)]
	if v.part != nil {
		return total(v.part) // not rounded to T
	}
	return float64(v.buf[0])
}

// total adds partial sums in a fixed order.
func total(part []float64) float64 {
	s := 0.0
	for _, x := range part {
		s += x
	}
	return s
}

// RunAll computes all outputs (gorgonia.VM).
func (p *Program[T]) RunAll() error {
	if p == nil {
		panic("graph: RunAll of a nil Program: look at the error that compiling it returned")
	}
	for t := range p.targets {
		if err := p.Run(t); err != nil {
			return err
		}
	}
	return nil
}

// Reset does nothing: a program can be run at any time (gorgonia.VM).
func (p *Program[T]) Reset() {}

// Close does nothing: the storage is garbage like any other (gorgonia.VM).
func (p *Program[T]) Close() error { return nil }

// Run computes the outputs of one target.
func (p *Program[T]) Run(t int) error {
	p.enter("Run")
	defer p.leave()
	if t < 0 || t >= len(p.targets) {
		return errors.Errorf("graph: Run of target %d: the program has %d, counted from 0", t, len(p.targets))
	}
	err := p.runTarget(&p.targets[t], nil)
	for _, id := range p.storing {
		if v := &p.values[id]; !v.batched { // computed over the whole batch
			copy(v.store, v.buf)
		}
	}
	p.pending = p.forget(p.pending)
	p.storing = p.forget(p.storing)
	return err
}

// runTarget runs the stages of a target. With fused steps, which are by rows, these take the place of the first such stage.
func (p *Program[T]) runTarget(tg *target, d *FusedSteps[T]) error {
	first, last := -1, -1 // stages by rows, which load and store on the way
	for i := range tg.stages {
		if tg.stages[i].byRows {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 || first > 0 && !tg.stages[first-1].static {
		first = -1 // work over the whole batch comes before
		p.loadSerially()
	}
	if last < 0 {
		p.storeSerially()
	}
	if !p.cache {
		p.touch()
	}
	for i := range tg.stages {
		st := &tg.stages[i]
		if !st.byRows {
			if err := p.runJoint(st); err != nil {
				return err
			}
			continue
		}
		if d != nil && i == first {
			p.now = round[T]{stage: st, first: true, descent: d}
			p.overShards(st.work*float64(d.moves) > parallelWork)
		} else {
			p.now = round[T]{stage: st, first: i == first, last: i == last}
			p.overShards(st.parallel)
		}
		if err := p.failure(); err != nil {
			return err
		}
		p.finish(st)
	}
	return nil
}

// A Link is one step of a Chain: after the rows of From are computed, they become the rows of the input To, and are
// copied to Copy, if that is not nil.
type Link[T Float] struct {
	Target int // computes From and nothing that must wait for the whole batch
	From   *Node
	To     *Node
	Copy   []T

	stage    *stage
	from, to int
}

// Chain resolves the links once, so that running them costs no look-ups.
func (p *Program[T]) Chain(links []Link[T]) ([]Link[T], error) {
	for i := range links {
		l := &links[i]
		l.from, l.to, l.stage = p.visible(l.From), p.visible(l.To), nil
		if !p.values[l.from].batched {
			return nil, errors.Errorf("graph: %s cannot be computed sample by sample: it depends on none", label(l.From))
		}
		for j := range p.targets[l.Target].stages {
			st := &p.targets[l.Target].stages[j]
			switch {
			case st.byRows && l.stage == nil:
				l.stage = st
			case !st.static:
				return nil, errors.Errorf("graph: %s cannot be computed sample by sample", label(l.From))
			}
		}
	}
	return links, nil
}

// RunChain computes the links one after the other: a feedforward pass whose results are then the free activities.
func (p *Program[T]) RunChain(links []Link[T]) error {
	p.enter("RunChain")
	defer p.leave()
	work := 0.0
	for i := range links {
		if !p.cache {
			p.touch() // for every link: what one computes may lie where the other's intermediate results were
		}
		stages := p.targets[links[i].Target].stages
		for j := range stages {
			if stages[j].static {
				if err := p.runJoint(&stages[j]); err != nil {
					p.pending = p.forget(p.pending)
					return err
				}
			}
			work += stages[j].work
		}
	}
	p.now = round[T]{first: true, chain: links}
	p.overShards(work > parallelWork)
	p.pending = p.forget(p.pending)
	return p.failure()
}

// forget clears what was to be loaded or stored.
func (p *Program[T]) forget(ids []int) []int {
	for _, id := range ids {
		p.values[id].load, p.values[id].store = nil, nil
	}
	return ids[:0]
}

// overShards runs the round on every shard.
func (p *Program[T]) overShards(parallel bool) {
	limit := 1
	if parallel {
		limit = len(p.contexts)
	}
	workers.do(len(p.shards), limit, p.shardTask)
}

// finish adds up the reductions of a stage.
func (p *Program[T]) finish(st *stage) {
	for _, i := range st.instrs {
		if ins := &p.instrs[i]; ins.kind == reduce {
			v := &p.values[ins.out]
			v.buf[0] = T(total(v.part))
		}
	}
}

// publish makes n.Value() the memory that the program computes into.
func (p *Program[T]) publish(n *Node) error {
	v := &p.values[p.index[n]]
	if v.input || isConstant(n) {
		return nil
	}
	if v.shape.IsScalar() {
		// A scalar of Gorgonia is a value of its own: the program's number is read by Scalar.
		return gorgonia.UnsafeLet(n, scalarCell(v.buf))
	}
	return gorgonia.UnsafeLet(n, tensor.New(tensor.WithShape(v.shape...), tensor.WithBacking(v.buf)))
}
