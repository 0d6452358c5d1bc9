package data

import (
	"math"

	"github.com/pkg/errors"
)

// A Scale is how an input or a target was standardised: by mean and standard deviation (that of the population) over the training part. What
// does not vary there has the Deviation 1.
type Scale struct{ Mean, Deviation float64 }

// Apply returns (x - Mean) / Deviation.
func (s Scale) Apply(x float64) float64 { return (x - s.Mean) / s.Deviation }

// Invert returns z Deviation + Mean, the inverse of Apply.
func (s Scale) Invert(z float64) float64 { return z*s.Deviation + s.Mean }

// normalise gives both sets the normalisation that the training part suggests: of pictures by channel, of others by input, and of
// the targets of a regression by output.
func (p Preparation) normalise(train, test *Set) error {
	if train.targets != nil && !p.Raw {
		units := scalesOf(train.targets, train.out)
		if err := standardise(units, "output", train.targets, test.targets); err != nil {
			return err
		}
		train.units, test.units = units, units
	}
	groups := train.in
	if train.shape != (Shape{}) {
		groups = train.shape.Channels
	}
	if train.pixels != nil {
		for c := range groups {
			norm, levels := byteNorm(train.pixels, groups, c, p.Raw)
			train.norms, train.levels = append(train.norms, norm), append(train.levels, levels)
		}
		test.norms, test.levels = train.norms, train.levels
		return nil
	}
	var scales []Scale
	if !p.Raw {
		scales = scalesOf(train.values, groups)
		if err := standardise(scales, "input", train.values, test.values); err != nil {
			return err
		}
	}
	train.scales, test.scales = scales, scales
	if train.shape == (Shape{}) {
		return nil
	}
	// What is white in one channel is white in the others: one range for all, in the numbers that were read.
	low, high := math.Inf(1), math.Inf(-1)
	unscaled := func(c int, v float64) float64 {
		if scales == nil {
			return v
		}
		return scales[c].Invert(v)
	}
	for k, v := range train.values {
		v = unscaled(k%groups, v)
		low, high = min(low, v), max(high, v)
	}
	if low == high {
		high = low + 1
	}
	for c := range groups {
		black, white := low, high
		if scales != nil {
			black, white = scales[c].Apply(low), scales[c].Apply(high)
		}
		train.norms = append(train.norms, Norm{Mean: -black / (white - black), Std: 1 / (white - black)})
	}
	test.norms = train.norms
	return nil
}

// standardise applies scales to columns of inputs or outputs.
func standardise(scales []Scale, what string, parts ...[]float64) error {
	for _, values := range parts {
		for k, v := range values {
			s := scales[k%len(scales)]
			if values[k] = s.Apply(v); !(math.Abs(values[k]) <= math.MaxFloat32) {
				return errors.Errorf("%v, %s %d of a sample, is beyond float32 once it is divided by %v, the standard deviation of the "+
					"training part: leave it out, or give Raw", v, what, k%len(scales), s.Deviation)
			}
		}
	}
	return nil
}

// byteNorm returns the normalisation of channel c of pictures, and what every byte becomes: itself, where it is raw.
func byteNorm(pixels []uint8, channels, c int, raw bool) (Norm, [256]float64) {
	if raw {
		norm := Norm{Mean: 0, Std: 1. / 255}
		var levels [256]float64
		for v := range levels {
			levels[v] = float64(v)
		}
		return norm, levels
	}
	var counts [256]float64
	for k := c; k < len(pixels); k += channels {
		counts[pixels[k]]++
	}
	var n, sum, squares float64
	for v, count := range counts {
		n, sum = n+count, sum+count*float64(v)
	}
	mean := sum / n
	for v, count := range counts {
		squares += count * (float64(v) - mean) * (float64(v) - mean)
	}
	norm := Norm{Mean: mean / 255, Std: math.Sqrt(squares/n) / 255}
	if squares == 0 {
		norm.Std = 1
	}
	return norm, norm.table()
}

// scalesOf returns the Scale of each column of values [n, groups].
func scalesOf(values []float64, groups int) []Scale {
	scales := make([]Scale, groups)
	n := float64(len(values) / groups)
	varies := make([]bool, groups)
	for k, v := range values {
		scales[k%groups].Mean += v / n
		varies[k%groups] = varies[k%groups] || v != values[k%groups]
	}
	for k, v := range values {
		d := v - scales[k%groups].Mean
		scales[k%groups].Deviation += d * d / n
	}
	for g := range scales {
		if scales[g].Deviation = math.Sqrt(scales[g].Deviation); !varies[g] || scales[g].Deviation == 0 {
			scales[g] = Scale{Mean: values[g], Deviation: 1}
			if varies[g] {
				scales[g].Mean = 0 // differences too small to square
			}
		}
	}
	return scales
}
