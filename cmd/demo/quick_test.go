package main

import (
	"os"

	"github.com/pcgraph/pcgraph/report"
)

// asCommand is a variable of the environment that makes the test binary the command: tests that need a process start it, and no
// second binary is built.
const asCommand = "PCGRAPH_TEST_AS_COMMAND"

func init() {
	if os.Getenv(asCommand) != "" {
		main() // and ends the process
	}
	report.DPI = 48 // no test looks at the pixels
}
