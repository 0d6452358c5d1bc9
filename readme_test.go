package pcgraph_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestREADME_ProgramRuns runs the program that the README prints and reads its accuracy.
func TestREADME_ProgramRuns(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(text), "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !found || !closed {
		t.Fatal("the README has no Go program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`test accuracy ([0-9.]+),.*error <nil>`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("unexpected output: %s", out)
	}
	if acc, _ := strconv.ParseFloat(string(m[1]), 64); acc < 0.95 {
		t.Errorf("accuracy %v on moons, want .95: %s", acc, out)
	}
}
