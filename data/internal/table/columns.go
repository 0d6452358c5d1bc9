package table

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

// A Layout is which columns of a table are inputs and targets, and how it is written.
type Layout struct {
	Inputs, Targets         []int    // from 0
	InputNames, TargetNames []string // nil if some have none
	Columns                 int      // without one that is empty because lines end in a separator
	Names                   bool     // there is a header
	Strict                  bool     // there may be no other columns
	Separator, Decimal      string
	Of                      string // whose layout it is, in messages
}

// usualTargets are names of the column to be predicted, the first that is there: beside labels, y is a coordinate.
var usualTargets = []string{"label", "labels", "class", "target", "targets", "y"}

// Layout returns the layout of a training part, which a test part must have.
func (t *Table) Layout() *Layout {
	count := make(map[string]int)
	for _, name := range t.header {
		count[name]++
	}
	names := func(columns []int) (names []string) {
		for _, k := range columns {
			if t.name(k) == "" || count[t.header[k]] > 1 {
				return nil
			}
			names = append(names, t.header[k])
		}
		return names
	}
	return &Layout{Inputs: t.inputs, Targets: t.outputs, InputNames: names(t.inputs), TargetNames: names(t.outputs), Columns: t.used(),
		Names: t.header != nil, Strict: true, Separator: string(rune(t.separator)), Decimal: string(rune(t.decimal)), Of: "the training part"}
}

// used is the number of columns without one that is empty because lines end in a separator.
func (d *dialect) used() int {
	if d.trailing {
		return d.columns - 1
	}
	return d.columns
}

// name is that of column k; empty if it has none.
func (d *dialect) name(k int) string {
	if d.header == nil {
		return ""
	}
	return d.header[k]
}

// column is a column in words.
func (d *dialect) column(k int) string {
	if d.name(k) == "" {
		return fmt.Sprintf("column %d", k+1)
	}
	return fmt.Sprintf("column %d (%s)", k+1, words.Printable(words.Clip(d.name(k))))
}

// there is the columns in words.
func (d *dialect) there() string {
	if d.header == nil {
		return fmt.Sprintf("%d, without names", d.columns)
	}
	var names []string
	for _, name := range d.header {
		if name != "" {
			names = append(names, strconv.Quote(words.Clip(name)))
		}
	}
	if most := 20; len(names) > most {
		return fmt.Sprintf("[%s] and %d more", strings.Join(names[:most], " "), len(names)-most)
	}
	return "[" + strings.Join(names, " ") + "]"
}

// chooseColumns tells inputs from outputs.
func (t *Table) chooseColumns() error {
	for _, want := range t.Options.Targets {
		k, err := t.find(want)
		if err != nil {
			return err
		}
		if slices.Contains(t.outputs, k) {
			return errors.Errorf("%s is given twice as Targets: give it once", t.column(k))
		}
		t.outputs = append(t.outputs, k)
	}
	if len(t.outputs) == 0 && !t.NoTargets {
		k, err := t.usualTarget()
		if err != nil {
			return err
		}
		t.outputs = []int{k}
	}
	var nameless, namesakes []string
	for k := range t.used() {
		switch {
		case slices.Contains(t.outputs, k):
			continue
		case t.header != nil && t.header[k] == "":
			nameless = append(nameless, t.column(k))
			continue
		case t.header != nil && slices.ContainsFunc(t.outputs, func(o int) bool { return strings.EqualFold(t.header[o], t.header[k]) }):
			namesakes = append(namesakes, t.column(k))
		}
		t.inputs = append(t.inputs, k)
	}
	if len(namesakes) > 0 {
		t.Say("columns", words.Listed(namesakes, 5)+", of the same name as the column to be predicted, was read as an input: if it holds the same, the target is known from the inputs; leave it out", "Targets", true)
	}
	if len(nameless) > 0 && !(t.rowNames && len(nameless) == 1) {
		t.Say("columns", words.Listed(nameless, 5)+", without a name in the header, left out of the inputs", "Header", !(len(nameless) == 1 && nameless[0] == "column 1"))
	}
	if len(t.inputs) > 1 && t.inputs[0] == 0 && len(t.head) >= 10 && countsLines(t.head) {
		named := t.header == nil || slices.Contains([]string{"id", "index", "idx", "nr", "no", "no.", "row", "n", "#", "unnamed: 0", "sample", "number"}, strings.ToLower(t.header[0]))
		t.Say("columns", t.column(0)+", which counts the lines, was read as an input", "", named)
	}
	if len(t.inputs) > 0 {
		return nil
	}
	more := ""
	switch {
	case t.said != 0:
		more = fmt.Sprintf("; the first line says that fields are separated by %s: correct or remove that line, or give Separator", separatorName(t.said))
	case t.maybe != 0:
		more = fmt.Sprintf("; %q may be what separates fields here: give it as Separator", t.maybe)
	}
	return errors.Errorf("no column is left for inputs: give a table with more columns, separated by commas, semicolons or tabs%s", more)
}

// find returns the column of a name or number.
func (d *dialect) find(want string) (int, error) {
	k := slices.Index(d.header, want)
	switch n, err := strconv.Atoi(want); {
	case k >= 0 && slices.Contains(d.header[k+1:], want):
		return 0, errors.Errorf("two columns are called %q: give the number of one as Targets, the first being 1", want)
	case k >= 0:
		return k, nil
	case err == nil && n >= 1 && n <= d.used():
		return n - 1, nil
	}
	return 0, errors.Errorf("no column %q; there are %s: give other Targets, by name or by number from 1", want, d.there())
}

// usualTarget is the column to predict where nobody says.
func (d *dialect) usualTarget() (int, error) {
	for _, usual := range usualTargets {
		is := func(name string) bool { return strings.EqualFold(name, usual) }
		if k := slices.IndexFunc(d.header, is); k >= 0 {
			d.Say("target", d.column(k)+", by its name, is to be predicted", "Targets", slices.ContainsFunc(d.header[k+1:], is))
			return k, nil
		}
	}
	k := d.used() - 1
	if d.header != nil && d.header[k] == "" && slices.ContainsFunc(d.header, func(name string) bool { return name != "" }) {
		return 0, errors.Errorf("column %d, the last, has no name and is not empty: name it, or give the column to be predicted as Targets; there are %s", k+1, d.there())
	}
	taken := d.column(k) + ", the last, is to be predicted"
	first := false
	if k >= 2 && len(d.head) >= 4 && !(d.header != nil && d.header[0] == "") {
		var n int
		n, first = d.fewValues(0)
		if _, last := d.fewValues(k); last {
			first = false
		}
		if first {
			taken += fmt.Sprintf("; but column 1 has %d different values and may be labels", n)
		}
	}
	d.Say("target", taken, "Targets", first)
	return k, nil
}

// fewValues reports whether column j looks like labels in the head: text or whole numbers, of which there are few.
func (d *dialect) fewValues(j int) (n int, is bool) {
	seen := make(map[string]bool)
	for _, r := range d.head {
		if j >= len(r.fields) {
			return 0, false
		}
		v, kind := number(r.fields[j], d.decimal)
		if kind != isText && (v != math.Trunc(v) || strings.Contains(r.fields[j], ".")) {
			return 0, false
		}
		seen[r.fields[j]] = true
	}
	return len(seen), len(seen) >= 2 && len(seen) <= max(2, min(20, len(d.head)/3))
}

// Candidates names columns that may be targets, inputs of few different whole numbers, as advice.
func (t *Table) Candidates() string {
	var found []string
	for j, k := range t.inputs {
		seen := make(map[float64]bool)
		for i := 0; i < t.N && len(seen) <= 100; i++ {
			v := t.at(i, j)
			if v != math.Trunc(v) {
				seen = nil
				break
			}
			seen[v] = true
		}
		if len(seen) >= 2 && len(seen) <= min(100, max(2, t.N/2)) {
			found = append(found, fmt.Sprintf("%s has %d values", t.column(k), len(seen)))
		}
	}
	if len(found) == 0 {
		return "give another as Targets, by name or by number from 1; there are " + t.there()
	}
	return words.Listed(found, 5) + ": give one as Targets, by name or by number from 1"
}

// chooseLike tells inputs from outputs as in Like: by name where both have names, else by position.
func (t *Table) chooseLike() error {
	l := t.Like
	switch have := t.used(); {
	case l.InputNames != nil && t.header != nil:
		return t.chooseNames()
	case have == l.Columns:
		t.inputs = l.Inputs
		if !t.NoTargets {
			t.outputs = l.Targets
		}
	case t.NoTargets && have == len(l.Inputs):
		for k := range have {
			t.inputs = append(t.inputs, k)
		}
	default:
		return errors.Errorf("%s, and %s has %d: give tables with the same columns", words.Counted(have, "column"), l.Of, l.Columns)
	}
	if t.header != nil != l.Names {
		t.Say("columns", "columns were matched with those of "+l.Of+" by their order, since one of both has no names", "", false)
	}
	return nil
}

// chooseNames is chooseLike by name.
func (t *Table) chooseNames() error {
	l := t.Like
	var missing []string
	used := make([]bool, t.columns)
	find := func(names []string, wanted bool) (at []int, err error) {
		for _, name := range names {
			k := slices.Index(t.header, name)
			switch {
			case k >= 0:
				if used[k] = true; wanted && slices.Contains(t.header[k+1:], name) {
					return nil, errors.Errorf("two columns are called %q: leave one out", name)
				}
				at = append(at, k)
			case wanted:
				missing = append(missing, strconv.Quote(words.Clip(name)))
			}
		}
		return at, nil
	}
	var err error
	if t.inputs, err = find(l.InputNames, true); err != nil {
		return err
	}
	if !t.NoTargets && l.TargetNames == nil {
		return errors.Errorf("the columns to predict have no names in %s: give tables with the same columns", l.Of)
	}
	if t.outputs, err = find(l.TargetNames, !t.NoTargets); err != nil {
		return err
	}
	if t.NoTargets {
		t.outputs = nil
	}
	if missing != nil {
		return errors.Errorf("no %s %s, which %s has; there are %s: give tables with the same columns", words.Plural(len(missing), "column"),
			words.Listed(missing, 10), l.Of, t.there())
	}
	var more []string
	for k := range t.header {
		if !used[k] && t.header[k] != "" {
			more = append(more, t.column(k))
		}
	}
	switch {
	case len(more) > 0 && l.Strict:
		return errors.Errorf("%s, which %s does not have: give tables with the same columns", words.Listed(more, 10), l.Of)
	case len(more) > 0:
		t.Say("columns", words.Listed(more, 5)+", which "+l.Of+" does not have, left out", "", false)
	}
	if !slices.Equal(t.inputs, l.Inputs) || !t.NoTargets && !slices.Equal(t.outputs, l.Targets) {
		t.Say("columns", "columns were matched with those of "+l.Of+" by name", "", false)
	}
	return nil
}
