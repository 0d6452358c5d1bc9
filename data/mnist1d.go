package data

import (
	"math"
	"math/rand/v2"
)

// MNIST1D is the ten digits as signals of 40 numbers, by the recipe of Greydanus and Kobak, "Scaling down deep learning with MNIST-1D"
// (arXiv 2011.14439): a template of 12 points is padded, scaled, translated, sheared, given correlated noise where it is
// silent and independent noise everywhere, and sampled at 40 points. Linear classifiers get about a third of the digits right,
// convolutional networks nearly all. [40] -> 10 classes in turn.
//
// The generator of random numbers is ours: samples have the distribution of the published ones and are not the same. Both parts are
// centred and scaled by the mean and deviation of the training part (the published ones by those of both together).
type MNIST1D struct {
	Train, Test int // samples; 0 means 4000 and 1000
	Seed        uint64
}

// The published settings.
const (
	mnist1dLength      = 72 // of a padded signal: the template and the longest padding
	mnist1dSamples     = 40
	mnist1dTranslation = 48 // at most, exclusive
	mnist1dScale       = .4
	mnist1dShear       = .75
	mnist1dCorrelated  = .25 // deviation of the noise before it is smoothed
	mnist1dIndependent = .02
	mnist1dSmoothing   = 2 // deviation of the Gaussian that smooths, in points
)

// mnist1dTemplates are the digits as heights at 12 equidistant points (the paper's figure 1).
var mnist1dTemplates = [10][12]float64{
	{5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5},
	{5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5},
	{5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5},
	{5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5},
	{5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5},
	{5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5},
	{5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5},
	{5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5},
	{5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5},
	{5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5},
}

// Load makes both parts. Errors: sizes that are negative or absurdly large.
func (m MNIST1D) Load() (train, test *Set, err error) {
	shapes := mnist1dTemplates
	for d := range shapes { // deviation 1/6, beginning at 0
		_, deviation := momentsOf(shapes[d][:])
		first := shapes[d][0]
		for i, v := range shapes[d] {
			shapes[d][i] = (v - first) / (6 * deviation)
		}
	}
	var signal mnist1dSignal
	train, test, err = toy{name: "MNIST-1D", train: or(m.Train, 4000), test: or(m.Test, 1000), seed: m.Seed, in: mnist1dSamples, out: 10, classes: 10,
		sample: func(r *rand.Rand, i int, x, _ []float64) int {
			signal.draw(r, shapes[i%10][:], x)
			return i % 10
		}}.load()
	if err != nil {
		return nil, nil, err
	}
	mean, deviation := momentsOf(train.values)
	for _, part := range []*Set{train, test} {
		for i, v := range part.values {
			part.values[i] = (v - mean) / deviation
		}
	}
	return train, test, nil
}

// momentsOf are mean and deviation (that of a population).
func momentsOf(v []float64) (mean, deviation float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		deviation += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(deviation)
}

// A mnist1dSignal is memory for one sample.
type mnist1dSignal struct {
	padded, signal, white, smooth [mnist1dLength]float64
}

// draw writes a sample to x.
func (s *mnist1dSignal) draw(r *rand.Rand, template, x []float64) {
	long := len(template) + 36 + r.IntN(25)
	copy(s.padded[:], template)
	clear(s.padded[len(template):])
	for i := range template {
		s.padded[i] += 1e-8 // so that silence, which gets the correlated noise, is padding alone
	}
	resample(s.signal[:], s.padded[:long])

	scale := 1 + mnist1dScale*(r.Float64()-.5)
	shift := r.IntN(mnist1dTranslation)
	for i := range s.white {
		s.white[i] = mnist1dCorrelated * r.NormFloat64()
	}
	smoothInto(s.smooth[:], s.white[:])
	lean := mnist1dShear * (r.Float64() - .5)
	for i := range s.padded {
		v := scale * s.signal[(i-shift+mnist1dLength)%mnist1dLength]
		if v == 0 {
			v = s.smooth[i]
		}
		v += mnist1dIndependent * r.NormFloat64()
		s.padded[i] = v - lean*(float64(i)/(mnist1dLength-1)-.5)
	}
	resample(x, s.padded[:])
}

// resample writes src, whose points are equidistant, at as many equidistant points as dst has, linear in between.
func resample(dst, src []float64) {
	for i := range dst {
		at := float64(i) * float64(len(src)-1) / float64(len(dst)-1)
		k := min(int(at), len(src)-2)
		dst[i] = src[k] + (at-float64(k))*(src[k+1]-src[k])
	}
}

// smoothInto convolves with a Gaussian that is cut at four deviations; beyond the ends src goes on as its mirror image.
func smoothInto(dst, src []float64) {
	const radius = 4 * mnist1dSmoothing
	var weight [radius + 1]float64
	sum := 0.
	for k := range weight {
		weight[k] = math.Exp(-.5 * float64(k*k) / (mnist1dSmoothing * mnist1dSmoothing))
		sum += weight[k]
		if k > 0 {
			sum += weight[k]
		}
	}
	for i := range dst {
		dst[i] = 0
		for k := -radius; k <= radius; k++ {
			j := i + k
			switch {
			case j < 0:
				j = -1 - j
			case j >= len(src):
				j = 2*len(src) - 1 - j
			}
			dst[i] += weight[max(k, -k)] / sum * src[j]
		}
	}
}
