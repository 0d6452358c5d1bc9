package rules

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/layers"
	"github.com/pcgraph/pcgraph/train"
)

// DirectFeedback is direct feedback alignment (Nokland 2016, arXiv 1609.01596): the output's error goes to every hidden site
// by a matrix of its own, in a chain of linear blocks mu_l = act_l(mu_{l-1}) W_l,
//
//	delta_l = act_{l+1}'(mu_l) * (dloss/dmu_L B_l)    B_l [out, width of l],  dF/dW_l = act_l(mu_{l-1})^T delta_l
//
// B_l is drawn as a readout from the site would be, with its forward factor, and never changed.
type DirectFeedback[T graph.Float] struct {
	Model *arch.Model[T] // a chain of layers.Linear without skips, in arch.Feedforward coordinates
	Seed  uint64         // of the matrices

	back     *graph.Vector[T]
	programs programs[T]
}

var _ train.Rule[float32] = (*DirectFeedback[float32])(nil)

// Validate reports a missing model, one in other coordinates or with masked units, and one that is no chain of linear blocks of
// vectors or has blocks beside it.
func (r *DirectFeedback[T]) Validate() error {
	if err := validateChain(r.Model); err != nil {
		return errors.WithMessage(err, "DirectFeedback")
	}
	n := r.Model.Network()
	if err := noFurther(n); err != nil {
		return errors.WithMessage(err, "DirectFeedback")
	}
	if in := inputShape(n); len(in) != 1 {
		return errors.Errorf("DirectFeedback: an input of shape %v: this rule is for vectors, its matrices map all of an output's error to all of a site: flatten, or take FeedbackAlignment", in)
	}
	chain, _ := chainOf(n)
	for _, i := range chain {
		b := n.Blocks[i]
		if _, linear := b.Layer.(layers.Linear); !linear || len(b.Skips) > 0 || b.Merge != nil {
			return errors.Errorf("DirectFeedback: block %q is a %T with %d skips: this rule knows the derivative of plain layers.Linear only; FeedbackAlignment takes any", b.Name, b.Layer, len(b.Skips))
		}
	}
	return nil
}

// Feedback are the matrices B_l [out, width], by the name of their site.
func (r *DirectFeedback[T]) Feedback() *graph.Vector[T] {
	if r.back != nil {
		return r.back
	}
	n := r.Model.Network()
	chain, _ := chainOf(n)
	_, out := r.Model.Sizes()
	scaling := n.Scaling
	if scaling == nil {
		scaling = arch.SP{}
	}
	depth := len(chain)
	fields := make([]graph.Field, depth-1)
	for l, i := range chain[:depth-1] {
		fields[l] = graph.Field{Name: n.Blocks[i].Name, Shape: []int{out, n.Blocks[i].Layer.(layers.Linear).Out}}
	}
	r.back = graph.NewVector[T](fields...)
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	for l, f := range fields {
		of := scaling.Factors(arch.Position{Index: depth, Depth: depth, FanIn: f.Shape[1], FanOut: out, Output: true, Role: layers.ReadoutRole})
		part := r.back.Part(r.back.Data(), l)
		for j := range part {
			v := rng.NormFloat64()
			if of.Init.Uniform {
				v = math.Sqrt(3) * (2*rng.Float64() - 1)
			}
			part[j] = T(of.Forward * of.Init.Std * v)
		}
	}
	return r.back
}

// build draws the graph for a batch size.
func (r *DirectFeedback[T]) build(batch int) (*localGraph[T], error) {
	p, _, err := r.draw(batch)
	if err != nil {
		return nil, err
	}
	return p.localGraph, nil
}

// draw draws the graph, and returns the nodes of the matrices.
func (r *DirectFeedback[T]) draw(batch int) (*pass[T], []*graph.Node, error) {
	p, err := newPass(r.Model, batch)
	if err != nil {
		return nil, nil, err
	}
	var backs []*graph.Node
	for l := range len(p.chain) - 1 {
		next, linear := p.net.Blocks[p.chain[l+1]].Layer.(layers.Linear)
		if !linear {
			return nil, nil, errors.Errorf("block %q is no layers.Linear: Validate says more", p.net.Blocks[p.chain[l+1]].Name)
		}
		var back *graph.Node
		p.b.Within("feedback", func() { back = graph.ParamOf(p.b, r.Feedback(), l) })
		delta, err := p.through(p.b.Act(next.Act, p.mu[l]), p.b.MatMul(p.delta, back, false, false), p.mu[l])
		if err != nil {
			return nil, nil, err
		}
		if err := p.learnFrom(l, delta); err != nil {
			return nil, nil, err
		}
		backs = append(backs, back)
	}
	return p, backs, nil
}

// Gradient writes the weight gradient for a batch to grad. Each site gets the error of the output through its own fixed matrix.
func (r *DirectFeedback[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	l, err := r.programs.at(batch, r.build)
	if err != nil {
		return train.Report{}, errors.WithMessage(err, "DirectFeedback")
	}
	return r.programs.gradient(l, grad, x, y)
}

// Subject is the model, with the terms of the loss.
func (r *DirectFeedback[T]) Subject() train.Subject[T] {
	return r.programs.subject(r.Model, r.build)
}

// Memory is empty: what goes back comes from the seed.
func (r *DirectFeedback[T]) Memory() train.Memory { return train.Memories{} }
