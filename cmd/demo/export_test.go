package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/graph/onnx"
	"github.com/pcgraph/pcgraph/graph/onnx/onnxtest"
)

// trainedRun is the folder of a small training on a table.
func trainedRun(t *testing.T, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "run")
	c := quiet(t.Context())
	if code := onConsole(c, append([]string{"train", "-data", "../../data/testdata/irises.csv", "-targets", "species", "-limit", "2", "-no-compare", "-out", out}, flags...), c.Out); code != cli.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	return out
}

// TestExport_SavedNetwork: the model has the run's shapes, checksum and encoding, and wrong arguments leave nothing behind.
func TestExport_SavedNetwork(t *testing.T) {
	run := trainedRun(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	c := quiet(t.Context())
	if code := onConsole(c, []string{"export", run, path, "-rule", "BP"}, c.Out); code != cli.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	m, err := onnx.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := onnxtest.Check(m); err != nil {
		t.Error(err)
	}
	sum, err := cli.SumOf(filepath.Join(run, "bp.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Meta["weights_file_sha256"] != sum || m.Meta["rule"] != "BP" || !strings.Contains(m.Meta["encoding"], "mean") || m.Graph.Inputs[0].Shape[1].Size != 3 {
		t.Errorf("metadata %v, inputs %v", m.Meta, m.Graph.Inputs)
	}
	for _, args := range [][]string{{"export", run, path + "2", "-rule", "QQ"}, {"export", filepath.Join(run, "none"), path + "2"}, {"export", run, run}} {
		c := quiet(t.Context())
		if code := onConsole(c, args, c.Out); code == cli.ExitOK {
			t.Errorf("%v: no error", args)
		}
	}
	if _, err := os.Stat(path + "2"); err == nil {
		t.Error("a file is there after an error")
	}
}

// TestImport_GoesOnUnderPC: what leaves comes in again, is trained on, and is evaluated from the run's own folder when the file is gone.
func TestImport_GoesOnUnderPC(t *testing.T) {
	dir := t.TempDir()
	model, imported, run := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "imported"), filepath.Join(dir, "run")
	for _, args := range [][]string{
		{"export", trainedRun(t), model},
		{"import", model, "-out", imported},
		{"train", "-arch", filepath.Join(imported, cli.ModelName), "-data", "../../data/testdata/irises.csv", "-targets", "species", "-limit", "2", "-no-compare", "-out", run},
		{"eval", run, "-data", "../../data/testdata/irises.csv"},
	} {
		c := quiet(t.Context())
		if code := onConsole(c, args, c.Out); code != cli.ExitOK {
			t.Fatalf("%v: exit code %d", args, code)
		}
		if args[0] == "train" {
			if err := os.RemoveAll(imported); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, args := range [][]string{
		{"import", filepath.Join(run, "pc.safetensors"), "-out", imported},
		{"train", "-arch", model, "-data", "moons", "-limit", "2", "-out", imported},
	} {
		c := quiet(t.Context())
		if code := onConsole(c, args, c.Out); code == cli.ExitOK {
			t.Errorf("%v: no error", args)
		}
		if _, err := os.Stat(imported); err == nil {
			t.Errorf("%v: a folder is there after an error", args)
		}
	}
}
