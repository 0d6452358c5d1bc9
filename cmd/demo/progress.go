package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A meter shows how a training proceeds.
type meter interface {
	step(done, total int, loss, energy float64)
	accuracy(fraction float64)
	end() // complete or not
}

// newMeter is a progress bar on a terminal and a line now and then elsewhere, of a training that has taken so long already.
func newMeter(c *console, name string, total int, classes bool, elapsed time.Duration) meter {
	start := time.Now().Add(-elapsed)
	if c.terminal {
		return newBar(c.out, name, total, classes, start)
	}
	return &lines{console: c, name: name, classes: classes, start: start}
}

// lines prints a line per tenth of the way.
type lines struct {
	console *console
	name    string
	classes bool
	start   time.Time
	score   float64
	printed int // tenths
}

func (l *lines) step(done, total int, loss, energy float64) {
	if tenth := 10 * done / total; tenth > l.printed {
		l.printed = tenth
		passed := time.Since(l.start)
		rate := float64(done) / passed.Seconds()
		l.console.printf("%-3s step %5d/%d  loss %.4f  energy %.4f", l.name, done, total, loss, energy)
		if l.classes && l.score > 0 {
			l.console.printf("  accuracy %5.2f %%", 100*l.score)
		}
		l.console.printf("  %.0f steps/s  ETA %.0f s\n", rate, float64(total-done)/rate)
	}
}

func (l *lines) accuracy(fraction float64) { l.score = fraction }

func (l *lines) end() {
	if l.classes && l.score > 0 {
		l.console.printf("%-3s test accuracy %5.2f %% at the end\n", l.name, 100*l.score)
	}
}

// A bar is a line that redraws itself. mpb draws in a goroutine of its own, hence the lock.
type bar struct {
	progress *mpb.Progress
	bar      *mpb.Bar

	mu                  sync.Mutex
	loss, energy, score float64
}

func newBar(out io.Writer, name string, total int, classes bool, start time.Time) *bar {
	b := &bar{progress: mpb.New(mpb.WithOutput(out), mpb.WithWidth(30), mpb.WithRefreshRate(120*time.Millisecond))}
	numbers := func(decor.Statistics) string {
		b.mu.Lock()
		defer b.mu.Unlock()
		s := fmt.Sprintf("  loss %.4f  energy %.4f", b.loss, b.energy)
		if classes && b.score > 0 {
			s += fmt.Sprintf("  accuracy %5.2f %%", 100*b.score)
		}
		return s
	}
	b.bar = b.progress.New(int64(total), mpb.BarStyle().Lbound("|").Filler("█").Tip("▌").Padding(" ").Rbound("|"),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-3s", name)), decor.CountersNoUnit(" %4d/%d ")),
		mpb.AppendDecorators(decor.Any(numbers), decor.AverageSpeed(0, "  %.0f steps/s"),
			decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 6}), ""), decor.Name(" ")))
	b.bar.DecoratorAverageAdjust(start)
	return b
}

func (b *bar) step(done, _ int, loss, energy float64) {
	b.mu.Lock()
	b.loss, b.energy = loss, energy
	b.mu.Unlock()
	b.bar.SetCurrent(int64(done))
}

func (b *bar) accuracy(fraction float64) {
	b.mu.Lock()
	b.score = fraction
	b.mu.Unlock()
}

func (b *bar) end() {
	b.bar.Abort(false) // does nothing to a complete one
	b.progress.Wait()
}

// A counter shows how something proceeds that has no loss to show.
type counter struct {
	console  *console
	name     string
	start    time.Time
	printed  int // tenths
	progress *mpb.Progress
	bar      *mpb.Bar
}

// newCounter is a progress bar on a terminal and a line now and then elsewhere.
func newCounter(c *console, name string) *counter {
	return &counter{console: c, name: name, start: time.Now()}
}

func (n *counter) step(done, total int) {
	if n.console.terminal {
		if n.bar == nil {
			n.progress = mpb.New(mpb.WithOutput(n.console.out), mpb.WithWidth(30), mpb.WithRefreshRate(120*time.Millisecond))
			n.bar = n.progress.New(int64(total), mpb.BarStyle().Lbound("|").Filler("█").Tip("▌").Padding(" ").Rbound("|"),
				mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-22s", n.name)), decor.CountersNoUnit(" %4d/%d ")),
				mpb.AppendDecorators(decor.Name("  "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 6}), ""), decor.Name(" ")))
		}
		n.bar.SetCurrent(int64(done))
		return
	}
	if tenth := 10 * done / total; tenth > n.printed {
		n.printed = tenth
		passed := time.Since(n.start).Seconds()
		n.console.printf("%-22s %4d/%d  ETA %.0f s\n", n.name, done, total, passed/float64(done)*float64(total-done))
	}
}

func (n *counter) end() {
	if n.bar != nil {
		n.bar.Abort(false) // does nothing to a complete one
		n.progress.Wait()
	}
}
