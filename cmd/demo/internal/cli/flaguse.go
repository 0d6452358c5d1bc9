package cli

import (
	"slices"

	"github.com/alecthomas/kong"
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
)

// A Choice is what decides which flags of a command have a use.
type Choice struct {
	Command string
	Arch    string
	Data    string
	Rule    string
	BP      bool // coordcheck -bp
	Solver  string
	Given   []string
}

// A chooser is a command with such choices.
type chooser interface{ Choice() Choice }

// A flagUse says where a flag has a use.
type flagUse struct {
	Commands []string // nil: all that have the flag
	Flags    []string
	useful   func(Choice) bool
	instead  func(Choice) string // what was chosen, where it has none
	where    string              // what it is for
}

// What a use depends on.
func byArch(c Choice) string { return "-arch " + c.Arch }
func byRule(c Choice) string { return "-rule " + c.Rule }
func byData(c Choice) string {
	if c.Data == "" {
		return "data made from the seed"
	}
	return "-data " + c.Data
}
func byMixtures(c Choice) string {
	return map[string]string{"-": "a stream", "files": "files", "try": "-try"}[c.Data]
}
func bySolver(c Choice) string  { return "-solver " + c.Solver }
func byCommand(c Choice) string { return "demo " + c.Command }

func archs(names ...string) func(Choice) bool {
	return func(c Choice) bool { return slices.Contains(names, c.Arch) }
}

func solvers(names ...string) func(Choice) bool {
	return func(c Choice) bool { return slices.Contains(names, c.Solver) }
}

func Datasets(names ...string) func(Choice) bool {
	return func(c Choice) bool { return slices.Contains(names, c.Data) }
}

// from reports whether the data are of one of some kinds.
func from(kinds ...kind) func(Choice) bool {
	return func(c Choice) bool { return c.Data != "" && slices.Contains(kinds, KindOf(c.Data)) }
}

func takesErrors(c Choice) bool { return RuleFlag{c.Rule}.TakesErrors() }

func infers(c Choice) bool { return RuleFlag{c.Rule}.Infers() }

func takesSolver(c Choice) bool { return RuleFlag{c.Rule}.TakesSolver() }

func descends(c Choice) bool { return c.Solver == defaultSolver || c.Solver == descentSolver }

var (
	errorRules = "-rule " + rulesThat(func(r Rule) bool { return r.errors })
	inferRules = "rules that infer: " + rulesThat(func(r Rule) bool { return r.infers })

	solverRules = "rules whose inference takes a solver: " + rulesThat(func(r Rule) bool { return r.infers && !r.own })
)

func with(flag string) func(Choice) bool {
	return func(c Choice) bool { return slices.Contains(c.Given, flag) }
}

func without(flag string) string { return "no -" + flag }

var (
	netCommands  = []string{"train", "compare", "infer", "graph", "curvature"}
	dataCommands = []string{"train", "compare", "infer", "coordcheck", "curvature"}
	taskCommands = []string{"classify", "generate", "latent", "complete", "stream", "linear", "hybrid", "bidirectional"}
	ruleCommands = []string{"mnist", "train"}
)

// FlagUses is the one table of flags that have a use for some choices only. A flag that is given without one is an error. What is
// not here, or here for other commands, always has a use: the tests hold the list.
var FlagUses = []flagUse{
	{netCommands, []string{"widths"}, archs("mlp"), byArch, "-arch mlp (the size of the others: -width, -depth)"},
	{netCommands, []string{"skips"}, archs("mlp"), byArch, "-arch mlp (resnet and transformer always have skips)"},
	{netCommands, []string{"width", "depth"}, archs("cnn", "resnet", "transformer"), byArch, "-arch cnn, resnet and transformer (the size of mlp: -widths)"},
	{netCommands, []string{"heads", "norm"}, archs("transformer"), byArch, "-arch transformer"},
	{netCommands, []string{"scaling", "gamma"}, archs("mlp", "cnn", "resnet", "transformer"), byArch, "networks that are made here (that of a file has its factors in its weights)"},
	{netCommands, []string{"no-bias"}, archs("mlp", "cnn"), byArch, "-arch mlp and cnn"},
	{netCommands, []string{"act"}, archs("mlp", "cnn", "resnet"), byArch, "-arch mlp, cnn and resnet"},
	{[]string{"coordcheck"}, []string{"act"}, archs("mlp", "cnn", "resnet"), byArch, "-arch mlp, cnn and resnet"},
	{[]string{"coordcheck"}, []string{"steps", "rate"}, func(c Choice) bool { return !c.BP }, func(Choice) string { return "-bp" }, "predictive coding, which infers"},
	{[]string{"infer", "graph"}, []string{"errors"}, func(Choice) bool { return false }, byCommand, "demo train and demo compare (infer measures both coordinates, graph draws activities)"},
	{[]string{"mnist"}, []string{"activities"}, takesErrors, byRule, errorRules + " (the others move activities, or nothing)"},
	{ruleCommands, []string{"errors"}, takesErrors, byRule, errorRules + ", whose inference can move either"},
	{ruleCommands, []string{"steps", "precision"}, infers, byRule, inferRules},
	{ruleCommands, []string{"rate"}, func(c Choice) bool { return infers(c) && descends(c) }, func(c Choice) string {
		if !infers(c) {
			return byRule(c)
		}
		return bySolver(c)
	}, "-solver descent, of " + inferRules},
	{ruleCommands, []string{"solver"}, takesSolver, byRule, solverRules},
	{ruleCommands, []string{"momentum"}, func(c Choice) bool { return takesSolver(c) && descends(c) }, func(c Choice) string {
		if !takesSolver(c) {
			return byRule(c)
		}
		return bySolver(c)
	}, "-solver descent, of " + solverRules},
	{ruleCommands, []string{"validation"}, with("patience"), func(Choice) string { return without("patience") }, "a training that -patience may end"},
	{nil, []string{"checkpoint-every"}, with("checkpoint"), func(Choice) string { return without("checkpoint") }, "trainings that are kept: name the folder with -checkpoint"},
	{nil, []string{"mlflow-experiment"}, with("mlflow"), func(Choice) string { return without("mlflow") }, "runs that are sent: with -mlflow"},
	{nil, []string{"live-address"}, with("live"), func(Choice) string { return without("live") }, "runs that are shown: with -live"},
	{nil, []string{"overwrite"}, with("out"), func(Choice) string { return without("out") }, "a folder of your own: name it with -out"},
	{[]string{"curvature"}, []string{"looks", "lr"}, with("updates"), func(Choice) string { return without("updates") }, "a training that is looked along: say how long with -updates"},
	{[]string{"train", "compare", "infer"}, []string{"dir"}, Datasets("mnist", "fashion", "cifar10", "cifar100"), byData, "-data mnist, fashion, cifar10 and cifar100 (your own files: give the whole path as -data)"},
	{nil, []string{"text", "window"}, Datasets("text"), byData, "-data text"},
	{nil, []string{"augment"}, Datasets("cifar10", "cifar100"), byData, "-data cifar10 and cifar100"},
	{dataCommands, []string{"keys"}, from(arrayData), byData, "arrays, -data FILE.npz or a folder of .npy"},
	{dataCommands, []string{"targets", "test-file", "header", "separator", "decimal"}, from(tableData), byData, "tables, -data FILE.csv or FILE.tsv"},
	{nil, []string{"shape", "task", "raw"}, from(arrayData, tableData), byData, "your own data, -data FILE"},
	{nil, []string{"held-out"}, func(c Choice) bool { return from(arrayData, tableData)(c) && !with("test-file")(c) }, func(c Choice) string {
		if with("test-file")(c) {
			return "-test-file"
		}
		return byData(c)
	}, "your own data, -data FILE, without a test part"},
	{taskCommands, []string{"time"}, solvers(notebooks.Heun, notebooks.Bosh3, notebooks.Tsit5, notebooks.Euler), bySolver, "-solver heun, bosh3, tsit5 and euler"},
	{taskCommands, []string{"tol"}, solvers(notebooks.Heun, notebooks.Bosh3, notebooks.Tsit5), bySolver, "-solver heun, bosh3 and tsit5, whose steps are adaptive"},
	{taskCommands, []string{"steps"}, solvers(notebooks.SGD), bySolver, "-solver sgd"},
	{taskCommands, []string{"rate"}, solvers(notebooks.SGD, notebooks.Euler), bySolver, "-solver sgd and euler"},
	{[]string{"separate"}, []string{"rate", "channels", "format", "to", "state"}, Datasets("-"), byMixtures, "a stream of raw frames, the file -"},
	{[]string{"separate"}, []string{"reference"}, Datasets("files"), byMixtures, "mixtures in files"},
	{[]string{"benchmark"}, []string{"nets", "sets", "epochs", "batch", "limit", "lr"}, with("rules"), func(Choice) string { return without("rules") }, "a table by flags: name its rules with -rules (a named table and -grid say these themselves)"},
	{[]string{"claims"}, []string{"long"}, func(c Choice) bool { return !with("write")(c) }, func(Choice) string { return "-write" }, "the list in the terminal"},
}

// checkUses refuses the flags on the command line that have no use for what was chosen.
func checkUses(c *Console, parsed *kong.Context) error {
	node := parsed.Selected()
	if node == nil {
		return nil
	}
	var of Choice
	if target, is := node.Target.Interface().(chooser); is {
		of = target.Choice()
	}
	of.Command, of.Given = node.Name, c.Given
	for _, flag := range c.Given {
		for _, u := range FlagUses {
			if !slices.Contains(u.Flags, flag) || u.Commands != nil && !slices.Contains(u.Commands, of.Command) {
				continue
			}
			if !u.useful(of) {
				return errors.Errorf("-%s has no use with %s: it is for %s: leave it out", flag, u.instead(of), u.where)
			}
		}
	}
	return nil
}
