package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/internal/words"
)

// Decode makes targets of the text: indices of classes, if these are given; else numbers where all can be read as numbers, and
// names where none can. names says that those of which only some are numbers are names.
func (t *Table) Decode(names bool, classes []string) error {
	if t.ids == nil {
		t.Whole = t.Width > 1 && whole(t.Numbers)
		if classes != nil {
			return errors.Errorf("targets are numbers, and those of the training part are names of classes: %s", words.Listed(words.Printables(classes), 10))
		}
		return nil
	}
	values, kinds := make([]float64, len(t.words)), make([]kind, len(t.words))
	finite, text, wholes := 0, 0, true
	for w, word := range t.words {
		switch values[w], kinds[w] = number(word, t.decimal); kinds[w] {
		case isNumber:
			finite++
			_, err := strconv.ParseInt(word, 10, 64)
			wholes = wholes && err == nil
		case isText:
			text++
		}
	}
	t.Whole = wholes && finite == len(t.words)
	if classes != nil || text > 0 && (finite == 0 || names) {
		if err := t.classify(values, kinds, classes); err != nil {
			return err
		}
	} else if text > 0 {
		i := slices.IndexFunc(t.ids, func(id uint16) bool { return kinds[id] == isText })
		return t.noNumber(i, t.outputs[0], t.words[t.ids[i]])
	}
	t.Numbers = make([]float64, t.N)
	for i, id := range t.ids {
		t.Numbers[i] = values[id]
	}
	t.ids, t.index = nil, nil
	return nil
}

// classify makes values of words their indices in classes or, without these, among all words in order.
func (t *Table) classify(values []float64, kinds []kind, classes []string) error {
	if classes == nil {
		classes = slices.Sorted(slices.Values(t.words))
		for _, name := range classes {
			if missing(name) {
				t.Say("missing values", fmt.Sprintf("the target %q was read as a class of that name, not for a value that is missing", words.Printable(name)), "", true)
			}
		}
	}
	for w, name := range t.words {
		k, is := slices.BinarySearch(classes, name)
		if v := values[w]; !is && kinds[w] == isNumber { // "+1" is the class "1"
			k = slices.IndexFunc(classes, func(c string) bool { x, kind := number(c, '.'); return kind == isNumber && x == v })
			is = k >= 0
		}
		if !is {
			i := slices.Index(t.ids, uint16(w))
			return errors.Errorf("%s: no training sample is of the class %q; there are %s: correct it, or add such samples", t.place(i, t.outputs[0]), words.Clip(name),
				words.Listed(words.Printables(classes), 20))
		}
		values[w] = float64(k)
	}
	t.Whole, t.Classes = true, classes
	return nil
}

// DecodeLike is Decode of new data: names says that training targets that mix numbers and names are names, classes are those of the
// training data, nil if they are numbers.
func (t *Table) DecodeLike(names bool, classes []string) error {
	if t.NoTargets {
		t.ids, t.Numbers = nil, nil
		return nil
	}
	if err := t.Decode(names, classes); err != nil {
		return err
	}
	if t.Classes != nil && classes == nil {
		return errors.Errorf("%s: targets are names, and those of the training data are numbers: give data of the same kind", t.place(0, t.outputs[0]))
	}
	return nil
}

// noNumber is the error of a field.
func (t *Table) noNumber(i, k int, field string) error {
	place := t.place(i, k)
	if field == "" {
		return errors.Errorf("%s is empty: fill it in, or leave the line out; there is no default for a value that is missing", place)
	}
	names := i == 0 && t.header == nil // the line may be
	if missing(field) {
		also := ""
		if names {
			also = "; if the line is names of columns, give HeaderPresent as Header"
		}
		return errors.Errorf("%s: %.40q is no number but marks a missing value: fill it in, or leave the line out%s", place, field, also)
	}
	remedy, is := t.remedy(k, field)
	if !is {
		if remedy = lineAdvice + "; a column that is not to be learned from must be removed, names must be coded as numbers"; names {
			remedy += "; in a header no name is a number, unless HeaderPresent is given as Header"
		}
		if slices.Contains(t.inputs, k) && len(t.outputs) > 0 {
			want := strconv.Itoa(k + 1)
			if t.name(k) != "" && slices.Index(t.header, t.header[k]) == k {
				want = t.header[k]
			}
			remedy += fmt.Sprintf("; if it is what is to be predicted, and not %s, give %q as Targets", t.column(t.outputs[0]), want)
		}
	}
	return errors.Errorf("%s: %.40q is no number: %s", place, field, remedy)
}

// remedy says how to write a field of column k that is nearly a number.
func (t *Table) remedy(k int, field string) (remedy string, is bool) {
	other := byte('.' + ',' - t.decimal)
	if advice := groupAdvice(field, t.decimal); advice != "" {
		return advice, true
	}
	switch plain := plainNumber(field); {
	case strings.IndexByte(field, other) >= 0 && isNumber.is(field, other):
		return fmt.Sprintf("write %s, with the decimal sign of this table, or give Decimal %q if that is its decimal sign",
			strings.Replace(field, string(other), string(t.decimal), 1), other), true
	case slices.Contains(t.outputs, k) && t.Width == 1:
		return lineAdvice + "; if the targets are names of classes, some of which are numbers, give the Task Classification", true
	case strings.EqualFold(field, "true") || strings.EqualFold(field, "false"):
		return "write 0 for False and 1 for True", true
	case plain != "":
		return "write " + plain, true
	case hasUnit(field):
		return "write the number alone, without a sign of money, per cent or a unit, and in the same unit in every line", true
	}
	return "", false
}
