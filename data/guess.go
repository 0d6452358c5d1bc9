package data

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Guess is a decision that a reader made where the file leaves a choice.
type Guess struct {
	About  string `json:"about"`                  // what it is about: "header", "separator", "decimal sign", "target", "classes", "constant columns", "held out", ...
	Taken  string `json:"taken"`                  // what was taken, a clause in plain English ("line 1 was read as names of columns")
	Field  string `json:"field,omitempty"`        // the field of the source or of its Preparation that decides it otherwise ("Targets", "Task", "Header", ...); empty if there is none
	Likely bool   `json:"likely_wrong,omitempty"` // it is probably not what was meant: shown as a warning
}

// Guesses returns what was guessed where the set was read: the same for both parts of a Load. It is nil for data sets by name and for
// tasks made from a seed. It is the set's own memory and must not be changed.
func (s *Set) Guesses() []Guess { return s.guesses }

// listed is a list in words, of which the first few are given: "a, b, c and 17 more".
func listed(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// counted is a number with a noun that takes an s: "1 sample", "2 samples".
func counted(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// shown is a path as it is written to a terminal: quoted if it holds what a terminal would not print.
func shown(path string) string {
	if !utf8.ValidString(path) {
		return strconv.Quote(path)
	}
	for _, r := range path {
		if !strconv.IsPrint(r) {
			return strconv.Quote(path)
		}
	}
	return path
}
