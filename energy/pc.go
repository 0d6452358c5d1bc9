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
	Blocks         map[string]Likelihood // of single blocks, by name, instead of Hidden or Output
}

var _ Functional = PC{}

// Terms adds one term per prediction.
func (f PC) Terms(b *graph.Builder, l Latents) []Term {
	if err := f.unknown(l); err != nil {
		b.Fail(err)
		return nil
	}
	ts := make([]Term, 0, len(l.Predictions))
	for _, p := range l.Predictions {
		lik := f.likelihood(p)
		b.Within(p.Name, func() { ts = append(ts, Term{Name: p.Name, Node: lik.NegLog(b, p, l.Batch)}) })
	}
	return ts
}

// likelihood returns the one that scores a prediction.
func (f PC) likelihood(p Prediction) Likelihood {
	lik := f.Hidden
	if p.Output {
		lik = f.Output
	}
	if own := f.Blocks[p.Name]; own != nil {
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
	for _, p := range l.Predictions {
		names = append(names, p.Name)
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		known[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(f.Blocks)) {
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
// Precision 0 means 1. With a learned precision of logarithm s it is
//
//	1/B sum_i Precision/2 sum_k exp(s_k) (z_ik - mu_ik)^2 - 1/2 sum_k s_k
//
// so that the precision of unit k is Precision exp(s_k); the second part, half its log-determinant, keeps it from growing.
type Gaussian struct{ Precision float64 }

var _ Likelihood = Gaussian{}

// NegLog adds half the squared error times the precision.
func (g Gaussian) NegLog(b *graph.Builder, p Prediction, batch int) *graph.Node {
	pi, ok := precision(b, g.Precision)
	if !ok {
		return nil
	}
	e := errorOf(b, p)
	if p.LogPrecision == nil {
		return b.HalfSquare(e, pi, batch)
	}
	return b.Combine([]float64{1, -.5}, b.WeightedSquare(e, b.Exp(p.LogPrecision), pi, batch), b.Sum(p.LogPrecision, 1))
}

// Categorical is the cross-entropy of the activity, a distribution over the last axis, with the prediction as logits:
//
//	-1/B sum_i Precision sum_k z_ik log softmax(mu_i)_k
//
// It is computed from the log-softmax and stable for logits of any size. Units that a mask leaves free add nothing to it.
// Precision 0 means 1.
type Categorical struct{ Precision float64 }

var _ Likelihood = Categorical{}

// NegLog adds the cross-entropy times the precision. It reports a learned precision.
func (c Categorical) NegLog(b *graph.Builder, p Prediction, batch int) *graph.Node {
	pi, ok := precision(b, c.Precision)
	if !ok {
		return nil
	}
	if p.LogPrecision != nil {
		b.Fail(errors.New("a learned precision at a categorical site: it has no noise to learn, leave the block's Precision out"))
		return nil
	}
	y := p.Activity
	if p.Mask != nil {
		y = b.Only(p.Mask, y)
	}
	return b.CrossEntropy(y, p.Mean, pi, batch)
}

// precision returns a precision, 1 for 0, and reports to b one that is not a positive number.
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
