package newcomers

import (
	"testing"

	"github.com/pcgraph/pcgraph/experiments/claim/claimtest"
	"github.com/pcgraph/pcgraph/experiments/record"
)

func TestClaims(t *testing.T) { claimtest.Run(t, Claims()) }

// TestClaims_Recorded: what was measured in full bears every verdict, and would not if the results were those of other cells.
func TestClaims_Recorded(t *testing.T) { claimtest.Recorded(t, Claims(), record.Table) }
