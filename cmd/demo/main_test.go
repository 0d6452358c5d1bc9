package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// onConsole runs the command on a console.
func onConsole(c *cli.Console, args []string, errs io.Writer) int {
	return cli.Main(c, new(commands), teaching, args, errs)
}

// demo runs the command without a process around it.
func demo(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(&cli.Console{Context: ctx, Out: &out}, new(commands), teaching, args, &errs)
	return code, out.String(), errs.String()
}

func TestOptions_WrongOnesAreNamedAndExitWithTwo(t *testing.T) {
	for _, c := range []struct {
		args   string
		want   string // in the message
		reason string
	}{
		{"compare -widths 784,0,10", "width 2 is 0", "a layer without units"},
		{"compare -widths 784,-3,10", "widths", "a negative width"},
		{"compare -widths 10", "one width", "no layer at all"},
		{"compare -widths 60000,60000", "weights", "more memory than there is"},
		{"compare -widths 2,x", "widths", "not a number"},
		{"-rate -1", "-rate is -1", "a negative rate"},
		{"-rate nan", "-rate is NaN", "no number"},
		{"-lr inf", "-lr is +Inf", "not finite"},
		{"-decay -1", "-decay is -1", "weights would grow"},
		{"-lr 0", "-lr is 0", "nothing would be learned"},
		{"-steps 0", "-steps is 0", "no inference: hidden layers would not learn"},
		{"-batch 0", "-batch is 0", "an empty batch"},
		{"-epochs -2", "-epochs is -2", "negative"},
		{"-limit -1", "-limit is -1", "negative"},
		{"infer -horizons 5,3", "-horizons [5 3]: want ascending times", "time goes on"},
		{"infer -horizons -1", "-horizons is -1", "an end before the start"},
		{"infer -tols 1e-3,0", "-tols is 0", "steps that no error is small enough for"},
		{"infer -rates -0.1", "-rates is -0.1", "uphill"},
		{"infer -evals 1", "-evals is 1", "nothing to see"},
		{"infer -warmup -1", "-warmup is -1", "no number of updates"},
		{"train -on-divergence ignore", `want one of stop, skip`, "unknown way"},
		{"compare -precision 0", "-precision is 0", "the output would not matter"},
		{"compare -precision 1e-300", "-precision is 1e-300", "zero in float32"},
		{"train -gamma 1e300", "-gamma is 1e+300", "infinite in float32"},
		{"compare -gamma nan", "-gamma is NaN", "no number"},
		{"compare -act swish", "swish", "unknown activation"},
		{"compare -scaling xavier", `unknown scaling "xavier": want one of sp, ntp, mup, mupc`, "unknown scaling"},
		{"compare -arch vgg", `unknown architecture "vgg": want one of mlp, cnn, resnet, transformer`, "unknown architecture"},
		{"compare -arch cnn -widths 784,10", "-widths has no use with -arch cnn: it is for -arch mlp", "a cnn has no widths"},
		{"compare -arch resnet -width -2", "-width -2", "negative"},
		{"compare -arch transformer -heads -1", "-heads is -1", "negative"},
		{"train -rule hebb", `unknown rule "hebb": want one of pc, incremental`, "unknown rule"},
		{"coordcheck -widths 8,8", "-widths: size 8 is given twice", "no slope"},
		{"coordcheck -widths 0 -depths 0", "nothing to measure", "nothing to do"},
		{"coordcheck -arch cnn -depths 2,4", "-depths: stages of a cnn", "would fail half-way"},
		{"train -rule direct -errors", "-errors has no use with -rule direct", "would be ignored"},
		{"latent -test 1", "-test is 1", "one picture is no cloud"},
		{"-loss hinge", `unknown loss "hinge"`, "unknown loss"},
		{"compare -data cifar", `unknown data "cifar"`, "unknown data"},
		{"train -data cifar", `unknown data "cifar"`, "unknown data"},
		{"toy rings", "rings", "unknown task"},
		{"toy", "task", "no task"},
		{"toy moons -lr -.1", "-lr is -0.1", "a negative rate"},
		{"-colour", "colour", "unknown flag"},
		{"paint", "paint", "unknown command"},
		{"bench -rows speed", `unknown kind of rows "speed": want one of energy, train`, "unknown rows"},
		{"bench -repeats 0", "-repeats is 0", "nothing measured"},
		{"bench -threads -1", "-threads is -1", "negative"},
		{"bench -threads 1000000", "this machine has", "more than there are"},
		{"-seed -1", "seed", "seeds are not negative"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, _, stderr := demo(t, t.Context(), strings.Fields(c.args)...)
			if code != cli.ExitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d and %q, want 2 and a message with %q (%s)", code, stderr, c.want, c.reason)
			}
		})
	}
}

func TestOptions_ThatDoNotFitTheDataFailBeforeAFolderIsMade(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"compare -data moons -widths 3,4,2", "begin with 3"},
		{"compare -data sine -loss ce", "regression"},
		{"compare -data random", "-widths"},
		{"compare -data moons -widths 2,4,5,2 -skips", "widths 4 and 5"},
		{"train -data mnist -dir testdata/none", "not found"},
		{"compare -arch cnn -data moons", "is for pictures"},
		{"compare -arch transformer -data bars", "predicts a token of every token"},
		{"compare -arch transformer -data copy -width 6 -heads 4", "heads"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		code, _, stderr := demo(t, t.Context(), append(strings.Fields(c.args), "-out", out)...)
		if code != cli.ExitFailure || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d and %q, want 1 and a message with %q", c.args, code, stderr, c.want)
		}
		if exists(out) {
			t.Errorf("%s: the folder was made", c.args)
		}
	}
}

func TestTrain_RulesThatDoNotFitAreRefusedBeforeTraining(t *testing.T) {
	for _, args := range []string{"train -data bars -rule direct -arch cnn"} {
		code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", filepath.Join(t.TempDir(), "out"))...)
		if code != cli.ExitFailure || !strings.Contains(stderr, "-rule") || strings.Contains(stdout, "BP   step") {
			t.Errorf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

func TestHelpAndVersion_ExitWithZero(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-help", "Predictive coding (PC) gives every layer an activity"},
		{"--help", "Exit codes"},
		{"compare -h", "-precision"},
		{"train -help", "Your own data"},
		{"-help", "demo train -data iris.csv -targets species"},
		{"-version", "kernels"},
	} {
		code, stdout, stderr := demo(t, t.Context(), strings.Fields(c.args)...)
		if code != cli.ExitOK || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: exit code %d, %q, %q", c.args, code, stdout, stderr)
		}
	}
}

func TestLongFlags_GoStyleBecomesKongStyle(t *testing.T) {
	got := strings.Join(cli.LongFlags(strings.Fields("toy -seed 3 --lr=.1 -h -rate -1 -a=-2 -steps -.5 -- -x")), " ")
	if want := "toy --seed 3 --lr=.1 -h --rate=-1 --a=-2 --steps=-.5 -- -x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestData_SaysWhatIsMissingAndHowToGetIt(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PCGRAPH_MNIST", empty)
	t.Setenv("PCGRAPH_CIFAR10", empty)
	t.Setenv("PCGRAPH_CIFAR100", empty)
	code, stdout, _ := demo(t, t.Context(), "data", "-fashion", empty)
	if code != cli.ExitFailure || strings.Count(stdout, "missing") != 4 || !strings.Contains(stdout, "cifar-100-binary.tar.gz") || !strings.Contains(stdout, "go mod download") {
		t.Errorf("exit code %d, %q", code, stdout)
	}
	if !strings.Contains(stdout, "-data FILE.npz") || !strings.Contains(stdout, "-targets species") {
		t.Errorf("nothing on data of one's own in %q", stdout)
	}
	if code, _, _ := demo(t, t.Context(), "data"); code != cli.ExitOK {
		t.Errorf("exit code %d where nobody named a folder that lacks something, want 0", code)
	}
	if code, _, _ := demo(t, t.Context(), "data", "-cifar10", empty); code != cli.ExitFailure {
		t.Errorf("exit code %d where CIFAR-10 is not in the folder named, want %d", code, cli.ExitFailure)
	}
	for _, name := range append(slices.Clone(cli.Toys), cli.Generated...) {
		if !strings.Contains(stdout, "\n  "+name+" ") {
			t.Errorf("%s is not listed in %q", name, stdout)
		}
	}
}

// Every name that is offered has a source; those that need no files can be compared on.
func TestDataFlags_EveryNameIsADataSet(t *testing.T) {
	for _, name := range cli.DataNames {
		f := cli.DataFlags{Data: name, Window: 8}
		if err := f.Check(); err != nil {
			t.Error(err)
		}
		if _, err := f.Source(1, []int{3, 2}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range append(slices.Clone(cli.Generated), "text") {
		code, _, stderr := demo(t, t.Context(), "compare", "-data", name, "-batch", "4", "-steps", "3", "-out", filepath.Join(t.TempDir(), "run"))
		if code != cli.ExitOK {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
	for args, want := range map[string]string{
		"compare -data copy -loss ce":         "class of its own",
		"compare -data moons -augment":        "-augment has no use with -data moons",
		"compare -data moons -text x":         "-text has no use with -data moons",
		"compare -data text -window 0":        "-window is 0",
		"compare -data text -window 100000":   "characters, a window of",
		"compare -data text -text nosuchfile": "nosuchfile",
	} {
		if code, _, stderr := demo(t, t.Context(), strings.Fields(args)...); code == cli.ExitOK || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, stderr, want)
		}
	}
}

func TestCompare_EveryArchitectureOnDataThatSuitsIt(t *testing.T) {
	for _, args := range []string{
		"-arch cnn -data bars -width 3",
		"-arch resnet -data bars -width 3 -scaling mupc",
		"-arch transformer -data copy -width 8 -heads 2 -depth 1 -loss ce -scaling completep",
	} {
		code, stdout, stderr := demo(t, t.Context(), append(strings.Fields("compare -batch 4 -steps 3 "+args), "-out", filepath.Join(t.TempDir(), "run"))...)
		if name := strings.Fields(args)[1]; code != cli.ExitOK || !strings.Contains(stdout, name) {
			t.Errorf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

func TestMNIST_WhereItIsMissingTwoMoonsAreLearned(t *testing.T) {
	t.Setenv("PCGRAPH_MNIST", t.TempDir())
	out := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := demo(t, t.Context(), "-out", out)
	if code != cli.ExitOK || !strings.Contains(stdout, "PCGRAPH_MNIST") || !strings.Contains(stdout, "two moons") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(out, "boundary.png")); err != nil {
		t.Error(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Runs that begin in the same second have a folder each.
func TestOpenFolder_OneForEveryRun(t *testing.T) {
	t.Chdir(t.TempDir())
	now, dirs := time.Now(), make(chan string, 8)
	for range cap(dirs) {
		go func() {
			f, err := cli.OpenFolder(cli.FolderFlags{}, "toy", "", now)
			if err != nil {
				t.Error(err)
				dirs <- ""
				return
			}
			dirs <- f.Dir
		}()
	}
	seen := make(map[string]bool)
	for range cap(dirs) {
		if d := <-dirs; seen[d] {
			t.Errorf("two runs in %s", d)
		} else {
			seen[d] = true
		}
	}
}

// Inference that diverges is an error that says where, not one about files.
func TestCompare_SaysWhereInferenceDiverged(t *testing.T) {
	for _, args := range []string{"compare -data xor -act linear -rate 10 -steps 2000", "compare -data xor -rate 1e20"} {
		code, _, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", t.TempDir())...)
		if code != cli.ExitDiverged || !strings.Contains(stderr, "diverged at its step") || !strings.Contains(stderr, "lower -rate") {
			t.Errorf("%s: exit code %d and %q", args, code, stderr)
		}
	}
}
