package graph

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A pool is a work-sharing pool: persistent workers take the tasks of one program at a time from an atomic counter, so that a
// slow worker takes fewer. Which worker runs a task changes no bit of the result.
//
// On a busy machine nobody waits for a helper that has not come: a round is over when its tasks are, and a helper that
// comes later finds it closed. Whoever waits, for work or for a helper in the middle of a task, spins for a moment and
// then parks, so that the core is free for others, the awaited one among them.
type pool struct {
	busy    sync.Mutex
	tasks   func(worker, task int)
	n       int64
	next    atomic.Int64
	state   atomic.Uint64 // of the round, see below
	waiting atomic.Bool   // the caller has parked
	done    chan struct{}
	sleep   []chan struct{}
	idle    []atomic.Bool
}

// The state of a round: its number, whether it is closed, how many helpers may take part and how many are at work.
const (
	roundBits  = 32
	closed     = 1 << 31
	helperBits = 16
	atWork     = 1<<helperBits - 1
)

func invited(state uint64) int { return int(state &^ closed & (1<<roundBits - 1) >> helperBits) }

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
	p.state.Store((p.state.Load()>>roundBits+1)<<roundBits | uint64(helpers)<<helperBits)
	for i := range helpers {
		if p.idle[i].CompareAndSwap(true, false) {
			p.sleep[i] <- struct{}{}
		}
	}
	p.take(0)
	p.close()
	p.tasks = nil
}

// close ends the round as soon as no helper is at work.
func (p *pool) close() {
	for i := 0; ; i++ {
		s := p.state.Load()
		if s&atWork == 0 {
			if p.state.CompareAndSwap(s, s|closed) {
				return
			}
			continue
		}
		if i < spins {
			continue
		}
		p.waiting.Store(true)
		if p.state.Load()&atWork == 0 && p.waiting.CompareAndSwap(true, false) {
			continue // the last one left meanwhile and does not know
		}
		<-p.done
	}
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
		p.done = make(chan struct{}, 1)
	}
	me := len(p.sleep)
	wake := make(chan struct{}, 1)
	p.sleep = append(p.sleep, wake)
	seen := p.state.Load() >> roundBits
	go func() {
		for i := 0; ; i++ {
			s := p.state.Load()
			if s>>roundBits != seen && s&closed == 0 {
				if me >= invited(s) {
					seen = s >> roundBits
				} else if p.state.CompareAndSwap(s, s+1) {
					seen = s >> roundBits
					p.take(me + 1) // below limit, since me < helpers < limit
					if p.state.Add(^uint64(0))&atWork == 0 && p.waiting.CompareAndSwap(true, false) {
						p.done <- struct{}{}
					}
					i = 0
				}
				continue
			}
			if i < spins {
				continue
			}
			p.idle[me].Store(true)
			if s := p.state.Load(); s>>roundBits != seen && s&closed == 0 && p.idle[me].CompareAndSwap(true, false) {
				continue // a round began while parking, and its caller does not know
			}
			<-wake
			i = 0
		}
	}()
}
