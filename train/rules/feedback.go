package rules

import (
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/train"
)

// FeedbackAlignment is backprop with other weights on the way back (Lillicrap et al. 2016, Nature Communications 7:13276): in
// a chain of blocks mu_l = f_l(mu_{l-1}; W_l),
//
//	delta_L = dloss/dmu_L,  delta_{l-1} = (df_l/dmu_{l-1} at the weights B_l)^T delta_l,  dF/dW_l = (df_l/dW_l)^T delta_l
//
// with B drawn as the network's weights are and never changed. For a linear block that is B_l in the place of W_l, with the
// derivative of the activation and skips as they are; a block of several weights is run backwards with all of them replaced.
type FeedbackAlignment[T graph.Float] struct {
	Model *arch.Model[T] // a chain, in arch.Feedforward coordinates
	Seed  uint64         // of the weights on the way back

	back     *graph.Vector[T]
	programs programs[T]
}

var _ train.Rule[float32] = (*FeedbackAlignment[float32])(nil)

// Validate reports a missing model, one in other coordinates or with masked units, and one that is no chain or has blocks beside
// it.
func (r *FeedbackAlignment[T]) Validate() error {
	if err := validateChain(r.Model); err != nil {
		return errors.WithMessage(err, "FeedbackAlignment")
	}
	return errors.WithMessage(noFurther(r.Model.Network()), "FeedbackAlignment")
}

// Feedback are the weights on the way back, under the names of those that they stand for.
func (r *FeedbackAlignment[T]) Feedback() (*graph.Vector[T], error) {
	if r.back != nil {
		return r.back, nil
	}
	var err error
	r.back, err = arch.NewWeights[T](r.Model.Network(), rand.New(rand.NewPCG(r.Seed, 0)))
	return r.back, err
}

// draw draws the graph for a batch size.
func (r *FeedbackAlignment[T]) build(batch int) (*localGraph[T], error) {
	p, err := newPass(r.Model, batch)
	if err != nil {
		return nil, err
	}
	weights, err := r.Feedback()
	if err != nil {
		return nil, err
	}
	var back *arch.Blocks
	p.b.Within("feedback", func() { back, err = arch.NewBlocks(p.b, p.net, weights) })
	if err != nil {
		return nil, err
	}
	delta := p.delta
	for l := len(p.chain) - 1; l > 0; l-- {
		y := back.Predict(p.chain[l], func(string) *graph.Node { return p.mu[l-1] })
		if delta, err = p.through(y, delta, p.mu[l-1]); err != nil {
			return nil, err
		}
		if err := p.learnFrom(l-1, delta); err != nil {
			return nil, err
		}
	}
	return p.localGraph, nil
}

// Gradient is the chain's, with the errors brought back by other weights.
func (r *FeedbackAlignment[T]) Gradient(grad, x, y []T, batch int) (train.Report, error) {
	l, err := r.programs.at(batch, r.build)
	if err != nil {
		return train.Report{}, errors.WithMessage(err, "FeedbackAlignment")
	}
	return r.programs.gradient(l, grad, x, y)
}

// Subject is the model, with the terms of the loss.
func (r *FeedbackAlignment[T]) Subject() train.Subject[T] {
	return r.programs.subject(r.Model, r.build)
}

// Memory is empty: what goes back comes from the seed.
func (r *FeedbackAlignment[T]) Memory() train.Memory { return train.Memories{} }
