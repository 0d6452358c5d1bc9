package main

import (
	"os"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/demotest"
	"github.com/pcgraph/pcgraph/report"
)

// asCommand is a variable of the environment that makes the test binary the command: tests that need a process start it, and no
// second binary is built.
const asCommand = "PCGRAPH_TEST_AS_COMMAND"

// TestMain makes the test binary the command where asCommand is set.
func TestMain(m *testing.M) {
	report.DPI = 48 // no test looks at the pixels
	if os.Getenv(asCommand) != "" {
		main() // and ends the process
	}
	os.Exit(demotest.Main(m))
}
