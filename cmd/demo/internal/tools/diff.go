// Package tools has the commands about the program and its runs: doctor, diff and completion.
package tools

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/report"
)

// DiffCmd compares two runs.
type DiffCmd struct {
	A string `arg:"" name:"RUN" help:"Folder of a run, or its manifest.json."`
	B string `arg:"" name:"OTHER" help:"Another one."`
}

// Run prints what differs between two manifests: options, program, data, and what came out.
func (cmd DiffCmd) Run(c *cli.Console) error {
	a, err := flat(cmd.A)
	if err != nil {
		return err
	}
	b, err := flat(cmd.B)
	if err != nil {
		return err
	}
	t := report.Table{Title: "What differs", Head: []string{"", "A", "B", "B/A - 1"}, Note: "A is " + cmd.A + ", B is " + cmd.B + "."}
	names := slices.Sorted(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if va, vb := a[name], b[name]; va != vb {
			t.Rows = append(t.Rows, []string{name, words(a, name), words(b, name), ratio(va, vb)})
		}
	}
	if len(t.Rows) == 0 {
		c.Printf("The runs are alike: options, program, data and results.\n")
		return nil
	}
	t.Print(c.Out)
	return nil
}

// left are the parts of a manifest that differ between any two runs, or follow from others.
var left = []string{"args", "again", "started", "seconds", "files", "weights", "checkpoint", "guesses"}

// flat is a manifest as values by their path, "options.lr". Data are their checksums.
func flat(path string) (map[string]any, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, cli.ManifestName)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, errors.Errorf("%s is no manifest of a run: %v", path, err)
	}
	if _, is := m["command"].(string); !is {
		return nil, errors.Errorf("%s is no manifest of a run: it names no command", path)
	}
	for _, name := range left {
		delete(m, name)
	}
	files, _ := m["data"].([]any)
	delete(m, "data")
	out := make(map[string]any)
	for _, f := range files {
		if f, is := f.(map[string]any); is {
			name, _ := f["path"].(string)
			out["data "+filepath.Base(name)] = f["sha256"]
		}
	}
	flatten(out, "", m)
	return out, nil
}

// flatten adds the values of a JSON object by their paths.
func flatten(out map[string]any, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, part := range v {
			flatten(out, strings.TrimPrefix(path+"."+name, "."), part)
		}
	case []any:
		for i, part := range v {
			flatten(out, fmt.Sprintf("%s[%d]", path, i), part)
		}
	default:
		if !strings.HasSuffix(path, "seconds") { // no two runs take the same
			out[path] = v
		}
	}
}

func words(of map[string]any, name string) string {
	v, is := of[name]
	if !is {
		return "-"
	}
	return fmt.Sprint(v)
}

// ratio is the relative difference of two numbers; empty if they are none.
func ratio(a, b any) string {
	x, isX := a.(float64)
	y, isY := b.(float64)
	if !isX || !isY || x == 0 || math.IsInf(y/x, 0) {
		return ""
	}
	return fmt.Sprintf("%+.3g %%", 100*(y/x-1))
}
