package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/graph/safetensors"
	"github.com/pcgraph/pcgraph/report"
)

// weightsIn are the tensors of a file.
func weightsIn(t *testing.T, path string) []safetensors.Tensor {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// resultsOf are the results and options of a run's manifest, without times.
func resultsOf(t *testing.T, dir string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	results := m["results"].(map[string]any)
	for _, r := range results {
		if test, is := r.(map[string]any)["test"].(map[string]any); is {
			delete(test, "seconds")
		}
	}
	return results
}

// TestTrain_GoesOnFromItsCheckpoint: interrupted while the first learner learns, then while the second one does, then a third
// time to the end, and once more: metrics, results and weights are those of a run without interruption, to the last bit.
func TestTrain_GoesOnFromItsCheckpoint(t *testing.T) {
	dir := t.TempDir()
	const options = "train -data moons -widths 2,8,8,2 -rule montecarlo -act tanh -schedule pcx -clip 1 -ema .9 -smoothing .05 -patience 100 "
	train := func(ctx context.Context, out string, more ...string) (code int, stdout string) {
		t.Helper()
		args := append(strings.Fields(options+"-epochs 40 -eval-every 50 -out"), filepath.Join(dir, out))
		code, stdout, stderr := demo(t, ctx, append(args, more...)...)
		if code != cli.ExitOK && code != cli.ExitInterrupted {
			t.Fatalf("exit code %d, %s", code, stderr)
		}
		return code, stdout
	}
	train(t.Context(), "whole")
	kept := []string{"-checkpoint", filepath.Join(dir, "kept"), "-checkpoint-every", "7"}
	for i, learner := range []string{"bp", "mcpc"} {
		ctx, stop := context.WithCancel(t.Context())
		file := filepath.Join(dir, "kept", learner+".checkpoint.safetensors")
		done := make(chan bool)
		go func() { // as soon as there is a first step to go on from
			defer close(done)
			for ctx.Err() == nil {
				if f, err := safetensors.ReadFile(file); err == nil && len(f.Tensor("own").Data.([]byte)) > 0 {
					stop()
				}
				time.Sleep(200 * time.Microsecond)
			}
		}()
		code, _ := train(ctx, fmt.Sprint("interrupted", i), kept...)
		if stop(); code != cli.ExitInterrupted {
			t.Logf("%s was too fast to be interrupted", learner)
		}
		<-done
	}
	if _, stdout := train(t.Context(), "resumed", kept...); !strings.Contains(stdout, "BP   was at its end, after step 640") {
		t.Error(stdout)
	}
	if _, stdout := train(t.Context(), "again", kept...); !strings.Contains(stdout, "MCPC was at its end, after step 640") {
		t.Error(stdout)
	}
	for _, run := range []string{"resumed", "again"} {
		if diff := cmp.Diff(metrics(t, filepath.Join(dir, "whole")), metrics(t, filepath.Join(dir, run))); diff != "" {
			t.Errorf("%s: %.2000s", run, diff)
		}
		if diff := cmp.Diff(resultsOf(t, filepath.Join(dir, "whole")), resultsOf(t, filepath.Join(dir, run))); diff != "" {
			t.Errorf("%s: %s", run, diff)
		}
		for _, learner := range []string{"bp.safetensors", "mcpc.safetensors", "bp-ema.safetensors", "mcpc-ema.safetensors"} {
			if diff := cmp.Diff(weightsIn(t, filepath.Join(dir, "whole", learner)), weightsIn(t, filepath.Join(dir, run, learner))); diff != "" {
				t.Errorf("%s, %s: other weights", run, learner)
			}
		}
	}
	code, _, stderr := demo(t, t.Context(), append(strings.Fields(options+"-lr .002 -out "+filepath.Join(dir, "other")), kept...)...)
	if code != cli.ExitFailure || !strings.Contains(stderr, "Rate: 0.002") || !strings.Contains(stderr, "another training") {
		t.Errorf("another rate: exit code %d, %s", code, stderr)
	}
}

// TestTrain_SeveralSeeds: each training is that of its seed alone, to the bit, in one run folder, with mean and standard error; what
// is held out and where it stops is as asked for.
func TestTrain_SeveralSeeds(t *testing.T) {
	dir := t.TempDir()
	run := func(out, more string) string {
		t.Helper()
		args := "train -data xor -widths 2,6,2 -epochs 60 -eval-every 5 -batch 32 -no-compare -lr .02 -patience 3 -validation .25 -solver lbfgs " + more + " -out " + filepath.Join(dir, out)
		code, stdout, stderr := demo(t, t.Context(), strings.Fields(args)...)
		if code != cli.ExitOK {
			t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
		}
		return stdout
	}
	stdout := run("all", "-seeds 3")
	all := resultsOf(t, filepath.Join(dir, "all"))
	for _, learner := range []string{"PC", "BP"} {
		var scores []float64
		mean := 0.
		for seed := 1; seed <= 3; seed++ {
			name := learner
			if seed > 1 {
				name += fmt.Sprintf(" seed %d", seed)
			}
			r := all[name].(map[string]any)
			scores = append(scores, 100*r["test"].(map[string]any)["accuracy"].(float64))
			mean += scores[seed-1] / 3
			if r["best"].(float64) < 5 || r["updates"].(float64) > 60*5 {
				t.Errorf("%s: %v", name, r)
			}
		}
		se := 0.
		for _, s := range scores {
			se += (s - mean) * (s - mean) / 6 // n - 1 and n
		}
		got := all[learner+" seeds"].(map[string]any)
		if math.Abs(got["mean"].(float64)-mean) > 1e-9 || math.Abs(got["standard_error"].(float64)-math.Sqrt(se)) > 1e-9 {
			t.Errorf("%s: %v, want %v and %v", learner, got, mean, math.Sqrt(se))
		}
		if want := fmt.Sprintf("%.2f ± %.2f", mean, math.Sqrt(se)); !strings.Contains(stdout, want) {
			t.Errorf("no %q in %s", want, stdout)
		}
	}
	if !strings.Contains(strings.Join(strings.Fields(stdout), " "), "best on the 250 training samples that were held out") {
		t.Error(stdout)
	}
	run("one", "")
	for _, file := range []string{"pc.safetensors", "bp.safetensors"} {
		if diff := cmp.Diff(weightsIn(t, filepath.Join(dir, "all", file)), weightsIn(t, filepath.Join(dir, "one", file))); diff != "" {
			t.Errorf("%s: other weights than alone", file)
		}
	}
}

// inOrder is a table that has its rows in the order of their classes.
func inOrder(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "ordered.csv")
	rows := "x,y,class\n"
	for i := range 120 {
		rows += fmt.Sprintf("%d,%d,%d\n", i%7, i%5, i/60)
	}
	if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTrain_RefusesWhatDoesNotFitTheData, or the coordinates, before it trains.
func TestTrain_RefusesWhatDoesNotFitTheData(t *testing.T) {
	ordered := inOrder(t)
	for args, want := range map[string]string{
		"-data moons -solver newton":                                                  "add -errors",
		"-data sine -smoothing .1":                                                    "-smoothing is for classes",
		"-data moons -solver lbfgs -rule forward":                                     "does not go with the other flags",
		"-data moons -patience 2 -eval-every 0":                                       "-patience counts evaluations",
		"-data moons -patience 2 -validation .0001":                                   "is none",
		"-data " + ordered + " -test-file " + ordered + " -patience 2 -validation .4": "in the order of their classes",
	} {
		code, stdout, stderr := demo(t, t.Context(), strings.Fields("train "+args+" -out "+filepath.Join(t.TempDir(), "run"))...)
		if code == cli.ExitOK || !strings.Contains(stderr, want) || strings.Contains(stdout, "step") {
			t.Errorf("%s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}

// TestEval_GivesWhatTheTrainingDid, for every architecture, by folder and by file.
func TestEval_GivesWhatTheTrainingDid(t *testing.T) {
	for _, args := range []string{
		"train -data moons -widths 2,8,8,2 -limit 20 -loss ce -scaling ntp -skips -gamma 2 -act gelu",
		"train -data bars -arch cnn -width 3 -limit 5 -steps 4 -no-bias",
		"train -data ../../data/testdata/irises.csv -targets species -limit 9 -rule incremental",
		"train -data text -window 6 -arch transformer -width 8 -depth 1 -heads 2 -norm -loss ce -limit 3 -steps 2 -errors -scaling completep",
	} {
		out := filepath.Join(t.TempDir(), "a[b]*")
		if code, _, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", out)...); code != cli.ExitOK {
			t.Fatalf("%s: exit code %d, %s", args, code, stderr)
		}
		code, stdout, stderr := demo(t, t.Context(), "eval", out)
		if code != cli.ExitOK || strings.Count(stdout, ".safetensors") != 2 {
			t.Fatalf("eval after %s: exit code %d, %s%s", args, code, stdout, stderr)
		}
		for learner, r := range resultsOf(t, out) {
			test, is := r.(map[string]any)["test"].(map[string]any)
			if !is {
				continue
			}
			file := strings.ToLower(learner) + ".safetensors"
			code, one, _ := demo(t, t.Context(), "eval", filepath.Join(out, file))
			for _, text := range []string{stdout, one} {
				row := regexp.MustCompile(regexp.QuoteMeta(file) + ` .*`).FindString(text)
				if want := fmt.Sprintf("%.2f %%", 100*test["accuracy"].(float64)); code != cli.ExitOK || !strings.Contains(row, want) || !strings.Contains(row, report.Number(test["loss"].(float64))) {
					t.Errorf("eval after %s: %q, the training had %v", args, row, test)
				}
			}
		}
	}
}

// TestEval_SaysWhatIsMissing where weights cannot be evaluated.
func TestEval_SaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	run := func(args string) {
		demo(t, t.Context(), append(strings.Fields(args), "-out", filepath.Join(dir, strings.Fields(args)[0]))...)
	}
	run("toy xor -limit 2")
	run("train -data moons -limit 2 -widths 2,3,2")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "train", "pc.safetensors")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, more, want string }{
		{"absent", "", "runs/NAME-TIME"},
		{"empty", "", "the manifest says which network"},
		{"train/report.html", "", "is not among the weights of this run, which are pc.safetensors, bp.safetensors"},
		{"toy", "", `run of "toy"`},
		{"train", "-data sine", "end with"},
		{"train/pc.safetensors", "", "SHA-256"},
	} {
		bad := slices.Clone(text)
		bad[len(bad)-3] ^= 4
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := demo(t, t.Context(), append([]string{"eval", filepath.Join(dir, c.from)}, strings.Fields(c.more)...)...)
		if code != cli.ExitFailure || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %s, want %q", c.from, code, stderr, c.want)
		}
	}
}

// TestREADME_SavingCommandsRun runs the commands of the README's section.
func TestREADME_SavingCommandsRun(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	_, section, _ := strings.Cut(string(text), "## Saved networks, and trainings that go on\n")
	section, _, _ = strings.Cut(section, "\n## ")
	commands := regexp.MustCompile(`(?m)^    go run \./cmd/demo (.*?)(?: +#.*)?$`).FindAllStringSubmatch(section, -1)
	if len(commands) != 5 {
		t.Fatalf("the README's section has %d commands, want 5", len(commands))
	}
	// Three species by one of two lengths: the tables that the commands name.
	rng := rand.New(rand.NewPCG(1, 0))
	table := func(n int, labelled bool) string {
		var b strings.Builder
		b.WriteString("sepal,petal" + map[bool]string{true: ",species"}[labelled] + "\n")
		for i := range n {
			fmt.Fprintf(&b, "%.2f,%.2f", rng.NormFloat64(), float64(i%3)*3+.3*rng.NormFloat64())
			if labelled {
				b.WriteString("," + []string{"setosa", "versicolor", "virginica"}[i%3])
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	for name, text := range map[string]string{"iris.csv": table(90, true), "new.csv": table(40, true), "unlabelled.csv": table(20, false)} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range slices.Concat(commands, commands[:1]) {
		if code, stdout, stderr := demo(t, t.Context(), strings.Fields(c[1])...); code != cli.ExitOK || !strings.Contains(stdout, "accuracy") && !strings.Contains(stdout, "predictions") {
			t.Errorf("%s: exit code %d, %s%s", c[1], code, stdout, stderr)
		}
	}
	if said, err := os.ReadFile("said.csv"); err != nil || strings.Count(string(said), "\n") != 21 || !strings.HasPrefix(string(said), "sample,class,output(setosa),") {
		t.Errorf("said.csv: %v, %.200s", err, said)
	}
	if !strings.Contains(section, `load_file("moons/pc.safetensors")`) || len(weightsIn(t, "moons/pc.safetensors")) == 0 {
		t.Error("no moons/pc.safetensors to read by Python")
	}
}
