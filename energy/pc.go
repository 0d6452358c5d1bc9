package energy

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// PC is the energy of predictive coding: the negative log-likelihood of every activity under its prediction,
//
//	F = 1/B sum_i sum_l -log p(z_l | mu_l)
//
// one term per prediction, named after the block that makes it. Nil likelihoods are Gaussian of unit precision. (Millidge
// et al. 2021; JPC, arXiv 2412.03676, equation 1.)
type PC struct {
	Hidden, Output Likelihood
	Sites          map[string]Likelihood // of single blocks, by name, instead of Hidden or Output
}

var _ Functional = PC{}

// Terms is one term per site.
func (f PC) Terms(b *graph.Builder, l Latents) []Term {
	if err := f.unknown(l); err != nil {
		b.Fail(err)
		return nil
	}
	ts := make([]Term, 0, len(l.Sites))
	for _, s := range l.Sites {
		lik := f.likelihood(s)
		b.Within(s.Name, func() { ts = append(ts, Term{Name: s.Name, Node: lik.NegLog(b, s, l.Batch)}) })
	}
	return ts
}

// likelihood is that of a site.
func (f PC) likelihood(s Site) Likelihood {
	lik := f.Hidden
	if s.Output {
		lik = f.Output
	}
	if own := f.Sites[s.Name]; own != nil {
		lik = own
	}
	if lik == nil {
		lik = Gaussian{}
	}
	return lik
}

// unknown reports a likelihood for a block that there is not.
func (f PC) unknown(l Latents) error {
	names := slices.Clone(l.Exact)
	for _, s := range l.Sites {
		names = append(names, s.Name)
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		known[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(f.Sites)) {
		if !known[name] {
			return errors.Errorf("a likelihood for %q, which is no block: there are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// Gaussian is the likelihood of a normal distribution around the prediction:
//
//	1/B sum_i Precision/2 |z_i - mu_i|^2
//
// Precision 0 means 1. At a site with a learned precision, of logarithm s, it is
//
//	1/B sum_i Precision/2 sum_k exp(s_k) (z_ik - mu_ik)^2 - 1/2 sum_k s_k
//
// so that the precision of unit k is Precision exp(s_k); the second part, half its log-determinant, keeps it from growing.
type Gaussian struct{ Precision float64 }

var _ Likelihood = Gaussian{}

// NegLog is half the squared error times the precision.
func (g Gaussian) NegLog(b *graph.Builder, s Site, batch int) *graph.Node {
	p, ok := precision(b, g.Precision)
	if !ok {
		return nil
	}
	e := errorOf(b, s)
	if s.LogPrecision == nil {
		return b.HalfSquare(e, p, batch)
	}
	return b.Combine([]float64{1, -.5}, b.WeightedSquare(e, b.Exp(s.LogPrecision), p, batch), b.Sum(s.LogPrecision, 1))
}

// Categorical is the cross-entropy of the activity, a distribution over the last axis, with the prediction as logits:
//
//	-1/B sum_i Precision sum_k z_ik log softmax(mu_i)_k
//
// It is computed from log-softmax and stable for logits of any size. Units that a mask leaves free say nothing: they add
// nothing to it. Precision 0 means 1.
type Categorical struct{ Precision float64 }

var _ Likelihood = Categorical{}

// NegLog is the cross-entropy times the precision.
func (c Categorical) NegLog(b *graph.Builder, s Site, batch int) *graph.Node {
	p, ok := precision(b, c.Precision)
	if !ok {
		return nil
	}
	if s.LogPrecision != nil {
		b.Fail(errors.New("a learned precision at a categorical site: it has no noise to learn, leave the block's Precision out"))
		return nil
	}
	y := s.Activity
	if s.Mask != nil {
		y = b.Only(s.Mask, y)
	}
	return b.CrossEntropy(y, s.Prediction, p, batch)
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
