package data

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Linear is linear regression, y = x A + N(0, Noise^2), [In] -> [Out], with x ~ N(0, 1) and A ~ N(0, 1/In), so that y is of
// order 1 at every width. Truth returns A.
type Linear struct {
	In, Out     int     // widths, 1..4096; 0 means 8 and 4
	Train, Test int     // samples; 0 means 1000 and 200
	Noise       float64 // standard deviation on y; 0 means exact targets
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative, not finite or absurdly large.
func (t Linear) Load() (train, test *Set, err error) {
	a, err := t.Truth()
	if err != nil {
		return nil, nil, err
	}
	in, out := t.widths()
	sample := func(r *rand.Rand, _ int, x, y []float64) int {
		for j := range x {
			x[j] = r.NormFloat64()
			for k, ajk := range row(a, out, j) {
				y[k] += x[j] * ajk
			}
		}
		return 0
	}
	return toy{name: "Linear", train: t.Train, test: t.Test, noise: t.Noise, seed: t.Seed,
		in: in, out: out, sample: sample}.load()
}

// Truth returns the A that Load uses, [In, Out] row-major; it depends on Seed, In and Out only. Errors: widths out of range.
func (t Linear) Truth() ([]float64, error) {
	const maxWidth = 1 << 12
	if err := within("In", t.In, 1, maxWidth); err != nil {
		return nil, errors.Wrap(err, "data: Linear")
	}
	if err := within("Out", t.Out, 1, maxWidth); err != nil {
		return nil, errors.Wrap(err, "data: Linear")
	}
	in, out := t.widths()
	a := make([]float64, in*out)
	r := truthStream.generator(t.Seed)
	for i := range a {
		a[i] = r.NormFloat64() / math.Sqrt(float64(in))
	}
	return a, nil
}

func (t Linear) widths() (in, out int) { return or(t.In, 8), or(t.Out, 4) }

// Sine is regression on a sine, y = sin x + N(0, Noise^2), x uniform in [-pi, pi), [1] -> [1].
type Sine struct {
	Train, Test int     // samples; 0 means 1000 and 200
	Noise       float64 // standard deviation on y; 0 means exact targets
	Seed        uint64
}

// Load makes both parts. Errors: options that are negative, not finite or absurdly large.
func (t Sine) Load() (train, test *Set, err error) {
	sample := func(r *rand.Rand, _ int, x, y []float64) int {
		x[0] = math.Pi * (2*r.Float64() - 1)
		y[0] = math.Sin(x[0])
		return 0
	}
	return toy{name: "Sine", train: t.Train, test: t.Test, noise: t.Noise, seed: t.Seed,
		in: 1, out: 1, sample: sample}.load()
}
