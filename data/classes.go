package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/table"
	"github.com/pcgraph/pcgraph/internal/words"
)

const taskAdvice = "give the Task Regression if targets are numbers to be predicted"

// labels decides what targets are and returns the labels of each part; nil for a regression.
func (p Preparation) labels(parts []*samples, e *Encoding) (labels [][]uint16, err error) {
	first := parts[0]
	var hot bool
	if e.Task, hot, err = p.task(parts); err != nil {
		return nil, err
	}
	e.Outputs = first.width
	if e.Task == Regression {
		first.tellRegression(p, parts)
		return nil, nil
	}
	for k, s := range parts {
		if s.classes == nil && !hot {
			parts[k].namesOfSigns(parts, k)
		}
	}
	e.OneHot = hot
	most, n := 0, 0
	for _, s := range parts {
		of, highest, err := s.labels(hot, or(p.Classes, maxClasses))
		if err != nil {
			if p.Task != Auto {
				return nil, err
			}
			return nil, errors.Errorf("%v; %s", err, s.otherTargets())
		}
		labels = append(labels, of)
		most = max(most, highest)
		n += s.n
	}
	if e.Classes, err = p.countClasses(first, labels[0], hot, most, n); err != nil {
		return nil, err
	}
	e.ClassNames = first.classes
	e.Outputs = e.Classes
	return labels, nil
}

// countClasses returns the number of classes of labels in the first part, the largest of all n being most.
func (p Preparation) countClasses(first *samples, labels []uint16, hot bool, most, n int) (int, error) {
	only := !slices.ContainsFunc(labels, func(l uint16) bool { return l != labels[0] })
	is := strconv.Itoa(int(labels[0]))
	if first.classes != nil {
		is = strconv.Quote(words.Clip(first.classes[labels[0]]))
	}
	classes := most + 1
	switch {
	case p.Classes > 0:
		classes = p.Classes
	case first.classes != nil:
		classes = len(first.classes)
	case hot:
		classes = first.width
	}
	switch {
	case first.n > 1 && only:
		return 0, errors.Errorf("all targets (%s) of the training samples are %s: nothing can be learned; is the target another one? %s", first.targetNames(), is, first.otherTargets())
	case hot && classes != first.width:
		return 0, errors.Errorf("Classes is %d, and targets are one-hot rows of %d: leave Classes out", p.Classes, first.width)
	case len(first.classes) > classes:
		return 0, errors.Errorf("Classes is %d, and targets have %d names: leave Classes out", p.Classes, len(first.classes))
	case p.Classes == 0 && first.classes == nil && !hot && most+1 > n && most > 1:
		return 0, errors.Errorf("the largest label is %d, of %d samples: give Classes if there are as many, or %s; %s", most, n, taskAdvice[len("give "):], first.otherTargets())
	case first.n >= 20 && !hot && distinct(labels) == first.n && p.Task == Auto && p.Classes == 0:
		return 0, errors.Errorf("every one of %d training samples has another target (%s): as classes nothing can be learned of them: %s; %s", first.n, first.targetNames(),
			taskAdvice, first.otherTargets())
	}
	return classes, nil
}

// targetNames is the columns of the targets in words.
func (s *samples) targetNames() string {
	names := make([]string, s.width)
	for j := range names {
		names[j] = s.targetName(j)
	}
	return words.Listed(names, 3)
}

// distinct is the number of different labels.
func distinct(labels []uint16) int {
	seen := make([]bool, maxClasses)
	n := 0
	for _, l := range labels {
		if !seen[l] {
			seen[l] = true
			n++
		}
	}
	return n
}

// labels are the labels of a part, below bound, and the largest.
func (s *samples) labels(hot bool, bound int) (labels []uint16, most int, err error) {
	labels = make([]uint16, s.n)
	for i := range labels {
		label := row(s.targets, s.width, i)[0]
		if hot {
			label = float64(slices.Index(row(s.targets, s.width, i), 1))
		}
		if label != math.Trunc(label) || label < 0 || label >= float64(bound) {
			signs := ""
			if label == -1 {
				signs = ", write 0 and 1 if there are two classes, -1 and 1"
			}
			return nil, 0, errors.Errorf("%s: label %v, expected a whole number in 0..%d: correct it%s, or %s", s.target(i, 0), label, bound-1, signs, taskAdvice)
		}
		labels[i] = uint16(label)
		most = max(most, int(label))
	}
	return labels, most, nil
}

// namesOfSigns makes two classes, called -1 and 1, of the labels of part k, if those of all parts are -1 or 1 and both are there.
func (s *samples) namesOfSigns(parts []*samples, k int) {
	if k == 0 {
		seen := make(map[float64]bool)
		for _, part := range parts {
			for _, v := range part.targets {
				if v != 1 && v != -1 {
					return
				}
				seen[v] = true
			}
		}
		if s.width != 1 || len(seen) != 2 {
			return
		}
		s.say("classes", `the labels -1 and 1 were read as two classes of these names, in this order`, "Task", false)
	} else if parts[0].classes == nil || !slices.Equal(parts[0].classes, signNames) {
		return
	}
	for i, v := range s.targets {
		s.targets[i] = (v + 1) / 2
	}
	s.classes = signNames
}

var signNames = []string{"-1", "1"}

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

// tellRegression says what was read as numbers to be predicted.
func (s *samples) tellRegression(p Preparation, parts []*samples) {
	if p.Task != Auto {
		return
	}
	what := fmt.Sprintf("targets (%s) were read as numbers to be predicted", s.targetNames())
	seen := make(map[float64]bool)
	for _, part := range parts {
		for _, v := range part.targets {
			if seen[v] = true; v != math.Trunc(v) || len(seen) > 20 {
				s.say("task", what, "Task", false)
				return
			}
		}
	}
	s.say("task", fmt.Sprintf("%s, though all of them are whole, %s: if they are labels, give the Task Classification", what, words.Counted(len(seen), "value")), "Task",
		len(seen) > 1 && len(seen)*5 <= len(s.targets))
}

// A census is which classes have samples in which part.
type census struct {
	only, none, untested []string // classes with samples in the test part only, in neither, in the training part only
	lowest, there        int      // the first class with samples, and how many there are
	single               string   // a class of one sample; empty if there is none
	samples              int
}

func (e *Encoding) census(train, test *Set) (c census) {
	trained, tested := make([]int, e.Classes), make([]int, e.Classes)
	for _, l := range train.labels {
		trained[l]++
	}
	for _, l := range test.labels {
		tested[l]++
	}
	c.lowest, c.samples = -1, train.n+test.n
	for k := range e.Classes {
		name := strconv.Itoa(k)
		if k < len(e.ClassNames) {
			name = words.Printable(words.Clip(e.ClassNames[k]))
		}
		switch {
		case trained[k] == 0 && tested[k] == 0:
			c.none = append(c.none, name)
			continue
		case trained[k] == 0:
			c.only = append(c.only, name)
		case tested[k] == 0:
			c.untested = append(c.untested, name)
		}
		if c.there++; c.lowest < 0 {
			c.lowest = k
		}
		if trained[k]+tested[k] == 1 {
			c.single = name
		}
	}
	return c
}

// tellClasses says what the classes are, and which of them have no samples.
func (s *samples) tellClasses(e *Encoding, train, test *Set, task Task) {
	if e.Task != Classification {
		return
	}
	n, c := e.Classes, e.census(train, test)
	classes := words.Counted(n, "class")
	switch many := c.there*10 > c.samples; {
	case slices.Equal(e.ClassNames, signNames): // said
	case e.ClassNames != nil:
		s.say("classes", fmt.Sprintf("%s by name: %s", classes, words.Listed(words.Printables(e.ClassNames), 10)), "Task", c.there > 20 && many)
		s.tellOddNames(e.ClassNames, task)
	case e.OneHot:
		s.say("classes", "one-hot rows were read as "+classes, "Task", false)
	case c.there > 10 && many:
		s.say("classes", fmt.Sprintf("whole numbers were read as labels of %s, %d of which %d samples have; if they are numbers to be predicted, give the Task Regression",
			classes, c.there, c.samples), "Task", true)
	default:
		s.say("classes", fmt.Sprintf("whole numbers were read as labels of %s, 0 to %d", classes, n-1), "Task", false)
	}
	if c.there == 2 && c.single != "" && c.samples >= 20 {
		s.say("classes", fmt.Sprintf("class %s has 1 sample, the other %d are all of one class; is the target (%s) another one? %s", c.single, c.samples-1,
			s.targetNames(), s.otherTargets()), "", true)
	}
	if len(c.none) > 0 {
		verb, why := "have", ""
		if len(c.none) == 1 {
			verb = "has"
		}
		switch {
		case c.lowest == 1 && len(c.none) == 1:
			why = fmt.Sprintf(": the labels are 1..%d; do they count from 1? Class 0 costs an output that learns to be off", n-1)
		case c.there == 2:
			why = fmt.Sprintf(": the labels are %d and %d; write 0 and 1 for two classes", c.lowest, n-1)
		case c.lowest > 0:
			why = fmt.Sprintf(": the smallest label is %d", c.lowest)
		}
		s.say("classes", fmt.Sprintf("%s %s %s no samples%s", words.Plural(len(c.none), "class"), words.Listed(c.none, 10), verb, why), "Classes", true)
	}
	if len(c.only) > 0 {
		s.say("classes", fmt.Sprintf("%s %s: samples in the test part only, which cannot be learned", words.Plural(len(c.only), "class"), words.Listed(c.only, 10)), "HeldOut", true)
	}
	if len(c.untested) > 0 {
		s.say("classes", fmt.Sprintf("%s %s: no samples in the test part", words.Plural(len(c.untested), "class"), words.Listed(c.untested, 10)), "HeldOut", false)
	}
}

// tellOddNames warns of names of classes that are probably meant as numbers, or as the same class.
func (s *samples) tellOddNames(names []string, task Task) {
	if task == Auto && table.LookLikeNumbers(names) {
		s.say("classes", fmt.Sprintf("names of classes look like numbers or dates (%s): if they are to be predicted as numbers, write them without marks of thousands, signs and "+
			"units, dates as a number; give the Task Classification if they are names", words.Listed(words.Printables(names), 3)), "Task", true)
	}
	spelled := make(map[string]string)
	var same []string
	for _, name := range names {
		folded := strings.ToLower(strings.Join(strings.Fields(name), " "))
		if other, is := spelled[folded]; is {
			same = append(same, fmt.Sprintf("%q and %q", words.Clip(other), words.Clip(name)))
			continue
		}
		spelled[folded] = name
	}
	if len(same) > 0 {
		s.say("classes", fmt.Sprintf("names that differ in capitals or blanks alone are classes of their own: %s: write them alike if they mean the same", words.Listed(same, 5)), "", true)
	}
}

// oneClassLeft is the error of a training part whose samples are all of one class, since the others were held out. Of
// a handful of samples, which are a trial of the reader, it is told only (tellClasses).
func (p Preparation) oneClassLeft(e *Encoding, s *samples, train, held *Set) error {
	only := train.labels[0]
	if train.n < 4 || slices.ContainsFunc(train.labels, func(l uint16) bool { return l != only }) {
		return nil
	}
	others, kinds := 0, make(map[uint16]bool)
	for _, l := range held.labels {
		if l != only {
			others++
			kinds[l] = true
		}
	}
	if others == 0 {
		return nil
	}
	name := func(l uint16) string {
		if int(l) < len(e.ClassNames) {
			return strconv.Quote(words.Clip(e.ClassNames[l]))
		}
		return strconv.Itoa(int(l))
	}
	var of []string
	for l := range kinds {
		of = append(of, name(l))
	}
	slices.Sort(of)
	what := fmt.Sprintf("%s of %s %s", words.Counted(others, "sample"), words.Plural(len(of), "class"), words.Listed(of, 5))
	if others > 1 {
		return errors.Errorf("all targets (%s) of the training samples are %s, since the %s were all held out, by the seed %d: nothing can be learned: give another Seed or a "+
			"smaller HeldOut, or more samples of the other classes", s.targetNames(), name(only), what, p.Seed)
	}
	return errors.Errorf("all targets (%s) of the training samples are %s, since the only %s was held out: nothing can be learned: give more samples of it; is the target another one? %s",
		s.targetNames(), name(only), what, s.otherTargets())
}
