package arch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestEliminate_Pivots: matrices whose leading entries, at the first step or at a later one, are zero or so small that dividing by
// them loses every digit of the others. Oracle: gonum's LU with pivoting. Tolerance: a few hundred roundings.
func TestEliminate_Pivots(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	draw := func(n int) []float64 {
		xs := make([]float64, n)
		for i := range xs {
			xs[i] = r.NormFloat64()
		}
		return xs
	}
	later := draw(16) // after the first step, entry 1,1 is zero: row 1 is row 0 but for its last two columns
	copy(later[4:6], later[0:2])
	for name, k := range map[string][]float64{
		"zero":           {0, 1, 1, 0},
		"zero of three":  {0, 2, 1, 1, 0, 3, 4, 1, 0},
		"tiny":           {1e-20, 1, 1, 1},
		"tiny of three":  {1e-18, 2, 1, 1, 1e-19, 3, 4, 1, 5},
		"zero at step 1": later,
		"negative":       {1e-20, 1, -5, 1},
		"last row best":  {1e-3, 1, 2, 1e-2, 3, 1, 7, 1, 1},
		"any":            draw(64),
		"one":            {-3},
	} {
		d := int(math.Sqrt(float64(len(k))))
		for _, columns := range []int{1, 3, d} {
			v := draw(d * columns)
			var want mat.Dense
			if err := want.Solve(mat.NewDense(d, d, slices.Clone(k)), mat.NewDense(d, columns, slices.Clone(v))); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := slices.Clone(v)
			eliminate(slices.Clone(k), got, d)
			scale := mat.Max(&want) - mat.Min(&want) + 1
			for i, x := range got {
				if w := want.At(i/columns, i%columns); !(math.Abs(x-w) <= 1e-12*scale) {
					t.Errorf("%s: %s: element %d is %v, want %v", name, fmt.Sprintf("%dx%d by %d columns", d, d, columns), i, x, w)
					break
				}
			}
		}
	}
}
