package graph

import (
	"math/rand/v2"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Builder adds nodes to one expression graph. Like a bufio.Writer it stores the first error and turns later calls
// into no-ops that return nil, so that code that builds reads as mathematics; Err returns the error in the end.
type Builder struct {
	g      *gorgonia.ExprGraph
	dt     tensor.Dtype
	scope  string
	names  map[string]bool
	inputs []Input
	sound  map[*Node]bool // nodes that check has found sound, with all that they depend on
	err    error
}

// An Input is a node whose value the caller supplies.
type Input struct {
	Name string
	Node *Node
	Kind Kind
	Draw func(rng *rand.Rand) float64 // draws an element at every training step; nil if the input is not random
	Rate float64                      // of the ascent of a Multiplier
}

// A Kind is the role of an input.
type Kind uint8

const (
	Data       Kind = iota // clamped; its leading dimension is the batch
	State                  // a free activity; its leading dimension is the batch
	Param                  // a weight, shared by the batch
	Multiplier             // a Lagrange multiplier, which ascends the energy that states descend; its leading dimension is the batch
)

// NewBuilder starts an empty graph of element type T.
func NewBuilder[T Float]() *Builder {
	return &Builder{g: gorgonia.NewGraph(), dt: dtypeOf[T](), names: make(map[string]bool), sound: make(map[*Node]bool)}
}

// Err returns the first error, nil if there was none.
func (b *Builder) Err() error { return b.err }

// Graph returns the Gorgonia graph that holds the nodes.
func (b *Builder) Graph() *gorgonia.ExprGraph { return b.g }

// Inputs lists the inputs in the order in which they were added.
func (b *Builder) Inputs() []Input { return b.inputs }

// Fail records an error that the calling code has found, prefixed with the scope, unless an earlier one is recorded. A nil error is
// ignored.
func (b *Builder) Fail(err error) {
	if b.err == nil && err != nil {
		if b.scope != "" {
			err = errors.WithMessage(err, b.scope)
		}
		b.err = err
	}
}

// Within runs f with scope as a prefix of the names of inputs and of errors: "block2/W".
func (b *Builder) Within(scope string, f func()) {
	outer := b.scope
	b.scope = b.scoped(scope)
	f()
	b.scope = outer
}

func (b *Builder) scoped(name string) string {
	if b.scope == "" {
		return name
	}
	return b.scope + "/" + name
}

// Data adds a clamped input [batch, ...].
func (b *Builder) Data(name string, shape ...int) *Node { return b.input(Data, name, shape) }

// Random adds a clamped input [batch, ...] of zeros that training fills at every step, element by element, with draw: noise,
// or the mask of a dropout. The graph itself is deterministic.
func (b *Builder) Random(name string, draw func(rng *rand.Rand) float64, shape ...int) *Node {
	n := b.input(Data, name, shape)
	if n != nil {
		b.inputs[len(b.inputs)-1].Draw = draw
	}
	return n
}

// State adds a free activity [batch, ...].
func (b *Builder) State(name string, shape ...int) *Node { return b.input(State, name, shape) }

// Multiplier adds a Lagrange multiplier [batch, ...]: zeros where inference begins, and
//
//	lambda <- lambda + rate dF_i/dlambda_i
//
// wherever the states have been given a gradient to descend, at that gradient's point.
func (b *Builder) Multiplier(name string, rate float64, shape ...int) *Node {
	n := b.input(Multiplier, name, shape)
	if n != nil {
		b.inputs[len(b.inputs)-1].Rate = rate
	}
	return n
}

// Param adds a weight of any shape.
func (b *Builder) Param(name string, shape ...int) *Node { return b.input(Param, name, shape) }

func (b *Builder) input(kind Kind, name string, shape []int) *Node {
	if b.err != nil {
		return nil
	}
	name = b.scoped(name)
	if b.names[name] {
		b.err = errors.Errorf("graph: two inputs are named %q: Gorgonia would take them for one", name)
		return nil
	}
	for _, d := range shape {
		if d <= 0 {
			b.err = errors.Errorf("graph: input %q of shape %v: every dimension must be positive", name, shape)
			return nil
		}
	}
	if len(shape) == 0 {
		b.err = errors.Errorf("graph: input %q has no dimensions: inputs are [batch, ...] or weights of one dimension or more", name)
		return nil
	}
	if _, fits := Elements(shape); !fits {
		b.err = errors.Errorf("graph: input %q of shape %v has more than %d elements: look at its dimensions", name, shape, int64(MaxElements))
		return nil
	}
	b.names[name] = true
	indexAhead(b.g)
	n := gorgonia.NewTensor(b.g, b.dt, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name))
	b.inputs = append(b.inputs, Input{Name: name, Node: n, Kind: kind})
	return n
}

// add applies a fused operation.
func (b *Builder) add(s spec, kids ...*Node) *Node {
	if b.err != nil {
		return nil
	}
	n, err := apply(b.scope, s, kids...)
	b.Fail(err)
	return n
}

// record stores err and passes n on.
func (b *Builder) record(n *Node, err error) *Node {
	b.Fail(err)
	if b.err != nil {
		return nil
	}
	return n
}

// Do adds whatever f builds with Gorgonia's own operations and names op in errors. Operations that are known to give
// wrong numbers are errors, and so are inputs that the builder does not know. Two faults of Gorgonia happen before this check and
// are not noticed: two of its nodes of equal 32-bit hash become one, and so do a SoftMax and a LogSoftMax of one operand.
func (b *Builder) Do(op string, f func() (*Node, error)) *Node {
	if b.err != nil {
		return nil
	}
	indexAhead(b.g)
	n, err := f()
	if err == nil && n == nil {
		err = errors.New("no node was built")
	}
	if err == nil {
		err = b.check(n)
	}
	if err != nil {
		b.Fail(errors.WithMessage(err, op))
		return nil
	}
	return n
}

// check returns an error if what was built with Gorgonia's own operations is unsound.
func (b *Builder) check(n *Node) error {
	for _, m := range beyond(b.sound, n) {
		if m.Op() == nil {
			if !b.names[m.Name()] {
				return errors.Errorf("the input %q is not the builder's: add it with Data, State or Param", m.Name())
			}
			continue
		}
		if err := sound(m); err != nil {
			return err
		}
	}
	return nil
}
