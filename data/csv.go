package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// CSV is a data set in a table of text (RFC 4180), a line for each sample, packed by gzip or not. Fields are separated by commas or,
// where the first line has none, by semicolons or tabs. One column is what is to be predicted, all others are inputs.
//
//	train, test, err := data.CSV{File: "iris.csv", Targets: []string{"species"}}.Load()
//
// The first line is a header if none of its fields is a number, or if its numbers are 0, 1, 2 ... beside other fields, as pandas
// names columns. A column without a name in the header is left out: it is the index that pandas writes.
//
// Targets that are all whole numbers are labels; those of which none is a number are names of classes, which count from 0 in sorted
// order (Set.ClassNames); see Task.
type CSV struct {
	File     string
	TestFile string   // table of the test part, with the same columns; empty: a part of the lines is held out
	Targets  []string // columns by name, or by number from 1; empty means label, class, target or y, else the last
	Prepare  Preparation
}

// usualTargets are names of the column to be predicted.
var usualTargets = []string{"label", "class", "target", "y"}

const csvAdvice = "correct the line, or leave it out"

// Load reads both parts. Errors: a file that cannot be read; a line with more or fewer fields, a field that is no number, with line
// and column; a column that is not there, with those there are; those of Preparation.
func (s CSV) Load() (train, test *Set, err error) {
	if s.File == "" {
		return nil, nil, errors.New("data: CSV: File is empty: give the path of a table")
	}
	train, test, err = s.load()
	return train, test, errors.Wrap(err, "data")
}

func (s CSV) load() (train, test *Set, err error) {
	training, err := s.read(s.File, "")
	if err != nil {
		return nil, nil, err // says the path
	}
	if err := training.decode(nil); err != nil {
		return nil, nil, errors.Wrap(err, s.File)
	}
	var held *samples
	if s.TestFile != "" {
		t, err := s.read(s.TestFile, "test part "+s.TestFile+": ")
		if err != nil {
			return nil, nil, err
		}
		if err := t.matches(training); err != nil {
			return nil, nil, errors.Wrap(err, s.TestFile)
		}
		if err := t.decode(training); err != nil {
			return nil, nil, errors.Wrap(err, s.TestFile)
		}
		held = &t.samples
	}
	if train, test, err = s.Prepare.sets(nameOf(s.File), &training.samples, held); err != nil {
		return nil, nil, errors.Wrap(err, s.File)
	}
	train.Files, test.Files = training.files, training.files
	if held != nil {
		test.Files = held.files
	}
	return train, test, nil
}

// read reads a table; its places, where a sample is, begin with of.
func (s CSV) read(path, of string) (*table, error) {
	var t *table
	file, err := readFile(path, func(r io.Reader, size int64) (err error) {
		t, err = readTable(r, size, s.Targets)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Errorf("%s: %s: give the path of a table", path, reason(err))
	}
	if err != nil {
		return nil, err
	}
	t.files = []File{file}
	t.input = func(i, j int) string { return of + t.place(i, t.inputs[j]) }
	t.target = func(i, j int) string { return of + t.place(i, t.outputs[j]) }
	return t, nil
}

// A table is a text as samples, whose targets are still text until decode.
type table struct {
	samples
	header          []string // nil if there is none
	columns         int
	inputs, outputs []int // columns
	lines           []int // of the samples
	text            []string
}

// place says where a field is.
func (t *table) place(i, column int) string {
	return fmt.Sprintf("line %d, %s", t.lines[i], t.column(column))
}

// column is a column in words.
func (t *table) column(k int) string {
	if t.header == nil {
		return fmt.Sprintf("column %d", k+1)
	}
	return fmt.Sprintf("column %d (%s)", k+1, t.header[k])
}

// matches holds the columns of a test part against those of the training part.
func (t *table) matches(train *table) error {
	if t.columns != train.columns {
		return errors.Errorf("%d columns, and the training part has %d: give tables with the same columns", t.columns, train.columns)
	}
	if t.header != nil && train.header != nil && !slices.Equal(t.header, train.header) {
		return errors.Errorf("columns %q, and the training part has %q: give tables with the same columns", t.header, train.header)
	}
	if !slices.Equal(t.outputs, train.outputs) || !slices.Equal(t.inputs, train.inputs) {
		return errors.New("the columns to predict are others than in the training part: name them by Targets")
	}
	return nil
}

// readTable reads a table from r, which holds size bytes, gzip or plain.
func readTable(r io.Reader, size int64, targets []string) (*table, error) {
	r, _, err := unpack(r, size)
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := buffered.Peek(3); string(mark) == "\xef\xbb\xbf" { // Excel's
		buffered.Discard(len(mark))
	}
	c := csv.NewReader(buffered)
	c.ReuseRecord, c.TrimLeadingSpace = true, true
	first, _ := buffered.Peek(1 << 16)
	c.Comma = separator(first)
	t := &table{}
	for {
		record, err := c.Read()
		if err == io.EOF {
			break
		}
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := c.FieldPos(0)
			return nil, errors.Errorf("line %d has %d fields, those before it %d: %s", line, len(record), t.columns, csvAdvice)
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return nil, errors.Errorf("line %d, byte %d: %v: %s", parse.Line, parse.Column, parse.Err, csvAdvice)
		}
		if err != nil {
			return nil, errors.Wrap(err, "file ends or is damaged here: give an undamaged file")
		}
		line, _ := c.FieldPos(0)
		if t.columns == 0 {
			t.columns = len(record)
			if isHeader(record) {
				t.header = make([]string, len(record))
				for k, name := range record {
					t.header[k] = strings.TrimSpace(name)
				}
			}
			if err := t.choose(targets); err != nil {
				return nil, err
			}
			if t.header != nil {
				continue
			}
		}
		if err := t.add(record, line); err != nil {
			return nil, err
		}
	}
	if t.n == 0 {
		return nil, errors.New("no samples: give a table with a line for each")
	}
	return t, nil
}

// separator is the one of a table that begins so.
func separator(start []byte) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(start, "\r\n"), []byte("\n"))
	for _, s := range ",;\t" {
		if bytes.ContainsRune(line, s) {
			return s
		}
	}
	return ','
}

// isHeader tells whether a first line is names.
func isHeader(record []string) bool {
	numbers, counted := 0, true
	for _, field := range record {
		if _, is := number(field); is {
			counted = counted && strings.TrimSpace(field) == strconv.Itoa(numbers)
			numbers++
		}
	}
	return numbers == 0 || counted && numbers >= 2 && numbers < len(record)
}

// number is a field as a number.
func number(field string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	return v, err == nil || errors.Is(err, strconv.ErrRange)
}

// choose tells inputs from outputs.
func (t *table) choose(targets []string) error {
	out := make(map[int]bool)
	for _, want := range targets {
		k := slices.Index(t.header, want)
		switch n, err := strconv.Atoi(want); {
		case k >= 0 && slices.Contains(t.header[k+1:], want):
			return errors.Errorf("two columns are called %q: give the number of one as Targets, the first being 1", want)
		case k < 0 && err == nil && n >= 1 && n <= t.columns:
			k = n - 1
		case k < 0:
			there := fmt.Sprintf("there are %d, without names", t.columns)
			if t.header != nil {
				there = fmt.Sprintf("there are %.400q", slices.DeleteFunc(slices.Clone(t.header), func(name string) bool { return name == "" }))
			}
			return errors.Errorf("no column %q; %s: give other Targets, by name or by number from 1", want, there)
		}
		if out[k] {
			return errors.Errorf("%s is given twice as Targets: give it once", t.column(k))
		}
		out[k] = true
		t.outputs = append(t.outputs, k)
	}
	if len(targets) == 0 {
		t.outputs = []int{t.usualTarget()}
		out[t.outputs[0]] = true
	}
	for k := range t.columns {
		if !out[k] && (t.header == nil || t.header[k] != "") {
			t.inputs = append(t.inputs, k)
		}
	}
	if len(t.inputs) == 0 {
		return errors.New("no column is left for inputs: give a table with more columns, separated by commas, semicolons or tabs")
	}
	t.axes, t.width = []int{len(t.inputs)}, len(t.outputs)
	return nil
}

// usualTarget is the column to predict where nobody says.
func (t *table) usualTarget() int {
	for _, usual := range usualTargets {
		if k := slices.IndexFunc(t.header, func(name string) bool { return strings.EqualFold(name, usual) }); k >= 0 {
			return k
		}
	}
	return t.columns - 1
}

// add adds the sample on a line.
func (t *table) add(record []string, line int) error {
	t.lines = append(t.lines, line)
	if len(t.values) > maxValues-len(t.inputs) {
		return errors.Errorf("line %d: more than %d numbers: give a part of the table", line, maxValues)
	}
	for _, k := range t.inputs {
		v, is := number(record[k])
		if !is {
			return t.noNumber(t.n, k, record[k])
		}
		t.values = append(t.values, v)
	}
	for _, k := range t.outputs {
		field := strings.Clone(strings.TrimSpace(record[k])) // not the whole line
		if field == "" {
			return t.noNumber(t.n, k, field)
		}
		t.text = append(t.text, field)
	}
	t.n++
	return nil
}

// noNumber is the error of a field.
func (t *table) noNumber(i, k int, field string) error {
	place, remedy := t.place(i, k), csvAdvice+"; a column that is not to be learned from must be removed, names must be coded as numbers"
	switch {
	case strings.TrimSpace(field) == "":
		return errors.Errorf("%s is empty: fill it in, or leave the line out", place)
	case t.lines[i] == 1:
		remedy += "; in a header no name is a number"
	case strings.Contains(field, ","):
		remedy = "write the decimal point as a point"
	}
	return errors.Errorf("%s: %.40q is no number: %s", place, field, remedy)
}

// decode makes targets of the text: as the training part has them, where this is not that.
func (t *table) decode(train *table) error {
	t.targets, t.whole = make([]float64, len(t.text)), true
	bad := -1 // the first that is no number
	numbers := 0
	for k, field := range t.text {
		v, is := number(field)
		if t.targets[k] = v; is {
			numbers++
			_, err := strconv.ParseInt(field, 10, 64)
			t.whole = t.whole && err == nil
		} else if bad < 0 {
			bad = k
		}
	}
	named := numbers == 0 && t.width == 1
	if train != nil {
		named = train.classes != nil
	}
	if !named {
		if bad >= 0 {
			return t.noNumber(bad/t.width, t.outputs[bad%t.width], t.text[bad])
		}
		return nil
	}
	t.whole = true
	if train == nil {
		t.classes = slices.Compact(slices.Sorted(slices.Values(t.text)))
	} else {
		t.classes = train.classes
	}
	for k, name := range t.text {
		class, is := slices.BinarySearch(t.classes, name)
		if !is {
			return errors.Errorf("%s: no training sample is of the class %q; there are %.400s: correct it, or add such samples", t.place(k, t.outputs[0]), name,
				strings.Join(t.classes, ", "))
		}
		t.targets[k] = float64(class)
	}
	t.text = nil
	return nil
}
