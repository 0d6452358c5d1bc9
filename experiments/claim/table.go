package claim

import (
	"encoding/json"

	"github.com/pkg/errors"
)

// A Table is what was measured of an experiment.
type Table struct {
	Experiment string   `json:"experiment"`
	Version    int      `json:"version"`
	Scale      Scale    `json:"scale"`
	Cells      int      `json:"cells"` // of the whole grid: more than there are results if the run was interrupted
	Results    []Result `json:"results"`
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
		if err := strict(r.Params, &rows[i].Params); err != nil {
			return nil, errors.Wrapf(ErrTable, "experiment %s: parameters %s: %v", t.Experiment, r.Params, err)
		}
		if err := strict(r.Result, &rows[i].Result); err != nil {
			return nil, errors.Wrapf(ErrTable, "experiment %s: result of %s: %v", t.Experiment, r.Params, err)
		}
	}
	return rows, nil
}
