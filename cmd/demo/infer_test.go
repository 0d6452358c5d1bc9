package main

import (
	"encoding/json"
	"html"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/inspect"
)

// TestInfer_FindsTheEquilibriumOfTheLinearTheory: on a linear network with biases and a precision the energy that the sweep
// calls the equilibrium is the closed form's, Gauss-Newton is there after one step, no solver gets below, and the flows' energies
// fall the more, the longer they run.
func TestInfer_FindsTheEquilibriumOfTheLinearTheory(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := demo(t, t.Context(), strings.Fields("infer -data moons -widths 2,8,8,2 -act linear -precision 3 -evals 150 -batch 16 -clock 1ms -out "+out)...)
	if code != cli.ExitOK {
		t.Fatal(stderr)
	}
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	_, off, told := strings.Cut(string(page), "The linear theory has ")
	_, off, _ = strings.Cut(off, "off by ")
	off, _, _ = strings.Cut(off, ".</p>")
	excess, err := strconv.ParseFloat(html.UnescapeString(off), 64)
	if !told || err != nil || math.Abs(excess) > 1e-10 {
		t.Errorf("off the linear theory by %q, error %v", off, err)
	}
	exact := false
	for _, l := range metrics(t, out) {
		gap := l["gap"].(float64)
		if gap < -1e-10 {
			t.Errorf("below the equilibrium: %v", l)
		}
		exact = exact || l["way"] == "Gauss-Newton on errors" && l["step"] == 1. && math.Abs(gap) < 1e-10
	}
	if !exact {
		t.Error("Gauss-Newton is not exact")
	}
	if !strings.Contains(stdout, "fastest to a weight gradient within 0.1 %") {
		t.Errorf("no advice: %s", stdout)
	}
}

// TestTrain_ReportsHowInferenceEnded: fractions, residual and evaluations in the manifest, the excess energy of a linear
// network in the table, and a warning that says what to change; a long inference is not warned of.
func TestTrain_ReportsHowInferenceEnded(t *testing.T) {
	for _, c := range []struct {
		args  string
		warns bool
	}{
		{"-steps 4 -rate .01", true}, {"-steps 300 -rate .4", false},
	} {
		out := filepath.Join(t.TempDir(), "run")
		code, stdout, stderr := demo(t, t.Context(), strings.Fields("train -data moons -widths 2,6,6,2 -act linear -limit 5 "+c.args+" -out "+out)...)
		if code != cli.ExitOK {
			t.Fatal(stderr)
		}
		if got := strings.Contains(strings.Join(strings.Fields(stdout), " "), "closer to equilibrium: more -steps, a higher -rate"); got != c.warns {
			t.Errorf("%s: warned %v: %s", c.args, got, stdout)
		}
		var m struct {
			Results map[string]struct {
				Ended map[string]float64 `json:"ended"`
				Far   int                `json:"far"`
				Evals int                `json:"evaluations"`
			} `json:"results"`
		}
		text, err := os.ReadFile(filepath.Join(out, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(text, &m) // other results have other shapes
		r := m.Results["PC inference"]
		if r.Ended["step limit"] != 1 || (r.Far == 5) != c.warns || r.Evals == 0 {
			t.Errorf("%s: %+v", c.args, r)
		}
		if !strings.Contains(stdout, "F/F* - 1") || !strings.Contains(stdout, "100 %") {
			t.Errorf("%s: %s", c.args, stdout)
		}
	}
}

// TestFastest_RanksMediansOfSeveralRuns: a solver that ran once is not ranked.
func TestFastest_RanksMediansOfSeveralRuns(t *testing.T) {
	at := func(seconds float64) []inspect.Evaluation {
		return []inspect.Evaluation{{Evals: 5, Seconds: seconds, Off: 1e-4}}
	}
	runs := []inspect.SolverRun{{Name: "once", Runs: 1, Path: at(1e-3)}, {Name: "thrice", Runs: 3, Path: at(2e-3)}}
	for off, text := range inspect.Fastest(runs) {
		if !strings.HasPrefix(text, "thrice") {
			t.Errorf("%s: %s", off, text)
		}
	}
	if got := inspect.Fastest(runs[:1]); len(got) != 0 {
		t.Errorf("%v ranked after one run", got)
	}
}
