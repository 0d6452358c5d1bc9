package energy

import (
	"maps"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// Coupled is PC with Gaussian likelihoods whose errors are joined, at some blocks, by those of other blocks: of a block of
// precision p whose error e is joined by errors e_k of blocks of precisions p_k, the term is
//
//	1/B sum_i 1/2 |sqrt(p) e_i + sum_k sqrt(p_k) e_ki|^2
//
// which without any is Gaussian's. (The extra errors of JPC's predictive dendrites, whose weights enter with the first power
// without extra errors and with the second with them: docs/DIVERGENCE.md.)
type Coupled struct {
	PC
	Extra map[string][]string // by block: those whose errors join its own
}

var _ Functional = Coupled{}

// Terms is one term per site.
func (f Coupled) Terms(b *graph.Builder, l Latents) []Term {
	ts := f.PC.Terms(b, l)
	if b.Err() != nil {
		return nil
	}
	at := make(map[string]int)
	for i, s := range l.Sites {
		at[s.Name] = i
	}
	for _, name := range slices.Sorted(maps.Keys(f.Extra)) {
		i, is := at[name]
		if !is {
			b.Fail(errors.Errorf("an error joins that of %q, which is no block with a term: look at Coupled.Extra", name))
			return nil
		}
		coefs, errs := []float64{f.root(b, l.Sites[i])}, []*graph.Node{errorOf(b, l.Sites[i])}
		for _, other := range f.Extra[name] {
			k, is := at[other]
			if !is {
				b.Fail(errors.Errorf("the error of %q joins that of %q and is of no block with a term: look at Coupled.Extra", other, name))
				return nil
			}
			coefs, errs = append(coefs, f.root(b, l.Sites[k])), append(errs, errorOf(b, l.Sites[k]))
			if b.Err() == nil && !errs[0].Shape().Eq(errs[len(errs)-1].Shape()) {
				b.Fail(errors.Errorf("the error of %q, of shape %v, joins that of %q, of shape %v: only errors of one shape can be added", other, []int(errs[len(errs)-1].Shape()), name, []int(errs[0].Shape())))
				return nil
			}
		}
		b.Within(name, func() { ts[i].Node = b.HalfSquare(b.Combine(coefs, errs...), 1, l.Batch) })
	}
	return ts
}

// root is the square root of the precision of a site.
func (f Coupled) root(b *graph.Builder, s Site) float64 {
	lik := f.likelihood(s)
	g, is := lik.(Gaussian)
	if !is || s.LogPrecision != nil {
		b.Fail(errors.Errorf("an error at %q, of likelihood %T, joins another: want energy.Gaussian and no learned precision", s.Name, lik))
		return 0
	}
	p, _ := precision(b, g.Precision)
	return math.Sqrt(p)
}

// errorOf is the error of a site.
func errorOf(b *graph.Builder, s Site) *graph.Node {
	if s.Error != nil {
		return s.Error
	}
	return b.Sub(s.Activity, s.Prediction)
}
