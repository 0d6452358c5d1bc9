package claim

import (
	"bytes"
	"context"
	"encoding/json"
	"math"

	"github.com/pkg/errors"
)

// An Experiment is a grid of cells, made by [Grid].
type Experiment struct {
	name    string
	version int
	cells   func(Scale) ([]cell, error)
	measure func(ctx context.Context, params json.RawMessage, at *Cell) (json.RawMessage, error)
	reads   func(Table) error // reports results that are not of the experiment's types
}

// Name is the experiment's name.
func (e Experiment) Name() string { return e.name }

// A cell is one measurement to be made.
type cell struct {
	params json.RawMessage
	cores  int
	cost   float64
}

// A Cell connects a measurement with the run around it. A nil Cell is one without progress and without a folder.
type Cell struct {
	progress func(done, total int)
	folder   func() (string, error)
}

// Progress reports that done of total steps of the measurement are made. It costs little and may be called often.
func (c *Cell) Progress(done, total int) {
	if c != nil && c.progress != nil {
		c.progress(done, total)
	}
}

// Folder returns a folder of this cell's own for checkpoints. It outlives an interruption and is removed once the result is
// cached. The path is empty if the run has no cache.
func (c *Cell) Folder() (string, error) {
	if c == nil || c.folder == nil {
		return "", nil
	}
	return c.folder()
}

// Grid makes an experiment: cells lists the parameters to be measured at a scale, measure measures one of them. P is plain
// data, includes the seed, and alone determines the result R, which is plain data as well. Results are cached under name,
// version and parameters: raise the version when measure changes what it returns.
//
// P may have two methods: Cores() int, how many cores one measurement keeps busy (1 without it), and Cost() float64, its
// duration in any unit (1 without it), from which follow the order of the cells and the estimate of the time that is left.
// Numbers of R that may be NaN or infinite have type [Nullable].
func Grid[P, R any](name string, version int, cells func(Scale) []P, measure func(context.Context, P, *Cell) (R, error)) Experiment {
	return Experiment{
		name:    name,
		version: version,
		cells: func(s Scale) ([]cell, error) {
			var list []cell
			for _, p := range cells(s) {
				c := cell{cores: 1, cost: 1}
				if v, ok := any(p).(interface{ Cores() int }); ok {
					c.cores = v.Cores()
				}
				if v, ok := any(p).(interface{ Cost() float64 }); ok {
					c.cost = v.Cost()
				}
				var err error
				if c.params, err = json.Marshal(p); err != nil {
					return nil, errors.Wrapf(err, "experiment %s: parameters", name)
				}
				list = append(list, c)
			}
			return list, nil
		},
		measure: func(ctx context.Context, params json.RawMessage, at *Cell) (json.RawMessage, error) {
			var p P
			if err := strict(params, &p); err != nil {
				return nil, errors.Wrapf(err, "experiment %s: parameters %s", name, params)
			}
			r, err := measure(ctx, p, at)
			if err != nil {
				return nil, errors.Wrapf(err, "experiment %s: cell %s", name, params)
			}
			result, err := json.Marshal(r)
			return result, errors.Wrapf(err, "experiment %s: cell %s: result (numbers that may be infinite have type claim.Nullable)", name, params)
		},
		reads: func(t Table) error {
			_, err := rows[P, R](t)
			return err
		},
	}
}

// strict decodes text into v and refuses fields that v does not have.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// A Nullable is a number that may be NaN or infinite, for results of runs that may diverge. JSON has no such numbers: they are
// written as null, and null is read as NaN.
type Nullable float64

// MarshalJSON implements json.Marshaler.
func (f Nullable) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Nullable) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*f = Nullable(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(f))
}
