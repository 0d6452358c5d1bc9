package study

import (
	"fmt"
	"strings"
	"time"

	"gonum.org/v1/plot/plotter"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/report"
	"github.com/pcgraph/pcgraph/train"
)

// writeStream is the second half of the seed of what a network writes.
const writeStream = 2

// A learner is a network under one rule, and what came of it.
type learner struct {
	name    string // "PC", "BP", or another rule's; of a further seed with it
	kind    string // name without the seed
	seed    uint64
	rule    train.Rule[float32]
	trainer *train.Trainer[float32]
	history *train.History
	trace   []point

	precision float64 // of the output, which the energy is multiplied by where the error is: losses are shown without it
}

// file is what the learner's files begin with.
func (p *learner) file() string { return strings.ReplaceAll(strings.ToLower(p.name), " ", "-") }

// last is the evaluation of the weights that it has: the last one, or the best one where that ended the training.
func (p *learner) last() train.Eval {
	for _, e := range p.history.Evals {
		if e.Step == p.history.Best {
			return e
		}
	}
	return p.history.Last()
}

// perUpdate is the time of an update, in seconds.
func (p *learner) perUpdate() float64 {
	return p.history.Elapsed.Seconds() / float64(max(1, p.history.Steps))
}

// gradients is how many energy gradients an update took.
func (p *learner) gradients() float64 {
	return float64(p.history.Evaluations) / float64(max(1, p.history.Steps))
}

// A point is one training step of a curve.
type point struct {
	step         int
	loss, energy float64
}

// losses are the losses over the steps of training.
func (p *learner) losses() plotter.XYs {
	var xys plotter.XYs
	for _, pt := range p.trace {
		xys = append(xys, plotter.XY{X: float64(pt.step), Y: pt.loss})
	}
	return xys
}

// A setup is the network, the options and the data of both learners: both see the batches in one order and start from the same weights.
type setup struct {
	net   *arch.Network
	flags cli.NetFlags
	learn cli.LearnFlags
	seed  uint64
	train *data.Set
	test  *data.Set
	*cli.RunDir
	keep keepFlags

	validation *data.Set // nil: the test set is what -patience looks at
}

// picks names what the best evaluation is the best on.
func (l *setup) picks() string {
	if l.validation != nil {
		return fmt.Sprintf("the %d training samples that were held out", l.validation.Len())
	}
	return "the test set itself, so that its score is too good (-validation holds samples out)"
}

// newLearner compiles the network for a rule, "BP" or the setup's, from the start that the k-th seed gives.
func (l *setup) newLearner(name string, k uint64) (*learner, error) {
	seed := l.seed + k
	w, err := cli.Start[float32](l.flags, l.net, seed)
	if err != nil {
		return nil, err
	}
	p := &learner{name: name, kind: name, seed: seed, precision: l.flags.Precision}
	if k > 0 {
		p.name = fmt.Sprintf("%s seed %d", name, seed)
	}
	plan := arch.Plan{Batch: min(l.learn.Batch, l.train.Len())}
	if name == "BP" { // whose gradient a precision would only multiply, against an epsilon of Adam that stays
		p.precision, plan.Coordinates = 1, arch.Feedforward
	} else {
		plan.Coordinates = l.learn.Rule.Coordinates(l.flags.Coordinates())
	}
	plan.Energy = l.flags.Energy(p.precision)
	m, err := arch.Compile(l.net, w, plan)
	if err != nil {
		return nil, err
	}
	if name == "BP" {
		p.rule = &train.Backprop[float32]{Model: m, Seed: seed}
	} else {
		p.rule = l.learn.NewRule(m, seed)
	}
	return p, nil
}

// adamEpsilon is the epsilon of Adam for a gradient that has not been multiplied by anything.
const adamEpsilon = 1e-8

// optimizer is that of a learner's weights. A precision of the output multiplies gradients; with epsilon multiplied likewise Adam's step
// is that of the unscaled gradient.
func (l *setup) optimizer(p *learner) optim.Optimizer[float32] {
	w := p.rule.Subject().Weights
	var o optim.Optimizer[float32] = &optim.AdamW[float32]{Rate: l.learn.LR, Decay: l.learn.Decay, Eps: adamEpsilon * p.precision, Spans: train.AdamSpans(l.net, w)}
	if l.learn.Clip > 0 { // of the gradient without the output's precision
		o = &optim.Clip[float32]{Max: l.learn.Clip * p.precision, Opt: o}
	}
	if l.learn.Normalise {
		return &optim.Standardize[float32]{Opt: o, Parts: train.MetaPCNDeviations(l.net, w)}
	}
	return o
}

// A StepLine is a training step in metrics.jsonl. All but Seconds depends on the options alone.
type StepLine struct {
	Kind       string             `json:"kind"` // "step"
	Rule       string             `json:"rule"`
	Step       int                `json:"step"`
	Epoch      int                `json:"epoch"`
	Loss       float64            `json:"loss"` // of the batch before the update, without the output's precision
	Energy     float64            `json:"energy"`
	Terms      map[string]float64 `json:"terms"`
	Status     string             `json:"status,omitempty"`
	Steps      int                `json:"inference_steps"`
	Residual   *float64           `json:"residual,omitempty"`
	Rate       float64            `json:"rate"` // of the weights
	GradNorm   float64            `json:"grad_norm"`
	WeightNorm float64            `json:"weight_norm"`
	Seconds    float64            `json:"seconds"`
}

// An EvalLine is an evaluation in metrics.jsonl.
type EvalLine struct {
	Kind     string  `json:"kind"` // "eval"
	Rule     string  `json:"rule"`
	Step     int     `json:"step"`
	Samples  int     `json:"samples"`
	Loss     float64 `json:"loss"` // squared error per sample, or cross-entropy per label in nats
	Accuracy float64 `json:"accuracy"`
	Seconds  float64 `json:"seconds"`

	Averaged   *train.Score `json:"averaged,omitempty"`   // of the averaged weights
	Validation *train.Score `json:"validation,omitempty"` // of what -patience looks at
}

func evalLineOf(name string, e train.Eval, loss float64) EvalLine {
	return EvalLine{Kind: "eval", Rule: name, Step: e.Step, Samples: e.Samples, Loss: loss, Accuracy: e.Accuracy, Seconds: e.Elapsed.Seconds(), Averaged: e.Averaged, Validation: e.Stop}
}

func (l *setup) evalLine(name string, e train.Eval) EvalLine {
	return evalLineOf(name, e, l.loss(e.Score))
}

// result is what a learner came to, for the manifest.
func (l *setup) result(p *learner) map[string]any {
	r := map[string]any{"test": l.evalLine(p.name, p.last()), "updates": p.history.Steps, "gradients_per_update": p.gradients()}
	if p.history.Best > 0 {
		r["best"], r["stopped"] = p.history.Best, p.history.Stopped
	}
	return r
}

// loss is the test loss as the setup's likelihood has it.
func (l *setup) loss(e train.Score) float64 {
	if l.flags.Loss.CE {
		return e.CrossEntropy
	}
	return e.Loss
}

// An observer shows the progress of a learner's training and writes its metrics.
type observer struct {
	learner *learner
	console *cli.Console
	add     func(line any) error // to metrics.jsonl
	classes bool                 // evaluations have an accuracy
	begin   func(train.Step[float32])

	show  *report.Progress // nil before the first step
	score float64          // the last accuracy
}

// step is called after every update; terms are the names of s.Terms.
func (o *observer) step(terms []string, s train.Step[float32]) error {
	p := o.learner
	if o.show == nil {
		if o.begin != nil {
			o.begin(s)
		}
		o.show = o.console.Progress(p.name, "step")
		o.show.Start = o.show.Start.Add(-s.Elapsed)
	}
	loss := s.Loss / p.precision
	o.show.Step(s.Step, s.Total, func() string {
		text := losses(loss, s.Energy)
		if o.score > 0 {
			text += fmt.Sprintf("  accuracy %5.2f %%", 100*o.score)
		}
		return text
	})
	p.trace = append(p.trace, point{step: s.Step, loss: loss, energy: s.Energy})
	line := StepLine{Kind: "step", Rule: p.name, Step: s.Step, Epoch: s.Epoch, Loss: loss, Energy: s.Energy,
		Terms: make(map[string]float64, len(terms)), Rate: s.Rate, GradNorm: s.GradNorm(), WeightNorm: s.WeightNorm(), Seconds: s.Elapsed.Seconds()}
	for i, name := range terms {
		line.Terms[name] = s.Terms[i]
	}
	if in := s.Inference; in.Status != infer.Running {
		line.Status, line.Steps, line.Residual = in.Status.String(), in.Step, &in.Residual
	}
	return o.add(line)
}

// eval is called after every evaluation.
func (o *observer) eval(e train.Eval, loss float64) error {
	if o.classes {
		o.score = e.Accuracy
	}
	return o.add(evalLineOf(o.learner.name, e, loss))
}

// end ends the progress.
func (o *observer) end() {
	o.console.Doing("looking at what was learned")
	if o.show == nil {
		return
	}
	o.show.End()
	if o.score > 0 && !o.console.Terminal {
		o.console.Printf("%-4s test accuracy %5.2f %% at the end\n", o.learner.name, 100*o.score)
	}
}

// fit trains a learner, with progress and metrics. What it has after an interruption or an error is in the learner.
func (l *setup) fit(c *cli.Console, p *learner) error {
	checkpoint, rec, err := l.keep.checkpoint(p, l.Folder, c.KeepNow())
	if err != nil {
		return err
	}
	o := &observer{learner: p, console: c, add: rec.add, classes: l.test.Classes() > 0, begin: func(s train.Step[float32]) {
		if s.Step > 1 {
			c.Printf("%-4s goes on after step %d of %d, from %s\n", p.name, s.Step-1, s.Total, checkpoint.File)
		}
	}}
	terms := p.rule.Subject().Terms
	var failed error
	var looks *looks // nil unless a page shows the run
	total := l.learn.Updates(l.train)
	if l.learn.Limit > 0 {
		total = min(total, l.learn.Limit)
	}
	t := &train.Trainer[float32]{
		Rule:      p.rule,
		Optimizer: l.optimizer(p),
		Train:     l.train, Test: l.test,
		Batch: l.learn.Batch, Epochs: l.learn.Epochs, MaxSteps: l.learn.Limit, Seed: p.seed, EvalEvery: l.learn.EvalEvery,
		Divergence: l.learn.OnDivergence.Divergence, Checkpoint: checkpoint,
		Schedule: l.learn.Schedule.Over(total), LabelSmoothing: l.learn.Smoothing, WeightAverage: l.learn.EMA,
		EarlyStop: train.EarlyStop{Patience: l.learn.Patience, On: l.validation},
		OnSkip:    func(step int, why error) { c.Printf("%-4s batch %d is left out: %v\n", p.name, step, why) },
		OnStep: func(s train.Step[float32]) {
			failed = cli.First(failed, o.step(terms, s), looks.after())
			c.Pass()
		},
		OnEval: func(e train.Eval) { failed = cli.First(failed, o.eval(e, l.loss(e.Score))) },
	}
	if looks, err = l.newLooks(c, p, rec.add); err != nil {
		return err
	}
	if looks != nil {
		t.OnGradient = looks.before
	}
	p.trainer = t
	c.Doing(p.name + " learns")
	p.history, err = t.Run(c.Context)
	o.end()
	if o.show == nil && err == nil && !p.history.Interrupted {
		c.Printf("%-4s was at its end, after step %d, in %s\n", p.name, p.history.Steps, checkpoint.File)
	}
	return cli.First(err, failed)
}

// losses are what a training step came to, for the line of progress.
func losses(loss, energy float64) string {
	return fmt.Sprintf("loss %-9s  energy %-9s", report.Number(loss), report.Number(energy))
}

// seconds is the training time so far, rounded for reading.
func (p *learner) seconds() time.Duration { return p.history.Elapsed.Round(10 * time.Millisecond) }
