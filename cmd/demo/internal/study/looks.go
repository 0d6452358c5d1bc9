package study

import (
	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/cmd/demo/internal/cli"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
	"github.com/pcgraph/pcgraph/train/analysis"
)

// looks looks closer at a training that a page shows, at the updates after which it is evaluated: norms by weight, the angle to
// backprop's gradient, the energy along inference. It computes on models of its own, so that the training is the same with it.
type looks struct {
	p     *learner
	every int
	add   func(line any) error
	bp    *train.Backprop[float32]
	pc    *train.PC[float32] // nil for rules whose inference is not that of PC
	grad  []float32
	line  *LayersLine
}

// A LayersLine is such a look in metrics.jsonl.
type LayersLine struct {
	Kind      string               `json:"kind"` // "layers"
	Rule      string               `json:"rule"`
	Step      int                  `json:"step"`
	Grad      map[string]float64   `json:"grad"`                // l2 norms of the gradient, by weight
	Weights   map[string]float64   `json:"weights"`             // of the weights
	Cosine    map[string]float64   `json:"cosine,omitempty"`    // to backprop's gradient, by weight and "all"
	Inference []map[string]float64 `json:"inference,omitempty"` // energies by term at every evaluation of one batch's inference
}

// newLooks is nil unless a page shows the run.
func (l *setup) newLooks(c *cli.Console, p *learner, add func(line any) error) (*looks, error) {
	if !c.Watched() {
		return nil, nil
	}
	k := &looks{p: p, every: l.learn.EvalEvery, add: add}
	w := p.rule.Subject().Weights
	compiled := func(coordinates arch.Coordinates) (*arch.Model[float32], error) {
		return arch.Compile(l.net, w, arch.Plan{Batch: min(l.learn.Batch, l.train.Len()), Coordinates: coordinates, Energy: l.flags.Energy(p.precision)})
	}
	if p.kind == "BP" {
		return k, nil
	}
	m, err := compiled(arch.Feedforward)
	if err != nil {
		return nil, err
	}
	k.bp, k.grad = &train.Backprop[float32]{Model: m, Seed: p.seed}, make([]float32, len(w.Data()))
	if pc, is := p.rule.(*train.PC[float32]); is {
		if m, err = compiled(pc.Model.Plan().Coordinates); err != nil {
			return nil, err
		}
		k.pc, _ = l.learn.NewRule(m, p.seed).(*train.PC[float32])
	}
	return k, nil
}

// before looks at a gradient and the weights that it was taken at.
func (k *looks) before(s train.Step[float32]) error {
	if s.Step != 1 && s.Step != s.Total && (k.every == 0 || s.Step%k.every != 0) {
		return nil
	}
	w := k.p.rule.Subject().Weights
	k.line = &LayersLine{Kind: "layers", Rule: k.p.name, Step: s.Step, Grad: make(map[string]float64), Weights: make(map[string]float64)}
	for i, f := range w.Fields() {
		k.line.Grad[f.Name], k.line.Weights[f.Name] = optim.Norm(w.Part(s.Grad, i)), optim.Norm(w.Part(s.Weights, i))
	}
	if k.bp == nil {
		return nil
	}
	if _, err := k.bp.Gradient(k.grad, s.X, s.Y, s.Samples); err != nil {
		return err
	}
	k.line.Cosine = map[string]float64{"all": analysis.Agree(s.Grad, k.grad).Cosine}
	for i, f := range w.Fields() {
		k.line.Cosine[f.Name] = analysis.Agree(w.Part(s.Grad, i), w.Part(k.grad, i)).Cosine
	}
	if k.pc == nil {
		return nil
	}
	b, err := k.pc.Begin(s.X, s.Y, s.Samples)
	if err != nil {
		return err
	}
	m := b.Model()
	moments, _, err := analysis.Trace(m, k.pc.Solver, k.pc.Stop)
	if err != nil {
		return err
	}
	for _, at := range moments {
		terms := make(map[string]float64, len(at.Terms))
		for i, t := range m.Terms() {
			terms[t] = at.Terms[i]
		}
		k.line.Inference = append(k.line.Inference, terms)
	}
	return nil
}

// after writes what before saw.
func (k *looks) after() error {
	if k == nil || k.line == nil {
		return nil
	}
	line := k.line
	k.line = nil
	return k.add(line)
}
