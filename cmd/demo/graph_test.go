package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/inspect"
)

// drawn runs graphCmd with args in an empty folder.
func drawn(t *testing.T, args ...string) (dir, said string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	var cmd inspect.GraphCmd
	parser, err := kong.New(&cmd, cli.Vars())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append(args, "--out", dir)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := cmd.Run(&cli.Console{Context: context.Background(), Out: &out, Args: args}); err != nil {
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
	cmd := inspect.GraphCmd{Batch: 1}
	cmd.Gamma, cmd.Precision = 1, 1
	cmd.Widths = make([]int, inspect.MostBlocks+2)
	for i := range cmd.Widths {
		cmd.Widths[i] = 2
	}
	if err := cmd.Validate(); err == nil || !strings.Contains(err.Error(), "25 blocks") {
		t.Errorf("error %v", err)
	}
}

// TestGraph_SVGIsWholeAndEscaped: the picture is XML, holds the text of every node of the graph, an arrow per edge and the
// legend, and does so for every architecture and view.
func TestGraph_SVGIsWholeAndEscaped(t *testing.T) {
	for _, args := range []string{"", "-what state -loss ce", "-arch cnn -what param", "-arch resnet -depth 1", "-arch transformer -depth 1 -norm -what state"} {
		dir, _ := drawn(t, cli.LongFlags(strings.Fields(args))...)
		text, err := os.ReadFile(filepath.Join(dir, "graph.dot"))
		if err != nil {
			t.Fatal(err)
		}
		svg, err := os.ReadFile(filepath.Join(dir, "graph.svg"))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		arrows := 0
		for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: graph.svg is no XML: %v", args, err)
			}
			switch token := token.(type) {
			case xml.CharData:
				texts = append(texts, string(token))
			case xml.StartElement:
				if token.Name.Local == "path" && slices.ContainsFunc(token.Attr, func(a xml.Attr) bool { return a.Name.Local == "marker-end" }) {
					arrows++
				}
			}
		}
		if n := strings.Count(string(text), " -> "); arrows != n || n == 0 {
			t.Errorf("%s: %d arrows for %d edges", args, arrows, n)
		}
		said := strings.Join(texts, "\n")
		for _, want := range []string{"free activity", "weight", "data", "energy", "gradient", "operands"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: the legend does not explain %q", args, want)
			}
		}
		for _, line := range strings.Split(string(text), "\n") {
			_, label, ok := strings.Cut(line, "[label=")
			if !ok {
				continue
			}
			label, _, _ = strings.Cut(label, ", shape=")
			label, _, _ = strings.Cut(label, ", style=")
			name, err := strconv.Unquote(label)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range strings.Fields(name) {
				if !strings.Contains(said, word) {
					t.Errorf("%s: %q of box %q is not in the picture", args, word, name)
				}
			}
		}
	}
}

// TestGraph_RefusesMoreBlocksThanCanBeRead.
func TestGraph_RefusesMoreBlocksThanCanBeRead(t *testing.T) {
	cmd := inspect.GraphCmd{Batch: 1, NetFlags: cli.NetFlags{Arch: "transformer", Heads: 4, Gamma: 1, Precision: 1, Depth: inspect.MostBlocks + 1}}
	if err := cmd.Validate(); err == nil || !strings.Contains(err.Error(), "-depth 25") {
		t.Errorf("error %v", err)
	}
}

// TestGraph_DeepestIsQuick: the deepest networks that may be drawn, with all gradients, are laid out well under two seconds
// (measured: 0.2 s and 1.2 s for the command as a whole, on two busy cores).
func TestGraph_DeepestIsQuick(t *testing.T) {
	start := time.Now()
	drawn(t, "--widths", "4"+strings.Repeat(",4", inspect.MostBlocks), "--skips", "--what", "param")
	if d := time.Since(start); d > 5*time.Second { // slack for machines that do other things as well
		t.Errorf("%v", d)
	}
}

// TestCommand_TouchesNoSharedFolder: the command works whatever TMPDIR is (foreign, damaged, a file, missing, not to be
// written), and nothing of it or of its dependencies leaves a file there, in HOME or where it is started.
func TestCommand_TouchesNoSharedFolder(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, text string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		plant func(tmp string)
	}{
		{"empty", func(string) {}},
		{"a file in the place of a cache", func(tmp string) { write(filepath.Join(tmp, "go-graphviz"), "foreign", 0) }},
		{"a damaged cache of somebody else", func(tmp string) {
			write(filepath.Join(tmp, "go-graphviz", "wazero-v1.10.1-amd64-linux", strings.Repeat("0", 64)), "cut", 0)
			if err := os.Chmod(filepath.Join(tmp, "go-graphviz"), 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(filepath.Join(tmp, "go-graphviz"), 0o755) })
		}},
		{"read-only", func(tmp string) {
			if err := os.Chmod(tmp, 0o555); err != nil {
				t.Fatal(err)
			}
		}},
		{"missing", func(tmp string) {
			if err := os.Remove(tmp); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file", func(tmp string) {
			if err := os.Remove(tmp); err != nil {
				t.Fatal(err)
			}
			write(tmp, "no folder", 0o644)
		}},
	} {
		root := t.TempDir()
		tmp, home, work := filepath.Join(root, "tmp"), filepath.Join(root, "home"), filepath.Join(root, "work")
		for _, dir := range []string{tmp, home, work} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		c.plant(tmp)
		before := tree(t, root)
		run := func(args ...string) {
			t.Helper()
			cmd := exec.Command(binary, args...)
			cmd.Dir = work
			cmd.Env = []string{"TMPDIR=" + tmp, "HOME=" + home, asCommand + "=1"}
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: demo %v: %v\n%s", c.name, args, err, text)
			}
			if after := tree(t, root); !slices.Equal(after, before) {
				t.Errorf("%s: demo %v left files: %v, before it %v", c.name, args, after, before)
			}
		}
		run("-version")
		run("-help")
		run("graph", "-out", filepath.Join(t.TempDir(), "out"))
	}
}

// tree is all that is in a folder, with modes and sizes of files.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := path + " " + info.Mode().String()
		if !d.IsDir() {
			line += " " + strconv.FormatInt(info.Size(), 10)
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCommand_HasNoProgramsInIt: no dependency of the command brings a WebAssembly machine, which compiles to a shared folder when
// it starts, or a copy of Graphviz.
func TestCommand_HasNoProgramsInIt(t *testing.T) {
	text, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(text)) {
		if strings.Contains(path, "wazero") || strings.Contains(path, "go-graphviz") {
			t.Errorf("the command depends on %s", path)
		}
	}
}
