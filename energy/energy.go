// Package energy holds the scalars that a predictive coding network minimises: one file per functional.
//
// A functional sees predictions, activities and weights as graph nodes; it knows neither layers nor how the nodes came
// about, so that predictive coding, its regularisers and backprop's loss are sums of the same few values.
package energy

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A Site is where an activity meets a prediction of it. An activity that several blocks predict is in several.
type Site struct {
	Name         string      // of the block that predicts
	Prediction   *graph.Node // [batch, ...]
	Activity     *graph.Node // of the prediction's shape
	Error        *graph.Node // Activity - Prediction, where that is a node already; nil otherwise
	Mask         *graph.Node // of the prediction's shape: not zero where the activity is data; nil if all of it or none is
	LogPrecision *graph.Node // logarithm of a learned precision [...], without the batch; nil otherwise
	Output       bool
}

// A Named is a node with the name to report it by.
type Named struct {
	Name string
	Node *graph.Node
}

// Latents is what an energy is a function of.
type Latents struct {
	Sites   []Site
	Exact   []string // blocks whose prediction is the activity itself and therefore costs nothing
	Free    []Named  // free activities [batch, ...]
	Weights []Named  // of all layers, without biases, gains and precisions
	Batch   int
}

// A Term is one named summand of an energy: a scalar, per sample and averaged over the batch.
type Term struct {
	Name string
	Node *graph.Node
}

// A Functional is an energy: the sum of its terms.
type Functional interface {
	Terms(b *graph.Builder, l Latents) []Term
}

// A Likelihood scores an activity under its prediction.
type Likelihood interface {
	// NegLog adds the negative log-likelihood of a site, without constants, averaged over the batch.
	NegLog(b *graph.Builder, s Site, batch int) *graph.Node
}

// Sum is the functional whose terms are those of its parts.
type Sum []Functional

var _ Functional = Sum{}

// Terms are the terms of all parts in order.
func (s Sum) Terms(b *graph.Builder, l Latents) []Term {
	var ts []Term
	for i, f := range s {
		if f == nil {
			b.Fail(errors.Errorf("part %d of a sum of %d is nil: leave it out", i+1, len(s)))
			return nil
		}
		ts = append(ts, f.Terms(b, l)...)
	}
	return ts
}
