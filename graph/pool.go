package graph

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A pool runs the tasks of one program at a time on persistent workers. Work is handed out by an atomic counter, so a
// slow worker takes fewer tasks; which worker runs a task changes no bit of the result. Workers without work wait a
// moment by looking and then park, so that an idle or oversubscribed machine is not kept busy.
type pool struct {
	busy  sync.Mutex
	tasks func(worker, task int)
	n     int64
	next  atomic.Int64
	left  atomic.Int64  // helpers that have not finished this round
	round atomic.Uint64 // a counter, with the number of helpers that take part in its low 16 bits
	sleep []chan struct{}
	idle  []atomic.Bool
}

// workers is shared by all programs of the process; its goroutines start with the first parallel run.
var workers pool

// spins is how often a worker looks for the next round before it parks: some 20 microseconds.
const spins = 20000

// mostHelpers bounds the pool.
const mostHelpers = 1024

// maxWorkers is the number of workers that a program prepares memory for.
func maxWorkers() int { return runtime.GOMAXPROCS(0) }

// do runs task(worker, i) for i < n on up to limit workers, the caller being worker 0, and returns when all are done.
// It runs them one after the other if there is one core, one task, or another program at work.
func (p *pool) do(n, limit int, task func(worker, task int)) {
	if n <= 1 || limit <= 1 || runtime.GOMAXPROCS(0) == 1 || !p.busy.TryLock() {
		for i := range n {
			task(0, i)
		}
		return
	}
	defer p.busy.Unlock()
	helpers := min(limit, n, mostHelpers) - 1
	for len(p.sleep) < helpers {
		p.start()
	}
	p.tasks, p.n = task, int64(n)
	p.next.Store(0)
	// The round ends when all its helpers have finished, so none can be left looking at its tasks later.
	p.left.Store(int64(helpers))
	p.round.Store((p.round.Load()>>16+1)<<16 | uint64(helpers))
	for i := range helpers {
		if p.idle[i].CompareAndSwap(true, false) {
			p.sleep[i] <- struct{}{}
		}
	}
	p.take(0)
	for i := 0; p.left.Load() > 0; i++ {
		if i > spins {
			runtime.Gosched()
		}
	}
	p.tasks = nil
}

// OnCores runs task(worker, i) for i < n on all cores; which worker runs which i is not determined. It is for work beside
// programs, such as the update of weights, and allocates nothing.
func OnCores(n int, task func(worker, i int)) { workers.do(n, maxWorkers(), task) }

// take runs tasks until there are none left.
func (p *pool) take(worker int) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.tasks(worker, int(i))
	}
}

// start adds one worker. The caller holds busy.
func (p *pool) start() {
	if p.idle == nil {
		p.idle = make([]atomic.Bool, mostHelpers)
	}
	me := len(p.sleep)
	wake := make(chan struct{}, 1)
	p.sleep = append(p.sleep, wake)
	seen := p.round.Load()
	go func() {
		for {
			for i := 0; p.round.Load() == seen; i++ {
				if i < spins {
					continue
				}
				p.idle[me].Store(true)
				if p.round.Load() != seen && p.idle[me].CompareAndSwap(true, false) {
					break // a round began while parking, and its caller does not know
				}
				<-wake
			}
			seen = p.round.Load()
			if uint64(me) < seen&0xffff {
				p.take(me + 1) // below limit, since me < helpers < limit
				p.left.Add(-1)
			}
		}
	}()
}
