package data_test

import (
	"math"
	"slices"
	"testing"

	"github.com/pcgraph/pcgraph/data"
)

// TestTurn_QuarterTurnsAreExact: nothing is interpolated then, counterclockwise takes the right side to the top, and four
// make the picture again; the tolerance is the rounding of the sine.
func TestTurn_QuarterTurnsAreExact(t *testing.T) {
	shape := data.Shape{Channels: 2, Height: 3, Width: 3}
	var src []float64
	for i := range 18 {
		src = append(src, float64(i))
	}
	dst := make([]float64, 18)
	data.Turn(dst, src, shape, 0, -1)
	if !slices.Equal(dst, src) {
		t.Errorf("by nothing: %v", dst)
	}
	want := []float64{4, 5, 10, 11, 16, 17, 2, 3, 8, 9, 14, 15, 0, 1, 6, 7, 12, 13}
	for k := range 4 {
		data.Turn(dst, src, shape, math.Pi/2, -1)
		for i, v := range dst {
			if k == 0 && math.Abs(v-want[i]) > 1e-12 {
				t.Fatalf("a quarter turn is %v, want %v", dst, want)
			}
		}
		copy(src, dst)
	}
	for i, v := range src {
		if math.Abs(v-float64(i)) > 1e-12 {
			t.Errorf("after four quarter turns pixel %d is %v", i, v)
		}
	}
}

// TestTurn_FillsFromOutsideWithBlank: the corners of a square turned by an eighth come from outside, its middle stays.
func TestTurn_FillsFromOutsideWithBlank(t *testing.T) {
	shape := data.Shape{Channels: 1, Height: 9, Width: 9}
	src, dst := make([]float32, 81), make([]float32, 81)
	for i := range src {
		src[i] = 1
	}
	data.Turn(dst, src, shape, math.Pi/4, -3)
	if dst[0] != -3 || dst[8] != -3 || dst[72] != -3 || dst[80] != -3 || dst[40] != 1 {
		t.Errorf("corners %v %v %v %v, middle %v", dst[0], dst[8], dst[72], dst[80], dst[40])
	}
}
