package bench

import (
	"math"
	"testing"

	"github.com/pcgraph/pcgraph/bss"
)

// TestBench_SeparationsAreMeasured: a row for every domain; an iteration's multiply-adds are part of it, so that its time is above theirs.
func TestBench_SeparationsAreMeasured(t *testing.T) {
	r, _ := benchmarked(t, "-rows", "bss")
	if len(r.Rows) != len(bss.Domains()) {
		t.Fatalf("%d rows, want one for each of %d domains", len(r.Rows), len(bss.Domains()))
	}
	for _, row := range r.Rows {
		f := map[string]float64{}
		for _, figure := range row.Figures {
			f[figure.Name] = figure.Median
		}
		if share := f["share of the multiply-adds"]; !(share > 0 && share < 100) {
			t.Errorf("%s: the multiply-adds are %v %% of the run", row.Name, share)
		}
		if rate := f["inner iterations of a sample"] * 100 / f["run on one core"] / 1e3; math.Abs(rate/f["inner iterations"]-1) > 1e-9 {
			t.Errorf("%s: %v million iterations a second, the time gives %v", row.Name, f["inner iterations"], rate)
		}
	}
}

// TestProducts_AreARotation: oracle: a permutation matrix of five rows is the identity after five products.
func TestProducts_AreARotation(t *testing.T) {
	s, err := newSeparation(bss.Antisparse, 10)
	if err != nil {
		t.Fatal(err)
	}
	y := [bssSources]float64{1, 2, 3, 4, 5}
	for k := 1; k <= 5; k++ {
		s.products(&y, 1)()
		if y[0] != float64(k%5+1) {
			t.Errorf("after %d products y is %v", k, y)
		}
	}
}
