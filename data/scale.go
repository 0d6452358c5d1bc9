package data

import (
	"fmt"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/moments"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
	"github.com/pcgraph/pcgraph/internal/words"
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

// measure finds the scaling that a training part suggests: of pictures by channel, of others by input, and of the targets of a
// regression by output.
func (e *Encoding) measure(train *Set, s *samples) {
	if e.Task == Regression && !e.Raw {
		e.TargetScales, s.constantTargets = scales(moments.Columns(train.targets, train.out, s.targetEps))
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
		e.InputScales, s.constantInputs = scales(moments.Bytes(train.pixels, groups))
	default:
		e.InputScales, s.constantInputs = scales(moments.Columns(train.values, groups, s.eps))
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

// scales are those of a room.
func scales(of []moments.Scale, constant []int) (as []Scale, same []int) {
	for _, m := range of {
		as = append(as, Scale(m))
	}
	return as, constant
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
