package bss

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestProjectSimplex_EndsWhereNumbersTouchTheLevel: numbers as far above zero as rounding, by which a number next to the level is in and
// out in turn, end the search all the same, at a point of the simplex.
func TestProjectSimplex_EndsWhereNumbersTouchTheLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	scratch := make([]float64, 5)
	for range 200_000 {
		y := make([]float64, 5)
		for i := range y {
			y[i] = rng.NormFloat64()
		}
		copy(scratch, y)
		theta := level(scratch)
		for i := range y { // whatever was out is moved to the level, give or take a few roundings
			if y[i] < theta {
				y[i] = theta + float64(rng.IntN(5)-2)*math.Abs(math.Nextafter(theta, 9)-theta)
			}
		}
		ProjectSimplex(y, scratch)
		sum := 0.
		for _, v := range y {
			if sum += v; v < 0 {
				t.Fatalf("%v", y)
			}
		}
		if math.Abs(sum-1) > 1e-14 {
			t.Fatalf("%v add up to 1 %+.2g", y, sum-1)
		}
	}
}
