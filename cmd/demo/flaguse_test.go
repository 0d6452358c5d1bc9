package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
)

// always lists, by command, the flags that have a use whatever else is chosen. A new flag is listed here or in flagUses.
var always = map[string]string{
	"mnist":         "out seed rule batch epochs limit lr decay normalise schedule clip ema smoothing patience seeds eval-every on-divergence checkpoint curves live mlflow no-compare loss dir",
	"toy":           "out seed steps rate batch epochs limit lr",
	"train":         "out seed rule batch epochs limit lr decay normalise schedule clip ema smoothing patience seeds eval-every on-divergence checkpoint curves live mlflow no-compare arch loss data",
	"eval":          "data dir keys header separator decimal", // dir by savedFlags.samples, which knows the run's data
	"predict":       "data dir rule to keys header separator decimal",
	"export":        "rule beside dir",
	"import":        "out",
	"compare":       "out seed arch loss errors precision data steps rate batch float32",
	"coordcheck":    "out seed arch scalings widths depths width depth loss optim lr updates seeds batch bp band data",
	"infer":         "out seed arch loss precision data batch horizons tols rates evals warmup clock",
	"graph":         "out arch loss precision batch what",
	"classify":      "out seed solver data dir limit batch lr eval-every test",
	"generate":      "out seed solver data dir limit batch lr eval-every test std",
	"latent":        "out seed solver data dir limit batch lr eval-every test latents std",
	"complete":      "out seed solver data dir limit batch lr eval-every test latents hidden missing",
	"stream":        "out seed solver data dir limit batch lr eval-every test units frames turn",
	"linear":        "out seed solver data dir limit batch lr eval-every test",
	"landscape":     "out x y w1 w2 lr updates",
	"curvature":     "out seed arch loss errors precision data dir batch at scale updates tol products anyway",
	"hybrid":        "out seed solver data dir limit batch lr eval-every test",
	"bidirectional": "back out seed solver data dir limit batch lr eval-every test",
	"claims":        "write",
	"run":           "full out record cache cores shard shared live",
	"merge":         "into",
	"serve":         "address",
	"mlflow":        "experiment",
	"doctor":        "dir",
	"verify":        "cache cores",
	"bench":         "json rows repeats threads quick child",
	"benchmark":     "grid rules seeds only list cached out record write cache cores shard shared live",
	"separate":      "out seed domain method sources restarts samples try",
	"data":          "mnist fashion cifar10 cifar100",
}

// TestFlags_EachHasAUseThatIsKnown: every flag of every command always has a use, or the table says where it has one.
func TestFlags_EachHasAUseThatIsKnown(t *testing.T) {
	parser, err := kong.New(new(commands), kong.Name("demo"), kong.Writers(io.Discard, io.Discard), kong.Bind(new(cli.Console)), cli.Vars())
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Leaves(false) {
		listed := strings.Fields(always[node.Name])
		for _, group := range node.AllFlags(false) {
			for _, f := range group {
				if f.Name == "help" || f.Name == "version" || f.Name == "config" {
					continue
				}
				rows := 0
				for _, u := range cli.FlagUses {
					if slices.Contains(u.Flags, f.Name) && (u.Commands == nil || slices.Contains(u.Commands, node.Name)) {
						rows++
					}
				}
				if slices.Contains(listed, f.Name) == (rows > 0) || rows > 1 {
					t.Errorf("demo %s -%s: want it in one row of flagUses or in the test's list, and not in both: %d rows", node.Name, f.Name, rows)
				}
			}
		}
	}
}

// TestFlags_WithoutAUseAreRefused: for each row of the table, a command line where it has none is refused with the place where it
// has one.
func TestFlags_WithoutAUseAreRefused(t *testing.T) {
	refused := map[string]bool{}
	for _, c := range []struct{ args, flag, where string }{
		{"train -depth 10", "depth", "-arch cnn, resnet and transformer"},
		{"train -data mnist -limit 2 -width 64", "width", "-arch cnn"},
		{"compare -heads 3", "heads", "-arch transformer"},
		{"train -arch net.onnx -scaling mupc", "scaling", "networks that are made here"},
		{"compare -arch net.onnx -gamma 2", "gamma", "networks that are made here"},
		{"graph -norm", "norm", "-arch transformer"},
		{"train -data mine.npz -arch cnn -limit 2 -norm", "norm", "-arch transformer"},
		{"infer -arch resnet -no-bias", "no-bias", "mlp and cnn"},
		{"train -arch resnet -widths 4,5", "widths", "-arch mlp"},
		{"train -arch cnn -skips", "skips", "-arch mlp"},
		{"train -data text -arch transformer -act tanh", "act", "mlp, cnn and resnet"},
		{"coordcheck -arch transformer -act relu", "act", "mlp, cnn and resnet"},
		{"coordcheck -bp -steps 3", "steps", "predictive coding"},
		{"coordcheck -bp -rate 3", "rate", "predictive coding"},
		{"coordcheck -targets y", "targets", "tables"},
		{"infer -errors", "errors", "demo train"},
		{"graph -errors", "errors", "demo train"},
		{"train -rule zil -errors", "errors", "centred"},
		{"-rule fixed -activities", "activities", "-rule pc, incremental"},
		{"-rule zil -steps 3", "steps", "rules that infer"},
		{"-rule feedback -rate 3", "rate", "rules that infer"},
		{"train -rule direct -precision .1", "precision", "rules that infer"},
		{"-solver lbfgs -rate .1", "rate", "-solver descent"},
		{"train -rule pcalm -solver lbfgs", "solver", "rules whose inference takes a solver"},
		{"train -rule zil -momentum .5", "momentum", "-solver descent"},
		{"train -solver auto -momentum .5", "momentum", "-solver descent"},
		{"train -validation .1", "validation", "-patience"},
		{"-checkpoint-every 3", "checkpoint-every", "-checkpoint"},
		{"toy moons -overwrite", "overwrite", "-out"},
		{"train -mlflow-experiment x", "mlflow-experiment", "-mlflow"},
		{"train -live-address :80", "live-address", "-live"},
		{"train -data moons -dir /nonexistent", "dir", "-data mnist, fashion"},
		{"compare -data x.npz -dir d", "dir", "the whole path as -data"},
		{"train -data moons -window 5", "window", "-data text"},
		{"train -data moons -text f", "text", "-data text"},
		{"train -augment", "augment", "cifar10"},
		{"train -data x.csv -keys a,b", "keys", "FILE.npz"},
		{"train -data x.npz -targets y", "targets", "FILE.csv"},
		{"train -data moons -test-file f", "test-file", "FILE.csv"},
		{"train -data x.npz -header no", "header", "FILE.csv"},
		{"train -data x.npz -decimal comma", "decimal", "FILE.csv"},
		{"train -data x.npz -separator tab", "separator", "FILE.csv"},
		{"train -data moons -shape 2,1", "shape", "your own data"},
		{"train -data moons -task regression", "task", "your own data"},
		{"train -data moons -raw", "raw", "your own data"},
		{"train -data moons -held-out .5", "held-out", "your own data"},
		{"train -data x.csv -test-file y.csv -held-out .5", "held-out", "without a test part"},
		{"classify -solver sgd -time 2", "time", "-solver heun"},
		{"latent -tol 1 -steps 9", "tol", "adaptive"},
		{"classify -solver heun -steps 2", "steps", "-solver sgd"},
		{"classify -solver heun -rate 2", "rate", "-solver sgd and euler"},
		{"separate a.wav -rate 8000", "rate", "a stream of raw frames"},
		{"separate a.wav -channels 3", "channels", "a stream of raw frames"},
		{"separate -try -format f32le", "format", "a stream of raw frames"},
		{"separate a.wav -to b", "to", "a stream of raw frames"},
		{"separate a.wav -state b", "state", "a stream of raw frames"},
		{"separate - -reference b", "reference", "mixtures in files"},
		{"curvature -looks 3", "looks", "-updates"},
		{"curvature -lr .3", "lr", "-updates"},
		{"benchmark mlp -nets mlp:8", "nets", "-rules"},
		{"benchmark mlp -sets moons", "sets", "-rules"},
		{"benchmark mlp -epochs 2", "epochs", "-rules"},
		{"benchmark mlp -batch 2", "batch", "-rules"},
		{"benchmark mlp -limit 2", "limit", "-rules"},
		{"benchmark mlp -lr 2", "lr", "-rules"},
		{"claims -write d -long", "long", "the list"},
	} {
		code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(c.args), strings.Fields(map[bool]string{true: "-out " + filepath.Join(t.TempDir(), "out")}[!strings.Contains(c.args, "overwrite") && !strings.HasPrefix(c.args, "claims")])...)...)
		if code != cli.ExitUsage || !strings.Contains(stderr, "-"+c.flag+" has no use with") || !strings.Contains(stderr, c.where) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("demo %s: exit code %d, %q, %q", c.args, code, stdout, stderr)
		}
		refused[c.flag] = true
	}
	for _, u := range cli.FlagUses {
		for _, f := range u.Flags {
			if !refused[f] {
				t.Errorf("no test refuses -%s", f)
			}
		}
	}
}

// TestFlags_WithAUseAreTaken: the same flags where they have one.
func TestFlags_WithAUseAreTaken(t *testing.T) {
	for _, args := range []string{
		"compare -data bars -arch cnn -width 2 -depth 1 -steps 2 -batch 4 -no-bias -act tanh -errors",
		"compare -data text -window 4 -arch transformer -heads 2 -norm -width 4 -depth 1 -steps 2 -batch 2 -loss ce",
		"compare -data moons -widths 2,4,4,2 -skips -steps 2 -batch 4 -precision .1",
		"train -data moons -limit 2 -rule feedback -no-compare",
	} {
		if code, stdout, stderr := demo(t, t.Context(), append(strings.Fields(args), "-out", filepath.Join(t.TempDir(), "out"))...); code != cli.ExitOK {
			t.Errorf("demo %s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}
