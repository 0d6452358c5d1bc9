package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A Progress shows how far a piece of work has come: a bar that redraws itself on a terminal, a line now and then elsewhere. Step
// and End are called from one goroutine.
type Progress struct {
	Out      io.Writer
	Terminal bool      // Out is one: draw a bar
	Name     string    // of the work
	Unit     string    // what is counted, such as "step": shown with the rate; empty: the rate is not shown
	Start    time.Time // of the work; zero: the first call of Step

	tenth   int
	printed time.Duration // since the start, at the last line
	bars    *mpb.Progress
	bar     *mpb.Bar
	mu      sync.Mutex // guards status, which the bar's goroutine reads
	status  string
}

// LongestSilence is how long nothing may be printed while something is going on.
const LongestSilence = 2 * time.Second

// Silence returns how long nothing need be printed of work that has gone on for some time, at least two seconds: the longer the
// work, the fewer the lines.
func Silence(elapsed time.Duration) time.Duration { return max(LongestSilence, elapsed/30) }

// redraw is how often a bar is drawn.
const redraw = 120 * time.Millisecond

// Step shows that done of total units are done. status, which may be nil, is called when something is drawn, for what is to be read
// beside the progress, such as a loss.
func (p *Progress) Step(done, total int, status func() string) {
	if p.Start.IsZero() {
		p.Start = time.Now()
	}
	passed := time.Since(p.Start)
	if p.Terminal {
		if p.bar == nil {
			p.open(total)
		} else if passed-p.printed < redraw/2 && done < total {
			return
		}
		p.printed = passed
		p.mu.Lock()
		if status != nil {
			p.status = status()
		}
		p.mu.Unlock()
		p.bar.SetCurrent(int64(done))
		return
	}
	tenth := 10 * done / max(1, total)
	if tenth == p.tenth && passed-p.printed < Silence(passed)-LongestSilence*3/10 { // a little early, before a heartbeat says so
		return
	}
	p.tenth, p.printed = tenth, passed
	line := fmt.Sprintf("%-4s %5d/%d", p.Name, done, total)
	if p.Unit != "" {
		line = fmt.Sprintf("%-4s %s %5d/%d", p.Name, p.Unit, done, total)
	}
	if status != nil {
		line += "  " + status()
	}
	rate := float64(done) / passed.Seconds()
	if p.Unit != "" {
		line += fmt.Sprintf("  %.0f %ss/s", rate, p.Unit)
	}
	fmt.Fprintf(p.Out, "%s  ETA %.0f s\n", line, float64(total-done)/rate)
}

// open draws the bar for the first time.
func (p *Progress) open(total int) {
	p.bars = mpb.New(mpb.WithOutput(p.Out), mpb.WithWidth(30), mpb.WithRefreshRate(redraw))
	after := []decor.Decorator{decor.Any(func(decor.Statistics) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		return "  " + p.status
	})}
	if p.Unit != "" {
		after = append(after, decor.AverageSpeed(0, "  %.0f "+p.Unit+"s/s"))
	}
	after = append(after, decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WC{W: 6}), ""), decor.Name(" "))
	p.bar = p.bars.New(int64(total), mpb.BarStyle().Lbound("|").Filler("█").Tip("▌").Padding(" ").Rbound("|"),
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-4s", p.Name)), decor.CountersNoUnit(" %4d/%d ")),
		mpb.AppendDecorators(after...))
	p.bar.DecoratorAverageAdjust(p.Start)
}

// End leaves the bar as it is, complete or not.
func (p *Progress) End() {
	if p.bar != nil {
		p.bar.Abort(false) // does nothing to a complete one
		p.bars.Wait()
	}
}
