package table

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/pkg/errors"
)

// A kind is what a field is.
type kind int

const (
	isText   kind = iota
	isNumber      // finite, or too large for float64
	isOdd         // NaN or an infinity, in a word
)

// number returns a field, without blanks around it, as a number. Only decimal notation is one: what Go takes for a number besides
// (0x1p4, 1_000) is text.
func number[S string | []byte](field S, decimal byte) (float64, kind) {
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
	text := string(field)
	if comma >= 0 {
		text = text[:comma] + "." + text[comma+1:]
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, isText
	}
	return v, isNumber
}

// oddNumber is number of a field that is not in decimal notation.
func oddNumber(field string) (float64, kind) {
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

// is reports whether a field is of a kind.
func (k kind) is(field string, decimal byte) bool {
	_, is := number(field, decimal)
	return is == k
}

// isByte reports whether a number is one of 0..255, and not -0.
func isByte(v float64) bool { return v >= 0 && v <= 255 && v == math.Trunc(v) && !math.Signbit(v) }

// missing reports whether a field is one of the usual marks of a value that is missing.
func missing(field string) bool {
	switch strings.ToLower(field) {
	case "", "?", "-", "--", ".", "..", "*", "na", "n/a", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "missing", "unknown", "#value!", "#div/0!", `\n`:
		return true
	}
	return false
}

// Numbers whose thousands are grouped by commas or points: 1,000 or 12.345.678 or 1,234.5.
var groups = map[byte]*regexp.Regexp{
	',': regexp.MustCompile(`^[-+]*[1-9]\d{0,2}(,\d{3})+(\.\d+)?$`),
	'.': regexp.MustCompile(`^[-+]*[1-9]\d{0,2}(\.\d{3})+(,\d+)?$`),
}

// groupedBy reports whether mark groups the thousands of a field; what follows the last group may be a fraction.
func groupedBy(field string, mark byte) bool {
	return strings.IndexByte(field, mark) > 0 && groups[mark].MatchString(field)
}

func grouped(field string) bool { return groupedBy(field, ',') || groupedBy(field, '.') }

// groupAdvice says how to write a number in which a mark groups thousands, or may do so.
func groupAdvice(field string, decimal byte) string {
	other := byte('.' + ',' - decimal)
	without := func(mark byte) string { return strings.ReplaceAll(field, string(mark), "") }
	switch {
	case groupedBy(field, other) && (strings.Count(field, string(other)) > 1 || strings.Contains(field, string(decimal))):
		return fmt.Sprintf("its %q groups thousands: write it without the marks that group thousands: %s", other, without(other))
	case groupedBy(field, other):
		return fmt.Sprintf("it may be %s, its %q grouping thousands, or %s, its %q being the decimal sign: write every such number the one way or the other (in the "+
			"second case, Decimal %q reads the table as it is)", without(other), other, strings.Replace(field, string(other), string(decimal), 1), other, other)
	case groupedBy(field, decimal) && strings.Contains(field, string(other)):
		return fmt.Sprintf("its %q groups thousands and its %q is the decimal sign: write %s, without marks that group thousands, in every line, and give Decimal %q",
			decimal, other, without(decimal), other)
	case groupedBy(field, decimal) && strings.Count(field, string(decimal)) > 1:
		return "write it without the marks that group thousands: " + without(decimal)
	}
	return ""
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
	if plain == field || !isNumber.is(plain, '.') {
		return ""
	}
	return plain
}

// hasUnit reports whether a field is an amount of money, a percentage or a number with a unit.
func hasUnit(field string) bool {
	bare := strings.TrimLeftFunc(field, func(r rune) bool { return unicode.Is(unicode.Sc, r) || unicode.IsSpace(r) })
	bare = strings.TrimRightFunc(bare, func(r rune) bool { return !(r >= '0' && r <= '9') })
	return bare != "" && len(field)-len(bare) <= 8 && (isNumber.is(bare, '.') || grouped(bare))
}

var (
	dates    = regexp.MustCompile(`^(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4})([ T]\d{1,2}:\d{2}\S*( [AaPp][Mm])?)?$`)
	times    = regexp.MustCompile(`^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?$`)
	ordinals = regexp.MustCompile(`^\d*(1st|2nd|3rd|\dth)\b`)
	glued    = regexp.MustCompile(`^[-+]?[\d.,]+\p{L}`)
)

// LookLikeNumbers reports whether most names of classes are numbers with marks of thousands, a decimal comma, a sign of money or per
// cent or a unit, or dates. Letters that follow a number at once are a unit only if several numbers have the same: 3a and 3b, 1st and
// 2nd, 2D and 3D are names.
func LookLikeNumbers(names []string) bool {
	alike, units := 0, make(map[string]int)
	for _, name := range names {
		switch {
		case ordinals.MatchString(strings.ToLower(name)):
		case isNumber.is(name, '.'): // beside names, by Task; or written twice
		case dates.MatchString(name), times.MatchString(name), grouped(name), isNumber.is(name, ','), plainNumber(name) != "":
			alike++
		case hasUnit(name) && glued.MatchString(name):
			units[strings.TrimLeft(name, "+-.,0123456789")]++
		case hasUnit(name):
			alike++
		}
	}
	for _, n := range units {
		if n >= 3 {
			alike += n
		}
	}
	return alike*2 > len(names)
}
