package claims

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/experiments/claim"
	"github.com/pcgraph/pcgraph/report"
)

// docsDir is where CLAIMS.md is.
var docsDir = filepath.Join("..", "..", "..", "..", "docs")

// recordOnce reads and judges the record for several tests.
var recordOnce = sync.OnceValues(func() ([]recorded, error) { return recordedClaims(everyClaim()) })

func init() { report.DPI = 48 } // no test looks at the pixels

// demo runs a command line in this process.
func demo(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	var commands struct {
		Claims ListCmd   `cmd:""`
		Run    RunCmd    `cmd:""`
		Verify VerifyCmd `cmd:""`
	}
	code = cli.Main(&cli.Console{Context: t.Context(), Out: &out}, &commands, "", args, &errs)
	return code, out.String(), errs.String()
}

// TestClaims_PageIsOfTheRecord: what is committed is what go generate would write, and every picture is there.
func TestClaims_PageIsOfTheRecord(t *testing.T) {
	claims, err := recordOnce()
	if err != nil {
		t.Fatal(err)
	}
	figures := make(map[string][]claim.Figure)
	names := map[string]string{}
	for _, r := range claims {
		if r.table == nil || r.Plot == nil {
			continue
		}
		figures[r.ID] = r.Plot(*r.table)
		for _, f := range figures[r.ID] {
			if other := names[f.Name]; other != "" {
				t.Errorf("%s and %s both draw %s", r.ID, other, f.Name)
			}
			names[f.Name] = r.ID
			if _, err := os.Stat(filepath.Join(docsDir, "figures", f.Name+".png")); err != nil {
				t.Error(err)
			}
		}
	}
	got, err := readClaims(docsDir)
	if err != nil {
		t.Fatal(err)
	}
	if want := claimsPage(claims, figures); got != want {
		t.Error("docs/CLAIMS.md is not of the record: run go generate ./experiments/...")
	}
}

// TestClaims_RecordedVerdictsAreThoseOfTheRecord: a verdict in the code is what the full measurements say.
func TestClaims_RecordedVerdictsAreThoseOfTheRecord(t *testing.T) {
	claims, err := recordOnce()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range claims {
		if r.table != nil && r.table.Complete() && r.outcome.Verdict != r.Verdict {
			t.Errorf("%s: the record says that it %s, the code that it %s: %s", r.ID, r.outcome.Verdict, r.Verdict, r.outcome.Reason)
		}
	}
}

func TestClaims_List(t *testing.T) {
	code, out, _ := demo(t, "claims", "-long")
	if code != cli.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, c := range everyClaim() {
		if !strings.Contains(out, c.ID) || !strings.Contains(out, c.Statement) || !strings.Contains(out, c.Paper) {
			t.Errorf("%s is not in the list, or not whole", c.ID)
		}
	}
	for _, v := range claim.Verdicts {
		if !strings.Contains(out, v.Meaning()) {
			t.Errorf("the list does not say what %q means", v)
		}
	}
	if n := strings.Count(claimsIntro, "```"); n != 0 {
		t.Errorf("%d fences in the introduction, whose blocks are indented", n)
	}
}

// halved is a claim on a tiny experiment: x/2 is drawn against x.
func halved(want float64) claim.Claim {
	type cell struct {
		X    float64 `json:"x"`
		Seed int     `json:"seed"`
	}
	return claim.Claim{
		ID: "test/half", Source: "here", Statement: "It is half.", Paper: "half",
		Bounds: []claim.Bound{{Text: "x/2", Origin: claim.Derived, Note: "by halving"}},
		Grid: claim.Grid("test/half", 1, func(claim.Scale) []cell { return []cell{{1, 1}, {1, 2}, {10, 1}, {10, 2}} },
			func(_ context.Context, c cell, _ *claim.Cell) (float64, error) { return c.X / 2, nil }),
		Check: func(t claim.Table) (string, error) {
			for _, r := range claim.Rows[cell, float64](t) {
				if r.Result != want*r.Params.X {
					return "half", errors.Errorf("x=%g: %g", r.Params.X, r.Result)
				}
			}
			return "half", nil
		},
	}
}

func TestVerify_FailsIfAClaimComesOutOtherwise(t *testing.T) {
	var out bytes.Buffer
	c := &cli.Console{Context: t.Context(), Out: &out, Errs: &out}
	if err := (VerifyCmd{}).verify(c, []claim.Claim{halved(.5)}); err != nil || !strings.Contains(out.String(), "ok    test/half") {
		t.Errorf("error %v:\n%s", err, &out)
	}
	err := (VerifyCmd{}).verify(c, []claim.Claim{halved(.25)})
	if err == nil || !strings.Contains(err.Error(), "1 claims do not come out as recorded: test/half") || !strings.Contains(out.String(), "NEWS  test/half") {
		t.Errorf("error %v:\n%s", err, &out)
	}
	wrong := halved(.25)
	wrong.Verdict, wrong.Care = claim.Fails, claim.Constant("It is a quarter.")
	if err := (VerifyCmd{}).verify(c, []claim.Claim{wrong}); err != nil {
		t.Errorf("a claim that fails as recorded is reported: %v", err)
	}
}

func TestRun_UnknownClaimsAreNamed(t *testing.T) {
	code, _, stderr := demo(t, "run", "limits/everything")
	if code != cli.ExitUsage || !strings.Contains(stderr, `unknown claim "limits/everything"`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestRun_WritesAFolder: a real claim, quickly: tables, pictures, manifest, record; and nothing is measured again.
func TestRun_WritesAFolder(t *testing.T) {
	dir := t.TempDir()
	args := []string{"run", "thesis/faster-only-from-saddles", "-cache", filepath.Join(dir, "cells"), "-record", filepath.Join(dir, "record"), "-out"}
	code, out, stderr := demo(t, append(args, filepath.Join(dir, "a"))...)
	if code != cli.ExitOK || !strings.Contains(out, "thesis/faster-only-from-saddles: holds with care") {
		t.Fatalf("exit code %d: %s\n%s", code, out, stderr)
	}
	for _, name := range []string{"a/report.html", "a/metrics.jsonl", "a/thesis-races.png", "a/manifest.json", "record/thesis/races.quick.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is not there", name)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "a", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Results map[string]struct{ Verdict claim.Verdict }
		Options struct{ Claims []string }
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Results["thesis/faster-only-from-saddles"].Verdict != claim.WithCare || len(m.Options.Claims) != 1 {
		t.Errorf("manifest: %v: %s", err, text)
	}
	_, out, _ = demo(t, append(args, filepath.Join(dir, "b"))...)
	if !strings.Contains(out, "18 cells, 18 of them kept by an earlier run") {
		t.Errorf("measured again:\n%s", out)
	}
}

func TestRun_CacheThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "occupied")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := demo(t, "run", "jpc/orders", "-cache", file, "-out", filepath.Join(t.TempDir(), "out"))
	if code != cli.ExitFailure || !strings.Contains(stderr, "another folder with -cache") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestIllustration_DrawsWhatThereIs: lines with bands and gaps, points, logarithmic and given axes, maps with gaps and contours.
func TestIllustration_DrawsWhatThereIs(t *testing.T) {
	x := []float64{1, 2, 4, 8}
	f := claim.Figure{Name: "all", Caption: "all", Panels: []claim.Panel{
		{X: claim.Axis{Label: "x", Log: true}, Y: claim.Axis{Label: "y", Log: true}, Lines: []claim.Line{
			{Name: "a", X: x, Y: []float64{1, math.NaN(), 0, 3}, Low: []float64{.5, math.NaN(), -1, 2}, High: []float64{2, math.NaN(), 1, 4}},
			{Name: "b", X: x, Y: []float64{math.NaN(), math.NaN(), -1, 0}},
			{X: x, Y: x, Reference: true}}},
		{X: claim.Axis{Label: "x"}, Y: claim.Axis{Label: "y", Min: -1, Max: 1}, Lines: []claim.Line{{Name: "c", X: x, Y: x, NoLine: true}}},
		{X: claim.Axis{Label: "x"}, Y: claim.Axis{Label: "y"}, Map: &claim.Map{Columns: []string{"1", "2"}, Rows: []string{"1", "2"},
			Values: [][]float64{{1, 2}, {3, 4}}, Levels: []float64{2.5}}},
		{X: claim.Axis{Label: "x"}, Y: claim.Axis{Label: "y"}, Map: &claim.Map{High: 1, Columns: []string{"1", "2"}, Rows: []string{"1"},
			Values: [][]float64{{math.NaN(), .5}}}},
	}}
	picture, err := Illustration(f)()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if n, err := picture.WriteTo(&buf); err != nil || n < 1000 {
		t.Errorf("%d bytes: %v", n, err)
	}
}

func TestNeat_TicksAreRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 50, "0 10 20 30 40 50"},
		{0, 1.02, "0 0.2 0.4 0.6 0.8 1"},
		{-.4, 1.02, "-0.4 -0.2 0 0.2 0.4 0.6 0.8 1"},
		{93, 97, "93 94 95 96 97"},
		{0, 4000, "0 1000 2000 3000 4000"},
	} {
		var labels []string
		for _, tick := range (neat{}).Ticks(c.lo, c.hi) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%g to %g: %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
}
