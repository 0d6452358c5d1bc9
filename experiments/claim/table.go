package claim

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/pkg/errors"
)

// A Table holds the results of an experiment at one scale.
type Table struct {
	Experiment string   `json:"experiment"`
	Version    int      `json:"version"`
	Scale      Scale    `json:"scale"`
	Cells      int      `json:"cells"` // of the whole grid: more than there are results if the run was interrupted
	Results    []Result `json:"results"`

	memo *memo // decoded results of a table that is decoded many times; may be nil
}

// A Result is one measured cell.
type Result struct {
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Seconds float64         `json:"seconds"` // duration of the measurement, on the machine that made it
}

// Complete reports whether the table has a result for every cell of the grid.
func (t Table) Complete() bool { return len(t.Results) == t.Cells }

// Seconds is the sum of the durations of all cells.
func (t Table) Seconds() float64 {
	sum := 0.0
	for _, r := range t.Results {
		sum += r.Seconds
	}
	return sum
}

// Seeds returns the least and the greatest number of seeds with which a point of the grid was measured. Results are of one
// point if their parameters differ in "seed" alone. Both are 0 if cells have no seed.
func (t Table) Seeds() (least, most int) {
	count := map[string]int{}
	for _, r := range t.Results {
		var p map[string]json.RawMessage
		if json.Unmarshal(r.Params, &p) != nil || p["seed"] == nil {
			return 0, 0
		}
		delete(p, "seed")
		point, _ := json.Marshal(p) // its keys in order
		count[string(point)]++
	}
	for _, n := range count {
		if least == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	return least, most
}

// Write writes the table as JSON, a line per cell, so that two versions of it can be compared line by line.
func (t Table) Write(w io.Writer) error {
	head := t
	head.Results = nil
	text, err := json.Marshal(head)
	if err != nil {
		return errors.Wrapf(err, "table of %s", t.Experiment)
	}
	var buf bytes.Buffer
	buf.Write(bytes.TrimSuffix(text, []byte("null}")))
	for i, r := range t.Results {
		line, err := json.Marshal(r)
		if err != nil {
			return errors.Wrapf(err, "table of %s", t.Experiment)
		}
		buf.WriteString([]string{"[\n", ",\n"}[min(i, 1)])
		buf.Write(line)
	}
	buf.WriteString("]}\n")
	if len(t.Results) == 0 {
		return errors.Errorf("table of %s: it is empty", t.Experiment)
	}
	_, err = w.Write(buf.Bytes())
	return errors.Wrapf(err, "table of %s", t.Experiment)
}

// ReadTable reads a table that Write has written.
func ReadTable(r io.Reader) (Table, error) {
	var t Table
	text, err := io.ReadAll(r)
	if err == nil {
		err = strict(text, &t)
	}
	return t, errors.Wrap(err, "table")
}

// Fits returns an error if the table is of another experiment or version, if its cells are not those of today's grid, or if
// its results are not of the experiment's types.
func (t Table) Fits(e Experiment) error {
	if t.Experiment != e.name || t.Version != e.version {
		return errors.Errorf("table of %s, version %d, for %s, version %d: measure again", t.Experiment, t.Version, e.name, e.version)
	}
	cells, err := e.cells(t.Scale)
	if err != nil {
		return err
	}
	grid := map[string]bool{}
	for _, c := range cells {
		grid[string(c.params)] = true
	}
	for _, r := range t.Results {
		if !grid[string(r.Params)] {
			return errors.Errorf("table of %s: cell %s is not in the %s grid: measure again", e.name, r.Params, t.Scale)
		}
	}
	if t.Cells != len(cells) {
		return errors.Errorf("table of %s: it is of a grid of %d cells, which has %d now: measure again", e.name, t.Cells, len(cells))
	}
	return e.reads(t)
}

// Shuffled returns the table with its results permuted at random among its cells. A Check that still passes does not
// depend on which cell gave which result.
func (t Table) Shuffled(r *rand.Rand) Table {
	results := slices.Clone(t.Results)
	r.Shuffle(len(results), func(i, j int) {
		a, b := &results[i], &results[j]
		a.Result, b.Result = b.Result, a.Result
		a.Seconds, b.Seconds = b.Seconds, a.Seconds
	})
	t.Results = results
	return t
}

// Memoized returns the table with a memo of the results that Rows decodes, shared with all shuffles of the table. Results that
// Rows returns must then not be changed, and the table is for one goroutine only.
func (t Table) Memoized() Table {
	t.memo = &memo{}
	return t
}

// A memo holds decoded values by type and by the address of their text.
type memo struct{ known map[memoKey]any }

type memoKey struct {
	kind reflect.Type
	text *byte
}

// decode is strict with a memo, if there is one.
func decode[V any](m *memo, text json.RawMessage) (v V, err error) {
	if m == nil || len(text) == 0 {
		return v, strict(text, &v)
	}
	k := memoKey{reflect.TypeFor[V](), &text[0]}
	if known, ok := m.known[k]; ok {
		return known.(V), nil
	}
	if err = strict(text, &v); err == nil {
		if m.known == nil {
			m.known = map[memoKey]any{}
		}
		m.known[k] = v
	}
	return v, err
}

// A Row is a measured cell, decoded.
type Row[P, R any] struct {
	Params P
	Result R
}

// ErrTable is the error of a table whose parameters or results are not of the experiment's types.
var ErrTable = errors.New("table cannot be read: it is of another experiment or of an older version")

// Rows returns the results with their types, in the order of the grid. It panics if P and R are not the types of the
// experiment: a table that comes from a file is held against its experiment by [Table.Fits] or [Claim.Judge] first.
func Rows[P, R any](t Table) []Row[P, R] {
	list, err := rows[P, R](t)
	if err != nil {
		panic(err)
	}
	return list
}

// Where returns the rows whose parameters satisfy want.
func Where[P, R any](t Table, want func(P) bool) []Row[P, R] {
	return slices.DeleteFunc(Rows[P, R](t), func(r Row[P, R]) bool { return !want(r.Params) })
}

func rows[P, R any](t Table) ([]Row[P, R], error) {
	list := make([]Row[P, R], len(t.Results))
	for i, r := range t.Results {
		var err error
		if list[i].Params, err = decode[P](t.memo, r.Params); err != nil {
			return nil, errors.Wrapf(ErrTable, "experiment %s: parameters %s: %v", t.Experiment, r.Params, err)
		}
		if list[i].Result, err = decode[R](t.memo, r.Result); err != nil {
			return nil, errors.Wrapf(ErrTable, "experiment %s: result of %s: %v", t.Experiment, r.Params, err)
		}
	}
	return list, nil
}
