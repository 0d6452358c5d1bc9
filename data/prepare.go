package data

import (
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// A Task says what targets are.
type Task int

const (
	// Auto is Classification where targets are whole numbers by type (integers, bool), names, or one-hot rows, and Regression
	// where they are real numbers.
	Auto           Task = iota
	Classification      // labels 0..Classes-1, or one-hot rows
	Regression          // numbers
)

// A Preparation makes a training and a test part of a user's own numbers. Its zero value standardises the inputs and, of a
// regression, the targets, by the training part alone, and holds a fifth of the samples out where there is no test part.
type Preparation struct {
	Task    Task    // what targets are
	Classes int     // at most 65536; 0 means the largest label plus 1, or the names there are
	Shape   Shape   // that inputs are pictures, [Height, Width, Channels]; zero means what the array's axes say
	Raw     bool    // leave inputs and targets as they are
	HeldOut float64 // fraction of the samples that becomes the test part, if there is none; 0 means 0.2
	Seed    uint64  // of the choice which
}

const (
	maxClasses = 1 << 16 // labels are kept in 16 bits
	heldOut    = 0.2
)

// samples are one part of a data set as it was read.
type samples struct {
	n      int
	axes   []int     // of one input
	pixels []uint8   // [n, axes]; or
	values []float64 // [n, axes]

	width   int       // of a target
	targets []float64 // [n, width]
	whole   bool      // targets are whole numbers by type
	classes []string  // their names, if targets are indices of them

	files         []File
	input, target func(i, j int) string // where element j of sample i is, for errors
}

// sets makes both parts of a data set; a nil test is held out of train, in which case the memory of train may be reused.
func (p Preparation) sets(name string, train, test *samples) (*Set, *Set, error) {
	parts := []*samples{train}
	if test != nil {
		parts = append(parts, test)
	}
	if err := p.validate(); err != nil {
		return nil, nil, err
	}
	for _, s := range parts {
		if err := s.check(); err != nil {
			return nil, nil, err
		}
		if !slices.Equal(s.axes, train.axes) || s.width != train.width {
			return nil, nil, errors.Errorf("training samples are %v -> [%d], those of the test part %v -> [%d]: give both of one shape",
				train.axes, train.width, s.axes, s.width)
		}
	}
	if err := p.layOut(parts); err != nil {
		return nil, nil, err
	}
	classes, labels, err := p.labels(parts)
	if err != nil {
		return nil, nil, err
	}
	sets := make([]*Set, len(parts))
	for k, s := range parts {
		set := &Set{n: s.n, in: product(train.axes), out: s.width, pixels: s.pixels, values: s.values, classes: train.classes}
		if set.pixels != nil || len(train.axes) == 3 {
			set.shape = Shape{Height: train.axes[0], Width: train.axes[1], Channels: train.axes[2]}
		}
		if classes > 0 {
			set.out, set.labels = classes, labels[k]
		} else {
			set.targets = s.targets
		}
		sets[k] = set
	}
	if test == nil {
		if sets, err = p.split(sets[0]); err != nil {
			return nil, nil, err
		}
	}
	if err := p.normalise(sets[0], sets[1]); err != nil {
		return nil, nil, err
	}
	sets[0].Name, sets[1].Name = name+" train", name+" test"
	if test == nil {
		sets[1].Name = name + " held out"
	}
	return sets[0], sets[1], nil
}

func (p Preparation) validate() error {
	s := p.Shape
	switch {
	case p.Task < Auto || p.Task > Regression:
		return errors.Errorf("Task is %d: give Auto, Classification or Regression", int(p.Task))
	case p.Classes < 0 || p.Classes > maxClasses:
		return errors.Errorf("Classes is %d: give 1..%d, or 0 for the default", p.Classes, maxClasses)
	case p.Classes > 0 && p.Task == Regression:
		return errors.New("Classes are given for the Task Regression: leave one of them out")
	case !(p.HeldOut >= 0 && p.HeldOut < 1):
		return errors.Errorf("HeldOut is %v: give a fraction between 0 and 1, or 0 for the default %v", p.HeldOut, heldOut)
	case s == Shape{}:
		return nil
	case s.Height < 1 || s.Width < 1 || s.Channels < 1 || s.Height > maxSide || s.Width > maxSide || s.Channels > maxSide:
		return errors.Errorf("Shape is %d x %d pixels of %d channels: give 1..%d of each, or the zero Shape", s.Height, s.Width, s.Channels, maxSide)
	}
	return nil
}

// check finds what no network can learn from.
func (s *samples) check() error {
	if s.n == 0 {
		return errors.New("no samples: give one or more")
	}
	find := func(a []float64, width int, place func(i, j int) string) error {
		for k, v := range a {
			if !(math.Abs(v) <= math.MaxFloat32) {
				return errors.Errorf("%s is %v: give finite numbers within float32, or leave the sample out", place(k/width, k%width), v)
			}
		}
		return nil
	}
	if err := find(s.values, product(s.axes), s.input); err != nil {
		return err
	}
	return find(s.targets, s.width, s.target)
}

// layOut gives all parts the axes [height, width, channels] of pictures, or one axis. Bytes that are no pictures become numbers.
func (p Preparation) layOut(parts []*samples) error {
	axes, in := parts[0].axes, product(parts[0].axes)
	planes := false // of channels, one after the other
	switch want := []int{p.Shape.Height, p.Shape.Width, p.Shape.Channels}; {
	case p.Shape != Shape{}:
		if product(want) != in {
			return errors.Errorf("Shape is %d x %d pixels of %d channels, which is %d numbers, and inputs have %d %v: give a Shape of as many",
				want[0], want[1], want[2], product(want), in, axes)
		}
		planes = slices.Equal(axes, []int{want[2], want[0], want[1]}) && !slices.Equal(axes, want)
		axes = want
	case len(axes) == 1:
	case len(axes) == 2:
		axes = []int{axes[0], axes[1], 1}
	case len(axes) == 3:
		if planes = axes[0] <= 4 && axes[2] > 4; planes {
			axes = []int{axes[1], axes[2], axes[0]}
		}
	default:
		return errors.Errorf("inputs have axes %v: reshape them to [n, inputs], or to [n, height, width, channels] for pictures", axes)
	}
	for _, s := range parts {
		if s.axes = axes; planes {
			s.pixels, s.values = channelsLast(s.pixels, axes), channelsLast(s.values, axes)
		}
		if len(axes) == 1 && s.pixels != nil {
			s.values, s.pixels = npyArray{bytes: s.pixels}.numbers(), nil
		}
	}
	return nil
}

// channelsLast returns pictures [channels, height, width] as [height, width, channels], which axes are; nil stays nil.
func channelsLast[E any](a []E, axes []int) []E {
	channels := axes[2]
	if a == nil || channels == 1 {
		return a
	}
	in, area := product(axes), axes[0]*axes[1]
	moved := make([]E, len(a))
	for at := 0; at < len(a); at += in {
		for j := range in {
			moved[at+j] = a[at+j%channels*area+j/channels]
		}
	}
	return moved
}

// labels returns the number of classes and the labels of each part; 0 classes for a regression.
func (p Preparation) labels(parts []*samples) (classes int, labels [][]uint16, err error) {
	task, hot, err := p.task(parts)
	if err != nil || task == Regression {
		return 0, nil, err
	}
	first, most, n := parts[0], 0, 0
	for _, s := range parts {
		of := make([]uint16, s.n)
		for i := range of {
			label := row(s.targets, s.width, i)[0]
			if hot {
				label = float64(slices.Index(row(s.targets, s.width, i), 1))
			}
			bound := or(p.Classes, maxClasses)
			if label != math.Trunc(label) || label < 0 || label >= float64(bound) {
				return 0, nil, errors.Errorf("%s: label %v, expected a whole number in 0..%d: correct it, or give the Task Regression if "+
					"targets are numbers to be predicted", s.target(i, 0), label, bound-1)
			}
			of[i] = uint16(label)
			most = max(most, int(label))
		}
		labels = append(labels, of)
		n += s.n
	}
	switch {
	case hot && p.Classes > 0 && p.Classes != first.width:
		return 0, nil, errors.Errorf("Classes is %d, and targets are one-hot rows of %d: leave Classes out", p.Classes, first.width)
	case p.Classes > 0:
		return p.Classes, labels, nil
	case first.classes != nil:
		return len(first.classes), labels, nil
	case hot:
		return first.width, labels, nil
	case most+1 > n && most > 1:
		return 0, nil, errors.Errorf("the largest label is %d, of %d samples: give Classes if there are as many, or the Task Regression if "+
			"targets are numbers to be predicted", most, n)
	}
	return most + 1, labels, nil
}

// task returns what targets are, and whether they are one-hot.
func (p Preparation) task(parts []*samples) (task Task, hot bool, err error) {
	first := parts[0]
	hot, whole := first.width > 1, first.width == 1
	for _, s := range parts {
		at, is := s.oneHot()
		if p.Task == Classification && s.width > 1 && !is {
			return 0, false, errors.Errorf("%s: the row is not one-hot, a single 1 and the rest 0: correct it, give one label for a sample, "+
				"or the Task Regression", s.target(at, 0))
		}
		hot, whole = hot && is, whole && s.whole
	}
	switch {
	case p.Task == Regression && first.classes != nil:
		return 0, false, errors.Errorf("%s: targets are names, and the Task is Regression: give numbers, or leave the Task out", first.target(0, 0))
	case p.Task != Auto:
		return p.Task, hot, nil
	case hot || whole:
		return Classification, hot, nil
	}
	return Regression, false, nil
}

// oneHot tells whether every target is a single 1 and zeros; else, the first sample whose target is not.
func (s *samples) oneHot() (at int, is bool) {
	for i := range s.n {
		ones := 0
		for _, v := range row(s.targets, s.width, i) {
			switch v {
			case 1:
				ones++
			case 0:
			default:
				ones = 2
			}
		}
		if ones != 1 {
			return i, false
		}
	}
	return 0, true
}

// split returns the training and the test part of a set, both in a random order.
func (p Preparation) split(s *Set) ([]*Set, error) {
	fraction := p.HeldOut
	if fraction == 0 {
		fraction = heldOut
	}
	held := max(1, int(math.Round(fraction*float64(s.n))))
	if held >= s.n {
		return nil, errors.Errorf("%d samples, of which %d held out for the test leave none to learn from: give more samples, a test "+
			"part, or another HeldOut", s.n, held)
	}
	order := splitStream.generator(p.Seed).Perm(s.n)
	return []*Set{s.pick(order[held:]), s.pick(order[:held])}, nil
}

// pick returns the samples of these indices, in new memory.
func (s *Set) pick(idx []int) *Set {
	part := *s
	part.n = len(idx)
	part.pixels, part.values = pickRows(s.pixels, s.in, idx), pickRows(s.values, s.in, idx)
	part.labels, part.targets = pickRows(s.labels, 1, idx), pickRows(s.targets, s.out, idx)
	return &part
}

func pickRows[E any](a []E, width int, idx []int) []E {
	if a == nil {
		return nil
	}
	picked := make([]E, 0, width*len(idx))
	for _, i := range idx {
		picked = append(picked, row(a, width, i)...)
	}
	return picked
}

// nameOf is what a file or folder is called, without what its name ends with.
func nameOf(path string) string {
	if full, err := filepath.Abs(path); err == nil { // "." has a name too
		path = full
	}
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// product is the number of elements of a shape.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
