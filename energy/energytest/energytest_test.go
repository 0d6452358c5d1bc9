package energytest

import (
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
)

// broken is a functional made from a function.
type broken func(b *graph.Builder, l energy.Latents) []energy.Term

func (f broken) Terms(b *graph.Builder, l energy.Latents) []energy.Term { return f(b, l) }

// TestChecks_Fail shows that the checks can fail.
func TestChecks_Fail(t *testing.T) {
	calls := 0
	tests := []struct {
		reason string
		check  func(energy.Functional) error
		f      broken
		want   string
	}{
		{"no terms: an energy of zero", terms, func(b *graph.Builder, l energy.Latents) []energy.Term { return nil }, "no terms"},
		{"not a scalar", terms, func(b *graph.Builder, l energy.Latents) []energy.Term {
			return []energy.Term{{Name: "x", Node: l.Predictions[1].Activity}}
		}, "not a scalar"},
		{"the sum over the batch, not the mean", batchMean, func(b *graph.Builder, l energy.Latents) []energy.Term {
			return []energy.Term{{Name: "x", Node: b.HalfSquare(l.Predictions[1].Activity, 1, 1)}}
		}, "mean of its samples"},
		{"weights divided by the batch", batchMean, func(b *graph.Builder, l energy.Latents) []energy.Term {
			return []energy.Term{{Name: "x", Node: b.HalfSquare(l.Weights[0].Node, 1, l.Batch)}}
		}, "mean of its samples"},
		{"samples see each other", batchMean, func(b *graph.Builder, l energy.Latents) []energy.Term {
			z := l.Predictions[1].Activity
			return []energy.Term{{Name: "x", Node: b.HalfSquare(b.MatMul(z, z, false, true), 1, l.Batch)}}
		}, "mean of its samples"},
		{"memory between calls", additive, func(b *graph.Builder, l energy.Latents) []energy.Term {
			calls++
			return []energy.Term{{Name: "x", Node: b.HalfSquare(l.Weights[0].Node, float64(calls), 1)}}
		}, "of a sum"},
	}
	for _, test := range tests {
		if err := test.check(test.f); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.reason, err, test.want)
		}
	}
	for _, c := range checks {
		if err := c.check(energy.PC{}); err != nil {
			t.Errorf("%s: plain predictive coding fails: %v", c.name, err)
		}
	}
}
