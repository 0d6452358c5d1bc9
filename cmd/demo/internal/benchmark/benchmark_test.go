package benchmark

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/benchmark"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/report"
)

// docsDir is where BENCHMARK.md is.
var docsDir = filepath.Join("..", "..", "..", "..", "docs")

func init() { report.DPI = 48 } // no test looks at the pixels

// demo runs a command line in this process.
func demo(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	var commands struct {
		Benchmark Cmd   `cmd:""`
		Other     other `cmd:""`
	}
	code = cli.Main(&cli.Console{Context: ctx, Out: &out}, &commands, "", append([]string{"benchmark"}, args...), &errs)
	return code, out.String(), errs.String()
}

// other is there because kong takes the name of a lone command for granted.
type other struct{}

func (other) Run(*cli.Console) error { return nil }

// TestBenchmark_TourFromEndToEnd: the table in the terminal, every file, the record, and nothing measured twice.
func TestBenchmark_TourFromEndToEnd(t *testing.T) {
	dir := t.TempDir()
	cells := filepath.Join(dir, "cells")
	code, out, stderr := demo(t, t.Context(), "tour", "-only", "BP,PC-ALM", "-seeds", "1", "-cache", cells, "-out", filepath.Join(dir, "a"), "-record", filepath.Join(dir, "record"))
	if code != cli.ExitOK {
		t.Fatalf("exit code %d: %s%s", code, out, stderr)
	}
	for _, want := range []string{"Two moons", "PC-ALM", "last, %", "x BP", "seeds [1]", "report.html"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, stderr = demo(t, t.Context(), "tour", "-only", "BP,PC-ALM", "-cache", cells, "-out", filepath.Join(dir, "b"), "-record", filepath.Join(dir, "record"))
	if code != cli.ExitOK || !strings.Contains(out, "4 cells, 2 of them kept by an earlier run") {
		t.Fatalf("exit code %d: %s%s", code, out, stderr)
	}
	for _, name := range []string{"report.html", "manifest.json", "report.md", "rows.json", "rows.csv", "curves.csv", "benchmark-tour-epochs.png", "benchmark-tour-time.png"} {
		if info, err := os.Stat(filepath.Join(dir, "b", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is not there", name)
		}
	}
	lines := table(t, filepath.Join(dir, "b", "curves.csv"))
	if len(lines) != 1+2*2*10 || lines[0][5] != "step" || lines[10][5] != "250" && lines[10][5] != "320" {
		t.Errorf("curves.csv has %d lines, head %v, the tenth %v", len(lines), lines[0], lines[10])
	}
	if lines := table(t, filepath.Join(dir, "b", "rows.csv")); len(lines) != 3 || lines[2][0] != "PC-ALM" || !strings.HasSuffix(lines[2][len(lines[2])-1], "demo benchmark tour -only PC-ALM -seeds 2") {
		t.Errorf("rows.csv: %v", lines)
	}
	var rows struct {
		Rows []struct{ Figures map[string]struct{ N int } }
	}
	text, _ := os.ReadFile(filepath.Join(dir, "b", "rows.json"))
	if err := json.Unmarshal(text, &rows); err != nil || len(rows.Rows) != 2 || rows.Rows[0].Figures["last"].N != 2 {
		t.Errorf("rows.json: %v\n%s", err, text)
	}
	f, err := os.Open(filepath.Join(dir, "record", "benchmark", "tour.full.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tour, _ := benchmark.TableNamed("tour")
	kept, err := claim.ReadTable(f)
	if err != nil || len(kept.Results) != 4 || kept.Cells != len(tour.Cells()) {
		t.Errorf("the record has %d of %d cells: %v", len(kept.Results), kept.Cells, err)
	}
	if err := kept.Fits(tour.Experiment()); err != nil {
		t.Error(err)
	}
	code, out, _ = demo(t, t.Context(), "tour", "-cached", "-cache", cells, "-out", filepath.Join(dir, "c"))
	if code != cli.ExitOK || strings.Contains(out, "cells,") || !strings.Contains(out, "PC-ALM") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// table reads a file of CSV.
func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestBenchmark_Interrupted: it says so, and that it goes on.
func TestBenchmark_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, out, _ := demo(t, ctx, "tour", "-cache", filepath.Join(t.TempDir(), "cells"), "-out", filepath.Join(t.TempDir(), "out"))
	if code != cli.ExitInterrupted || !strings.Contains(out, "goes on where it was") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestBenchmark_OwnTables: from flags and from a file.
func TestBenchmark_OwnTables(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "grid.json")
	if err := os.WriteFile(file, []byte(`{"title": "Mine", "data": ["xor"], "networks": ["mlp:4:tanh"], "rules": ["bp", "pc-errors"], "seeds": 2}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"-grid " + file, "Mine"},
		{"-rules bp,fixed -nets mlp:4:tanh -sets xor,moons -seeds 1 -limit 3", "moons/fixed"},
	} {
		code, out, stderr := demo(t, t.Context(), append(strings.Fields(c.args), "-cache=", "-out", filepath.Join(t.TempDir(), "out"))...)
		if code != cli.ExitOK || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d: %s%s", c.args, code, out, stderr)
		}
	}
}

// TestBenchmark_WrongOnesAreNamed: what is wrong, and what would be right.
func TestBenchmark_WrongOnesAreNamed(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"mpl", `unknown table "mpl": did you mean "mlp"?`},
		{"tour -only PC-AML", `unknown row "PC-AML": did you mean "PC-ALM"?`},
		{"-rules zill", `unknown rule "zill": did you mean "zil"?`},
		{"-rules redblack -nets mlp:4:tanh -sets moons", "the rules that fit, with their usual settings, are bp, pc"},
		{"tour -grid x", "give one of them"},
		{"-grid /nonexistent.json", "no such file"},
		{"-rules bp -record x", "-record is for named tables"},
		{"tour -seeds -1", "-seeds is -1"},
		{"tour -cached -cache=", "nothing of this table is kept"},
	} {
		code, out, stderr := demo(t, t.Context(), append(strings.Fields(c.args), "-out", filepath.Join(t.TempDir(), "out"))...)
		if code == cli.ExitOK || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s%s", c.args, code, out, stderr)
		}
	}
}

// TestBenchmark_Lists: tables without arguments, rows with -list.
func TestBenchmark_Lists(t *testing.T) {
	if code, out, _ := demo(t, t.Context()); code != cli.ExitOK || !strings.Contains(out, "mlp") || !strings.Contains(out, "kolenpollack") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, out, _ := demo(t, t.Context(), "mlp", "-list", "-only", "fashion/iPC"); code != cli.ExitOK || !strings.Contains(out, "0.799694") || !strings.Contains(out, "5 trainings") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestBenchmark_PageIsOfTheRecord: what is committed is what go generate would write, and every picture is there.
func TestBenchmark_PageIsOfTheRecord(t *testing.T) {
	tables, err := recordedTables()
	if err != nil {
		t.Fatal(err)
	}
	figures := pictures(tables)
	for _, list := range figures {
		for _, f := range list {
			if _, err := os.Stat(filepath.Join(docsDir, "figures", f.Name+".png")); err != nil {
				t.Error(err)
			}
		}
	}
	got, err := os.ReadFile(filepath.Join(docsDir, pageName))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != pageText(tables, figures) {
		t.Errorf("docs/%s is not of the record: run go generate ./experiments/...", pageName)
	}
}
