package main

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pcgraph/pcgraph/graph/kernel"
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

// time measures run: repetitions of as many calls as fill the window, after one that is not counted. What prepare does
// before every call is not timed; it must not allocate.
func (b *benchRun) time(prepare func(), run func() error) (timing, error) {
	once := func() (time.Duration, error) {
		prepare()
		start := time.Now()
		err := run()
		return time.Since(start), err
	}
	calls := 1
	if !b.Quick {
		took, err := once()
		for start := time.Now(); err == nil && time.Since(start) < window; { // caches, branch predictors, workers
			took, err = once()
		}
		if err != nil {
			return timing{}, err
		}
		calls = min(mostCalls, 1+int(window/took))
	}
	if _, err := once(); err != nil {
		return timing{}, err
	}
	var t timing
	var before, after runtime.MemStats
	t.ms = make([]float64, 0, b.Repeats)
	runtime.ReadMemStats(&before)
	for range b.Repeats {
		if b.console.ctx.Err() != nil {
			return timing{}, errInterrupted
		}
		var total time.Duration
		for range calls {
			took, err := once()
			if err != nil {
				return timing{}, err
			}
			total += took
		}
		t.ms = append(t.ms, total.Seconds()*1e3/float64(calls))
	}
	runtime.ReadMemStats(&after)
	t.allocs = float64(after.Mallocs-before.Mallocs) / float64(calls*b.Repeats)
	return t, nil
}

// onOneCore measures with one core; run is made there, since programs prepare for the cores that there are.
func (b *benchRun) onOneCore(measure func() (timing, error)) (timing, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	return measure()
}

// spread is the figure of several values.
func spread(values []float64) benchFigure {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return benchFigure{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// peak is the rate of the matrix product in GFLOP/s on so many cores at once, each on its own matrices.
func (b *benchRun) peak(cores int) float64 { return b.onCores(cores, kernel.GemmPeak[float32]) }

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
