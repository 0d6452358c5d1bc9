package table

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

// A Header says whether the first line of a table is names of columns.
type Header int

const (
	HeaderAuto Header = iota
	HeaderPresent
	HeaderAbsent
)

const headerAdvice = "give HeaderPresent as Header if it is names of columns, HeaderAbsent if it is a sample"

// chooseHeader decides whether the first line is names.
func (d *dialect) chooseHeader() error {
	first := d.head[0]
	at := fmt.Sprintf("line %d was read as names of columns", first.line)
	switch {
	case d.Header < HeaderAuto || d.Header > HeaderAbsent:
		return errors.Errorf("Header is %d: give HeaderAuto, HeaderPresent or HeaderAbsent", int(d.Header))
	case d.Header == HeaderAbsent && (d.rowNames || d.trailing):
		return errors.Errorf("line %d has %s, and those after it %d: correct it, or give HeaderPresent as Header if it is names of columns",
			first.line, words.Counted(len(first.fields), "field"), d.columns)
	case d.Header == HeaderAbsent:
		d.header = nil
	case d.header != nil:
		d.Say("header", fmt.Sprintf("line %d, which begins with #, was read as names of columns", d.headerAt), "Header", false)
	case d.Header == HeaderPresent:
		d.takeHeader()
	case d.rowNames:
		d.takeHeader()
		d.Say("header", at+"; it has one name less than the others have fields, as R's write.table writes it: "+
			"the first column was read as names of rows and left out (row.names=FALSE or col.names=NA of write.table avoid it)", "Header", false)
	case d.trailing:
		d.takeHeader()
		d.Say("header", at+"; all other lines end in a separator, which was left out", "Header", false)
	case d.Like != nil && len(d.Like.InputNames) > 0 && !slices.ContainsFunc(d.Like.InputNames, func(name string) bool { return !slices.Contains(first.fields, name) }):
		d.takeHeader()
		d.Say("header", at+": it has those of the training data", "Header", false)
	default:
		return d.guessHeader()
	}
	return nil
}

// takeHeader takes the first line for names.
func (d *dialect) takeHeader() {
	d.header, d.headerAt = slices.Clone(d.head[0].fields), d.head[0].line
	d.head = d.head[1:]
	switch {
	case d.rowNames:
		d.header = append([]string{""}, d.header...)
	case d.trailing:
		d.header = append(d.header, "")
	}
}

// A firstLine is what guessHeader knows of the first line: the numbers in it, and the columns in which it has text over numbers, text
// over text that is not seen again, and marks of missing values over numbers.
type firstLine struct {
	numbers               []float64
	named, unseen, absent []int
}

func (d *dialect) lookAtFirst() (l firstLine) {
	first, rest := d.head[0], d.head[1:]
	names := allText(first.fields)
	for j, f := range first.fields {
		v, kind := number(f, d.decimal)
		if kind == isNumber {
			l.numbers = append(l.numbers, v)
			continue
		}
		below, again, numeric := 0, false, true
		for _, r := range rest {
			if j >= len(r.fields) || missing(r.fields[j]) || names && slices.Equal(r.fields, first.fields) {
				continue
			}
			below++
			numeric = numeric && (!isText.is(r.fields[j], d.decimal) || grouped(r.fields[j]))
			again = again || r.fields[j] == f
		}
		switch {
		case below > 0 && numeric && (missing(f) || kind == isOdd):
			l.absent = append(l.absent, j)
		case below > 0 && numeric:
			l.named = append(l.named, j)
		case !again && f != "":
			l.unseen = append(l.unseen, j)
		}
	}
	return l
}

// guessHeader decides from the lines after it what the first line is, by the first rule that holds.
func (d *dialect) guessHeader() error {
	first, rest := d.head[0], d.head[1:]
	l := d.lookAtFirst()
	numbers, columns := l.numbers, len(first.fields)
	progress, step := progression(numbers)
	all, none := len(numbers) == columns, len(numbers) == 0
	index := len(rest) > 0 && columns > 1 && first.fields[0] == "" && countsLines(rest)
	counting := len(numbers) >= 2 && progress && step == 1 && (numbers[0] == 0 || numbers[0] == 1 || numbers[0] >= 1000) // or years
	unlike := ""
	if all {
		unlike = d.unlikeOthers(numbers, rest)
	}
	slip := append(l.named, 0)[0]
	field := func(columns []int) string { return strconv.Quote(words.Clip(first.fields[append(columns, 0)[0]])) }
	at := fmt.Sprintf("line %d", first.line)
	const yes, doubtful = true, true
	for _, rule := range []struct {
		holds, names, likely bool // likely wrong
		why                  string
		refused              string
	}{
		{holds: all && d.countsAlone(numbers, rest),
			refused: fmt.Sprintf("%s is %s, which may be a header that counts, as pandas writes one, or a sample: %s", at, words.Listed(first.fields, 4), headerAdvice)},
		{holds: unlike != "", likely: doubtful, why: fmt.Sprintf("all its fields (%s) are numbers; but %s: give HeaderPresent as Header if it is names of columns",
			words.Listed(first.fields, 4), unlike)},
		{holds: all, why: "all its fields are numbers"},
		{holds: none && len(rest) == 0, names: yes, why: "none of its fields is a number"},
		{holds: index && len(l.absent) <= 1 && len(l.absent)+len(numbers) == columns && progress, names: yes,
			why: "its numbers count, and the first column, which has no name, counts the lines"},
		{holds: len(l.named) > 0 && none, names: yes, why: field(l.named) + " is in it, and all other lines have numbers there"},
		{holds: len(l.named) > 0 && (progress || slices.IsSorted(numbers)), names: yes, likely: !progress || len(numbers) == 1,
			why: field(l.named) + " is in it, where all other lines have numbers; others of its names are numbers"},
		{holds: len(l.named) > 0, refused: fmt.Sprintf("%s, column %d: %s is no number, where all other lines have numbers, and other fields of the line are numbers: correct it, or %s",
			at, slip+1, field(l.named), headerAdvice)},
		{holds: len(l.absent) > 0, why: "its fields are numbers or marks of missing values where other lines have numbers"},
		{holds: none && (len(l.unseen) > 0 || !slices.ContainsFunc(rest, func(r record) bool { return slices.Equal(r.fields, first.fields) })),
			names: yes, why: "none of its fields is a number"},
		{holds: len(l.unseen) > 0 && len(rest) > 0 && counting, names: yes, why: "its numbers count, and " + field(l.unseen) + " is in no other line"},
		{holds: len(l.unseen) > 0 && len(rest) >= 10, likely: doubtful, why: "it has numbers where the others have; but " + field(l.unseen) + " is in no other line"},
		{holds: true, why: "it has numbers and text where the others have"},
	} {
		switch {
		case !rule.holds:
			continue
		case rule.refused != "":
			return errors.New(rule.refused)
		case rule.names:
			d.takeHeader()
			d.Say("header", at+" was read as names of columns: "+rule.why, "Header", rule.likely)
		default:
			d.Say("header", at+" was read as a sample: "+rule.why, "Header", rule.likely)
		}
		break
	}
	return nil
}

// countsLines reports whether the first column counts from 0 or 1.
func countsLines(records []record) bool {
	base := 0
	for k, r := range records {
		n, err := strconv.Atoi(r.fields[0])
		if k == 0 {
			base = n
		}
		if err != nil || base < 0 || base > 1 || n != base+k {
			return false
		}
	}
	return len(records) > 0
}

// progression reports whether whole numbers go up by equal steps.
func progression(numbers []float64) (is bool, step float64) {
	if len(numbers) < 2 {
		return len(numbers) == 1, 0
	}
	step = numbers[1] - numbers[0]
	for k := 1; k < len(numbers); k++ {
		if numbers[k]-numbers[k-1] != step || !whole(numbers[k-1:k+1]) {
			return false, 0
		}
	}
	return step > 0, step
}

// countsAlone reports whether a first line of numbers looks like names that count: 0, 1 or 1, 2; three or more in steps of 1; four or
// more in equal steps; and no other line of the head does.
func (d *dialect) countsAlone(numbers []float64, rest []record) bool {
	looks := func(v []float64) bool {
		is, step := progression(v)
		return is && (len(v) >= 4 || len(v) == 3 && step == 1 || len(v) == 2 && step == 1 && (v[0] == 0 || v[0] == 1))
	}
	return looks(numbers) && len(rest) > 0 && !slices.ContainsFunc(rest, func(r record) bool {
		var v []float64
		for _, f := range r.fields {
			if x, kind := number(f, d.decimal); kind == isNumber {
				v = append(v, x)
			}
		}
		return len(v) == len(r.fields) && looks(v)
	})
}

// unlikeOthers says why a first line of numbers, which do not count, may be names of columns all the same; empty if it looks like the
// lines after it. It takes ten of these to say so. A sample that is the first looks so rarely: each rule asks for what one in some hundred
// random lines has, or less.
func (d *dialect) unlikeOthers(numbers []float64, rest []record) string {
	columns := len(numbers)
	var values [][]float64 // of the lines after it
	texts := 0
	for _, r := range rest {
		if len(r.fields) != columns || !slices.ContainsFunc(r.fields, func(f string) bool { return f != "" }) {
			continue
		}
		line := make([]float64, columns)
		for j, f := range r.fields {
			v, kind := number(f, d.decimal)
			switch {
			case kind == isText && !missing(f) && j == columns-1:
				texts++
			case kind != isNumber:
				return ""
			}
			line[j] = v
		}
		values = append(values, line)
	}
	n := len(values)
	if n >= 10 && texts == n {
		return fmt.Sprintf("%v in column %d is a number where all others are text", numbers[columns-1], columns)
	}
	if texts > 0 || n < 10 || columns < 2 {
		return ""
	}
	for _, j := range d.targetNumbers(columns) {
		if why := unlikeTarget(numbers[j], values, j); why != "" {
			return why
		}
	}
	return d.unlikeOrder(numbers, values, countsLines(rest))
}

// targetNumbers are the columns to be predicted: the last, or those that are given by number.
func (d *dialect) targetNumbers(columns int) (at []int) {
	if len(d.Targets) == 0 {
		return []int{columns - 1}
	}
	for _, target := range d.Targets {
		if k, err := strconv.Atoi(target); err == nil && k >= 1 && k <= columns {
			at = append(at, k-1)
		}
	}
	return at
}

// unlikeTarget says why v, in column j above values, is no target.
func unlikeTarget(v float64, values [][]float64, j int) string {
	counts := make(map[float64]int)
	wholes := true
	for _, line := range values {
		counts[line[j]]++
		wholes = wholes && whole(line[j:j+1])
	}
	rare := false
	for _, n := range counts {
		rare = rare || n < 2
	}
	n := len(values)
	switch {
	case len(counts) < 2 || !wholes:
	case !whole([]float64{v}):
		return fmt.Sprintf("%v in column %d, which is to be predicted, is no whole number, and all others there are", v, j+1)
	case !rare && counts[v] == 0 && n >= 15 && len(counts) <= max(2, n/10):
		return fmt.Sprintf("%v in column %d, which is to be predicted, is in no other line, and all others there are one of %d values", v, j+1, len(counts))
	}
	return ""
}

// unlikeOrder says why numbers that go up or down, as no line of values does, are names; index says that the first column counts.
func (d *dialect) unlikeOrder(numbers []float64, values [][]float64, index bool) string {
	if index && len(numbers) > 3 {
		numbers = numbers[1:]
	}
	from := len(values[0]) - len(numbers)
	if len(numbers) < 3 || !monotone(numbers) {
		return ""
	}
	outside, fractions, others, alike := true, 0, false, 0
	for j, v := range numbers {
		low, high, wholes := math.Inf(1), math.Inf(-1), true
		for _, line := range values {
			low, high, wholes = min(low, line[from+j]), max(high, line[from+j]), wholes && whole(line[from+j:from+j+1])
		}
		if outside = outside && (v < low || v > high); !wholes {
			fractions++
		}
	}
	for _, line := range values {
		if monotone(line[from:]) {
			alike++
			others = others || whole(line[from:])
		}
	}
	switch {
	case outside && alike*4 <= len(values):
		return "its numbers go steadily one way, and each of them is beyond all others in its column"
	case whole(numbers) && !others && (fractions >= 2 || len(numbers) >= 7):
		return "its numbers are whole and go steadily one way, as those of no other line"
	}
	return ""
}

func whole(v []float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return x != math.Trunc(x) })
}

// monotone reports whether numbers go up, or down, each of them.
func monotone(v []float64) bool {
	up, down := true, true
	for k := 1; k < len(v); k++ {
		up, down = up && v[k] > v[k-1], down && v[k] < v[k-1]
	}
	return up || down
}
