package bss

import (
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// A Wavelet is an orthonormal wavelet by its low-pass reconstruction filter h; the high-pass filter is g_k = (-1)^k h_{L-1-k}.
//
// The transform is linear and works on each channel alone, so that it commutes with mixing: what separates the coefficients of mixtures,
// which are sparse where their samples are not, separates the samples.
type Wavelet struct{ filter []float64 }

// DB4 is Daubechies' wavelet of four vanishing moments, eight coefficients long (Daubechies 1992, table 6.1; "db4" of common libraries).
var DB4 = Wavelet{[]float64{.23037781330885523, .7148465705525415, .6308807679295904, -.02798376941698385,
	-.18703481171888114, .030841381835986965, .032883011666982945, -.010597401784997278}}

// Decompose returns the coefficients of x: the approximation after so many levels, then the details from the coarsest to the finest. A
// level takes n samples to floor((n + L - 1)/2) coefficients of each kind, L the length of the filter; beyond its ends the signal is
// mirrored, its first and last sample twice. Fewer than one level, or a signal shorter than the filter at some level, is an error.
func (w Wavelet) Decompose(x []float64, levels int) ([][]float64, error) {
	if levels < 1 {
		return nil, errors.Errorf("bss: wavelet: %d levels: want one or more", levels)
	}
	var parts [][]float64
	for level := range levels {
		if len(x) < len(w.filter) {
			return nil, errors.Errorf("bss: wavelet: %d samples at level %d: the filter has %d, use fewer levels", len(x), level+1, len(w.filter))
		}
		low, high := w.split(x)
		parts = append(parts, high)
		x = low
	}
	parts = append(parts, x)
	slices.Reverse(parts)
	return parts, nil
}

// split is one level.
func (w Wavelet) split(x []float64) (low, high []float64) {
	n, l := len(x), len(w.filter)
	low = make([]float64, (n+l-1)/2)
	high = make([]float64, len(low))
	for k := range low {
		for j, h := range w.filter {
			// the sample that filter coefficient j meets, mirrored at the ends
			i := 2*k + 2 - l + j
			if i < 0 {
				i = -1 - i
			}
			if i >= n {
				i = 2*n - 1 - i
			}
			low[k] += h * x[i]
			high[k] += w.high(j) * x[i]
		}
	}
	return low, high
}

// high is coefficient k of the high-pass filter.
func (w Wavelet) high(k int) float64 {
	h := w.filter[len(w.filter)-1-k]
	if k%2 == 1 {
		return -h
	}
	return h
}

// Reconstruct returns the n samples that Decompose made the parts of.
func (w Wavelet) Reconstruct(parts [][]float64, n int) ([]float64, error) {
	if len(parts) < 2 {
		return nil, errors.Errorf("bss: wavelet: %d parts: want an approximation and details", len(parts))
	}
	sizes := []int{n}
	for range len(parts) - 2 {
		sizes = append(sizes, (sizes[len(sizes)-1]+len(w.filter)-1)/2)
	}
	x := parts[0]
	for k, high := range parts[1:] {
		size := sizes[len(sizes)-1-k]
		if want := (size + len(w.filter) - 1) / 2; len(high) != want || len(x) != want {
			return nil, errors.Errorf("bss: wavelet: %d and %d coefficients at level %d of %d samples: want %d", len(x), len(high), len(sizes)-k, n, want)
		}
		x = w.join(x, high, size)
	}
	return x, nil
}

// join is one level back: the transpose of split without mirrored ends, of which the samples are complete.
func (w Wavelet) join(low, high []float64, n int) []float64 {
	x := make([]float64, n)
	l := len(w.filter)
	for k := range low {
		for j, h := range w.filter {
			if i := 2*k + 2 - l + j; i >= 0 && i < n {
				x[i] += h*low[k] + w.high(j)*high[k]
			}
		}
	}
	return x
}

// Coefficients returns the parts of every channel of x [samples, channels], one after the other: [coefficients, channels].
func (w Wavelet) Coefficients(x *mat.Dense, levels int) (*mat.Dense, error) {
	rows, channels := x.Dims()
	column := make([]float64, rows)
	var out *mat.Dense
	for j := range channels {
		mat.Col(column, j, x)
		parts, err := w.Decompose(column, levels)
		if err != nil {
			return nil, errors.WithMessagef(err, "channel %d", j+1)
		}
		all := slices.Concat(parts...)
		if out == nil {
			out = mat.NewDense(len(all), channels, nil)
		}
		out.SetCol(j, all)
	}
	return out, nil
}
