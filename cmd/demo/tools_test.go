package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// TestConfig_DoesWhatARunDid: the same files but for times, flags of the line win, and what cannot be is said.
func TestConfig_DoesWhatARunDid(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, args := range [][]string{
		{"toy", "moons", "-epochs", "2", "-batch=50", "-seed", "7", "-out", at("first")},
		{"-config", at("first"), "-out", at("again")},
		{"toy", "-config=" + filepath.Join(at("first"), cli.ManifestName), "-epochs", "1", "xor", "-out", at("other")},
	} {
		if code, _, stderr := demo(t, t.Context(), args...); code != cli.ExitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	if code, out, _ := demo(t, t.Context(), "diff", at("first"), at("again")); code != cli.ExitOK || !strings.Contains(out, "The runs are alike") {
		t.Errorf("exit code %d: %s", code, out)
	}
	_, out, _ := demo(t, t.Context(), "diff", at("first"), at("other"))
	for _, want := range []string{"options.epochs", "-50 %", "options.task", "moons", "xor", "results.PC.test.accuracy"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if strings.Contains(out, "options.batch") || strings.Contains(out, "seed") {
		t.Errorf("batch and seed are those of the first run: %s", out)
	}
	if err := os.WriteFile(at("no.json"), []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("old.json"), []byte(`{"command": "toy", "again": "demo toy"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-config":                            "name the manifest.json",
		"-config " + at("none"):              "no such file",
		"-config " + at("no.json"):           "no manifest",
		"-config " + at("old.json"):          `"again"`,
		"train -config " + at("first"):       `of a run of "demo toy"`,
		"-config " + at("first") + " -lr -1": "-lr is -1",
	} {
		if code, _, stderr := demo(t, t.Context(), strings.Fields(args)...); code != cli.ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, stderr, want)
		}
	}
	if code, _, stderr := demo(t, t.Context(), "diff", at("first"), at("no.json")); code != cli.ExitFailure || !strings.Contains(stderr, "no manifest") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestDoctor_SaysWhatIsThereAndWhatIsNot(t *testing.T) {
	code, out, _ := demo(t, t.Context(), "doctor", "-dir", t.TempDir())
	for _, want := range []string{"kernels", "cores", "GFLOP/s", "MB/s", "ok    MNIST"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	if code, out, stderr := demo(t, t.Context(), "doctor", "-dir", filepath.Join(t.TempDir(), "none")); code != cli.ExitFailure || !strings.Contains(out, "BAD   writing") {
		t.Errorf("exit code %d: %s%s", code, out, stderr)
	}
}

// TestCompletion_CompletesInBash: words of the real shell, where it is there.
func TestCompletion_CompletesInBash(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, script, stderr := demo(t, t.Context(), "completion", shell)
		if code != cli.ExitOK || !strings.Contains(script, "coordcheck") || !strings.Contains(script, "eval-every") {
			t.Errorf("%s: exit code %d, %s", shell, code, stderr)
		}
		if shell != "bash" {
			continue
		}
		path, err := exec.LookPath("bash")
		if err != nil {
			t.Log("no bash here")
			continue
		}
		for line, want := range map[string]string{"demo tr": "train", "demo train -eval": "-eval-every", "demo toy sp": "", "demo completion -": "-help"} {
			words := strings.Fields(line)
			cmd := exec.Command(path, "-c", script+"\nCOMP_WORDS=("+line+"); COMP_CWORD="+string(rune('0'+len(words)-1))+"; _demo; echo \"${COMPREPLY[@]}\"")
			cmd.Dir = t.TempDir()
			got, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%s: %q, %v, want %q", line, got, err, want)
			}
		}
	}
	if code, _, _ := demo(t, t.Context(), "completion", "tcsh"); code != cli.ExitUsage {
		t.Errorf("exit code %d", code)
	}
}
