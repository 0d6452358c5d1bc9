package main

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/inspect"
	"github.com/pcgraph/pcgraph/train/analysis"
)

func TestCoordcheck_HoldsTablesPicturesAndVerdicts(t *testing.T) {
	for _, c := range []struct {
		args     string
		pictures []string
		lines    int // scalings x (sizes x seeds) x (updates+1) x places, and all but the output where inference ends
	}{
		{"-widths 16,64 -depths 2,4 -width 8 -depth 2 -updates 2 -seeds 2 -batch 8", []string{"depth.png", "width.png"}, 4 * (4 + 4) * 3 * 7},
		{"-arch transformer -widths 8,16 -depths 0 -depth 1 -updates 1 -seeds 1 -batch 2 -steps 3 -scalings mupc -optim sgd", []string{"width.png"}, 2 * 2 * 7},
		{"-arch resnet -widths 0 -depths 1,2 -width 2 -updates 1 -seeds 1 -batch 2 -steps 3 -scalings sp,mup -loss ce", []string{"depth.png"}, 2 * 2 * 2 * 7},
		{"-arch cnn -widths 2,4 -updates 1 -seeds 1 -batch 2 -scalings ntp -bp", []string{"width.png"}, 2 * 2 * 4},
	} {
		t.Run(c.args, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			code, stdout, stderr := demo(t, t.Context(), append(strings.Fields("coordcheck -out "+out), strings.Fields(c.args)...)...)
			if code != cli.ExitOK || !strings.Contains(stdout, "Exponents over") || !strings.Contains(stdout, "verdict") {
				t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
			}
			want := append([]string{"manifest.json", "metrics.jsonl", "report.html"}, c.pictures...)
			slices.Sort(want)
			if got := files(t, out); !slices.Equal(got, want) {
				t.Errorf("files %v, want %v", got, want)
			}
			if got := len(metrics(t, out)); got != c.lines {
				t.Errorf("%d measurements, want %d", got, c.lines)
			}
		})
	}
}

// TestCoordcheck_VerdictsOfTheDefaults: at quick sizes, as in the library's test.
func TestCoordcheck_VerdictsOfTheDefaults(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	code, _, stderr := demo(t, t.Context(), strings.Fields("coordcheck -widths 64,128,256 -depths 0 -depth 3 -out "+out)...)
	if code != cli.ExitOK {
		t.Fatal(stderr)
	}
	var m cli.Manifest
	text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for scaling, want := range map[string]string{"sp": "grows", "mupc-adam": "flat", "completep": "flat"} {
		if got := m.Results[scaling+" over width"]; got != want {
			t.Errorf("%s: %v, want %s", scaling, got, want)
		}
	}
}

func TestCoordcheck_RefusesWrongFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-widths 64":            "one size has no slope",
		"-widths 0,64":          "size 0: want 1..",
		"-depths -3,4":          "size -3",
		"-arch rnn":             `unknown architecture "rnn"`,
		"-optim lion":           `unknown optimiser "lion"`,
		"-scalings sp,xavier":   `unknown scaling "xavier"`,
		"-band 0":               "-band is 0",
		"-updates 0":            "-updates is 0",
		"-lr -1":                "-lr is -1",
		"-steps 0":              "-steps is 0",
		"-widths 8,9000":        "size 9000",
		"-seeds 0":              "-seeds is 0",
		"-batch 0 -widths 8,16": "-batch is 0",
	} {
		code, _, stderr := demo(t, t.Context(), append([]string{"coordcheck"}, strings.Fields(args)...)...)
		if code != cli.ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, stderr, want)
		}
	}
}

func TestCoordcheck_InterruptedWritesWhatThereIs(t *testing.T) {
	for _, at := range []string{"", "sp over depth"} {
		ctx, cancel := context.WithCancel(t.Context())
		w := &cancelAt{text: at, cancel: cancel}
		if at == "" {
			cancel()
		}
		out := filepath.Join(t.TempDir(), "run")
		code := onConsole(&cli.Console{Context: ctx, Out: w}, strings.Fields("coordcheck -widths 8,16 -depths 2,3 -width 8 -depth 2 -updates 1 -seeds 1 -steps 2 -out "+out), io.Discard)
		if code != cli.ExitInterrupted || !slices.Contains(files(t, out), "report.html") || at != "" && !slices.Contains(files(t, out), "width.png") {
			t.Errorf("cancelled at %q: exit code %d, files %v", at, code, files(t, out))
		}
	}
}

// TestCoordcheck_OneProgressForAll: the lines of progress are of the whole check, at most ten of them, rising to 100 %.
func TestCoordcheck_OneProgressForAll(t *testing.T) {
	code, stdout, stderr := demo(t, t.Context(), strings.Fields("coordcheck -widths 8,16 -depths 2,3 -width 8 -depth 2 -updates 2 -seeds 2 -steps 2 -out "+filepath.Join(t.TempDir(), "run"))...)
	if code != cli.ExitOK {
		t.Fatal(stderr)
	}
	var percents []int
	for _, line := range strings.Split(stdout, "\n") {
		_, rest, ok := strings.Cut(line, ", %")
		if !ok {
			continue
		}
		percent, _, _ := strings.Cut(strings.TrimSpace(rest), "/")
		n, err := strconv.Atoi(percent)
		if err != nil || !strings.Contains(rest, "/100  ETA ") {
			t.Fatalf("%q: %v", line, err)
		}
		percents = append(percents, n)
	}
	if len(percents) == 0 || len(percents) > 10 || !slices.IsSorted(percents) || percents[len(percents)-1] != 100 {
		t.Errorf("progress %v: want at most ten lines, rising to 100", percents)
	}
}

// TestCoordcheck_VerdictSaysWhatCounts: the output's activity is in brackets and does not count, its change does; the verdict
// names what it is of; a row without a single exponent has none.
func TestCoordcheck_VerdictSaysWhatCounts(t *testing.T) {
	e := func(v float64) analysis.Exponent { return analysis.Exponent{Mean: v, Low: v, High: v} }
	nan := analysis.Exponent{Mean: math.NaN(), Low: math.NaN(), High: math.NaN()}
	w := &inspect.ScalingCheck{Scaling: "mupc", Over: "width", Slopes: []analysis.Slope{
		{Place: analysis.FirstHidden, Activity: e(.1), Change: e(-.1)}, {Place: analysis.FirstHidden, Relaxed: true, Activity: e(.6), Change: e(.3)},
		{Place: analysis.MiddleHidden, Activity: e(0), Change: e(-.5)},
		{Place: analysis.LastHidden, Activity: nan, Change: nan},
		{Place: analysis.AtOutput, Activity: e(-.49), Change: e(.01)}}}
	rows := inspect.CoordCmd{Band: .2}.Table([]*inspect.ScalingCheck{w}).Rows
	var got []string
	for _, row := range rows {
		got = append(got, row[2]+" "+row[6])
	}
	if want := []string{"0.10 grows: activity, relaxed", "0.00 shrinks: change", "- -", "[-0.49] flat"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
