package bench

import (
	"runtime"
	"sync"
	"time"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// window is how long one repetition of a measurement takes at least; mostCalls how many calls it makes at most.
const (
	window    = 60 * time.Millisecond
	mostCalls = 400
)

// A timing is what repetitions of a call took.
type timing struct {
	ms     []float64 // per call, one for each repetition
	allocs float64   // per call
}

// median is that of the repetitions.
func (t timing) median() float64 { return spread(t.ms).Median }

// A task is a call to be timed.
type task struct {
	cores   int    // that it may use
	prepare func() // before every call, not timed; must not allocate
	run     func() error
	parts   int // equal parts of the call, of which one is reported; 0 is 1
	calls   int // in a repetition
}

// once times one call.
func (t *task) once() (time.Duration, error) {
	t.prepare()
	start := time.Now()
	err := t.run()
	return time.Since(start), err
}

// repeat times a repetition, after a call that is not counted, and counts what it allocates.
func (t *task) repeat(into *timing, repeats int) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(t.cores))
	if _, err := t.once(); err != nil {
		return err
	}
	var before, after runtime.MemStats
	var total time.Duration
	runtime.ReadMemStats(&before)
	for range t.calls {
		took, err := t.once()
		if err != nil {
			return err
		}
		total += took
	}
	runtime.ReadMemStats(&after)
	n := float64(t.calls * max(1, t.parts))
	into.ms = append(into.ms, total.Seconds()*1e3/n)
	into.allocs += float64(after.Mallocs-before.Mallocs) / n / float64(repeats)
	return nil
}

// warm finds how many calls fill the window, when caches, branch predictors and workers know what is coming.
func (t *task) warm(window time.Duration) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(t.cores))
	took, err := t.once()
	for start := time.Now(); err == nil && time.Since(start) < window; {
		took, err = t.once()
	}
	t.calls = min(mostCalls, 1+int(window/max(1, took)))
	return err
}

// time measures tasks in turn, repetition by repetition: what slows the machine down for a while slows down all of them.
func (b *run) time(tasks ...task) ([]timing, error) {
	window := window
	if b.Quick {
		window = 0
	}
	times := make([]timing, len(tasks))
	for i := range tasks {
		if err := tasks[i].warm(window); err != nil {
			return nil, err
		}
	}
	for range b.Repeats {
		for i := range tasks {
			if b.console.Context.Err() != nil {
				return nil, cli.ErrInterrupted
			}
			if err := tasks[i].repeat(&times[i], b.Repeats); err != nil {
				return nil, err
			}
		}
	}
	return times, nil
}

// onBoth calls build for all cores and for one, and times the tasks of both: those of all cores come first.
func (b *run) onBoth(build func(cores int) ([]task, error)) (all, one []timing, err error) {
	var tasks []task
	for _, cores := range []int{b.cores, 1} {
		t, err := build(cores)
		if err != nil {
			return nil, nil, err
		}
		tasks = append(tasks, t...)
	}
	times, err := b.time(tasks...)
	return times[:len(times)/2], times[len(times)/2:], err
}

// addCall adds the figures of a call on all cores and on one; more adds those that come after its time.
func (r *Row) addCall(name string, all, one timing, more func()) {
	r.add(name, "ms", all.ms...)
	more()
	r.add(name+" allocations", "", all.allocs)
	r.add(name+" on one core", "ms", one.ms...)
	r.add(name+" speed-up", "x", one.median()/all.median())
}

// onCores adds up the rates that f reaches on so many cores at the same time.
func (b *run) onCores(cores int, f func(time.Duration) float64) float64 {
	d := 150 * time.Millisecond
	if b.Quick {
		d = time.Millisecond
	}
	rates := make([]float64, cores)
	var wait sync.WaitGroup
	for i := range rates {
		wait.Go(func() { rates[i] = f(d) })
	}
	wait.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}
