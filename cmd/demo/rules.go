package main

import (
	"math/rand/v2"
	"slices"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// ruleFlag is a way to learn, held against backprop. Its zero value is pc.
type ruleFlag struct{ name string }

// UnmarshalText is called by kong.
func (f *ruleFlag) UnmarshalText(name []byte) error {
	f.name = string(name)
	return known("rule", f.name, "pc", "incremental", "nudged", "centred", "fixed", "zil", "montecarlo", "feedback", "direct")
}

// String is the name.
func (f ruleFlag) String() string {
	if f.name == "" {
		return "pc"
	}
	return f.name
}

// MarshalText writes the name.
func (f ruleFlag) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// short names the rule in tables and curves.
func (f ruleFlag) short() string {
	if s, ok := map[string]string{"incremental": "iPC", "nudged": "nPC", "centred": "cPC", "fixed": "FPC", "zil": "ZIL", "montecarlo": "MCPC",
		"feedback": "FA", "direct": "DFA"}[f.name]; ok {
		return s
	}
	return "PC"
}

// title names the rule in a sentence.
func (f ruleFlag) title() string {
	if s, ok := map[string]string{"incremental": "incremental predictive coding", "nudged": "nudged predictive coding",
		"centred": "predictive coding with centred nudging", "fixed": "predictive coding with fixed predictions",
		"zil": "zero-divergence inference learning", "montecarlo": "Monte Carlo predictive coding",
		"feedback": "feedback alignment", "direct": "direct feedback alignment"}[f.name]; ok {
		return s
	}
	return "predictive coding"
}

// infers tells whether the rule relaxes activities by the flags -steps and -rate.
func (f ruleFlag) infers() bool { return f.name != "zil" && f.name != "feedback" && f.name != "direct" }

// takesErrors reports whether the rule's inference can move prediction errors instead of activities.
func (f ruleFlag) takesErrors() bool {
	return slices.Contains([]string{"pc", "incremental", "nudged", "centred", "montecarlo"}, f.String())
}

// coordinates are those of the rule's model, where inference would move those given.
func (f ruleFlag) coordinates(c arch.Coordinates) arch.Coordinates {
	switch f.name {
	case "feedback", "direct":
		return arch.Feedforward
	}
	return c
}

// nudge is the beta of nudged rules.
const nudge = .1

// sampleStream is the second half of the seed of Monte Carlo's noise.
const sampleStream = 3

// ruleOf is the rule over a model.
func ruleOf[T graph.Float](f ruleFlag, m *arch.Model[T], in inferFlags, seed uint64) train.Rule[T] {
	pc := train.PC[T]{Model: m, Solver: descent[T](in.Rate), Stop: infer.Steps(in.Steps), Seed: seed}
	switch f.name {
	case "incremental":
		return &rules.Incremental[T]{PC: pc}
	case "nudged":
		return &rules.Nudged[T]{PC: pc, Nudge: rules.NudgedCost, Beta: nudge}
	case "centred":
		return &rules.Nudged[T]{PC: pc, Nudge: rules.NudgedCost, Beta: nudge, Sign: rules.Centred}
	case "fixed":
		return &rules.FixedPrediction[T]{PC: pc}
	case "zil":
		return &rules.ZIL[T]{Model: m, Seed: seed}
	case "montecarlo":
		pc.Solver = &infer.Langevin[T]{Rate: in.Rate, Temperature: 1e-3, Source: rand.NewPCG(seed, sampleStream)}
		return &rules.MonteCarlo[T]{PC: pc, BurnIn: in.Steps / 2}
	case "feedback":
		return &rules.FeedbackAlignment[T]{Model: m, Seed: seed}
	case "direct":
		return &rules.DirectFeedback[T]{Model: m, Seed: seed}
	}
	return &pc
}
