//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe makes a write that nobody reads an error instead of the end of the process: what a run has so far is
// written then.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
