package graph

import (
	"math/rand/v2"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/pcgraph/pcgraph/internal/kernel"
)

// A Builder adds nodes to one expression graph. Like a bufio.Writer it keeps the first error and turns later calls
// into no-ops that return nil, so that code that builds reads as mathematics; Err tells in the end.
type Builder struct {
	g      *gorgonia.ExprGraph
	dt     tensor.Dtype
	scope  string
	names  map[string]bool
	inputs []Input
	sound  map[*Node]bool // nodes that check has found sound, with all that they depend on
	err    error
}

// An Input is a node whose value comes from outside.
type Input struct {
	Name string
	Node *Node
	Kind Kind
	Draw func(rng *rand.Rand) float64 // draws an element, in training; nil for what is not random
}

// Kind says what an input is for.
type Kind uint8

const (
	Data  Kind = iota // clamped; its leading dimension is the batch
	State             // a free activity; its leading dimension is the batch
	Param             // a weight, shared by the batch
)

// NewBuilder starts an empty graph of element type T.
func NewBuilder[T Float]() *Builder {
	return &Builder{g: gorgonia.NewGraph(), dt: dtypeOf[T](), names: make(map[string]bool), sound: make(map[*Node]bool)}
}

// Err is the first error.
func (b *Builder) Err() error { return b.err }

// Graph is Gorgonia's graph that the nodes are in.
func (b *Builder) Graph() *gorgonia.ExprGraph { return b.g }

// Inputs lists the inputs in the order in which they were added.
func (b *Builder) Inputs() []Input { return b.inputs }

// Fail records an error found by the code that uses the builder, with the scope in front, unless there was one before.
func (b *Builder) Fail(err error) {
	if b.err == nil && err != nil {
		if b.scope != "" {
			err = errors.WithMessage(err, b.scope)
		}
		b.err = err
	}
}

// Within runs f with scope put in front of the names it gives: names and errors say "block2/W".
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

// Random adds a clamped input [batch, ...] of zeros that training fills at every step, element by element, by draw: noise,
// or the mask of a dropout. Nothing random happens in the graph itself.
func (b *Builder) Random(name string, draw func(rng *rand.Rand) float64, shape ...int) *Node {
	n := b.input(Data, name, shape)
	if n != nil {
		b.inputs[len(b.inputs)-1].Draw = draw
	}
	return n
}

// State adds a free activity [batch, ...].
func (b *Builder) State(name string, shape ...int) *Node { return b.input(State, name, shape) }

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

// keep records err and passes n on.
func (b *Builder) keep(n *Node, err error) *Node {
	b.Fail(err)
	if b.err != nil {
		return nil
	}
	return n
}

// Linear is factor (x W + c): x [batch, ..., in], W [in, out], c [out] or nil; the result is [batch, ..., out]. A factor
// that W has already is drawn into it, if c has the same.
func (b *Builder) Linear(x, w, bias *Node, factor float64) *Node {
	if b.err != nil {
		return nil
	}
	if w != nil {
		unscaled, f := unscale(w)
		if bias == nil {
			w, factor = unscaled, factor*f
		} else if c, fc := unscale(bias); fc == f {
			w, bias, factor = unscaled, c, factor*f
		}
	}
	if bias == nil {
		return b.add(matmul{alpha: factor}, x, w)
	}
	return b.add(matmul{alpha: factor, bias: true}, x, w, bias)
}

// MatMul is the product op(x) op(y) of matrices, where op transposes or not. All dimensions of x but the last are its
// rows; y is a matrix too, unless x is transposed: then the product sums over the leading dimensions of both.
func (b *Builder) MatMul(x, y *Node, transX, transY bool) *Node {
	if b.err != nil {
		return nil
	}
	if x == nil || y == nil {
		b.Fail(errors.New("product with a missing operand"))
		return nil
	}
	return b.keep(product(x, y, transX, transY, 1))
}

// Act is f(x), element by element.
func (b *Builder) Act(f Activation, x *Node) *Node {
	if b.err != nil {
		return nil
	}
	if f == kernel.Linear {
		return x
	}
	return b.add(activate{f: f}, x)
}

// Combine is sum_i coefs[i] xs[i] for operands of one shape.
func (b *Builder) Combine(coefs []float64, xs ...*Node) *Node {
	if b.err != nil {
		return nil
	}
	if len(coefs) != len(xs) || len(xs) == 0 {
		b.Fail(errors.Errorf("linear combination of %d operands with %d coefficients", len(xs), len(coefs)))
		return nil
	}
	for i, x := range xs {
		if x == nil {
			b.Fail(errors.New("linear combination with a missing operand"))
			return nil
		}
		if coefs[i]-coefs[i] != 0 {
			b.Fail(errors.Errorf("linear combination with the coefficient %v: want a finite number", coefs[i]))
			return nil
		}
	}
	return b.keep(combined(b.scope, coefs, xs))
}

// Add is x + y.
func (b *Builder) Add(x, y *Node) *Node { return b.Combine([]float64{1, 1}, x, y) }

// Sub is x - y.
func (b *Builder) Sub(x, y *Node) *Node { return b.Combine([]float64{1, -1}, x, y) }

// Scale is c x.
func (b *Builder) Scale(x *Node, c float64) *Node { return b.Combine([]float64{c}, x) }

// Copy is x as a node of its own, which sums do not look through: what GradHolding may hold.
func (b *Builder) Copy(x *Node) *Node { return b.add(copied{}, x) }

// Mul is x * y, element by element.
func (b *Builder) Mul(x, y *Node) *Node { return b.add(hadamard{}, x, y) }

// AddRow is x + p with p, which has the last dimensions of x, repeated over the others: a position [t, n] on [batch, t, n].
func (b *Builder) AddRow(x, p *Node) *Node { return b.add(rowAdd{}, x, p) }

// MulRow is x * p, element by element, with p repeated as in AddRow: a gain [n] on [batch, ..., n].
func (b *Builder) MulRow(x, p *Node) *Node { return b.add(rowMul{}, x, p) }

// LayerNorm is (x - mean) / sqrt(var + eps), with mean and variance over the last axis.
func (b *Builder) LayerNorm(x *Node, eps float64) *Node {
	return b.add(standardise{standard{centre: true, eps: eps}}, x)
}

// RMSNorm is x / sqrt(mean(x^2) + eps), with the mean over the last axis.
func (b *Builder) RMSNorm(x *Node, eps float64) *Node {
	return b.add(standardise{standard{eps: eps}}, x)
}

// Attention is multi-head attention of tokens to each other. Of qkv [batch, t, 3 n], queries, keys and values side by side,
// head h has the features [h d, (h+1) d) of each, d = n/heads, and gives those of the result [batch, t, n]:
//
//	softmax(scale q k^T) v
//
// Causal lets a token see itself and those before it. Padding [batch, t], nil for none, says which tokens are seen by none:
// those where it is positive. A token that sees none gives zeros. Logits of any finite size are safe.
func (b *Builder) Attention(qkv, padding *Node, heads int, scale float64, causal bool) *Node {
	o := attention{multiHead{heads: heads, scale: scale, causal: causal, masked: padding != nil}}
	if padding == nil {
		return b.add(o, qkv)
	}
	return b.add(o, qkv, padding)
}

// Lookup takes rows of a table: ids [batch, ...] and table [v, n] give [batch, ..., n]. An id that is no whole number
// from 0 to v-1 is an error of the run. There is a gradient by the table only.
func (b *Builder) Lookup(ids, table *Node) *Node { return b.add(lookup{}, ids, table) }

// SubIdentity is x - I for a square matrix.
func (b *Builder) SubIdentity(x *Node) *Node { return b.add(subIdentity{}, x) }

// HalfSquare is the scalar coef/2 sum x^2 / batch; batch 1 for what is not averaged.
func (b *Builder) HalfSquare(x *Node, coef float64, batch int) *Node {
	return b.add(halfSquare{coef: coef, batch: batch}, x)
}

// Inner is the scalar sum x y.
func (b *Builder) Inner(x, y *Node) *Node { return b.add(inner{coef: 1}, x, y) }

// CrossEntropy is the scalar -coef sum_ik y_ik log softmax(logits_i)_k / batch, stable for logits of any size.
func (b *Builder) CrossEntropy(y, logits *Node, coef float64, batch int) *Node {
	return b.add(crossEntropy{coef: coef, batch: batch}, y, logits)
}

// Do adds whatever f builds with Gorgonia's own operations and names op in errors. Operations that are known to give
// wrong numbers are refused, and so are inputs that the builder does not know. Not noticed is what happens before: two
// of Gorgonia's nodes of one 32-bit hash, or a SoftMax and a LogSoftMax of one operand, become one.
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

// check looks at what was built with Gorgonia's own operations.
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
