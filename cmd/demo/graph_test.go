package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// drawn runs graphCmd with args in an empty folder.
func drawn(t *testing.T, args ...string) (dir, said string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	var cmd graphCmd
	parser, err := kong.New(&cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append(args, "--out", dir)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := cmd.Run(&console{ctx: context.Background(), out: &out, args: args}); err != nil {
		t.Fatal(err)
	}
	return dir, out.String()
}

func TestGraph_WritesDotAndSVG(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"--what", "state", "--act", "tanh", "--loss", "ce"},
		{"--what", "param", "--widths", "4,6,6,6,3", "--skips", "--no-bias", "--scaling", "mupc"},
	} {
		dir, said := drawn(t, args...)
		if !strings.Contains(said, dir) {
			t.Errorf("said %q, not where the pictures are", said)
		}
		svg, err := os.ReadFile(filepath.Join(dir, "graph.svg"))
		if err != nil || !bytes.Contains(svg, []byte("<svg")) || !bytes.Contains(svg, []byte("block2")) {
			t.Errorf("%v: no picture of block2 in graph.svg: %v", args, err)
		}
	}
}

func TestGraph_RefusesTooDeepNetworks(t *testing.T) {
	cmd := graphCmd{Batch: 1}
	cmd.Gamma, cmd.Precision = 1, 1
	cmd.Widths = make([]int, mostBlocks+2)
	for i := range cmd.Widths {
		cmd.Widths[i] = 2
	}
	if err := cmd.Validate(); err == nil || !strings.Contains(err.Error(), "25 blocks") {
		t.Errorf("error %v", err)
	}
}
