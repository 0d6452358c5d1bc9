package data

import (
	"io"
	"io/fs"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/data/internal/moments"
	"github.com/pcgraph/pcgraph/data/internal/table"
	"github.com/pcgraph/pcgraph/internal/file"
	"github.com/pcgraph/pcgraph/internal/words"
)

// CSV is a data set in a table of text (RFC 4180) of at most 512 MB, a line for each sample, packed by gzip or not, in UTF-8 or, with a
// byte order mark, UTF-16. One column is what is to be predicted, all others are inputs.
//
//	train, test, err := data.CSV{File: "iris.csv", Targets: []string{"species"}}.Load()
//
// What the file leaves open is guessed from its first lines (1 MB, at most 1000 lines), held against all others, and told by Set.Guesses:
//
//   - Fields are separated by tabs, semicolons or commas: whichever splits the lines, quotes regarded, into equally many fields of which
//     most are numbers; or by what a first line sep=; says.
//   - The first line is names of columns where it has text in a column that is numbers in all other lines, where it has no number and
//     all columns are text, and where its numbers count beside text that no other line has. A line of numbers that count (0, 1, 2 ... or
//     1, 2, 3 ..., as pandas names columns) is an error until Header says what it is. Other numbers are a sample, with a warning where they are
//     unlike all lines after them: 400.5, 402.1, 404.9 above labels 0 and 1.
//   - The decimal sign is a point, or a comma where fields are not separated by commas, some number cannot be read otherwise (1,5), and
//     none has a point. Nothing groups thousands: 1,000 is an error.
//   - A column without a name is left out: it is the index that pandas writes, the names of rows that R writes, or what stands behind
//     a separator at the end of every line.
//   - Lines that begin with # are left out, unless they are names above the first sample; so are lines without any value and lines that
//     repeat the names.
//
// Every other field must be a number: there is no default for a value that is missing.
//
// Targets that are all whole numbers are labels; those of which none is a number are names of classes, which count from 0 in sorted
// order (Set.ClassNames), and so are labels that are all -1 or 1; see Task. With the Task Classification, targets that mix numbers and
// names are names.
type CSV struct {
	File      string
	TestFile  string   // table of the test part, with the same columns; empty: a part of the lines is held out
	Targets   []string // columns by name, or by number from 1; empty means label, labels, class, target, targets or y, else the last that has a name
	Header    Header   // whether the first line is names of columns; HeaderAuto guesses
	Separator rune     // between fields, an ASCII character; ' ' means any number of blanks; 0 guesses
	Decimal   rune     // '.' or ','; 0 guesses
	Prepare   Preparation
}

// A Header says whether the first line of a table is names of columns.
type Header int

const (
	HeaderAuto    = Header(table.HeaderAuto)    // as CSV says; an error where it cannot be told
	HeaderPresent = Header(table.HeaderPresent) // the first line is names
	HeaderAbsent  = Header(table.HeaderAbsent)  // the first line is a sample
)

// Load reads both parts. Errors: a file that cannot be read, is no regular file or is too large; a line with more or fewer fields, a
// field that is no number, with line and column; a column that is not there, with those there are; a first line that may be names or
// a sample; those of Preparation.
func (s CSV) Load() (train, test *Set, err error) {
	if s.File == "" {
		return nil, nil, errors.New("data: CSV: File is empty: give the path of a table")
	}
	train, test, err = s.load()
	return train, test, errors.Wrap(err, "data")
}

func (s CSV) load() (train, test *Set, err error) {
	training, err := s.open(s.File, table.Options{})
	if err != nil {
		return nil, nil, err // says the path
	}
	var held *tableSamples
	if s.TestFile != "" {
		if held, err = s.open(s.TestFile, table.Options{Like: training.table.Layout(), Of: s.ofTest()}); err != nil {
			return nil, nil, err
		}
	}
	return s.sets(training, held)
}

// ofTest begins the places of the test part in errors.
func (s CSV) ofTest() string { return "test part " + words.Path(s.TestFile) + ": " }

// sets makes both parts of tables.
func (s CSV) sets(training, held *tableSamples) (train, test *Set, err error) {
	path := words.Path(s.File)
	defer func() {
		if k := slices.IndexFunc(training.guesses, func(g Guess) bool { return g.About == "header" && g.Likely }); err != nil && k >= 0 {
			err = errors.Errorf("%v; %s", err, training.guesses[k].Taken) // it may be the cause
		}
	}()
	names := s.Prepare.Task == Classification
	if err := training.table.Decode(names, nil); err != nil {
		return nil, nil, errors.Wrap(err, path)
	}
	training.takeTargets()
	var part *samples
	if held != nil {
		if err := held.table.Decode(names, training.classes); err != nil {
			return nil, nil, errors.Wrap(err, words.Path(s.TestFile))
		}
		held.takeTargets()
		part = &held.samples
	}
	if train, test, err = s.Prepare.sets(nameOf(s.File), &training.samples, part); err != nil {
		return nil, nil, errors.Wrap(err, path)
	}
	train.encoding.setLayout(training.table.Layout())
	return train, test, nil
}

// tableSamples are the samples of a table.
type tableSamples struct {
	samples
	table *table.Table
}

func (s *tableSamples) takeTargets() {
	s.targets, s.whole, s.classes = s.table.Numbers, s.table.Whole, s.table.Classes
}

// open reads a table from a file.
func (s CSV) open(path string, o table.Options) (*tableSamples, error) {
	f, size, err := file.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Errorf("%s: %v: give the path of a table", words.Path(path), file.Cause(err))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := s.read(f, size, o)
	if err != nil {
		return nil, errors.Wrap(err, words.Path(path))
	}
	t.files[0].Path = path
	return t, nil
}

// read reads a table of size bytes.
func (s CSV) read(r io.ReaderAt, size int64, o table.Options) (*tableSamples, error) {
	ts := new(tableSamples)
	o.Targets, o.Header, o.Separator, o.Decimal, o.Say = s.Targets, table.Header(s.Header), s.Separator, s.Decimal, ts.say
	sum := file.Sum(nil)
	t, err := table.Read(r, size, o, sum)
	if err != nil {
		return nil, err
	}
	ts.table = t
	ts.n, ts.axes, ts.width = t.N, []int{t.Inputs()}, t.Width
	ts.bytes, ts.values, ts.eps, ts.targetEps = t.Bytes, t.Values, moments.Eps64, moments.Eps64
	ts.input, ts.target, ts.inputName, ts.targetName, ts.otherTargets = t.Input, t.Target, t.InputName, t.TargetName, t.Candidates
	ts.files = []File{{Size: size, SHA256: sum.Hex()}}
	return ts, nil
}
