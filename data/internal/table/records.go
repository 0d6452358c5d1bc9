package table

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// A recordReader splits a text into records of fields (RFC 4180): a field may stand in quotes, in which separators and ends of lines
// belong to it and a doubled quote is a quote. Blanks around fields are left out, and so are lines of blanks.
type recordReader struct {
	lines     *lineReader
	separator byte // ' ' means any number of blanks

	fields  [][]byte // of the record that was read last; valid until the next
	line    int      // where it begins
	comment bool     // it begins with #; it is split without regard to quotes
	scratch []byte   // of quoted fields
	ends    []int    // of these fields in scratch
}

func newRecordReader(r io.Reader, end, separator byte) *recordReader {
	return &recordReader{lines: &lineReader{r: bufio.NewReaderSize(r, 1<<16), end: end}, separator: separator}
}

// next reads a record. It returns io.EOF at the end of the text.
func (t *recordReader) next() error {
	line, err := t.lines.next()
	for err == nil && t.blank(line) {
		line, err = t.lines.next()
	}
	if err != nil {
		return err
	}
	t.line, t.comment, t.fields = t.lines.line, line[0] == '#', t.fields[:0]
	switch {
	case t.separator == ' ':
		t.fields = append(t.fields, bytes.Fields(line)...)
		return nil
	case t.comment || bytes.IndexByte(line, '"') < 0:
		for more := true; more; {
			var field []byte
			field, line, more = t.cut(line)
			t.fields = append(t.fields, trim(field))
		}
	default:
		if err := t.quoted(line); err != nil {
			return err
		}
	}
	for k, f := range t.fields {
		if len(f) > maxField {
			return errors.Errorf("line %d, column %d: a field of %d bytes, expected at most %d: correct the line", t.line, k+1, len(f), maxField)
		}
	}
	return nil
}

// blank reports whether a line holds nothing, not even a separator.
func (t *recordReader) blank(line []byte) bool {
	if len(line) > 0 && line[0] > ' ' {
		return false
	}
	return len(bytes.TrimSpace(line)) == 0 && (t.separator != '\t' || bytes.IndexByte(line, '\t') < 0)
}

// cut returns what is before the first separator and behind it.
func (t *recordReader) cut(line []byte) (field, rest []byte, more bool) {
	if k := bytes.IndexByte(line, t.separator); k >= 0 {
		return line[:k], line[k+1:], true
	}
	return line, nil, false
}

// trim is bytes.TrimSpace, faster where there is nothing to trim.
func trim(field []byte) []byte {
	if n := len(field); n == 0 || field[0] > ' ' && field[0] < utf8.RuneSelf && field[n-1] > ' ' && field[n-1] < utf8.RuneSelf {
		return field
	}
	return bytes.TrimSpace(field)
}

// quoted splits a line with quotes, and those after it that a quoted field reaches into.
func (t *recordReader) quoted(line []byte) error {
	t.scratch, t.ends = t.scratch[:0], t.ends[:0]
	for more := true; more; {
		inner := line
		for len(inner) > 0 && (inner[0] == ' ' || inner[0] == '\t') && inner[0] != t.separator {
			inner = inner[1:]
		}
		var field []byte
		if len(inner) == 0 || inner[0] != '"' {
			field, line, more = t.cut(line)
			t.scratch = append(t.scratch, field...)
		} else {
			rest, err := t.unquote(inner[1:])
			if err != nil {
				return err
			}
			field, line, more = t.cut(rest)
			if field = bytes.TrimSpace(field); len(field) > 0 {
				return errors.Errorf("line %d, column %d: %.40q follows a closing quote: write a quote within quotes twice, or leave the line out",
					t.lines.line, len(t.ends)+1, field)
			}
		}
		t.ends = append(t.ends, len(t.scratch))
	}
	from := 0
	for _, end := range t.ends {
		t.fields = append(t.fields, trim(t.scratch[from:end]))
		from = end
	}
	return nil
}

// unquote adds to scratch what is before the closing quote, on this line or another, and returns the rest of that line.
func (t *recordReader) unquote(line []byte) (rest []byte, err error) {
	from := len(t.scratch)
	for {
		k := bytes.IndexByte(line, '"')
		if k >= 0 {
			t.scratch = append(t.scratch, line[:k]...)
			if line = line[k+1:]; len(line) == 0 || line[0] != '"' {
				return line, nil
			}
			t.scratch, line = append(t.scratch, '"'), line[1:]
			continue
		}
		if t.scratch = append(append(t.scratch, line...), '\n'); len(t.scratch)-from > maxField {
			return nil, errors.Errorf("line %d, column %d: a quoted field of more than %d bytes: is its quote closed?", t.line, len(t.ends)+1, maxField)
		}
		if line, err = t.lines.next(); err == io.EOF {
			return nil, errors.Errorf("line %d, column %d: the quote that opens this field is never closed: close it, or leave the line out", t.line, len(t.ends)+1)
		} else if err != nil {
			return nil, err
		}
	}
}

// A lineReader reads lines that end in a byte, '\n' or, in old files of the Macintosh, '\r'.
type lineReader struct {
	r    *bufio.Reader
	end  byte
	line int // the number of the line that was read last, from 1
	long []byte
}

// next returns a line without its end, valid until the next. It returns io.EOF after the last.
func (l *lineReader) next() ([]byte, error) {
	l.line++
	line, err := l.r.ReadSlice(l.end)
	for l.long = l.long[:0]; err == bufio.ErrBufferFull || len(l.long) > 0; line, err = l.r.ReadSlice(l.end) {
		if l.long = append(l.long, line...); len(l.long) > maxLine {
			return nil, errors.Errorf("line %d has more than %d bytes: give a table with a line for each sample", l.line, maxLine)
		}
		if line = l.long; err != bufio.ErrBufferFull {
			break
		}
	}
	switch {
	case err == io.EOF && len(line) == 0:
		return nil, err
	case err != nil && err != io.EOF:
		return nil, errors.WithMessagef(err, "line %d: file ends or is damaged here", l.line)
	}
	line = bytes.TrimRight(bytes.TrimSuffix(line, []byte{l.end}), "\r")
	if k := bytes.IndexByte(line, 0); k >= 0 {
		return nil, errors.Errorf("line %d, byte %d: a zero byte: save the table as text in UTF-8", l.line, k+1)
	}
	return line, nil
}

// stringOf is a field as UTF-8; of one that is not, every byte is a character of Latin-1.
func stringOf(field []byte) (s string, latin bool) {
	if utf8.Valid(field) {
		return string(field), false
	}
	var b strings.Builder
	for _, c := range field {
		b.WriteRune(rune(c))
	}
	return b.String(), true
}
