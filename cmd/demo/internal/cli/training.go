package cli

import (
	"fmt"
	"strings"

	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// A schedule is a row of the table of schedules of the learning rate that -schedule chooses from.
type schedule struct {
	name, note string
	of         func(total int) train.Schedule
}

// schedules is the one table of schedules; the first row is the default, no schedule.
var schedules = []schedule{
	{"constant", "", func(int) train.Schedule { return nil }},
	{"cosine", "falls to nothing by half a cosine", func(int) train.Schedule { return train.CosineDecay{} }},
	{"warmup", "rises from nothing over a tenth of the updates, then as cosine", func(int) train.Schedule { return train.WarmUp{Part: .1, Then: train.CosineDecay{}} }},
	{"pcx", "rises by a tenth over a tenth of the updates, then falls to a tenth by half a cosine", func(int) train.Schedule {
		return train.WarmUp{Part: .1, From: 1, Then: train.CosineDecay{From: 1.1, To: .1}}
	}},
	{"step", "a tenth of it after every third of the updates", func(total int) train.Schedule { return train.StepDecay{Every: (total + 2) / 3, By: .1} }},
}

// A ScheduleFlag is a schedule by name. Its zero value is constant.
type ScheduleFlag struct{ name string }

// UnmarshalText is called by kong.
func (f *ScheduleFlag) UnmarshalText(name []byte) error {
	if f.name = string(name); f.name == schedules[0].name {
		f.name = ""
	}
	return knownRow("schedule", string(name), schedules, func(s schedule) string { return s.name })
}

// MarshalText writes the name.
func (f ScheduleFlag) MarshalText() ([]byte, error) {
	if f.name == "" {
		return []byte(schedules[0].name), nil
	}
	return []byte(f.name), nil
}

// Name is the name; empty for the constant rate.
func (f ScheduleFlag) Name() string { return f.name }

// Over is the schedule of a training of so many updates; nil for the constant rate.
func (f ScheduleFlag) Over(total int) train.Schedule {
	for _, s := range schedules {
		if s.name == f.name {
			return s.of(total)
		}
	}
	return nil
}

// Names of solvers that more than their row knows.
const (
	defaultSolver = "default"
	autoSolver    = "auto"
	descentSolver = "descent"
	newtonSolver  = "newton"
)

// A trainSolver is a row of the table of solvers that -solver of demo train chooses from.
type trainSolver struct {
	name, note string
	words      string // of the report
	rests      bool   // stops once AutoRest of the gradient are left, after AutoSteps or -steps at most
	of         func(rate, momentum float64) infer.Solver[float32]
}

// trainSolvers is the one table of them; the first row is the default.
var trainSolvers = []trainSolver{
	{defaultSolver, "auto where it goes well, otherwise descent", "", false, descend},
	{autoSolver, "accelerated descent at a rate that is measured", "accelerated inference at a measured rate", true,
		func(_, _ float64) infer.Solver[float32] { return &infer.Auto[float32]{} }},
	{descentSolver, "-steps of -rate, with -momentum", "", false, descend},
	{"lbfgs", "L-BFGS, no rate", "inference by L-BFGS", true,
		func(_, _ float64) infer.Solver[float32] { return &infer.LBFGS[float32]{} }},
	{newtonSolver, "Gauss-Newton, with -errors, no rate", "inference by Gauss-Newton", true,
		func(_, _ float64) infer.Solver[float32] { return &infer.Newton[float32]{} }},
}

// descend is plain descent, or one with momentum.
func descend(rate, momentum float64) infer.Solver[float32] {
	if momentum > 0 {
		return &infer.Descent[float32]{Optimizer: &optim.Momentum[float32]{Rate: rate, Mu: momentum}}
	}
	return Descent[float32](rate)
}

// A SolverFlag is a solver of inference by name. Its zero value is the default.
type SolverFlag struct{ name string }

// UnmarshalText is called by kong.
func (f *SolverFlag) UnmarshalText(name []byte) error {
	f.name = string(name)
	return knownRow("solver", f.name, trainSolvers, func(s trainSolver) string { return s.name })
}

// MarshalText writes the name.
func (f SolverFlag) MarshalText() ([]byte, error) { return []byte(f.Name()), nil }

// Name is the name.
func (f SolverFlag) Name() string {
	if f.name == "" {
		return defaultSolver
	}
	return f.name
}

// solver is the row that settled flags choose.
func (f LearnFlags) solver() trainSolver {
	name := f.Solver.Name()
	if f.Auto {
		name = autoSolver
	}
	for _, s := range trainSolvers {
		if s.name == name {
			return s
		}
	}
	return trainSolvers[0]
}

// most is how many steps an inference that stops by itself makes at most.
func (f LearnFlags) most() int {
	if f.GivenSteps != nil {
		return *f.GivenSteps
	}
	return AutoSteps
}

// Descends reports whether inference is descent by -steps of -rate.
func (f LearnFlags) Descends() bool { return f.Rule.Infers() && !f.solver().rests }

// SolvesErrors reports whether the solver needs the coordinates of errors.
func (f LearnFlags) SolvesErrors() bool { return f.Solver.Name() == newtonSolver }

// Inference says how inference is made, in the coordinates given in words.
func (f LearnFlags) Inference() string {
	s := f.solver()
	if s.rests && f.Rule.TakesSolver() {
		return fmt.Sprintf("%s until %g %% of the gradient are left, %d steps at most,", s.words, 100*AutoRest, f.most())
	}
	text := f.InferFlags.String()
	if f.Momentum > 0 {
		text += fmt.Sprintf(" and momentum %g", f.Momentum)
	}
	return text
}

// listed writes the rows of a table for a help text.
func listed[R any](table []R, of func(R) (name, note string)) string {
	var list []string
	for _, r := range table {
		name, note := of(r)
		if note != "" {
			name += " (" + note + ")"
		}
		list = append(list, name)
	}
	return strings.Join(list, "; ")
}
