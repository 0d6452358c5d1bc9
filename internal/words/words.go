// Package words writes names, numbers and lists for messages, such that a name from a file does no harm to a terminal.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Listed is a list of which the first few are given: "a, b, c and 17 more".
func Listed(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Counted is a number with a noun that takes an s: "1 sample", "2 samples", "3 classes".
func Counted(n int, noun string) string { return fmt.Sprintf("%d %s", n, Plural(n, noun)) }

// Plural is a noun for n things.
func Plural(n int, noun string) string {
	switch {
	case n == 1:
		return noun
	case strings.HasSuffix(noun, "s"):
		return noun + "es"
	}
	return noun + "s"
}

// Clip shortens a field of a file to 40 bytes.
func Clip(field string) string {
	if len(field) > 40 {
		return strings.ToValidUTF8(field[:40], "")
	}
	return field
}

// Path is a path, quoted if it holds what a terminal would not print.
func Path(path string) string {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}

// Printable is text, quoted if a terminal would not print it as it is.
func Printable(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+2 && !strings.ContainsAny(s, `"\`) {
		return Path(s)
	}
	return s
}

// Printables are names, clipped and printable.
func Printables(names []string) []string {
	short := make([]string, len(names))
	for k, name := range names {
		short[k] = Printable(Clip(name))
	}
	return short
}
