package data

import (
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/table"
	"github.com/pcgraph/pcgraph/internal/file"
)

// An Encoding is what turned the values of a user's own data into the numbers that a network sees: which columns are inputs and targets,
// how inputs are laid out, what they were scaled by, what the classes are. It goes to JSON and back, bit by bit, and is kept beside the
// weights, so that LoadEncoded can read new data in the same way as the training data.
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
	in, axes := elements(e.Shape), elements(e.Axes)
	groups, targets := in, e.Outputs
	if len(e.Shape) == 3 {
		groups = e.Shape[2]
	}
	if e.Task == Classification && !e.OneHot {
		targets = 1
	}
	switch {
	case in == 0:
		return errors.Errorf("Shape is %v: expected numbers from 1, of a product up to %d", e.Shape, file.MaxBody)
	case len(e.Shape) != 1 && len(e.Shape) != 3:
		return errors.Errorf("Shape is %v: expected [In] or [height, width, channels]", e.Shape)
	case axes == 0:
		return errors.Errorf("Axes are %v: expected numbers from 1", e.Axes)
	case len(e.Axes) == 0 || axes != in:
		return errors.Errorf("Axes %v and Shape %v are not of as many numbers", e.Axes, e.Shape)
	case e.Bytes && len(e.Shape) != 3:
		return errors.Errorf("Bytes are of pictures, and Shape is %v", e.Shape)
	case e.Planes && len(e.Axes) != 3:
		return errors.Errorf("Planes are of pictures, and Axes are %v", e.Axes)
	case e.Task != Classification && e.Task != Regression:
		return errors.Errorf("Task is %d: expected classification or regression", int(e.Task))
	case e.Outputs < 1 || e.Outputs > file.MaxBody:
		return errors.Errorf("Outputs is %d: expected 1 or more", e.Outputs)
	case e.Task == Classification && (e.Classes != e.Outputs || e.Classes > maxClasses):
		return errors.Errorf("Classes is %d and Outputs %d: expected the same number of both, up to %d", e.Classes, e.Outputs, maxClasses)
	case e.Task == Regression && (e.Classes != 0 || len(e.ClassNames) > 0 || e.OneHot):
		return errors.New("a regression has no Classes")
	case len(e.ClassNames) > e.Classes:
		return errors.Errorf("ClassNames are %d, of %d Classes", len(e.ClassNames), e.Classes)
	case !slices.IsSorted(e.ClassNames) || len(slices.Compact(slices.Clone(e.ClassNames))) < len(e.ClassNames):
		return errors.New("ClassNames are not sorted, or one is given twice")
	case e.Columns < 0 || (e.Columns == 0) != (len(e.InputColumns) == 0) || (e.Columns == 0) != (len(e.TargetColumns) == 0):
		return errors.Errorf("Columns is %d, InputColumns are %d and TargetColumns %d: expected some of each, or none", e.Columns, len(e.InputColumns), len(e.TargetColumns))
	case len(e.Separator) > 1 || e.Decimal != "" && e.Decimal != "." && e.Decimal != ",":
		return errors.Errorf("Separator is %q and Decimal %q: expected one character, and a point or a comma", e.Separator, e.Decimal)
	}
	for _, l := range []struct {
		name      string
		got, want int
		optional  bool
	}{
		{"InputScales", len(e.InputScales), only(!e.Bytes && !e.Raw, groups), false}, {"Norms", len(e.Norms), only(len(e.Shape) == 3, groups), false},
		{"TargetScales", len(e.TargetScales), only(e.Task == Regression && !e.Raw, e.Outputs), false}, {"Inputs", len(e.Inputs), in, true},
		{"Targets", len(e.Targets), targets, true}, {"InputColumns", len(e.InputColumns), in, true}, {"TargetColumns", len(e.TargetColumns), targets, true},
	} {
		if l.got != l.want && !(l.optional && l.got == 0) {
			return errors.Errorf("%s are %d, expected %d", l.name, l.got, l.want)
		}
	}
	return e.validateNumbers()
}

// validateNumbers is validate of columns and scales.
func (e *Encoding) validateNumbers() error {
	seen := make(map[int]bool)
	for _, k := range slices.Concat(e.InputColumns, e.TargetColumns) {
		if k < 1 || k > e.Columns || seen[k] {
			return errors.Errorf("column %d of InputColumns or TargetColumns is given twice, or is not in 1..%d", k, e.Columns)
		}
		seen[k] = true
	}
	bad := func(mean, deviation float64) bool {
		return !(math.Abs(mean) <= math.MaxFloat64 && deviation > 0 && deviation <= math.MaxFloat32)
	}
	for name, of := range map[string][]Scale{"InputScales": e.InputScales, "TargetScales": e.TargetScales} {
		if k := slices.IndexFunc(of, func(s Scale) bool { return bad(s.Mean, s.Deviation) }); k >= 0 {
			return errors.Errorf("%s[%d] is %v: expected a finite Mean and a finite Deviation above 0", name, k, of[k])
		}
	}
	if k := slices.IndexFunc(e.Norms, func(n Norm) bool { return bad(n.Mean, n.Std) }); k >= 0 {
		return errors.Errorf("Norms[%d] is %v: expected a finite Mean and a finite Std above 0", k, e.Norms[k])
	}
	return nil
}

// elements is the product of numbers from 1; 0 if one is smaller or the product exceeds that of any file.
func elements(dims []int) int {
	n := 1
	for _, d := range dims {
		if d < 1 || n > file.MaxBody/d {
			return 0
		}
		n *= d
	}
	return n
}

// only is n if it is so, else 0.
func only(is bool, n int) int {
	if is {
		return n
	}
	return 0
}

// setLayout writes the layout of a table into the encoding.
func (e *Encoding) setLayout(l *table.Layout) {
	e.Columns, e.Inputs, e.Targets, e.Separator, e.Decimal = l.Columns, l.InputNames, l.TargetNames, l.Separator, l.Decimal
	e.InputColumns, e.TargetColumns = shifted(l.Inputs, 1), shifted(l.Targets, 1)
}

// layout is what a table must have that is read by the encoding.
func (e *Encoding) layout() *table.Layout {
	l := &table.Layout{Inputs: shifted(e.InputColumns, -1), Targets: shifted(e.TargetColumns, -1), Columns: e.Columns, Of: "the training table"}
	if len(e.Inputs) > 0 {
		l.InputNames, l.TargetNames, l.Names = e.Inputs, e.Targets, true
	}
	if len(l.Inputs) == 0 { // trained on arrays
		n := e.Outputs
		if e.Task == Classification && !e.OneHot {
			n = 1
		}
		l.Columns = product(e.Axes) + n
		for k := range l.Columns {
			if k < l.Columns-n {
				l.Inputs = append(l.Inputs, k)
			} else {
				l.Targets = append(l.Targets, k)
			}
		}
	}
	return l
}

// shifted is numbers with one added to each.
func shifted(numbers []int, by int) (moved []int) {
	for _, k := range numbers {
		moved = append(moved, k+by)
	}
	return moved
}
