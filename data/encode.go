package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/table"
	"github.com/pcgraph/pcgraph/internal/npy"
	"github.com/pcgraph/pcgraph/internal/words"
)

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
		s.values, s.pixels = numbers(s.pixels), nil
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
			return nil, errors.Errorf("%s, and those of the training data had %d: give data of the same kind", words.Counted(s.width, "target"), e.Outputs)
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
	s.say("held out", fmt.Sprintf("nothing: all %s are used", words.Counted(s.n, "sample")), "", false)
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
		return nil, errors.Errorf("%s, and those of the training data had 1: give data of the same kind", words.Counted(s.width, "target"))
	}
	if len(e.ClassNames) > 0 && s.classes == nil { // numbers that are names, such as -1 and 1
		for i, v := range s.targets {
			k := slices.IndexFunc(e.ClassNames, func(c string) bool { x, err := strconv.ParseFloat(c, 64); return err == nil && x == v })
			if k < 0 {
				return nil, errors.Errorf("%s: no training sample is of the class %v; there are %s: correct it, or train with such samples", s.target(i, 0), v, words.Listed(words.Printables(e.ClassNames), 20))
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

// join puts the samples of two parts, of which b may be nil, into one.
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
	both.files, both.guesses = union(a.files, b.files), union(a.guesses, b.guesses)
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

// union is a and, behind it, what else is in b.
func union[E comparable](a, b []E) []E {
	all := slices.Clone(a)
	for _, e := range b {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// spread makes numbers of bytes.
func (s *samples) spread() {
	switch {
	case s.pixels != nil:
		s.values, s.pixels = numbers(s.pixels), nil
	case s.bytes != nil:
		s.values, s.bytes = numbers(s.bytes), nil
	}
}

// load makes one set of both parts, as e says.
func (e *Encoding) load(name string, first, second *samples, targets bool) (*Set, error) {
	all, err := join(first, second)
	if err != nil {
		return nil, err
	}
	return e.set(name, all, targets)
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
	o := table.Options{Like: e.layout(), NoTargets: !targets}
	first, err := s.openEncoded(s.File, e, o)
	if err != nil {
		return nil, err
	}
	var second *samples
	if s.TestFile != "" {
		o.Of = s.ofTest()
		if second, err = s.openEncoded(s.TestFile, e, o); err != nil {
			return nil, err
		}
	}
	set, err := e.load(nameOf(s.File), first, second, targets)
	return set, errors.Wrap(err, words.Path(s.File))
}

func (s CSV) openEncoded(path string, e *Encoding, o table.Options) (*samples, error) {
	t, err := s.open(path, o)
	if err != nil {
		return nil, err
	}
	return &t.samples, errors.Wrap(t.decodeLike(e), words.Path(path))
}

// decodeLike makes targets of the text as an encoding says.
func (t *tableSamples) decodeLike(e *Encoding) error {
	if t.table.Inputs() == product(e.Axes) {
		t.axes = e.Axes
	}
	var classes []string
	if len(e.ClassNames) > 0 {
		classes = e.ClassNames
	}
	err := t.table.DecodeLike(e.Task == Classification, classes)
	t.takeTargets()
	return err
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
	store, err := npy.Open(s.File)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	training, held, err := s.parts(store, targets)
	if err != nil {
		return nil, err
	}
	set, err := e.load(nameOf(store.Path), training, held, targets)
	return set, errors.Wrap(err, words.Path(store.Path))
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
	return e.load(a.name(), training, held, targets)
}
