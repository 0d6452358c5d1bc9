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
		c.doing("") // a bar says enough
		return newBar(c.screen(), name, total, classes, start)
	}
	return &lines{console: c, name: name, classes: classes, start: start}
}

// lines prints a line per tenth of the way, and more where a tenth takes long.
type lines struct {
	console *console
	name    string
	classes bool
	start   time.Time
	score   float64
	printed due
}

func (l *lines) step(done, total int, loss, energy float64) {
	passed := time.Since(l.start)
	if l.printed.now(done, total, passed) {
		rate := float64(done) / passed.Seconds()
		l.console.printf("%-4s step %5d/%d  loss %-9s  energy %-9s", l.name, done, total, number(loss), number(energy))
		if l.classes && l.score > 0 {
			l.console.printf("  accuracy %5.2f %%", 100*l.score)
		}
		l.console.printf("  %.0f steps/s  ETA %.0f s\n", rate, float64(total-done)/rate)
	}
}

// due says when a line of progress is.
type due struct {
	tenth int
	at    time.Duration
}

// now reports whether a line is due: at every tenth of the way, and when nothing has been printed for long.
func (d *due) now(done, total int, passed time.Duration) bool {
	tenth := 10 * done / total
	if tenth == d.tenth && passed-d.at < silence(passed)-longestSilence*3/10 { // before console.doing would say so
		return false
	}
	d.tenth, d.at = tenth, passed
	return true
}

func (l *lines) accuracy(fraction float64) { l.score = fraction }

func (l *lines) end() {
	if l.classes && l.score > 0 {
		l.console.printf("%-4s test accuracy %5.2f %% at the end\n", l.name, 100*l.score)
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
		s := fmt.Sprintf("  loss %-9s  energy %-9s", number(b.loss), number(b.energy))
		if classes && b.score > 0 {
			s += fmt.Sprintf("  accuracy %5.2f %%", 100*b.score)
		}
		return s
	}
	b.bar = b.progress.New(int64(total), mpb.BarStyle().Lbound("|").Filler("█").Tip("▌").Padding(" ").Rbound("|"),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-4s", name)), decor.CountersNoUnit(" %4d/%d ")),
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
	printed  due
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
			n.console.doing("")
			n.progress = mpb.New(mpb.WithOutput(n.console.screen()), mpb.WithWidth(30), mpb.WithRefreshRate(120*time.Millisecond))
			n.bar = n.progress.New(int64(total), mpb.BarStyle().Lbound("|").Filler("█").Tip("▌").Padding(" ").Rbound("|"),
				mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-22s", n.name)), decor.CountersNoUnit(" %4d/%d ")),
				mpb.AppendDecorators(decor.Name("  "), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 6}), ""), decor.Name(" ")))
		}
		n.bar.SetCurrent(int64(done))
		return
	}
	if since := time.Since(n.start); n.printed.now(done, total, since) {
		passed := since.Seconds()
		n.console.printf("%-22s %4d/%d  ETA %.0f s\n", n.name, done, total, passed/float64(done)*float64(total-done))
	}
}

func (n *counter) end() {
	if n.bar != nil {
		n.bar.Abort(false) // does nothing to a complete one
		n.progress.Wait()
	}
}
