package rules

import (
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// chainOf lists the blocks of a chain, input first: each reads the site before it and nothing else, with weights of its own, the last is the output.
// Blocks that predict another's site are not of it.
func chainOf(n *arch.Network) ([]int, error) {
	inputs, outputs := n.Ends()
	if len(inputs) != 1 || len(outputs) != 1 {
		return nil, errors.Errorf("a network of %d inputs and %d outputs: this rule is for chains, from one to one", len(inputs), len(outputs))
	}
	var chain []int
	at := inputs[0]
	for i, b := range n.Blocks {
		if b.Predicts != "" {
			continue
		}
		from := n.From(i)
		if len(from) != 1 || from[0] != at || b.Shares != "" {
			return nil, errors.Errorf("block %q does not read %q alone, or shares its weights: this rule is for chains", b.Name, at)
		}
		for _, s := range b.Skips {
			if s.From != "" && s.From != at {
				return nil, errors.Errorf("block %q has a skip from %q: this rule is for chains, whose skips are over single blocks", b.Name, s.From)
			}
		}
		chain, at = append(chain, i), b.Name
	}
	if at != outputs[0] {
		return nil, errors.Errorf("the output %q is not the last block, %q: this rule is for chains", outputs[0], at)
	}
	return chain, nil
}

// validateChain reports a model that is missing, in other coordinates than backprop's, or no chain.
func validateChain[T graph.Float](m *arch.Model[T]) error {
	if m == nil {
		return errors.New("Model is missing")
	}
	if c := m.Plan().Coordinates; c != arch.Feedforward {
		return errors.Errorf("a model in the coordinates of %v has free activities: compile it in arch.Feedforward", c)
	}
	if err := m.TakesBatches(); err != nil {
		return err
	}
	if err := noLayerInputs(m); err != nil {
		return err
	}
	if err := noMask(m.Plan()); err != nil {
		return err
	}
	_, err := plainChain(m.Network())
	return err
}

// plainChain is chainOf without learned precisions.
func plainChain(n *arch.Network) ([]int, error) {
	for _, b := range n.Blocks {
		if b.Predicts == "" && b.Precision != arch.FixedPrecision {
			return nil, errors.Errorf("block %q learns a precision: this rule is for plain chains", b.Name)
		}
	}
	return chainOf(n)
}

// noMask reports a site of which only some units are data.
func noMask(p arch.Plan) error {
	for _, name := range slices.Sorted(maps.Keys(p.Hold)) {
		if p.Hold[name] == arch.Masked {
			return errors.Errorf("%q is masked: this rule takes data for all its units: compile the model with it clamped", name)
		}
	}
	return nil
}

// noFurther reports a block that predicts another's site, from which nothing would be learned.
func noFurther(n *arch.Network) error {
	for _, b := range n.Blocks {
		if b.Predicts != "" {
			return errors.Errorf("block %q is a further prediction of %q: this rule is for plain chains, take it out", b.Name, b.Predicts)
		}
	}
	return nil
}

// noLayerInputs reports a layer that wants more than the data.
func noLayerInputs[T graph.Float](m *arch.Model[T]) error {
	if in := m.LayerInputs(); len(in) > 0 {
		return errors.Errorf("the layer's input %q: this rule gives layers nothing beside the data: take that layer (layers.Dropout, a padded attention) out", in[0].Name)
	}
	return nil
}

// A pass is the feedforward pass of a chain in a graph under construction, with its loss.
type pass[T graph.Float] struct {
	*localGraph[T]
	chain []int         // the blocks
	mu    []*graph.Node // their predictions
	x     *graph.Node
	loss  *graph.Node // and regularisers
	delta *graph.Node // dloss/dmu of the output, 1/B of each sample's
}

// newPass starts the graph of a chain: inputs 0 and 1 are x and y, the terms those of the model's energy as a loss.
func newPass[T graph.Float](m *arch.Model[T], batch int) (*pass[T], error) {
	n := m.Network()
	s, err := newLocalGraph(n, m.Weights(), batch)
	if err != nil {
		return nil, err
	}
	p := &pass[T]{localGraph: s}
	if p.chain, err = plainChain(n); err != nil {
		return nil, err
	}
	p.x = s.input("x", inputShape(n))
	at := p.x
	for _, i := range p.chain {
		at = s.blocks.Predict(i, func(string) *graph.Node { return at })
		p.mu = append(p.mu, at)
	}
	if err := s.b.Err(); err != nil {
		return nil, err
	}
	last := len(p.chain) - 1
	y := s.input("y", at.Shape()[1:])
	var others []string
	for _, b := range n.Blocks {
		if b.Name != n.Blocks[p.chain[last]].Name {
			others = append(others, b.Name)
		}
	}
	p.loss = s.total(m.Plan().Energy, others, energy.Prediction{Name: n.Blocks[p.chain[last]].Name, Mean: at, Activity: y, Output: true})
	if err := s.b.Err(); err != nil {
		return nil, err
	}
	ds, err := graph.Grad(p.loss, at)
	if err != nil {
		return nil, err
	}
	p.delta = ds[0]
	return p, s.learn(p.chain[last], p.loss, without(p.mu, at))
}

// inputShape is that of a network's one input.
func inputShape(n *arch.Network) []int {
	if n.Input != nil {
		return n.Input
	}
	return n.Inputs[0].Shape
}

// learnFrom makes delta the gradient with respect to the prediction at position l of the chain: what its block learns from, beside
// regularisers.
func (p *pass[T]) learnFrom(l int, delta *graph.Node) error {
	delta = p.b.Copy(delta)
	cost := p.sum(p.loss, p.b.Inner(p.mu[l], delta))
	return p.learn(p.chain[l], cost, append(without(p.mu, p.mu[l]), delta))
}

// through is the gradient with respect to x of the inner product of y, which depends on it, with delta, a constant: delta brought back.
func (s *localGraph[T]) through(y, delta, x *graph.Node) (*graph.Node, error) {
	delta = s.b.Copy(delta)
	product := s.b.Inner(y, delta)
	if err := s.b.Err(); err != nil {
		return nil, err
	}
	ds, err := graph.GradHolding(product, []*graph.Node{delta}, x)
	if err != nil {
		return nil, err
	}
	return ds[0], nil
}

// A programs holds the compiled graphs of a rule, by batch size.
type programs[T graph.Float] struct {
	bySize map[int]*localProgram[T]
	last   *localProgram[T]
}

// at is the program for a batch size, built when first asked for.
func (d *programs[T]) at(batch int, build func(batch int) (*localGraph[T], error)) (*localProgram[T], error) {
	if l := d.bySize[batch]; l != nil {
		return l, nil
	}
	s, err := build(batch)
	if err != nil {
		return nil, err
	}
	l, err := s.compile()
	if err != nil {
		return nil, err
	}
	if d.bySize == nil {
		d.bySize = make(map[int]*localProgram[T])
	}
	d.bySize[batch] = l
	return l, nil
}

// subject is a model, with the terms of the graph, for which a program of the model's batch size is compiled.
func (d *programs[T]) subject(m *arch.Model[T], build func(batch int) (*localGraph[T], error)) train.Subject[T] {
	s := train.SubjectOf(m, func() *arch.Model[T] { return nil })
	s.Terms = nil
	if m != nil {
		if l, err := d.at(m.Plan().Batch, build); err == nil {
			s.Terms = l.names()
		}
	}
	s.TermEnergies, s.Locate = func(dst []float64) { d.last.energies(dst) }, func() string { return d.last.locate() }
	return s
}

// gradient runs the program of a batch. Loss is the sum of the energy's terms, Energy that of all.
func (d *programs[T]) gradient(l *localProgram[T], grad, x, y []T) (train.Report, error) {
	d.last = l
	if err := l.clamp(0, "x", x); err != nil {
		return train.Report{}, err
	}
	if err := l.clamp(1, "y", y); err != nil {
		return train.Report{}, err
	}
	f, err := l.gradient(grad)
	r := train.Report{Energy: f}
	for _, t := range l.terms[:l.losses] {
		r.Loss += l.prog.Scalar(t.Node)
	}
	return r, err
}

// clamp is load of data that must be finite; it is read now.
func (l *localProgram[T]) clamp(i int, name string, values []T) error {
	l.load(i, values)
	if l.prog.LoadNow() {
		return nil
	}
	at, width := kernel.FirstNonFinite(values), len(values)/l.batch
	return errors.Errorf("rules: %s of sample %d, element %d is %v: clean the data", name, at/width, at%width, values[at])
}
