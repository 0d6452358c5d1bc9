package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// freeAddress is one of the loopback interface that nobody uses.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestProcess_LiveControls: a real training is paused, kept, goes on, and is stopped while it is paused, as Ctrl-C does.
func TestProcess_LiveControls(t *testing.T) {
	out, kept, address := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "kept"), freeAddress(t)
	cmd := process(t, "train", "-data", "moons", "-epochs", "100000", "-no-compare", "-checkpoint", kept, "-checkpoint-every", "0", "-live", "-live-address", address, "-out", out)
	said := startUntil(t, cmd, out)
	ended := false
	defer func() {
		if !ended {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}()
	do := func(action string) {
		r, err := http.Post("http://"+address+"/api/control?action="+action, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusNoContent {
			t.Fatalf("%s: status %d", action, r.StatusCode)
		}
	}
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	waitFor := func(what string, is func() bool) {
		for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no %s after a minute", what)
			}
		}
	}
	metrics, checkpoint := filepath.Join(out, cli.MetricsName), filepath.Join(kept, "bp.checkpoint.safetensors")
	do("pause")
	time.Sleep(200 * time.Millisecond) // the update that is under way ends
	before, first := size(metrics), size(checkpoint)
	time.Sleep(700 * time.Millisecond) // longer than lines wait to be written
	if after := size(metrics); after != before {
		t.Errorf("paused, and metrics.jsonl grows from %d to %d bytes", before, after)
	}
	do("keep")
	do("resume")
	waitFor("more metrics", func() bool { return size(metrics) > before })
	waitFor("checkpoint", func() bool { return size(checkpoint) > first }) // it holds the curves so far
	do("pause")
	do("stop")
	cmd.Wait()
	ended = true
	if got := cmd.ProcessState.ExitCode(); got != cli.ExitInterrupted || manifestOf(t, out).State != cli.Interrupted {
		t.Errorf("exit code %d, state %s: %s", got, manifestOf(t, out).State, said.String())
	}
	if _, err := http.Get("http://" + address); err == nil {
		t.Error("the page is served after the run's end")
	}
}

// TestServe_ShowsRuns until it is interrupted, and says why it cannot.
func TestServe_ShowsRuns(t *testing.T) {
	root, address := t.TempDir(), freeAddress(t)
	if code, _, stderr := demo(t, t.Context(), "train", "-data", "moons", "-limit", "3", "-no-compare", "-out", filepath.Join(root, "first")); code != cli.ExitOK {
		t.Fatal(stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan string, 1)
	go func() {
		_, stdout, _ := demo(t, ctx, "serve", root, "-address", address)
		done <- stdout
	}()
	var answer []byte
	for deadline := time.Now().Add(time.Minute); len(answer) == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + address + "/api/runs"); err == nil {
			answer, _ = io.ReadAll(r.Body)
			r.Body.Close()
		}
	}
	cancel()
	if stdout := <-done; !strings.Contains(stdout, "http://"+address+"/") || !bytes.Contains(answer, []byte(`"name":"first"`)) {
		t.Errorf("%s: %s", stdout, answer)
	}
	if code, _, stderr := demo(t, t.Context(), "serve", filepath.Join(root, "none")); code != cli.ExitFailure || !strings.Contains(stderr, "no such file") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestTrain_MLflowIsAwayAndNothingStops: the run is whole, and what sends the rest is said and works as far as it can.
func TestTrain_MLflowIsAwayAndNothingStops(t *testing.T) {
	out, server := filepath.Join(t.TempDir(), "run"), "http://"+freeAddress(t)
	code, stdout, stderr := demo(t, t.Context(), "train", "-data", "moons", "-limit", "3", "-no-compare", "-mlflow", server, "-out", out)
	if code != cli.ExitOK || !strings.Contains(stdout, "demo mlflow "+out+" "+server) || manifestOf(t, out).State != cli.Done {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for args, want := range map[string]string{out + " " + server: "connection refused", t.TempDir() + " " + server: "a run folder", out + " 127.0.0.1:5000": "want http://"} {
		if code, _, stderr := demo(t, t.Context(), append([]string{"mlflow"}, strings.Fields(args)...)...); code != cli.ExitFailure || !strings.Contains(stderr, want) {
			t.Errorf("demo mlflow %s: exit code %d, %s", args, code, stderr)
		}
	}
	if code, _, stderr := demo(t, t.Context(), "train", "-mlflow", "nowhere"); code != cli.ExitUsage || !strings.Contains(stderr, "-mlflow") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
