package pcgraph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A paperCase is one file of testdata/papers; O are the options of its kind.
type paperCase[O any] struct {
	Kind, Name, Note string
	Options          O
	Units            map[string]string
	Inputs           []string
	Values           map[string]float64
	Arrays           map[string]refArray

	seen map[string]bool
}

// checkPapers runs check on every case of a kind: the files of testdata/papers and those of the folder PCGRAPH_REFERENCE. What is
// neither an input nor looked at is an error. name gives the sort of a case, all of which must have been checked.
func checkPapers[O any](t *testing.T, kind string, sort func(O) string, checks map[string]func(*testing.T, *paperCase[O])) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "papers", kind+"_*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases of kind %s in testdata/papers (%v)", kind, err)
	}
	if folder := os.Getenv("PCGRAPH_REFERENCE"); folder != "" {
		more, err := filepath.Glob(filepath.Join(folder, "*.json"))
		if err != nil || len(more) == 0 {
			t.Fatalf("no reference cases in %s (%v)", folder, err)
		}
		files = append(files, more...)
	}
	count := map[string]int{}
	for _, file := range files {
		c, err := readPaper[O](file, kind)
		if err != nil {
			t.Error(err)
		}
		if c == nil {
			continue
		}
		check := checks[sort(c.Options)]
		if check == nil {
			t.Errorf("%s: unknown case %q", file, sort(c.Options))
			continue
		}
		count[sort(c.Options)]++
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			check(t, c)
			for name := range c.Arrays {
				if !c.seen[name] {
					t.Errorf("the array %s has not been looked at", name)
				}
			}
			for name := range c.Values {
				if !c.seen[name] {
					t.Errorf("the value %s has not been looked at", name)
				}
			}
		})
	}
	for name := range checks {
		if count[name] == 0 {
			t.Errorf("no case %q has been checked", name)
		}
	}
	t.Logf("checked: %s", tally(count))
}

// readPaper is nil for other kinds.
func readPaper[O any](file, kind string) (*paperCase[O], error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var head struct{ Kind string }
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if head.Kind != kind {
		return nil, nil
	}
	c := &paperCase[O]{seen: map[string]bool{}}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c *paperCase[O]) has(name string) bool { _, ok := c.Arrays[name]; return ok }

func (c *paperCase[O]) array(t *testing.T, name string) []float64 {
	t.Helper()
	a, ok := c.Arrays[name]
	if !ok {
		t.Fatalf("%s has no array %q", c.Name, name)
	}
	c.seen[name] = true
	return a.Data
}

func (c *paperCase[O]) value(t *testing.T, name string) []float64 {
	t.Helper()
	v, ok := c.Values[name]
	if !ok {
		t.Fatalf("%s has no value %q", c.Name, name)
	}
	c.seen[name] = true
	return []float64{v}
}

// transposed is an array [..., rows, columns] with its last two axes exchanged: weights are stored [out, in].
func (c *paperCase[O]) transposed(t *testing.T, name string) []float64 {
	t.Helper()
	data, shape := c.array(t, name), c.Arrays[name].Shape
	if len(shape) < 2 {
		t.Fatalf("%s: %s has shape %v", c.Name, name, shape)
	}
	rows, columns := shape[len(shape)-2], shape[len(shape)-1]
	out := make([]float64, 0, len(data))
	for m := range slices.Chunk(data, rows*columns) {
		for j := range columns {
			for i := range rows {
				out = append(out, m[i*columns+j])
			}
		}
	}
	return out
}
