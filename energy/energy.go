// Package energy defines the energies that a predictive coding network minimises, one file per functional.
//
// A [Functional] adds named scalar terms to a graph, each a function of predictions, activities and weights, which it is given as
// nodes. It does not know layers, nor how the nodes were made. The energy of predictive coding ([PC]), its regularisers
// ([WeightDecay], [Spectral], [ActivityDecay]) and the loss of backpropagation are sums ([Sum]) of the same few values.
//
// Energies are per sample: summed over units and averaged over the batch.
package energy

import (
	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/graph"
)

// A Prediction is one prediction of an activity. An activity that several blocks predict has one from each.
type Prediction struct {
	Name         string      // of the block that predicts
	Mean         *graph.Node // mu, what the block predicts [batch, ...]
	Activity     *graph.Node // z, of the shape of Mean
	Error        *graph.Node // Activity - Mean, if the graph has that node already; nil otherwise
	Mask         *graph.Node // of the shape of Mean: nonzero where the activity is data; nil if all of the activity is data, or none
	LogPrecision *graph.Node // logarithm of a learned precision [...], without the batch; nil otherwise
	Output       bool
}

// A Named is a node with the name to report it by.
type Named struct {
	Name string
	Node *graph.Node
}

// Latents are the variables of an energy.
type Latents struct {
	Predictions []Prediction
	Exact       []string // blocks whose prediction is the activity itself and therefore costs nothing
	Free        []Named  // free activities [batch, ...]
	Weights     []Named  // of all layers, without biases, gains and precisions
	Batch       int
}

// A Term is one named summand of an energy: a scalar, per sample and averaged over the batch.
type Term struct {
	Name string
	Node *graph.Node
}

// A Functional is an energy: the sum of its terms.
type Functional interface {
	// Terms adds the terms to the graph of b. Errors go to b.Fail.
	Terms(b *graph.Builder, l Latents) []Term
}

// A Likelihood scores an activity under its prediction.
type Likelihood interface {
	// NegLog adds -log p(activity | mean), without constants, summed over units and averaged over the batch: a scalar.
	NegLog(b *graph.Builder, p Prediction, batch int) *graph.Node
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
