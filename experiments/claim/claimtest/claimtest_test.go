package claimtest

import (
	"context"
	"testing"

	"github.com/pcgraph/pcgraph/experiments/claim"
)

// doubled is a claim on 2 x for x = 1 to 8 with some check.
func doubled(check func(x, y float64) bool) claim.Claim {
	return claim.Claim{
		ID: "test/double", Source: "here", Statement: "It is double.", Paper: "2 x",
		Bounds: []claim.Bound{{Text: "2 x", Origin: claim.Derived, Note: "by doubling"}},
		Grid: claim.Grid("test/double", 1, func(claim.Scale) []float64 { return []float64{1, 2, 3, 4, 5, 6, 7, 8} },
			func(_ context.Context, x float64, _ *claim.Cell) (float64, error) { return 2 * x, nil }),
		Check: func(t claim.Table) (string, error) {
			var off claim.Off
			for _, r := range claim.Rows[float64, float64](t) {
				if !check(r.Params, r.Result) {
					off.Add("%g at %g", r.Result, r.Params)
				}
			}
			return "2 x", off.Err()
		},
	}
}

// TestSurvives_TellsWhatDependsOnCells: a check that says which cell has which result fails on shuffles, one that says only what
// results there are survives all, and one that looks at one cell of eight survives an eighth of them, more than 5 %.
func TestSurvives_TellsWhatDependsOnCells(t *testing.T) {
	for _, test := range []struct {
		reason string
		check  func(x, y float64) bool
		want   bool
	}{
		{"each cell has its own result", func(x, y float64) bool { return y == 2*x }, false},
		{"any result will do", func(x, y float64) bool { return y > 0 }, true},
		{"one cell is looked at", func(x, y float64) bool { return x != 3 || y == 6 }, true},
	} {
		c := doubled(test.check)
		tables, err := (&claim.Runner{}).Run(t.Context(), claim.Full, c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Survives(c, tables[0].Memoized())
		if err != nil || got != test.want {
			t.Errorf("%s: survives %t, want %t; error %v", test.reason, got, test.want, err)
		}
	}
}
