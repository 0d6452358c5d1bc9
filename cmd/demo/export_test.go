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
