package claim

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// A Text is a table for people.
type Text struct {
	Note string // parameters that are the same in all rows
	Head []string
	Rows [][]string
}

// Text writes a table for people: a column for each parameter that varies and for each number of the results; cells that
// differ only in their "seed" become one row with mean, standard error and number of seeds. Lists are left out.
func (t Table) Text() (Text, error) {
	var text Text
	type group struct{ params, results []field }
	var groups []*group
	index := map[string]*group{}
	var names, values []string // columns
	distinct := map[string][]string{}
	for _, r := range t.Results {
		params, err := flatten(r.Params)
		if err != nil {
			return text, errors.Wrapf(err, "experiment %s", t.Experiment)
		}
		results, err := flatten(r.Result)
		if err != nil {
			return text, errors.Wrapf(err, "experiment %s", t.Experiment)
		}
		var key strings.Builder
		var kept []field
		for _, f := range params {
			if f.name == "seed" {
				continue
			}
			key.WriteString(f.name + "=" + f.value + "\n")
			names, distinct[f.name] = add(names, f.name), add(distinct[f.name], f.value)
			kept = append(kept, f)
		}
		g := index[key.String()]
		if g == nil {
			g = &group{params: kept}
			index[key.String()] = g
			groups = append(groups, g)
		}
		for _, f := range results {
			values = add(values, f.name)
		}
		g.results = append(g.results, results...)
	}
	var note, head []string
	for _, n := range names {
		if len(distinct[n]) > 1 {
			head = append(head, n)
		} else {
			note = append(note, n+"="+distinct[n][0])
		}
	}
	text.Note, text.Head = strings.Join(note, ", "), append(slices.Clone(head), values...)
	for _, g := range groups {
		var row []string
		for _, n := range head {
			row = append(row, find(g.params, n))
		}
		for _, n := range values {
			row = append(row, summary(g.results, n))
		}
		text.Rows = append(text.Rows, row)
	}
	return text, nil
}

// add appends what is not there yet.
func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// A field is one scalar of a JSON object.
type field struct{ name, value string }

func find(fields []field, name string) string {
	for _, f := range fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// summary is what all fields of a name say: an estimate of numbers, or the words there are.
func summary(fields []field, name string) string {
	var numbers []float64
	var words []string
	for _, f := range fields {
		if f.name != name {
			continue
		}
		v, err := strconv.ParseFloat(f.value, 64)
		switch {
		case f.value == "null":
			numbers = append(numbers, math.NaN())
		case err != nil:
			words = add(words, f.value)
		default:
			numbers = append(numbers, v)
		}
	}
	if len(words) > 0 || len(numbers) == 0 {
		return strings.Join(words, ", ")
	}
	return Mean(numbers...).String()
}

// flatten lists the scalars of an object in order; those of an inner object as outer.inner. Lists are left out.
func flatten(text json.RawMessage) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var fields []field
	var object func(prefix string) error
	value := func(name string) error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' {
				return object(name + ".")
			}
			for depth := 1; depth > 0; {
				inner, err := d.Token()
				if err != nil {
					return err
				}
				switch inner {
				case json.Delim('['), json.Delim('{'):
					depth++
				case json.Delim(']'), json.Delim('}'):
					depth--
				}
			}
		case json.Number:
			fields = append(fields, field{name, v.String()})
		case string:
			fields = append(fields, field{name, v})
		case bool:
			fields = append(fields, field{name, strconv.FormatBool(v)})
		case nil:
			fields = append(fields, field{name, "null"})
		}
		return nil
	}
	object = func(prefix string) error {
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if err := value(prefix + key.(string)); err != nil {
				return err
			}
		}
		_, err := d.Token() // the end
		return err
	}
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return []field{{"value", string(text)}}, nil // a bare number or word
	}
	return fields, object("")
}
