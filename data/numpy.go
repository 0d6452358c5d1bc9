package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/npy"
	"github.com/pcgraph/pcgraph/internal/words"
)

// NumPy is a data set of arrays that NumPy saved: an archive .npz of numpy.savez or numpy.savez_compressed, or arrays of numpy.save
// that lie in one folder, x_train.npy beside y_train.npy.
//
//	train, test, err := data.NumPy{File: "digits.npz"}.Load()
//
// Inputs are [n, In], [n], or pictures: [n, height, width], [n, height, width, channels] or, where the first of the three is at
// most 4 and the last is more, [n, channels, height, width]. Targets are [n], [n, 1] or [n, Out]. Elements are bool, int8 to int64,
// uint8 to uint64, float16 to float64, in any byte order and in the order of C or Fortran. Pictures of uint8 stay bytes in memory.
//
// Set.Guesses tells which arrays were taken, and the order of axes of pictures; see Preparation for what it tells of classes.
type NumPy struct {
	File    string // an archive, a folder, or the file of the training inputs beside its like
	Keys    Keys   // names of the arrays; zero means the usual ones
	Prepare Preparation
}

// Keys are names of arrays: in an archive what numpy.savez was given, in a folder the files without ".npy". The zero value means
// the first of these, in upper or lower case, whose inputs and targets are there, with its test part, if that is there too:
//
//	x_train, y_train, x_test, y_test
//	train_images, train_labels, test_images, test_labels
//	x, y, x_test, y_test
//	inputs, targets, test_inputs, test_targets
//	images, labels, test_images, test_labels
//	data, target
type Keys struct {
	Inputs, Targets         string
	TestInputs, TestTargets string // empty: a part of the samples is held out
}

var usualKeys = []Keys{
	{"x_train", "y_train", "x_test", "y_test"},
	{"train_images", "train_labels", "test_images", "test_labels"},
	{"x", "y", "x_test", "y_test"},
	{"inputs", "targets", "test_inputs", "test_targets"},
	{"images", "labels", "test_images", "test_labels"},
	{"data", "target", "", ""},
}

// Load reads both parts. Errors: a file that cannot be read, is no regular file, is damaged, or has a dtype that is no number; arrays that are missing,
// with the names of those there are; those of Preparation. They say the file, the array and the row.
func (s NumPy) Load() (train, test *Set, err error) {
	train, test, err = s.load()
	return train, test, errors.Wrap(err, "data")
}

func (s NumPy) load() (train, test *Set, err error) {
	store, err := npy.Open(s.File)
	if err != nil {
		return nil, nil, err
	}
	defer store.Close()
	return s.sets(store)
}

// sets makes both parts of arrays.
func (s NumPy) sets(store *npy.Store) (train, test *Set, err error) {
	training, held, err := s.parts(store, true)
	if err != nil {
		return nil, nil, err
	}
	if train, test, err = s.Prepare.sets(nameOf(store.Path), training, held); err != nil {
		return nil, nil, errors.Wrap(err, words.Path(store.Path))
	}
	return train, test, nil
}

// parts reads the samples of both parts; held is nil if there is one.
func (s NumPy) parts(store *npy.Store, targets bool) (training, held *samples, err error) {
	keys, err := s.Keys.in(store.Names, store.First, targets)
	if err != nil {
		return nil, nil, errors.Wrap(err, words.Path(store.Path))
	}
	if training, err = arraysOf(store, keys.Inputs, keys.Targets); err != nil {
		return nil, nil, err
	}
	if s.Keys == (Keys{}) {
		taken := []string{keys.Inputs, keys.Targets, keys.TestInputs, keys.TestTargets}
		taken = slices.DeleteFunc(taken, func(name string) bool { return name == "" })
		var others []string
		for _, name := range store.Names {
			if !slices.Contains(taken, name) {
				others = append(others, words.Printable(name))
			}
		}
		what := strings.Join(taken, ", ") + " were read as inputs and targets"
		switch {
		case keys.Targets == "" && keys.TestInputs == "":
			what = keys.Inputs + " was read as inputs"
		case keys.Targets == "":
			what = keys.Inputs + ", then " + keys.TestInputs + ", were read as inputs"
		case len(taken) == 4:
			what += ", and as those of the test part"
		}
		if len(others) > 0 {
			what += "; not used: " + words.Listed(others, 5)
		}
		training.say("arrays", what, "Keys", false)
	}
	training.otherTargets = func() string { return "give other Keys; " + there(store.Names) }
	if keys.TestInputs != "" {
		if held, err = arraysOf(store, keys.TestInputs, keys.TestTargets); err != nil {
			return nil, nil, err
		}
		held.otherTargets = training.otherTargets
	}
	return training, held, nil
}

// there says which arrays there are.
func there(names []string) string {
	if len(names) == 0 {
		return "there are no arrays"
	}
	var printed []string
	for _, name := range names[:min(len(names), 11)] {
		printed = append(printed, words.Printable(words.Clip(name)))
	}
	if len(names) > 11 {
		return fmt.Sprintf("there are %s and %d more", strings.Join(printed[:10], ", "), len(names)-10)
	}
	return "there are " + strings.Join(printed, ", ")
}

// in returns the keys to read from arrays of these names; first, if not empty, is the name of the inputs. Without targets, those of the
// result are empty.
func (k Keys) in(names []string, first string, targets bool) (Keys, error) {
	there := there(names)
	if k != (Keys{}) {
		if !targets {
			k.Targets, k.TestTargets = k.Inputs, k.TestInputs
		}
		if k.Inputs == "" || k.Targets == "" || (k.TestInputs == "") != (k.TestTargets == "") {
			return k, errors.Errorf("Keys are %q, %q, %q, %q: give Inputs and Targets, and both of the test part or none", k.Inputs, k.Targets,
				k.TestInputs, k.TestTargets)
		}
		for _, key := range []string{k.Inputs, k.Targets, k.TestInputs, k.TestTargets} {
			if key != "" && !slices.Contains(names, key) {
				return k, errors.Errorf("no array %q; %s: give other Keys", key, there)
			}
		}
		if !targets {
			k.Targets, k.TestTargets = "", ""
		}
		return k, nil
	}
	find := func(usual string) string {
		for _, spelling := range []string{usual, strings.ToUpper(usual[:min(1, len(usual))]) + usual[min(1, len(usual)):], strings.ToUpper(usual)} {
			if spelling != "" && slices.Contains(names, spelling) {
				return spelling
			}
		}
		return ""
	}
	for _, u := range usualKeys {
		found := Keys{find(u.Inputs), find(u.Targets), find(u.TestInputs), find(u.TestTargets)}
		if !targets && found.Inputs != "" && (first == "" || found.Inputs == first) {
			return Keys{Inputs: found.Inputs, TestInputs: found.TestInputs}, nil
		}
		if found.Inputs == "" || found.Targets == "" || first != "" && found.Inputs != first {
			continue
		}
		if (found.TestInputs == "") != (found.TestTargets == "") {
			return k, errors.Errorf("of %s and %s one is missing; %s: add it, or give Keys of inputs and targets alone", u.TestInputs,
				u.TestTargets, there)
		}
		return found, nil
	}
	if !targets {
		if first != "" {
			return Keys{Inputs: first}, nil
		}
		return k, errors.Errorf("no usual array of inputs, such as x_train or x; %s: give Keys, the name of the inputs", there)
	}
	return k, errors.Errorf("no usual pair of arrays, such as x_train and y_train or x and y; %s: give Keys, the names of inputs and targets", there)
}

// part reads the samples of one pair of arrays; an empty name of targets means none.
func arraysOf(s *npy.Store, inputs, targets string) (*samples, error) {
	x, xFile, err := s.Array(inputs)
	if err != nil {
		return nil, err
	}
	if len(x.Dims) == 0 {
		return nil, errors.Errorf("%s: %s is a single number: save an array whose first axis is the samples", words.Path(s.Path), inputs)
	}
	p := &samples{n: x.Dims[0], axes: x.Dims[1:], pixels: x.Bytes, values: x.Values, eps: x.Eps, width: 1, files: []File{File(xFile)}}
	if len(p.axes) == 0 {
		p.axes = []int{1}
	}
	p.input = func(i, j int) string { return fmt.Sprintf("%s: row %d, column %d", inputs, i, j) }
	p.inputName = func(j int) string { return fmt.Sprintf("column %d of %s", j, inputs) }
	if targets == "" {
		return p, nil
	}
	y, yFile, err := s.Array(targets)
	if err != nil {
		return nil, err
	}
	switch {
	case len(y.Dims) == 0 || len(y.Dims) > 2:
		return nil, errors.Errorf("%s: %s has shape %v, expected [%d] or [%d, outputs]: reshape it", words.Path(s.Path), targets, y.Dims, x.Dims[0], x.Dims[0])
	case x.Dims[0] != y.Dims[0]:
		return nil, errors.Errorf("%s: %s has shape %v and %s %v: save as many targets as inputs, along the first axis", words.Path(s.Path), inputs, x.Dims, targets, y.Dims)
	}
	p.targets, p.whole, p.targetEps = y.Numbers(), y.Whole, y.Eps
	if len(y.Dims) == 2 {
		p.width = y.Dims[1]
	}
	p.files = union(p.files, []File{File(yFile)})
	p.target = func(i, j int) string {
		if p.width == 1 {
			return fmt.Sprintf("%s: row %d", targets, i)
		}
		return fmt.Sprintf("%s: row %d, column %d", targets, i, j)
	}
	p.targetName = func(j int) string {
		if p.width == 1 {
			return targets
		}
		return fmt.Sprintf("column %d of %s", j, targets)
	}
	return p, nil
}
