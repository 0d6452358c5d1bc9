package rules

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/train"
)

// TargetProp is difference target propagation (Lee et al. 2015, arXiv 1412.7525): hidden sites of a chain mu_l = f_l(mu_{l-1})
// have targets, which blocks g_l backwards make of each other,
//
//	t_{L-1} = mu_{L-1} - Step dloss_i/dmu_{L-1},  t_{l-1} = mu_{l-1} - g_l(mu_l) + g_l(t_l)
//
// and every forward block learns from its own 1/(2 Step B) sum_i |t_l - f_l(mu_{l-1})|^2 with all else constant, the last one
// from the loss. (Divided by Step, so that all blocks learn at a rate like the loss's.) Backward blocks learn to invert with
// noise of the standard deviation Noise,
//
//	1/2B sum_i |g_l(f_l(u)) - u|^2,  u = mu_{l-1} + noise
//
// The network is a chain with a block that Predicts the site before for each hidden block but the first: as
// arch.Bidirectional describes, whose back1 and last back block this rule leaves alone.
type TargetProp[T graph.Float] struct {
	Model *arch.Model[T] // in arch.Feedforward coordinates
	Step  float64        // of the first target, above 0
	Noise float64        // 0 or more
	Seed  uint64         // of the noise

	draws    train.Random
	noise    map[*localProgram[T]][][]T
	programs programs[T]
	made     inverting // what programs were built for
}

// inverting is what a graph of target propagation depends on beside the model.
type inverting struct {
	step  float64
	noisy bool
}

var _ train.Rule[float32] = (*TargetProp[float32])(nil)

// Validate reports a missing model, one in other coordinates or that is no chain, blocks backwards that are missing, and a
// step or noise that make no sense.
func (r *TargetProp[T]) Validate() error {
	if err := validateChain(r.Model); err != nil {
		return errors.WithMessage(err, "TargetProp")
	}
	if !(r.Step > 0) || math.IsInf(float64(T(r.Step)), 0) || math.IsInf(float64(T(1/r.Step)), 0) || T(1/r.Step) == 0 {
		return errors.Errorf("TargetProp: Step %v: want a positive number, such as .1", r.Step)
	}
	if !(r.Noise >= 0) || math.IsInf(float64(T(r.Noise)), 0) {
		return errors.Errorf("TargetProp: Noise %v: want a finite number of zero or more", r.Noise)
	}
	chain, _ := chainOf(r.Model.Network())
	_, err := r.inverses(chain)
	return errors.WithMessage(err, "TargetProp")
}

// inverses finds the blocks backwards: of place l of the chain, from its site to that before; -1 where none is needed.
func (r *TargetProp[T]) inverses(chain []int) ([]int, error) {
	n := r.Model.Network()
	inverse := make([]int, len(chain))
	for l := range chain {
		inverse[l] = -1
		if l == 0 || l == len(chain)-1 {
			continue
		}
		site, before := n.Blocks[chain[l]].Name, n.Blocks[chain[l-1]].Name
		for i, b := range n.Blocks {
			if from := n.From(i); b.Predicts == before && len(from) == 1 && from[0] == site {
				inverse[l] = i
			}
		}
		if inverse[l] < 0 {
			return nil, errors.Errorf("no block predicts %q from %q alone: targets are brought back by one, as in arch.Bidirectional", before, site)
		}
		if b := n.Blocks[inverse[l]]; b.Shares != "" || b.Precision != arch.FixedPrecision {
			return nil, errors.Errorf("block %q shares weights or learns a precision: an inverse has weights of its own", b.Name)
		}
	}
	return inverse, nil
}

// draw draws the graph for a batch size.
func (r *TargetProp[T]) build(batch int) (*localGraph[T], error) {
	p, err := newPass(r.Model, batch)
	if err != nil {
		return nil, err
	}
	inverse, err := r.inverses(p.chain)
	if err != nil {
		return nil, err
	}
	last := len(p.chain) - 1
	if last == 0 {
		return p.localGraph, nil
	}
	ds, err := graph.Grad(p.loss, p.mu[last-1])
	if err != nil {
		return nil, err
	}
	b := p.b
	apply := func(block int, x *graph.Node) *graph.Node {
		return p.blocks.Predict(block, func(string) *graph.Node { return x })
	}
	target := b.Combine([]float64{1, -r.Step * float64(batch)}, p.mu[last-1], ds[0])
	for l := last - 1; l >= 0; l-- {
		c := 1 / (r.Step * float64(batch))
		if err := p.learnFrom(l, b.Combine([]float64{c, -c}, p.mu[l], target)); err != nil {
			return nil, err
		}
		if l == 0 {
			break
		}
		g := inverse[l]
		target = b.Combine([]float64{1, -1, 1}, p.mu[l-1], apply(g, p.mu[l]), apply(g, target))
		name := p.net.Blocks[g].Name
		u := p.mu[l-1]
		if r.Noise > 0 {
			u = b.Add(u, p.input(name+"/noise", u.Shape()[1:]))
		}
		var loss *graph.Node
		b.Within(name, func() { loss = b.HalfSquare(b.Sub(u, apply(g, apply(p.chain[l], u))), 1, batch) })
		if err := p.learn(g, p.sum(p.loss, loss), p.mu); err != nil {
			return nil, err
		}
		p.terms = append(p.terms, energy.Term{Name: name, Node: loss})
	}
	return p.localGraph, b.Err()
}

// renew forgets programs that were built for another Step or Noise.
func (r *TargetProp[T]) renew() {
	if now := (inverting{r.Step, r.Noise > 0}); r.made != now {
		r.programs, r.noise, r.made = programs[T]{}, make(map[*localProgram[T]][][]T), now
	}
}

// Gradient is the chain's towards its targets, and the blocks' backwards towards inverting it. Loss is the model's, Energy has
// the errors of the inverses in it.
func (r *TargetProp[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	r.renew()
	l, err := r.programs.at(batch, r.build)
	if err != nil {
		return train.Report{}, errors.WithMessage(err, "TargetProp")
	}
	rng := r.draws.From(r.Seed, 0)
	noise := r.noise[l]
	if noise == nil {
		for _, n := range l.data[2:] {
			noise = append(noise, make([]T, n.Shape().TotalSize()))
		}
		r.noise[l] = noise
	}
	for i, part := range noise {
		for j := range part {
			part[j] = T(r.Noise * rng.NormFloat64())
		}
		l.load(2+i, part)
	}
	return r.programs.gradient(l, grad, x, y)
}

// Subject is the model, with the terms of the loss and of the blocks backwards.
func (r *TargetProp[T]) Subject() train.Subject[T] {
	r.renew()
	return r.programs.subject(r.Model, r.build)
}

// Memory is where the noise is.
func (r *TargetProp[T]) Memory() train.Memory { return &r.draws }
