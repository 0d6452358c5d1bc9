package main

import (
	"slices"

	"github.com/alecthomas/kong"
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
)

// A choice is what decides which flags of a command have a use.
type choice struct {
	command string
	arch    string
	data    string
	rule    string
	bp      bool // coordcheck -bp
	solver  string
	given   []string
}

// A chooser is a command with such choices.
type chooser interface{ choice() choice }

func (cmd mnistCmd) choice() choice {
	return choice{arch: "mlp", data: "mnist", rule: cmd.Rule.String()}
}
func (cmd trainCmd) choice() choice {
	return choice{arch: cmd.kind(), data: cmd.Data, rule: cmd.Rule.String()}
}
func (cmd compareCmd) choice() choice { return choice{arch: cmd.kind(), data: cmd.Data} }
func (cmd inferCmd) choice() choice   { return choice{arch: cmd.kind(), data: cmd.Data} }
func (cmd graphCmd) choice() choice   { return choice{arch: cmd.kind()} }
func (cmd coordCmd) choice() choice   { return choice{arch: cmd.Arch, data: cmd.Data, bp: cmd.BP} }

// A flagUse says where a flag has a use.
type flagUse struct {
	commands []string // nil: all that have the flag
	flags    []string
	useful   func(choice) bool
	instead  func(choice) string // what was chosen, where it has none
	where    string              // what it is for
}

// What a use depends on.
func byArch(c choice) string { return "-arch " + c.arch }
func byRule(c choice) string { return "-rule " + c.rule }
func byData(c choice) string {
	if c.data == "" {
		return "data made from the seed"
	}
	return "-data " + c.data
}
func bySolver(c choice) string  { return "-solver " + c.solver }
func byCommand(c choice) string { return "demo " + c.command }

func archs(names ...string) func(choice) bool {
	return func(c choice) bool { return slices.Contains(names, c.arch) }
}

func solvers(names ...string) func(choice) bool {
	return func(c choice) bool { return slices.Contains(names, c.solver) }
}

func datasets(names ...string) func(choice) bool {
	return func(c choice) bool { return slices.Contains(names, c.data) }
}

// from reports whether the data are of one of some kinds.
func from(kinds ...kind) func(choice) bool {
	return func(c choice) bool { return c.data != "" && slices.Contains(kinds, kindOf(c.data)) }
}

func takesErrors(c choice) bool { return ruleFlag{c.rule}.takesErrors() }

func infers(c choice) bool { var f ruleFlag; f.name = c.rule; return f.infers() }

func with(flag string) func(choice) bool {
	return func(c choice) bool { return slices.Contains(c.given, flag) }
}

func without(flag string) string { return "no -" + flag }

var (
	netCommands  = []string{"train", "compare", "infer", "graph"}
	dataCommands = []string{"train", "compare", "infer", "coordcheck"}
	taskCommands = []string{"classify", "generate", "latent", "complete", "stream", "linear", "hybrid", "bidirectional"}
	ruleCommands = []string{"mnist", "train"}
)

// flagUses is the one table of flags that have a use for some choices only. A flag that is given without one is an error. What is
// not here, or here for other commands, always has a use: the tests hold the list.
var flagUses = []flagUse{
	{netCommands, []string{"widths"}, archs("mlp"), byArch, "-arch mlp (the size of the others: -width, -depth)"},
	{netCommands, []string{"skips"}, archs("mlp"), byArch, "-arch mlp (resnet and transformer always have skips)"},
	{netCommands, []string{"width", "depth"}, archs("cnn", "resnet", "transformer"), byArch, "-arch cnn, resnet and transformer (the size of mlp: -widths)"},
	{netCommands, []string{"heads", "norm"}, archs("transformer"), byArch, "-arch transformer"},
	{netCommands, []string{"no-bias"}, archs("mlp", "cnn"), byArch, "-arch mlp and cnn"},
	{netCommands, []string{"act"}, archs("mlp", "cnn", "resnet"), byArch, "-arch mlp, cnn and resnet"},
	{[]string{"coordcheck"}, []string{"act"}, archs("mlp", "cnn", "resnet"), byArch, "-arch mlp, cnn and resnet"},
	{[]string{"coordcheck"}, []string{"steps", "rate"}, func(c choice) bool { return !c.bp }, func(choice) string { return "-bp" }, "predictive coding, which infers"},
	{[]string{"infer", "graph"}, []string{"errors"}, func(choice) bool { return false }, byCommand, "demo train and demo compare (infer measures both coordinates, graph draws activities)"},
	{[]string{"mnist"}, []string{"activities"}, takesErrors, byRule, "-rule pc, incremental, nudged, centred and montecarlo (the others move activities, or nothing)"},
	{ruleCommands, []string{"errors"}, takesErrors, byRule, "-rule pc, incremental, nudged, centred and montecarlo, whose inference can move either"},
	{ruleCommands, []string{"steps", "rate", "precision"}, infers, byRule, "rules that infer: pc, incremental, nudged, centred, fixed, montecarlo"},
	{nil, []string{"checkpoint-every"}, with("checkpoint"), func(choice) string { return without("checkpoint") }, "trainings that are kept: name the folder with -checkpoint"},
	{nil, []string{"overwrite"}, with("out"), func(choice) string { return without("out") }, "a folder of your own: name it with -out"},
	{[]string{"train", "compare", "infer"}, []string{"dir"}, datasets("mnist", "fashion", "cifar10", "cifar100"), byData, "-data mnist, fashion, cifar10 and cifar100 (your own files: give the whole path as -data)"},
	{nil, []string{"text", "window"}, datasets("text"), byData, "-data text"},
	{nil, []string{"augment"}, datasets("cifar10", "cifar100"), byData, "-data cifar10 and cifar100"},
	{dataCommands, []string{"keys"}, from(arrayData), byData, "arrays, -data FILE.npz or a folder of .npy"},
	{dataCommands, []string{"targets", "test-file", "header", "separator", "decimal"}, from(tableData), byData, "tables, -data FILE.csv or FILE.tsv"},
	{nil, []string{"shape", "task", "raw"}, from(arrayData, tableData), byData, "your own data, -data FILE"},
	{nil, []string{"held-out"}, func(c choice) bool { return from(arrayData, tableData)(c) && !with("test-file")(c) }, func(c choice) string {
		if with("test-file")(c) {
			return "-test-file"
		}
		return byData(c)
	}, "your own data, -data FILE, without a test part"},
	{taskCommands, []string{"time"}, solvers(notebooks.Heun, notebooks.Bosh3, notebooks.Tsit5, notebooks.Euler), bySolver, "-solver heun, bosh3, tsit5 and euler"},
	{taskCommands, []string{"tol"}, solvers(notebooks.Heun, notebooks.Bosh3, notebooks.Tsit5), bySolver, "-solver heun, bosh3 and tsit5, whose steps are adaptive"},
	{taskCommands, []string{"steps"}, solvers(notebooks.SGD), bySolver, "-solver sgd"},
	{taskCommands, []string{"rate"}, solvers(notebooks.SGD, notebooks.Euler), bySolver, "-solver sgd and euler"},
	{[]string{"claims"}, []string{"long"}, func(c choice) bool { return !with("write")(c) }, func(choice) string { return "-write" }, "the list in the terminal"},
}

// checkUses refuses the flags on the command line that have no use for what was chosen.
func checkUses(c *console, parsed *kong.Context) error {
	node := parsed.Selected()
	if node == nil {
		return nil
	}
	var of choice
	if target, is := node.Target.Interface().(chooser); is {
		of = target.choice()
	}
	of.command, of.given = node.Name, c.given
	for _, flag := range c.given {
		for _, u := range flagUses {
			if !slices.Contains(u.flags, flag) || u.commands != nil && !slices.Contains(u.commands, of.command) {
				continue
			}
			if !u.useful(of) {
				return errors.Errorf("-%s has no use with %s: it is for %s: leave it out", flag, u.instead(of), u.where)
			}
		}
	}
	return nil
}
