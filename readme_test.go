package pcgraph_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// TestREADME_ProgramIsTheExample: the README prints the program that is the package's Example, which the tests run.
func TestREADME_ProgramIsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	between := func(text []byte, from, to string) string {
		_, rest, found := bytes.Cut(text, []byte(from))
		inner, _, closed := bytes.Cut(rest, []byte(to))
		if !found || !closed {
			t.Fatalf("nothing between %q and %q", from, to)
		}
		return strings.TrimSpace(string(inner))
	}
	if program, example := between(readme, "func main() {", "\n}\n"), between(source, "func Example() {", "// Output:"); program != example {
		t.Errorf("the README's program is\n%s\nand Example is\n%s", program, example)
	}
	if program, example := between(readme, "import (", ")"), between(source, "import (", ")"); program != example {
		t.Errorf("the README's program imports\n%s\nand Example imports\n%s", program, example)
	}
}

// TestDocs_CodeStandsInSources: the lines of every block of Go in the README and in docs stand, in their order, in one test file or
// example, so that they compile and are run. The blocks of ARCHITECTURE.md are sketches of interfaces.
func TestDocs_CodeStandsInSources(t *testing.T) {
	lines := func(text []byte) (trimmed []string) {
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" {
				trimmed = append(trimmed, line)
			}
		}
		return trimmed
	}
	sources := map[string][]string{}
	files(t, func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "examples/") {
			sources[filepath.ToSlash(path)] = lines(text)
		}
	}, ".go")
	block := regexp.MustCompile("(?s)```go\n(.*?)```")
	files(t, func(path string, text []byte) {
		if path == filepath.Join("docs", "ARCHITECTURE.md") {
			return
		}
		for _, m := range block.FindAllSubmatch(text, -1) {
			if path == "README.md" && bytes.HasPrefix(m[1], []byte("package main\n")) {
				continue // TestREADME_ProgramIsTheExample
			}
			want, found, most, missing := lines(m[1]), false, 0, ""
			for file, have := range sources {
				if n := inOrder(want, have); n == len(want) {
					found = true
					break
				} else if n > most {
					most, missing = n, file+" has no "+want[n]
				}
			}
			if !found {
				t.Errorf("%s: code that no test or example has (%s):\n%s", path, missing, m[1])
			}
		}
	}, ".md")
}

// inOrder returns how many of the lines stand among those of a file, each behind the one before.
func inOrder(lines, file []string) int {
	for n, line := range lines {
		at := slices.Index(file, line)
		if at < 0 {
			return n
		}
		file = file[at+1:]
	}
	return len(lines)
}

// TestREADME_OwnData runs the Go of the section on a user's own data, on the files and slices that it speaks of.
func TestREADME_OwnData(t *testing.T) {
	npz, err := os.ReadFile("data/testdata/mine.npz")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("data/testdata/irises.csv")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string][]byte{"mine.npz": npz, "iris.csv": table} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x, labels := [][]float64{{0, 1}, {1, 0}, {1, 1}, {0, 0}, {2, 1}}, []int{0, 1, 1, 0, 1}

	set, test, err := data.NumPy{File: "mine.npz"}.Load()
	loaded(t, set, test, err, 12, 6, 3)
	set, test, err = data.CSV{File: "iris.csv", Targets: []string{"species"}}.Load()
	loaded(t, set, test, err, 4, 1, 3)
	set, test, err = data.Arrays[float64]{Inputs: x, Labels: labels}.Load()
	loaded(t, set, test, err, 4, 1, 2)
}

// loaded checks the sizes of a set.
func loaded(t *testing.T, set, test *data.Set, err error, samples, tests, classes int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != samples || test.Len() != tests || set.Classes() != classes {
		t.Errorf("%d samples, %d for the test, %d classes: want %d, %d, %d", set.Len(), test.Len(), set.Classes(), samples, tests, classes)
	}
}

// TestREADME_Saving runs the Go of the section on saved networks, on a training like that of the complete program.
func TestREADME_Saving(test *testing.T) {
	test.Chdir(test.TempDir())
	check := func(err error) {
		test.Helper()
		if err != nil {
			test.Fatal(err)
		}
	}
	set, _, err := data.Moons{Seed: 1}.Load()
	check(err)
	net, err := arch.MLP(arch.SP{}, layers.Tanh, 2, 32, 32, 2)
	check(err)
	weights, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(1, 0)))
	check(err)
	model, err := arch.Compile(net, weights, arch.Plan{Batch: 32})
	check(err)
	rule := &train.PC[float32]{Model: model, Solver: &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: 0.1}}, Stop: infer.Steps(2)}
	t := train.Trainer[float32]{Rule: rule, Optimizer: &optim.Adam[float32]{Rate: 1e-2}, Train: set, Batch: 32, Epochs: 2}
	{
		err := arch.SaveWeights("moons.safetensors", net, weights)
		check(err)
		weights, err = arch.LoadWeights[float32]("moons.safetensors", net)
		check(err)
		t.Checkpoint = train.Checkpoint{File: "kept.safetensors", Every: 100}
		history, err := t.Run(context.Background())
		check(err)
		if want := 2*32 + 32 + 32*32 + 32 + 32*2 + 2; history.Steps != 64 || len(weights.Data()) != want { // 32 batches, 2 epochs
			test.Errorf("%d steps of %d weights, want 64 of %d", history.Steps, len(weights.Data()), want)
		}
	}
	_, err = os.Stat("kept.safetensors")
	check(err)
}
