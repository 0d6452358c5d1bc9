package data

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"
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

// usualTargets are names of the column to be predicted, the first that is there: beside labels, y is a coordinate.
var usualTargets = []string{"label", "labels", "class", "target", "targets", "y"}

const csvAdvice = "correct the line, or leave it out"

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
	training, err := s.open(s.File, "", nil, true)
	if err != nil {
		return nil, nil, err // says the path
	}
	var held *table
	if s.TestFile != "" {
		if held, err = s.open(s.TestFile, "test part "+shown(s.TestFile)+": ", training.layout(), true); err != nil {
			return nil, nil, err
		}
	}
	return s.sets(training, held)
}

// sets makes both parts of tables.
func (s CSV) sets(training, held *table) (train, test *Set, err error) {
	path := shown(s.File)
	defer func() {
		if k := slices.IndexFunc(training.samples.guesses, func(g Guess) bool { return g.About == "header" && g.Likely }); err != nil && k >= 0 {
			err = errors.Errorf("%v; %s", err, training.samples.guesses[k].Taken) // it may be the cause
		}
	}()
	if err := training.decode(s.Prepare.Task, nil); err != nil {
		return nil, nil, errors.Wrap(err, path)
	}
	var part *samples
	if held != nil {
		if err := held.decode(s.Prepare.Task, training.classes); err != nil {
			return nil, nil, errors.Wrap(err, shown(s.TestFile))
		}
		part = &held.samples
	}
	if train, test, err = s.Prepare.sets(nameOf(s.File), &training.samples, part); err != nil {
		return nil, nil, errors.Wrap(err, path)
	}
	train.Files, test.Files = training.files, training.files
	if held != nil {
		test.Files = held.files
	}
	for _, set := range []*Set{train, test} {
		training.layout().describe(set.encoding)
	}
	return train, test, nil
}

// open reads a table from a file; its places, where a sample is, begin with of. like, if not nil, is the layout that the table must
// have; targets says whether it must have targets.
func (s CSV) open(path, of string, like *layout, targets bool) (*table, error) {
	f, info, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Errorf("%s: %s: give the path of a table", shown(path), reason(err))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := s.read(f, info.Size(), like, targets)
	if err != nil {
		return nil, errors.Wrap(err, shown(path))
	}
	t.files[0].Path, t.of = path, of
	return t, nil
}

// A table is a text as samples, whose targets are still text until decode.
type table struct {
	samples
	*dialect
	total           int   // columns of the file
	inputs, outputs []int // columns
	ignored         bool  // targets are not read
	latin           bool  // some class is not UTF-8
	lines           []lineOf
	next            int    // line that the next sample is expected in
	of              string // what places begin with

	ids   []uint16 // [n], indices of words; or, of several targets and of many different numbers, targets
	words []string
	index map[string]uint16
}

// A lineOf says in which line a sample is, and that those after it are in the lines after that.
type lineOf struct{ sample, line int }

// place says where a field is.
func (t *table) place(i, column int) string {
	k := sort.Search(len(t.lines), func(k int) bool { return t.lines[k].sample > i }) - 1
	return fmt.Sprintf("line %d, %s", t.lines[k].line+i-t.lines[k].sample, t.column(column))
}

// say adds a guess.
func (t *table) say(about, taken, field string, likely bool) {
	t.samples.say(about, taken, field, likely)
}

// column is a column in words.
func (t *table) column(k int) string {
	if t.header == nil || t.header[k] == "" {
		return fmt.Sprintf("column %d", k+1)
	}
	return fmt.Sprintf("column %d (%s)", k+1, printable(clip(t.header[k])))
}

// printables are names for a message.
func printables(names []string) []string {
	short := make([]string, len(names))
	for k, name := range names {
		short[k] = printable(clip(name))
	}
	return short
}

// printable quotes text that a terminal would not print as it is.
func printable(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+2 && !strings.ContainsAny(s, `"\`) {
		return shown(s)
	}
	return s
}

// read reads a table of size bytes, gzip or plain: once to guess how it is written and to count its lines, and once more for its
// numbers. See open.
func (s CSV) read(r io.ReaderAt, size int64, like *layout, targets bool) (*table, error) {
	d, n, err := s.survey(r, size, like)
	if err != nil {
		return nil, err
	}
	t := &table{dialect: d, total: d.columns, ignored: !targets, index: make(map[string]uint16)}
	t.samples.guesses = d.guesses
	if like == nil {
		err = t.choose(s.Targets)
	} else {
		err = t.chooseLike(like, targets)
	}
	if err != nil {
		return nil, err
	}
	if n > maxValues/max(len(t.inputs), len(t.outputs)) {
		return nil, errors.Errorf("%d lines of %s are more than %d numbers: give a part of the table", n, counted(len(t.inputs), "input"), maxValues)
	}
	sum := newSum(io.NewSectionReader(r, 0, size))
	text, err := textOf(sum, size, maxTable)
	if err != nil {
		return nil, err
	}
	if err := t.fill(newRecordReader(text, d.end, d.separator), n); err != nil {
		return nil, err
	}
	t.files = []File{{Size: size, SHA256: sum.hex()}}
	return t, nil
}

// survey guesses how a table is written and returns the number of lines that are not blank.
func (s CSV) survey(r io.ReaderAt, size int64, like *layout) (d *dialect, lines int, err error) {
	text, err := textOf(io.NewSectionReader(r, 0, size), size, maxTable)
	if err != nil {
		return nil, 0, err
	}
	head, whole, err := headOf(text)
	if err != nil {
		return nil, 0, damaged(err)
	}
	var names []string
	if like != nil {
		names = like.names()
	}
	if d, err = s.guess(head, whole, text.mark, names); err != nil {
		return nil, 0, err
	}
	if text, err = textOf(io.NewSectionReader(r, 0, size), size, maxTable); err != nil {
		return nil, 0, err
	}
	buffered := &countedLines{end: d.end}
	if _, err := io.Copy(buffered, text); err != nil {
		return nil, 0, damaged(err)
	}
	return d, buffered.n + 1, nil
}

func damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "gzip") || strings.Contains(err.Error(), "flate") {
		return errors.Wrap(err, "file ends or is damaged: give an undamaged file")
	}
	return err
}

// countedLines counts the lines that are written to it, without those that are empty.
type countedLines struct {
	end, last byte
	n         int
}

func (c *countedLines) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == c.end && c.last != c.end {
			c.n++
		}
		c.last = b
	}
	return len(p), nil
}

// choose tells inputs from outputs.
func (t *table) choose(targets []string) error {
	out := make(map[int]bool)
	for _, want := range targets {
		k, err := t.find(want)
		if err != nil {
			return err
		}
		if out[k] {
			return errors.Errorf("%s is given twice as Targets: give it once", t.column(k))
		}
		out[k] = true
		t.outputs = append(t.outputs, k)
	}
	if len(targets) == 0 {
		k, err := t.usualTarget()
		if err != nil {
			return err
		}
		t.outputs = []int{k}
		out[k] = true
	}
	var left []string
	for k := range t.total {
		if out[k] || t.trailing && k == t.total-1 {
			continue
		}
		if t.header != nil && t.header[k] == "" {
			left = append(left, t.column(k))
			continue
		}
		t.inputs = append(t.inputs, k)
	}
	var namesakes []string
	for _, k := range t.inputs {
		if t.header != nil && slices.ContainsFunc(t.outputs, func(o int) bool { return strings.EqualFold(t.header[o], t.header[k]) }) {
			namesakes = append(namesakes, t.column(k))
		}
	}
	if len(namesakes) > 0 {
		t.say("columns", listed(namesakes, 5)+", of the same name as the column to be predicted, was read as an input: if it holds the same, the target is known from the inputs; leave it out", "Targets", true)
	}
	if len(left) > 0 && !(t.rowNames && len(left) == 1) {
		t.say("columns", listed(left, 5)+", without a name in the header, left out of the inputs", "Header", !(len(left) == 1 && left[0] == "column 1"))
	}
	if len(t.inputs) > 1 && t.inputs[0] == 0 && len(t.headLines) >= 10 && counts(t.headLines) {
		named := t.header == nil || slices.Contains([]string{"id", "index", "idx", "nr", "no", "no.", "row", "n", "#", "unnamed: 0", "sample", "number"}, strings.ToLower(t.header[0]))
		t.say("columns", t.column(0)+", which counts the lines, was read as an input", "", named)
	}
	if len(t.inputs) == 0 {
		more := ""
		switch {
		case t.said != 0:
			more = fmt.Sprintf("; the first line says that fields are separated by %s: correct or remove that line, or give Separator", separatorName(t.said))
		case t.maybe != 0:
			more = fmt.Sprintf("; %q may be what separates fields here: give it as Separator", t.maybe)
		}
		return errors.Errorf("no column is left for inputs: give a table with more columns, separated by commas, semicolons or tabs%s", more)
	}
	t.setLayout()
	return nil
}

// setLayout fills in what samples know of the columns.
func (t *table) setLayout() {
	t.axes, t.width = []int{len(t.inputs)}, max(1, len(t.outputs))
	t.eps, t.targetEps = epsOf64, epsOf64
	t.input = func(i, j int) string { return t.of + t.place(i, t.inputs[j]) }
	t.target = func(i, j int) string { return t.of + t.place(i, t.outputs[j]) }
	t.inputName = func(j int) string { return t.column(t.inputs[j]) }
	t.targetName = func(j int) string { return t.column(t.outputs[j]) }
	t.otherTargets = t.candidates
}

// find returns the column of a name or number.
func (t *table) find(want string) (int, error) {
	k := slices.Index(t.header, want)
	switch n, err := strconv.Atoi(want); {
	case k >= 0 && slices.Contains(t.header[k+1:], want):
		return 0, errors.Errorf("two columns are called %q: give the number of one as Targets, the first being 1", want)
	case k >= 0:
		return k, nil
	case err == nil && n >= 1 && n <= t.total && !(t.trailing && n == t.total):
		return n - 1, nil
	}
	return 0, errors.Errorf("no column %q; there are %s: give other Targets, by name or by number from 1", want, t.there())
}

// there is the columns in words.
func (t *table) there() string {
	if t.header == nil {
		return fmt.Sprintf("%d, without names", t.total)
	}
	var names []string
	for _, name := range t.header {
		if name != "" {
			names = append(names, strconv.Quote(clip(name)))
		}
	}
	if most := 20; len(names) > most {
		return fmt.Sprintf("[%s] and %d more", strings.Join(names[:most], " "), len(names)-most)
	}
	return "[" + strings.Join(names, " ") + "]"
}

// usualTarget is the column to predict where nobody says.
func (t *table) usualTarget() (int, error) {
	for _, usual := range usualTargets {
		is := func(name string) bool { return strings.EqualFold(name, usual) }
		k := slices.IndexFunc(t.header, is)
		if k < 0 {
			continue
		}
		t.say("target", t.column(k)+", by its name, is to be predicted", "Targets", slices.IndexFunc(t.header[k+1:], is) >= 0)
		return k, nil
	}
	k := t.total - 1
	if t.trailing {
		k--
	}
	if t.header != nil && t.header[k] == "" {
		if slices.ContainsFunc(t.header, func(name string) bool { return name != "" }) {
			return 0, errors.Errorf("column %d, the last, has no name and is not empty: name it, or give the column to be predicted as Targets; there are %s", k+1, t.there())
		}
	}
	first, why := t.firstIsLabel(k)
	if first {
		t.say("target", t.column(k)+", the last, is to be predicted; "+why, "Targets", true)
	} else {
		t.say("target", t.column(k)+", the last, is to be predicted", "Targets", false)
	}
	return k, nil
}

// firstIsLabel reports whether the first column looks more like labels than column k, the last, does: it is text or a few whole
// numbers, in the head, and the last is many numbers.
func (t *table) firstIsLabel(k int) (is bool, why string) {
	if k < 1 || len(t.headLines) < 4 || t.header != nil && t.header[0] == "" {
		return false, ""
	}
	few := func(j int) (n int, is bool) {
		seen, whole := make(map[string]bool), true
		for _, r := range t.headLines {
			if j >= len(r.fields) {
				return 0, false
			}
			v, kind := number(r.fields[j], t.decimal)
			whole = whole && (kind == isText || v == math.Trunc(v) && !strings.Contains(r.fields[j], "."))
			seen[r.fields[j]] = true
		}
		return len(seen), whole && len(seen) >= 2 && len(seen) <= max(2, min(20, len(t.headLines)/3))
	}
	_, last := few(k)
	n, first := few(0)
	if !first || last || k < 2 {
		return false, ""
	}
	return true, fmt.Sprintf("but column 1 has %d different values and may be labels", n)
}

// candidates names columns that may be targets: inputs of few different whole numbers.
func (t *table) candidates() string {
	var found []string
	for j, k := range t.inputs {
		seen := make(map[float64]bool)
		for i := 0; i < t.n && len(seen) <= 100; i++ {
			if v := t.at(i, j); v == math.Trunc(v) {
				seen[v] = true
			} else {
				seen = nil
				break
			}
		}
		if len(seen) >= 2 && len(seen) <= min(100, max(2, t.n/2)) {
			found = append(found, fmt.Sprintf("%s has %d values", t.column(k), len(seen)))
		}
	}
	if len(found) == 0 {
		return "give another as Targets, by name or by number from 1; there are " + t.there()
	}
	return listed(found, 5) + ": give one as Targets, by name or by number from 1"
}

// fill reads all samples; there are at most n lines.
func (t *table) fill(r *recordReader, n int) error {
	t.ids = make([]uint16, 0, n)
	if t.width > 1 {
		t.ids, t.targets = nil, make([]float64, 0, n*t.width)
	}
	if t.floats {
		t.values = make([]float64, 0, n*len(t.inputs))
	} else {
		t.bytes = make([]uint8, 0, n*len(t.inputs))
	}
	var left, first [3]int // lines left out, of each kind
	leave := func(what int) {
		if left[what]++; left[what] == 1 {
			first[what] = r.line
		}
	}
	preamble := t.preamble
	for {
		switch err := r.next(); {
		case err == io.EOF:
			for k, what := range []string{"that begin with #", "without any value", "that repeat the names"} {
				switch m := left[k]; {
				case m == 1:
					t.say("lines left out", fmt.Sprintf("line %d, one of those %s", first[k], what), "", false)
				case m > 1:
					t.say("lines left out", fmt.Sprintf("%d lines %s, the first of them line %d", m, what, first[k]), "", false)
				}
			}
			if t.latin || t.dialect.latin {
				t.say("encoding", "names are no UTF-8 and were read as Latin-1 (ISO 8859-1)", "", false)
			}
			switch {
			case t.n == 0 && left[0] > 0:
				return errors.Errorf("no samples: %s, from line %d on, begin with # and were read as remarks: give a table with a line for each sample",
					counted(left[0], "line"), first[0])
			case t.n == 0:
				return errors.New("no samples: give a table with a line for each")
			}
			return nil
		case err != nil:
			return damaged(err)
		case preamble > 0:
			preamble--
			continue
		case r.line == t.headerAt:
			continue
		case r.comment && !(len(r.fields) == t.total && slices.Contains(t.outputs, 0)):
			leave(0)
			continue
		case !slices.ContainsFunc(r.fields, func(f []byte) bool { return len(f) > 0 }):
			leave(1)
			continue
		}
		if len(r.fields) != t.total {
			return t.wrongCount(r)
		}
		if t.header != nil && t.repeatsHeader(r.fields) {
			leave(2)
			continue
		}
		if t.trailing && len(r.fields[t.total-1]) > 0 {
			return errors.Errorf("line %d, column %d holds %.40q, where the lines before it have nothing: %s", r.line, t.total, r.fields[t.total-1], csvAdvice)
		}
		if t.n == n {
			return errors.New("the file has grown while it was read: read it again")
		}
		if err := t.add(r.fields, r.line); err != nil {
			return err
		}
	}
}

// wrongCount is the error of a line with more or fewer fields.
func (t *table) wrongCount(r *recordReader) error {
	advice := csvAdvice
	if len(r.fields) > t.total && t.separator == ',' {
		advice += "; a comma within a number or a text needs quotes around it"
	}
	return errors.Errorf("line %d has %s, those before it %d: %s", r.line, counted(len(r.fields), "field"), t.total, advice)
}

// repeatsHeader reports whether a line is the header once more, as where tables were put one after the other.
func (t *table) repeatsHeader(fields [][]byte) bool {
	for k, f := range fields {
		if string(f) != t.header[k] {
			return false
		}
	}
	return !slices.ContainsFunc(t.inputs, func(k int) bool { _, kind := number(t.header[k], t.decimal); return kind == isNumber })
}

// add adds the sample on a line.
func (t *table) add(fields [][]byte, line int) error {
	if line != t.next {
		t.lines = append(t.lines, lineOf{t.n, line})
	}
	t.next = line + 1
	for _, k := range t.inputs {
		v, kind := number(fields[k], t.decimal)
		if kind == isText {
			return t.noNumber(t.n, k, string(fields[k]))
		}
		if t.values == nil {
			if isByte(v) {
				t.bytes = append(t.bytes, uint8(v))
				continue
			}
			t.widen()
		}
		t.values = append(t.values, v)
	}
	if t.ignored {
		t.n++
		return nil
	}
	for _, k := range t.outputs {
		if len(fields[k]) == 0 {
			return t.noNumber(t.n, k, "")
		}
		if t.ids == nil {
			v, kind := number(fields[k], t.decimal)
			if kind == isText {
				return t.noNumber(t.n, k, string(fields[k]))
			}
			t.targets = append(t.targets, v)
			continue
		}
		id, is := t.index[string(fields[k])]
		if !is {
			if len(t.words) == maxClasses {
				if err := t.manyTargets(fields[k], k); err != nil {
					return err
				}
				continue
			}
			id = uint16(len(t.words))
			word, latin := stringOf(fields[k])
			t.latin = t.latin || latin
			t.words = append(t.words, word)
			t.index[string(fields[k])] = id
		}
		t.ids = append(t.ids, id)
	}
	t.n++
	return nil
}

// widen makes numbers of bytes.
func (t *table) widen() {
	t.values = make([]float64, len(t.bytes), cap(t.bytes))
	for k, b := range t.bytes {
		t.values[k] = float64(b)
	}
	t.bytes = nil
}

// manyTargets goes on with numbers where the targets have more than maxClasses different values.
func (t *table) manyTargets(field []byte, k int) error {
	t.targets = make([]float64, len(t.ids), cap(t.ids))
	for i, id := range t.ids {
		v, kind := number(t.words[id], t.decimal)
		if kind == isText {
			return errors.Errorf("%s: more than %d different targets, of which %.40q is no number: %s", t.place(i, k), maxClasses, t.words[id], t.candidates())
		}
		t.targets[i] = v
	}
	v, kind := number(field, t.decimal)
	if kind == isText {
		return t.noNumber(t.n, k, string(field))
	}
	t.targets = append(t.targets, v)
	t.ids = nil
	return nil
}

// noNumber is the error of a field.
func (t *table) noNumber(i, k int, field string) error {
	place := t.place(i, k)
	if field == "" {
		return errors.Errorf("%s is empty: fill it in, or leave the line out; there is no default for a value that is missing", place)
	}
	if missing(field) {
		also := ""
		if i == 0 && t.header == nil {
			also = "; if the line is names of columns, give HeaderPresent as Header"
		}
		return errors.Errorf("%s: %.40q is no number but marks a missing value: fill it in, or leave the line out%s", place, field, also)
	}
	remedy := csvAdvice + "; a column that is not to be learned from must be removed, names must be coded as numbers"
	switch other := byte('.' + ',' - t.decimal); {
	case commaAdvice(field, t.decimal) != "":
		remedy = commaAdvice(field, t.decimal)
	case strings.ContainsRune(field, rune(other)) && isNumberBy(field, other):
		remedy = fmt.Sprintf("write %s, with the decimal sign of this table, or give Decimal %q if that is its decimal sign", strings.Replace(field, string(other), string(t.decimal), 1), other)
	case slices.Contains(t.outputs, k) && t.width == 1:
		remedy = csvAdvice + "; if the targets are names of classes, some of which are numbers, give the Task Classification"
	case strings.EqualFold(field, "true") || strings.EqualFold(field, "false"):
		remedy = "write 0 for False and 1 for True"
	case plainNumber(field) != "":
		remedy = fmt.Sprintf("write %s", plainNumber(field))
	case hasUnit(field):
		remedy = "write the number alone, without a sign of money, per cent or a unit, and in the same unit in every line"
	case i == 0 && t.header == nil:
		remedy += "; in a header no name is a number, unless HeaderPresent is given as Header"
	}
	if slices.Contains(t.inputs, k) && len(t.outputs) > 0 && remedyIsGeneral(remedy) {
		remedy += fmt.Sprintf("; if it is what is to be predicted, and not %s, give %q as Targets", t.column(t.outputs[0]), t.nameOrNumber(k))
	}
	return errors.Errorf("%s: %.40q is no number: %s", place, field, remedy)
}

func remedyIsGeneral(remedy string) bool { return strings.HasPrefix(remedy, csvAdvice) }

// nameOrNumber is what Targets calls a column.
func (t *table) nameOrNumber(k int) string {
	if t.header != nil && t.header[k] != "" && slices.Index(t.header, t.header[k]) == slices.Index(t.header[k:], t.header[k])+k {
		return t.header[k]
	}
	return strconv.Itoa(k + 1)
}

func isNumberBy(field string, decimal byte) bool {
	_, kind := number(field, decimal)
	return kind == isNumber
}

// commaAdvice says how to write a number in which a mark groups thousands, or may do so.
func commaAdvice(field string, decimal byte) string {
	other := byte('.' + ',' - decimal)
	if !groupedBy(field, other) {
		if groupedBy(field, decimal) && strings.Contains(field, string(other)) {
			return fmt.Sprintf("its %q groups thousands and its %q is the decimal sign: write %s, without marks that group thousands, in every line, and give Decimal %q", decimal, other,
				strings.ReplaceAll(field, string(decimal), ""), other)
		}
		if groupedBy(field, decimal) && strings.Count(field, string(decimal)) > 1 {
			return fmt.Sprintf("write it without the marks that group thousands: %s", strings.ReplaceAll(field, string(decimal), ""))
		}
		return ""
	}
	whole := strings.ReplaceAll(field, string(other), "")
	if strings.Count(field, string(other)) > 1 || strings.Contains(field, string(decimal)) {
		return fmt.Sprintf("its %q groups thousands: write it without the marks that group thousands: %s", other, whole)
	}
	return fmt.Sprintf("it may be %s, its %q grouping thousands, or %s, its %q being the decimal sign: write every such number the one way or the other (in the "+
		"second case, Decimal %q reads the table as it is)", whole, other, strings.Replace(field, string(other), string(decimal), 1), other, other)
}

// plainNumber is a number that is written with a sign of minus or with marks between thousands that are not those of programs, as
// programs write it; empty if it is none.
func plainNumber(field string) string {
	plain := strings.Replace(field, "\u2212", "-", 1)
	for _, mark := range []string{"'", "\u2019", " ", "\u00a0", "\u202f", "\u2009", "_"} {
		if groupedBy(strings.ReplaceAll(strings.ReplaceAll(plain, mark, ","), ",,", "x"), ',') && !strings.Contains(plain, ",") {
			plain = strings.ReplaceAll(plain, mark, "")
		}
	}
	if plain == field || !isNumberBy(plain, '.') {
		return ""
	}
	return plain
}

// hasUnit reports whether a field is an amount of money, a percentage or a number with a unit.
func hasUnit(field string) bool {
	bare := strings.TrimLeftFunc(field, func(r rune) bool { return unicode.Is(unicode.Sc, r) || unicode.IsSpace(r) })
	bare = strings.TrimRightFunc(bare, func(r rune) bool { return !(r >= '0' && r <= '9') })
	return bare != "" && len(field)-len(bare) <= 8 && (isNumberBy(bare, '.') || grouped(bare))
}

// decode makes targets of the text: as the training part has them, where classes are its names.
func (t *table) decode(task Task, classes []string) error {
	if t.ids == nil {
		t.whole = false
		if t.width > 1 {
			t.whole = !slices.ContainsFunc(t.targets, func(v float64) bool { return v != math.Trunc(v) })
		}
		if classes != nil {
			return errors.Errorf("targets are numbers, and those of the training part are names of classes: %s", listed(printables(classes), 10))
		}
		return nil
	}
	values, kinds := make([]float64, len(t.words)), make([]fieldKind, len(t.words))
	finite, text, whole := 0, 0, true
	for w, word := range t.words {
		switch values[w], kinds[w] = number(word, t.decimal); kinds[w] {
		case isNumber:
			finite++
			_, err := strconv.ParseInt(word, 10, 64)
			whole = whole && err == nil
		case isText:
			text++
		}
	}
	named := text > 0 && (finite == 0 || task == Classification)
	if classes != nil {
		named = true
	}
	if !named {
		if text > 0 {
			i := slices.IndexFunc(t.ids, func(id uint16) bool { return kinds[id] == isText })
			return t.noNumber(i, t.outputs[0], t.words[t.ids[i]])
		}
		t.whole = whole && finite == len(t.words)
		t.targets = make([]float64, t.n)
		for i, id := range t.ids {
			t.targets[i] = values[id]
		}
		t.ids, t.index = nil, nil
		return nil
	}
	if classes == nil {
		classes = slices.Sorted(slices.Values(t.words))
		for _, name := range classes {
			if missing(name) {
				t.say("missing values", fmt.Sprintf("the target %q was read as a class of that name, not for a value that is missing", printable(name)), "", true)
			}
		}
	}
	t.whole, t.classes = true, classes
	class := make([]float64, len(t.words))
	for w, name := range t.words {
		k, is := slices.BinarySearch(classes, name)
		if v := values[w]; !is && kinds[w] == isNumber { // "+1" is the class "1"
			k = slices.IndexFunc(classes, func(c string) bool { x, kind := number(c, '.'); return kind == isNumber && x == v })
			is = k >= 0
		}
		if !is {
			i := slices.Index(t.ids, uint16(w))
			return errors.Errorf("%s: no training sample is of the class %q; there are %s: correct it, or add such samples", t.place(i, t.outputs[0]), clip(name),
				listed(printables(classes), 20))
		}
		class[w] = float64(k)
	}
	t.targets = make([]float64, t.n)
	for i, id := range t.ids {
		t.targets[i] = class[id]
	}
	t.ids, t.index = nil, nil
	return nil
}
