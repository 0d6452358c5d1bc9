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

// A Table is what was measured of an experiment.
type Table struct {
	Experiment string   `json:"experiment"`
	Version    int      `json:"version"`
	Scale      Scale    `json:"scale"`
	Cells      int      `json:"cells"` // of the whole grid: more than there are results if the run was interrupted
	Results    []Result `json:"results"`

	memo *memo // of results that are decoded again and again; may be nil
}

// A Result is one measured cell.
type Result struct {
	Params  json.RawMessage `json:"params"`
	Result  json.RawMessage `json:"result"`
	Seconds float64         `json:"seconds"` // what it took, on the machine that did it
}

// Complete tells whether every cell of the grid is there.
func (t Table) Complete() bool { return len(t.Results) == t.Cells }

// Seconds is the time that all cells took together.
func (t Table) Seconds() float64 {
	sum := 0.0
	for _, r := range t.Results {
		sum += r.Seconds
	}
	return sum
}

// Seeds is how many seeds every point of the grid was measured with, at least and at most: results are of one point if their
// parameters differ in "seed" alone. Both are 0 if cells have no seed.
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

// Write writes the table as JSON, a line per cell, so that versions of it can be compared.
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

// ReadTable reads what Write has written.
func ReadTable(r io.Reader) (Table, error) {
	var t Table
	text, err := io.ReadAll(r)
	if err == nil {
		err = strict(text, &t)
	}
	return t, errors.Wrap(err, "table")
}

// Fits reports a table that is of another experiment or version, or has cells that the grid has no more.
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
	return nil
}

// Shuffled is the table with its results shuffled among its cells: each cell of the grid has the result of some other, or its
// own by chance. If nothing of a claim depended on which cell gave which result, the claim would survive this.
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

// Remembering is the table with a memory for what Rows decodes: for shuffles of it, which share that memory. Results that Rows
// returns must not be changed. It is not for more than one goroutine.
func (t Table) Remembering() Table {
	t.memo = &memo{}
	return t
}

// A memo holds decoded values by type and place of their text.
type memo struct{ known map[memory]any }

type memory struct {
	kind reflect.Type
	text *byte
}

// decode is strict with a memory, if there is one.
func decode[V any](m *memo, text json.RawMessage) (v V, err error) {
	if m == nil || len(text) == 0 {
		return v, strict(text, &v)
	}
	k := memory{reflect.TypeFor[V](), &text[0]}
	if known, ok := m.known[k]; ok {
		return known.(V), nil
	}
	if err = strict(text, &v); err == nil {
		if m.known == nil {
			m.known = map[memory]any{}
		}
		m.known[k] = v
	}
	return v, err
}

// A Row is a measured cell with its types back.
type Row[P, R any] struct {
	Params P
	Result R
}

// ErrTable is a table that is not of the experiment's types.
var ErrTable = errors.New("table cannot be read: it is of another experiment or of an older version")

// Rows are the results with their types, in the order of the grid.
func Rows[P, R any](t Table) ([]Row[P, R], error) {
	rows := make([]Row[P, R], len(t.Results))
	for i, r := range t.Results {
		var err error
		if rows[i].Params, err = decode[P](t.memo, r.Params); err != nil {
			return nil, errors.Wrapf(ErrTable, "experiment %s: parameters %s: %v", t.Experiment, r.Params, err)
		}
		if rows[i].Result, err = decode[R](t.memo, r.Result); err != nil {
			return nil, errors.Wrapf(ErrTable, "experiment %s: result of %s: %v", t.Experiment, r.Params, err)
		}
	}
	return rows, nil
}
