package claim

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Off collects the bounds that measurements miss, so that the error of a Check names all of them.
type Off []string

// Add formats one of them.
func (o *Off) Add(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

// Err is nil if nothing was added.
func (o Off) Err() error {
	if len(o) == 0 {
		return nil
	}
	return errors.New(strings.Join(o, "; "))
}

// Seeds are 1, 2, ..., n.
func Seeds(n int) []uint64 {
	s := make([]uint64, n)
	for i := range s {
		s[i] = uint64(i + 1)
	}
	return s
}

// Keys are the keys of a map in ascending order.
func Keys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// Percent writes a fraction as a percentage with one decimal: .123 as "12.3 %".
func Percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// Points writes an estimate of a fraction, or of a difference of two, in percentage points: "mean ± error (n)".
func Points(e Estimate) string {
	switch {
	case e.N < 2:
		return fmt.Sprintf("%.2f", 100*e.Mean)
	case math.IsNaN(e.Err):
		return fmt.Sprintf("%.2f (%d)", 100*e.Mean, e.N)
	}
	return fmt.Sprintf("%.2f ± %.2f (%d)", 100*e.Mean, 100*e.Err, e.N)
}

// Curve returns a line through the estimates at each x, with a band of one standard error to both sides. Lines with the same series
// have the same colour; series 0 is a colour of its own.
func Curve[X int | float64](name string, series int, at map[X]Estimate) Line {
	l := Line{Name: name, Series: series, Points: true}
	for _, x := range Keys(at) {
		l.Append(float64(x), at[x])
	}
	return l
}

// Append adds a point with its band of one standard error, which is empty if the error is not known.
func (l *Line) Append(x float64, e Estimate) {
	half := e.Scatter()
	l.X, l.Y = append(l.X, x), append(l.Y, e.Mean)
	l.Low, l.High = append(l.Low, e.Mean-half), append(l.High, e.Mean+half)
}

// PerSample converts an inference rate of the papers into the library's, or a time of their gradient flows. The papers
// descend on the energy's mean over the batch,
//
//	z <- z - rate dF/dz,  F = 1/B sum_i F_i
//
// and the library descends on each sample's own energy, dF_i/dz_i = B dF/dz_i. The same step has a rate of rate/B there, and
// a flow reaches the same point in 1/B of the time. Cells and tables keep the papers' numbers.
func PerSample(rate float64, batch int) float64 { return rate / float64(batch) }
