package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pcgraph/pcgraph/data/internal/table"
	"github.com/pcgraph/pcgraph/data/internal/words"
	"github.com/pkg/errors"
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
	if first.n > 1 && !slices.ContainsFunc(labels[0], func(l uint16) bool { return l != labels[0][0] }) {
		is := strconv.Itoa(int(labels[0][0]))
		if first.classes != nil {
			is = strconv.Quote(words.Clip(first.classes[labels[0][0]]))
		}
		return nil, errors.Errorf("all targets (%s) of the training samples are %s: nothing can be learned; is the target another one? %s", first.targetNames(), is, first.otherTargets())
	}
	switch {
	case hot && p.Classes > 0 && p.Classes != first.width:
		return nil, errors.Errorf("Classes is %d, and targets are one-hot rows of %d: leave Classes out", p.Classes, first.width)
	case p.Classes > 0:
		e.Classes = p.Classes
		if len(first.classes) > p.Classes {
			return nil, errors.Errorf("Classes is %d, and targets have %d names: leave Classes out", p.Classes, len(first.classes))
		}
	case first.classes != nil:
		e.Classes = len(first.classes)
	case hot:
		e.Classes = first.width
	case most+1 > n && most > 1:
		return nil, errors.Errorf("the largest label is %d, of %d samples: give Classes if there are as many, or %s; %s", most, n, taskAdvice[len("give "):], first.otherTargets())
	default:
		e.Classes = most + 1
	}
	if first.n >= 20 && !hot && distinct(labels[0]) == first.n && p.Task == Auto && p.Classes == 0 {
		return nil, errors.Errorf("every one of %d training samples has another target (%s): as classes nothing can be learned of them: %s; %s", first.n, first.targetNames(),
			taskAdvice, first.otherTargets())
	}
	e.ClassNames = first.classes
	e.Outputs = e.Classes
	return labels, nil
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

// tellClasses says what the classes are, and which of them have no samples.
func (s *samples) tellClasses(e *Encoding, train, test *Set, task Task) {
	if e.Task != Classification {
		return
	}
	n := e.Classes
	trained, tested := make([]int, n), make([]int, n)
	for _, l := range train.labels {
		trained[l]++
	}
	for _, l := range test.labels {
		tested[l]++
	}
	var only, none, untested []string // classes
	lowest, there, single := -1, 0, ""
	for c := range n {
		name := strconv.Itoa(c)
		if e.ClassNames != nil && c < len(e.ClassNames) {
			name = words.Printable(words.Clip(e.ClassNames[c]))
		}
		switch {
		case trained[c] > 0 && tested[c] > 0:
		case trained[c] > 0:
			untested = append(untested, name)
		case tested[c] > 0:
			only = append(only, name)
		default:
			none = append(none, name)
		}
		if trained[c]+tested[c] > 0 {
			if there++; lowest < 0 {
				lowest = c
			}
			if trained[c]+tested[c] == 1 {
				single = name
			}
		}
	}
	samples := train.n + test.n
	switch {
	case slices.Equal(e.ClassNames, signNames): // said
	case e.ClassNames != nil:
		s.say("classes", fmt.Sprintf("%s by name: %s", words.Counted(n, "class"), words.Listed(words.Printables(e.ClassNames), 10)), "Task", there > 20 && there*10 > samples)
		s.tellOddNames(e.ClassNames, task)
	case e.OneHot:
		s.say("classes", fmt.Sprintf("one-hot rows were read as %s", words.Counted(n, "class")), "Task", false)
	case there > 10 && there*10 > samples:
		s.say("classes", fmt.Sprintf("whole numbers were read as labels of %s, %d of which %d samples have; if they are numbers to be predicted, give the Task Regression",
			words.Counted(n, "class"), there, samples), "Task", true)
	default:
		s.say("classes", fmt.Sprintf("whole numbers were read as labels of %s, 0 to %d", words.Counted(n, "class"), n-1), "Task", false)
	}
	if there == 2 && single != "" && samples >= 20 {
		s.say("classes", fmt.Sprintf("class %s has 1 sample, the other %d are all of one class; is the target (%s) another one? %s", single, samples-1, s.targetNames(), s.otherTargets()), "", true)
	}
	if len(none) > 0 {
		why := ""
		switch {
		case lowest == 1 && len(none) == 1:
			why = fmt.Sprintf(": the labels are 1..%d; do they count from 1? Class 0 costs an output that learns to be off", n-1)
		case there == 2:
			why = fmt.Sprintf(": the labels are %d and %d; write 0 and 1 for two classes", lowest, n-1)
		case lowest > 0:
			why = fmt.Sprintf(": the smallest label is %d", lowest)
		}
		verb := "has"
		if len(none) > 1 {
			verb = "have"
		}
		s.say("classes", fmt.Sprintf("%s %s %s no samples%s", words.Plural(len(none), "class"), words.Listed(none, 10), verb, why), "Classes", true)
	}
	if len(only) > 0 {
		s.say("classes", fmt.Sprintf("%s %s: samples in the test part only, which cannot be learned", words.Plural(len(only), "class"), words.Listed(only, 10)), "HeldOut", true)
	}
	if len(untested) > 0 {
		s.say("classes", fmt.Sprintf("%s %s: no samples in the test part", words.Plural(len(untested), "class"), words.Listed(untested, 10)), "HeldOut", false)
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
