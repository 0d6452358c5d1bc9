package data

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/idx"
	"github.com/pcgraph/pcgraph/internal/words"
)

// A Task says what targets are.
type Task int

const (
	// Auto is Classification where targets are whole numbers by type (integers, bool), names, or one-hot rows, and Regression
	// where they are real numbers.
	Auto           Task = iota
	Classification      // labels 0..Classes-1, -1 and 1, one-hot rows, or names
	Regression          // numbers
)

// A Preparation makes a training and a test part of a user's own numbers. Its zero value standardises the inputs and, of a
// regression, the targets, by the training part alone, and holds a fifth of the samples out where there is no test part. What it decides
// is told by Set.Guesses: what the targets were read as, classes without samples, columns that are constant, the samples held out.
//
// A column that is constant in the training part, but for rounding, is not scaled: its Scale has the Deviation 1. What is rounding
// around zero cannot be told from a small signal; Guesses warns where samples that were not trained on lie 1e4 deviations away. Targets of one class
// alone are an error, also where the others are all held out by chance, and so are 20 or more that all differ, if they were read as classes by Auto: nothing can be learned of them.
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
	pixels []uint8   // [n, axes], of an array of bytes; or
	bytes  []uint8   // [n, axes], of numbers that all are whole ones in 0..255; or
	values []float64 // [n, axes]
	eps    float64   // distance from 1 to the next number in the precision that values were kept in; 0 of whole numbers by type

	width   int       // of a target
	targets []float64 // [n, width]
	whole   bool      // targets are whole numbers by type
	classes []string  // their names, if targets are indices of them

	targetEps     float64
	files         []File
	input, target func(i, j int) string // where element j of sample i is, for errors

	inputName, targetName func(j int) string // what a column of them is called
	otherTargets          func() string      // what else may be the targets, as advice

	constantInputs, constantTargets []int // columns, or channels, that are constant up to rounding
	guesses                         []Guess
}

// say adds a guess.
func (s *samples) say(about, taken, field string, likely bool) {
	s.guesses = append(s.guesses, Guess{About: about, Taken: taken, Field: field, Likely: likely})
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
	e := &Encoding{Raw: p.Raw}
	if err := p.layOut(parts, e); err != nil {
		return nil, nil, err
	}
	labels, err := p.labels(parts, e)
	if err != nil {
		return nil, nil, err
	}
	sets := make([]*Set, len(parts))
	for k, s := range parts {
		sets[k] = s.set(e)
		if labels != nil {
			sets[k].labels, s.targets = labels[k], nil
		} else {
			sets[k].targets = s.targets
		}
	}
	if test == nil {
		if sets, err = p.split(sets[0]); err != nil {
			return nil, nil, err
		}
		if e.Task == Classification {
			if err := p.oneClassLeft(e, train, sets[0], sets[1]); err != nil {
				return nil, nil, err
			}
		}
		train.say("held out", fmt.Sprintf("%d of %s, chosen with seed %d, are the test part", sets[1].n, words.Counted(train.n, "sample"), p.Seed), "HeldOut", false)
	}
	e.measure(sets[0], train)
	train.tellScaling(e, sets[0])
	train.tellClasses(e, sets[0], sets[1], p.Task)
	train.say("missing values", "not allowed: an input or a target that is missing or not finite is an error", "", false)
	for _, set := range sets {
		if err := e.apply(set, train); err != nil {
			return nil, nil, err
		}
		set.encoding = e
	}
	sets[0].Name, sets[1].Name = name+" train", name+" test"
	sets[0].Files, sets[1].Files = train.files, parts[len(parts)-1].files
	if test == nil {
		sets[1].Name = name + " held out"
	}
	guesses := train.guesses
	if test != nil {
		for _, g := range test.guesses {
			if !slices.Contains(guesses, g) {
				g.Taken = "test part: " + g.Taken
				guesses = append(guesses, g)
			}
		}
	}
	sets[0].guesses, sets[1].guesses = guesses, guesses
	return sets[0], sets[1], nil
}

// set is the samples as a set, still without targets and scaling.
func (s *samples) set(e *Encoding) *Set {
	set := &Set{n: s.n, in: product(s.axes), out: s.width, pixels: s.pixels, values: s.values}
	if s.bytes != nil {
		set.pixels = s.bytes
	}
	if len(s.axes) == 3 {
		set.shape = Shape{Height: s.axes[0], Width: s.axes[1], Channels: s.axes[2]}
	}
	if e.Task == Classification {
		set.out, set.classes = e.Classes, e.ClassNames
	}
	return set
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
	case s.Height < 1 || s.Width < 1 || s.Channels < 1 || s.Height > idx.MaxSide || s.Width > idx.MaxSide || s.Channels > idx.MaxSide:
		return errors.Errorf("Shape is %d x %d pixels of %d channels: give 1..%d of each, or the zero Shape", s.Height, s.Width, s.Channels, idx.MaxSide)
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

// layOut gives all parts the axes [height, width, channels] of pictures, or one axis.
func (p Preparation) layOut(parts []*samples, e *Encoding) error {
	first := parts[0]
	axes, in := first.axes, product(first.axes)
	e.Axes = slices.Clone(axes)
	guessed := func(axes []int, likely bool) {
		first.say("shape", fmt.Sprintf("inputs %v were read as pictures of %d x %d pixels, %s", e.Axes, axes[0], axes[1], words.Counted(axes[2], "channel")), "Shape", likely)
	}
	switch want := []int{p.Shape.Height, p.Shape.Width, p.Shape.Channels}; {
	case p.Shape != Shape{}:
		if product(want) != in {
			return errors.Errorf("Shape is %d x %d pixels of %d channels, which is %d numbers, and inputs have %d %v: give a Shape of as many",
				want[0], want[1], want[2], product(want), in, axes)
		}
		e.Planes = slices.Equal(axes, []int{want[2], want[0], want[1]}) && !slices.Equal(axes, want)
		axes = want
	case len(axes) == 1:
	case len(axes) == 2:
		axes = []int{axes[0], axes[1], 1}
		guessed(axes, false)
	case len(axes) == 3:
		both := axes[0] <= 4 && axes[2] <= 4 && axes[0] != 2 // channels may be first or last
		if e.Planes = axes[0] <= 4 && axes[2] > 4; e.Planes {
			axes = []int{axes[1], axes[2], axes[0]}
			first.say("shape", fmt.Sprintf("inputs %v were read as pictures of %d x %d pixels, %s, the channels first", e.Axes, axes[0], axes[1], words.Counted(axes[2], "channel")), "Shape", false)
		} else {
			guessed(axes, both || axes[2] > 4)
		}
	default:
		return errors.Errorf("inputs have axes %v: reshape them to [n, inputs], or to [n, height, width, channels] for pictures", axes)
	}
	e.Shape = axes
	for _, s := range parts {
		s.arrange(e)
	}
	e.Bytes = first.pixels != nil
	for _, s := range parts[1:] { // bytes here, numbers there: numbers everywhere
		if (s.pixels == nil) != (first.pixels == nil) {
			e.Bytes = false
		}
	}
	if !e.Bytes {
		for _, s := range parts {
			if s.pixels != nil {
				s.values, s.pixels = numbers(s.pixels), nil
			}
		}
	}
	return nil
}

// arrange gives samples the axes of an encoding. Bytes that are no pictures become numbers, as do numbers that are.
func (s *samples) arrange(e *Encoding) {
	axes := e.Shape
	if s.axes = axes; e.Planes {
		s.pixels, s.values = channelsLast(s.pixels, axes), channelsLast(s.values, axes)
	}
	switch {
	case len(axes) == 1 && s.pixels != nil:
		s.bytes, s.pixels = s.pixels, nil
	case len(axes) == 3 && s.bytes != nil:
		s.values, s.bytes = numbers(s.bytes), nil
	}
	if in := product(axes); s.bytes != nil && len(s.bytes)/in < minBytes {
		s.values, s.bytes = numbers(s.bytes), nil
	}
}

// numbers are bytes as numbers.
func numbers(bytes []uint8) []float64 {
	v := make([]float64, len(bytes))
	for i, b := range bytes {
		v[i] = float64(b)
	}
	return v
}

// minBytes is the number of samples from which on inputs that are bytes stay bytes: the numbers that they stand for take the memory
// of 256 samples.
const minBytes = 1 << 10

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

// oneHot reports whether every target is a single 1 and zeros; else, the first sample whose target is not.
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
	order := make([]uint32, s.n)
	for i := range order {
		order[i] = uint32(i)
	}
	splitStream.generator(p.Seed).Shuffle(s.n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	// The test part, which is drawn first, is put last.
	s.pixels, s.values = permute(s.pixels, s.in, order, held), permute(s.values, s.in, order, held)
	s.labels, s.targets = permute(s.labels, 1, order, held), permute(s.targets, s.out, order, held)
	return []*Set{s.Slice(0, s.n-held), s.part(s.n-held, s.n)}, nil
}

// part is Slice of a set that is one of its own: its first sample is sample 0.
func (s *Set) part(from, to int) *Set {
	part := s.Slice(from, to)
	part.first = 0
	return part
}

// permute returns a [n, width] with row order[(i + shift) mod n] in place i. Short rows are copied; long ones change places in the memory
// that they are in, so that a large table is not there twice.
func permute[E any](a []E, width int, order []uint32, shift int) []E {
	if a == nil {
		return nil
	}
	n := len(order)
	from := func(i int) int {
		if i += shift; i >= n {
			i -= n
		}
		return int(order[i])
	}
	if width <= 8 {
		moved := make([]E, 0, len(a))
		for i := range n {
			moved = append(moved, row(a, width, from(i))...)
		}
		return moved
	}
	done, kept := make([]bool, n), make([]E, width)
	for start := range n {
		if done[start] {
			continue
		}
		copy(kept, row(a, width, start))
		for i, next := start, 0; ; i = next {
			done[i] = true
			if next = from(i); next == start {
				copy(row(a, width, i), kept)
				break
			}
			copy(row(a, width, i), row(a, width, next))
		}
	}
	return a
}

// nameOf is what a file or folder is called, without what its name ends with.
func nameOf(path string) string {
	if full, err := filepath.Abs(path); err == nil { // "." has a name too
		path = full
	}
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '_' // a name is shown, and is that of a folder
		}
		return r
	}, strings.TrimSuffix(name, filepath.Ext(name)))
}

// product is the number of elements of a shape.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
