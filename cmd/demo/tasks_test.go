package main

import (
	"context"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// taskRuns are all tasks at a budget that only shows that they run, with the pictures that each draws.
var taskRuns = []struct {
	args     string
	pictures []string
}{
	{"classify -limit 2", []string{"curves.png", "digits.png", "energy.png"}},
	{"classify scratch -limit 2 -steps 3", []string{"curves.png", "digits.png", "energy.png"}},
	{"classify errors -limit 2 -steps 3", []string{"curves.png", "digits.png", "energy.png"}},
	{"classify deep -limit 2 -steps 2", []string{"curves.png", "digits.png", "energy.png"}},
	{"generate -limit 2 -steps 2", []string{"curves.png", "energy.png", "generated.png"}},
	{"generate -limit 1 -solver heun -time .005 -std .05", []string{"curves.png", "energy.png", "generated.png"}},
	{"latent -limit 2 -steps 2 -latents 3", []string{"curves.png", "energy.png", "reconstructed.png", "samples.png"}},
	{"complete -limit 2 -steps 2 -missing noise -hidden 20", []string{"completed.png", "curves.png"}},
	{"stream -limit 6 -steps 2 -frames 4 -units 12", []string{"curves.png", "stream.png"}},
	{"linear -limit 2 -time .2", []string{"approach.png", "curves.png", "theory.png"}},
	{"hybrid -limit 2 -steps 2", []string{"curves.png", "energy.png", "generated.png"}},
	{"bidirectional -limit 2", []string{"curves.png", "generated.png"}},
	{"landscape -updates 20", []string{"activity.png", "along.png", "chains.png", "escape.png", "weights.png"}},
}

// small are the flags that make any task on pictures small.
func small(args string) []string {
	fields := strings.Fields(args)
	if fields[0] != "landscape" {
		fields = append(fields, "-test", "16", "-batch", "8")
	}
	return fields
}

func TestTasks_WriteReportAndPictures(t *testing.T) {
	for _, c := range taskRuns {
		t.Run(c.args, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			code, _, stderr := demo(t, t.Context(), append(small(c.args), "-out", out)...)
			if code != cli.ExitOK {
				t.Fatalf("exit code %d, %s", code, stderr)
			}
			var pictures []string
			for _, name := range files(t, out) {
				if strings.HasSuffix(name, ".png") {
					pictures = append(pictures, name)
				}
			}
			if !slices.Equal(pictures, c.pictures) {
				t.Errorf("pictures %v, want %v", pictures, c.pictures)
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
			if page, err := os.ReadFile(filepath.Join(out, "report.html")); err != nil || strings.Count(string(page), "data:image/png") != len(c.pictures) {
				t.Errorf("the report does not show its pictures: %v", err)
			}
			if text, err := os.ReadFile(filepath.Join(out, "metrics.jsonl")); err == nil && (strings.Contains(string(text), "Infinity") || strings.Contains(string(text), "NaN")) {
				t.Errorf("numbers in metrics.jsonl are not finite: %.500s", text)
			}
			if m := manifestOf(t, out); m.Error != "" || m.State != cli.Done || m.Seed != 1 && !strings.HasPrefix(c.args, "landscape") || m.Interrupted {
				t.Errorf("manifest %+v", m)
			}
		})
	}
}

func TestTasks_WrongFlagsAreNamedAndExitWithTwo(t *testing.T) {
	for args, want := range map[string]string{
		"classify wide":                  "wide",
		"classify -limit -1":             "-limit is -1",
		"classify -lr -1":                "-lr is -1",
		"classify -solver newton":        "newton",
		"classify -tol nan":              "-tol is NaN",
		"classify -solver sgd -time 2":   "-time has no use with -solver sgd",
		"classify -solver heun -rate 2":  "-rate has no use with -solver heun",
		"classify -time 2 -steps 9":      "-time has no use with -solver sgd",
		"latent -tol 1 -steps 9":         "-tol has no use with -solver sgd",
		"classify -test 0":               "-test is 0",
		"classify -data cifar10":         "cifar10",
		"generate -time -1":              "-time is -1",
		"generate -std -1":               "-std is -1",
		"generate -rate nan":             "-rate is NaN",
		"latent -latents 0":              "-latents is 0",
		"latent -std 0":                  "-std is 0",
		"complete -missing half":         "half",
		"complete -hidden 0":             "-hidden is 0",
		"complete -latents -2":           "-latents is -2",
		"stream -frames 3":               "-frames is 3",
		"stream -units 0":                "-units is 0",
		"stream -turn 0":                 "-turn is 0",
		"linear -batch 0":                "-batch is 0",
		"hybrid -eval-every -1":          "-eval-every is -1",
		"bidirectional -back 0":          "-back is 0",
		"landscape -lr 2":                "-lr is 2",
		"landscape -w1 nan":              "-w1 is NaN",
		"landscape -updates 0":           "-updates is 0",
		"classify -steps -3":             "-steps is -3",
		"bidirectional -solver leapfrog": "leapfrog",
	} {
		if code, _, stderr := demo(t, t.Context(), strings.Fields(args)...); code != cli.ExitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d and %q, want 2 and a message with %q", args, code, stderr, want)
		}
	}
	if code, _, stderr := demo(t, t.Context(), append(small("classify errors -solver heun -limit 1"), "-out", t.TempDir())...); code != cli.ExitFailure || !strings.Contains(stderr, "-solver heun") {
		t.Errorf("errors by Heun's method: exit code %d and %q", code, stderr)
	}
}

// Every task ends in order when it is interrupted before its first update.
func TestTasks_InterruptedTheyReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{"classify", "generate", "latent", "complete", "stream", "linear", "hybrid", "bidirectional", "landscape"} {
		out := filepath.Join(t.TempDir(), "run")
		if code, _, stderr := demo(t, ctx, append(small(args), "-out", out)...); code != cli.ExitInterrupted {
			t.Errorf("%s: exit code %d (%s), want 130", args, code, stderr)
		}
		if m := manifestOf(t, out); !m.Interrupted || m.Error != "" {
			t.Errorf("%s: manifest %+v", args, m)
		}
	}
}
