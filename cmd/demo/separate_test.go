package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data/signal"
)

// TestREADME_SeparatingCommandsRun runs the commands of the README's section, with fewer samples, on the mixtures that the first one makes.
func TestREADME_SeparatingCommandsRun(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	_, section, _ := strings.Cut(string(text), "## Separating mixtures\n")
	section, _, _ = strings.Cut(section, "\n## ")
	commands := regexp.MustCompile(`(?m)^    go run \./cmd/demo (.*?)(?: < (\S+))?(?: +#.*)?$`).FindAllStringSubmatch(section, -1)
	if len(commands) != 3 {
		t.Fatalf("the README's section has %d commands, want 3", len(commands))
	}
	for i, c := range commands {
		args := append(strings.Fields(c[1]), "-samples", "3000", "-restarts", "1")
		var out, errs bytes.Buffer
		console := &cli.Console{Context: t.Context(), Out: &out}
		if c[2] != "" {
			frames, err := os.ReadFile(c[2])
			if err != nil {
				t.Fatal(err)
			}
			console.In = bytes.NewReader(frames)
		}
		if code := onConsole(console, args, &errs); code != cli.ExitOK || !strings.Contains(out.String(), "Report: ") {
			t.Errorf("%s: exit code %d, %s%s", c[1], code, out.String(), errs.String())
		}
		if i > 0 {
			continue
		}
		mixtures, err := os.ReadFile(filepath.Join("tour", "sound-mixtures.wav"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := signal.Read(filepath.Join("tour", "sound-mixtures.wav"))
		if err != nil {
			t.Fatal(err)
		}
		frames := mixtures[len(mixtures)-2*len(s.Values):] // 16-bit samples end the file
		for name, text := range map[string][]byte{"mix.wav": mixtures, "mix.raw": frames} {
			if err := os.WriteFile(name, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
