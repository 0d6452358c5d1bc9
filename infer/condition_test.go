package infer_test

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/infer"
)

// TestMeasureSpectrum_OfAQuadratic: both ends of diagonal Hessians, of one that is not positive too; the condition is no overestimate.
func TestMeasureSpectrum_OfAQuadratic(t *testing.T) {
	for _, eigenvalues := range [][]float64{{1, 1, 1}, {4, 1, 3.5, .25}, {2, -1, .5}, {10, .1, .3, 7}} {
		p := infer.Problem[float64]{Energy: func(grad, z []float64) (f float64, err error) {
			for i, l := range eigenvalues {
				f += l * z[i] * z[i] / 2
				grad[i] = l * z[i]
			}
			return f, nil
		}}
		z := make([]float64, len(eigenvalues))
		s, err := infer.MeasureSpectrum(p, z)
		if err != nil {
			t.Fatal(err)
		}
		least, most := math.Inf(1), 0.
		for _, l := range eigenvalues {
			least, most = min(least, l), max(most, l)
		}
		if math.Abs(s.Largest-most) > .02*most || s.Smallest < least-.02*most || s.Smallest > least+.02*most {
			t.Errorf("%v: %+v", eigenvalues, s)
		}
		if c := s.Condition(); least > 0 && c > 1.05*most/least || least < 0 && !math.IsInf(c, 1) {
			t.Errorf("%v: condition %v", eigenvalues, c)
		}
		for _, v := range z {
			if v != 0 {
				t.Error("z has moved")
			}
		}
	}
}
