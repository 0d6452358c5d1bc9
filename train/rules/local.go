package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/pcgraph/pcgraph/arch"
	"github.com/pcgraph/pcgraph/energy"
	"github.com/pcgraph/pcgraph/graph"
	"github.com/pcgraph/pcgraph/internal/kernel"
	"github.com/pcgraph/pcgraph/train"
)

// A localGraph is the graph, under construction, of a rule whose weight gradients are local to their blocks, and not those of
// one energy.
type localGraph[T graph.Float] struct {
	b      *graph.Builder
	blocks *arch.Blocks
	net    *arch.Network
	w      *graph.Vector[T]
	batch  int
	data   []*graph.Node   // inputs that carry the batch
	terms  []energy.Term   // what is reported
	losses int             // terms that are the energy's; others follow
	values []*graph.Node   // a target that is computed without the rest
	more   [][]*graph.Node // further targets
	grads  []*graph.Node   // with respect to the fields of w; nil where it is zero
}

// newLocalGraph starts the graph of a network for a batch size.
func newLocalGraph[T graph.Float](n *arch.Network, w *graph.Vector[T], batch int) (*localGraph[T], error) {
	if batch < 1 {
		return nil, errors.Errorf("batch of %d samples: want one or more", batch)
	}
	s := &localGraph[T]{b: graph.NewBuilder[T](), net: n, w: w, batch: batch, grads: make([]*graph.Node, len(w.Fields()))}
	var err error
	s.blocks, err = arch.NewBlocks(s.b, n, w)
	return s, err
}

// input adds an input [batch, shape...].
func (s *localGraph[T]) input(name string, shape []int) *graph.Node {
	n := s.b.Data(name, append([]int{s.batch}, shape...)...)
	s.data = append(s.data, n)
	return n
}

// learn adds the gradient of cost with respect to the weights of block i, if it has any, with held taken for constants.
func (s *localGraph[T]) learn(i int, cost *graph.Node, held []*graph.Node) error {
	if err := s.b.Err(); err != nil {
		return err
	}
	nodes, fields := s.blocks.Params(i)
	if len(nodes) == 0 {
		return nil
	}
	gs, err := graph.GradHolding(cost, held, nodes...)
	for j, g := range gs {
		s.grads[fields[j]] = g
	}
	return err
}

// total is the sum of the terms of an energy, which become those that are reported. It has likelihoods for exact blocks and
// does not use them.
func (s *localGraph[T]) total(f energy.Functional, exact []string, sites ...energy.Prediction) *graph.Node {
	if f == nil {
		f = energy.PC{}
	}
	s.terms = f.Terms(s.b, energy.Latents{Predictions: sites, Exact: exact, Weights: s.blocks.Regular(), Batch: s.batch})
	s.losses = len(s.terms)
	return s.sum(nodesOf(s.terms)...)
}

// sum adds up.
func (s *localGraph[T]) sum(xs ...*graph.Node) *graph.Node {
	ones := make([]float64, len(xs))
	for i := range ones {
		ones[i] = 1
	}
	return s.b.Combine(ones, xs...)
}

func nodesOf(ts []energy.Term) []*graph.Node {
	ns := make([]*graph.Node, len(ts))
	for i, t := range ts {
		ns[i] = t.Node
	}
	return ns
}

// without is ns without n.
func without(ns []*graph.Node, n *graph.Node) []*graph.Node {
	return slices.DeleteFunc(slices.Clone(ns), func(m *graph.Node) bool { return m == n })
}

// A localProgram is a compiled localGraph.
type localProgram[T graph.Float] struct {
	*localGraph[T]
	prog    *graph.Program[T]
	sizes   []int // of the inputs
	version uint64
	into    *T
}

// Targets of a localProgram.
const (
	gradTarget = iota
	valueTarget
)

// compile compiles the graph with its terms and gradients as targets.
func (s *localGraph[T]) compile() (*localProgram[T], error) {
	if err := s.b.Err(); err != nil {
		return nil, err
	}
	grads := slices.DeleteFunc(slices.Clone(s.grads), func(n *graph.Node) bool { return n == nil })
	targets := [][]*graph.Node{append(nodesOf(s.terms), grads...)}
	if len(s.values) > 0 {
		targets = append(targets, s.values)
	}
	targets = append(targets, s.more...)
	prog, err := graph.CompilePlan[T](graph.Plan{Targets: targets, Batched: s.data, Cache: true})
	l := &localProgram[T]{localGraph: s, prog: prog, version: s.w.Version()}
	for _, n := range s.data {
		l.sizes = append(l.sizes, n.Shape().TotalSize())
	}
	return l, err
}

// load hands over input i, which stays the caller's until the next run. It panics unless it is as long as the input.
func (l *localProgram[T]) load(i int, values []T) {
	if n := l.sizes[i]; len(values) != n {
		panic(fmt.Sprintf("rules: Gradient of a batch of %d samples: %d numbers for the input %q, which takes %d", l.batch, len(values), l.data[i].Name(), n))
	}
	l.prog.Load(l.data[i], values)
}

// run computes a target with the weights as they are.
func (l *localProgram[T]) run(target int) error {
	l.refresh()
	return l.prog.Run(target)
}

// refresh makes the program read weights that have changed.
func (l *localProgram[T]) refresh() {
	if v := l.w.Version(); v != l.version {
		l.version = v
		l.prog.Touch()
	}
}

// gradient writes the weights' gradient to dst, as long as the slab, and returns the sum of the terms.
func (l *localProgram[T]) gradient(dst []T) (float64, error) {
	train.CheckGradient(dst, l.w)
	if len(dst) > 0 && l.into != &dst[0] {
		l.into = &dst[0]
		for i, n := range l.grads {
			if n != nil {
				l.prog.Into(n, l.w.Part(dst, i))
			}
		}
	}
	for i, n := range l.grads {
		if n == nil {
			clear(l.w.Part(dst, i))
		}
	}
	if err := l.run(gradTarget); err != nil {
		return 0, err
	}
	f := 0.
	for _, t := range l.terms {
		f += l.prog.Scalar(t.Node)
	}
	return f, nil
}

// names are those of the terms.
func (l *localProgram[T]) names() []string {
	ns := make([]string, len(l.terms))
	for i, t := range l.terms {
		ns[i] = t.Name
	}
	return ns
}

// energies writes the terms of the last gradient; zeros before the first, when l is nil.
func (l *localProgram[T]) energies(dst []float64) {
	if l == nil {
		clear(dst)
		return
	}
	checkTerms(dst, len(l.terms))
	for i, t := range l.terms {
		dst[i] = l.prog.Scalar(t.Node)
	}
}

// locate names what is not finite: a weight, or a term; nothing before the first gradient, when l is nil.
func (l *localProgram[T]) locate() string {
	if l == nil {
		return ""
	}
	if i := kernel.FirstNonFinite(l.w.Data()); i >= 0 {
		return l.w.Where(i)
	}
	for _, t := range l.terms {
		if e := l.prog.Scalar(t.Node); math.IsNaN(e) || math.IsInf(e, 0) {
			return "energy of " + t.Name
		}
	}
	return ""
}

// checkTerms panics unless energies are as many as there are terms.
func checkTerms(dst []float64, terms int) {
	if len(dst) != terms {
		panic(fmt.Sprintf("rules: TermEnergies into a slice of %d numbers, and there are %d terms", len(dst), terms))
	}
}
