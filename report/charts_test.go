package report

import (
	"math"
	"testing"

	"gonum.org/v1/plot/plotter"
)

// TestThinned_KeepsShapeAndExtremes: a short curve is itself; of a long one few points are left, in order, with every peak.
func TestThinned_KeepsShapeAndExtremes(t *testing.T) {
	curve := make(plotter.XYs, 100*mostPoints+7)
	for i := range curve {
		curve[i] = plotter.XY{X: float64(i), Y: math.Sin(float64(i) / 1e4)}
	}
	if short := curve[:mostPoints]; len(thinned(short)) != len(short) {
		t.Errorf("a curve of %d points has %d", len(short), len(thinned(short)))
	}
	curve[12345].Y, curve[54321].Y = 9, -9
	few := thinned(curve)
	if len(few) > mostPoints || len(few) < mostPoints/2 {
		t.Errorf("%d points of %d", len(few), len(curve))
	}
	peaks := 0
	for i, xy := range few {
		if xy != curve[int(xy.X)] || i > 0 && xy.X <= few[i-1].X {
			t.Fatalf("point %d is %v", i, xy)
		}
		if math.Abs(xy.Y) == 9 {
			peaks++
		}
	}
	if peaks != 2 {
		t.Errorf("%d of 2 peaks are left", peaks)
	}
}
