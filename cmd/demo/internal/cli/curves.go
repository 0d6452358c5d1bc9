package cli

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/report/tfevents"
)

// Kinds of files that hold the curves of metrics.jsonl for other programs.
const (
	CurvesTensorBoard = "tensorboard"
	CurvesCSV         = "csv"
)

// CheckCurves reports kinds that are unknown.
func CheckCurves(kinds []string) error {
	for _, k := range kinds {
		if k != CurvesTensorBoard && k != CurvesCSV {
			return errors.Errorf("-curves: unknown kind %q: want %s, %s or both", k, CurvesTensorBoard, CurvesCSV)
		}
	}
	return nil
}

// curves are the lines of metrics.jsonl in the forms of other programs, as they come: event files, tensorboard/RULE/events.out.tfevents..., and
// tables, curves-RULE-KIND.csv with columns step and timestamp.
type curves struct {
	folder *Folder
	kinds  []string
	events map[string]*tfevents.Writer
	tables map[string]*curveTable
}

// A curveTable is a table with a row for each line of a rule and a kind. Its columns are the numbers of the first one.
type curveTable struct {
	file    *os.File
	to      *csv.Writer
	columns []string
}

// Curves has the lines that follow written in other forms too.
func (f *Folder) Curves(kinds []string) {
	if len(kinds) > 0 {
		f.curves = &curves{folder: f, kinds: kinds, events: make(map[string]*tfevents.Writer), tables: make(map[string]*curveTable)}
	}
}

// line adds one line. Those without a rule and a step are of no curve.
func (c *curves) line(text []byte) error {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return errors.Wrap(err, "curves")
	}
	kind, _ := object["kind"].(string)
	rule, _ := object["rule"].(string)
	step, is := object["step"].(float64)
	if rule == "" || !is {
		return nil
	}
	numbers := make(map[string]float64)
	scalars(numbers, "", object)
	delete(numbers, "step")
	for _, k := range c.kinds {
		var err error
		if k == CurvesTensorBoard {
			err = c.event(kind, rule, int(step), numbers)
		} else {
			err = c.row(kind, rule, int(step), numbers)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scalars are the numbers of an object by their paths, "terms/block1"; NaN and infinities are words there, and are left out.
func scalars(into map[string]float64, path string, v any) {
	switch v := v.(type) {
	case float64:
		into[path] = v
	case map[string]any:
		for name, part := range v {
			scalars(into, strings.TrimPrefix(path+"/"+name, "/"), part)
		}
	}
}

// fileName is a rule as part of the name of a file.
func fileName(rule string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, rule)
}

func (c *curves) event(kind, rule string, step int, numbers map[string]float64) error {
	w := c.events[rule]
	if w == nil {
		dir := filepath.Join("tensorboard", fileName(rule))
		if err := c.folder.clear(); err != nil { // the run that is overwritten
			return err
		}
		old, err := filepath.Glob(filepath.Join(c.folder.Path(dir), "events.out.tfevents.*")) // its files below are not clear's
		if err != nil {
			return errors.WithStack(err)
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return errors.WithStack(err)
			}
		}
		if w, err = tfevents.Create(c.folder.Path(dir)); err != nil {
			return err
		}
		c.events[rule] = w
		c.folder.add(filepath.ToSlash(filepath.Join(dir, filepath.Base(w.Path()))))
	}
	for _, name := range sortedKeys(numbers) {
		w.Scalar(kind+"/"+name, step, numbers[name])
	}
	return nil
}

func (c *curves) row(kind, rule string, step int, numbers map[string]float64) error {
	name := "curves-" + fileName(rule) + "-" + fileName(kind) + ".csv"
	t := c.tables[name]
	if t == nil {
		if err := c.folder.clear(); err != nil {
			return err
		}
		file, err := os.OpenFile(c.folder.Path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return errors.WithStack(err)
		}
		t = &curveTable{file: file, to: csv.NewWriter(file), columns: sortedKeys(numbers)}
		c.tables[name] = t
		c.folder.add(name)
		t.to.Write(append([]string{"step", "timestamp"}, t.columns...))
	}
	cells := []string{strconv.Itoa(step), time.Now().UTC().Format(time.RFC3339Nano)}
	for _, column := range t.columns {
		cell := ""
		if v, is := numbers[column]; is {
			cell = strconv.FormatFloat(v, 'g', -1, 64)
		}
		cells = append(cells, cell)
	}
	t.to.Write(cells)
	return errors.Wrap(t.to.Error(), name)
}

// close closes all files.
func (c *curves) close() error {
	var errs []error
	for _, rule := range sortedKeys(c.events) {
		errs = append(errs, c.events[rule].Close())
	}
	for _, name := range sortedKeys(c.tables) {
		t := c.tables[name]
		t.to.Flush()
		errs = append(errs, errors.Wrap(t.to.Error(), name), errors.Wrap(t.file.Close(), name))
	}
	return First(errs...)
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
