package main

import (
	"archive/zip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/study"
	"github.com/pcgraph/pcgraph/data"
)

// An array is what numpy.savez is given.
type array struct {
	dtype  string
	dims   []int
	values any // a slice of the dtype
}

// savez writes arrays as numpy.savez does.
func savez(t *testing.T, arrays map[string]array) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mine.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, a := range arrays {
		w, err := z.Create(name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(a.dims), " ", ", "), "[]")
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }\n", a.dtype, shape)
		fmt.Fprintf(w, "\x93NUMPY\x01\x00%c%c%s", len(header), 0, header)
		if err := binary.Write(w, binary.LittleEndian, a.values); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// blobs are n points of k classes around the corners of a square of side 6, with deviation 1. The nearest corner is the best guess;
// it is wrong for a point in some 0.3 % of the cases, where it is 3 deviations from the middle along either side.
func blobs(seed uint64, n int) (x []float32, y []int64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		k := i % 4
		x = append(x, float32(100+6*float64(k%2)+r.NormFloat64()), float32(6*float64(k/2)+r.NormFloat64()))
		y = append(y, int64(k))
	}
	return x, y
}

// tested reads the results of a run's rules.
func tested(t *testing.T, dir string) map[string]struct{ Test study.EvalLine } {
	t.Helper()
	var m struct {
		Results map[string]json.RawMessage
		Data    []struct{ SHA256 string }
	}
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Data) == 0 || len(m.Data[0].SHA256) != 64 {
		t.Errorf("the manifest does not name the file that was read: %v", m.Data)
	}
	rules := make(map[string]struct{ Test study.EvalLine })
	for _, name := range []string{"PC", "BP"} {
		var r struct{ Test study.EvalLine }
		if err := json.Unmarshal(m.Results[name], &r); err != nil {
			t.Fatal(err)
		}
		rules[name] = r
	}
	return rules
}

// TestTrain_OwnArchive: from a seed to the accuracy. The best guess errs on 0.3 % of 800 points, which is 2.4; 98 % leave four
// standard deviations of that and as much again for what the network does not learn.
func TestTrain_OwnArchive(t *testing.T) {
	x, y := blobs(1, 400)
	held, labels := blobs(2, 800)
	path := savez(t, map[string]array{"x_train": {"<f4", []int{400, 2}, x}, "y_train": {"<i8", []int{400}, y}, "x_test": {"<f4", []int{800, 2}, held}, "y_test": {"<i8", []int{800}, labels}})
	for _, loss := range []string{"mse", "ce"} {
		out := filepath.Join(t.TempDir(), "run")
		code, stdout, stderr := demo(t, t.Context(), strings.Fields("train -data "+path+" -epochs 30 -batch 32 -lr .01 -loss "+loss+" -out "+out)...)
		if code != cli.ExitOK || !strings.Contains(stdout, "mine train: 400 samples; mine test: 800; inputs [2], standardised; 4 classes\n") || strings.Contains(stdout, "few") {
			t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
		}
		for name, r := range tested(t, out) {
			if r.Test.Accuracy < .98 || r.Test.Samples != 800 {
				t.Errorf("%s, %s: accuracy %v on %d test samples, want .98", loss, name, r.Test.Accuracy, r.Test.Samples)
			}
		}
	}
}

// TestTrain_OwnTable: the same points as a table with names for classes. 200 test points err by 0.6 on average: 97 % allow 6.
func TestTrain_OwnTable(t *testing.T) {
	x, y := blobs(1, 1000)
	var b strings.Builder
	b.WriteString("kind,east,north\n")
	for i, k := range y {
		fmt.Fprintf(&b, "%s,%g,%g\n", []string{"sw", "se", "nw", "ne"}[k], x[2*i], x[2*i+1])
	}
	path := filepath.Join(t.TempDir(), "points.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := demo(t, t.Context(), strings.Fields("train -data "+path+" -targets kind -epochs 20 -batch 32 -lr .01 -out "+out)...)
	if code != cli.ExitOK || !strings.Contains(stdout, "points train: 800 samples; points held out: 200; inputs [2], standardised; 4 classes: ne, nw, se, sw\n") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	if page, err := os.ReadFile(filepath.Join(out, "report.html")); err != nil || !strings.Contains(string(page), "4 classes: ne, nw, se, sw.") {
		t.Errorf("the report does not say what was read: %v", err)
	}
	for name, r := range tested(t, out) {
		if r.Test.Accuracy < .97 || r.Test.Samples != 200 {
			t.Errorf("%s: accuracy %v on %d, want .97", name, r.Test.Accuracy, r.Test.Samples)
		}
	}
}

// TestTrain_OwnRegression: y = 1000 (2 a - b) + 50000 without noise is within reach of a linear network. Targets are standardised,
// so that who says the mean has the loss 1/2; a hundredth is a fiftieth of that.
func TestTrain_OwnRegression(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	var x, y []float64
	for range 500 {
		a, b := r.NormFloat64(), r.NormFloat64()
		x, y = append(x, a, b), append(y, 1000*(2*a-b)+50000)
	}
	path := savez(t, map[string]array{"X": {"<f8", []int{500, 2}, x}, "y": {"<f8", []int{500}, y}})
	out := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := demo(t, t.Context(), strings.Fields("train -data "+path+" -act linear -epochs 30 -batch 32 -lr .01 -held-out .4 -out "+out)...)
	if code != cli.ExitOK || !strings.Contains(stdout, "mine train: 300 samples; mine held out: 200; inputs [2], standardised; a number to be predicted, standardised\n") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	for name, r := range tested(t, out) {
		if !(r.Test.Loss < .01) || r.Test.Samples != 200 {
			t.Errorf("%s: loss %v on %d", name, r.Test.Loss, r.Test.Samples)
		}
	}
}

// Pictures of bytes, and the commands that take -data, each of which says what it read. Demo infer takes eight seconds on any data;
// that it reads the same flags is in TestOwnData_MistakesAreNamedBeforeAFolderIsMade.
func TestOwnData_EveryCommandAndArchitecture(t *testing.T) {
	const n, side = 60, 8
	r := rand.New(rand.NewPCG(1, 0))
	x, y := make([]uint8, n*side*side), make([]uint8, n)
	for i := range x {
		x[i] = uint8(r.IntN(256))
	}
	for i := range y {
		y[i] = uint8(i % 3)
	}
	path := savez(t, map[string]array{"images": {"|u1", []int{n, side, side}, x}, "labels": {"|u1", []int{n}, y}, "flat": {"|u1", []int{n, side * side}, x}})
	for _, c := range []struct{ args, read string }{
		{"train -arch cnn -width 2 -limit 2 -steps 2", "pictures [8,8,1], standardised; 3 classes"},
		{"train -arch cnn -width 2 -limit 2 -steps 2 -keys flat,labels -shape 8,8", "pictures [8,8,1], standardised; 3 classes"},
		{"train -keys flat,labels -raw -task regression -limit 2", "inputs [64], as they are; a number to be predicted, as they are"},
		{"compare -steps 2", "mine held out: 12"},
		{"coordcheck -widths 4,8 -depths 0 -depth 1 -seeds 1 -updates 1 -scalings sp -batch 4", "mine held out: 12"},
		{"coordcheck -arch resnet -widths 2,4 -depths 0 -seeds 1 -updates 1 -scalings sp -batch 2", "pictures [8,8,1]"},
	} {
		out := filepath.Join(t.TempDir(), "run")
		code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(c.args), "-data", path, "-out", out)...)
		if code != cli.ExitOK || !strings.Contains(stdout, c.read) {
			t.Errorf("%s: exit code %d, %s%s", c.args, code, stdout, stderr)
			continue
		}
		if strings.Contains(c.args, "cnn") && !slices.Contains(files(t, out), "digits.png") {
			t.Errorf("%s: no pictures", c.args)
		}
	}
}

func TestOwnData_MistakesAreNamedBeforeAFolderIsMade(t *testing.T) {
	path := savez(t, map[string]array{"a": {"<f4", []int{3, 2}, make([]float32, 6)}, "b": {"<f4", []int{3}, make([]float32, 3)}})
	csv := filepath.Join(t.TempDir(), "t.csv")
	if err := os.WriteFile(csv, []byte("p,q\n1,a\n2,b\n3,a\nx,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"train -data " + path, cli.ExitFailure, "there are a, b: give Keys, the names of inputs and targets (here: -keys)"},
		{"train -data " + path + " -keys a,c", cli.ExitFailure, `no array "c"; there are a, b`},
		{"train -data " + path + " -keys a", cli.ExitUsage, "-keys: 1 names"},
		{"train -data " + path + " -keys a,b -arch cnn", cli.ExitFailure, "-shape"},
		{"coordcheck -data " + path + " -keys a,b -arch cnn", cli.ExitFailure, "-shape"},
		{"coordcheck -data " + path + " -keys a,b -loss ce", cli.ExitFailure, "regression"},
		{"train -data " + path + " -keys a,b -shape 2,2", cli.ExitFailure, "(here: -shape)"},
		{"train -data " + path + " -keys a,b -shape 2", cli.ExitUsage, "-shape [2]"},
		{"train -data " + path + " -keys a,b -shape 0,2", cli.ExitUsage, "-shape [0 2]"},
		{"train -data " + path + " -targets b", cli.ExitUsage, "-targets has no use with"},
		{"train -data " + path + " -test-file x.csv", cli.ExitUsage, "-test-file has no use with"},
		{"train -data " + path + " -dir .", cli.ExitUsage, "-dir has no use with"},
		{"compare -data " + csv, cli.ExitFailure, `t.csv: line 5, column 1 (p): "x" is no number`},
		{"infer -data " + csv + " -targets r", cli.ExitFailure, "there are [\"p\" \"q\"]: give other Targets, by name or by number from 1 (here: -targets)"},
		{"train -data " + csv + " -keys p,q", cli.ExitUsage, "-keys has no use with"},
		{"train -data " + csv + " -test-file x.csv -held-out .1", cli.ExitUsage, "-held-out has no use with -test-file"},
		{"train -data " + csv + " -held-out 1", cli.ExitUsage, "-held-out is 1"},
		{"train -data " + csv + " -task guess", cli.ExitUsage, "want one of auto, classification, regression"},
		{"train -data " + csv + " -augment", cli.ExitUsage, "-augment has no use with"},
		{"train -data nosuch.csv", cli.ExitFailure, "nosuch.csv: no such file"},
		{"train -data nosuch.npz", cli.ExitFailure, "nosuch.npz: no such file"},
		{"train -data nosuch", cli.ExitUsage, "or FILE.npz"},
		{"train -data moons -raw", cli.ExitUsage, "has no use with"},
		{"coordcheck -raw", cli.ExitUsage, "has no use with"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		code, _, stderr := demo(t, t.Context(), append(strings.Fields(c.args), "-out", out)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d and %q, want %d and a message with %q", c.args, code, stderr, c.code, c.want)
		}
		if exists(out) {
			t.Errorf("%s: the folder was made", c.args)
		}
	}
}

// Every flag reaches the field that it is for.
func TestOwnFlags_AreTheFieldsOfTheSource(t *testing.T) {
	f := cli.OwnFlags{HeldOut: .3, Shape: []int{2, 3}, Task: cli.TaskFlag{Task: data.Regression}, Raw: true}
	p := data.Preparation{HeldOut: .3, Shape: data.Shape{Height: 2, Width: 3, Channels: 1}, Task: data.Regression, Raw: true, Seed: 9}
	deep := p
	deep.Shape.Channels = 4
	for _, c := range []struct {
		path  string
		flags func(f *cli.OwnFlags)
		want  data.Source
	}{
		{"a.csv", func(f *cli.OwnFlags) { f.TestFile, f.Targets = "b.csv", []string{"c"} }, data.CSV{File: "a.csv", TestFile: "b.csv", Targets: []string{"c"}, Prepare: p}},
		{"a.tsv.gz", func(f *cli.OwnFlags) {}, data.CSV{File: "a.tsv.gz", Prepare: p}},
		{"a.npz", func(f *cli.OwnFlags) { f.Keys = []string{"a", "b"} }, data.NumPy{File: "a.npz", Keys: data.Keys{Inputs: "a", Targets: "b"}, Prepare: p}},
		{"a.npy", func(f *cli.OwnFlags) { f.Keys, f.Shape = []string{"a", "b", "c", "d"}, []int{2, 3, 4} }, data.NumPy{File: "a.npy", Keys: data.Keys{Inputs: "a", Targets: "b", TestInputs: "c", TestTargets: "d"}, Prepare: deep}},
		{".", func(f *cli.OwnFlags) {}, data.NumPy{File: ".", Prepare: p}},
	} {
		flags := f
		c.flags(&flags)
		if got, err := (cli.DataFlags{Data: c.path, OwnFlags: flags}).Source(9, nil); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.path, got, err, c.want)
		}
	}
}

// TestREADME_OwnDataCommandsRun gives the commands of the README's section the files that they speak of.
func TestREADME_OwnDataCommandsRun(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Your own data\n")
	section, _, _ = strings.Cut(section, "\n## ")
	commands := regexp.MustCompile(`(?m)^    go run \./cmd/demo (.*?)(?: +#.*)?$`).FindAllStringSubmatch(section, -1)
	if len(commands) != 3 {
		t.Fatalf("the README's section has %d commands, want 3", len(commands))
	}
	for _, c := range commands {
		args := strings.NewReplacer("mine.npz", "../../data/testdata/mine.npz", "iris.csv", "../../data/testdata/irises.csv").Replace(c[1])
		code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", filepath.Join(t.TempDir(), "run"))...)
		if code != cli.ExitOK || !strings.Contains(stdout, "test accuracy") {
			t.Errorf("%s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}

func TestNameOf_FilesAndFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "digits")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for path, want := range map[string]string{"moons": "moons", "a/b/iris.csv": "iris", "iris.CSV": "iris", "x.tsv.gz": "x", "d.npz": "d", ".": "digits", "x_train.npy": "digits", "a/x.npy": "a"} {
		if got := cli.NameOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
