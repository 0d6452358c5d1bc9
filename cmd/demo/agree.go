package main

import (
	"context"
	"math"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/data"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/infer"
	"github.com/pcgraph/pcgraph/optim"
	"github.com/pcgraph/pcgraph/train"
)

// An agreement is the way of PC's gradient towards BP's on one batch.
type agreement struct {
	weights []string // names of the weights, without biases
	params  []int    // where they are in Comparison.Params
	terms   []string // names of the energies, one per layer
	rows    []train.Comparison
	result  infer.Result
}

// diverged says where inference did, if it did.
func (a agreement) diverged() error {
	if a.result.Status != infer.Diverged {
		return nil
	}
	return divergedError{errors.Errorf("inference diverged at its step %d: %s: lower -rate", a.result.Step, a.result.Detail)}
}

// last is the comparison where inference ended; ok is false if there is none.
func (a agreement) last() (c train.Comparison, ok bool) {
	if len(a.rows) == 0 {
		return c, false
	}
	return a.rows[len(a.rows)-1], true
}

// A bench is a network with weights and a batch that gradients are compared on.
type bench[T graph.Float] struct {
	net     *arch.Network
	flags   netFlags
	weights *graph.Vector[T]
	batch   int
	x, y    []T
	bp      *arch.Model[T]
}

// newBench takes the first samples of a set as the batch.
func newBench[T graph.Float](net *arch.Network, flags netFlags, w *graph.Vector[T], set *data.Set, batch int) (*bench[T], error) {
	b := &bench[T]{net: net, flags: flags, weights: w, batch: min(batch, set.Len())}
	b.x, b.y = make([]T, b.batch*set.In()), make([]T, b.batch*set.Out())
	for _, idx := range data.InOrder(b.batch, b.batch) {
		data.Fill(set, b.x, b.y, idx)
	}
	var err error
	b.bp, err = arch.Compile(net, w, arch.Plan{Batch: b.batch, Energy: flags.energy(1), Coordinates: arch.Feedforward})
	return b, err
}

// along compares at the steps that at holds of, with the output at a precision.
func (b *bench[T]) along(precision float64, solver infer.Solver[T], stop infer.Stop, at func(int) bool) (agreement, error) {
	pc, err := arch.Compile(b.net, b.weights, arch.Plan{Batch: b.batch, Energy: b.flags.energy(precision), Coordinates: b.flags.coordinates()})
	if err != nil {
		return agreement{}, err
	}
	a := agreement{terms: pc.Terms()}
	for i, w := range b.net.Weights() {
		if !w.Param.Bias {
			a.weights, a.params = append(a.weights, w.Name), append(a.params, i)
		}
	}
	a.rows, a.result, err = train.Compare(pc, b.bp, solver, stop, b.x, b.y, 1/precision, at)
	return a, err
}

// inference compares along so many steps of inference: at each of the first ones and ever more rarely later.
func (b *bench[T]) inference(ctx context.Context, precision float64, in inferFlags) (agreement, error) {
	shown := make(map[int]bool)
	for _, s := range ladder(in.Steps) {
		shown[s] = true
	}
	stop := infer.Any{cancelled{ctx}, infer.Steps(in.Steps + 1)} // one more: the limit comes before the evaluation
	return b.along(precision, descent[T](in.Rate), stop, func(step int) bool { return shown[step] })
}

// Equilibrium, as far as the comparison needs it: its error is relative to the start, as PC's distance from BP is.
// A heavy ball comes to rest in a few hundred steps where plain descent takes thousands; at this rate and momentum it is
// stable as long as the energy's curvature is below 2 (1 + momentum) / rate = 76.
const (
	restRate     = .05
	restMomentum = .9
	restStride   = 16   // comparisons are made, and inference may end, every so many steps only
	restRel      = 1e-7 // of the gradient, relative to the start
	restSteps    = 640  // at most
)

// equilibrium compares where inference has come to rest.
func (b *bench[T]) equilibrium(ctx context.Context, precision float64) (agreement, error) {
	solver := &infer.Descent[T]{Optimizer: &optim.Momentum[T]{Rate: restRate, Mu: restMomentum}}
	stop := infer.Any{cancelled{ctx}, infer.Stationary{Rel: restRel}, infer.Steps(restSteps)}
	return b.along(precision, solver, every{restStride, stop}, func(step int) bool { return step%restStride == 0 })
}

// ladder is 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, ... and n itself.
func ladder(n int) []int {
	var steps []int
	for s := 0; s < n; {
		steps = append(steps, s)
		if s < 4 {
			s++
		} else if p := int(math.Log2(float64(s))); s == 1<<p {
			s += s / 2
		} else {
			s = 1 << (p + 1)
		}
	}
	return append(steps, n)
}

// cancelled stops inference when a context is done.
type cancelled struct{ ctx context.Context }

var _ infer.Stop = cancelled{}

// Done asks the context.
func (s cancelled) Done(infer.Reading) (infer.Status, bool) {
	return infer.TimeLimit, s.ctx.Err() != nil
}

// every asks a rule every n steps only.
type every struct {
	n    int
	stop infer.Stop
}

var _ infer.Stop = every{}

// Done asks the rule when it is its turn.
func (s every) Done(r infer.Reading) (infer.Status, bool) {
	if r.Step%s.n != 0 {
		return infer.Running, false
	}
	return s.stop.Done(r)
}

// double is a copy of weights in float64.
func double(net *arch.Network, w *graph.Vector[float32]) (*graph.Vector[float64], error) {
	d, err := newWeights[float64](net, 0)
	if err != nil {
		return nil, err
	}
	for i, v := range w.Data() {
		d.Data()[i] = float64(v)
	}
	d.Touch()
	return d, nil
}
