package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"al.essio.dev/pkg/shellescape"
	"github.com/alecthomas/kong"

	"github.com/pcgraph/pcgraph/report"
)

// A Console is what a command talks to.
type Console struct {
	Context  context.Context
	In       io.Reader // nil: nothing to read
	Out      io.Writer
	Errs     io.Writer
	Args     []string // the command line
	Terminal bool     // out is a terminal: progress may redraw

	flags []string // names of the flags that the chosen command has
	Given []string // names of those on the command line
	pulse *pulse   // nil before run
	gate  *gate    // nil unless a page shows the run

	cancel func() // ends the run in order
}

func (c *Console) Printf(format string, args ...any) { fmt.Fprintf(c.Out, format, args...) }

// Pipe gives standard output to data, and messages to standard error from now on.
func (c *Console) Pipe() io.Writer {
	if c.pulse == nil {
		out := c.Out
		c.Out = c.Errs
		return out
	}
	c.pulse.mu.Lock()
	defer c.pulse.mu.Unlock()
	out := c.pulse.to
	c.pulse.to, c.Terminal = c.Errs, false
	return out
}

// screen is the terminal itself, for what draws on it.
func (c *Console) screen() io.Writer {
	if c.Terminal && c.pulse != nil {
		return c.pulse.to
	}
	return c.Out
}

// Has reports whether the chosen command has a flag: advice names no other.
func (c *Console) Has(flag string) bool { return slices.Contains(c.flags, flag) }

// note keeps which flags the chosen command has, and which of them were given.
func (c *Console) note(parsed *kong.Context) {
	for _, f := range parsed.Flags() {
		c.flags = append(c.flags, f.Name)
	}
	for _, p := range parsed.Path {
		if p.Flag != nil && !p.Resolved {
			c.Given = append(c.Given, p.Flag.Name)
		}
	}
}

// Again is the command line that gives a run again, quoted for a shell.
func (c *Console) Again(seed uint64) string {
	return shellescape.QuoteCommand(append([]string{"demo"}, c.arguments(seed)...))
}

// arguments are those of the command line that gives a run again.
func (c *Console) arguments(seed uint64) []string {
	args := slices.Clone(c.Args)
	if c.Has("seed") && !slices.Contains(c.Given, "seed") {
		args = append(args, "-seed", strconv.FormatUint(seed, 10))
	}
	return args
}

// Doing names what is going on, for whoever waits: if nothing is printed for longestSilence, a line says so and for how long it
// has taken. The empty text ends it.
func (c *Console) Doing(what string) {
	if c.pulse != nil {
		c.pulse.set(what)
	}
}

// Progress is a bar on a terminal and a line now and then elsewhere, for work that counts units, empty for work whose rate nobody wants.
func (c *Console) Progress(name, unit string) *report.Progress {
	if c.Terminal {
		c.Doing("") // a bar says enough
	}
	return &report.Progress{Out: c.screen(), Terminal: c.Terminal, Name: name, Unit: unit, Start: time.Now()}
}

// A pulse is a writer that adds a line when nothing has been written for a while. It is safe for several goroutines.
type pulse struct {
	mu     sync.Mutex
	to     io.Writer
	broken func() // called once when nobody reads any more
	what   string
	since  time.Time // of what
	wrote  time.Time
	stop   chan struct{}
	ended  sync.WaitGroup
}

// newPulse starts one over a writer; end must be called.
func newPulse(to io.Writer, broken func()) *pulse {
	p := &pulse{to: to, broken: broken, wrote: time.Now(), stop: make(chan struct{})}
	p.ended.Go(func() {
		tick := time.NewTicker(report.LongestSilence / 10)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.beat()
			}
		}
	})
	return p
}

// Write passes text on.
func (p *pulse) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(text)
}

func (p *pulse) write(text []byte) (int, error) {
	p.wrote = time.Now()
	n, err := p.to.Write(text)
	if err != nil && p.broken != nil {
		p.broken()
		p.broken = nil
	}
	return n, err
}

func (p *pulse) set(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.since = what, time.Now()
}

// beat prints what is going on, if that has been silent for too long.
func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A little early, so that the line is out when the time is over.
	elapsed := time.Since(p.since)
	if p.what != "" && elapsed > report.LongestSilence*3/4 && time.Since(p.wrote) > report.Silence(elapsed)-report.LongestSilence/5 {
		p.write(fmt.Appendf(nil, "... %s: %.0f s so far\n", p.what, elapsed.Seconds()))
	}
}

// end stops the lines.
func (p *pulse) end() {
	close(p.stop)
	p.ended.Wait()
}
