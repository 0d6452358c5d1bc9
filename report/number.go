package report

import (
	"fmt"
	"strconv"
)

// Number writes a measured number for people: four significant digits, whatever its size, so that it neither vanishes nor
// breaks a column.
func Number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// Plural counts things.
func Plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what[len(what)-1] == 's':
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
