// Package reference is what tests against values of other programs share, and holds such tests:
//
//   - behaviours_test.go: what JPC's own tests state, against matrix formulas (docs/JPC-behaviours.md)
//   - migration_test.go: what to write here for each function of JPC, pcx and FabricPC (docs/JPC-migration.md)
//
// The cases exported from JPC are in testdata/reference; TestReference of the root reads them.
package reference

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/graph"
)

// Near compares with a tolerance relative to the largest expected number.
func Near[T graph.Float](t *testing.T, what string, got []T, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	scale := 1e-8
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*scale) {
			t.Errorf("%s[%d] = %.15g, want %.15g (off by %.1e of the largest)", what, i, float64(got[i]), w, d/scale)
			return
		}
	}
}
