package cli

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/experiments/jpc/notebooks"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// A Rule is a row of the table of learning rules that -rule chooses from.
type Rule struct {
	name   string // for -rule
	short  string // in tables and curves
	title  string // in a sentence
	note   string // in the help of -rule, after the name; may be empty
	auto   bool   // its inference may be left to infer.Auto
	infers bool   // relaxes activities by -steps and -rate
	own    bool   // by a solver of its own, not by -solver
	errors bool   // its inference can move prediction errors instead of activities
	pass   bool   // its model has no activities to move: a feedforward pass
	build  func(pc train.PC[float32], in InferFlags) train.Rule[float32]
}

// nudge is the beta of nudged rules.
const nudge = .1

// restingWeight is the weight of energies between spikes.
const restingWeight = 1e-3

// What the rows of starts, highways and learned feedback have where the papers leave it open.
const (
	averageRate    = .01
	recallCapacity = 512
	recallWidth    = .1 // of one number of the input
	highwayStd     = .01
	feedbackRate   = .1
	feedbackDecay  = .01
)

// sampleStream is the second half of the seed of Monte Carlo's noise.
const sampleStream = 3

// rules is the one table of learning rules; the first row is the default.
var allRules = []Rule{
	{name: "pc", short: "PC", title: "predictive coding", auto: true, infers: true, errors: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] { return &pc }},
	{name: "incremental", short: "iPC", title: "incremental predictive coding", note: "iPC: weights move at every step of inference", infers: true, errors: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Incremental[float32]{PC: pc}
		}},
	{name: "nudged", short: "nPC", title: "nudged predictive coding", note: "the output pulls weakly", infers: true, errors: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Nudged[float32]{PC: pc, Nudge: rules.NudgedCost, Beta: nudge}
		}},
	{name: "centred", short: "cPC", title: "predictive coding with centred nudging", note: "the output pulls weakly, from both sides", infers: true, errors: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Nudged[float32]{PC: pc, Nudge: rules.NudgedCost, Beta: nudge, Sign: rules.Centred}
		}},
	{name: "redblack", short: "RB-EP", title: "red-black nudging with projections", note: "the output pulls weakly, sites of even and odd place move in turn", pass: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.RedBlack[float32]{Model: pc.Model, Beta: nudge, Sign: rules.Centred, Iterations: len(pc.Model.Network().Blocks) + 1, Seed: pc.Seed}
		}},
	{name: "forward", short: "FU", title: "predictive coding with the forward update", note: "weights learn with activities of the feedforward pass", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Scheduled[float32]{PC: pc, Update: rules.ForwardUpdate}
		}},
	{name: "spiking", short: "SPC", title: "predictive coding with spiking precisions and the forward update", note: "as forward; energies count most when the error arrives", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Scheduled[float32]{PC: pc, Schedule: rules.Spiking{Rest: restingWeight}, Update: rules.ForwardUpdate}
		}},
	{name: "decaying", short: "DPC", title: "predictive coding with decaying precisions and the forward update", note: "as forward; energies count less from step to step", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Scheduled[float32]{PC: pc, Schedule: rules.Decaying{}, Update: rules.ForwardUpdate}
		}},
	{name: "average", short: "AVG", title: "predictive coding from average activities", note: "inference starts at the mean of settled activities of the label", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			pc.Start = &train.Average[float32]{Rate: averageRate}
			return &pc
		}},
	{name: "recall", short: "REC", title: "predictive coding from recalled activities", note: "inference starts at settled activities of similar inputs", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			in, _ := pc.Model.Sizes()
			pc.Start = &train.Recall[float32]{Capacity: recallCapacity, Width: recallWidth * math.Sqrt(float64(in))}
			return &pc
		}},
	{name: "highways", short: "HEP", title: "predictive coding with error highways", note: "the output's error reaches every layer by a fixed matrix", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.Highways[float32]{PC: pc, Strength: 1, Std: highwayStd, Draw: pc.Seed}
		}},
	{name: "fixed", short: "FPC", title: "predictive coding with fixed predictions", note: "fixed predictions: backprop at equilibrium", infers: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.FixedPrediction[float32]{PC: pc}
		}},
	{name: "zil", short: "ZIL", title: "zero-divergence inference learning", note: "backprop exactly, on blocks one after the other",
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.ZIL[float32]{Model: pc.Model, Seed: pc.Seed}
		}},
	{name: "montecarlo", short: "MCPC", title: "Monte Carlo predictive coding", note: "Langevin sampling of activities", infers: true, own: true, errors: true,
		build: func(pc train.PC[float32], in InferFlags) train.Rule[float32] {
			steps := int(pc.Stop.(infer.Steps))
			pc.Solver = &infer.Langevin[float32]{Rate: in.Rate, Temperature: 1e-3, Source: rand.NewPCG(pc.Seed, sampleStream)}
			return &rules.MonteCarlo[float32]{PC: pc, BurnIn: steps / 2}
		}},
	{name: "pcalm", short: "PC-ALM", title: "predictive coding by the method of multipliers", note: "PC-ALM: multipliers carry the error, towards backprop's gradient; without -steps and -rate twice as many as blocks, at a rate that is measured", infers: true, own: true,
		build: func(pc train.PC[float32], in InferFlags) train.Rule[float32] {
			r := &rules.PCALM[float32]{Model: pc.Model, Seed: pc.Seed, Ascent: 1}
			if in.GivenSteps != nil {
				r.Steps = in.Steps
			}
			if in.GivenRate != nil {
				r.Rate = in.Rate
			}
			return r
		}},
	{name: "feedback", short: "FA", title: "feedback alignment", note: "feedback alignment, no inference", pass: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.FeedbackAlignment[float32]{Model: pc.Model, Seed: pc.Seed}
		}},
	{name: "direct", short: "DFA", title: "direct feedback alignment", note: "direct feedback alignment, no inference", pass: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.DirectFeedback[float32]{Model: pc.Model, Seed: pc.Seed}
		}},
	{name: "kolenpollack", short: "DKP", title: "direct Kolen-Pollack feedback", note: "direct feedback alignment whose matrices learn", pass: true,
		build: func(pc train.PC[float32], _ InferFlags) train.Rule[float32] {
			return &rules.KolenPollack[float32]{DirectFeedback: rules.DirectFeedback[float32]{Model: pc.Model, Seed: pc.Seed}, Rate: feedbackRate, Decay: feedbackDecay}
		}},
}

// rulesThat lists the names of the rules for which a condition holds.
func rulesThat(holds func(Rule) bool) string {
	var names []string
	for _, r := range allRules {
		if holds(r) {
			names = append(names, r.name)
		}
	}
	return strings.Join(names, ", ")
}

// RuleFlag is a learning rule by name. Its zero value is pc.
type RuleFlag struct{ Name string }

// UnmarshalText is called by kong.
func (f *RuleFlag) UnmarshalText(name []byte) error {
	f.Name = string(name)
	return knownRow("rule", f.Name, allRules, func(r Rule) string { return r.name })
}

// row is the rule's row of the table.
func (f RuleFlag) row() Rule {
	return allRules[max(0, slices.IndexFunc(allRules, func(r Rule) bool { return r.name == f.Name }))]
}

// String is the name.
func (f RuleFlag) String() string { return f.row().name }

// MarshalText writes the name.
func (f RuleFlag) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Short names the rule in tables and curves.
func (f RuleFlag) Short() string { return f.row().short }

// Title names the rule in a sentence.
func (f RuleFlag) Title() string { return f.row().title }

// Infers reports whether the rule relaxes activities by the flags -steps and -rate.
func (f RuleFlag) Infers() bool { return f.row().infers }

// TakesErrors reports whether the rule's inference can move prediction errors instead of activities.
func (f RuleFlag) TakesErrors() bool { return f.row().errors }

// Coordinates are those of the rule's model, where inference would move those given.
func (f RuleFlag) Coordinates(c arch.Coordinates) arch.Coordinates {
	if f.row().pass {
		return arch.Feedforward
	}
	return c
}

// TakesSolver reports whether the rule infers by the solver that -solver chooses.
func (f RuleFlag) TakesSolver() bool { return f.row().infers && !f.row().own }

// NewRule makes the rule for a model, from settled flags.
func (f LearnFlags) NewRule(m *arch.Model[float32], seed uint64) train.Rule[float32] {
	s := f.solver()
	pc := train.PC[float32]{Model: m, Solver: s.of(f.Rate, f.Momentum), Stop: infer.Steps(f.Steps), Seed: seed}
	if s.rests {
		pc.Stop = infer.Any{infer.Stationary{Rel: AutoRest}, infer.Steps(f.most())}
	}
	return f.Rule.row().build(pc, f.InferFlags)
}

// A scaling is a row of the table of scalings of the weights that -scaling chooses from.
type scaling struct {
	name string
	of   func(gamma float64) arch.Scaling // with the output divided by gamma
}

// scaled is a scaling without a gamma of its own.
func scaled(s arch.Scaling) func(gamma float64) arch.Scaling {
	return func(gamma float64) arch.Scaling { return arch.Scaled{Of: s, Gamma: gamma} }
}

// scalings is the one table of scalings; the first row is the default.
var scalings = []scaling{
	{"sp", scaled(arch.SP{})},
	{"ntp", scaled(arch.NTP{})},
	{"mup", scaled(arch.MuP{})},
	{"mupc", func(gamma float64) arch.Scaling { return arch.MuPC{Gamma: gamma} }},
	{"mupc-adam", func(gamma float64) arch.Scaling { return arch.MuPC{Gamma: gamma, ScaleAdam: true} }},
	{"completep", scaled(arch.CompleteP{})},
}

// A ScalingFlag is a scaling by name. Its zero value is sp.
type ScalingFlag struct{ Name string }

// UnmarshalText is called by kong.
func (f *ScalingFlag) UnmarshalText(name []byte) error {
	f.Name = string(name)
	return knownRow("scaling", f.Name, scalings, func(s scaling) string { return s.name })
}

// MarshalText writes the name.
func (f ScalingFlag) MarshalText() ([]byte, error) { return []byte(f.Name), nil }

// with is the scaling with its output divided by gamma.
func (f ScalingFlag) with(gamma float64) arch.Scaling {
	return scalings[max(0, slices.IndexFunc(scalings, func(s scaling) bool { return s.name == f.Name }))].of(gamma)
}

// knownRow checks that a table has a row of a name.
func knownRow[R any](what, name string, table []R, nameOf func(R) string) error {
	return Known(what, name, namesOf(table, nameOf)...)
}

// namesOf lists the names of a table's rows.
func namesOf[R any](table []R, nameOf func(R) string) []string {
	var names []string
	for _, r := range table {
		names = append(names, nameOf(r))
	}
	return names
}

// Vars are what help texts take from the tables: ${rules}, ${scalings}.
func Vars() kong.Vars {
	return kong.Vars{"rules": listed(allRules, func(r Rule) (string, string) { return r.name, r.note }),
		"schedules":     listed(schedules, func(s schedule) (string, string) { return s.name, s.note }),
		"train_solvers": listed(trainSolvers, func(s trainSolver) (string, string) { return s.name, s.note }),
		"scalings":      strings.Join(namesOf(scalings, func(s scaling) string { return s.name }), ", "),
		"solvers":       strings.Join(notebooks.Solvers, ", ")}
}

// WeightStream is the second half of the seed of the initial weights: the same seed starts every rule at the same point.
const WeightStream = 1

// NewWeights draws the start of a network.
func NewWeights[T graph.Float](net *arch.Network, seed uint64) (*graph.Vector[T], error) {
	return arch.NewWeights[T](net, rand.New(rand.NewPCG(seed, WeightStream)))
}

// Descent is inference by steps of gradient descent at a rate.
func Descent[T graph.Float](rate float64) *infer.Descent[T] {
	return &infer.Descent[T]{Optimizer: &optim.SGD[T]{Rate: rate}}
}
