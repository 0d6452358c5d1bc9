package benchmark

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/rules"
)

// A method is a row of the table of learning rules.
type method struct {
	name  string
	title string   // in a sentence
	takes []string // settings of Rule that it has, beside name and loss
	pass  bool     // its model has no activities that move: a feedforward pass
	auto  bool     // its inference may be left to infer.Auto
	// gradients are how many gradients of the energy one batch takes, about, for the cost.
	gradients func(Cell) float64
	build     func(c Cell, pc train.PC[float32], perEpoch int) train.Rule[float32]
}

var (
	descends = []string{"steps", "rate", "momentum", "solver", "precision"}
	moves    = append([]string{"errors", "rest"}, descends...)
	nudges   = append([]string{"nudge", "sign", "beta", "growth"}, moves...)
)

// autoSteps are about how many steps inference takes that ends where autoRest or more of the gradient are left.
const (
	autoSteps = 12
	autoRest  = .05
)

func steps(c Cell) float64 {
	if c.Rule.Solver == auto && c.Rule.Rest >= autoRest {
		return min(autoSteps, float64(c.Rule.Steps))
	}
	return float64(c.Rule.Steps)
}

func none(Cell) float64 { return 0 }

// Settings that the papers leave open, as those of the command demo.
const (
	restingWeight  = 1e-3
	averageRate    = .01
	recallCapacity = 512
	recallWidth    = .1
	highwayStd     = .01
	feedbackRate   = .1
	feedbackDecay  = .01
	temperature    = 1e-3
)

// methods is the one table of learning rules.
var methods = []method{
	{name: "bp", title: "backprop", pass: true, gradients: none,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &train.Backprop[float32]{Model: pc.Model, Seed: c.Seed}
		}},
	{name: "pc", title: "predictive coding", takes: moves, auto: true, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] { return &pc }},
	{name: "incremental", title: "incremental predictive coding (iPC)", takes: append([]string{"errors"}, descends...), gradients: func(c Cell) float64 { return 3 * steps(c) },
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.Incremental[float32]{PC: pc}
		}},
	{name: "nudged", title: "nudged predictive coding", takes: nudges, auto: true,
		gradients: func(c Cell) float64 {
			if signs[c.Rule.Sign] == rules.Centred {
				return 2 * steps(c)
			}
			return steps(c)
		},
		build: func(c Cell, pc train.PC[float32], perEpoch int) train.Rule[float32] {
			r := rules.Nudged[float32]{PC: pc, Nudge: rules.NudgedCost, Beta: c.Rule.Beta, Sign: signs[c.Rule.Sign]}
			if c.Rule.Nudge == "target" {
				r.Nudge = rules.NudgedTarget
			}
			if c.Rule.Growth == 0 {
				return &r
			}
			return &growing{Nudged: r, First: c.Rule.Beta, Growth: c.Rule.Growth, PerEpoch: perEpoch, Epochs: c.Learn.Epochs}
		}},
	{name: "redblack", title: "red-black nudging with projections", takes: []string{"steps", "beta", "sign"}, pass: true,
		gradients: func(c Cell) float64 {
			if signs[c.Rule.Sign] == rules.Centred {
				return 2 * steps(c)
			}
			return steps(c)
		},
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.RedBlack[float32]{Model: pc.Model, Beta: c.Rule.Beta, Sign: signs[c.Rule.Sign], Iterations: c.Rule.Steps, Seed: c.Seed}
		}},
	{name: "forward", title: "predictive coding with the forward update", takes: descends, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.Scheduled[float32]{PC: pc, Update: rules.ForwardUpdate}
		}},
	{name: "spiking", title: "spiking precisions with the forward update", takes: descends, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.Scheduled[float32]{PC: pc, Schedule: rules.Spiking{Rest: restingWeight}, Update: rules.ForwardUpdate}
		}},
	{name: "decaying", title: "decaying precisions with the forward update", takes: descends, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.Scheduled[float32]{PC: pc, Schedule: rules.Decaying{}, Update: rules.ForwardUpdate}
		}},
	{name: "average", title: "predictive coding from average activities", takes: moves, auto: true, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			pc.Start = &train.Average[float32]{Rate: averageRate}
			return &pc
		}},
	{name: "recall", title: "predictive coding from recalled activities", takes: moves, auto: true, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			in, _ := pc.Model.Sizes()
			pc.Start = &train.Recall[float32]{Capacity: recallCapacity, Width: recallWidth * math.Sqrt(float64(in))}
			return &pc
		}},
	{name: "highways", title: "predictive coding with error highways", takes: descends, gradients: steps,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.Highways[float32]{PC: pc, Strength: 1, Std: highwayStd, Draw: c.Seed}
		}},
	{name: "fixed", title: "predictive coding with fixed predictions", takes: descends, gradients: steps,
		build: func(_ Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.FixedPrediction[float32]{PC: pc}
		}},
	{name: "zil", title: "zero-divergence inference learning", gradients: func(c Cell) float64 { return 3 * float64(c.Net.blocks()) },
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.ZIL[float32]{Model: pc.Model, Seed: c.Seed}
		}},
	{name: "montecarlo", title: "Monte Carlo predictive coding", takes: []string{"errors", "steps", "rate", "precision"}, gradients: steps,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			pc.Solver = &infer.Langevin[float32]{Rate: c.Rule.Rate, Temperature: temperature, Source: rand.NewPCG(c.Seed, sampleStream)}
			return &rules.MonteCarlo[float32]{PC: pc, BurnIn: c.Rule.Steps / 2}
		}},
	{name: "pcalm", title: "predictive coding by the method of multipliers (PC-ALM)", takes: []string{"steps", "rate", "precision"}, gradients: steps,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.PCALM[float32]{Model: pc.Model, Seed: c.Seed, Ascent: 1, Steps: c.Rule.Steps, Rate: c.Rule.Rate}
		}},
	{name: "feedback", title: "feedback alignment", pass: true, gradients: none,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.FeedbackAlignment[float32]{Model: pc.Model, Seed: c.Seed}
		}},
	{name: "direct", title: "direct feedback alignment", pass: true, gradients: none,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.DirectFeedback[float32]{Model: pc.Model, Seed: c.Seed}
		}},
	{name: "kolenpollack", title: "direct Kolen-Pollack feedback", pass: true, gradients: none,
		build: func(c Cell, pc train.PC[float32], _ int) train.Rule[float32] {
			return &rules.KolenPollack[float32]{DirectFeedback: rules.DirectFeedback[float32]{Model: pc.Model, Seed: c.Seed}, Rate: feedbackRate, Decay: feedbackDecay}
		}},
}

// Second halves of the seed: of the weights, and of Monte Carlo's noise.
const (
	weightStream = 1
	sampleStream = 3
)

// signs of beta by name.
var signs = map[string]rules.Sign{"": rules.Positive, "positive": rules.Positive, "negative": rules.Negative, "centred": rules.Centred, "random": rules.RandomSign}

// Solvers.
const (
	descent = "descent"
	auto    = "auto"
)

// RuleNames are the learning rules.
var RuleNames = func() (names []string) {
	for _, m := range methods {
		names = append(names, m.name)
	}
	return names
}()

// RuleTitle is a rule in words; empty for a name that is none.
func RuleTitle(name string) string {
	m, _ := ruleNamed(name)
	return m.title
}

func ruleNamed(name string) (method, bool) {
	i := slices.IndexFunc(methods, func(m method) bool { return m.name == name })
	if i < 0 {
		return method{}, false
	}
	return methods[i], true
}

// blocks is how many blocks the network has.
func (n Net) blocks() int {
	switch n.Kind {
	case "resmlp":
		return n.Depth
	case "vgg":
		return len(n.Channels) + 1
	case "transformer":
		return n.Depth + 2
	}
	return len(n.Hidden) + 1
}

// kinked reports whether the slope of the activation jumps: activities rest on kinks then, at which the gradient never gets small.
func (n Net) kinked() bool {
	return n.Kind != "transformer" && slices.Contains([]string{"relu", "leaky_relu", "hard_tanh", "selu"}, n.Act)
}

// Settled is the rule with the settings that were left out: where inference can be left to infer.Auto, that until 5 % of the gradient are
// left, or 64 steps; otherwise 16 steps of .1 on activities, 8 of .4 on errors; as many sweeps as blocks of red-black nudging, twice as many
// steps as blocks of multipliers; a beta of .1, centred.
func (r Rule) Settled(n Net) Rule {
	m, known := ruleNamed(r.Name)
	if !known {
		return r
	}
	has := func(s string) bool { return slices.Contains(m.takes, s) }
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	if has("beta") {
		if r.Sign == "" && r.Beta == 0 {
			r.Sign = "centred"
		}
		or(&r.Beta, .1)
	}
	switch {
	case r.Name == "redblack":
		orInt(&r.Steps, n.blocks()+1)
	case r.Name == "pcalm":
		orInt(&r.Steps, 2*n.blocks())
	case m.auto && (r.Solver == auto || r.Solver == "" && r.Steps == 0 && r.Rate == 0 && r.Momentum == 0 && !n.kinked()):
		r.Solver = auto
		orInt(&r.Steps, 64)
		or(&r.Rest, autoRest)
	case has("rate"):
		if r.Errors {
			orInt(&r.Steps, 8)
			or(&r.Rate, .4)
		}
		orInt(&r.Steps, 16)
		or(&r.Rate, .1)
	}
	return r
}

// validate reports names and settings that the rule does not have.
func (r Rule) validate() error {
	m, known := ruleNamed(r.Name)
	if !known {
		return Unknown("rule", r.Name, RuleNames)
	}
	if r.Loss != "" && r.Loss != "se" && r.Loss != "ce" {
		return Unknown("loss", r.Loss, []string{"se", "ce"})
	}
	if r.Solver != "" && r.Solver != auto && r.Solver != descent {
		return Unknown("solver", r.Solver, []string{auto, descent})
	}
	if r.Nudge != "" && r.Nudge != "cost" && r.Nudge != "target" {
		return Unknown("nudge", r.Nudge, []string{"cost", "target"})
	}
	if _, known := signs[r.Sign]; !known {
		return Unknown("sign", r.Sign, []string{"positive", "negative", "centred", "random"})
	}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "name" && name != "loss" && !v.Field(i).IsZero() && !slices.Contains(m.takes, name) {
			has := "it has no settings but loss"
			if len(m.takes) > 0 {
				has = "it has " + strings.Join(m.takes, ", ")
			}
			return errors.Errorf("rule %s has no setting %q: %s", r.Name, name, has)
		}
	}
	switch {
	case r.Solver == auto && !m.auto:
		return errors.Errorf("rule %s: solver auto is for rules that relax to an equilibrium: give steps and rate", r.Name)
	case r.Solver == auto && (r.Rate != 0 || r.Momentum != 0):
		return errors.Errorf("rule %s: solver auto measures its rate: leave out rate and momentum, or the solver", r.Name)
	case r.Solver != auto && r.Rest != 0:
		return errors.Errorf("rule %s: rest is for solver auto", r.Name)
	case !(r.Precision >= 0) || r.Precision != 0 && !(r.Precision >= 1e-6 && r.Precision <= 1e6):
		return errors.Errorf("rule %s: precision %g: want 1e-6 to 1e6", r.Name, r.Precision)
	case !(r.Beta >= 0) || !(r.Rest >= 0 && r.Rest < 1) || r.Steps < 0 || r.Steps > 1<<20 || !(r.Rate >= 0) || !(r.Momentum >= 0 && r.Momentum < 1):
		return errors.Errorf("rule %s: beta %g, rest %g, steps %d, rate %g, momentum %g: want none below 0, rest and momentum below 1 (the sign of beta is sign)", r.Name, r.Beta, r.Rest, r.Steps, r.Rate, r.Momentum)
	}
	return nil
}

// energy is the functional of the loss at a precision of the output, 0 for 1.
func (r Rule) energy(precision float64) energy.Functional {
	if r.Loss == "ce" {
		return energy.PC{Output: energy.Categorical{Precision: precision}}
	}
	return energy.PC{Output: energy.Gaussian{Precision: precision}}
}

// compile compiles the network for the rule.
func (c Cell) compile(net *arch.Network, w *graph.Vector[float32], batch int) (*arch.Model[float32], error) {
	m, known := ruleNamed(c.Rule.Name)
	if !known {
		return nil, Unknown("rule", c.Rule.Name, RuleNames)
	}
	coordinates := arch.Activities
	switch {
	case m.pass:
		coordinates = arch.Feedforward
	case c.Rule.Errors:
		coordinates = arch.Errors
	}
	return arch.Compile(net, w, arch.Plan{Batch: batch, Energy: c.Rule.energy(c.Rule.Precision), Coordinates: coordinates})
}

// rule is the learning rule over a model.
func (c Cell) rule(m *arch.Model[float32], perEpoch int) (train.Rule[float32], error) {
	method, _ := ruleNamed(c.Rule.Name)
	pc := train.PC[float32]{Model: m, Seed: c.Seed, Stop: infer.Steps(c.Rule.Steps)}
	switch {
	case c.Rule.Solver == auto:
		pc.Solver, pc.Stop = &infer.Auto[float32]{}, infer.Any{infer.Stationary{Rel: c.Rule.Rest}, infer.Steps(c.Rule.Steps)}
	case c.Rule.Momentum > 0:
		pc.Solver = &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: c.Rule.Rate, Mu: c.Rule.Momentum}}
	default:
		pc.Solver = &infer.Descent[float32]{Optimizer: &optim.SGD[float32]{Rate: c.Rule.Rate}}
	}
	r := method.build(c, pc, perEpoch)
	if v, can := r.(interface{ Validate() error }); can {
		return r, v.Validate()
	}
	return r, nil
}

// growing is nudging of the target whose beta grows from epoch to epoch.
type growing struct {
	rules.Nudged[float32]
	First, Growth    float64
	PerEpoch, Epochs int

	seen counter
}

// Gradient is that of the epoch's beta.
func (r *growing) Gradient(grad, x, y []float32, batch int) (train.Report, error) {
	away := r.Sign
	defer func() { r.Beta, r.Sign = r.First, away }()
	epoch := min(int(r.seen)/r.PerEpoch, r.Epochs-1)
	if r.Beta = r.First + float64(epoch)*r.Growth; r.Beta > 1+1e-9 {
		r.Beta, r.Sign = 1, rules.Positive
	}
	r.seen++
	return r.Nudged.Gradient(grad, x, y, batch)
}

// Memory is that of the nudging and the number of batches.
func (r *growing) Memory() train.Memory {
	ms := r.Nudged.Memory().(train.Memories)
	ms["batches"] = &r.seen
	return ms
}

// A counter counts batches.
type counter uint64

// MarshalBinary is the number in text.
func (c *counter) MarshalBinary() ([]byte, error) { return marshal(*c) }

// UnmarshalBinary restores it.
func (c *counter) UnmarshalBinary(text []byte) error { return unmarshal(text, c) }

// Check reports what the cell's training would fail for before its first step: names and settings that do not exist, and a rule that does
// not fit the network, with those that do.
func (c Cell) Check() error {
	if err := c.settings(); err != nil {
		return errors.WithMessagef(err, "row %s", c.Row)
	}
	training, _, err := c.Data.load(c.Seed)
	if err != nil {
		return errors.WithMessagef(err, "row %s", c.Row)
	}
	return errors.WithMessagef(c.fits(training), "row %s", c.Row)
}

// settings are the errors of names and numbers.
func (c Cell) settings() error {
	if err := c.Rule.validate(); err != nil {
		return err
	}
	return c.Learn.validate()
}

// fits reports a network that the data do not fit, and a rule that does not fit the network.
func (c Cell) fits(set *data.Set) error {
	net, err := c.Net.network(set)
	if err != nil {
		return err
	}
	if c.Rule.Loss == "ce" && set.Classes() == 0 {
		return errors.Errorf("loss ce is for classes, and %s is a regression: use se", set.Name)
	}
	if c.Rule.Loss == "ce" && len(set.OutShape()) > 1 && c.Net.Kind != "transformer" {
		return errors.Errorf("loss ce of a chain is one softmax over all outputs, and every token of %s has a class of its own: use se, or the network transformer", set.Name)
	}
	w, err := arch.NewWeights[float32](net, rand.New(rand.NewPCG(c.Seed, weightStream)))
	if err != nil {
		return err
	}
	try := func(r Rule) error {
		with := c
		with.Rule = r
		m, err := with.compile(net, w, min(2, c.Learn.Batch))
		if err == nil {
			_, err = with.rule(m, 1)
		}
		return err
	}
	err = try(c.Rule)
	if err == nil {
		return nil
	}
	var fit []string
	for _, name := range RuleNames {
		if name != c.Rule.Name && try(Rule{Name: name, Loss: c.Rule.Loss}.Settled(c.Net)) == nil {
			fit = append(fit, name)
		}
	}
	return errors.Errorf("rule %s does not fit the %s: %v: of this network and loss the rules that fit, with their usual settings, are %s", c.Rule.Name, c.Net.Title(), err, strings.Join(fit, ", "))
}
