package cli

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/report/live"
)

// LiveFlags say whether a page shows the run while it goes.
type LiveFlags struct {
	Live        bool   `help:"Show the run in a browser while it goes: curves of it and of the other runs beside its folder; the address is printed. A training can be paused and stopped there." json:"-"`
	LiveAddress string `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Address of that page; port 0: any that is free. Beyond 127.0.0.1 a token is part of the printed address." json:"-"`
}

func (f LiveFlags) live() LiveFlags { return f }

// A gate stops trainings between two updates, and has them write their checkpoints.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // nil, or closed when it opens again
	keep chan struct{}
}

// shut closes or opens the gate.
func (g *gate) shut(paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case paused && g.open == nil:
		g.open = make(chan struct{})
	case !paused && g.open != nil:
		close(g.open)
		g.open = nil
	}
}

// pass waits while the gate is shut, or until the context ends.
func (g *gate) pass(ctx context.Context) {
	if g == nil {
		return
	}
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open == nil {
		return
	}
	select {
	case <-open:
	case <-ctx.Done():
	}
}

// Pass waits while somebody has paused the run. Trainings call it between two updates.
func (c *Console) Pass() { c.gate.pass(c.Context) }

// KeepNow has a value when somebody wants a checkpoint now: it is train.Checkpoint.Now.
func (c *Console) KeepNow() <-chan struct{} {
	if c.gate == nil {
		return nil
	}
	return c.gate.keep
}

// Watched reports whether a page shows the run.
func (c *Console) Watched() bool { return c.gate != nil }

// serve shows a run in a browser until the returned function is called.
func (c *Console) serve(f LiveFlags, r *RunDir, options RunOptions) (end func(), err error) {
	c.gate = &gate{keep: make(chan struct{}, 1)}
	controls := &live.Controls{Stop: c.cancel}
	if k, trains := options.(interface{ Kept() string }); trains {
		controls.Pause = c.gate.shut
		if k.Kept() != "" {
			controls.Keep = func() {
				select {
				case c.gate.keep <- struct{}{}:
				default: // asked for already
				}
			}
		}
	}
	full, err := filepath.Abs(r.Dir)
	if err != nil {
		return nil, errors.Wrap(err, "-live")
	}
	s := &live.Server{Root: filepath.Dir(full), Own: filepath.Base(full), Controls: controls}
	return c.Serving(s, f.LiveAddress, "Live: %s\n")
}

// Serving serves pages in the background, prints the address, and returns what ends it.
func (c *Console) Serving(s *live.Server, address, say string) (end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- s.ListenAndServe(ctx, address, func(url string) { ready <- url }) }()
	select {
	case url := <-ready:
		c.Printf(say, url)
		return func() { cancel(); <-done }, nil
	case err := <-done:
		cancel()
		return nil, err
	}
}
