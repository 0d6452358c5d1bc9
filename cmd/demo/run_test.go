package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// files lists a run folder and fails on a temporary file that was left behind.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s was left behind", e.Name())
		}
		names = append(names, e.Name())
	}
	return names
}

// metrics reads metrics.jsonl without the times, the only numbers that may differ between runs.
func metrics(t *testing.T, dir string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for l := range bytes.Lines(text) {
		m := make(map[string]any)
		if err := json.Unmarshal(l, &m); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		delete(m, "seconds")
		lines = append(lines, m)
	}
	return lines
}

func TestFolder_HoldsReportPicturesMetricsAndManifest(t *testing.T) {
	base := []string{"manifest.json", "metrics.jsonl", "report.html"}
	for _, c := range []struct {
		args     string
		pictures []string
	}{
		{"toy xor -limit 40", []string{"boundary.png", "curves.png"}},
		{"toy sine -limit 40", []string{"curves.png", "fit.png"}},
		{"toy linear -limit 40", []string{"curves.png", "fit.png"}},
		{"compare -data moons -widths 2,8,8,2 -act tanh -steps 8", []string{"agreement.png", "energy.png"}},
		{"infer -data moons -widths 2,8,8,2 -act tanh -evals 40 -warmup 20 -batch 8 -clock 1ms", []string{"heun.png", "solvers.png"}},
		{"compare -data random -widths 5,6,3 -float32 -scaling mupc -steps 3", []string{"agreement.png", "energy.png"}},
		{"train -data moons -widths 2,8,8,2 -limit 20 -loss ce -scaling ntp -skips", []string{"agreement.png", "curves.png", "energy.png", "precision.png"}},
		{"train -data bars -arch cnn -width 3 -limit 10 -steps 4", []string{"agreement.png", "curves.png", "digits.png", "energy.png", "filters.png", "precision.png"}},
		{"train -data text -window 6 -arch transformer -width 8 -depth 1 -loss ce -limit 3 -steps 2 -errors", []string{"agreement.png", "curves.png", "energy.png", "precision.png"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "deep", "run")
			code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(c.args), "-out", out)...)
			if code != cli.ExitOK || !strings.Contains(stdout, "seed 1") {
				t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
			}
			want := append(slices.Clone(base), c.pictures...)
			if trains := strings.HasPrefix(c.args, "t"); trains {
				want = append(want, "bp.safetensors", "pc.safetensors")
			}
			slices.Sort(want)
			if got := files(t, out); !slices.Equal(got, want) {
				t.Errorf("files %v, want %v", got, want)
			}
			page, err := os.ReadFile(filepath.Join(out, "report.html"))
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Contains(c.args, "text"); text != bytes.Contains(page, []byte("What PC writes")) || text != strings.Contains(stdout, "What BP writes") {
				t.Error("text that the networks write: want it after training on text, in the report and on stdout, and never else")
			}
			if n := bytes.Count(page, []byte(`src="data:image/png;base64,`)); n != len(c.pictures) {
				t.Errorf("the report shows %d pictures, want %d", n, len(c.pictures))
			}
			for _, name := range c.pictures {
				f, err := os.Open(filepath.Join(out, name))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := png.Decode(f); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				f.Close()
			}
			if len(metrics(t, out)) == 0 {
				t.Error("metrics.jsonl is empty")
			}
			var m cli.Manifest
			text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &m); err != nil {
				t.Fatal(err)
			}
			if m.Seed != 1 || m.Interrupted || m.Error != "" || m.Version.Go != runtime.Version() || m.Version.Kernels == "" || m.Seconds["all"] <= 0 {
				t.Errorf("manifest %+v", m)
			}
		})
	}
}

func TestSeed_TheSameGivesTheSameMetricsToTheBit(t *testing.T) {
	dir := t.TempDir()
	read := func(name, seed string) []map[string]any {
		out := filepath.Join(dir, name)
		if code, _, stderr := demo(t, t.Context(), "train", "-data", "moons", "-limit", "20", "-seed", seed, "-out", out); code != cli.ExitOK {
			t.Fatal(stderr)
		}
		return metrics(t, out)
	}
	same := func(a, b []map[string]any) bool {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return bytes.Equal(x, y)
	}
	a, b, c := read("a", "7"), read("b", "7"), read("c", "8")
	if !same(a, b) {
		t.Error("two runs with seed 7 differ")
	}
	if same(a, c) {
		t.Error("runs with seeds 7 and 8 do not differ")
	}
}

// cancelAt is a writer that cancels when a text has passed: the terminal as the clock of a test.
type cancelAt struct {
	bytes.Buffer
	text   string
	cancel func()
}

func (w *cancelAt) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.cancel()
	}
	return w.Buffer.Write(p)
}

func TestInterrupt_WritesWhatThereIs(t *testing.T) {
	for _, at := range []string{"BP   step", "PC   step"} {
		ctx, cancel := context.WithCancel(t.Context())
		out := filepath.Join(t.TempDir(), "run")
		w := &cancelAt{text: at, cancel: cancel}
		code := onConsole(&cli.Console{Context: ctx, Out: w}, []string{"train", "-data", "moons", "-limit", "50", "-out", out}, io.Discard)
		if code != cli.ExitInterrupted {
			t.Errorf("cancelled at %q: exit code %d, want 130", at, code)
		}
		names := files(t, out)
		for _, want := range []string{"curves.png", "manifest.json", "metrics.jsonl", "report.html"} {
			if !slices.Contains(names, want) {
				t.Errorf("cancelled at %q: no %s in %v", at, want, names)
			}
		}
		page, _ := os.ReadFile(filepath.Join(out, "report.html"))
		if !bytes.Contains(page, []byte("<b>Interrupted.</b>")) {
			t.Errorf("cancelled at %q: the report does not say so", at)
		}
	}
}

func TestInterrupt_BeforeTheFirstStepStillReports(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{"toy moons", "toy linear", "toy sine", "train -data moons", "compare -data moons"} {
		out := filepath.Join(t.TempDir(), "run")
		code, _, stderr := demo(t, ctx, append(strings.Fields(args), "-out", out)...)
		if code != cli.ExitInterrupted {
			t.Errorf("%s: exit code %d (%s), want 130", args, code, stderr)
		}
		if !slices.Contains(files(t, out), "report.html") {
			t.Errorf("%s: no report", args)
		}
	}
}

func TestOut_NotWritableIsFoundBeforeTraining(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	outs := []string{file, filepath.Join(file, "below")}
	if runtime.GOOS != "windows" && os.Geteuid() != 0 { // root may write anywhere
		locked := t.TempDir()
		if err := os.Chmod(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		outs = append(outs, locked)
	}
	for _, out := range outs {
		for _, args := range []string{"toy moons", "compare -data moons", "train -data moons"} {
			code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", out)...)
			if code != cli.ExitFailure || !strings.Contains(stderr, "output folder") || !strings.Contains(stderr, "-out") || strings.Contains(stdout, "step") {
				t.Errorf("%s -out %s: exit code %d, %q, %q", args, out, code, stdout, stderr)
			}
		}
	}
}

func TestDiverging_IsAnErrorThatNamesStepAndRemedy(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	code, _, stderr := demo(t, t.Context(), "train", "-data", "moons", "-rate", "1e30", "-steps", "50", "-limit", "3", "-out", out)
	if code != cli.ExitDiverged || !strings.Contains(stderr, "step 1") || !strings.Contains(stderr, "lower the rates") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if names := files(t, out); !slices.Contains(names, "manifest.json") {
		t.Errorf("no manifest in %v", names)
	}
}
