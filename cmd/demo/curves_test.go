package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// TestCurves_AreWrittenForOtherPrograms: a row for each step, a run for each rule, and again after an interruption that is gone on from.
// What TensorBoard itself reads of the event files is checked by bench/curves/check.py.
func TestCurves_AreWrittenForOtherPrograms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	args := []string{"train", "-data", "moons", "-widths", "2,8,2", "-epochs", "2", "-batch", "50", "-no-compare", "-curves", "tensorboard,csv", "-out", dir, "-overwrite"}
	for range 2 { // the second replaces the files of the first
		if code, _, stderr := demo(t, t.Context(), args...); code != cli.ExitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
	}
	for _, rule := range []string{"PC", "BP"} {
		f, err := os.Open(filepath.Join(dir, "curves-"+rule+"-step.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(rows) != 1+40 && len(rows) != 1+32 || rows[0][0] != "step" || rows[0][1] != "timestamp" || rows[1][0] != "1" || !strings.Contains(strings.Join(rows[0], " "), "loss") {
			t.Errorf("%s: %d rows, %v, error %v", rule, len(rows), rows[0], err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "tensorboard", rule, "events.out.tfevents.*"))
		if err != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v", rule, files, err)
			continue
		}
		text, err := os.ReadFile(files[0])
		if err != nil || !strings.Contains(string(text), "brain.Event:2") || strings.Count(string(text), "step/loss") != len(rows)-1 || !strings.Contains(string(text), "eval/accuracy") {
			t.Errorf("%s: %d losses for %d rows, error %v", rule, strings.Count(string(text), "step/loss"), len(rows)-1, err)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(dir, cli.ManifestName))
	if err != nil || !strings.Contains(string(manifest), "tensorboard/PC/events.out.tfevents.") || !strings.Contains(string(manifest), "curves-BP-eval.csv") {
		t.Errorf("the manifest does not list the files: %v", err)
	}
	if code, _, stderr := demo(t, t.Context(), "train", "-curves", "wandb"); code != cli.ExitUsage || !strings.Contains(stderr, `"wandb"`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestTrain_LiveChangesNothing: a page that shows the run sees more of it, and the weights are the same to the bit.
func TestTrain_LiveChangesNothing(t *testing.T) {
	weights := func(more ...string) (pc []byte, dir, stdout string) {
		dir = filepath.Join(t.TempDir(), "run")
		args := append([]string{"train", "-data", "moons", "-widths", "2,8,8,2", "-epochs", "3", "-batch", "50", "-eval-every", "10", "-no-compare", "-out", dir}, more...)
		code, stdout, stderr := demo(t, t.Context(), args...)
		if code != cli.ExitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		pc, err := os.ReadFile(filepath.Join(dir, "pc.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return pc, dir, stdout
	}
	want, plain, _ := weights()
	got, dir, stdout := weights("-live")
	if !bytes.Equal(got, want) || !strings.Contains(stdout, "Live: http://127.0.0.1:") {
		t.Errorf("equal weights: %v\n%s", bytes.Equal(got, want), stdout)
	}
	for at, want := range map[string]bool{plain: false, dir: true} {
		text, err := os.ReadFile(filepath.Join(at, cli.MetricsName))
		if err != nil || strings.Contains(string(text), `{"kind":"layers","rule":"PC","step":20,`) != want {
			t.Errorf("looks at layers are there: %v, error %v", !want, err)
		}
		if want && (!strings.Contains(string(text), `"cosine":{"all":`) || !strings.Contains(string(text), `"inference":[{"block1":`)) {
			t.Errorf("a look has no cosine or no inference")
		}
	}
	if code, _, stderr := demo(t, t.Context(), "train", "-data", "moons", "-live", "-live-address", "8080", "-out", filepath.Join(t.TempDir(), "run")); code == cli.ExitOK || !strings.Contains(stderr, "want HOST:PORT") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
