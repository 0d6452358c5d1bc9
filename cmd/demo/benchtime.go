package main

import (
	"runtime"
	"slices"
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

// per is the timing of one of n equal parts of the call.
func (t timing) per(n int) timing {
	part := timing{allocs: t.allocs / float64(n)}
	for _, ms := range t.ms {
		part.ms = append(part.ms, ms/float64(n))
	}
	return part
}

// A task is a call to be timed.
type task struct {
	cores   int    // that it may use
	prepare func() // before every call, not timed; must not allocate
	run     func() error
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
func (t *task) repeat() (total time.Duration, allocs uint64, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(t.cores))
	if _, err := t.once(); err != nil {
		return 0, 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range t.calls {
		took, err := t.once()
		if err != nil {
			return 0, 0, err
		}
		total += took
	}
	runtime.ReadMemStats(&after)
	return total, after.Mallocs - before.Mallocs, nil
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
func (b *benchRun) time(tasks ...task) ([]timing, error) {
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
			total, allocs, err := tasks[i].repeat()
			if err != nil {
				return nil, err
			}
			calls := float64(tasks[i].calls)
			times[i].ms = append(times[i].ms, total.Seconds()*1e3/calls)
			times[i].allocs += float64(allocs) / calls / float64(b.Repeats)
		}
	}
	return times, nil
}

// spread is the figure of several values.
func spread(values []float64) benchFigure {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return benchFigure{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// onCores adds up the rates that f reaches on so many cores at the same time.
func (b *benchRun) onCores(cores int, f func(time.Duration) float64) float64 {
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
