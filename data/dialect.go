package data

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// A Header says whether the first line of a table is names of columns.
type Header int

const (
	HeaderAuto    Header = iota // as CSV says; an error where it cannot be told
	HeaderPresent               // the first line is names
	HeaderAbsent                // the first line is a sample
)

// A dialect is how a table is written. It is guessed from the first lines, and what was guessed is held against all others where they
// are read.
type dialect struct {
	end       byte // of a line
	separator byte
	decimal   byte // '.' or ','

	preamble  int      // lines before the first record: sep=, comments
	header    []string // names of columns; nil if there is none
	headerAt  int      // line of the header
	columns   int      // fields of a line
	rowNames  bool     // the first column is names of rows, for which the header has no name, as R writes it
	trailing  bool     // all lines but the header end in a separator
	latin     bool     // some field of the head is not UTF-8
	said      byte     // the separator that a line sep= gives; 0 if there is none
	maybe     rune     // what may separate the fields of a table that nothing usual splits
	floats    bool     // some number of the head is not a whole one in 0..255
	index     bool     // the first column has no name and counts
	guesses   []Guess
	headLines []record
}

// A record is a line of the head.
type record struct {
	line   int
	fields []string
}

// separators are what fields may be separated by without being told, in the order in which equally good ones are taken.
const separators = "\t;,"

var separatorNames = map[byte]string{'\t': "tabs", ';': "semicolons", ',': "commas", ' ': "blanks", '|': "bars |"}

// separatorName is a separator in words, several of it.
func separatorName(b byte) string {
	if name, is := separatorNames[b]; is {
		return name
	}
	return fmt.Sprintf("%q", b)
}

// guess guesses how a table is written whose text begins with head, whole says that this is all of it. names, if there are any, are the
// names of columns that the table is expected to have.
func (s CSV) guess(head []byte, whole bool, mark string, names []string) (*dialect, error) {
	d := &dialect{end: '\n', decimal: '.'}
	if mark != "" && mark != "UTF-8" {
		d.say("encoding", "the text was read as "+mark+", as its byte order mark says", "", false)
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		d.end = '\r'
		d.say("line ends", "lines end in a carriage return alone", "", false)
	}
	if feeds, returns := lineEnds(head); d.end == '\n' && returns > feeds {
		return nil, errors.Errorf("lines end in a carriage return alone (%d of them) and in a line feed (%d), mixed: save the table with one kind of line ends", returns, feeds)
	}
	if what := otherFormat(head); what != "" {
		return nil, errors.Errorf("the file begins as %s does: give a table of text, such as one saved as CSV", what)
	}
	if err := d.separate(s, head, whole); err != nil {
		return nil, err
	}
	if len(d.headLines) == 0 {
		return nil, errors.New("no samples: give a table with a line for each")
	}
	if err := d.count(); err != nil {
		return nil, err
	}
	if err := d.chooseDecimal(s); err != nil {
		return nil, err
	}
	return d, d.chooseHeader(s, names)
}

// lineEnds counts line feeds, and carriage returns that no line feed follows, without those in quotes.
func lineEnds(head []byte) (feeds, returns int) {
	quoted := false
	for k, b := range head {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '\n':
			feeds++
		case b == '\r' && k+1 < len(head) && head[k+1] != '\n' && head[k+1] != '\r':
			returns++
		}
	}
	return feeds, returns
}

// otherFormat names the format of a file that is no table.
func otherFormat(head []byte) string {
	start := bytes.TrimLeft(head[:min(len(head), 1<<10)], " \t\r\n")
	for _, f := range [][2]string{{"PK\x03\x04", "a workbook of Excel or another archive"}, {"\xd0\xcf\x11\xe0", "a workbook of Excel"}, {npyMagic, "an array of NumPy"},
		{"PAR1", "a Parquet file"}, {"<", "a web page (HTML)"}, {"{", "JSON"}, {"[{", "JSON"}, {"[[", "JSON"}, {"%PDF", "a PDF"}, {"\x89HDF", "an HDF5 file"}} {
		if bytes.HasPrefix(start, []byte(f[0])) {
			return f[1]
		}
	}
	return ""
}

func (d *dialect) say(about, taken, field string, likely bool) {
	d.guesses = append(d.guesses, Guess{About: about, Taken: taken, Field: field, Likely: likely})
}

// headOf returns the first bytes of a text, enough for some lines, and whether that is all.
func headOf(r io.Reader) (head []byte, whole bool, err error) {
	buffered := bufio.NewReader(r)
	for size := int64(maxHead); ; size *= 4 {
		more, err := io.ReadAll(io.LimitReader(buffered, size-int64(len(head))))
		head = append(head, more...)
		if err != nil {
			return nil, false, err
		}
		if int64(len(head)) < size {
			return head, true, nil
		}
		if bytes.Count(head, []byte("\n")) > 3 || bytes.Count(head, []byte("\r")) > 3 || size >= 2*maxLine {
			return head, false, nil
		}
	}
}

// headRecords splits the head. A record that the head cuts off is left out.
func (d *dialect) headRecords(head []byte, whole bool, separator byte) (records []record, comments []record, err error) {
	if !whole {
		if k := bytes.LastIndexByte(head, d.end); k >= 0 {
			head = head[:k]
		}
	}
	t := newRecordReader(bytes.NewReader(head), d.end, separator)
	for len(records) < headLines {
		if err := t.next(); err == io.EOF {
			break
		} else if err != nil {
			if len(records) > 1 && !whole { // a quoted field may be cut off
				break
			}
			return nil, nil, err
		}
		r := record{line: t.line}
		for _, f := range t.fields {
			name, latin := stringOf(f)
			d.latin = d.latin || latin
			r.fields = append(r.fields, name)
		}
		if t.comment {
			comments = append(comments, r)
			continue
		}
		records = append(records, r)
	}
	return records, comments, nil
}

// separate chooses the separator and splits the head by it. The choice is the separator that splits most lines into equally many fields
// and of whose fields most are numbers: score = share of the lines with the usual number of fields x share of numbers.
func (d *dialect) separate(s CSV, head []byte, whole bool) error {
	if s.Separator != 0 && (s.Separator >= 0x80 || strings.ContainsRune("\"\r\n\x00", s.Separator)) {
		return errors.Errorf("Separator is %q: give an ASCII character that is no quote and no end of a line", s.Separator)
	}
	first := head
	for len(first) > 0 && (first[0] == '\r' || first[0] == '\n') {
		first = first[1:]
	}
	first, _, _ = bytes.Cut(first, []byte{d.end})
	first = bytes.TrimRight(bytes.Trim(first, "\""), "\r\"") // Excel's; a sample of 1 field never begins so
	said := byte(0)
	if len(first) == 5 && strings.EqualFold(string(first[:4]), "sep=") {
		said = first[4]
	}
	var firstErr error
	best, bestRecords, bestComments, score := byte(','), []record(nil), []record(nil), -1.
	candidates := separators
	switch {
	case s.Separator != 0:
		candidates = string([]byte{byte(s.Separator)})
	case said != 0:
		candidates = string([]byte{said})
	}
	for _, c := range []byte(candidates) {
		records, comments, err := d.headRecords(head, whole, c)
		if err != nil {
			if firstErr == nil || c == ',' {
				firstErr = err
			}
			continue
		}
		if said != 0 && len(records) > 0 {
			records = records[1:]
		}
		if sc := scoreOf(records, c); sc > score || sc == 0 && score == 0 && c == ',' {
			best, bestRecords, bestComments, score = c, records, comments, sc
		}
	}
	if score <= 0 && firstErr != nil {
		return firstErr
	}
	d.separator, d.headLines = best, bestRecords
	d.preamble, d.said = 0, said
	if said != 0 {
		d.preamble = 1
	}
	if d.separator == ',' && score == 0 {
		d.adviseSeparator(bestRecords)
	}
	switch {
	case s.Separator != 0 && said != 0 && said != d.separator:
		d.say("separator", fmt.Sprintf("fields are separated by %s, as Separator says; the first line says %s", separatorName(d.separator), separatorName(said)), "Separator", false)
	case s.Separator != 0:
	case said != 0:
		d.say("separator", "the first line says that fields are separated by "+separatorName(said), "Separator", false)
	default:
		d.say("separator", "fields are separated by "+separatorName(d.separator), "Separator", false)
	}
	d.useComments(bestComments)
	return nil
}

// scoreOf rates a separator.
func scoreOf(records []record, separator byte) float64 {
	if len(records) == 0 {
		return 0
	}
	usual, lines := usualCount(records)
	if usual < 2 {
		return 0
	}
	numbers, fields := 0, 0
	for k, r := range records {
		if k == 0 && len(records) > 1 || len(r.fields) != usual {
			continue
		}
		for _, f := range r.fields {
			fields++
			if _, kind := number(f, '.'); kind == isNumber || f == "" {
				numbers++
			} else if _, kind := number(f, ','); kind == isNumber && separator != ',' {
				numbers++
			} else if grouped(f) {
				numbers++
			}
		}
	}
	return float64(lines) / float64(len(records)) * (1 + float64(numbers)) / (1 + float64(fields))
}

// usualCount returns the number of fields that most lines have; the first line counts only if there is no other.
func usualCount(records []record) (count, lines int) {
	counts := make(map[int]int)
	for k, r := range records {
		if k > 0 || len(records) == 1 {
			counts[len(r.fields)]++
		}
	}
	for c, n := range counts {
		if n > lines || n == lines && c == len(records[0].fields) || n == lines && c > count && count != len(records[0].fields) {
			count, lines = c, n
		}
	}
	if len(records) > 1 && len(records[0].fields) == count {
		lines++
	}
	return count, lines
}

// adviseSeparator adds what may separate the fields of a table that none of the usual separators splits.
func (d *dialect) adviseSeparator(records []record) {
	for _, c := range "|: " {
		n := 0
		for _, r := range records {
			if strings.ContainsRune(strings.TrimSpace(r.fields[0]), c) {
				n++
			}
		}
		if n > 0 && n >= len(records)-1 {
			d.maybe = c
			return
		}
	}
}

// useComments takes a line that begins with # for names where it has as many fields as the others and none is a number, as
// numpy.savetxt writes a header; others are left out.
func (d *dialect) useComments(comments []record) {
	if len(comments) == 0 || len(d.headLines) == 0 {
		return
	}
	usual, _ := usualCount(d.headLines)
	k := -1
	for j, c := range comments {
		if c.line < d.headLines[0].line && len(c.fields) == usual {
			k = j
		}
	}
	if k < 0 {
		return
	}
	names := slices.Clone(comments[k].fields)
	names[0] = strings.TrimSpace(strings.TrimLeft(names[0], "#"))
	for j, n := range names {
		names[j] = strings.Trim(n, `"`)
		if _, kind := number(n, '.'); kind == isNumber {
			return
		}
	}
	if _, kind := number(d.headLines[0].fields[0], '.'); kind != isNumber && len(d.headLines[0].fields) == usual && allText(d.headLines[0].fields) {
		return // names follow
	}
	d.header, d.headerAt = names, comments[k].line
}

func allText(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { _, kind := number(f, '.'); return kind == isNumber })
}

// count decides how many fields a line has, and what a first line is that has another number of them.
func (d *dialect) count() error {
	records := d.headLines
	usual, _ := usualCount(records)
	d.columns = usual
	if d.header != nil {
		return nil
	}
	first, rest := records[0], records[1:]
	alike := func(is func(fields []string) bool) bool {
		for _, r := range rest {
			if len(r.fields) != usual || !is(r.fields) {
				return false
			}
		}
		return len(rest) > 0
	}
	switch len(first.fields) {
	case usual:
	case usual - 1:
		counts := alike(func() func([]string) bool {
			k, base := -1, 0
			return func(f []string) bool {
				n, err := strconv.Atoi(f[0])
				if k++; k == 0 {
					base = n
				}
				return err == nil && base <= 1 && base >= 0 && n == base+k
			}
		}())
		seen := make(map[string]bool)
		named := alike(func(f []string) bool {
			_, kind := number(f[0], '.')
			is := kind == isText && !missing(f[0]) && !seen[f[0]]
			seen[f[0]] = true
			return is
		})
		switch {
		case alike(func(f []string) bool { return f[usual-1] == "" }):
			d.trailing = true
		case first.fields[0] != "" && (counts && !alike(func(f []string) bool { return len(f[1]) == 3 && digits(f[1]) }) || named && len(rest) > 1):
			d.rowNames = true
		default:
			return errors.Errorf("line %d has %s, and the names in line %d are %d: correct the line that is wrong; a header that is one name short is what R's "+
				"write.table writes: give it row.names=FALSE, or col.names=NA; a comma within a number needs quotes", rest[0].line,
				counted(usual, "field"), first.line, usual-1)
		}
	case usual + 1:
		if first.fields[usual] != "" {
			return errors.Errorf("line %d has %s, those before it %d: %s", rest[0].line, counted(len(rest[0].fields), "field"), usual+1, csvAdvice)
		}
		d.headLines[0].fields = first.fields[:usual]
	default:
		return errors.Errorf("line %d has %s, those before it %d: %s; a line before the names that is no comment must be removed, a comma within a "+
			"number needs quotes", rest[0].line, counted(len(rest[0].fields), "field"), len(first.fields), csvAdvice)
	}
	return nil
}

// A fieldKind is what a field is.
type fieldKind int

const (
	isText   fieldKind = iota
	isNumber           // finite, or too large for float64
	isOdd              // NaN or an infinity, in a word
)

// number returns a field, without blanks around it, as a number. Only decimal notation is one: what Go takes for a number besides
// (0x1p4, 1_000) is text.
func number[S string | []byte](field S, decimal byte) (float64, fieldKind) {
	if len(field) == 1 && field[0] >= '0' && field[0] <= '9' {
		return float64(field[0] - '0'), isNumber
	}
	comma, digits := -1, false
	for k := range len(field) {
		switch c := field[k]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == decimal && c == ',' && comma < 0:
			comma = k
		case c == '.' && decimal == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			return oddNumber(string(field))
		}
	}
	if !digits {
		return oddNumber(string(field))
	}
	var v float64
	var err error
	if comma >= 0 {
		b := []byte(field)
		b[comma] = '.'
		v, err = strconv.ParseFloat(string(b), 64)
	} else {
		v, err = strconv.ParseFloat(string(field), 64)
	}
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, isText
	}
	return v, isNumber
}

// oddNumber is number of a field that is not in decimal notation.
func oddNumber(field string) (float64, fieldKind) {
	switch strings.ToLower(field) {
	case "nan", "+nan", "-nan":
		return math.NaN(), isOdd
	case "inf", "+inf", "infinity", "+infinity":
		return math.Inf(1), isOdd
	case "-inf", "-infinity":
		return math.Inf(-1), isOdd
	}
	return 0, isText
}

// missing reports whether a field is one of the usual marks of a value that is missing.
func missing(field string) bool {
	switch strings.ToLower(field) {
	case "", "?", "-", "--", ".", "..", "*", "na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "missing", "unknown", "#value!", "#div/0!", `\n`:
		return true
	}
	return false
}

// grouped reports whether a field is a number in which commas or points may group thousands: 1,000 or 12.345.678.
func grouped(field string) bool { return groupedBy(field, ',') || groupedBy(field, '.') }

// groupedBy reports whether mark groups the thousands of a field; what follows the last group may be a fraction.
func groupedBy(field string, mark byte) bool {
	field = strings.TrimLeft(field, "+-")
	parts := strings.Split(field, string(mark))
	if len(parts) < 2 || len(parts[0]) < 1 || len(parts[0]) > 3 || parts[0][0] == '0' {
		return false
	}
	point := byte('.' + ',' - mark)
	for k, p := range parts {
		if k == len(parts)-1 {
			whole, fraction, is := strings.Cut(p, string(point))
			if is && !digits(fraction) {
				return false
			}
			p = whole
		}
		if !digits(p) || k > 0 && len(p) != 3 {
			return false
		}
	}
	return true
}

func digits(s string) bool {
	for k := range len(s) {
		if s[k] < '0' || s[k] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// chooseDecimal chooses the decimal sign. Commas are taken for it where fields are not separated by commas, some number has a comma that
// cannot group thousands (1,5 or 0,125), and none has a point that cannot.
func (d *dialect) chooseDecimal(s CSV) error {
	if s.Decimal != 0 && s.Decimal != '.' && s.Decimal != ',' {
		return errors.Errorf("Decimal is %q: give '.' or ',', or 0 for a guess", s.Decimal)
	}
	if s.Decimal != 0 {
		d.decimal = byte(s.Decimal)
		return nil
	}
	commas, points, groups, groupedPoints := 0, 0, 0, 0
	sample := ""
	for _, r := range d.headLines {
		for _, f := range r.fields {
			switch {
			case groupedBy(f, '.') && strings.Contains(f, ".") && !strings.Contains(f, ","):
				if groupedPoints++; groupedPoints == 1 {
					sample = f
				}
				points++
			case groupedBy(f, ','):
				groups++
			case strings.Contains(f, ","):
				if _, kind := number(f, ','); kind == isNumber {
					commas++
				}
			case strings.Contains(f, "."):
				if _, kind := number(f, '.'); kind == isNumber {
					points++
				}
			}
		}
	}
	switch {
	case d.separator != ',' && commas > 0 && points == groupedPoints: // points that may group thousands are refused where they are read
		d.decimal = ','
		d.say("decimal sign", "the comma is the decimal sign: 1,5 is one and a half", "Decimal", false)
	case d.separator != ',' && points > 0 && points == groupedPoints && groups == 0 && commas == 0 && d.separator != '\t':
		d.say("decimal sign", fmt.Sprintf("the point was read as the decimal sign, so that %s is less than a thousand; if it groups thousands, write the numbers without it", sample), "Decimal", true)
	default:
		d.say("decimal sign", "the point is the decimal sign", "Decimal", false)
	}
	return nil
}

// chooseHeader decides whether the first line is names.
func (d *dialect) chooseHeader(s CSV, names []string) error {
	if s.Header < HeaderAuto || s.Header > HeaderAbsent {
		return errors.Errorf("Header is %d: give HeaderAuto, HeaderPresent or HeaderAbsent", int(s.Header))
	}
	if s.Header == HeaderAbsent && (d.header != nil || d.rowNames || d.trailing) {
		if d.rowNames || d.trailing {
			return errors.Errorf("line %d has %s, and those after it %d: correct it, or give HeaderPresent as Header if it is names of columns",
				d.headLines[0].line, counted(len(d.headLines[0].fields), "field"), d.columns)
		}
		d.header = nil
	}
	first := d.headLines[0]
	switch {
	case d.header != nil:
		d.say("header", fmt.Sprintf("line %d, which begins with #, was read as names of columns", d.headerAt), "Header", false)
	case s.Header == HeaderPresent:
		d.takeHeader()
	case s.Header == HeaderAbsent:
	case d.rowNames:
		d.takeHeader()
		d.say("header", fmt.Sprintf("line %d was read as names of columns; it has one name less than the others have fields, as R's write.table writes it: "+
			"the first column was read as names of rows and left out (row.names=FALSE or col.names=NA of write.table avoid it)", first.line), "Header", false)
	case d.trailing:
		d.takeHeader()
		d.say("header", fmt.Sprintf("line %d was read as names of columns; all other lines end in a separator, which was left out", first.line), "Header", false)
	case len(names) > 0 && containsAll(first.fields, names):
		d.takeHeader()
		d.say("header", fmt.Sprintf("line %d was read as names of columns: it has those of the training data", first.line), "Header", false)
	default:
		if err := d.guessHeader(s.Targets); err != nil {
			return err
		}
	}
	d.dropLast(s)
	for _, r := range d.headLines {
		for _, f := range r.fields {
			v, kind := number(f, d.decimal)
			d.floats = d.floats || kind == isNumber && !isByte(v)
		}
	}
	if d.header != nil && d.header[0] == "" {
		d.index = counts(d.headLines)
	}
	return nil
}

// isByte reports whether a number is one of 0..255, and not -0.
func isByte(v float64) bool { return v >= 0 && v <= 255 && v == math.Trunc(v) && !math.Signbit(v) }

func containsAll(fields, names []string) bool {
	for _, name := range names {
		if !slices.Contains(fields, name) {
			return false
		}
	}
	return true
}

// counts reports whether the first column counts from 0 or 1.
func counts(records []record) bool {
	for k, r := range records {
		n, err := strconv.Atoi(r.fields[0])
		if first, _ := strconv.Atoi(records[0].fields[0]); err != nil || first < 0 || first > 1 || n != first+k {
			return false
		}
	}
	return len(records) > 0
}

// takeHeader takes the first line for names.
func (d *dialect) takeHeader() {
	d.header, d.headerAt = slices.Clone(d.headLines[0].fields), d.headLines[0].line
	d.headLines = d.headLines[1:]
	switch {
	case d.rowNames:
		d.header = append([]string{""}, d.header...)
	case d.trailing:
		d.header = append(d.header, "")
	}
}

// dropLast finds a last column that is empty in all lines and has no name: every line ends in a separator.
func (d *dialect) dropLast(s CSV) {
	last := d.columns - 1
	if d.header != nil && d.header[last] != "" || last < 1 || len(d.headLines) == 0 || d.trailing {
		return
	}
	for _, r := range d.headLines {
		if len(r.fields) == d.columns && r.fields[last] != "" {
			return
		}
	}
	d.trailing = true
	d.say("separator", "every line ends in a separator, which was left out", "", false)
}

const headerAdvice = "give HeaderPresent as Header if it is names of columns, HeaderAbsent if it is a sample"

// guessHeader decides from the lines after it what the first line is. It is names where it holds text, other than a mark of a missing
// value, in a column that is numbers in all other lines. targets are those that were asked for.
func (d *dialect) guessHeader(targets []string) error {
	first, rest := d.headLines[0], d.headLines[1:]
	var numbers []float64
	var named, unseen, marks []int // columns: text over numbers; text over text, not seen again; marks of missing values over numbers
	texts, columns, named0 := 0, len(first.fields), allText(first.fields)
	for j, f := range first.fields {
		v, kind := number(f, d.decimal)
		if kind == isNumber {
			numbers = append(numbers, v)
			continue
		}
		texts++
		below, again, numeric := 0, false, true
		for _, r := range rest {
			if j >= len(r.fields) || missing(r.fields[j]) || named0 && slices.Equal(r.fields, first.fields) {
				continue
			}
			_, kind := number(r.fields[j], d.decimal)
			below++
			numeric = numeric && (kind != isText || grouped(r.fields[j]))
			again = again || r.fields[j] == f
		}
		switch {
		case below > 0 && numeric && (missing(f) || kind == isOdd):
			marks = append(marks, j)
		case below > 0 && numeric:
			named = append(named, j)
		case !again && f != "":
			unseen = append(unseen, j)
		}
	}
	at := fmt.Sprintf("line %d", first.line)
	progress, step := progression(numbers)
	years := progress && step == 1 && numbers[0] >= 1000
	index := len(rest) > 0 && columns > 1 && first.fields[0] == "" && counts(rest)
	present := func(why string, likely bool) error {
		d.takeHeader()
		d.say("header", at+" was read as names of columns: "+why, "Header", likely)
		return nil
	}
	absent := func(why string, likely bool) error {
		d.say("header", at+" was read as a sample: "+why, "Header", likely)
		return nil
	}
	switch {
	case len(numbers) == columns && d.counting(numbers, rest):
		return errors.Errorf("%s is %s, which may be a header that counts, as pandas writes one, or a sample: %s", at, listed(first.fields, 4), headerAdvice)
	case len(numbers) == columns:
		if why := d.unlikeOthers(numbers, rest, targets); why != "" {
			return absent(fmt.Sprintf("all its fields (%s) are numbers; but %s: give HeaderPresent as Header if it is names of columns", listed(first.fields, 4), why), true)
		}
		return absent("all its fields are numbers", false)
	case len(numbers) == 0 && len(rest) == 0:
		return present("none of its fields is a number", false)
	case index && len(marks) <= 1 && len(marks)+len(numbers) == columns && progress:
		return present("its numbers count, and the first column, which has no name, counts the lines", false)
	case len(named) > 0 && len(numbers) == 0:
		return present(fmt.Sprintf("%s in it, and all other lines have numbers there", strconv.Quote(clip(first.fields[named[0]]))+" is"), false)
	case len(named) > 0 && (progress || slices.IsSorted(numbers)):
		return present(fmt.Sprintf("%q is in it, where all other lines have numbers; others of its names are numbers", clip(first.fields[named[0]])), !progress || len(numbers) == 1)
	case len(named) > 0:
		return errors.Errorf("%s, column %d: %q is no number, where all other lines have numbers, and other fields of the line are numbers: correct it, or %s",
			at, named[0]+1, clip(first.fields[named[0]]), headerAdvice)
	case len(marks) > 0:
		return absent("its fields are numbers or marks of missing values where other lines have numbers", false)
	case len(numbers) == 0 && (len(unseen) > 0 || texts == columns && len(rest) > 0 && !repeats(first, rest)):
		return present("none of its fields is a number", false)
	case len(unseen) > 0 && len(rest) > 0 && (len(numbers) >= 2 && counted0(numbers) || years && len(numbers) >= 2):
		return present(fmt.Sprintf("its numbers count, and %q is in no other line", clip(first.fields[unseen[0]])), false)
	case len(unseen) > 0 && len(rest) >= 10:
		return absent(fmt.Sprintf("it has numbers where the others have; but %q is in no other line", clip(first.fields[unseen[0]])), true)
	}
	return absent("it has numbers and text where the others have", false)
}

// clip shortens a field for a message.
func clip(field string) string {
	if len(field) > 40 {
		return strings.ToValidUTF8(field[:40], "")
	}
	return field
}

// repeats reports whether a line is there again.
func repeats(first record, rest []record) bool {
	return slices.ContainsFunc(rest, func(r record) bool { return slices.Equal(r.fields, first.fields) })
}

// progression reports whether numbers go up by equal steps.
func progression(numbers []float64) (is bool, step float64) {
	if len(numbers) < 2 {
		return len(numbers) == 1, 0
	}
	step = numbers[1] - numbers[0]
	for k := 1; k < len(numbers); k++ {
		if numbers[k]-numbers[k-1] != step || numbers[k] != math.Trunc(numbers[k]) {
			return false, 0
		}
	}
	return step > 0 && numbers[0] == math.Trunc(numbers[0]), step
}

// unlikeOthers says why a first line of numbers, which do not count, may be names of columns all the same; empty if it looks like the
// lines after it. It takes ten of these to say so. A sample that is the first looks so rarely: each rule asks for what one in some hundred
// random lines has, or less.
func (d *dialect) unlikeOthers(numbers []float64, rest []record, targets []string) string {
	columns := len(numbers)
	values, texts := make([][]float64, columns), 0 // of the lines after it, by column
	for _, r := range rest {
		if len(r.fields) != columns || !slices.ContainsFunc(r.fields, func(f string) bool { return f != "" }) {
			continue
		}
		for j, f := range r.fields {
			v, kind := number(f, d.decimal)
			switch {
			case kind == isText && !missing(f) && j == columns-1:
				texts++
			case kind != isNumber:
				return ""
			}
			values[j] = append(values[j], v)
		}
	}
	n := len(values[0])
	if n >= 10 && texts == n {
		return fmt.Sprintf("%v in column %d is a number where all others are text", numbers[columns-1], columns)
	}
	if texts > 0 || n < 10 || columns < 2 {
		return ""
	}
	whole := func(v []float64) bool {
		return !slices.ContainsFunc(v, func(x float64) bool { return x != math.Trunc(x) })
	}
	// Its target.
	outputs := []int{columns - 1}
	if len(targets) > 0 {
		outputs = nil
	}
	for _, target := range targets {
		if k, err := strconv.Atoi(target); err == nil && k >= 1 && k <= columns {
			outputs = append(outputs, k-1)
		}
	}
	for _, j := range outputs {
		counts := make(map[float64]int)
		for _, v := range values[j] {
			counts[v]++
		}
		rare := false
		for _, c := range counts {
			rare = rare || c < 2
		}
		switch {
		case len(counts) < 2:
		case whole(values[j]) && numbers[j] != math.Trunc(numbers[j]):
			return fmt.Sprintf("%v in column %d, which is to be predicted, is no whole number, and all others there are", numbers[j], j+1)
		case whole(values[j]) && !rare && counts[numbers[j]] == 0 && n >= 15 && len(counts) <= max(2, n/10):
			return fmt.Sprintf("%v in column %d, which is to be predicted, is in no other line, and all others there are one of %d values", numbers[j], j+1, len(counts))
		}
	}
	// Numbers that go up or down, as no other line does.
	from := 0
	if columns > 3 && counts(rest) { // an index
		from = 1
	}
	if columns-from < 3 || !monotone(numbers[from:]) {
		return ""
	}
	outside, fractions, others, alike := true, 0, false, 0
	for j := from; j < columns; j++ {
		low, high := slices.Min(values[j]), slices.Max(values[j])
		outside = outside && (numbers[j] < low || numbers[j] > high)
		if !whole(values[j]) {
			fractions++
		}
	}
	for i := range n {
		line := make([]float64, 0, columns)
		for j := from; j < columns; j++ {
			line = append(line, values[j][i])
		}
		if monotone(line) {
			alike++
			others = others || whole(line)
		}
	}
	switch {
	case outside && alike*4 <= n:
		return "its numbers go steadily one way, and each of them is beyond all others in its column"
	case whole(numbers[from:]) && !others && (fractions >= 2 || columns-from >= 7):
		return "its numbers are whole and go steadily one way, as those of no other line"
	}
	return ""
}

// monotone reports whether numbers go up, or down, each of them.
func monotone(v []float64) bool {
	up, down := true, true
	for k := 1; k < len(v); k++ {
		up, down = up && v[k] > v[k-1], down && v[k] < v[k-1]
	}
	return up || down
}

// counted0 reports whether numbers are 0, 1, 2 ... or 1, 2, 3 ...
func counted0(numbers []float64) bool {
	is, step := progression(numbers)
	return is && step == 1 && (numbers[0] == 0 || numbers[0] == 1)
}

// counting reports whether a first line of numbers looks like names that count: 0, 1 or 1, 2; three or more in steps of 1; four or more
// in equal steps; and no other line of the head does.
func (d *dialect) counting(numbers []float64, rest []record) bool {
	looks := func(v []float64) bool {
		is, step := progression(v)
		return is && (len(v) >= 4 || len(v) == 3 && step == 1 || len(v) == 2 && counted0(v))
	}
	if !looks(numbers) {
		return false
	}
	for _, r := range rest {
		var v []float64
		for _, f := range r.fields {
			if x, kind := number(f, d.decimal); kind == isNumber {
				v = append(v, x)
			}
		}
		if len(v) == len(r.fields) && looks(v) {
			return false
		}
	}
	return len(rest) > 0
}
