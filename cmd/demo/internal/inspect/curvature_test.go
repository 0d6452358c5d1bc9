package inspect

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// curvatureOf runs the command as main does.
func curvatureOf(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	commands := new(struct {
		Curvature CurvatureCmd `cmd:""`
	})
	code = cli.Main(&cli.Console{Context: t.Context(), Out: &out}, commands, "", append([]string{"curvature"}, args...), io.Writer(&errs))
	return code, out.String(), errs.String()
}

// TestCurvature_OriginIsFlatForBackpropAndStrictForPC: oracle: theorem 2 of arXiv 2408.11979; one-hot targets of two classes in even
// shares have S_yy with the largest eigenvalue 1/2.
func TestCurvature_OriginIsFlatForBackpropAndStrictForPC(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, out, errs := curvatureOf(t, "-data", "moons", "-widths", "2,4,4,2", "-act", "tanh", "-no-bias", "-at", "origin", "-out", dir)
	if code != cli.ExitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"PC  strict saddle", "BP  flat", "eigenvalues from -0.5"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, file := range []string{"escape.png", "spectrum.png", "report.html", "manifest.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
}

// TestCurvature_AlongATraining looks where the escape goes.
func TestCurvature_AlongATraining(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, out, errs := curvatureOf(t, "-data", "moons", "-widths", "2,4,2", "-act", "tanh", "-scale", ".1", "-updates", "4", "-looks", "3", "-batch", "8", "-out", dir)
	if code != cli.ExitOK || !strings.Contains(out, "update 2") || !strings.Contains(out, "update 4") {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "training.png")); err != nil {
		t.Error(err)
	}
}

// TestCurvature_SaysWhatIsWrong: each refusal says what to do.
func TestCurvature_SaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-scale -1", "want a number from 0"},
		{"-at origin -scale .5", "-scale has no use with -at origin"},
		{"nowhere", "give the folder of a run"},
		{"nowhere -widths 2,3,2", "-widths has no use with a saved run"},
		{"-data moons -dir d", "-dir has no use"},
	} {
		code, _, errs := curvatureOf(t, strings.Fields(c.args)...)
		if code == cli.ExitOK || !strings.Contains(errs, c.want) {
			t.Errorf("curvature %s: exit code %d, %q, want %q", c.args, code, errs, c.want)
		}
	}
}
