package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// aManifest is that of a small training on a table.
func aManifest(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	c := quiet(t.Context())
	if code := run(c, []string{"train", "-data", "../../data/testdata/irises.csv", "-targets", "species", "-limit", "2", "-no-compare", "-out", out}, c.out); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	text, err := os.ReadFile(filepath.Join(out, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestParseSaved_TrustsNothing: a manifest that was changed is an error that says what is wrong with it, and never a panic.
func TestParseSaved_TrustsNothing(t *testing.T) {
	good := string(aManifest(t))
	if m, err := parseSaved([]byte(good), new(trainCmd)); err != nil || len(m.Weights) != 2 || m.Encoding == nil {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"cut", good[len(good)/2:], "", "damaged"},
		{"another command", `"command": "train-irises"`, `"command": "toy"`, `run of "toy"`},
		{"a number for a command", `"command": "train-irises"`, `"command": 7`, "damaged"},
		{"options that are null", good[strings.Index(good, `"options"`):strings.Index(good, `"seed": 1,`+"\n  \"started\"")], `"options": null, `, "options of the run are missing"},
		{"an option out of range", `"batch": 64`, `"batch": -3`, "-batch is -3"},
		{"an option of another type", `"batch": 64`, `"batch": "many"`, "damaged"},
		{"an unknown rule", `"rule": "pc",`, `"rule": "hebb",`, "hebb"},
		{"weights elsewhere", `"file": "pc.safetensors"`, `"file": "../pc.safetensors"`, "no file of the folder"},
		{"weights anywhere", `"file": "pc.safetensors"`, `"file": "/etc/passwd"`, "no file of the folder"},
		{"weights twice", `"file": "pc.safetensors"`, `"file": "bp.safetensors"`, "twice"},
		{"classes that are not there", `"outputs": 3`, `"outputs": 4`, "encoding"},
		{"a scale of zero", `"deviation":`, `"deviation": 0, "was":`, "encoding"},
		{"a scale that is not finite", `"deviation":`, `"deviation": "Infinity", "was":`, "encoding"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Errorf("%s: %q is not in the manifest %s", c.name, c.old, good)
			continue
		}
		if _, err := parseSaved([]byte(text), new(trainCmd)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// FuzzManifest: whatever a manifest says, it is refused, or its networks can be described and its files are of its folder.
func FuzzManifest(f *testing.F) {
	// Short seeds: the fuzzer tries to shorten what it finds interesting, one letter after the other.
	f.Add([]byte(`{"command":"mnist","options":{"batch":64},"weights":[{"file":"pc.safetensors"}]}`))
	f.Add([]byte(`{"command":"train-x","state":"running","options":null}`))
	f.Add([]byte(`{"command":"train-x","options":{"steps":16,"rate":0.2,"rule":"pc","batch":64,"epochs":1,"lr":0.001,"arch":"mlp","widths":[2,3,2],"act":"relu","scaling":"sp","gamma":1,"precision":1,"data":"x.csv"},"encoding":{"axes":[2],"shape":[2],"raw":true,"task":"classification","outputs":2,"classes":2}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		of := new(trainCmd)
		m, err := parseSaved(text, of)
		if err != nil {
			return
		}
		for _, w := range m.Weights {
			if filepath.Dir(filepath.Join("folder", w.File)) != "folder" {
				t.Errorf("weights %q are outside of the folder", w.File)
			}
		}
		if _, err := jsonfloat.Marshal(m); err != nil {
			t.Errorf("a manifest that was read cannot be written: %v", err)
		}
		m.notFinite()
		(&savedRun{dir: t.Name()}).why(m.State)
	})
}
