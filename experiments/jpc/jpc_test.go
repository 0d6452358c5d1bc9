package jpc

import (
	"testing"

	"github.com/pcgraph/pcgraph/experiments/claim/claimtest"
)

func TestClaims(t *testing.T) { claimtest.Run(t, Claims()) }
