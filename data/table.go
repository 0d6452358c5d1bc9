package data

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pkg/errors"
)

// Limits of tables. A table is read in two passes, the first of which only counts, so that one that is too large is refused before any
// memory is reserved for it, packed by gzip or not.
const (
	maxTable  = 1 << 29 // bytes of text, unpacked
	maxLine   = 1 << 24 // bytes of one line
	maxField  = 1 << 16 // bytes of one field
	maxHead   = 1 << 20 // bytes that separator, header and decimal sign are guessed from
	headLines = 1000    // of these, at most
)

// A text is the unpacked characters of a table as UTF-8, without a byte order mark.
type text struct {
	io.Reader
	mark string // encoding that a byte order mark gave; empty if there is none
}

// textOf returns the text in r, which holds size bytes, gzip or plain, in UTF-8 or, if a byte order mark says so, UTF-16. Reading fails
// beyond so many bytes of text.
func textOf(r io.Reader, size, most int64) (text, error) {
	r, _, err := unpack(r, size)
	if err != nil {
		return text{}, err
	}
	buffered := bufio.NewReaderSize(&limited{r, most, most}, 1<<16)
	start, _ := buffered.Peek(3)
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")): // Excel's
		buffered.Discard(3)
		return text{buffered, "UTF-8"}, nil
	case bytes.HasPrefix(start, []byte("\xff\xfe")):
		buffered.Discard(2)
		return text{&utf16Reader{r: buffered, order: binary.LittleEndian}, "UTF-16 (little-endian)"}, nil
	case bytes.HasPrefix(start, []byte("\xfe\xff")):
		buffered.Discard(2)
		return text{&utf16Reader{r: buffered, order: binary.BigEndian}, "UTF-16 (big-endian)"}, nil
	}
	return text{buffered, ""}, nil
}

// A limited reader fails once more than most bytes have come.
type limited struct {
	r          io.Reader
	left, most int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errors.Errorf("more than %d bytes of text: give a part of the table, or save it as arrays of NumPy", l.most)
	}
	return n, err
}

// A utf16Reader turns UTF-16 into UTF-8. What is no character becomes U+FFFD.
type utf16Reader struct {
	r     io.Reader
	order binary.ByteOrder
	in    [1 << 12]byte
	n     int    // bytes of in that are not converted yet
	out   []byte // converted, not read yet
	err   error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		var n int
		n, u.err = u.r.Read(u.in[u.n:])
		u.n += n
		at := 0
		for at+2 <= u.n {
			r := rune(u.order.Uint16(u.in[at:]))
			if utf16.IsSurrogate(r) {
				if at+4 > u.n && u.err == nil {
					break // the other half is still to come
				}
				if at+4 <= u.n {
					if pair := utf16.DecodeRune(r, rune(u.order.Uint16(u.in[at+2:]))); pair != utf8.RuneError {
						r = pair
						at += 2
					}
				}
			}
			u.out = utf8.AppendRune(u.out, r)
			at += 2
		}
		if u.err == io.EOF && at < u.n {
			u.err = errors.New("UTF-16 ends within a character: give an undamaged file")
		}
		u.n = copy(u.in[:], u.in[at:u.n])
	}
	n := copy(p, u.out)
	if u.out = u.out[n:]; len(u.out) == 0 {
		u.out = nil
	}
	return n, nil
}

// A recordReader splits a text into records of fields (RFC 4180): a field may stand in quotes, in which separators and ends of lines
// belong to it and a doubled quote is a quote. Blanks around fields are left out, and so are lines of blanks.
type recordReader struct {
	lines     *lineReader
	separator byte // ' ' means any number of blanks

	fields  [][]byte // of the record that was read last; valid until the next
	line    int      // where it begins
	comment bool     // it begins with #; it is split without regard to quotes
	scratch []byte   // of quoted fields
	spans   []span
}

// A span is where a field lies in scratch.
type span struct{ from, to int }

func newRecordReader(r io.Reader, end, separator byte) *recordReader {
	return &recordReader{lines: &lineReader{r: bufio.NewReaderSize(r, 1<<16), end: end}, separator: separator}
}

// next reads a record. It returns io.EOF at the end of the text.
func (t *recordReader) next() error {
	for {
		line, err := t.lines.next()
		if err != nil {
			return err
		}
		if t.blank(line) {
			continue
		}
		t.line, t.comment = t.lines.line, line[0] == '#'
		switch {
		case t.separator == ' ':
			t.fields = append(t.fields[:0], bytes.Fields(line)...)
			return nil
		case t.comment || bytes.IndexByte(line, '"') < 0:
			t.split(line)
			return t.check()
		}
		if err := t.quoted(line); err != nil {
			return err
		}
		return t.check()
	}
}

func (t *recordReader) check() error {
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

// split splits a line without quotes.
func (t *recordReader) split(line []byte) {
	t.fields = t.fields[:0]
	for {
		k := bytes.IndexByte(line, t.separator)
		if k < 0 {
			t.fields = append(t.fields, trim(line))
			return
		}
		t.fields = append(t.fields, trim(line[:k]))
		line = line[k+1:]
	}
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
	t.scratch, t.spans = t.scratch[:0], t.spans[:0]
	for more := true; more; {
		start := line
		for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && line[0] != t.separator {
			line = line[1:]
		}
		from := len(t.scratch)
		if len(line) == 0 || line[0] != '"' {
			k := bytes.IndexByte(start, t.separator)
			field := start
			if more = k >= 0; more {
				field, line = start[:k], start[k+1:]
			}
			t.scratch = append(t.scratch, trim(field)...)
			t.spans = append(t.spans, span{from, len(t.scratch)})
			continue
		}
		line = line[1:]
		for {
			k := bytes.IndexByte(line, '"')
			if k < 0 {
				if t.scratch = append(append(t.scratch, line...), '\n'); len(t.scratch)-from > maxField {
					return errors.Errorf("line %d, column %d: a quoted field of more than %d bytes: is its quote closed?", t.line, len(t.spans)+1, maxField)
				}
				var err error
				if line, err = t.lines.next(); err == io.EOF {
					return errors.Errorf("line %d, column %d: the quote that opens this field is never closed: close it, or leave the line out",
						t.line, len(t.spans)+1)
				} else if err != nil {
					return err
				}
				continue
			}
			t.scratch = append(t.scratch, line[:k]...)
			if line = line[k+1:]; len(line) > 0 && line[0] == '"' {
				t.scratch, line = append(t.scratch, '"'), line[1:]
				continue
			}
			break
		}
		k := bytes.IndexByte(line, t.separator)
		rest := line
		if more = k >= 0; more {
			rest, line = line[:k], line[k+1:]
		}
		if rest = bytes.TrimSpace(rest); len(rest) > 0 {
			return errors.Errorf("line %d, column %d: %.40q follows a closing quote: write a quote within quotes twice, or leave the line out",
				t.lines.line, len(t.spans)+1, rest)
		}
		t.spans = append(t.spans, span{from, len(t.scratch)})
	}
	t.fields = t.fields[:0]
	for _, s := range t.spans {
		t.fields = append(t.fields, trim(t.scratch[s.from:s.to]))
	}
	return nil
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
	if err == bufio.ErrBufferFull {
		l.long = l.long[:0]
		for {
			if l.long = append(l.long, line...); len(l.long) > maxLine {
				return nil, errors.Errorf("line %d has more than %d bytes: give a table with a line for each sample", l.line, maxLine)
			}
			if err != bufio.ErrBufferFull {
				break
			}
			line, err = l.r.ReadSlice(l.end)
		}
		line = l.long
	}
	if err != nil && (err != io.EOF || len(line) == 0) {
		if err != io.EOF {
			err = errors.WithMessagef(err, "line %d: file ends or is damaged here", l.line)
		}
		return nil, err
	}
	if len(line) > 0 && line[len(line)-1] == l.end {
		line = line[:len(line)-1]
	}
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
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
