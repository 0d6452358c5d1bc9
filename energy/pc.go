package energy

import (
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// PC is the energy of predictive coding: the negative log-likelihood of every activity under its prediction,
//
//	F = 1/B sum_i sum_l -log p(z_l | mu_l)
//
// one term per site, named after it. Nil likelihoods are Gaussian of unit precision. (Millidge et al. 2021; JPC,
// arXiv 2412.03676, equation 1.)
type PC struct {
	Hidden, Output Likelihood
}

var _ Functional = PC{}

// Terms is one term per site.
func (f PC) Terms(b *graph.Builder, l Latents) []Term {
	ts := make([]Term, 0, len(l.Sites))
	for _, s := range l.Sites {
		lik := f.Hidden
		if s.Output {
			lik = f.Output
		}
		if lik == nil {
			lik = Gaussian{}
		}
		b.Within(s.Name, func() { ts = append(ts, Term{Name: s.Name, Node: lik.NegLog(b, s, l.Batch)}) })
	}
	return ts
}

// Gaussian is the likelihood of a normal distribution around the prediction:
//
//	1/B sum_i Precision/2 |z_i - mu_i|^2
//
// Precision 0 means 1.
type Gaussian struct{ Precision float64 }

var _ Likelihood = Gaussian{}

// NegLog is half the squared error times the precision.
func (g Gaussian) NegLog(b *graph.Builder, s Site, batch int) *graph.Node {
	p, ok := precision(b, g.Precision)
	if !ok {
		return nil
	}
	e := s.Error
	if e == nil {
		e = b.Sub(s.Activity, s.Prediction)
	}
	return b.HalfSquare(e, p, batch)
}

// Categorical is the cross-entropy of the activity, a distribution over the last axis, with the prediction as logits:
//
//	-1/B sum_i Precision sum_k z_ik log softmax(mu_i)_k
//
// It is computed from log-softmax and stable for logits of any size. Precision 0 means 1.
type Categorical struct{ Precision float64 }

var _ Likelihood = Categorical{}

// NegLog is the cross-entropy times the precision.
func (c Categorical) NegLog(b *graph.Builder, s Site, batch int) *graph.Node {
	p, ok := precision(b, c.Precision)
	if !ok {
		return nil
	}
	return b.CrossEntropy(s.Activity, s.Prediction, p, batch)
}

// precision checks a precision; 0 means 1.
func precision(b *graph.Builder, p float64) (float64, bool) {
	if p == 0 {
		return 1, true
	}
	if p < 0 || math.IsNaN(p) || math.IsInf(p, 0) {
		b.Fail(errors.Errorf("precision %v: want a positive number", p))
		return 0, false
	}
	return p, true
}
