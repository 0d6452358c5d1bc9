package table

import (
	"bufio"
	"bytes"
	"io"

	"github.com/pkg/errors"
	"golang.org/x/text/encoding/unicode"

	"github.com/pcgraph/pcgraph/internal/file"
)

// Limits of tables. The first pass only counts, so that a table that is too large, packed by gzip or not, is refused before any memory is
// reserved for it.
const (
	maxText   = 1 << 29 // bytes of text, unpacked
	maxLine   = 1 << 24 // bytes of one line
	maxField  = 1 << 16 // bytes of one field
	maxHead   = 1 << 20 // bytes that separator, header and decimal sign are guessed from
	headLines = 1000    // of these, at most
	maxValues = 1 << 28 // numbers
	maxWords  = 1 << 16 // different targets that are text
)

// A text is the unpacked characters of a table in UTF-8, without a byte order mark.
type text struct {
	io.Reader
	mark string // encoding that a byte order mark gave, other than UTF-8; empty if there is none
}

// textOf returns the text in r, which holds size bytes, gzip or plain, in UTF-8 or, if a byte order mark says so, UTF-16. Reading fails
// beyond most bytes of text.
func textOf(r io.Reader, size, most int64) (text, error) {
	r, _, err := file.Unpack(r, size)
	if err != nil {
		return text{}, err
	}
	buffered := bufio.NewReaderSize(&limited{r: r, most: most}, 1<<16)
	start, _ := buffered.Peek(3)
	utf16 := func(order unicode.Endianness, name string) text {
		decoder := unicode.UTF16(order, unicode.UseBOM).NewDecoder()
		return text{decoder.Reader(&pairs{r: buffered}), name}
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")): // Excel's
		buffered.Discard(3)
	case bytes.HasPrefix(start, []byte("\xff\xfe")):
		return utf16(unicode.LittleEndian, "UTF-16 (little-endian)"), nil
	case bytes.HasPrefix(start, []byte("\xfe\xff")):
		return utf16(unicode.BigEndian, "UTF-16 (big-endian)"), nil
	}
	return text{Reader: buffered}, nil
}

// A limited reader fails once more than most bytes have come.
type limited struct {
	r       io.Reader
	n, most int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.n += int64(n); l.n > l.most {
		return 0, errors.Errorf("more than %d bytes of text: give a part of the table, or save it as arrays of NumPy", l.most)
	}
	return n, err
}

// A pairs reader fails at the end of an odd number of bytes.
type pairs struct {
	r io.Reader
	n int64
}

func (p *pairs) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += int64(n); err == io.EOF && p.n%2 == 1 {
		err = errors.New("UTF-16 ends within a character: give an undamaged file")
	}
	return n, err
}
