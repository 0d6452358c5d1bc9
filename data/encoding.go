package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/pkg/errors"
)

// An Encoding is what turned the values of a user's own data into the numbers that a network sees: which columns are inputs and targets,
// how inputs are laid out, what they were scaled by, what the classes are. It goes to JSON and back, bit by bit, and is kept beside the
// weights, so that new data are read as those were that the network was trained on (LoadEncoded).
type Encoding struct {
	Inputs  []string `json:"inputs,omitempty"`  // names of the columns of a table that are inputs; empty if it has no header
	Targets []string `json:"targets,omitempty"` // and of those to be predicted

	Columns       int   `json:"columns,omitempty"`        // of a table; 0 for arrays
	InputColumns  []int `json:"input_columns,omitempty"`  // of a table, from 1
	TargetColumns []int `json:"target_columns,omitempty"` // of a table, from 1

	// How the training table was written, which settles what a short new one leaves open; empty for arrays.
	Separator string `json:"separator,omitempty"`
	Decimal   string `json:"decimal,omitempty"` // "." or ","

	Axes   []int `json:"axes"`             // of one input as it was read
	Planes bool  `json:"planes,omitempty"` // these are [channels, height, width]
	Shape  []int `json:"shape"`            // of one input as the network sees it: [In], or [height, width, channels] of pictures
	Bytes  bool  `json:"bytes,omitempty"`  // inputs are pictures of bytes
	Raw    bool  `json:"raw,omitempty"`    // nothing was scaled

	InputScales []Scale `json:"input_scales,omitempty"` // of each input or, of pictures, channel; empty for pictures of bytes, and if Raw
	Norms       []Norm  `json:"norms,omitempty"`        // of each channel of pictures; see Set.Norm

	Task         Task     `json:"task"`                    // Classification or Regression
	Outputs      int      `json:"outputs"`                 // the width of a target: classes, or numbers to be predicted
	OneHot       bool     `json:"one_hot,omitempty"`       // targets are one-hot rows
	Classes      int      `json:"classes,omitempty"`       // 0 for a regression
	ClassNames   []string `json:"class_names,omitempty"`   // in order; empty where classes are numbers
	TargetScales []Scale  `json:"target_scales,omitempty"` // of each target of a regression; empty if Raw
}

// Encoding returns how the set's numbers came from a user's own data; nil for data sets by name and tasks from a seed. It is the set's
// own memory and must not be changed.
func (s *Set) Encoding() *Encoding { return s.encoding }

var taskNames = []string{"auto", "classification", "regression"}

// MarshalText returns auto, classification or regression.
func (t Task) MarshalText() ([]byte, error) {
	if t < Auto || t > Regression {
		return nil, errors.Errorf("data: Task is %d: give Auto, Classification or Regression", int(t))
	}
	return []byte(taskNames[t]), nil
}

// UnmarshalText is the inverse of MarshalText.
func (t *Task) UnmarshalText(name []byte) error {
	k := slices.Index(taskNames, string(name))
	if k < 0 {
		return errors.Errorf("data: Task is %q: expected one of %q", name, taskNames)
	}
	*t = Task(k)
	return nil
}

// Validate reports what is wrong with an encoding, such as one that was read from a file: lengths that do not belong together, numbers
// that are not finite, a Deviation or Std that is not above 0, names that are given twice.
func (e *Encoding) Validate() error { return errors.Wrap(e.validate(), "data: Encoding") }

func (e *Encoding) validate() error {
	if e == nil {
		return errors.New("is nil: give that of a training set")
	}
	in := 1
	for _, d := range e.Shape {
		if d < 1 || d > maxBody || in > maxBody/d {
			return errors.Errorf("Shape is %v: expected numbers from 1, of a product up to %d", e.Shape, maxBody)
		}
		in *= d
	}
	if len(e.Shape) != 1 && len(e.Shape) != 3 {
		return errors.Errorf("Shape is %v: expected [In] or [height, width, channels]", e.Shape)
	}
	groups := in
	if len(e.Shape) == 3 {
		groups = e.Shape[2]
	}
	axes := 1
	for _, d := range e.Axes {
		if d < 1 || axes > maxBody/d {
			return errors.Errorf("Axes are %v: expected numbers from 1", e.Axes)
		}
		axes *= d
	}
	lengths := func(name string, got, want int, optional bool) error {
		if got != want && !(optional && got == 0) {
			return errors.Errorf("%s are %d, expected %d", name, got, want)
		}
		return nil
	}
	scales, norms, units := groups, groups, e.Outputs
	if e.Bytes || e.Raw {
		scales = 0
	}
	if len(e.Shape) == 1 {
		norms = 0
	}
	if e.Raw || e.Task == Classification {
		units = 0
	}
	targets := e.Outputs
	if e.Task == Classification && !e.OneHot {
		targets = 1
	}
	switch {
	case len(e.Axes) == 0 || axes != in:
		return errors.Errorf("Axes %v and Shape %v are not of as many numbers", e.Axes, e.Shape)
	case e.Bytes && len(e.Shape) != 3:
		return errors.Errorf("Bytes are of pictures, and Shape is %v", e.Shape)
	case e.Planes && len(e.Axes) != 3:
		return errors.Errorf("Planes are of pictures, and Axes are %v", e.Axes)
	case e.Task != Classification && e.Task != Regression:
		return errors.Errorf("Task is %d: expected classification or regression", int(e.Task))
	case e.Outputs < 1 || e.Outputs > maxBody:
		return errors.Errorf("Outputs is %d: expected 1 or more", e.Outputs)
	case e.Task == Classification && (e.Classes != e.Outputs || e.Classes > maxClasses):
		return errors.Errorf("Classes is %d and Outputs %d: expected the same number of both, up to %d", e.Classes, e.Outputs, maxClasses)
	case e.Task == Regression && (e.Classes != 0 || len(e.ClassNames) > 0 || e.OneHot):
		return errors.New("a regression has no Classes")
	case len(e.ClassNames) > e.Classes:
		return errors.Errorf("ClassNames are %d, of %d Classes", len(e.ClassNames), e.Classes)
	case !slices.IsSorted(e.ClassNames) || hasTwice(e.ClassNames):
		return errors.New("ClassNames are not sorted, or one is given twice")
	case e.Columns < 0 || (e.Columns == 0) != (len(e.InputColumns) == 0) || (e.Columns == 0) != (len(e.TargetColumns) == 0):
		return errors.Errorf("Columns is %d, InputColumns are %d and TargetColumns %d: expected some of each, or none", e.Columns, len(e.InputColumns), len(e.TargetColumns))
	case len(e.Separator) > 1 || e.Decimal != "" && e.Decimal != "." && e.Decimal != ",":
		return errors.Errorf("Separator is %q and Decimal %q: expected one character, and a point or a comma", e.Separator, e.Decimal)
	}
	for _, err := range []error{
		lengths("InputScales", len(e.InputScales), scales, false), lengths("Norms", len(e.Norms), norms, false),
		lengths("TargetScales", len(e.TargetScales), units, false), lengths("Inputs", len(e.Inputs), in, true),
		lengths("Targets", len(e.Targets), targets, true), lengths("InputColumns", len(e.InputColumns), in, true),
		lengths("TargetColumns", len(e.TargetColumns), targets, true),
	} {
		if err != nil {
			return err
		}
	}
	seen := make(map[int]bool)
	for _, k := range slices.Concat(e.InputColumns, e.TargetColumns) {
		if k < 1 || k > e.Columns || seen[k] {
			return errors.Errorf("column %d of InputColumns or TargetColumns is given twice, or is not in 1..%d", k, e.Columns)
		}
		seen[k] = true
	}
	good := func(mean, deviation float64) bool {
		return math.Abs(mean) <= math.MaxFloat64 && deviation > 0 && deviation <= math.MaxFloat32
	}
	for name, of := range map[string][]Scale{"InputScales": e.InputScales, "TargetScales": e.TargetScales} {
		for k, s := range of {
			if !good(s.Mean, s.Deviation) {
				return errors.Errorf("%s[%d] is %v: expected a finite Mean and a finite Deviation above 0", name, k, s)
			}
		}
	}
	for k, n := range e.Norms {
		if !good(n.Mean, n.Std) {
			return errors.Errorf("Norms[%d] is %v: expected a finite Mean and a finite Std above 0", k, n)
		}
	}
	return nil
}

func hasTwice(sorted []string) bool {
	for k := 1; k < len(sorted); k++ {
		if sorted[k] == sorted[k-1] {
			return true
		}
	}
	return false
}

// set makes a set of samples, encoded as e says. Without targets they are zeros.
func (e *Encoding) set(name string, s *samples, targets bool) (*Set, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if !slices.Equal(s.axes, e.Axes) && !(slices.Equal(s.axes, e.Shape) && len(e.Shape) == 1) {
		return nil, errors.Errorf("inputs have the shape %v, and those of the training data %v: give data of the same kind", s.axes, e.Axes)
	}
	if e.Bytes && s.pixels == nil && s.bytes != nil {
		s.pixels, s.bytes = s.bytes, nil
	}
	s.arrange(e)
	switch {
	case e.Bytes && s.pixels == nil:
		return nil, errors.New("inputs are numbers, and those of the training data were bytes: save them as uint8")
	case !e.Bytes && s.pixels != nil:
		s.values, s.pixels = npyArray{bytes: s.pixels}.numbers(), nil
	}
	set := s.set(e)
	set.out, set.encoding, set.Name, set.Files = e.Outputs, e, name, s.files
	switch {
	case !targets && e.Task == Classification:
		set.labels = make([]uint16, s.n)
	case !targets:
		set.targets = make([]float64, s.n*e.Outputs)
	case e.Task == Regression:
		if s.width != e.Outputs {
			return nil, errors.Errorf("%s, and those of the training data had %d: give data of the same kind", counted(s.width, "target"), e.Outputs)
		}
		set.targets = s.targets
	default:
		var err error
		if set.labels, err = e.labels(s); err != nil {
			return nil, err
		}
	}
	if err := e.apply(set, s); err != nil {
		return nil, err
	}
	if !targets {
		clear(set.targets)
	}
	what := "as those of the training data: by their means and deviations"
	if e.Raw {
		what = "as those of the training data: not at all"
	}
	s.say("scaling", "inputs are scaled "+what, "", false)
	s.say("held out", fmt.Sprintf("nothing: all %s are used", counted(s.n, "sample")), "", false)
	set.guesses = s.guesses
	return set, nil
}

// labels are the labels of samples as classes of the training data.
func (e *Encoding) labels(s *samples) ([]uint16, error) {
	if e.OneHot {
		if at, is := s.oneHot(); !is || s.width != e.Classes {
			return nil, errors.Errorf("%s: targets are no one-hot rows of %d, as those of the training data: give data of the same kind", s.target(min(at, s.n-1), 0), e.Classes)
		}
	} else if s.width != 1 {
		return nil, errors.Errorf("%s, and those of the training data had 1: give data of the same kind", counted(s.width, "target"))
	}
	if len(e.ClassNames) > 0 && s.classes == nil { // numbers that are names, such as -1 and 1
		for i, v := range s.targets {
			k := slices.IndexFunc(e.ClassNames, func(c string) bool { x, err := strconv.ParseFloat(c, 64); return err == nil && x == v })
			if k < 0 {
				return nil, errors.Errorf("%s: no training sample is of the class %v; there are %s: correct it, or train with such samples", s.target(i, 0), v, listed(printables(e.ClassNames), 20))
			}
			s.targets[i] = float64(k)
		}
	}
	of := make([]uint16, s.n)
	for i := range of {
		label := row(s.targets, s.width, i)[0]
		if e.OneHot {
			label = float64(slices.Index(row(s.targets, s.width, i), 1))
		}
		if label != math.Trunc(label) || label < 0 || label >= float64(e.Classes) {
			return nil, errors.Errorf("%s: label %v, and the classes of the training data are 0..%d: correct it, or train with such samples", s.target(i, 0), label, e.Classes-1)
		}
		of[i] = uint16(label)
	}
	return of, nil
}

// join puts the samples of two parts into one.
func join(a, b *samples) (*samples, error) {
	if b == nil {
		return a, nil
	}
	if !slices.Equal(a.axes, b.axes) || a.width != b.width {
		return nil, errors.Errorf("training samples are %v -> [%d], those of the test part %v -> [%d]: give both of one shape", a.axes, a.width, b.axes, b.width)
	}
	both := *a
	both.n += b.n
	if (a.pixels == nil) != (b.pixels == nil) || (a.bytes == nil) != (b.bytes == nil) {
		a.spread()
		b.spread()
	}
	both.pixels, both.bytes = append(a.pixels, b.pixels...), append(a.bytes, b.bytes...)
	both.values, both.targets = append(a.values, b.values...), append(a.targets, b.targets...)
	both.whole = a.whole && b.whole
	both.files = a.files
	for _, f := range b.files {
		if !slices.Contains(both.files, f) {
			both.files = append(slices.Clone(both.files), f)
		}
	}
	both.guesses = slices.Clone(a.guesses)
	for _, g := range b.guesses {
		if !slices.Contains(both.guesses, g) {
			both.guesses = append(both.guesses, g)
		}
	}
	place := func(of, ofB func(i, j int) string) func(i, j int) string {
		return func(i, j int) string {
			if i < a.n {
				return of(i, j)
			}
			return ofB(i-a.n, j)
		}
	}
	both.input, both.target = place(a.input, b.input), place(a.target, b.target)
	return &both, nil
}

// spread makes numbers of bytes.
func (s *samples) spread() {
	switch {
	case s.pixels != nil:
		s.values, s.pixels = npyArray{bytes: s.pixels}.numbers(), nil
	case s.bytes != nil:
		s.values, s.bytes = npyArray{bytes: s.bytes}.numbers(), nil
	}
}

// A layout is which columns of a table are inputs and targets.
type layout struct {
	inputs, targets   []string // their names; nil if some have none
	inputAt, targetAt []int    // from 0
	columns           int      // without one that is empty because lines end in a separator
	header            []string
	strict            bool   // there may be no other columns
	separator         string // and the decimal sign, as Encoding has them
	decimal           string
	of                string // whose layout it is, in messages
}

// layout returns the layout of a training part, which a test part must have.
func (t *table) layout() *layout {
	l := &layout{inputAt: t.inputs, targetAt: t.outputs, columns: t.effective(), header: t.header, strict: true, of: "the training part",
		separator: string(rune(t.separator)), decimal: string(rune(t.decimal))}
	name := func(columns []int) (names []string) {
		for _, k := range columns {
			if t.header == nil || t.header[k] == "" || t.nameOrNumber(k) != t.header[k] || slices.Contains(t.header[k+1:], t.header[k]) {
				return nil
			}
			names = append(names, t.header[k])
		}
		return names
	}
	l.inputs, l.targets = name(t.inputs), name(t.outputs)
	return l
}

// effective is the number of columns without one that is empty because lines end in a separator.
func (t *table) effective() int {
	if t.trailing {
		return t.total - 1
	}
	return t.total
}

// describe writes a layout into an encoding.
func (l *layout) describe(e *Encoding) {
	e.Columns = l.columns
	e.InputColumns, e.TargetColumns = nil, nil
	for _, k := range l.inputAt {
		e.InputColumns = append(e.InputColumns, k+1)
	}
	for _, k := range l.targetAt {
		e.TargetColumns = append(e.TargetColumns, k+1)
	}
	e.Inputs, e.Targets = l.inputs, l.targets
	e.Separator, e.Decimal = l.separator, l.decimal
}

// names are what columns a header must have, if they are known.
func (l *layout) names() []string { return l.inputs }

// chooseLike tells inputs from outputs as in the training data: by name where both have names, else by position.
func (t *table) chooseLike(l *layout, targets bool) error {
	if l.inputs != nil && t.header != nil {
		return t.chooseNames(l, targets)
	}
	have := t.effective()
	switch {
	case have == l.columns:
		t.inputs = l.inputAt
		if targets {
			t.outputs = l.targetAt
		}
	case !targets && have == len(l.inputAt):
		for k := range have {
			t.inputs = append(t.inputs, k)
		}
	default:
		return errors.Errorf("%s, and %s has %d: give tables with the same columns", counted(have, "column"), l.of, l.columns)
	}
	if t.header != nil != (l.header != nil) {
		t.say("columns", "columns were matched with those of "+l.of+" by their order, since one of both has no names", "", false)
	}
	t.setLayout()
	if !targets {
		t.width = max(1, len(l.targetAt))
	}
	return nil
}

func (t *table) chooseNames(l *layout, targets bool) error {
	var missing []string
	used := make([]bool, t.total)
	find := func(names []string) (at []int, err error) {
		for _, name := range names {
			k := slices.Index(t.header, name)
			switch {
			case k < 0:
				missing = append(missing, strconv.Quote(clip(name)))
				continue
			case slices.Contains(t.header[k+1:], name):
				return nil, errors.Errorf("two columns are called %q: leave one out", name)
			}
			used[k] = true
			at = append(at, k)
		}
		return at, nil
	}
	var err error
	if t.inputs, err = find(l.inputs); err != nil {
		return err
	}
	if targets {
		if l.targets == nil {
			return errors.Errorf("the columns to predict have no names in %s: give tables with the same columns", l.of)
		}
		if t.outputs, err = find(l.targets); err != nil {
			return err
		}
	} else {
		for _, name := range l.targets {
			if k := slices.Index(t.header, name); k >= 0 {
				used[k] = true
			}
		}
	}
	if missing != nil {
		verb := "columns"
		if len(missing) == 1 {
			verb = "column"
		}
		return errors.Errorf("no %s %s, which %s has; there are %s: give tables with the same columns", verb, listed(missing, 10), l.of, t.there())
	}
	var more []string
	for k := range t.header {
		if !used[k] && t.header[k] != "" {
			more = append(more, t.column(k))
		}
	}
	switch {
	case len(more) > 0 && l.strict:
		return errors.Errorf("%s, which %s does not have: give tables with the same columns", listed(more, 10), l.of)
	case len(more) > 0:
		t.say("columns", listed(more, 5)+", which "+l.of+" does not have, left out", "", false)
	}
	if !slices.Equal(t.inputs, l.inputAt) || targets && !slices.Equal(t.outputs, l.targetAt) {
		t.say("columns", "columns were matched with those of "+l.of+" by name", "", false)
	}
	t.setLayout()
	return nil
}

// encodedLayout is what a table must have for an encoding.
func (e *Encoding) layout() *layout {
	l := &layout{columns: e.Columns, of: "the training table"}
	if len(e.Inputs) > 0 {
		l.inputs, l.targets, l.header = e.Inputs, e.Targets, e.Inputs
	}
	for _, k := range e.InputColumns {
		l.inputAt = append(l.inputAt, k-1)
	}
	for _, k := range e.TargetColumns {
		l.targetAt = append(l.targetAt, k-1)
	}
	if len(l.inputAt) == 0 { // trained on arrays
		for k := range product(e.Axes) {
			l.inputAt = append(l.inputAt, k)
		}
		n := e.Outputs
		if e.Task == Classification && !e.OneHot {
			n = 1
		}
		for k := range n {
			l.targetAt = append(l.targetAt, len(l.inputAt)+k)
		}
		l.columns = len(l.inputAt) + len(l.targetAt)
	}
	return l
}

// LoadEncoded reads new data of the kind that e is of: all samples of File and, if given, of TestFile, in their order, with the scaling,
// the classes and the columns of the training data instead of their own. Columns are matched by name where both tables have names, else
// by their order; Targets and Prepare are not looked at. With targets false, targets may be missing and are not read: those of the set
// are zeros, which mean nothing. Errors: an Encoding that is not valid; columns or classes that the training data have and the table has
// not, or the other way round; those of Load.
func (s CSV) LoadEncoded(e *Encoding, targets bool) (*Set, error) {
	set, err := s.loadEncoded(e, targets)
	if err != nil && e != nil && e.Decimal != "" && s.Separator == 0 && s.Decimal == 0 { // a short table may leave open how it is written
		s.Separator, s.Decimal = rune(e.Separator[0]), rune(e.Decimal[0])
		if again, e := s.loadEncoded(e, targets); e == nil {
			return again, nil
		}
	}
	return set, errors.Wrap(err, "data")
}

func (s CSV) loadEncoded(e *Encoding, targets bool) (*Set, error) {
	if err := e.validate(); err != nil {
		return nil, errors.Wrap(err, "Encoding")
	}
	if s.File == "" {
		return nil, errors.New("CSV: File is empty: give the path of a table")
	}
	first, err := s.openEncoded(s.File, "", e, targets)
	if err != nil {
		return nil, err
	}
	var second *samples
	if s.TestFile != "" {
		if second, err = s.openEncoded(s.TestFile, "test part "+shown(s.TestFile)+": ", e, targets); err != nil {
			return nil, err
		}
	}
	return s.encoded(e, first, second, targets)
}

func (s CSV) openEncoded(path, of string, e *Encoding, targets bool) (*samples, error) {
	t, err := s.open(path, of, e.layout(), targets)
	if err != nil {
		return nil, err
	}
	if err := t.decodeLike(e, targets); err != nil {
		return nil, errors.Wrap(err, shown(path))
	}
	return &t.samples, nil
}

func (s CSV) encoded(e *Encoding, first, second *samples, targets bool) (*Set, error) {
	all, err := join(first, second)
	if err != nil {
		return nil, errors.Wrap(err, shown(s.File))
	}
	set, err := e.set(nameOf(s.File), all, targets)
	return set, errors.Wrap(err, shown(s.File))
}

// decodeLike is decode of a table for an encoding.
func (t *table) decodeLike(e *Encoding, targets bool) error {
	if slices.Equal([]int{len(t.inputs)}, []int{product(e.Axes)}) {
		t.axes = e.Axes
	}
	if !targets {
		t.ids, t.targets = nil, nil
		return nil
	}
	var classes []string
	if len(e.ClassNames) > 0 {
		classes = e.ClassNames
	}
	if err := t.decode(e.Task, classes); err != nil {
		return err
	}
	if t.classes != nil && classes == nil {
		return errors.Errorf("%s: targets are names, and those of the training data are numbers: give data of the same kind", t.place(0, t.outputs[0]))
	}
	return nil
}

// LoadEncoded reads new data of the kind that e is of: all samples of the arrays, of both parts if there are two, in their order, with
// the scaling and the classes of the training data instead of their own; Prepare is not looked at. With targets false, arrays of targets
// may be missing and are not read: those of the set are zeros, which mean nothing. Errors: an Encoding that is not valid; inputs or
// targets of another shape than the training data; labels that these do not have; those of Load.
func (s NumPy) LoadEncoded(e *Encoding, targets bool) (*Set, error) {
	set, err := s.loadEncoded(e, targets)
	return set, errors.Wrap(err, "data")
}

func (s NumPy) loadEncoded(e *Encoding, targets bool) (*Set, error) {
	if err := e.validate(); err != nil {
		return nil, errors.Wrap(err, "Encoding")
	}
	store, err := openNPYs(s.File)
	if err != nil {
		return nil, err
	}
	defer store.close()
	training, held, err := s.parts(store, targets)
	if err != nil {
		return nil, err
	}
	all, err := join(training, held)
	if err != nil {
		return nil, errors.Wrap(err, shown(store.path))
	}
	set, err := e.set(nameOf(store.path), all, targets)
	return set, errors.Wrap(err, shown(store.path))
}

// LoadEncoded makes a set of the kind that e is of: all samples of both parts, in their order, with the scaling and the classes of the
// training data instead of their own; Prepare is not looked at. With targets false, targets may be missing and are not read: those of the
// set are zeros, which mean nothing. Errors: as NumPy.LoadEncoded.
func (a Arrays[T]) LoadEncoded(e *Encoding, targets bool) (*Set, error) {
	set, err := a.loadEncoded(e, targets)
	return set, errors.Wrap(err, "data: Arrays")
}

func (a Arrays[T]) loadEncoded(e *Encoding, targets bool) (*Set, error) {
	if err := e.validate(); err != nil {
		return nil, errors.Wrap(err, "Encoding")
	}
	training, held, err := a.parts(targets)
	if err != nil {
		return nil, err
	}
	for _, s := range []*samples{training, held} {
		if s != nil && len(s.axes) == 1 && s.axes[0] == product(e.Axes) {
			s.axes = e.Axes // rows are flat
		}
	}
	all, err := join(training, held)
	if err != nil {
		return nil, err
	}
	return e.set(a.name(), all, targets)
}
