package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// process is the command with its arguments, in a folder of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// startUntil starts it and waits until it has written metrics.jsonl.
func startUntil(t *testing.T, cmd *exec.Cmd, out string) *bytes.Buffer {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		if info, err := os.Stat(filepath.Join(out, cli.MetricsName)); err == nil && info.Size() > 0 {
			return &said
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("no metrics after a minute: %s", said.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestProcess_ExitCodes(t *testing.T) {
	for args, want := range map[string]int{"-version": cli.ExitOK, "toy xor -limit 3": cli.ExitOK, "-rate -1": cli.ExitUsage, "train -window 3": cli.ExitUsage,
		"compare -data sine -loss ce": cli.ExitFailure, "compare -data moons -rate 5 -steps 100": cli.ExitDiverged} {
		cmd := process(t, strings.Fields(args)...)
		text, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("demo %s: exit code %d, want %d: %s", args, got, want, text)
		}
	}
}

// TestProcess_SignalsEndARunInOrder: interrupted, terminated or cut off from its terminal, it writes what there is; where SIGHUP is
// ignored, as under nohup, it goes on.
func TestProcess_SignalsEndARunInOrder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no signals to send")
	}
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	if signal.Ignored(syscall.SIGHUP) { // these tests run under nohup, and so do the programs that they start
		signals = signals[:2]
	}
	for _, s := range signals {
		out := filepath.Join(t.TempDir(), "run")
		cmd := process(t, "toy", "moons", "-epochs", "100000", "-out", out)
		said := startUntil(t, cmd, out)
		cmd.Process.Signal(s)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != cli.ExitInterrupted {
			t.Errorf("after %v: exit code %d, want 130: %s", s, got, said.String())
		}
		if names := files(t, out); !slices.Contains(names, "report.html") || slices.Contains(names, cli.LockName) || manifestOf(t, out).State != cli.Interrupted {
			t.Errorf("after %v: files %v, state %s", s, names, manifestOf(t, out).State)
		}
	}
	out := filepath.Join(t.TempDir(), "run")
	demo := process(t, "toy", "moons", "-epochs", "40", "-out", out)
	cmd := exec.Command("sh", append([]string{"-c", `trap "" HUP; exec "$0" "$@"`}, demo.Args...)...)
	cmd.Dir = demo.Dir
	cmd.Env = demo.Env
	said := startUntil(t, cmd, out)
	cmd.Process.Signal(syscall.SIGHUP)
	if err := cmd.Wait(); err != nil || manifestOf(t, out).State != cli.Done {
		t.Errorf("SIGHUP ignored: %v, state %s: %s", err, manifestOf(t, out).State, said.String())
	}
}

// TestProcess_AReaderThatGoesAwayEndsARunInOrder, as head does.
func TestProcess_AReaderThatGoesAwayEndsARunInOrder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("pipes end otherwise")
	}
	out := filepath.Join(t.TempDir(), "run")
	cmd := process(t, "toy", "moons", "-epochs", "100000", "-out", out)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	io.ReadFull(pipe, make([]byte, 20))
	pipe.Close()
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != cli.ExitInterrupted || !slices.Contains(files(t, out), "report.html") {
		t.Errorf("exit code %d, files %v", got, files(t, out))
	}
}

// TestProcess_Killed: what was measured stands under its name in whole lines, the manifest says what was going on, eval says what
// happened, the folder is not taken for an empty one, and replacing the run leaves nothing of it.
func TestProcess_Killed(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	cmd := process(t, "train", "-data", "moons", "-epochs", "100000", "-out", out)
	startUntil(t, cmd, out)
	cmd.Process.Kill()
	cmd.Wait()
	text, err := os.ReadFile(filepath.Join(out, cli.MetricsName))
	if err != nil || len(text) == 0 {
		t.Fatalf("metrics: %v", err)
	}
	for line := range bytes.Lines(text) {
		if !json.Valid(line) || line[len(line)-1] != '\n' {
			t.Errorf("half a line: %q", line)
		}
	}
	if m := manifestOf(t, out); m.State != cli.Running || m.Command != "train-moons" {
		t.Errorf("the manifest says %+v", m)
	}
	if code, _, stderr := demo(t, t.Context(), "eval", out); code != cli.ExitFailure || !strings.Contains(stderr, "was killed") {
		t.Errorf("eval: exit code %d, %s", code, stderr)
	}
	again := []string{"train", "-data", "moons", "-limit", "2", "-no-compare", "-out", out}
	if code, _, stderr := demo(t, t.Context(), again...); code != cli.ExitFailure || !strings.Contains(stderr, "killed") || !strings.Contains(stderr, "-overwrite") {
		t.Errorf("again: exit code %d, %s", code, stderr)
	}
	if code, _, stderr := demo(t, t.Context(), append(again, "-overwrite")...); code != cli.ExitOK {
		t.Errorf("-overwrite: exit code %d, %s", code, stderr)
	}
	if got, want := files(t, out), []string{"bp.safetensors", "curves.png", "manifest.json", "metrics.jsonl", "pc.safetensors", "report.html"}; !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// TestProcess_TwoInOneFolder: the second one is refused, says who is there, and changes nothing.
func TestProcess_TwoInOneFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	cmd := process(t, "toy", "moons", "-epochs", "40", "-out", out)
	said := startUntil(t, cmd, out)
	for _, more := range [][]string{nil, {"-overwrite"}} {
		code, _, stderr := demo(t, t.Context(), append([]string{"toy", "moons", "-seed", "2", "-limit", "2", "-out", out}, more...)...)
		if code != cli.ExitFailure || !strings.Contains(stderr, "in use by process") {
			t.Errorf("exit code %d, %s", code, stderr)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if m := manifestOf(t, out); m.Seed != 1 || m.State != cli.Done {
		t.Errorf("the manifest says %+v", m)
	}
}

// TestRun_InterruptedKeepsCells interrupts a real process by the signal of Ctrl-C.
func TestRun_InterruptedKeepsCells(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such signal")
	}
	dir := t.TempDir()
	cells := filepath.Join(dir, "cells")
	kept := func() int {
		files, err := filepath.Glob(filepath.Join(cells, "thesis", "races", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	var out bytes.Buffer
	cmd := process(t, "run", "thesis", "-full", "-cores", "1", "-cache", cells, "-out", filepath.Join(dir, "run"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); kept() < 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			cmd.Process.Kill()
			t.Fatalf("no cell in a minute:\n%s", &out)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != cli.ExitInterrupted {
		t.Errorf("ended with %v, want exit code %d:\n%s", err, cli.ExitInterrupted, &out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "run", "manifest.json"))
	if err != nil || !bytes.Contains(text, []byte(`"interrupted": true`)) {
		t.Errorf("manifest: %v: %s", err, text)
	}
	if n := kept(); n == 0 || n == 60 {
		t.Errorf("%d of 60 cells are kept", n)
	}
}
