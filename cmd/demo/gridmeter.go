package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/claim"
)

// A gridMeter shows how far the cells of claims are.
type gridMeter struct {
	console *cli.Console
	bars    *mpb.Progress // nil where nothing can be redrawn
	bar     *mpb.Bar
	begun   bool
	printed int // tenths

	mu   sync.Mutex
	last claim.Progress
}

func newGridMeter(c *cli.Console) *gridMeter {
	g := &gridMeter{console: c}
	if !c.Terminal {
		return g
	}
	g.bars = mpb.New(mpb.WithOutput(c.Out), mpb.WithWidth(30), mpb.WithRefreshRate(120*time.Millisecond))
	g.bar = g.bars.New(barTotal, mpb.BarStyle().Lbound("|").Filler("█").Tip("▌").Padding(" ").Rbound("|"),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			g.mu.Lock()
			defer g.mu.Unlock()
			return fmt.Sprintf("%d/%d cells ", g.last.Done, g.last.Cells)
		})),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			g.mu.Lock()
			defer g.mu.Unlock()
			return "  " + times(g.last)
		})))
	return g
}

// barTotal is the length of a bar.
const barTotal = 1000

// times are the time so far and the time that is left.
func times(p claim.Progress) string {
	s := duration(p.Elapsed.Seconds())
	if p.Left > 0 {
		s += ", ETA " + duration(p.Left.Seconds())
	}
	return s
}

// progress is told by the runner, one call at a time.
func (g *gridMeter) progress(p claim.Progress) {
	g.mu.Lock()
	g.last = p
	g.mu.Unlock()
	if g.bar != nil {
		g.bar.SetCurrent(int64(barTotal * p.Fraction))
		return
	}
	if !g.begun {
		g.begun = true
		g.console.Printf("%d cells, %d of them kept by an earlier run\n", p.Cells, p.Found)
	}
	if tenth := int(10 * p.Fraction); tenth > g.printed {
		g.printed = tenth
		g.console.Printf("%4d of %d cells, %3.0f %%, %s\n", p.Done, p.Cells, 100*p.Fraction, times(p))
	}
}

// end ends the bar, complete or not.
func (g *gridMeter) end() {
	if g.bar != nil {
		g.bar.Abort(false)
		g.bars.Wait()
	}
}
