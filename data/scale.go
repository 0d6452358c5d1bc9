package data

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/words"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// A Scale is how an input or a target was standardised: by mean and standard deviation (that of the population) over the training part. What
// does not vary there, but for rounding, has the Deviation 1.
type Scale struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
}

// UnmarshalJSON reads a scale, both of whose numbers must be there: a mean that is missing is not 0.
func (s *Scale) UnmarshalJSON(text []byte) error {
	var f struct{ Mean, Deviation *float64 }
	if err := jsonfloat.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Mean == nil || f.Deviation == nil {
		return errors.Errorf("data: Scale %s: mean or deviation is missing", text)
	}
	*s = Scale{*f.Mean, *f.Deviation}
	return nil
}

// Apply returns (x - Mean) / Deviation.
func (s Scale) Apply(x float64) float64 { return (x - s.Mean) / s.Deviation }

// Invert returns z Deviation + Mean, the inverse of Apply.
func (s Scale) Invert(z float64) float64 { return z*s.Deviation + s.Mean }

const (
	epsOf64 = 0x1p-52 // from 1 to the next float64
	epsOf32 = 0x1p-23
	epsOf16 = 0x1p-10
)

// measure finds the scaling that a training part suggests: of pictures by channel, of others by input, and of the targets of a
// regression by output.
func (e *Encoding) measure(train *Set, s *samples) {
	if e.Task == Regression && !e.Raw {
		e.TargetScales, s.constantTargets = scalesOf(train.targets, train.out, s.targetEps)
	}
	groups := train.in
	if train.shape != (Shape{}) {
		groups = train.shape.Channels
	}
	switch {
	case e.Bytes:
		for c := range groups {
			norm, varies := byteNorm(train.pixels, groups, c, e.Raw)
			if e.Norms = append(e.Norms, norm); !varies {
				s.constantInputs = append(s.constantInputs, c)
			}
		}
		return
	case e.Raw:
	case train.pixels != nil:
		e.InputScales, s.constantInputs = byteScales(train.pixels, groups)
	default:
		e.InputScales, s.constantInputs = scalesOf(train.values, groups, s.eps)
	}
	if train.shape == (Shape{}) {
		return
	}
	// What is white in one channel is white in the others: one range for all, in the numbers that were read.
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range train.values {
		low, high = min(low, v), max(high, v)
	}
	if low == high {
		high = low + 1
	}
	for c := range groups {
		black, white := low, high
		if !e.Raw {
			black, white = e.InputScales[c].Apply(low), e.InputScales[c].Apply(high)
		}
		e.Norms = append(e.Norms, Norm{Mean: -black / (white - black), Std: 1 / (white - black)})
	}
}

// apply scales a set whose numbers are as they were read.
func (e *Encoding) apply(set *Set, s *samples) error {
	if set.targets != nil && e.TargetScales != nil {
		if s.targets != nil { // else they were not read
			far, err := standardise(e.TargetScales, s.targetName, set.targets)
			if err != nil {
				return err
			}
			s.tellFar(far, e.TargetScales, s.targetName)
		}
		set.units = e.TargetScales
	}
	set.norms, set.scales = e.Norms, e.InputScales
	switch {
	case e.Bytes:
		for _, norm := range e.Norms {
			level := norm.table()
			if e.Raw {
				level = identity()
			}
			set.levels = append(set.levels, level)
		}
	case set.pixels != nil:
		set.levels = make([][256]float64, set.in)
		far := make([]float64, set.in)
		for j := range set.levels {
			set.levels[j] = identity()
			if e.Raw {
				continue
			}
			most, err := standardise(e.InputScales[j:j+1], func(int) string { return s.inputName(j) }, set.levels[j][:])
			if err != nil {
				return err
			}
			if most[0] > farAway { // of some byte, which may be none of the set's
				for k := j; k < len(set.pixels); k += set.in {
					far[j] = max(far[j], math.Abs(set.levels[j][set.pixels[k]]))
				}
			}
		}
		s.tellFar(far, e.InputScales, s.inputName)
	case e.InputScales != nil:
		name := func(j int) string {
			if len(e.Shape) == 3 {
				return fmt.Sprintf("channel %d", j)
			}
			return s.inputName(j)
		}
		far, err := standardise(e.InputScales, name, set.values)
		if err != nil {
			return err
		}
		s.tellFar(far, e.InputScales, name)
	}
	return nil
}

// farAway is the number of deviations from the mean of the training part beyond which a sample is told of. No one of n training samples
// lies further from it than sqrt(n - 1) deviations (Samuelson's inequality), so that it takes 1e8 of them to have one there.
const farAway = 1e4

// tellFar warns of columns in which samples lie far from the training part: far are the largest distances, in deviations. Such a column
// may be rounding alone, as what is left of (i + .3) - i or of shares that sum to 1: around zero this cannot be told from a signal that is
// small, since the mean gives no measure of how large the numbers were that it was computed from.
func (s *samples) tellFar(far []float64, scales []Scale, name func(j int) string) {
	var columns []string
	for j, d := range far {
		if d > farAway {
			columns = append(columns, fmt.Sprintf("%s, up to %.3g deviations of %.3g", name(j), d, scales[j].Deviation))
		}
	}
	if len(columns) == 0 {
		return
	}
	s.say("scaling", fmt.Sprintf("samples that were not trained on lie more than %g deviations from the mean of the training part in %s (%s): it hardly varies in the "+
		"training part, maybe by rounding alone: leave it out, or train with Raw", float64(farAway), words.Counted(len(columns), "column"), words.Listed(columns, 5)), "Raw", true)
}

// identity is what bytes stand for that are numbers as they are.
func identity() (level [256]float64) {
	for v := range level {
		level[v] = float64(v)
	}
	return level
}

// standardise applies scales to columns of inputs or outputs and returns the largest magnitude in each.
func standardise(scales []Scale, name func(j int) string, values []float64) (far []float64, err error) {
	far = make([]float64, len(scales))
	for k, v := range values {
		s := scales[k%len(scales)]
		if values[k] = s.Apply(v); !(math.Abs(values[k]) <= math.MaxFloat32) {
			return nil, errors.Errorf("%v, in %s of a sample, is beyond float32 once it is divided by %v, the standard deviation of the "+
				"training part: leave it out, or give Raw", v, name(k%len(scales)), s.Deviation)
		}
		if z := math.Abs(values[k]); z > far[k%len(scales)] {
			far[k%len(scales)] = z
		}
	}
	return far, nil
}

// byteNorm returns the normalisation of channel c of pictures, and whether the channel varies.
func byteNorm(pixels []uint8, channels, c int, raw bool) (norm Norm, varies bool) {
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
	norm = Norm{Mean: mean / 255, Std: math.Sqrt(squares/n) / 255}
	if squares == 0 {
		norm.Std = 1
	}
	if raw {
		norm = Norm{Mean: 0, Std: 1. / 255}
	}
	return norm, squares > 0
}

// byteScales is scalesOf for bytes, whose sums are exact.
func byteScales(values []uint8, groups int) (scales []Scale, constant []int) {
	sums, squares := make([]int64, groups), make([]int64, groups)
	for at := 0; at < len(values); at += groups {
		for g, b := range values[at : at+groups] {
			sums[g] += int64(b)
			squares[g] += int64(b) * int64(b)
		}
	}
	n := float64(len(values) / groups)
	for g := range groups {
		mean := float64(sums[g]) / n
		// n sum(v^2) - sum(v)^2 is exact below 2^63: up to 2^23 samples; beyond, the difference is of numbers that are rounded once each.
		square := (float64(squares[g]) - mean*float64(sums[g])) / n
		if len(values)/groups <= 1<<23 {
			m := int64(len(values) / groups)
			square = float64(m*squares[g]-sums[g]*sums[g]) / n / n
		}
		if square <= 0 {
			scales, constant = append(scales, Scale{Mean: mean, Deviation: 1}), append(constant, g)
			continue
		}
		scales = append(scales, Scale{Mean: mean, Deviation: math.Sqrt(square)})
	}
	return scales, constant
}

// scalesOf returns the Scale of each column of values [n, groups], and the columns that are constant up to rounding; eps is that of
// the precision that the values were kept in, 0 if they are whole numbers by type.
//
// When is a column constant up to rounding? Let every value be c (1 + d), where d comes from the rounding of a few operations: of a sum
// such as .1 + .2 for .3, a conversion of units, a logarithm. Then |d| <= k eps and, since no deviation can exceed the largest distance
// from c, the population variance is at most (k eps c)^2, whatever n is. The variance itself is computed from the differences to the
// first value, which are exact where values are within a factor of 2 of one another (Sterbenz), so that its own rounding is relative,
// (n + 3) 2^-53 of it and not of the mean's square: n does not enter the bound, and a sensor that reads 1e6 +- 1e-3 for ten million
// times stays what it is. A rule with n in it, var <= n eps var + (n mean eps)^2, which bounds the error of a sum that is not
// shifted, would take it for constant.
//
// k is a choice between noise of computing and small signals. In float64 there is room for it: k = 64, noise up to 1.4e-14 of the mean
// (32 + .3 - 32 has 1e-14), while data of that many true digits do not occur. In float32 and float16 there is less: measured numbers do
// reach their last digits. k = 4, which is 4.8e-7 of the mean; and 1.
//
// Numbers that went through float32 before they were kept as float64 or written as text have the rounding of float32. A column is
// taken to have done so if each of its values is a float32 exactly, or is the shortest decimal fraction that stands for one.
//
// Whole numbers are exact: they are constant only if they are equal.
func scalesOf(values []float64, groups int, eps float64) (scales []Scale, constant []int) {
	scales = make([]Scale, groups)
	n := float64(len(values) / groups)
	first := values[:groups:groups]
	varies := make([]bool, groups)
	for at := 0; at < len(values); at += groups {
		for g, v := range values[at : at+groups] {
			scales[g].Mean += (v - first[g]) / n
			varies[g] = varies[g] || v != first[g]
		}
	}
	for at := 0; at < len(values); at += groups {
		for g, v := range values[at : at+groups] {
			d := v - first[g] - scales[g].Mean
			scales[g].Deviation += d * d / n
		}
	}
	for g := range scales {
		mean, deviation := first[g]+scales[g].Mean, math.Sqrt(scales[g].Deviation)
		scales[g] = Scale{Mean: mean, Deviation: deviation}
		switch {
		case !varies[g]:
			scales[g] = Scale{Mean: first[g], Deviation: 1}
		case deviation == 0: // the differences are too small to square
			scales[g] = Scale{Mean: 0, Deviation: 1}
		case !constantUpToRounding(values, groups, g, scales[g], eps):
			continue
		default:
			scales[g].Deviation = 1
		}
		constant = append(constant, g)
	}
	return scales, constant
}

// constantUpToRounding says of a column that varies whether it is constant but for rounding; see scalesOf.
func constantUpToRounding(values []float64, groups, g int, s Scale, eps float64) bool {
	size := math.Abs(s.Mean)
	within := func(eps float64) bool { return s.Deviation <= roundings(eps)*eps*size }
	if eps == 0 || !within(eps) && !(eps == epsOf64 && within(epsOf32)) {
		return false
	}
	whole, single := true, true
	for k := g; k < len(values) && (whole || single); k += groups {
		v := values[k]
		whole = whole && v == math.Trunc(v) && math.Abs(v) < 1<<53
		single = single && isSingle(v)
	}
	if whole && eps == epsOf64 {
		return false
	}
	return within(eps) || single
}

// roundings is how many units eps numbers of a precision may be apart that are meant to be equal.
func roundings(eps float64) float64 {
	switch eps {
	case epsOf64:
		return 64
	case epsOf32:
		return 4
	}
	return 1
}

// isSingle reports whether v is a float32, or the shortest decimal fraction that stands for one.
func isSingle(v float64) bool {
	single := float32(v)
	if float64(single) == v {
		return true
	}
	shortest, err := strconv.ParseFloat(strconv.FormatFloat(float64(single), 'g', -1, 32), 64)
	return err == nil && shortest == v
}

// tellScaling says how numbers were scaled, and which of them are constant.
func (s *samples) tellScaling(e *Encoding, train *Set) {
	each := "each input"
	if len(e.Shape) == 3 {
		each = "each channel"
	}
	what := each + " has the mean 0 and the deviation 1 over the training part"
	if e.TargetScales != nil {
		what += ", and so has each target"
	}
	if e.Raw {
		what = "none: inputs and targets are as they are"
	}
	s.say("scaling", what, "Raw", false)
	for _, c := range []struct {
		of   []int
		all  int
		what string
		name func(j int) string
	}{
		{s.constantInputs, len(e.InputScales) + len(e.Norms), "input", s.inputName},
		{s.constantTargets, len(e.TargetScales), "target", s.targetName},
	} {
		if len(c.of) == 0 || e.Raw {
			continue
		}
		if c.what == "input" && len(e.Shape) == 3 {
			c.what, c.all, c.name = "channel", len(e.Norms), func(j int) string { return fmt.Sprintf("channel %d", j) }
		}
		var names []string
		for _, j := range c.of {
			names = append(names, c.name(j))
		}
		s.say("constant columns", fmt.Sprintf("%s of %d constant up to rounding in the training part and not scaled: %s", words.Counted(len(names), c.what), c.all, words.Listed(names, 5)),
			"Raw", train.n > 1 && (len(names) == c.all || c.what == "target"))
	}
}
