package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/internal/jsonfloat"
)

// aManifest is that of a small training on a table.
func aManifest(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	c := quiet(t.Context())
	if code := onConsole(c, []string{"train", "-data", "../../data/testdata/irises.csv", "-targets", "species", "-limit", "2", "-no-compare", "-out", out}, c.Out); code != cli.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	text, err := os.ReadFile(filepath.Join(out, cli.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestParseSaved_TrustsNothing: a manifest that was changed is an error that says what is wrong with it, and never a panic.
func TestParseSaved_TrustsNothing(t *testing.T) {
	good := string(aManifest(t))
	if m, err := cli.ParseSaved([]byte(good), new(study.TrainCmd)); err != nil || len(m.Weights) != 2 || m.Encoding == nil {
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
		{"a mean that is missing", `"mean":`, `"middle":`, "damaged"},
		{"targets that are nowhere", `"target_columns": [`, `"other_columns": [`, "encoding"},
		{"a scale of zero", `"deviation":`, `"deviation": 0, "was":`, "encoding"},
		{"a scale that is not finite", `"deviation":`, `"deviation": "Infinity", "was":`, "encoding"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Errorf("%s: %q is not in the manifest %s", c.name, c.old, good)
			continue
		}
		if _, err := cli.ParseSaved([]byte(text), new(study.TrainCmd)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestEval_NewFiles: the test file of the training, given by name, is scaled as the training data were and gives what the run had; a
// new file is all that is evaluated, whatever test file the training had; one line of a table with decimal commas is read as the
// training's were.
func TestEval_NewFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	rng := rand.New(rand.NewPCG(1, 0))
	table := func(name string, n int, shift float64, comma bool) {
		var b strings.Builder
		b.WriteString("a;b;side\n")
		for range n {
			a := shift + rng.NormFloat64()
			line := fmt.Sprintf("%.3f;%.3f;%s\n", a, rng.NormFloat64(), map[bool]string{true: "right", false: "left"}[a > 0])
			if comma {
				line = strings.ReplaceAll(line, ".", ",")
			}
			b.WriteString(line)
		}
		if err := os.WriteFile(file(name), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	table("train.csv", 300, 0, true)
	table("test.csv", 80, 1, true)
	table("new.csv", 30, -1, true)
	table("one.csv", 1, 5, true)
	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := demo(t, t.Context(), args...)
		if code != cli.ExitOK {
			t.Fatalf("demo %v: exit code %d, %s", args, code, stderr)
		}
		return stdout
	}
	run("train", "-data", file("train.csv"), "-test-file", file("test.csv"), "-epochs", "20", "-lr", ".01", "-no-compare", "-out", file("run"))
	rows := func(stdout string) string {
		return strings.Join(regexp.MustCompile(`(?m)^ +\w+\.safetensors.*$`).FindAllString(stdout, -1), "\n")
	}
	as := rows(run("eval", file("run")))
	if given := rows(run("eval", file("run"), "-data", file("test.csv"))); given != as || !strings.Contains(as, "%") {
		t.Errorf("the test file gives\n%s\nin the run, and by name\n%s", as, given)
	}
	if out := run("eval", file("run"), "-data", file("new.csv")); !strings.Contains(out, "new: 30 samples") {
		t.Errorf("30 new samples: %s", out)
	}
	if out := run("predict", file("run"), "-data", file("one.csv")); strings.Count(out, "\n") != 2 || !strings.Contains(out, "1,right,") {
		t.Errorf("one new sample: %s", out)
	}
}

// FuzzManifest: whatever a manifest says, it is refused, or its networks can be described and its files are of its folder.
func FuzzManifest(f *testing.F) {
	// Short seeds: the fuzzer tries to shorten what it finds interesting, one letter after the other.
	f.Add([]byte(`{"command":"mnist","options":{"batch":64},"weights":[{"file":"pc.safetensors"}]}`))
	f.Add([]byte(`{"command":"train-x","state":"running","options":null}`))
	f.Add([]byte(`{"command":"train-x","options":{"steps":16,"rate":0.2,"rule":"pc","batch":64,"epochs":1,"lr":0.001,"arch":"mlp","widths":[2,3,2],"act":"relu","scaling":"sp","gamma":1,"precision":1,"data":"x.csv"},"encoding":{"axes":[2],"shape":[2],"raw":true,"task":"classification","outputs":2,"classes":2}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		of := new(study.TrainCmd)
		m, err := cli.ParseSaved(text, of)
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
		m.NotFinite()
		(&cli.SavedRun{Dir: t.Name()}).Why(m.State)
	})
}
