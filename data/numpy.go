package data

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pcgraph/pcgraph/data/internal/file"
	"github.com/pcgraph/pcgraph/data/internal/npy"
	"github.com/pcgraph/pcgraph/data/internal/words"
	"github.com/pkg/errors"
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
	store, err := openNPYs(s.File)
	if err != nil {
		return nil, nil, err
	}
	defer store.close()
	return s.sets(store)
}

// sets makes both parts of arrays.
func (s NumPy) sets(store npys) (train, test *Set, err error) {
	training, held, err := s.parts(store, true)
	if err != nil {
		return nil, nil, err
	}
	if train, test, err = s.Prepare.sets(nameOf(store.path), training, held); err != nil {
		return nil, nil, errors.Wrap(err, words.Path(store.path))
	}
	return train, test, nil
}

// parts reads the samples of both parts; held is nil if there is one.
func (s NumPy) parts(store npys, targets bool) (training, held *samples, err error) {
	keys, err := s.Keys.in(store.names, store.first, targets)
	if err != nil {
		return nil, nil, errors.Wrap(err, words.Path(store.path))
	}
	if training, err = store.part(keys.Inputs, keys.Targets); err != nil {
		return nil, nil, err
	}
	if s.Keys == (Keys{}) {
		taken := []string{keys.Inputs, keys.Targets, keys.TestInputs, keys.TestTargets}
		taken = slices.DeleteFunc(taken, func(name string) bool { return name == "" })
		var others []string
		for _, name := range store.names {
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
	training.otherTargets = func() string { return "give other Keys; " + there(store.names) }
	if keys.TestInputs != "" {
		if held, err = store.part(keys.TestInputs, keys.TestTargets); err != nil {
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

// npys are named arrays that can be read.
type npys struct {
	path  string // of the archive or folder
	names []string
	first string // the name of the file that was given, if it was one array
	open  func(name string) (npy.Array, []File, error)
	close func()
}

// openNPYs finds the arrays of an archive, a folder or the folder of a file.
func openNPYs(path string) (npys, error) {
	if path == "" {
		return npys{}, errors.New("NumPy: File is empty: give an archive .npz, or a folder of .npy")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return npys{}, errors.Errorf("%s: %s: give the path of an archive .npz, or of a folder of .npy", words.Path(path), file.Cause(err))
	case info.IsDir():
		return folderOfNPYs(path, "")
	case strings.EqualFold(filepath.Ext(path), ".npy"):
		return folderOfNPYs(filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	}
	return openNPZ(path)
}

// folderOfNPYs finds the arrays of a folder.
func folderOfNPYs(dir, first string) (npys, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return npys{}, err
	}
	s := npys{path: dir, first: first, close: func() {}}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && filepath.Ext(name) == ".npy" {
			s.names = append(s.names, strings.TrimSuffix(name, ".npy"))
		}
	}
	s.open = func(name string) (a npy.Array, files []File, err error) {
		file, err := readFile(filepath.Join(dir, name+".npy"), func(r io.Reader, size int64) (err error) {
			a, err = npy.Read(r, size)
			return err
		})
		return a, []File{file}, err
	}
	return s, nil
}

// openNPZ finds the arrays of an archive and takes its checksum.
func openNPZ(path string) (npys, error) {
	f, size, err := file.Open(path)
	if err != nil {
		return npys{}, err
	}
	sum := file.Sum(io.NewSectionReader(f, 0, size))
	if _, err := io.Copy(io.Discard, sum); err != nil {
		f.Close()
		return npys{}, errors.Wrap(err, words.Path(path))
	}
	of := File{Path: path, Size: size, SHA256: sum.Hex()}
	s, err := npysIn(f, size)
	if err != nil {
		f.Close()
		return npys{}, errors.Wrap(err, words.Path(path))
	}
	s.path = path
	read := s.open
	s.open = func(name string) (npy.Array, []File, error) {
		a, _, err := read(name)
		return a, []File{of}, errors.Wrap(err, words.Path(path)+": "+words.Printable(words.Clip(name)))
	}
	s.close = func() { f.Close() }
	return s, nil
}

// npysIn finds the arrays of an archive of size bytes.
func npysIn(r io.ReaderAt, size int64) (npys, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return npys{}, errors.Wrap(err, "no archive of NumPy: save it again with numpy.savez")
	}
	s := npys{close: func() {}}
	members := make(map[string]*zip.File, len(z.File))
	for _, member := range z.File {
		if name, is := strings.CutSuffix(member.Name, ".npy"); is {
			if members[name] != nil {
				return npys{}, errors.Errorf("two arrays are called %q: save it again with numpy.savez", name)
			}
			members[name] = member
			s.names = append(s.names, name)
		}
	}
	slices.Sort(s.names)
	s.open = func(name string) (npy.Array, []File, error) {
		member := members[name]
		body, err := member.Open()
		if err != nil {
			return npy.Array{}, nil, errors.Wrap(err, "save it again with numpy.savez or numpy.savez_compressed")
		}
		defer body.Close()
		limit := min(member.UncompressedSize64, uint64(min(size, file.MaxBody))*file.MaxDeflate) // the first is what the archive says
		a, err := npy.Read(body, int64(limit))
		return a, nil, err
	}
	return s, nil
}

// part reads the samples of one pair of arrays; an empty name of targets means none.
func (s npys) part(inputs, targets string) (*samples, error) {
	x, files, err := s.open(inputs)
	if err != nil {
		return nil, err
	}
	if len(x.Dims) == 0 {
		return nil, errors.Errorf("%s: %s is a single number: save an array whose first axis is the samples", words.Path(s.path), inputs)
	}
	p := &samples{n: x.Dims[0], axes: x.Dims[1:], pixels: x.Bytes, values: x.Values, eps: x.Eps, width: 1, files: files}
	if len(p.axes) == 0 {
		p.axes = []int{1}
	}
	p.input = func(i, j int) string { return fmt.Sprintf("%s: row %d, column %d", inputs, i, j) }
	p.inputName = func(j int) string { return fmt.Sprintf("column %d of %s", j, inputs) }
	if targets == "" {
		return p, nil
	}
	y, more, err := s.open(targets)
	if err != nil {
		return nil, err
	}
	switch {
	case len(y.Dims) == 0 || len(y.Dims) > 2:
		return nil, errors.Errorf("%s: %s has shape %v, expected [%d] or [%d, outputs]: reshape it", words.Path(s.path), targets, y.Dims, x.Dims[0], x.Dims[0])
	case x.Dims[0] != y.Dims[0]:
		return nil, errors.Errorf("%s: %s has shape %v and %s %v: save as many targets as inputs, along the first axis", words.Path(s.path), inputs, x.Dims, targets, y.Dims)
	}
	p.targets, p.whole, p.targetEps = y.Numbers(), y.Whole, y.Eps
	if len(y.Dims) == 2 {
		p.width = y.Dims[1]
	}
	if len(more) > 0 && !slices.Contains(files, more[0]) {
		p.files = append(p.files, more...)
	}
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
