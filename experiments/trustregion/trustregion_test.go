package trustregion

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/experiments/claim/claimtest"
	"github.com/pcgraph/pcgraph/experiments/record"
)

func TestClaims(t *testing.T) { claimtest.Run(t, Claims()) }

// TestClaims_Recorded: what was measured in full bears every verdict, and would not if the results were those of other cells.
func TestClaims_Recorded(t *testing.T) { claimtest.Recorded(t, Claims(), record.Table) }

// TestToMinimum_IsPerpendicular: the way to the nearest minimum ends on w1 w2 = -1, and leaves it at a right angle.
func TestToMinimum_IsPerpendicular(t *testing.T) {
	for _, w := range [][2]float64{{.1, -.2}, {3, .1}, {-1, 1}, {.5, 2}, {-2, -2}} {
		d := ToMinimum(w)
		a, b := w[0]+d[0], w[1]+d[1]
		if math.Abs(a*b+1) > 1e-12 {
			t.Errorf("from %v it ends at (%g, %g)", w, a, b)
		}
		if along := d[0]*a - d[1]*b; math.Abs(along) > 1e-12 { // the curve's tangent is (a, -b)
			t.Errorf("from %v it meets the curve at an angle: %g", w, along)
		}
	}
}
