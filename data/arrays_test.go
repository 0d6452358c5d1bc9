package data

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// nameless is what a column is called whose name does not matter.
func nameless(int) string { return "a column" }

// grid is n rows of a width, drawn at random.
func grid(seed uint64, n, width int) [][]float64 {
	r := rand.New(rand.NewPCG(seed, 0))
	rows := make([][]float64, n)
	for i := range rows {
		for j := range width {
			rows[i] = append(rows[i], float64(j)+math.Pow(10, float64(j-1))*r.NormFloat64())
		}
	}
	return rows
}

// Oracle: gonum's mean and population standard deviation of each column of the training part, to rounding; the test part is
// standardised by the same. The fourth column is constant and becomes 0.
func TestArrays_AreStandardisedByTheTrainingPart(t *testing.T) {
	x, held := grid(1, 50, 3), grid(2, 7, 3)
	for _, rows := range [][][]float64{x, held} {
		for i := range rows {
			rows[i] = append(rows[i], .1)
		}
	}
	labels := func(n int) []int {
		y := make([]int, n)
		for i := range y {
			y[i] = i % 3
		}
		return y
	}
	a := Arrays[float64]{Name: "mine", Inputs: x, Labels: labels(50), TestInputs: held, TestLabels: labels(7)}
	train, test, err := a.Load()
	if err != nil {
		t.Fatal(err)
	}
	if train.Name != "mine train" || train.Classes() != 3 || train.In() != 4 || train.Len() != 50 || test.Len() != 7 || train.ClassNames() != nil {
		t.Errorf("%q %d -> %d, %d + %d", train.Name, train.In(), train.Classes(), train.Len(), test.Len())
	}
	scales := train.Scales()
	for j := range 4 {
		column := make([]float64, len(x))
		for i := range x {
			column[i] = x[i][j]
		}
		mean, deviation := stat.PopMeanStdDev(column, nil)
		if j == 3 {
			mean, deviation = .1, 1
		}
		if s := scales[j]; math.Abs(s.Mean-mean) > 1e-12*deviation || math.Abs(s.Deviation-deviation) > 1e-12*deviation {
			t.Errorf("column %d: %v, want %v %v", j, s, mean, deviation)
		}
	}
	for set, rows := range map[*Set][][]float64{train: x, test: held} {
		got := make([]float64, 4)
		for i := range rows {
			Fill(set, got, nil, []int{i})
			for j, v := range got {
				if v != scales[j].Apply(rows[i][j]) || j == 3 && v != 0 {
					t.Errorf("%s: sample %d: %v", set.Name, i, got)
				}
			}
		}
	}
	if x[0][3] != .1 {
		t.Error("the caller's memory was changed")
	}
	a.Prepare.Raw = true
	if train, _, err = a.Load(); err != nil || train.Scales() != nil {
		t.Fatal(err, train.Scales())
	}
	got := make([]float64, 4)
	if Fill(train, got, nil, []int{9}); !slices.Equal(got, x[9]) {
		t.Errorf("raw: %v, want %v", got, x[9])
	}
}

// Oracle: gonum's mean and deviation of the training part's targets. Targets of pictures of bytes have them too, labels never.
func TestArrays_TargetsOfARegressionAreStandardised(t *testing.T) {
	x, y := grid(4, 20, 2), grid(5, 20, 2)
	train, test, err := Arrays[float64]{Inputs: x, Targets: y, TestInputs: x[:3], TestTargets: y[:3]}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for j := range 2 {
		column := make([]float64, len(y))
		for i := range y {
			column[i] = y[i][j]
		}
		mean, deviation := stat.PopMeanStdDev(column, nil)
		if s := train.TargetScales()[j]; math.Abs(s.Mean-mean) > 1e-12*deviation || math.Abs(s.Deviation-deviation) > 1e-12*deviation {
			t.Errorf("output %d: %v, want %v %v", j, s, mean, deviation)
		}
	}
	z := make([]float64, 2)
	for i := range test.Len() {
		Fill(test, nil, z, []int{i})
		for j := range z { // three roundings
			if s := test.TargetScales()[j]; z[j] != s.Apply(y[i][j]) || math.Abs(s.Invert(z[j])-y[i][j]) > 1e-15*(math.Abs(y[i][j])+math.Abs(s.Mean)+s.Deviation) {
				t.Errorf("sample %d: %v, want those of %v", i, z, y[i])
			}
		}
	}
	s := &samples{n: 2, axes: []int{1, 1, 1}, pixels: []uint8{0, 9}, width: 1, targets: []float64{3, 5}, inputName: nameless, targetName: nameless}
	if train, _, err = (Preparation{HeldOut: .5}).sets("bytes", s, nil); err != nil || train.TargetScales()[0] != (Scale{Mean: train.TargetScales()[0].Mean, Deviation: 1}) {
		t.Errorf("%v: of a single training sample: %v", err, train.TargetScales())
	}
	for _, a := range []Arrays[float64]{{Inputs: x, Targets: y, Prepare: Preparation{Raw: true}}, {Inputs: x, Labels: append(make([]int, 19), 1)}} {
		if train, _, err = a.Load(); err != nil || train.TargetScales() != nil {
			t.Errorf("%v: %v, want none", err, train.TargetScales())
		}
	}
}

// Every sample is in exactly one part, the seed alone says in which, and a part has as many as the fraction says, rounded.
func TestArrays_HeldOutPart(t *testing.T) {
	x, y := make([][]float32, 23), make([][]float32, 23)
	for i := range x {
		x[i], y[i] = []float32{float32(i)}, []float32{float32(i) / 2}
	}
	parts := func(seed uint64, fraction float64) (train, test []float64) {
		a, b, err := Arrays[float32]{Inputs: x, Targets: y, Prepare: Preparation{Raw: true, HeldOut: fraction, Seed: seed}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range []*Set{a, b} {
			for i := range set.Len() {
				var in, out [1]float64
				Fill(set, in[:], out[:], []int{i})
				if out[0] != in[0]/2 {
					t.Errorf("input %v has target %v", in, out)
				}
				if set == a {
					train = append(train, in[0])
				} else {
					test = append(test, in[0])
				}
			}
		}
		return train, test
	}
	for fraction, want := range map[float64]int{0: 5, .3: 7, .001: 1, .9: 21} {
		train, test := parts(1, fraction)
		all := slices.Sorted(slices.Values(append(slices.Clone(train), test...)))
		if len(test) != want || len(all) != 23 || len(slices.Compact(all)) != 23 {
			t.Errorf("fraction %v: %d + %d samples", fraction, len(train), len(test))
		}
	}
	_, one := parts(1, 0)
	if _, again := parts(1, 0); !slices.Equal(one, again) {
		t.Error("the same seed holds out other samples")
	}
	if _, two := parts(2, 0); slices.Equal(one, two) {
		t.Error("another seed holds out the same samples")
	}
}

// Pictures have one mean and one deviation per channel, over all pixels. Oracle: gonum. Norm leads back to bytes from black, the
// smallest number, to white; bytes are as MNIST's.
func TestArrays_PicturesOfNumbers(t *testing.T) {
	x := grid(3, 9, 12) // 2 x 3 pixels of 2 channels
	labels := []int{0, 1, 0, 1, 0, 1, 0, 1, 1}
	a := Arrays[float64]{Inputs: x, Labels: labels, TestInputs: x[:2], TestLabels: labels[:2], Prepare: Preparation{Shape: Shape{Height: 2, Width: 3, Channels: 2}}}
	for _, raw := range []bool{false, true} {
		a.Prepare.Raw = raw
		train, test, err := a.Load()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(train.InShape(), []int{2, 3, 2}) {
			t.Errorf("shape %v", train.InShape())
		}
		low, high := slices.Min(slices.Concat(x...)), slices.Max(slices.Concat(x...))
		for c := range 2 {
			var channel []float64
			for _, row := range x {
				for j := c; j < len(row); j += 2 {
					channel = append(channel, row[j])
				}
			}
			if mean, deviation := stat.PopMeanStdDev(channel, nil); !raw {
				if s := train.Scales()[c]; math.Abs(s.Mean-mean) > 1e-12*deviation || math.Abs(s.Deviation-deviation) > 1e-12*deviation {
					t.Errorf("channel %d: %v, want %v %v", c, s, mean, deviation)
				}
			}
		}
		for i := range 2 {
			for j, v := range test.Pixels(i) {
				if want := 255 * (x[i][j] - low) / (high - low); math.Abs(float64(v)-want) > .5+1e-9 {
					t.Errorf("pixel %d is %d, want %v", j, v, want)
				}
			}
		}
		if part := train.Slice(1, 3); part.Shape() != train.Shape() || len(part.Pixels(0)) != 12 {
			t.Errorf("slice: %v", part.Shape())
		}
	}
	if _, err := (&Set{values: x[0], shape: Shape{1, 1, 1}}).Augmented(Augment{Flip: true}); err == nil {
		t.Error("pictures of numbers cannot be augmented")
	}
}

// Oracle: the definition over all bytes, by gonum.
func TestPreparation_PicturesOfBytesAreNormalisedByTheirOwn(t *testing.T) {
	s := &samples{n: 2, axes: []int{2, 2, 1}, pixels: []uint8{0, 10, 20, 30, 255, 40, 50, 60}, width: 1, targets: []float64{0, 1}, whole: true, inputName: nameless, targetName: nameless}
	values := make([]float64, len(s.pixels))
	for k, v := range s.pixels {
		values[k] = float64(v) / 255
	}
	mean, deviation := stat.PopMeanStdDev(values, nil)
	again := *s
	train, _, err := Preparation{}.sets("bytes", s, s)
	if err != nil {
		t.Fatal(err)
	}
	if n := train.Norm(0); math.Abs(n.Mean-mean) > 1e-15 || math.Abs(n.Std-deviation) > 1e-15 {
		t.Errorf("%v, want %v %v", n, mean, deviation)
	}
	if train, _, err = (Preparation{Raw: true}).sets("bytes", &again, &again); err != nil {
		t.Fatal(err)
	}
	x := make([]float64, 4)
	if Fill(train, x, nil, []int{1}); !slices.Equal(x, []float64{255, 40, 50, 60}) || train.Norm(0).Pixel(40) != 40 {
		t.Errorf("raw bytes are %v", x)
	}
}

func TestPreparation_WhatTargetsAre(t *testing.T) {
	x := [][]float64{{1}, {2}, {3}, {4}}
	labels := []int{0, 1, 2, 1}
	hot := [][]float64{{0, 1}, {1, 0}, {0, 1}, {0, 1}}
	numbers := [][]float64{{0}, {1}, {2}, {1}}
	for _, c := range []struct {
		a       Arrays[float64]
		classes int
		out     int
		reason  string
	}{
		{Arrays[float64]{Inputs: x, Labels: labels}, 3, 3, "labels"},
		{Arrays[float64]{Inputs: x, Labels: labels, Prepare: Preparation{Classes: 300}}, 300, 300, "more classes than a byte counts"},
		{Arrays[float64]{Inputs: x, Labels: []int{0, 299, 0, 0}, Prepare: Preparation{Classes: 300}}, 300, 300, "a label above 255"},
		{Arrays[float64]{Inputs: x, Targets: hot}, 2, 2, "one-hot rows"},
		{Arrays[float64]{Inputs: x, Targets: hot, Prepare: Preparation{Task: Regression}}, 0, 2, "one-hot rows as numbers"},
		{Arrays[float64]{Inputs: x, Targets: numbers}, 0, 1, "real numbers"},
		{Arrays[float64]{Inputs: x, Targets: numbers, Prepare: Preparation{Task: Classification}}, 3, 3, "whole real numbers as labels"},
		{Arrays[float64]{Inputs: x, Labels: labels, Prepare: Preparation{Task: Regression}}, 0, 1, "whole numbers to be predicted"},
	} {
		train, test, err := c.a.Load()
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		if train.Classes() != c.classes || train.Out() != c.out {
			t.Errorf("%s: %d classes, %d outputs", c.reason, train.Classes(), train.Out())
		}
		fillAll(t, train, test)
	}
}

func TestArrays_ErrorsSayPlaceAndRemedy(t *testing.T) {
	x, y := [][]float64{{1, 2}, {3, 4}, {5, 6}}, []int{0, 1, 1}
	for _, c := range []struct {
		a      Arrays[float64]
		want   string
		remedy string
	}{
		{Arrays[float64]{}, "Inputs is empty", "a row for each sample"},
		{Arrays[float64]{Inputs: [][]float64{{1, 2}, {3}}, Labels: y[:2]}, "Inputs[1] has 1 numbers, and Inputs[0] 2", "one length"},
		{Arrays[float64]{Inputs: [][]float64{{}, {}}, Labels: y[:2]}, "Inputs[0] has 0 numbers", "not empty"},
		{Arrays[float64]{Inputs: x, Labels: y[:2]}, "3 rows of Inputs and 2 of Labels", "as many"},
		{Arrays[float64]{Inputs: x}, "3 rows of Inputs and 0 of Targets", "as many"},
		{Arrays[float64]{Inputs: x, Labels: y, Targets: x}, "both Labels and Targets", "give one"},
		{Arrays[float64]{Inputs: x, Labels: y, TestInputs: x, TestTargets: x}, "one part has Labels", "the same of both"},
		{Arrays[float64]{Inputs: x, Labels: y, TestLabels: y}, "TestInputs is empty", "a row"},
		{Arrays[float64]{Inputs: x, Labels: y, TestInputs: [][]float64{{1}}, TestLabels: []int{0}}, "training samples are [2] -> [1], those of the test part [1] -> [1]", "one shape"},
		{Arrays[float64]{Inputs: [][]float64{{1, 2}, {3, math.NaN()}}, Labels: y[:2]}, "Inputs[1][1] is NaN", "finite"},
		{Arrays[float64]{Inputs: x, Targets: [][]float64{{1}, {2}, {math.Inf(1)}}}, "Targets[2][0] is +Inf", "finite"},
		{Arrays[float64]{Inputs: x, Labels: []int{0, -1, 1}}, "Labels[1]: label -1", "correct it"},
		{Arrays[float64]{Inputs: x, Labels: []int{0, 1, 2}, Prepare: Preparation{Classes: 2}}, "Labels[2]: label 2, expected a whole number in 0..1", "correct it"},
		{Arrays[float64]{Inputs: x, Labels: y, TestInputs: x, TestLabels: []int{0, 1, 1 << 16}}, "TestLabels[2]: label 65536", "Regression"},
		{Arrays[float64]{Inputs: x, Labels: y, Prepare: Preparation{Classes: -1}}, "Classes is -1", "give 1"},
		{Arrays[float64]{Inputs: x, Targets: [][]float64{{0, 1}, {1, 0}, {0, 1}}, Prepare: Preparation{Classes: 3}}, "one-hot rows of 2", "leave Classes out"},
		{Arrays[float64]{Inputs: x, Labels: y, Prepare: Preparation{Task: 7}}, "Task is 7", "give Auto"},
		{Arrays[float64]{Inputs: x, Labels: y, Prepare: Preparation{Task: Regression, Classes: 2}}, "Classes are given", "leave one"},
		{Arrays[float64]{Inputs: x, Labels: y, Prepare: Preparation{HeldOut: math.NaN()}}, "HeldOut is NaN", "fraction"},
		{Arrays[float64]{Inputs: x, Labels: y, Prepare: Preparation{Shape: Shape{Height: 2}}}, "Shape is 2 x 0", "zero Shape"},
		{Arrays[float64]{Inputs: x, Labels: y, Prepare: Preparation{Shape: Shape{3, 2, 1}}}, "inputs have 2", "as many"},
		{Arrays[float64]{Inputs: [][]float64{{0}, {1e-30}}, Labels: y[:2], TestInputs: [][]float64{{1e30}}, TestLabels: y[:1]}, "beyond float32", "Raw"},
	} {
		if _, _, err := c.a.Load(); err == nil || !strings.HasPrefix(err.Error(), "data: Arrays: ") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.remedy) {
			t.Errorf("%v, want %q and %q", err, c.want, c.remedy)
		}
	}
}
