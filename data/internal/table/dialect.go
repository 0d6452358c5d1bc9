package table

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

// A Say is told what was guessed: about what, what was taken, the field of data.CSV that decides it otherwise, and whether it is likely
// not what was meant.
type Say func(about, taken, field string, likely bool)

// A dialect is how a table is written. It is guessed from the head, the first lines, and what was guessed is held against all others
// where they are read.
type dialect struct {
	Options
	end       byte // of a line
	separator byte
	decimal   byte // '.' or ','

	header   []string // names of columns; nil if there is none
	headerAt int      // line of the header
	columns  int      // fields of a line
	rowNames bool     // the first column is names of rows, for which the header has no name, as R writes it
	trailing bool     // all lines but the header end in a separator
	latin    bool     // some field of the head is not UTF-8
	said     byte     // the separator that a line sep= gives; 0 if there is none
	maybe    rune     // what may separate the fields of a table that nothing usual splits
	floats   bool     // some number of the head is not a whole one in 0..255
	head     []record // without the header
}

// A record is a line of the head.
type record struct {
	line   int
	fields []string
}

const (
	separators = "\t;," // without being told, in the order in which equally good ones are taken
	lineAdvice = "correct the line, or leave it out"
)

// separatorName is a separator in words, several of it.
func separatorName(b byte) string {
	if name, is := map[byte]string{'\t': "tabs", ';': "semicolons", ',': "commas", ' ': "blanks", '|': "bars |"}[b]; is {
		return name
	}
	return fmt.Sprintf("%q", b)
}

// guess guesses how a table is written whose text begins with head; whole says that this is all of it.
func (d *dialect) guess(head []byte, whole bool, mark string) error {
	d.end, d.decimal = '\n', '.'
	if mark != "" {
		d.Say("encoding", "the text was read as "+mark+", as its byte order mark says", "", false)
	}
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		d.end = '\r'
		d.Say("line ends", "lines end in a carriage return alone", "", false)
	}
	if feeds, returns := lineEnds(head); d.end == '\n' && returns > feeds {
		return errors.Errorf("lines end in a carriage return alone (%d of them) and in a line feed (%d), mixed: save the table with one kind of line ends", returns, feeds)
	}
	if what := otherFormat(head); what != "" {
		return errors.Errorf("the file begins as %s does: give a table of text, such as one saved as CSV", what)
	}
	if k := bytes.LastIndexByte(head, d.end); k >= 0 && !whole { // a record that the head cuts off is left out
		head = head[:k]
	}
	if err := d.chooseSeparator(head, whole); err != nil {
		return err
	}
	if len(d.head) == 0 {
		return errors.New("no samples: give a table with a line for each")
	}
	if err := d.countColumns(); err != nil {
		return err
	}
	if err := d.chooseDecimal(); err != nil {
		return err
	}
	if err := d.chooseHeader(); err != nil {
		return err
	}
	d.dropLast()
	for _, r := range d.head {
		for _, f := range r.fields {
			v, kind := number(f, d.decimal)
			d.floats = d.floats || kind == isNumber && !isByte(v)
		}
	}
	return nil
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
	for _, f := range [][2]string{{"PK\x03\x04", "a workbook of Excel or another archive"}, {"\xd0\xcf\x11\xe0", "a workbook of Excel"},
		{"\x93NUMPY", "an array of NumPy"}, {"PAR1", "a Parquet file"}, {"<", "a web page (HTML)"}, {"{", "JSON"}, {"[{", "JSON"}, {"[[", "JSON"},
		{"%PDF", "a PDF"}, {"\x89HDF", "an HDF5 file"}} {
		if bytes.HasPrefix(start, []byte(f[0])) {
			return f[1]
		}
	}
	return ""
}

// split splits the head into records, and those that begin with #.
func (d *dialect) split(head []byte, whole bool, separator byte) (records, comments []record, err error) {
	t := newRecordReader(bytes.NewReader(head), d.end, separator)
	for len(records) < headLines {
		if err := t.next(); err == io.EOF || err != nil && len(records) > 1 && !whole { // a quoted field may be cut off
			break
		} else if err != nil {
			return nil, nil, err
		}
		r := record{line: t.line}
		for _, f := range t.fields {
			field, latin := stringOf(f)
			d.latin = d.latin || latin
			r.fields = append(r.fields, field)
		}
		if t.comment {
			comments = append(comments, r)
		} else {
			records = append(records, r)
		}
	}
	return records, comments, nil
}

// chooseSeparator chooses the separator and splits the head by it: the one that splits most lines into equally many fields, most of which
// are numbers.
func (d *dialect) chooseSeparator(head []byte, whole bool) error {
	if s := d.Separator; s != 0 && (s >= 0x80 || strings.ContainsRune("\"\r\n\x00", s)) {
		return errors.Errorf("Separator is %q: give an ASCII character that is no quote and no end of a line", s)
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte{d.end})
	first = bytes.TrimRight(bytes.Trim(first, "\""), "\r\"") // Excel's; a sample of 1 field never begins so
	if len(first) == 5 && strings.EqualFold(string(first[:4]), "sep=") {
		d.said = first[4]
	}
	candidates := separators
	switch {
	case d.Separator != 0:
		candidates = string(d.Separator)
	case d.said != 0:
		candidates = string([]byte{d.said})
	}
	d.separator = ','
	best, comments, damage := -1., []record(nil), error(nil)
	for _, c := range []byte(candidates) {
		records, remarks, err := d.split(head, whole, c)
		if err != nil {
			if damage == nil || c == ',' {
				damage = err
			}
			continue
		}
		if d.said != 0 && len(records) > 0 {
			records = records[1:]
		}
		if s := scoreOf(records, c); s > best || s == 0 && best == 0 && c == ',' {
			d.separator, d.head, comments, best = c, records, remarks, s
		}
	}
	if best <= 0 && damage != nil {
		return damage
	}
	if d.separator == ',' && best == 0 {
		d.suspectSeparator()
	}
	separated := "fields are separated by " + separatorName(d.separator)
	switch {
	case d.Separator != 0 && d.said != 0 && d.said != d.separator:
		d.Say("separator", separated+", as Separator says; the first line says "+separatorName(d.said), "Separator", false)
	case d.Separator != 0:
	case d.said != 0:
		d.Say("separator", "the first line says that "+separated, "Separator", false)
	default:
		d.Say("separator", separated, "Separator", false)
	}
	d.useComments(comments)
	return nil
}

// scoreOf rates a separator: share of the lines with the usual number of fields x share of numbers.
func scoreOf(records []record, separator byte) float64 {
	usual, lines := usualCount(records)
	if usual < 2 {
		return 0
	}
	numbers, fields := 0, 0
	for k, r := range records {
		if k == 0 && len(records) > 1 || len(r.fields) != usual {
			continue
		}
		fields += len(r.fields)
		for _, f := range r.fields {
			if f == "" || isNumber.is(f, '.') || separator != ',' && isNumber.is(f, ',') || grouped(f) {
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
		if n > lines || n == lines && (c == len(records[0].fields) || c > count && count != len(records[0].fields)) {
			count, lines = c, n
		}
	}
	if len(records) > 1 && len(records[0].fields) == count {
		lines++
	}
	return count, lines
}

// suspectSeparator notes what may separate the fields of a table that none of the usual separators splits.
func (d *dialect) suspectSeparator() {
	for _, c := range "|: " {
		n := 0
		for _, r := range d.head {
			if strings.ContainsRune(strings.TrimSpace(r.fields[0]), c) {
				n++
			}
		}
		if n > 0 && n >= len(d.head)-1 {
			d.maybe = c
			return
		}
	}
}

// useComments takes a line that begins with # for names where it has as many fields as the others and none is a number, as
// numpy.savetxt writes a header; others are left out.
func (d *dialect) useComments(comments []record) {
	if len(d.head) == 0 {
		return
	}
	usual, _ := usualCount(d.head)
	first := d.head[0]
	for _, c := range slices.Backward(comments) { // the last that fits
		if c.line > first.line || len(c.fields) != usual {
			continue
		}
		names := slices.Clone(c.fields)
		names[0] = strings.TrimSpace(strings.TrimLeft(names[0], "#"))
		for j, n := range names {
			if names[j] = strings.Trim(n, `"`); isNumber.is(n, '.') {
				return
			}
		}
		if !(len(first.fields) == usual && allText(first.fields)) { // else names follow
			d.header, d.headerAt = names, c.line
		}
		return
	}
}

func allText(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return isNumber.is(f, '.') })
}

// countColumns decides how many fields a line has, and what a first line is that has another number of them.
func (d *dialect) countColumns() error {
	d.columns, _ = usualCount(d.head)
	if d.header != nil {
		return nil
	}
	first, rest, usual := d.head[0], d.head[1:], d.columns
	alike := func(is func(fields []string) bool) bool {
		return len(rest) > 0 && !slices.ContainsFunc(rest, func(r record) bool { return len(r.fields) != usual || !is(r.fields) })
	}
	switch len(first.fields) {
	case usual:
	case usual - 1:
		seen := make(map[string]bool)
		counts := alike(func([]string) bool { return true }) && countsLines(rest) &&
			!alike(func(f []string) bool { return len(f[1]) == 3 && strings.Trim(f[1], "0123456789") == "" }) // 1,000
		named := len(rest) > 1 && alike(func(f []string) bool {
			is := isText.is(f[0], '.') && !missing(f[0]) && !seen[f[0]]
			seen[f[0]] = true
			return is
		})
		switch {
		case alike(func(f []string) bool { return f[usual-1] == "" }):
			d.trailing = true
		case first.fields[0] != "" && (counts || named):
			d.rowNames = true
		default:
			return errors.Errorf("line %d has %s, and the names in line %d are %d: correct the line that is wrong; a header that is one name short is what R's "+
				"write.table writes: give it row.names=FALSE, or col.names=NA; a comma within a number needs quotes", rest[0].line,
				words.Counted(usual, "field"), first.line, usual-1)
		}
	case usual + 1:
		if first.fields[usual] != "" {
			return errors.Errorf("line %d has %s, those before it %d: %s", rest[0].line, words.Counted(len(rest[0].fields), "field"), usual+1, lineAdvice)
		}
		d.head[0].fields = first.fields[:usual]
	default:
		return errors.Errorf("line %d has %s, those before it %d: %s; a line before the names that is no comment must be removed, a comma within a "+
			"number needs quotes", rest[0].line, words.Counted(len(rest[0].fields), "field"), len(first.fields), lineAdvice)
	}
	return nil
}

// chooseDecimal chooses the decimal sign. Commas are taken for it where fields are not separated by commas, some number has a comma that
// cannot group thousands (1,5 or 0,125), and none has a point that cannot.
func (d *dialect) chooseDecimal() error {
	switch d.Decimal {
	case '.', ',':
		d.decimal = byte(d.Decimal)
		return nil
	case 0:
	default:
		return errors.Errorf("Decimal is %q: give '.' or ',', or 0 for a guess", d.Decimal)
	}
	commas, points, groups := 0, 0, 0
	var grouped []string // by points
	for _, r := range d.head {
		for _, f := range r.fields {
			comma, point := strings.Contains(f, ","), strings.Contains(f, ".")
			switch {
			case point && !comma && groupedBy(f, '.'):
				grouped = append(grouped, f)
			case comma && groupedBy(f, ','):
				groups++
			case comma && isNumber.is(f, ','):
				commas++
			case point && !comma && isNumber.is(f, '.'):
				points++
			}
		}
	}
	switch {
	case d.separator != ',' && commas > 0 && points == 0: // points that may group thousands are refused where they are read
		d.decimal = ','
		d.Say("decimal sign", "the comma is the decimal sign: 1,5 is one and a half", "Decimal", false)
	case d.separator != ',' && len(grouped) > 0 && points == 0 && groups == 0 && commas == 0 && d.separator != '\t':
		d.Say("decimal sign", fmt.Sprintf("the point was read as the decimal sign, so that %s is less than a thousand; if it groups thousands, write the numbers without it",
			grouped[0]), "Decimal", true)
	default:
		d.Say("decimal sign", "the point is the decimal sign", "Decimal", false)
	}
	return nil
}

// dropLast finds a last column that is empty in all lines and has no name: every line ends in a separator.
func (d *dialect) dropLast() {
	last := d.columns - 1
	if d.header != nil && d.header[last] != "" || last < 1 || len(d.head) == 0 || d.trailing {
		return
	}
	if !slices.ContainsFunc(d.head, func(r record) bool { return len(r.fields) == d.columns && r.fields[last] != "" }) {
		d.trailing = true
		d.Say("separator", "every line ends in a separator, which was left out", "", false)
	}
}
