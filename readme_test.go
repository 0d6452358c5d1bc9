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

// TestREADME_OwnDataRuns gives the Go of the section on a user's own data the files and slices that it speaks of.
func TestREADME_OwnDataRuns(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Your own data\n")
	_, code, found := strings.Cut(section, "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !found || !closed {
		t.Fatal("the README's section on own data has no Go")
	}
	program := `package main

import (
	"fmt"

	"github.com/pcgraph/pcgraph/data"
)

func main() {
	x, labels := [][]float64{{0, 1}, {1, 0}, {1, 1}, {0, 0}, {2, 1}}, []int{0, 1, 1, 0, 1}
` + strings.ReplaceAll(strings.TrimSpace(code), ".Load()", ".Load()\n\tfmt.Println(set.Len(), test.Len(), set.Classes(), err)") + "\n}\n"
	program = strings.ReplaceAll(strings.ReplaceAll(program, "mine.npz", "data/testdata/mine.npz"), "iris.csv", "data/testdata/irises.csv")
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).CombinedOutput()
	if want := "12 6 3 <nil>\n4 1 3 <nil>\n4 1 2 <nil>\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s, want\n%s", err, out, want)
	}
}

// TestREADME_SavingRuns puts the Go of the section on saved networks behind the complete program's.
func TestREADME_SavingRuns(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(text), "```go\n")
	program, _, _ = strings.Cut(program, "```")
	_, section, _ := strings.Cut(string(text), "## Saved networks, and trainings that go on\n")
	_, code, found := strings.Cut(section, "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !found || !closed {
		t.Fatal("the README's section on saved networks has no Go")
	}
	before, _, _ := strings.Cut(program, "\thistory, err :=")
	folder := t.TempDir()
	code = strings.TrimSpace(code)
	for _, name := range []string{"moons", "kept"} {
		code = strings.ReplaceAll(code, strconv.Quote(name+".safetensors"), strconv.Quote(filepath.Join(folder, name+".safetensors")))
	}
	file := filepath.Join(folder, "main.go")
	if err := os.WriteFile(file, []byte(before+code+"\n\tfmt.Println(history.Steps, len(weights.Data()), err)\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).CombinedOutput()
	if want := "640 1218 <nil>\n"; err != nil || string(out) != want { // 32 batches, 20 epochs; 2*32+32 + 32*32+32 + 32*2+2 weights
		t.Errorf("%v\n%s, want\n%s", err, out, want)
	}
	for _, name := range []string{"moons", "kept"} {
		if _, err := os.Stat(filepath.Join(folder, name+".safetensors")); err != nil {
			t.Error(err)
		}
	}
}
