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
	*code[T]
	cells    []cell[T] // memory, by value
	shards   []shard
	contexts []context[T] // one per worker
	fresh    []bool       // static values that are up to date
	zero     []bool       // joint values that are exactly zero
	pending  []int        // inputs with rows to load
	storing  []int        // values with rows to copy out
	failed   atomic.Pointer[error]
	bad      atomic.Bool // a number to be loaded is not finite
	busy     atomic.Bool // a call is under way, see enter

	// Tasks, bound once: of a worker and a shard, but of a worker and a task of the stage for stages over the whole batch.
	check, load shardTask
	run         [][]shardTask // by target and stage
	divided     [][]*division // by target and stage; nil where stages follow each other
}

// A shardTask is work that the pool divides among its workers.
type shardTask = func(worker, i int)

var _ gorgonia.VM = (*Program[float32])(nil)

// parallelCopy is the number of elements below which copying them is not worth a second core.
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

// Rows is the batch size, 1 if nothing is batched.
func (p *Program[T]) Rows() int { return p.rows }

// Load makes the next run read the rows of a batched input from src, which is as long as the whole input. With Plan.Cache, what
// depends on rows that have not changed is not computed again. An input that no target depends on is ignored.
func (p *Program[T]) Load(n *Node, src []T) {
	p.enter("Load")
	defer p.leave()
	p.loadFrom(n, src)
}

func (p *Program[T]) loadFrom(n *Node, src []T) {
	id, ok := p.index[n]
	if !ok {
		return
	}
	m := &p.cells[id]
	if len(src) != len(m.buf) {
		panic(fmt.Sprintf("graph: Load of %d numbers for %s, which has %d", len(src), label(n), len(m.buf)))
	}
	if m.load == nil {
		p.pending = append(p.pending, id)
	}
	m.load = src
}

// LoadNow reads what is to be loaded, rather than at the next run: the slices may then be used again. It reports whether all
// numbers are finite; if one is not, it reads nothing.
func (p *Program[T]) LoadNow() (finite bool) {
	p.enter("LoadNow")
	defer p.leave()
	p.bad.Store(false)
	elems := 0
	for _, id := range p.pending {
		elems += len(p.cells[id].buf)
	}
	p.overShards(elems > parallelCopy, p.check)
	if !p.bad.Load() {
		p.overShards(elems > parallelCopy, p.load)
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

// Store makes the next run copy an output to dst, which is as long as all of it.
func (p *Program[T]) Store(n *Node, dst []T) {
	p.enter("Store")
	defer p.leave()
	id := p.visible(n)
	m := &p.cells[id]
	if len(dst) != len(m.buf) {
		panic(fmt.Sprintf("graph: Store of %s, which has %d numbers, to a slice of %d", label(n), len(m.buf), len(dst)))
	}
	if m.store == nil {
		p.storing = append(p.storing, id)
	}
	m.store = dst
}

// Into makes all further runs compute an output that is not batched in dst.
func (p *Program[T]) Into(n *Node, dst []T) {
	p.enter("Into")
	defer p.leave()
	id := p.visible(n)
	m := &p.cells[id]
	if p.values[id].input || isConstant(n) {
		panic("graph: Into of a node that is not computed")
	}
	if len(dst) != len(m.buf) {
		panic(fmt.Sprintf("graph: Into a slice of %d numbers for %s, which has %d", len(dst), label(n), len(m.buf)))
	}
	m.buf = dst
	p.fresh[id] = false
}

// Touch makes the next run compute everything anew: any weight may have changed.
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
func (p *Program[T]) Value(n *Node) []T { return p.cells[p.visible(n)].buf }

// Scalar is the value of a scalar output.
func (p *Program[T]) Scalar(n *Node) float64 {
	m := &p.cells[p.visible(n)]
	if m.part != nil {
		return total(m.part) // not rounded to T
	}
	return float64(m.buf[0])
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
	err := p.runTarget(t, nil)
	for _, id := range p.storing {
		if m := &p.cells[id]; !p.values[id].batched { // computed over the whole batch
			copy(m.store, m.buf)
		}
	}
	p.pending = p.forget(p.pending)
	p.storing = p.forget(p.storing)
	return err
}

// A Link is one step of a Chain: after the rows of From are computed, they become the rows of the input To, and are
// copied to Copy, if that is not nil.
type Link[T Float] struct {
	Target int // computes From and nothing that must wait for the whole batch
	From   *Node
	To     *Node
	Copy   []T

	instrs   []int // by shard
	from, to int
}

// A Chain is a sequence of links, each of which copies a result to an input before the next one runs. A feedforward pass is one: the
// prediction of every block becomes its activity. Shards pass through the whole chain without waiting for each other.
type Chain[T Float] struct {
	links []Link[T]
	work  float64
	run   shardTask
}

// Chain prepares links for RunChain. It returns an error if a link's result depends on other samples of the batch.
func (p *Program[T]) Chain(links []Link[T]) (*Chain[T], error) {
	c := &Chain[T]{links: slices.Clone(links)}
	for i := range c.links {
		l := &c.links[i]
		l.from, l.to = p.visible(l.From), p.visible(l.To)
		if !p.values[l.from].batched {
			return nil, errors.Errorf("graph: %s cannot be computed sample by sample: it depends on none", label(l.From))
		}
		for _, st := range p.targets[l.Target].stages {
			c.work += st.work
			switch {
			case st.byRows && l.instrs == nil:
				l.instrs = st.instrs
			case !st.static:
				return nil, errors.Errorf("graph: %s cannot be computed sample by sample", label(l.From))
			}
		}
	}
	c.run = func(worker, s int) {
		ctx, sh := &p.contexts[worker], &p.shards[s]
		p.loadShard(sh)
		for i := range c.links {
			p.runLink(ctx, sh, &c.links[i])
		}
	}
	return c, nil
}

// RunChain computes the links of a Chain of p.
func (p *Program[T]) RunChain(c *Chain[T]) error {
	p.enter("RunChain")
	defer p.leave()
	for i := range c.links {
		if !p.cache {
			p.touch() // for every link: what one computes may lie where the other's intermediate results were
		}
		t := c.links[i].Target
		for j := range p.targets[t].stages {
			if st := &p.targets[t].stages[j]; st.static {
				if err := p.runJoint(st, p.run[t][j]); err != nil {
					p.pending = p.forget(p.pending)
					return err
				}
			}
		}
	}
	p.overShards(c.work > parallelWork, c.run)
	p.pending = p.forget(p.pending)
	return p.failure()
}

// forget clears what was to be loaded or stored.
func (p *Program[T]) forget(ids []int) []int {
	for _, id := range ids {
		p.cells[id].load, p.cells[id].store = nil, nil
	}
	return ids[:0]
}

// publish makes n.Value() the memory that the program computes into.
func (p *Program[T]) publish(n *Node) error {
	id := p.index[n]
	v, buf := &p.values[id], p.cells[id].buf
	if v.input || isConstant(n) {
		return nil
	}
	if v.shape.IsScalar() {
		// A scalar of Gorgonia is a value of its own: the program's number is read by Scalar.
		return gorgonia.UnsafeLet(n, scalarCell(buf))
	}
	return gorgonia.UnsafeLet(n, tensor.New(tensor.WithShape(v.shape...), tensor.WithBacking(buf)))
}
