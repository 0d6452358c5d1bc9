package energy

import (
	"maps"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Coupled is PC with Gaussian likelihoods, and with errors of other blocks added to the error of a block. Of a block with
// precision p and error e, to which the errors e_k of blocks with precisions p_k are added, the term is
//
//	1/B sum_i 1/2 |sqrt(p) e_i + sum_k sqrt(p_k) e_ki|^2
//
// Without added errors that is the term of Gaussian. These are the "extra errors" of JPC's predictive dendrites, in which a
// precision enters with its first power if no error is added and with its second if one is: docs/DIVERGENCE.md.
type Coupled struct {
	PC
	Extra map[string][]string // by block: the blocks whose errors are added to its own
}

var _ Functional = Coupled{}

// Terms adds one term per prediction.
func (f Coupled) Terms(b *graph.Builder, l Latents) []Term {
	ts := f.PC.Terms(b, l)
	if b.Err() != nil {
		return nil
	}
	at := make(map[string]int)
	for i, p := range l.Predictions {
		at[p.Name] = i
	}
	for _, name := range slices.Sorted(maps.Keys(f.Extra)) {
		i, is := at[name]
		if !is {
			b.Fail(errors.Errorf("an error joins that of %q, which is no block with a term: look at Coupled.Extra", name))
			return nil
		}
		coefs, errs := []float64{f.root(b, l.Predictions[i])}, []*graph.Node{errorOf(b, l.Predictions[i])}
		for _, other := range f.Extra[name] {
			k, is := at[other]
			if !is {
				b.Fail(errors.Errorf("the error of %q joins that of %q and is of no block with a term: look at Coupled.Extra", other, name))
				return nil
			}
			coefs, errs = append(coefs, f.root(b, l.Predictions[k])), append(errs, errorOf(b, l.Predictions[k]))
			if b.Err() == nil && !errs[0].Shape().Eq(errs[len(errs)-1].Shape()) {
				b.Fail(errors.Errorf("the error of %q, of shape %v, joins that of %q, of shape %v: only errors of one shape can be added", other, []int(errs[len(errs)-1].Shape()), name, []int(errs[0].Shape())))
				return nil
			}
		}
		b.Within(name, func() { ts[i].Node = b.HalfSquare(b.Combine(coefs, errs...), 1, l.Batch) })
	}
	return ts
}

// root is the square root of the precision of a prediction.
func (f Coupled) root(b *graph.Builder, p Prediction) float64 {
	lik := f.likelihood(p)
	g, is := lik.(Gaussian)
	if !is || p.LogPrecision != nil {
		b.Fail(errors.Errorf("an error at %q, of likelihood %T, joins another: want energy.Gaussian and no learned precision", p.Name, lik))
		return 0
	}
	pi, _ := precision(b, g.Precision)
	return math.Sqrt(pi)
}

// errorOf is e = z - mu of a prediction.
func errorOf(b *graph.Builder, p Prediction) *graph.Node {
	if p.Error != nil {
		return p.Error
	}
	return b.Sub(p.Activity, p.Mean)
}
