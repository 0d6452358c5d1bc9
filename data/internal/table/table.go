// Package table reads tables of text, CSV and its relatives, as numbers: it guesses from the first lines how a table is written, holds that
// against all others, and tells what it guessed.
//
// A table is read in two passes, in memory of its numbers: text.go makes UTF-8 of it, records.go fields, dialect.go and header.go guess,
// columns.go tells inputs from targets, and targets.go makes classes of text.
package table

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

// Options are what a caller knows of a table, as data.CSV has them.
type Options struct {
	Targets            []string
	Header             Header
	Separator, Decimal rune

	Like      *Layout // the columns that the table must have; nil chooses them
	NoTargets bool    // targets are not read; without Like, all columns are inputs
	Of        string  // begins the places in errors
	Say       Say
}

// A Table is the samples of a text. Targets are still text until Decode.
type Table struct {
	dialect
	N               int
	Bytes           []uint8   // [N, inputs], of numbers that all are whole ones in 0..255; or
	Values          []float64 // [N, inputs]
	Width           int       // of a target
	Numbers         []float64 // targets [N, Width]
	Whole           bool      // they are whole numbers
	Classes         []string  // their names, if targets are indices of them
	inputs, outputs []int     // columns
	lines           []lineOf
	expected        int // line that the next sample is expected in

	ids   []uint16 // [N], indices of words; or, of several targets and of many different numbers, Numbers
	words []string
	index map[string]uint16
}

// A lineOf says in which line a sample is, and that those after it are in the lines after that.
type lineOf struct{ sample, line int }

// Inputs is the number of inputs of a sample.
func (t *Table) Inputs() int { return len(t.inputs) }

// Input says where input j of sample i is, and Target where a target is.
func (t *Table) Input(i, j int) string  { return t.Of + t.place(i, t.inputs[j]) }
func (t *Table) Target(i, j int) string { return t.Of + t.place(i, t.outputs[j]) }

// InputName is the column of input j in words, and TargetName that of a target.
func (t *Table) InputName(j int) string  { return t.column(t.inputs[j]) }
func (t *Table) TargetName(j int) string { return t.column(t.outputs[j]) }

// place says where a field is.
func (t *Table) place(i, column int) string {
	k := sort.Search(len(t.lines), func(k int) bool { return t.lines[k].sample > i }) - 1
	return fmt.Sprintf("line %d, %s", t.lines[k].line+i-t.lines[k].sample, t.column(column))
}

// at is input j of sample i.
func (t *Table) at(i, j int) float64 {
	if k := i*len(t.inputs) + j; t.Bytes == nil {
		return t.Values[k]
	} else {
		return float64(t.Bytes[k])
	}
}

// Read reads a table of size bytes, gzip or plain: once to guess how it is written and to count its lines, and once more for its
// numbers, when all that is read is written to sum too.
func Read(r io.ReaderAt, size int64, o Options, sum io.Writer) (*Table, error) {
	t := &Table{dialect: dialect{Options: o}, index: make(map[string]uint16)}
	n, err := t.survey(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return nil, err
	}
	if o.Like == nil {
		err = t.chooseColumns()
	} else {
		err = t.chooseLike()
	}
	if err != nil {
		return nil, err
	}
	if t.Width = max(1, len(t.outputs)); o.NoTargets && o.Like != nil {
		t.Width = max(1, len(o.Like.Targets))
	}
	if n > maxValues/max(len(t.inputs), len(t.outputs)) {
		return nil, errors.Errorf("%d lines of %s are more than %d numbers: give a part of the table", n, words.Counted(len(t.inputs), "input"), maxValues)
	}
	text, err := textOf(io.TeeReader(io.NewSectionReader(r, 0, size), sum), size, maxText)
	if err != nil {
		return nil, err
	}
	if err := t.fill(newRecordReader(text, t.end, t.separator), n); err != nil {
		return nil, err
	}
	return t, nil
}

// survey guesses how a table is written and returns a bound of its lines.
func (d *dialect) survey(r io.Reader, size int64) (lines int, err error) {
	text, err := textOf(r, size, maxText)
	if err != nil {
		return 0, err
	}
	head, whole, err := headOf(text)
	if err != nil {
		return 0, damaged(err)
	}
	if err := d.guess(head, whole, text.mark); err != nil {
		return 0, err
	}
	count := &lineCounter{end: d.end}
	count.Write(head)
	_, err = io.Copy(count, text)
	return count.n + 1, damaged(err)
}

// headOf returns the first bytes of a text, enough for some lines, and whether that is all.
func headOf(r io.Reader) (head []byte, whole bool, err error) {
	for size := maxHead; ; size *= 4 {
		more, err := io.ReadAll(io.LimitReader(r, int64(size-len(head))))
		head = append(head, more...)
		if err != nil || len(head) < size {
			return head, true, err
		}
		if bytes.Count(head, []byte("\n")) > 3 || bytes.Count(head, []byte("\r")) > 3 || size >= 2*maxLine {
			return head, false, nil
		}
	}
}

// damaged is err with a remedy if a file is packed and cut off.
func damaged(err error) error {
	if err != nil && (errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "gzip") || strings.Contains(err.Error(), "flate")) {
		return errors.Wrap(err, "file ends or is damaged: give an undamaged file")
	}
	return err
}

// A lineCounter counts the lines that are written to it, without those that are empty.
type lineCounter struct {
	end, last byte
	n         int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == c.end && c.last != c.end {
			c.n++
		}
		c.last = b
	}
	return len(p), nil
}

// Kinds of lines that are left out.
const (
	comments = iota
	empty
	repeated
)

// fill reads all samples; there are at most n lines.
func (t *Table) fill(r *recordReader, n int) error {
	t.reserve(n)
	var left, first [3]int // lines left out, of each kind
	leave := func(kind int) {
		if left[kind]++; left[kind] == 1 {
			first[kind] = r.line
		}
	}
	for said := t.said != 0; ; said = false {
		err := r.next()
		switch {
		case err == io.EOF:
			return t.filled(left, first)
		case err != nil:
			return damaged(err)
		case said, r.line == t.headerAt:
			continue
		case r.comment && !(len(r.fields) == t.columns && slices.Contains(t.outputs, 0)):
			leave(comments)
			continue
		case !slices.ContainsFunc(r.fields, func(f []byte) bool { return len(f) > 0 }):
			leave(empty)
			continue
		case len(r.fields) != t.columns:
			advice := lineAdvice
			if len(r.fields) > t.columns && t.separator == ',' {
				advice += "; a comma within a number or a text needs quotes around it"
			}
			return errors.Errorf("line %d has %s, those before it %d: %s", r.line, words.Counted(len(r.fields), "field"), t.columns, advice)
		case t.header != nil && t.repeatsHeader(r.fields):
			leave(repeated)
			continue
		case t.trailing && len(r.fields[t.columns-1]) > 0:
			return errors.Errorf("line %d, column %d holds %.40q, where the lines before it have nothing: %s", r.line, t.columns, r.fields[t.columns-1], lineAdvice)
		case t.N == n:
			return errors.New("the file has grown while it was read: read it again")
		}
		if err := t.add(r.fields, r.line); err != nil {
			return err
		}
	}
}

// reserve makes room for n samples.
func (t *Table) reserve(n int) {
	if t.Width > 1 {
		t.Numbers = make([]float64, 0, n*t.Width)
	} else {
		t.ids = make([]uint16, 0, n)
	}
	if t.floats {
		t.Values = make([]float64, 0, n*len(t.inputs))
	} else {
		t.Bytes = make([]uint8, 0, n*len(t.inputs))
	}
}

// filled tells what was left out.
func (t *Table) filled(left, first [3]int) error {
	for k, what := range [...]string{comments: "that begin with #", empty: "without any value", repeated: "that repeat the names"} {
		switch m := left[k]; {
		case m == 1:
			t.Say("lines left out", fmt.Sprintf("line %d, one of those %s", first[k], what), "", false)
		case m > 1:
			t.Say("lines left out", fmt.Sprintf("%d lines %s, the first of them line %d", m, what, first[k]), "", false)
		}
	}
	if t.latin {
		t.Say("encoding", "names are no UTF-8 and were read as Latin-1 (ISO 8859-1)", "", false)
	}
	switch {
	case t.N > 0:
		return nil
	case left[comments] > 0:
		return errors.Errorf("no samples: %s, from line %d on, begin with # and were read as remarks: give a table with a line for each sample",
			words.Counted(left[comments], "line"), first[comments])
	}
	return errors.New("no samples: give a table with a line for each")
}

// repeatsHeader reports whether a line is the header once more, as where tables were put one after the other.
func (t *Table) repeatsHeader(fields [][]byte) bool {
	for k, f := range fields {
		if string(f) != t.header[k] {
			return false
		}
	}
	return !slices.ContainsFunc(t.inputs, func(k int) bool { return isNumber.is(t.header[k], t.decimal) })
}

// add adds the sample on a line.
func (t *Table) add(fields [][]byte, line int) error {
	if line != t.expected {
		t.lines = append(t.lines, lineOf{t.N, line})
	}
	t.expected = line + 1
	for _, k := range t.inputs {
		v, kind := number(fields[k], t.decimal)
		if kind == isText {
			return t.noNumber(t.N, k, string(fields[k]))
		}
		if t.Values == nil {
			if isByte(v) {
				t.Bytes = append(t.Bytes, uint8(v))
				continue
			}
			t.widen()
		}
		t.Values = append(t.Values, v)
	}
	if !t.NoTargets {
		for _, k := range t.outputs {
			if err := t.addTarget(fields[k], k); err != nil {
				return err
			}
		}
	}
	t.N++
	return nil
}

// addTarget adds a target as text, or as a number where there are several or too many different ones.
func (t *Table) addTarget(field []byte, k int) error {
	if len(field) == 0 {
		return t.noNumber(t.N, k, "")
	}
	if t.ids != nil {
		id, is := t.index[string(field)]
		if !is && len(t.words) < maxWords {
			id = uint16(len(t.words))
			word, latin := stringOf(field)
			t.latin = t.latin || latin
			t.words = append(t.words, word)
			t.index[string(field)] = id
			is = true
		}
		if is {
			t.ids = append(t.ids, id)
			return nil
		}
		if err := t.manyTargets(k); err != nil {
			return err
		}
	}
	v, kind := number(field, t.decimal)
	if kind == isText {
		return t.noNumber(t.N, k, string(field))
	}
	t.Numbers = append(t.Numbers, v)
	return nil
}

// widen makes numbers of bytes.
func (t *Table) widen() {
	t.Values = make([]float64, len(t.Bytes), cap(t.Bytes))
	for k, b := range t.Bytes {
		t.Values[k] = float64(b)
	}
	t.Bytes = nil
}

// manyTargets goes on with numbers where the targets have more than maxWords different values.
func (t *Table) manyTargets(k int) error {
	t.Numbers = make([]float64, len(t.ids), cap(t.ids))
	for i, id := range t.ids {
		v, kind := number(t.words[id], t.decimal)
		if kind == isText {
			return errors.Errorf("%s: more than %d different targets, of which %.40q is no number: %s", t.place(i, k), maxWords, t.words[id], t.Candidates())
		}
		t.Numbers[i] = v
	}
	t.ids = nil
	return nil
}
