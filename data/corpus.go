package data

import (
	_ "embed" // for the built-in text
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/file"
	"github.com/pcgraph/pcgraph/internal/words"
)

// builtinText is a small text, written for this package.
//
//go:embed corpus.txt
var builtinText string

const maxText = 1 << 28 // bytes

// A Corpus is a text as windows of characters, each of which asks for the character that follows: input [Window, V] and target
// [Window, V], one-hot over the V characters of the vocabulary. With c the text and window i at s = i * Stride,
//
//	input = c[s .. s+Window)        target = c[s+1 .. s+Window+1)
//
// The vocabulary is every character (Unicode code point) of the whole text, sorted. The test part is the end of the text: no
// window reaches from one part into the other.
type Corpus struct {
	File   string  // path of a text in UTF-8; empty means Text
	Text   string  // the text itself; empty means a built-in one of some 3400 characters
	Window int     // characters of a window; 0 means 32
	Stride int     // characters from one window to the next; 0 means 1, windows that overlap
	Test   float64 // fraction of the text that is the test part; 0 means 0.1
	Coding Coding  // of the inputs; zero means OneHot
}

// Load makes both parts. Errors: a file that cannot be read or is not UTF-8; options out of range; a part that is shorter than
// one window and the character after it.
func (c Corpus) Load() (train, test *Set, err error) {
	train, test, err = c.load()
	return train, test, errors.Wrap(err, "data: Corpus")
}

func (c Corpus) load() (train, test *Set, err error) {
	text, files, err := c.read()
	if err != nil {
		return nil, nil, err
	}
	for _, err := range []error{
		within("Window", c.Window, 1, maxText), within("Stride", c.Stride, 1, maxText), c.Coding.validate(),
	} {
		if err != nil {
			return nil, nil, err
		}
	}
	held := c.Test
	if held == 0 {
		held = 0.1
	}
	if !(held > 0 && held < 1) {
		return nil, nil, errors.Errorf("Test is %v: give a fraction between 0 and 1, or 0 for the default", c.Test)
	}
	vocabulary := VocabularyOf(text)
	if len(vocabulary) > maxAlphabet {
		return nil, nil, errors.Errorf("the text has %d different characters, expected at most %d: give a text in an alphabet",
			len(vocabulary), maxAlphabet)
	}
	ids := make([]uint16, 0, utf8.RuneCountInString(text))
	for _, r := range text {
		ids = append(ids, uint16(vocabulary.index(r)))
	}
	t := tokens{steps: or(c.Window, 32), stride: or(c.Stride, 1), classes: len(vocabulary), coding: c.Coding, vocabulary: vocabulary}
	split := len(ids) - int(held*float64(len(ids)))
	if train, err = t.windows("text train", "training", ids[:split]); err != nil {
		return nil, nil, err
	}
	if test, err = t.windows("text test", "test", ids[split:]); err != nil {
		return nil, nil, err
	}
	train.Files, test.Files = files, files
	return train, test, nil
}

// read returns the text and the file it is from, if any.
func (c Corpus) read() (text string, files []File, err error) {
	switch {
	case c.File != "" && c.Text != "":
		return "", nil, errors.New("both File and Text are given: give one")
	case c.File != "":
		f, err := os.Open(c.File) // a pipe too: what is read is bounded
		if err != nil {
			return "", nil, &fs.PathError{Op: "open", Path: words.Path(c.File), Err: file.Cause(err)}
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return "", nil, err
		}
		of, err := file.ReadFrom(f, info.Size(), c.File, func(r io.Reader, size int64) error {
			var b strings.Builder
			n, err := io.Copy(&b, io.LimitReader(r, maxText+1))
			if err == nil && n > maxText {
				err = errors.Errorf("more than %d bytes: give a part of the text", maxText)
			}
			text = b.String()
			return err
		})
		if err != nil {
			return "", nil, err
		}
		files = []File{File(of)}
	case c.Text != "":
		text = c.Text
	default:
		text = builtinText
	}
	for at, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, width := utf8.DecodeRuneInString(text[at:]); width == 1 { // not the character U+FFFD itself
			return "", nil, errors.Errorf("offset %d: byte %#02x is not UTF-8: convert the text, for example with iconv", at, text[at])
		}
	}
	return text, files, nil
}

// windows makes the set of all windows of a part of the text.
func (t tokens) windows(name, part string, ids []uint16) (*Set, error) {
	if len(ids) <= t.steps {
		return nil, errors.Errorf("the %s part has %d characters, a window of %d needs %d, with the one to predict: give a longer "+
			"text, a smaller Window or another fraction Test", part, len(ids), t.steps, t.steps+1)
	}
	t.input, t.target = ids[:len(ids)-1], ids[1:]
	return t.set(name, (len(ids)-1-t.steps)/t.stride+1), nil
}

// A Vocabulary is the characters that classes stand for: sorted, each once.
type Vocabulary []rune

// VocabularyOf returns the characters of a text.
func VocabularyOf(text string) Vocabulary {
	seen := make(map[rune]bool)
	var v Vocabulary
	for _, r := range text {
		if !seen[r] {
			seen[r] = true
			v = append(v, r)
		}
	}
	slices.Sort(v)
	return v
}

// index returns the class of r; where there is none, -1.
func (v Vocabulary) index(r rune) int {
	if k := sort.Search(len(v), func(k int) bool { return v[k] >= r }); k < len(v) && v[k] == r {
		return k
	}
	return -1
}

// Encode returns the classes of the characters of a text. Errors: a character that is not in the vocabulary.
func (v Vocabulary) Encode(text string) ([]int, error) {
	ids := make([]int, 0, len(text))
	for at, r := range text {
		k := v.index(r)
		if k < 0 {
			return nil, errors.Errorf("data: encode: offset %d: %q is not in the vocabulary %q: use its characters only", at, r, string(v))
		}
		ids = append(ids, k)
	}
	return ids, nil
}

// Decode returns the text of classes; Encode leads back. It panics when one is not in 0..len(v)-1.
func (v Vocabulary) Decode(ids []int) string {
	var b strings.Builder
	for _, id := range ids {
		if id < 0 || id >= len(v) {
			panic("data: Decode: class is not in the vocabulary")
		}
		b.WriteRune(v[id])
	}
	return b.String()
}
