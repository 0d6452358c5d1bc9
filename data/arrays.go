package data

import (
	"fmt"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/moments"
)

// Arrays is a data set that is in memory already: one row for each sample. Load copies it.
//
//	data.Arrays[float64]{Inputs: x, Labels: labels}
//
// Rows of a flat slice x [n, In] are slices.Collect(slices.Chunk(x, In)). Set.Guesses tells what the targets were read as, which
// columns are constant and which samples are held out; see Preparation.
type Arrays[T Float] struct {
	Name    string // for reports; empty means "arrays"
	Inputs  [][]T  // [n][In]
	Labels  []int  // [n], classes 0..Classes-1; or
	Targets [][]T  // [n][Out], one-hot or numbers

	TestInputs  [][]T // nil: a part of the samples is held out
	TestLabels  []int
	TestTargets [][]T

	Prepare Preparation
}

// Load makes both parts. Errors: rows of different lengths, as many targets as inputs missing, both Labels and Targets; those of
// Preparation, with the row and the column.
func (a Arrays[T]) Load() (train, test *Set, err error) {
	train, test, err = a.load()
	return train, test, errors.Wrap(err, "data: Arrays")
}

func (a Arrays[T]) load() (train, test *Set, err error) {
	training, held, err := a.parts(true)
	if err != nil {
		return nil, nil, err
	}
	return a.Prepare.sets(a.name(), training, held)
}

// name is what the data set is called.
func (a Arrays[T]) name() string {
	if a.Name == "" {
		return "arrays"
	}
	return a.Name
}

// parts copies the samples of both parts; held is nil if there is one.
func (a Arrays[T]) parts(targets bool) (training, held *samples, err error) {
	if !targets {
		a.Labels, a.Targets, a.TestLabels, a.TestTargets = nil, nil, nil, nil
	}
	if training, err = arraySamples("", a.Inputs, a.Labels, a.Targets, targets); err != nil {
		return nil, nil, err
	}
	if a.TestInputs != nil || a.TestLabels != nil || a.TestTargets != nil {
		if held, err = arraySamples("Test", a.TestInputs, a.TestLabels, a.TestTargets, targets); err != nil {
			return nil, nil, err
		}
		if (a.Labels == nil) != (a.TestLabels == nil) {
			return nil, nil, errors.New("one part has Labels, the other Targets: give the same of both")
		}
	}
	return training, held, nil
}

// arraySamples copies the samples of one part; prefix is that of the fields' names.
func arraySamples[T Float](prefix string, inputs [][]T, labels []int, targets [][]T, wanted bool) (*samples, error) {
	s := &samples{n: len(inputs), width: 1, eps: epsOf[T]()}
	s.targetEps = s.eps
	var err error
	var in int
	if s.values, in, err = flat(prefix+"Inputs", inputs); err != nil {
		return nil, err
	}
	s.axes = []int{in}
	given, n := prefix+"Labels", len(labels)
	if labels == nil {
		given, n = prefix+"Targets", len(targets)
	}
	switch {
	case !wanted:
	case labels != nil && targets != nil:
		return nil, errors.Errorf("both %sLabels and %sTargets are given: give one", prefix, prefix)
	case n != len(inputs):
		return nil, errors.Errorf("%d rows of %sInputs and %d of %s: give as many", len(inputs), prefix, n, given)
	case labels != nil:
		s.whole = true
		s.targets = make([]float64, len(labels))
		for i, label := range labels {
			s.targets[i] = float64(label)
		}
	default:
		if s.targets, s.width, err = flat(given, targets); err != nil {
			return nil, err
		}
	}
	s.input = func(i, j int) string { return fmt.Sprintf("%sInputs[%d][%d]", prefix, i, j) }
	s.target = func(i, j int) string {
		if labels != nil {
			return fmt.Sprintf("%s[%d]", given, i)
		}
		return fmt.Sprintf("%s[%d][%d]", given, i, j)
	}
	s.inputName = func(j int) string { return fmt.Sprintf("%sInputs[...][%d]", prefix, j) }
	s.targetName = func(j int) string {
		if labels != nil {
			return given
		}
		return fmt.Sprintf("%s[...][%d]", given, j)
	}
	s.otherTargets = func() string { return "give other Labels or Targets" }
	return s, nil
}

// epsOf is the distance from 1 to the next number.
func epsOf[T Float]() float64 {
	if one := T(1); one+T(moments.Eps64) == one {
		return moments.Eps32
	}
	return moments.Eps64
}

// flat copies rows into one slice and returns their width.
func flat[T Float](field string, rows [][]T) (values []float64, width int, err error) {
	if len(rows) == 0 {
		return nil, 0, errors.Errorf("%s is empty: give a row for each sample", field)
	}
	width = len(rows[0])
	for i, row := range rows {
		if len(row) != width || width == 0 {
			return nil, 0, errors.Errorf("%s[%d] has %d numbers, and %s[0] %d: give rows of one length, not empty", field, i, len(row), field, width)
		}
		for _, v := range row {
			values = append(values, float64(v))
		}
	}
	return values, width, nil
}
